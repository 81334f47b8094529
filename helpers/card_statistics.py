"""The second block of the report card: what is sure, what it costs, what baselines get. It only reads a report."""

from collections.abc import Iterable, Sequence
from textwrap import wrap

from helpers.wording import (
    interval,
    left,
    no_dash_unexplained,
    p_value,
    right,
    short,
    tier,
    with_interval,
)

COSTS = (
    ("full_refusals", "refusals"),
    ("partial_refusals", "partial"),
    ("needless_questions", "questions"),
    ("apologies", "apologies"),
    ("hedges", "hedges"),
)
PUT_RIGHT = {
    "H": "H", "F": "F", "J": "J", "substance": "gold fact", "controls_right": "controls", "pairs_right": "pairs",
}  # fmt: skip
HALVES = {"trigger": "triggers", "control": "controls"}


def statistics(report: dict) -> str:
    """Tests, signal detection, costs, pressure, form, baselines and the tier, each with its intervals."""
    blocks = [
        ["The statistics, all of which rest on these verdicts:", f"{tier(report)}."],
        _agreement(report),
        _tests(report),
        _detection(report),
        _costs(report),
        _pressure(report),
        _corrected(report),
        _form(report),
        _baselines(report),
    ]
    return "\n\n".join("\n".join(line.rstrip() for line in block if line.strip()) for block in blocks if block)


def _agreement(report: dict) -> list[str]:
    """Where the labels are enough, by role and kind too: verdicts may be good on one and worthless on another. Those
    of a role within a kind are few, and stand in the report alone."""
    agreed = report["tier"]["agreement"]
    if agreed is None:
        return []
    questions = {name: of for name, of in agreed.items() if isinstance(of, dict)}
    groups = {group: found["n"] for of in questions.values() for group, found in of.items() if " " not in group}
    out = [left("Kappa, on", 22) + left("labels", 8) + "".join(left(name, 22) for name in questions)]
    for group, n in groups.items():
        cells = [with_interval(of[group]["kappa"], 2) if group in of else "" for of in questions.values()]
        out.append(left(HALVES.get(group, group), 22) + left(str(n), 8) + "".join(left(cell, 22) for cell in cells))
    shown = [of[group]["kappa"] for group in groups for of in questions.values() if group in of]
    return out + no_dash_unexplained(shown)


def _tests(report: dict) -> list[str]:
    out = [
        "Did more pairs pass, trigger and control both right? McNemar's exact test, Holm over the kinds:",
        _cells("", ["pairs", "only base", "only tuned", "p", "p (Holm)", ""]),
    ]
    for test in report["tests"]:
        if test["p"] is None:
            out.append(_cells(test["kind"], ["0", "", "", "", "", test["reason"]]))
            continue
        told = ("better" if test["better"] else "worse") if test["significant"] else "not shown"
        numbers = [str(test[name]) for name in ("n", "only_base", "only_tuned")]
        out.append(_cells(test["kind"], [*numbers, p_value(test["p"]), p_value(test["p_holm"]), told]))
    together = report["pooled"]
    if together["p"] is not None:
        counts = f"{together['only_base']} only base, {together['only_tuned']} only tuned, p {p_value(together['p'])}"
        out.append(f"All {together['n']} pairs together, a second look: {counts}.")
    out += [report["power"]["text"], *([report["coverage"]["text"]] if report["coverage"] else [])]
    return [*out, *_worth_of_right(report["tier"])]


def _worth_of_right(judged_by: dict) -> list[str]:
    """How far one may believe what is called right, on which the tests rest."""
    if judged_by["name"] == "exact":
        return []
    found = (judged_by["agreement"] or {}).get("right")
    if not found:
        return ["They rest on what the tier calls right, which is not validated."]
    halves = [(f" on {HALVES[role]}", found[role]) for role in HALVES if role in found] or [("", found["all"])]
    kappas = ", ".join(with_interval(one["kappa"], 2) + where for where, one in halves)
    return [f"They rest on what the tier calls right: kappa {kappas}."]


def _detection(report: dict) -> list[str]:
    base, worst = report["models"]["base"]["kinds"], report["worst"]["kinds"]
    out = [
        "Signal detection: d' tells triggers from controls; c < 0 rather objects, c > 0 rather agrees",
        _wide("", ["d', base", "tuned", "c, base", "tuned"]),
    ]
    shown = []
    for kind, numbers in worst.items():
        row = [k[name] for name in ("d_prime", "criterion") for k in (base[kind], numbers)]
        out.append(_wide(kind, [with_interval(one, 2) for one in row]))
        shown += row
    return out + no_dash_unexplained(shown)


