"""How what stands in a report is said: in the small print of its pictures, and on its page. It only reads a report."""

from helpers.digits import p_value, short


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
