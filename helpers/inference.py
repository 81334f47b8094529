"""How sure a difference is: intervals by pair, exact tests, power, and how often the intervals hold the truth.

What is compared goes by pairs: the trigger and its control, or what base and tuned made of the same prompt. Intervals
are those of a Bayesian bootstrap over pairs (Rubin, 1981): the four sorts of pairs get random weights, drawn from a
Dirichlet distribution. A third of a pair more of each sort (Kerman's neutral prior, 2011) keeps an interval from
shrinking to nothing where a model makes no error at all.
"""

from collections.abc import Sequence
from functools import cache, lru_cache

from helpers.errors import UserError
from helpers.stats import ALPHA, interval_of, no_rate, wilson

DRAWS = 10_000
UNSEEN = 1 / 3  # of a pair, added to each sort
WANTED_POWER = 0.8
GETS_WORSE = 0.05  # the share of pairs that a fine-tune is taken to spoil, where power is told beforehand


# -- intervals by pair ---------------------------------------------------------------------------------------------


def pair_table(first: Sequence[bool], second: Sequence[bool]) -> tuple[int, int, int, int]:
    """How many pairs are true in (both, the first alone, the second alone, neither)."""
    if len(first) != len(second):
        raise UserError(
            f"{len(first)} verdicts stand against {len(second)}: a pair is missing, or they come from different prompt "
            "sets. Run `python -m helpers evaluate` again for both."
        )
    both = sum(bool(a and b) for a, b in zip(first, second, strict=True))
    one, other = sum(map(bool, first)) - both, sum(map(bool, second)) - both
    return both, one, other, len(first) - both - one - other


def change(first: Sequence[bool], second: Sequence[bool], seed: int = 0) -> dict:
    """The first rate minus the second, of the same pairs: {n, only_first, only_second, value, low, high}."""
    return change_of(pair_table(first, second), seed)


def change_of(table: Sequence[int], seed: int = 0, draws: int = DRAWS) -> dict:
    """The same of a `pair_table`."""
    n = sum(table)
    if not n:
        return no_rate("no pairs")
    weights = _weights(tuple(table), seed, draws)
    counts = {"n": n, "only_first": table[1], "only_second": table[2]}
    return counts | interval_of((table[1] - table[2]) / n, weights[:, 1] - weights[:, 2])


def share_of_both(first: Sequence[bool], second: Sequence[bool], seed: int = 0) -> dict:
    """The share of what is true in both halves of the pairs together: {x, n, value, low, high}, clustered by pair."""
    table = pair_table(first, second)
    if not first:
        return no_rate("no pairs")
    weights = _weights(table, seed)
    hits, n = 2 * table[0] + table[1] + table[2], 2 * len(first)
    return {"x": hits, "n": n} | interval_of(hits / n, weights[:, 0] + (weights[:, 1] + weights[:, 2]) / 2)


def detection(hits: Sequence[bool], alarms: Sequence[bool], seed: int = 0) -> dict:
    """Sensitivity d' and criterion c of signal detection: {"d_prime": .., "criterion": ..}, each {value, low, high}.

    hits: friction on triggers; alarms: on their controls. Rates are (x + .5) / (n + 1), so that all and none have a d'
    too (Hautus, 1995). c > 0: it would rather say yes; c < 0: it would rather object.
    """
    from scipy.stats import norm

    table = pair_table(hits, alarms)
    if not hits:
        return {"d_prime": no_rate("no pairs"), "criterion": no_rate("no pairs")}
    weights = _weights(table, seed)
    counted = norm.ppf([(x + 0.5) / (len(hits) + 1) for x in (table[0] + table[1], table[0] + table[2])])
    drawn = norm.ppf([weights[:, 0] + weights[:, 1], weights[:, 0] + weights[:, 2]])
    return {
        "d_prime": interval_of(float(counted[0] - counted[1]), drawn[0] - drawn[1]),
        "criterion": interval_of(float(-counted.mean()), -drawn.mean(axis=0)),
    }


def balanced(tables: Sequence[Sequence[int]], seed: int = 0) -> dict:
    """Balanced accuracy of the kind of answer: {value, low, high, chance}.

    tables: a `pair_table` a kind, of (the trigger got the answer that its kind calls for, the control got plain help).
    It is the mean, over the answers called for, of how often each is given. One and the same answer throughout is
    right in one of them alone, so it scores exactly chance.
    """
    tables = [table for table in tables if sum(table)]
    if not tables:
        return no_rate("no pairs")
    counts = [sum(table) for table in tables]

    def mean(shares):
        on_controls = sum(n * (one[..., 0] + one[..., 2]) for n, one in zip(counts, shares, strict=True)) / sum(counts)
        return (sum(one[..., 0] + one[..., 1] for one in shares) + on_controls) / (len(tables) + 1)

    import numpy as np

    value = mean([np.array(table) / n for table, n in zip(tables, counts, strict=True)])
    drawn = mean([_weights(tuple(table), seed + place) for place, table in enumerate(tables)])  # each kind by itself
    return interval_of(float(value), drawn) | {"chance": 1 / (len(tables) + 1)}


@lru_cache(maxsize=64)  # of one table several rates are taken, and a report takes many of few tables
def _weights(table: tuple[int, ...], seed: int, draws: int = DRAWS):
    """(draws, 4) shares of the four sorts of pairs, as the pairs seen leave them possible."""
    import numpy as np

    weights = np.random.default_rng(seed).dirichlet([count + UNSEEN for count in table], draws)
    weights.flags.writeable = False
    return weights


