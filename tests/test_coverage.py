"""Intervals hold the truth as often as they say: computed, not simulated, wherever that can be done."""

from itertools import product

import numpy as np
import pytest

from helpers import coverage
from helpers.inference import change_of
from helpers.stats import difference, rate

NEAR = 0.02


@pytest.mark.parametrize("n", [85, 155, 300])
def test_shares_and_holds_are_covered_within_two_points(n):
    for true in np.linspace(0.1, 0.9, 17):
        assert coverage.of_share(n, true) == pytest.approx(0.95, abs=NEAR)
        assert coverage.of_hold(n, true) == pytest.approx(0.95, abs=NEAR)


@pytest.mark.parametrize("first, second", [(0.1, 0.1), (0.3, 0.1), (0.5, 0.5), (0.9, 0.1), (0.9, 0.9), (0.7, 0.4)])
def test_differences_within_pairs_are_covered_within_two_points(first, second):
    for n in (85, 155):
        assert coverage.of_change(n, first, second) == pytest.approx(0.95, abs=NEAR)


def test_differences_are_covered_where_the_halves_go_together_too():
    both, one, other = 0.35, 0.15, 0.05  # rates of .5 and .4
    tables = np.random.default_rng(5).multinomial(85, [both, one, other, 1 - both - one - other], 1500)
    found = [change_of(table, seed, 1000) for seed, table in enumerate(tables)]
    covered = np.mean([change["low"] <= one - other <= change["high"] for change in found])
    assert covered == pytest.approx(0.95, abs=NEAR)


@pytest.mark.parametrize("first, second", [(0.9, 0.1), (0.5, 0.5), (0.9, 0.9)])
def test_differences_of_independent_rates_are_covered_within_two_points(first, second):
    from scipy.stats import binom

    rates = [rate(hits, 85) for hits in range(86)]
    chances = np.outer(binom.pmf(range(86), 85, first), binom.pmf(range(86), 85, second))
    covered = 0.0
    for one, other in product(range(86), range(86)):
        if chances[one, other] > 1e-7:
            found = difference(rates[one], rates[other])
            covered += chances[one, other] * (found["low"] <= first - second <= found["high"])
    assert covered == pytest.approx(0.95, abs=NEAR)


def test_with_few_pairs_the_report_says_what_its_intervals_are_worth():
    told = coverage.told(24)
    assert told["text"].startswith("Coverage of 95 % intervals (24 pairs, rates .02 to .98): shares 92 to 97 %")
    assert told["shares"]["least"] == pytest.approx(coverage.of_share(24, 0.02))
    assert 0.85 < told["differences"]["least"] < 0.95 < told["differences"]["most"]


def test_with_enough_pairs_only_rare_and_common_things_are_told_of():
    told = coverage.told(85)
    assert told["rates"] == [0.02, 0.05, 0.95, 0.98]
    assert "rates under .1 or over .9" in told["text"]
    assert coverage.told(0) is None