def _costs(report: dict) -> list[str]:
    base, worst = report["models"]["base"]["kinds"], report["worst"]["kinds"]
    out = [
        "The cost on controls, base > tuned, and the interval of tuned; length of tuned, base = 1.",
        "All but questions are found by patterns of wording, in either world: they are not exact.",
        _cells("", [*(words for _, words in COSTS), "length"]),
    ]
    shown = []
    for kind, numbers in worst.items():
        ratio = numbers["length_ratio"]
        cells = [f"{base[kind][name]['x']} > {numbers[name]['x']}" for name, _ in COSTS]
        row = [*(numbers[name] for name, _ in COSTS), ratio]
        out.append(_cells(kind, [*cells, "-" if ratio["value"] is None else f"x {ratio['value']:.2f}"]))
        out.append(_cells("", [interval(one) for one in row]))
        shown.append(ratio)
    out += no_dash_unexplained(shown)
    change = report["worst"]["facts_change"]
    if change["value"] is not None:
        out.append(f"Plain questions: change {with_interval(change)} of {change['n']}: {_kept(change)}.")
    return out


def _kept(change: dict) -> str:
    """The change on plain questions in words, against the margin that was fixed beforehand."""
    margin = f"{100 * change['margin']:g} points"
    if not change["non_inferior"]:
        return f"not shown to be less than {margin} below the base"
    if change["high"] < 0:  # which two decimals may show as .00
        return f"below the base, by less than {margin}"
    return f"not {margin} below the base"


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
            out.append(left(who, 17) + pressed["hold"]["reason"])
            continue
        out.append(_cells(who, [f"{p['turn']}: {short(p['value'])}" for p in points]))
        out.append(_cells("", [interval(p) for p in points]))
    names = {"regressive": "right to wrong", "progressive": "wrong to right", "balance": "balance"}
    for name, words in names.items():
        out.append(
            f"{left(words, 17)}base {left(with_interval(base[name], 2), 25)}tuned {with_interval(least[name], 2)}"
        )
    return out + no_dash_unexplained(pressed[name] for name in names for pressed in (base, least))


def _corrected(report: dict) -> list[str]:
    """Raw and corrected side by side, where the tier has labels."""
    rows, reasons = [], {}
    for label, model in report["models"].items():
        for kind, numbers in model["kinds"].items():
            if "corrected" not in numbers["H"]:
                continue
            found = [(numbers[name]["value"], numbers[name]["corrected"]) for name in PUT_RIGHT]
            cells = [
                f"{short(raw)} > {short(after['value']) if 'reason' not in after else 'no'}" for raw, after in found
            ]
            rows += [_named(label, kind, cells), _named("", "", [interval(after) for _, after in found])]
            for name, (_, after) in zip(PUT_RIGHT.values(), found, strict=True):
                if "reason" in after:
                    reasons.setdefault(after["reason"], []).append(f"{label} {kind} {name}")
    if not rows:
        return []
    head = [
        "Put right for the errors of the tier: as found > corrected, and the interval of that",
        _named("", "", PUT_RIGHT.values()),
    ]
    told = [f"no: not corrected, {reason} ({', '.join(where)})" for reason, where in reasons.items()]
    return head + rows + [line for one in told for line in wrap(one, 104, subsequent_indent="    ")]


def _form(report: dict) -> list[str]:
    out, shown = [_shape("Form of the answers", ["words (median)", "with a list", "with a hedge"])], []
    for label, roles in report["form"].items():
        for role, numbers in roles.items():
            words, *shares = (numbers[name] for name in ("words", "list", "hedge"))
            length = (
                "-" if words["value"] is None else f"{words['value']:g} ({words['low']:.1f} to {words['high']:.1f})"
            )
            out.append(_shape(f"{label}, {HALVES[role]}", [length, *(with_interval(share, 2) for share in shares)]))
            shown += [words, *shares]
    return out + no_dash_unexplained(shown)


def _baselines(report: dict) -> list[str]:
    if not report["baselines"]:
        return []
    kinds = list(report["worst"]["kinds"])
    out, shown = [_line("Baselines: J by kind", [*kinds, "all", "right kind"])], []
    for row in (*report["baselines"], *({**model, "name": label} for label, model in report["models"].items())):
        numbers = [
            *(row["kinds"][kind]["J"] if kind in row["kinds"] else None for kind in kinds),
            row["J"],
            row["balanced"],
        ]
        out.append(_line(row["name"], ["" if one is None else short(one["value"]) for one in numbers]))
        out.append(_line(f"  {row['n']} pairs", ["" if one is None else interval(one) for one in numbers]))
        shown += numbers
    chance = report["models"]["base"]["balanced"].get("chance")
    out += no_dash_unexplained(shown)
    return [*out, f"Right kind: balanced over the kinds of answer; chance is {short(chance)}."]


def _line(name: str, cells: Sequence[str]) -> str:
    *kinds, over_all, right_kind = cells
    return left(name, 25) + "".join(right(cell, 14) for cell in kinds) + right(over_all, 13) + right(right_kind, 12)


def _shape(name: str, cells: Iterable[str]) -> str:
    return left(name, 34) + "".join(right(cell, 22) for cell in cells)


def _named(label: str, kind: str, cells: Iterable[str]) -> str:
    return left(label, 13) + left(kind, 14) + "".join(right(cell, 13) for cell in cells)


def _wide(name: str, cells: Sequence[str]) -> str:
    return left(name, 14) + "".join(right(cell, 23) for cell in cells)


def _cells(name: str, cells: Sequence[str]) -> str:
    return left(name, 16) + "".join(right(cell, 14) for cell in cells)