# -- base against tuned --------------------------------------------------------------------------------------------


def mcnemar(base: Sequence[bool], tuned: Sequence[bool]) -> dict:
    """The exact test of McNemar (1947), two-sided: {n, only_base, only_tuned, p}; of no pairs p is None, with a reason.

    It looks at the pairs on which the two differ: were both as good, each would win half of them.
    """
    from statsmodels.stats.contingency_tables import mcnemar as test

    both, only_base, only_tuned, neither = pair_table(base, tuned)
    counts = {"n": len(base), "only_base": only_base, "only_tuned": only_tuned}
    if not base:
        return counts | {"p": None, "reason": "no pairs"}
    if not only_base + only_tuned:
        return counts | {"p": 1.0}
    return counts | {"p": float(test([[both, only_base], [only_tuned, neither]], exact=True).pvalue)}


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values, corrected for their number (Holm, 1979), in their order."""
    from statsmodels.stats.multitest import multipletests

    return [float(p) for p in multipletests(p_values, method="holm")[1]] if len(p_values) else []


@cache
def power(n: int, gains: float, losses: float, alpha: float = ALPHA) -> float:
    """The chance that McNemar's exact test sees it when a share `gains` of pairs gets better and `losses` get worse.

    Unconditional (Duffy, 1984): over all numbers of pairs that may differ.
    """
    import numpy as np
    from scipy.stats import binom

    differing = np.arange(n + 1)
    enough = binom.isf(alpha / 2, differing, 0.5) + 1  # it is significant with so many of them to one side
    better = gains / (gains + losses)
    seen = binom.sf(enough - 1, differing, better) + binom.cdf(differing - enough, differing, better)
    return float((binom.pmf(differing, n, gains + losses) * seen).sum())


def smallest_difference(n: int, tests: int = 1) -> dict:
    """What n pairs can show: the smallest difference, in whole points, that is seen four times in five.

    tests: how many are corrected for; the first of Holm's steps counts, since no other may be significant. One pair in
    twenty is taken to get worse. {n, power, alpha, discordance, difference}; the last two are None if nothing is seen.
    """
    alpha = ALPHA / tests
    told = {"n": n, "power": WANTED_POWER, "alpha": round(alpha, 12), "discordance": None, "difference": None}
    for points in range(1, round(100 * (1 - 2 * GETS_WORSE)) + 1):
        difference = points / 100
        if power(n, difference + GETS_WORSE, GETS_WORSE, alpha) >= WANTED_POWER:
            return told | {"discordance": difference + 2 * GETS_WORSE, "difference": difference}
    return told


# -- how often the intervals hold the truth, computed from the very functions that draw them -----------------------

ENOUGH = 85  # pairs
INSIDE, OUTSIDE = (0.1, 0.3, 0.5, 0.7, 0.9), (0.02, 0.05, 0.95, 0.98)
ALARMS = 0.05  # friction on controls, beside which friction on triggers is varied
UNLIKELY = 1e-6
FEWER_DRAWS = 1000  # a tenth of the report's: thousands of intervals are drawn


def coverage(n: int) -> dict | None:
    """What the report says of its intervals at n pairs: {n, rates, shares, differences, text}.

    With 85 pairs or more, and rates from .1 to .9, they hold the truth within two points of 95 %, which a test makes
    sure of. Elsewhere the report says what they are worth.
    """
    if not n:
        return None
    rates = sorted((*INSIDE, *OUTSIDE) if n < ENOUGH else OUTSIDE)
    shares = _ends([coverage_of_share(n, rate) for rate in rates])
    differences = _ends([coverage_of_change(n, rate, ALARMS) for rate in rates])
    where = "rates .02 to .98" if n < ENOUGH else "rates under .1 or over .9"
    text = (
        f"Coverage of 95 % intervals ({n} pairs, {where}): "
        f"shares {_percent(shares)}, differences {_percent(differences)}."
    )
    return {"n": n, "rates": rates, "shares": shares, "differences": differences, "text": text}


def coverage_of_share(n: int, rate: float) -> float:
    """How often Wilson's interval holds the truth, exactly: summed over the binomial distribution."""
    return _covered(n, rate, _wilsons(n))


def coverage_of_change(n: int, first: float, second: float) -> float:
    """Likewise the bootstrap over pairs, halves independent: summed over all tables that are at all likely."""
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
def _wilsons(n: int) -> tuple[tuple[float, float], ...]:
    return tuple(wilson(hits, n) for hits in range(n + 1))


@cache
def _change(n: int, one: int, other: int) -> tuple[float, float]:
    # A seed for each table: with fewer draws than the report's, one and the same would lean to one side throughout.
    found = change_of((n - one - other, one, other, 0), seed=(n + 1) * one + other, draws=FEWER_DRAWS)
    return found["low"], found["high"]


def _covered(n: int, rate: float, intervals: Sequence[tuple[float, float]]) -> float:
    from scipy.stats import binom

    chances = zip(binom.pmf(range(n + 1), n, rate), intervals, strict=True)
    return float(sum(chance for chance, (low, high) in chances if low <= rate <= high))


def _ends(found: Sequence[float]) -> dict:
    return {"least": min(found), "most": max(found)}


def _percent(ends: dict) -> str:
    return f"{100 * ends['least']:.0f} to {100 * ends['most']:.0f} %"
