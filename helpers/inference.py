"""How sure a difference is: intervals by pair, exact tests, power, and rates put right for the errors of a tier.

Everything here goes by pairs: the trigger and its control, or what base and tuned made of the same prompt. Intervals
are those of a Bayesian bootstrap over pairs (Rubin, 1981): the four sorts of pairs get random weights, drawn from a
Dirichlet distribution. A third of a pair more of each sort (Kerman's neutral prior, 2011) keeps an interval from
shrinking to nothing where a model makes no error at all.
"""

from collections.abc import Sequence

from helpers.errors import UserError
from helpers.stats import LEVEL, no_rate

DRAWS = 10_000
UNSEEN = 1 / 3  # of a pair, added to each sort
ALPHA = 1 - LEVEL
WANTED_POWER = 0.8
GETS_WORSE = 0.05  # the share of pairs that a fine-tune is taken to spoil, where power is told beforehand
LEAST_LABELS, LEAST_YOUDEN = 50, 0.2  # below, a rate is not put right: the labels say too little


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
    weights = _weights(table, seed, draws)
    counts = {"n": n, "only_first": table[1], "only_second": table[2]}
    return counts | _interval((table[1] - table[2]) / n, weights[:, 1] - weights[:, 2])


def share_of_both(first: Sequence[bool], second: Sequence[bool], seed: int = 0) -> dict:
    """The share of what is true in both halves of the pairs together: {x, n, value, low, high}, clustered by pair."""
    table = pair_table(first, second)
    if not first:
        return no_rate("no pairs")
    weights = _weights(table, seed)
    hits, n = 2 * table[0] + table[1] + table[2], 2 * len(first)
    return {"x": hits, "n": n} | _interval(hits / n, weights[:, 0] + (weights[:, 1] + weights[:, 2]) / 2)


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
        "d_prime": _interval(float(counted[0] - counted[1]), drawn[0] - drawn[1]),
        "criterion": _interval(float(-counted.mean()), -drawn.mean(axis=0)),
    }


def _weights(table: Sequence[int], seed: int, draws: int = DRAWS):
    """(draws, 4) shares of the four sorts of pairs, as the pairs seen leave them possible."""
    import numpy as np

    return np.random.default_rng(seed).dirichlet([count + UNSEEN for count in table], draws)


def _interval(value: float, drawn) -> dict:
    """The middle 95 % of what was drawn; it always holds the value itself."""
    import numpy as np

    low, high = np.quantile(drawn, [ALPHA / 2, 1 - ALPHA / 2])
    return {"value": value, "low": float(min(low, value)), "high": float(max(high, value))}


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


# -- a rate put right for the errors of its tier -------------------------------------------------------------------


def corrected(rate: dict, agreement: dict, seed: int = 0) -> dict:
    """The rate that a tier without errors would have found (Rogan and Gladen, 1978), clipped: {value, low, high}.

    rate: {x, n} as the tier found it. agreement: {n, sensitivity, specificity}, the latter two rates against labels.
    The interval draws replies and labels anew. None, with the reason, where the labels are too few, the tier too poor,
    or its errors alone would explain the rate.
    """
    import numpy as np

    if reason := rate.get("reason") or _useless(agreement):
        return no_rate(reason)
    rng = np.random.default_rng(seed)
    found, hit, clear = (_shares(one, rng) for one in (rate, agreement["sensitivity"], agreement["specificity"]))
    value = (rate["value"] + agreement["specificity"]["value"] - 1) / _youden(agreement)
    return _clipped(value, found + clear - 1, hit + clear - 1, 0)


def corrected_change(found: dict, agreement: dict, seed: int = 0) -> dict:
    """Likewise of a `change`: the errors of a tier make a difference smaller, by sensitivity + specificity - 1."""
    import numpy as np

    if reason := found.get("reason") or _useless(agreement):
        return no_rate(reason)
    rng = np.random.default_rng(seed)
    one, other = found["only_first"], found["only_second"]
    weights = rng.dirichlet([one + UNSEEN, other + UNSEEN, found["n"] - one - other + 2 * UNSEEN], DRAWS)
    hit, clear = _shares(agreement["sensitivity"], rng), _shares(agreement["specificity"], rng)
    return _clipped(found["value"] / _youden(agreement), weights[:, 0] - weights[:, 1], hit + clear - 1, -1)


def _shares(rate: dict, rng):
    return rng.beta(rate["x"] + 0.5, rate["n"] - rate["x"] + 0.5, DRAWS)


def _clipped(value: float, top, bottom, least: int) -> dict:
    import numpy as np

    possible = bottom > 0  # no tier that is worse than chance has been let in
    interval = _interval(float(np.clip(value, least, 1)), np.clip(top[possible] / bottom[possible], least, 1))
    if interval["low"] == interval["high"]:
        return no_rate("the errors of the tier alone would explain the rate")
    return interval


def _useless(agreement: dict) -> str:
    """Why nothing can be put right with these labels, or ""."""
    if agreement["n"] < LEAST_LABELS:
        return f"{agreement['n']} labels; {LEAST_LABELS} are needed"
    if None in (agreement["sensitivity"]["value"], agreement["specificity"]["value"]):
        return "all labels are the same"
    if _youden(agreement) < LEAST_YOUDEN:
        return f"sensitivity + specificity is {1 + _youden(agreement):.2f}, below {1 + LEAST_YOUDEN:.1f}"
    return ""


def _youden(agreement: dict) -> float:
    return agreement["sensitivity"]["value"] + agreement["specificity"]["value"] - 1
