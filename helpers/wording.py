"""How numbers are written, and how what stands in a report is said: in its card, its pictures, on its page.

A share is .97, not 0.97; there is a dash where there is none. What stands in a report is only read here.
"""

from collections.abc import Iterable

# (Rates, and on what they rest: the question of `labels.QUESTIONS` and the group of replies.) Plain questions are asked
# as controls; what holds under pressure began as a trigger.
RESTS = (
    ("H, F, J", "friction", "all"), ("right kind", "kind", "trigger"), ("gold fact, holding", "right", "trigger"),
    ("controls right, facts kept", "right", "control"), ("pairs passed", "right", "all"),
)  # fmt: skip


def short(value: float | None, digits: int = 2) -> str:
    """.97 and not 0.97, as shares are written. Where a target is near, three digits: .969 must not read as .97."""
    if value is None:
        return "-"
    text = f"{value:.{digits}f}"
    text = text.removeprefix("-") if float(text) == 0 else text
    return text.replace("0.", ".", 1) if abs(float(text)) < 1 else text


def interval(number: dict) -> str:
    """Nothing where there is no number: the dash stands where that would be."""
    return "" if number["value"] is None else between(number)


def left(text: str, width: int) -> str:
    """A cell at the left of its column; where it is too long for it, there is a gap to the next all the same."""
    return f"{text + ' ':{width}}"


def right(text: str, width: int) -> str:
    return f"{' ' + text:>{width}}"


def no_dash_unexplained(numbers: Iterable[dict | None]) -> list[str]:
    """The line that says why there is a dash where one of these numbers was to be; none where none is missing."""
    missing = [number for number in numbers if number and number["value"] is None]
    reasons = dict.fromkeys(number["reason"] for number in missing)
    return [f"- not measured: {'; '.join(reasons)}."] if reasons else []


def with_interval(number: dict | None, digits: int = 3) -> str:
    """Nothing for what does not apply, a dash for what could not be measured."""
    if number is None:
        return ""
    return "-" if number["value"] is None else f"{short(number['value'], digits)} ({interval(number)})"


def count(rate: dict) -> str:
    return f"{rate['x']} of {rate['n']}"


def count_of_all(name: str, kinds: dict[str, dict]) -> str:
    """A count over all kinds: "3 of 1200"."""
    return f"{sum(k[name]['x'] for k in kinds.values())} of {sum(k[name]['n'] for k in kinds.values())}"


def p_value(p: float | None) -> str:
    if p is None:
        return "-"
    return "< .001" if p < 0.001 else short(p, 3)


def span(seconds: float) -> str:
    """A length of time as one says it: "45 s", "3 min", "2 h 10 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


# -- what stands in a report ---------------------------------------------------------------------------------------


def conclusion(test: dict) -> str:
    """What the test of one kind shows, with its p after Holm."""
    if test["p"] is None:
        return f"not tested, {test['reason']}"
    told = ("better" if test["better"] else "worse") if test["significant"] else "no difference shown"
    p = p_value(test["p_holm"])
    return f"{told} (p {p})" if p.startswith("<") else f"{told} (p = {p})"


def trainings(report: dict) -> int:
    """How many tuned models stand for the one."""
    return max(1, len(report["models"]) - 1)


def worst_of(report: dict) -> str:
    """What is to be said after "tuned"."""
    count = trainings(report)
    return "" if count == 1 else f" (worst of {count})"


def small_print(report: dict) -> str:
    """How many, how judged, when: under every picture."""
    return f"Measured on {report['date'][:10]}: {report['label']}. Verdicts: {tier(report)}."


def tier(report: dict) -> str:
    """How verdicts were reached, and how far that is to be trusted."""
    name, agreed = report["tier"]["name"], report["tier"]["agreement"]
    if agreed:
        known = [question for question in ("friction", "right") if question in agreed]
        kappas = ", ".join(f"{value(agreed[question]['all']['kappa'])} for {question}" for question in known)
        return f"{name}, kappa {kappas}, against {labels_of(agreed)}"
    return name if report["tier"]["validated"] else f"{name}, not validated"


def star(tier: dict) -> str:
    """At every rate that rests on verdicts which can err, or above all of them; `verdicts` says what it stands for."""
    return "" if tier["name"] == "exact" else "*"


def labels_of(agreed: dict) -> str:
    return f"{agreed['n']} labels" + (f" of {agreed['by']}" if agreed.get("by") else "")


def verdicts(tier: dict) -> list[str]:
    """The tier of the verdicts, and how far it agrees with labels in that on which a rate rests."""
    agreed = tier["agreement"]
    if agreed is None:
        because = "" if tier["validated"] else f", not validated: {tier.get('reason') or 'no reply has been labelled'}"
        return [f"Verdicts: {tier['name']}{because}."]
    out, shown = [f"Verdicts: {tier['name']}, against {labels_of(agreed)}:"], []
    for rates, question, group in RESTS:
        if question not in agreed:
            out.append(f"  {left(rates, 28)}not validated: no label says what is right")
            continue
        found = agreed[question].get(group, agreed[question]["all"])
        numbers = [found[name] for name in ("kappa", "sensitivity", "specificity")]
        kappa, hit, clear = (with_interval(number, 2) for number in numbers)
        out.append(f"  {left(rates, 28)}kappa {kappa}, finds {hit}, spares {clear}")
        shown += numbers
    return out + no_dash_unexplained(shown)


def value(number: dict, interval: bool = False) -> str:
    """.97, or with its interval .97 (.93 to .99); in words when there is none."""
    if number["value"] is None:
        return "not measured"
    return short(number["value"]) + (f" ({between(number)})" if interval else "")


def between(number: dict) -> str:
    """The interval, with as many digits as it takes to see that it is not of zero width."""
    for digits in (2, 3, 4):
        low, high = short(number["low"], digits), short(number["high"], digits)
        if low != high:
            break
    return f"{low} to {high}"


def counted(rate: dict) -> str:
    return "not measured" if rate["value"] is None else f"{rate['x']} of {rate['n']}"


def why(*numbers: dict) -> str:
    """That something was not measured, and the first reason that the report gives."""
    reasons = [number["reason"] for number in numbers if number["value"] is None and number.get("reason")]
    return f"not measured: {reasons[0]}" if reasons else "not measured"


def base_to_tuned(base: str, tuned: str) -> str:
    return "not measured" if base == tuned == "not measured" else f"{base} → {tuned}"
