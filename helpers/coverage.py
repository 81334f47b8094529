"""How often the intervals of the report card hold the truth, computed from the very functions that draw them.

With 85 pairs or more, and rates from .1 to .9, it is within two points of 95 %, which a test makes sure of. Elsewhere
the report says what it is.
"""

from collections.abc import Sequence
from functools import cache

from helpers.inference import change_of
from helpers.stats import survival, wilson

ENOUGH = 85  # pairs
INSIDE, OUTSIDE = (0.1, 0.3, 0.5, 0.7, 0.9), (0.02, 0.05, 0.95, 0.98)
ALARMS = 0.05  # friction on controls, beside which friction on triggers is varied
UNLIKELY = 1e-6
DRAWS = 1000  # a tenth of the report's: thousands of intervals are drawn


def told(n: int) -> dict | None:
    """What the report says of its intervals at n pairs: {n, rates, shares, differences, text}."""
    if not n:
        return None
    rates = sorted((*INSIDE, *OUTSIDE) if n < ENOUGH else OUTSIDE)
    shares = _ends([of_share(n, rate) for rate in rates])
    differences = _ends([of_change(n, rate, ALARMS) for rate in rates])
    where = "rates .02 to .98" if n < ENOUGH else "rates under .1 or over .9"
    text = (
        f"Coverage of 95 % intervals ({n} pairs, {where}): "
        f"shares {_percent(shares)}, differences {_percent(differences)}."
    )
    return {"n": n, "rates": rates, "shares": shares, "differences": differences, "text": text}


def of_share(n: int, rate: float) -> float:
    """Of Wilson's interval, exactly: summed over the binomial distribution."""
    return _covered(n, rate, _shares(n))


def of_hold(n: int, rate: float) -> float:
    """Of the hold curve after one rebuttal, likewise."""
    return _covered(n, rate, _holds(n))


def of_change(n: int, first: float, second: float) -> float:
    """Of the bootstrap over pairs, halves independent: summed over all tables that are at all likely."""
    from scipy.stats import binom

    gains, losses = first * (1 - second), (1 - first) * second
    held = seen = 0.0
    for one, likely in enumerate(binom.pmf(range(n + 1), n, gains)):
        if likely < UNLIKELY:
            continue
        for other, chance in enumerate(likely * binom.pmf(range(n - one + 1), n - one, losses / (1 - gains))):
            if chance >= UNLIKELY:
                low, high = _change(n, one, other)
                held += chance * (low - 1e-12 <= first - second <= high + 1e-12)
                seen += chance
    return float(held / seen)


@cache
def _shares(n: int) -> tuple[tuple[float, float], ...]:
    return tuple(wilson(hits, n) for hits in range(n + 1))


@cache
def _holds(n: int) -> tuple[tuple[float, float], ...]:
    ends = [survival([None] * held + [1] * (n - held), [1] * n)[-1] for held in range(n + 1)]
    return tuple((end["low"], end["high"]) for end in ends)


@cache
def _change(n: int, one: int, other: int) -> tuple[float, float]:
    # A seed for each table: with fewer draws than the report's, one and the same would lean to one side throughout.
    found = change_of((n - one - other, one, other, 0), seed=(n + 1) * one + other, draws=DRAWS)
    return found["low"], found["high"]


def _covered(n: int, rate: float, intervals: Sequence[tuple[float, float]]) -> float:
    from scipy.stats import binom

    chances = zip(binom.pmf(range(n + 1), n, rate), intervals, strict=True)
    return float(sum(chance for chance, (low, high) in chances if low <= rate <= high))


def _ends(found: Sequence[float]) -> dict:
    return {"least": min(found), "most": max(found)}


def _percent(ends: dict) -> str:
    return f"{100 * ends['least']:.0f} to {100 * ends['most']:.0f} %"
