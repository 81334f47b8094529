"""How numbers are written, and how what stands in a report is said: in its card, its pictures, on its page.

A share is .97, not 0.97; there is a dash where there is none. What stands in a report is only read here.
"""


def short(value: float | None, digits: int = 2) -> str:
    """.97 and not 0.97, as shares are written. Where a target is near, three digits: .969 must not read as .97."""
    if value is None:
        return "-"
    text = f"{value:.{digits}f}"
    text = text.removeprefix("-") if float(text) == 0 else text
    return text.replace("0.", ".", 1) if abs(float(text)) < 1 else text


def interval(number: dict) -> str:
    return f"{short(number['low'])} to {short(number['high'])}"


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


def worst_of(report: dict) -> str:
    """What is to be said after "tuned"."""
    seeds = report["seeds"]["training"]
    return "" if seeds == 1 else f" (worst of {seeds})"


def small_print(report: dict) -> str:
    """How many, how judged, when: under every picture."""
    return f"Measured on {report['date'][:10]}: {report['label']}. Verdicts: {tier(report)}."


def tier(report: dict) -> str:
    """How verdicts were reached, and how far that is to be trusted."""
    name, agreed = report["tier"]["name"], report["tier"]["agreement"]
    if agreed:
        return f"{name}, kappa {value(agreed['kappa'], True)} against {agreed['n']} labels"
    return name if report["tier"]["validated"] else f"{name}, not validated"


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
