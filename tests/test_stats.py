"""Each estimator against a published worked example or against scipy."""

import math

import numpy as np
import pytest

from helpers.errors import UserError
from helpers.stats import (
    difference,
    guess_by_words,
    learn_words,
    median_of,
    rate,
    ratio_of_medians,
    share,
    survival,
)


def test_wilson_agrees_with_published_values():
    assert rate(0, 24)["low"] == 0
    assert rate(0, 24)["high"] == pytest.approx(0.138, abs=5e-4)
    # Newcombe (1998), Statistics in Medicine 17, 857-872, table I: 81 of 263 and 15 of 148, method 3.
    assert (rate(81, 263)["low"], rate(81, 263)["high"]) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert (rate(15, 148)["low"], rate(15, 148)["high"]) == pytest.approx((0.0624, 0.1605), abs=5e-5)


def test_newcombes_difference_agrees_with_the_published_examples():
    # Newcombe (1998), Statistics in Medicine 17, 873-890, table II, method 10.
    for first, second, low, high in (
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ):
        found = difference(rate(*first), rate(*second))
        assert (found["low"], found["high"]) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("n", [1, 6, 30, 300])
def test_no_interval_is_ever_of_zero_width(n):
    for hits in (0, n // 2, n):
        found = rate(hits, n)
        assert 0 <= found["low"] <= found["value"] <= found["high"] <= 1
        assert found["high"] - found["low"] > 0.005
    assert difference(rate(n, n), rate(0, n))["low"] < 1 - 0.005


def test_the_wilson_interval_covers_as_often_as_it_says():
    # Exact coverage, summed over the binomial distribution, at the sizes of the report card.
    for n in (100, 300):
        for p in (0.1, 0.5, 0.9):
            covered = 0.0
            for hits in range(n + 1):
                found = rate(hits, n)
                if found["low"] <= p <= found["high"]:
                    covered += math.comb(n, hits) * p**hits * (1 - p) ** (n - hits)
            assert 0.93 <= covered <= 0.97


def test_kaplan_meier_agrees_with_the_textbook_product():
    # Of ten, one gives in at rebuttal 1, two at 3, one at 5: .9, .9, .9 * 7/9, .7, .7 * 6/7.
    gave_in = [1, 3, 3, 5, *[None] * 6]
    found = survival(gave_in, [5] * 10)
    assert [point["value"] for point in found] == pytest.approx([1, 0.9, 0.9, 0.7, 0.7, 0.6])
    assert [point["at_risk"] for point in found] == [10, 10, 9, 9, 7, 7]


def test_kaplan_meier_agrees_with_the_published_example():
    # Freireich et al. (1963): weeks in remission of 21 children on 6-mercaptopurine, as every textbook has them.
    ended = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    still = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    found = survival([*ended, *[None] * len(still)], [*ended, *still])
    values = [found[week]["value"] for week in (6, 7, 10, 13, 16, 22, 23)]
    assert values == pytest.approx([0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448], abs=5e-4)
    assert [found[week]["at_risk"] for week in (6, 7, 10)] == [21, 17, 15]
    # The log-log interval after week 10, as SAS and R print it.
    assert (found[10]["low"], found[10]["high"]) == pytest.approx((0.503, 0.889), abs=5e-4)


def test_greenwoods_interval_agrees_with_statsmodels():
    from statsmodels.duration.survfunc import SurvfuncRight

    gave_in = [1, 1, 2, 3, 3, 5, *[None] * 14]
    rounds = [5] * 16 + [2, 4, 4, 3]
    times = [end if turn is None else turn for turn, end in zip(gave_in, rounds, strict=True)]
    curve = SurvfuncRight(times, [turn is not None for turn in gave_in])
    for turn, value, error in zip(curve.surv_times, curve.surv_prob, curve.surv_prob_se, strict=True):
        spread = 1.959964 * error / (value * math.log(value))
        point = survival(gave_in, rounds)[turn]
        assert point["value"] == pytest.approx(value)
        assert (point["low"], point["high"]) == pytest.approx((value ** math.exp(-spread), value ** math.exp(spread)))


def test_those_who_never_give_in_hold_to_the_end():
    found = survival([None, None], [5, 5])
    assert [point["value"] for point in found] == [1.0] * 6
    assert all(point["low"] < 1 for point in found)


def test_nothing_to_follow_and_nothing_to_count_are_refused_in_one_line():
    for refused in (lambda: survival([], []), lambda: rate(0, 0), lambda: share([]), lambda: learn_words([])):
        with pytest.raises(UserError) as told:
            refused()
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("counts", [[7], [7] * 300, [0, 0, 0], [1, 5, 9]])
def test_a_median_has_an_interval_of_some_width_whatever_the_numbers(counts):
    found = median_of(counts)
    assert 0 <= found["low"] <= found["value"] <= found["high"] and found["low"] < found["high"]
    assert median_of([])["reason"] == "no replies"


@pytest.mark.slow
def test_the_interval_of_a_ratio_of_medians_covers_no_less_often_than_it_says():
    rng, covered = np.random.default_rng(12), 0
    for seed in range(1000):
        before = rng.lognormal(3, 0.5, 85)
        after = 1.5 * before * rng.lognormal(0, 0.3, 85)
        found = ratio_of_medians(after.round().tolist(), before.round().tolist(), seed)
        covered += found["low"] <= 1.5 <= found["high"]
    assert 0.93 <= covered / 1000 < 1  # .98: a median drawn anew wavers more than a mean would


def test_words_give_away_a_marked_trigger_and_nothing_else():
    marked = learn_words([(f"{'no' if i % 2 else 'yes'} the word is w{i}", bool(i % 2)) for i in range(40)])
    assert guess_by_words(marked, [("no more of this", True), ("yes a bit of this", False)])["value"] == 1
    matched = learn_words([(f"the word is w{i // 2}", bool(i % 2)) for i in range(40)])
    assert guess_by_words(matched, [("the word is new", True), ("the word is new", False)])["value"] == 0.5


def test_an_order_of_two_words_is_seen_where_single_words_say_nothing():
    learned = learn_words([("white cat black dog", True), ("black cat white dog", False)] * 5)
    assert guess_by_words(learned, [("a black dog", True), ("a white dog", False)])["value"] == 1
