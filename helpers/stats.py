"""Rates, intervals and what words alone give away: the statistics under the report card."""

import math
import re
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise

from helpers.errors import UserError

LEVEL = 0.95
ALPHA = 1 - LEVEL
MEDIANS = 2000  # draws of a median, for each of which all replies are put in order


def rate(hits: int, n: int) -> dict:
    """A share with its Wilson interval: {x, n, value, low, high}."""
    if n <= 0:
        raise UserError("a rate of zero items was asked for: the prompt set is empty. Use one pair a kind or more.")
    low, high = wilson(hits, n)
    return {"x": hits, "n": n, "value": hits / n, "low": low, "high": high}


def share(values: Sequence[bool]) -> dict:
    """The rate of what is true."""
    return rate(sum(map(bool, values)), len(values))


def no_rate(reason: str) -> dict:
    """A number that cannot be given, and why: never a NaN without a word."""
    return {"x": 0, "n": 0, "value": None, "low": None, "high": None, "reason": reason}


def share_or_none(values: Sequence[bool], reason: str) -> dict:
    """The rate of what is true; of no items none, with the reason."""
    return share(values) if values else no_rate(reason)


@cache
def wilson(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval: 0 of 24 is [0, .14], never of zero width."""
    from scipy.stats import binomtest

    interval = binomtest(hits, n).proportion_ci(LEVEL, method="wilson")
    return float(interval.low), float(interval.high)


def difference(first: dict, second: dict) -> dict:
    """The difference of two rates with Newcombe's hybrid-score interval (1998, method 10): {value, low, high}.

    It takes the two for independent; what stands in pairs is compared by `inference.change`.
    """
    value = first["value"] - second["value"]
    below = math.hypot(first["value"] - first["low"], second["high"] - second["value"])
    above = math.hypot(first["high"] - first["value"], second["value"] - second["low"])
    return {"value": value, "low": value - below, "high": value + above}


def survival(gave_in: Sequence[int | None], rounds: Sequence[int]) -> list[dict]:
    """Kaplan-Meier: the probability to hold after 0, 1, .. rebuttals, as {turn, value, low, high, at_risk}.

    gave_in: for each dialogue the rebuttal (from 1) at which it gave in; None if it held to its end, which came after
    as many rebuttals as `rounds` says. The interval is Greenwood's on the log-log scale (Kalbfleisch and Prentice,
    1980). As long as nobody has given in, and once everybody has, that has no width: there it is Wilson's.
    """
    from scipy.stats import CensoredData, ecdf

    if not gave_in:
        raise UserError("no dialogue to follow: nothing pushed back at the first turn, so nothing could hold.")
    times = [end if turn is None else turn for turn, end in zip(gave_in, rounds, strict=True)]
    curve = ecdf(CensoredData.right_censored(times, [turn is None for turn in gave_in])).sf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # it says that it has no interval at 0 and 1
        interval = curve.confidence_interval(LEVEL, method="log-log")
    points = []
    for turn in range(max(rounds) + 1):
        value, low, high = (float(f.evaluate(turn)) for f in (curve, interval.low, interval.high))
        at_risk = sum(time >= turn for time in times)
        if value in (0.0, 1.0):
            n = at_risk if value else len(gave_in)
            low, high = wilson(round(value * n), n)
        points.append({"turn": turn, "value": value, "low": low, "high": high, "at_risk": at_risk})
    return points


def interval_of(value: float, drawn) -> dict:
    """The middle 95 % of what was drawn; it always holds the value itself."""
    import numpy as np

    low, high = np.quantile(drawn, [ALPHA / 2, 1 - ALPHA / 2])
    return {"value": value, "low": float(min(low, value)), "high": float(max(high, value))}


def median_of(counts: Sequence[int], seed: int = 0) -> dict:
    """The median of whole numbers, with its bootstrap interval: {value, low, high}."""
    import numpy as np

    if not counts:
        return no_rate("no replies")
    return interval_of(float(np.median(counts)), _medians(counts, *_picks(len(counts), seed)))


def ratio_of_medians(first: Sequence[int], second: Sequence[int], seed: int = 0) -> dict:
    """The median of the first over that of the second, of the same pairs: {value, low, high}, pairs drawn anew."""
    import numpy as np

    picks, rng = _picks(len(first), seed)
    drawn = [_medians(counts, picks, rng) for counts in (first, second)]
    return interval_of(float(np.median(first) / np.median(second)), drawn[0] / np.maximum(drawn[1], 0.5))


def _picks(n: int, seed: int):
    import numpy as np

    rng = np.random.default_rng(seed)
    return rng.integers(0, n, (MEDIANS, n)), rng


def _medians(counts: Sequence[int], picks, rng):
    """Each number is spread over what is rounded to it: where all are the same, an interval would have no width."""
    import numpy as np

    drawn = np.asarray(counts, dtype=float)[picks]
    return np.maximum(np.median(drawn + rng.uniform(-0.5, 0.5, drawn.shape), axis=1), 0)


def learn_words(prompts: Sequence[tuple[str, bool]]) -> Callable[[Sequence[str]], list[bool]]:
    """A classifier that sees only words and bigrams, fitted on (text, is trigger): logistic regression with a ridge."""
    import numpy as np
    from scipy.optimize import minimize

    if not prompts:
        raise UserError("the classifier needs prompts to learn from, and got none.")
    index = {gram: i for i, gram in enumerate(sorted({g for text, _ in prompts for g in _grams(text)}))}
    x, y = _matrix([text for text, _ in prompts], index), np.array([2.0 * trigger - 1 for _, trigger in prompts])

    def loss(w):
        margin = y * (x @ w[:-1] + w[-1])
        gradient = -y / (1 + np.exp(margin))
        ridge = 0.5 * w[:-1] @ w[:-1]
        return np.logaddexp(0, -margin).sum() + ridge, np.append(x.T @ gradient + w[:-1], gradient.sum())

    weights = minimize(loss, np.zeros(len(index) + 1), jac=True, method="L-BFGS-B", options={"maxiter": 200}).x
    return lambda texts: [bool(s > 0) for s in _matrix(texts, index) @ weights[:-1] + weights[-1]]


def guess_by_words(judge: Callable[[Sequence[str]], list[bool]], prompts: Sequence[tuple[str, bool]]) -> dict:
    """How often words alone tell triggers from controls, a rate; chance is .5.

    What they find on held-out prompts is a short cut that a model could take as well.
    """
    guessed = judge([text for text, _ in prompts])
    return share([guess == trigger for guess, (_, trigger) in zip(guessed, prompts, strict=True)])


def _grams(text: str) -> Counter:
    words = re.findall(r"[^\W_]+|[?!,;:]", text.lower())
    return Counter([*words, *(f"{a} {b}" for a, b in pairwise(words))])


def _matrix(texts: Sequence[str], index: dict[str, int]):
    from scipy.sparse import csr_array

    cells = [(row, index[gram]) for row, text in enumerate(texts) for gram in _grams(text) if gram in index]
    rows, columns = zip(*cells, strict=True) if cells else ((), ())
    return csr_array(([1.0] * len(cells), (rows, columns)), shape=(len(texts), len(index)))
