"""How the numbers of a report are written: .97, not 0.97; a dash where there is none."""


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
