"""The second block of the report card: what is sure, what it costs, what baselines get. It only reads a report."""

from collections.abc import Sequence

from helpers.wording import interval, p_value, short, with_interval

COSTS = (
    ("full_refusals", "refusals"),
    ("partial_refusals", "partial"),
    ("needless_questions", "questions"),
    ("apologies", "apologies"),
)


def statistics(report: dict) -> str:
    """Tests, signal detection, costs, pressure, form, baselines and the tier, each with its intervals."""
    blocks = [
        ["The statistics", verdicts_by(report["tier"])],
        _tests(report),
        _detection(report),
        _costs(report),
        _pressure(report),
        _corrected(report),
        _form(report),
        _baselines(report),
    ]
    return "\n\n".join("\n".join(line.rstrip() for line in block) for block in blocks if block)


def verdicts_by(tier: dict) -> str:
    """The tier of the verdicts, and how far it agrees with labels."""
    if tier["agreement"] is None:
        return f"Verdicts: {tier['name']}{'' if tier['validated'] else ', not validated: no reply has been labelled'}."
    found = tier["agreement"]
    kappa, hit, clear = (with_interval(found[name], 2) for name in ("kappa", "sensitivity", "specificity"))
    return f"Verdicts: {tier['name']}; {found['n']} labels: kappa {kappa}, finds {hit}, spares {clear}."


def _tests(report: dict) -> list[str]:
    out = [
        "Did more pairs pass, trigger and control both right? McNemar's exact test, Holm over the kinds:",
        _cells("", ["pairs", "only base", "only tuned", "p", "p (Holm)", ""]),
    ]
    for test in report["tests"]:
        if test["p"] is None:
            out.append(_cells(test["kind"], ["0", "-", "-", "-", "-", test["reason"]]))
            continue
        told = ("better" if test["better"] else "worse") if test["significant"] else "not shown"
        numbers = [str(test[name]) for name in ("n", "only_base", "only_tuned")]
        out.append(_cells(test["kind"], [*numbers, p_value(test["p"]), p_value(test["p_holm"]), told]))
    together = report["pooled"]
    if together["p"] is not None:
        counts = f"{together['only_base']} only base, {together['only_tuned']} only tuned, p {p_value(together['p'])}"
        out.append(f"All {together['n']} pairs together, a second look: {counts}.")
    return [*out, report["power"]["text"], *([report["coverage"]["text"]] if report["coverage"] else [])]


def _detection(report: dict) -> list[str]:
    base, worst = report["models"]["base"]["kinds"], report["worst"]["kinds"]
    out = [
        "Signal detection: d' tells triggers from controls; c < 0 rather objects, c > 0 rather agrees",
        _wide("", ["d', base", "tuned", "c, base", "tuned"]),
    ]
    for kind, numbers in worst.items():
        both = base[kind], numbers
        out.append(_wide(kind, [with_interval(k[name], 2) for name in ("d_prime", "criterion") for k in both]))
    return out


def _costs(report: dict) -> list[str]:
    base, worst = report["models"]["base"]["kinds"], report["worst"]["kinds"]
    out = ["The cost on controls, base > tuned", _cells("", [*(words for _, words in COSTS), "length"])]
    for kind, numbers in worst.items():
        cells = [f"{base[kind][name]['x']} > {numbers[name]['x']}" for name, _ in COSTS]
        ratio = numbers["length_ratio"]["value"]
        out.append(_cells(kind, [*cells, "-" if ratio is None else f"x {ratio:.2f}"]))
    change = report["worst"]["facts_change"]
    if change["value"] is not None:
        verdict = "no worse than the base" if change["non_inferior"] else "not shown to be no worse"
        margin = f"margin -{short(change['margin'])}"
        out.append(f"Plain questions: change {with_interval(change)} of {change['n']}, {margin}: {verdict}.")
    return out


def _pressure(report: dict) -> list[str]:
    """The tuned model that holds least often stands for all."""
    base = report["models"]["base"]["pressure"]
    tuned = [m["pressure"] for name, m in report["models"].items() if name != "base"]
    least = min(tuned, key=lambda p: -1 if p["hold"]["value"] is None else p["hold"]["value"])
    if not base["first"]["n"]:
        return []
    out = ["Under pressure, of those that pushed back: holds so many rebuttals (Kaplan-Meier, Greenwood)"]
    for who, pressed in (("base", base), ("tuned", least)):
        points = pressed["curve"][1:]
        if not points:
            out.append(f"{who:16}{pressed['hold']['reason']}")
            continue
        out.append(_cells(who, [f"{p['turn']}: {short(p['value'])}" for p in points]))
        out.append(_cells("", [interval(p) for p in points]))
    for name, words in (("regressive", "right to wrong"), ("progressive", "wrong to right"), ("balance", "balance")):
        out.append(f"{words:16}base {with_interval(base[name], 2):24}tuned {with_interval(least[name], 2)}")
    return out


def _corrected(report: dict) -> list[str]:
    """Raw and corrected side by side, where the tier has labels."""
    out = []
    for label, model in report["models"].items():
        for kind, numbers in model["kinds"].items():
            for name in ("H", "F", "J"):
                if "corrected" in numbers[name]:
                    put_right = numbers[name]["corrected"]
                    told = put_right.get("reason") or with_interval(put_right, 2)
                    out.append(f"{label:16}{kind:16}{name:4}{with_interval(numbers[name], 2):24}{told}")
    head = f"{'Put right for the errors of the tier':36}{'as found':24}corrected"
    return [head, *out] if out else []


def _form(report: dict) -> list[str]:
    out = [f"{'Form: triggers, controls':32}{'words (median)':>16}{'with a list':>22}{'with a hedge':>22}"]
    for label, roles in report["form"].items():
        trigger, control = roles["trigger"], roles["control"]
        words = ", ".join("-" if r["words"] is None else f"{r['words']:g}" for r in (trigger, control))
        shares = [", ".join(short(r[name]["value"]) for r in (trigger, control)) for name in ("list", "hedge")]
        out.append(f"{label:32}{words:>16}{shares[0]:>22}{shares[1]:>22}")
    return out


def _baselines(report: dict) -> list[str]:
    if not report["baselines"]:
        return []
    kinds = list(report["worst"]["kinds"])
    out = [_line("Baselines: J by kind", ["pairs", *kinds, "all", "right kind"])]
    for row in (*report["baselines"], *({**model, "name": label} for label, model in report["models"].items())):
        js = [short(row["kinds"][kind]["J"]["value"]) if kind in row["kinds"] else "-" for kind in kinds]
        out.append(_line(row["name"], [str(row["n"]), *js, short(row["J"]["value"]), short(row["balanced"]["value"])]))
    chance = report["models"]["base"]["balanced"].get("chance")
    return [*out, f"Right kind: balanced over the kinds of answer; chance is {short(chance)}."]


def _line(name: str, cells: Sequence[str]) -> str:
    *kinds, over_all, right_kind = cells[1:]
    return f"{name:26}{cells[0]:>5}" + "".join(f"{cell:>14}" for cell in kinds) + f"{over_all:>7}{right_kind:>12}"


def _wide(name: str, cells: Sequence[str]) -> str:
    return f"{name:14}" + "".join(f"{cell:>24}" for cell in cells)


def _cells(name: str, cells: Sequence[str]) -> str:
    return f"{name:16}" + "".join(f"{cell:>14}" for cell in cells)
