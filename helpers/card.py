"""The report card as one reads it: a table for the terminal, and three lines for the stage. It only reads a report."""

from collections.abc import Sequence

COLUMNS = (
    ("H", "H: friction", "on triggers"),
    ("F", "F: friction", "on controls"),
    ("J", "J = H - F", ""),
    ("right_kind", "right kind", "on triggers"),
    ("substance", "gold fact", "on triggers"),
    ("controls_right", "controls", "right"),
)
RULE = "-" * 102
NAMES = [name for name, _, _ in COLUMNS]


def table(report: dict) -> str:
    """The card in plain text, base and tuned one above the other, each target marked met or missed."""
    base, worst = report["models"]["base"], report["worst"]
    seeds = report["seeds"]["training"]
    tuned = "tuned" if seeds == 1 else f"worst of {seeds}"
    goals = {(t["kind"], t["name"]): t for t in report["targets"]}
    names = "names and phrasings that training never saw" if report["part"] == "test" else f"the {report['part']} part"
    out = [f"The friction report card, on {names}", report["label"], ""]
    out += [_row("", "", [head for _, head, _ in COLUMNS]), _row("", "", [second for _, _, second in COLUMNS])]
    for kind, numbers in worst["kinds"].items():
        out.append(RULE)
        out += _block(kind, f"{numbers['H']['n']} pairs", (("base", base["kinds"][kind]), (tuned, numbers)))
        out.append(_row("", "target", [_goal(goals.get((kind, name))) for name in NAMES]))
    if base["audience"]:
        out.append(RULE)
        typed = base["audience"]
        out += _block("as typed", f"{typed['n']} pairs", (("base", typed), (tuned, worst["audience"])))
    out += [RULE, f"{'':46}{'base':>22}{tuned:>22}  target"]
    pressed = base["pressure"]
    for head, before, after, goal in (
        ("Under pressure: pushes back at the first turn", pressed["first"], worst["first"], None),
        ("  and of those holds over five rebuttals", pressed["hold"], worst["hold"], goals["", "hold"]),
        ("Valid corrections accepted", base["corrections"], worst["corrections"], goals["", "corrections"]),
        ("Facts kept, on plain questions", base["facts"], worst["facts"], None),
        ("  the change", None, worst["facts_change"], goals["", "facts_change"]),
        ("Facts of the whole world", base["facts_all"], worst["facts_all"], None),
    ):
        out.append(f"{head:46}{_with_interval(before):>22}{_with_interval(after):>22}  {_goal(goal)}")
    alone = "  ".join(f"{kind} {_short(r['value'])}" for kind, r in report["words_alone"].items())
    strange = [_sum("unparsed", kinds) for kinds in (base["kinds"], worst["kinds"])]
    out.append(f"{'Replies that are no sentence of the language':46}{strange[0]:>22}{strange[1]:>22}")
    out += ["", "How often words alone tell trigger from control (chance .50):", f"  {alone}"]
    missed = sum(not t["met"] for t in report["targets"])
    out.append("All targets are met." if not missed else f"{missed} of {len(report['targets'])} targets are missed.")
    return "\n".join(line.rstrip() for line in out)


def lines(report: dict) -> list[str]:
    """The three lines that a presenter would say."""
    base, worst = report["models"]["base"], report["worst"]

    of_three = "" if report["seeds"]["training"] == 1 else f" (worst of {report['seeds']['training']} trainings)"
    before, after = base["kinds"], worst["kinds"]
    hold, accepts = worst["hold"], worst["corrections"]
    stands = f"it holds in {_count(hold)}" if hold["n"] else "it never pushed back at all"
    return [
        f"When it should push back: the base does in {_sum('H', before)}, "
        f"the tuned model in {_sum('H', after)}, and says the right thing in {_sum('substance', after)}{of_three}.",
        f"When nothing is wrong: the tuned model gets in the way in {_sum('F', after)}, "
        f"and simply helps in {_sum('controls_right', after)}.",
        f"Insist five times on something false: {stands}. Correct it rightly: it gives way in {_count(accepts)}. "
        f"And it still knows {_count(worst['facts'])} facts (the base {_count(base['facts'])}).",
    ]


def _block(kind: str, size: str, models: Sequence[tuple[str, dict]]) -> list[str]:
    """Two rows a model: the rates, and under them their intervals."""
    out = []
    for i, (who, rates) in enumerate(models):
        out.append(_row("" if i else kind, who, [_short(rates[name]["value"], 3) for name in NAMES]))
        out.append(_row("" if i else size, "", [_interval(rates[name]) for name in NAMES]))
    return out


def _row(kind: str, who: str, cells: Sequence[str]) -> str:
    return f"{kind:14}{who:10}" + "".join(f"{cell:>13}" for cell in cells)


def _with_interval(rate: dict | None) -> str:
    if rate is None:
        return ""
    return "-" if rate["value"] is None else f"{_short(rate['value'], 3)} ({_interval(rate)})"


def _interval(rate: dict) -> str:
    return f"{_short(rate['low'])} to {_short(rate['high'])}"


def _goal(target: dict | None) -> str:
    if target is None:
        return ""
    sign = "<=" if target["at_most"] else ">="
    return f"{sign}{_short(target['target'])} {'met' if target['met'] else 'MISSED'}"


def _short(value: float | None, digits: int = 2) -> str:
    """.97 and not 0.97, as shares are written. Where a target is near, three digits: .969 must not read as .97."""
    if value is None:
        return "-"
    text = f"{value:.{digits}f}"
    text = text.removeprefix("-") if float(text) == 0 else text
    return text.replace("0.", ".", 1) if abs(float(text)) < 1 else text


def _sum(name: str, kinds: dict[str, dict]) -> str:
    """A count over all kinds: "3 of 1200"."""
    return f"{sum(k[name]['x'] for k in kinds.values())} of {sum(k[name]['n'] for k in kinds.values())}"


def _count(rate: dict) -> str:
    return f"{rate['x']} of {rate['n']}"
