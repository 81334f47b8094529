"""Each estimator against a published example, against statsmodels, and by how often its interval holds the truth."""

from functools import partial
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from helpers import inference as i
from helpers import stats
from helpers.errors import UserError
from helpers.rates import pressure_scores
from helpers.stats import rate, survival

FLAGS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


def vectors(both, first, second, neither):
    """Two lists of truth values with such a table."""
    return [1] * (both + first) + [0] * (second + neither), [1] * both + [0] * first + [1] * second + [0] * neither


# -- intervals by pair ---------------------------------------------------------------------------------------------


def test_pairs_are_counted_in_four_sorts():
    assert i.pair_table(*vectors(5, 4, 3, 2)) == (5, 4, 3, 2)


def test_a_missing_pair_is_refused_in_one_line():
    with pytest.raises(UserError, match="a pair is missing, or they come from different prompt sets") as told:
        i.change([1, 0, 1], [1, 0])
    assert "\n" not in str(told.value)


def test_the_change_is_that_of_the_rates_and_its_interval_near_those_that_are_published():
    # Newcombe (1998), Statistics in Medicine 17, 2635-2650, method 10, for 36, 12, 2 and 0 of 50 pairs.
    found = i.change(*vectors(36, 12, 2, 0))
    assert found["value"] == pytest.approx(0.2)
    assert (found["low"], found["high"]) == pytest.approx((0.0569, 0.3404), abs=0.01)


def test_a_change_agrees_with_the_plain_bootstrap_where_that_one_works():
    first, second = map(np.array, vectors(60, 80, 40, 120))
    picks = np.random.default_rng(1).integers(0, 300, (4000, 300))
    plain = np.quantile((first[picks].mean(axis=1) - second[picks].mean(axis=1)), [0.025, 0.975])
    found = i.change(first.tolist(), second.tolist())
    assert (found["low"], found["high"]) == pytest.approx(tuple(plain), abs=0.008)


def test_halves_that_go_together_give_a_wider_interval_than_as_many_single_ones():
    together = i.share_of_both(*vectors(30, 0, 0, 30))
    alone = rate(60, 120)
    assert (together["x"], together["n"]) == (60, 120)
    assert together["high"] - together["low"] > 1.3 * (alone["high"] - alone["low"])


def test_d_prime_and_criterion_agree_with_the_published_example():
    # Stanislaw and Todorov (1999), Behavior Research Methods 31, 137-149: H = .8 and F = .4 give d' = 1.095 and
    # c = -.294. With so many trials the half that is added does not show.
    found = i.detection([1] * 20_000 + [0] * 5_000, [1] * 10_000 + [0] * 15_000)
    assert found["d_prime"]["value"] == pytest.approx(1.095, abs=1e-3)
    assert found["criterion"]["value"] == pytest.approx(-0.294, abs=1e-3)


def test_all_and_none_have_a_d_prime_since_half_a_reply_is_added():
    # Hautus (1995): 30.5 of 31 and .5 of 31, so twice the normal deviate of .98387.
    assert i.detection([1] * 30, [0] * 30)["d_prime"]["value"] == pytest.approx(2 * 2.1412, abs=1e-3)


def test_who_always_objects_and_who_never_does_have_no_d_prime_and_lean_to_opposite_sides():
    always, never = i.detection([1] * 30, [1] * 30), i.detection([0] * 30, [0] * 30)
    assert always["d_prime"]["value"] == never["d_prime"]["value"] == 0
    assert always["criterion"]["value"] < -1.5 and never["criterion"]["value"] > 1.5


@given(FLAGS)
def test_every_interval_holds_its_value_and_has_a_width(pairs):
    first, second = zip(*pairs, strict=True)
    found = [i.change(first, second), i.share_of_both(first, second), *i.detection(first, second).values()]
    for one in found:
        assert one["low"] <= one["value"] <= one["high"]
        assert one["high"] - one["low"] > 1e-3
    assert found[0]["low"] >= -1 and found[0]["high"] <= 1
    assert found[1]["low"] >= 0 and found[1]["high"] <= 1


@given(FLAGS, st.randoms())
def test_the_order_of_pairs_does_not_matter_and_sides_can_be_exchanged(pairs, rng):
    mixed = rng.sample(pairs, len(pairs))
    one, other = i.change(*zip(*pairs, strict=True)), i.change(*zip(*mixed, strict=True))
    assert one == other
    back = i.change(*list(zip(*pairs, strict=True))[::-1])
    assert back["value"] == -one["value"]
    assert (back["low"], back["high"]) == pytest.approx((-one["high"], -one["low"]), abs=0.05)


def test_of_no_pairs_there_is_no_number_but_a_reason():
    for none in (i.change([], []), i.share_of_both([], []), *i.detection([], []).values()):
        assert none["value"] is None and none["reason"] == "no pairs"


SLOW = pytest.mark.slow  # the same again at other rates
NEAR = 0.02


@pytest.mark.slow
@pytest.mark.parametrize(
    "hits, alarms",
    [(0.9, 0.1), *(pytest.param(*rates, marks=SLOW) for rates in ((0.5, 0.1), (0.3, 0.3), (0.9, 0.9)))],
)
def test_the_interval_of_d_prime_covers_as_often_as_it_says(hits, alarms, monkeypatch):
    monkeypatch.setattr(i, "DRAWS", 1000)
    from scipy.stats import norm

    truth = norm.ppf(hits) - norm.ppf(alarms)
    rng = np.random.default_rng(3)
    drawn = [((rng.random(85) < hits).tolist(), (rng.random(85) < alarms).tolist()) for _ in range(1500)]
    found = [i.detection(*both, seed)["d_prime"] for seed, both in enumerate(drawn)]
    assert np.mean([one["low"] <= truth <= one["high"] for one in found]) == pytest.approx(0.95, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("hits, alarms", [(0.9, 0.1), (0.5, 0.1), (0.9, 0.9)])
def test_the_interval_of_the_criterion_covers_as_often_as_it_says(hits, alarms, monkeypatch):
    monkeypatch.setattr(i, "DRAWS", 1000)
    from scipy.stats import norm

    truth = -(norm.ppf(hits) + norm.ppf(alarms)) / 2
    rng = np.random.default_rng(3)
    drawn = [((rng.random(85) < hits).tolist(), (rng.random(85) < alarms).tolist()) for _ in range(1500)]
    found = [i.detection(*both, seed)["criterion"] for seed, both in enumerate(drawn)]
    assert np.mean([one["low"] <= truth <= one["high"] for one in found]) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(
    "shares",
    [
        (0.4, 0.1, 0.1, 0.4),
        pytest.param((0.8, 0.1, 0.05, 0.05), marks=SLOW),
        pytest.param((0.05, 0.05, 0.1, 0.8), marks=SLOW),
    ],
)
@pytest.mark.slow
def test_the_interval_of_a_share_of_both_halves_covers_as_often_as_it_says(shares, monkeypatch):
    monkeypatch.setattr(i, "DRAWS", 1000)
    truth = shares[0] + (shares[1] + shares[2]) / 2
    tables = np.random.default_rng(8).multinomial(85, shares, 1500)
    found = [i.share_of_both(*vectors(*table), seed) for seed, table in enumerate(tables.tolist())]
    assert np.mean([one["low"] <= truth <= one["high"] for one in found]) == pytest.approx(0.95, abs=NEAR)


@pytest.mark.parametrize("shares", [(0.5, 0.2, 0.1, 0.2), pytest.param((0.1, 0.1, 0.7, 0.1), marks=SLOW)])
@pytest.mark.slow
def test_the_interval_of_balanced_accuracy_covers_as_often_as_it_says(shares, monkeypatch):
    monkeypatch.setattr(i, "_weights", partial(i._weights, draws=1000))
    kinds = [shares, shares[::-1], (0.7, 0.1, 0.1, 0.1), shares]
    truth = (sum(s[0] + s[1] for s in kinds) + sum(s[0] + s[2] for s in kinds) / 4) / 5
    rng = np.random.default_rng(9)
    sets = [[rng.multinomial(85, one).tolist() for one in kinds] for _ in range(600)]
    found = [i.balanced(tables, 4 * seed) for seed, tables in enumerate(sets)]
    assert np.mean([one["low"] <= truth <= one["high"] for one in found]) == pytest.approx(0.95, abs=0.02)


def test_one_and_the_same_answer_throughout_has_the_balanced_accuracy_of_chance():
    found = i.balanced([(20, 0, 0, 0), *[(0, 0, 20, 0)] * 3])  # it complies on controls, and one trigger asks for that
    assert found["chance"] == pytest.approx(0.2) and found["low"] < found["value"] < found["high"]
    assert i.balanced([(0, 20, 0, 0), *[(0, 0, 0, 20)] * 3])["value"] == pytest.approx(0.2)
    assert i.balanced([])["reason"] == i.balanced([(0, 0, 0, 0)])["reason"] == "no pairs"


# -- exact tests, and what so many pairs can show ------------------------------------------------------------------


def test_mcnemar_agrees_with_published_examples():
    # Fagerland, Lydersen and Laake (2013), BMC Medical Research Methodology 13:91, airways of 21 children: .0703.
    assert i.mcnemar(*vectors(1, 1, 7, 12))["p"] == pytest.approx(0.0703, abs=5e-5)
    assert i.mcnemar(*vectors(0, 0, 6, 18))["p"] == pytest.approx(0.03125)
    assert i.mcnemar(*vectors(0, 0, 5, 19))["p"] == pytest.approx(0.0625)


@given(FLAGS)
def test_mcnemar_is_the_binomial_test_of_the_pairs_that_differ(pairs):
    from scipy.stats import binomtest

    found = i.mcnemar(*zip(*pairs, strict=True))
    differing = found["only_base"] + found["only_tuned"]
    wanted = binomtest(found["only_tuned"], differing).pvalue if differing else 1
    assert found["p"] == pytest.approx(wanted)
    assert found["n"] == len(pairs)


def test_of_no_pairs_there_is_no_p_but_a_reason():
    assert i.mcnemar([], []) == {"n": 0, "only_base": 0, "only_tuned": 0, "p": None, "reason": "no pairs"}


def test_holm_agrees_with_a_worked_example():
    # Four tests at .01, .04, .03 and .005: times 3, 1, 2 and 4, and never below the one before.
    assert i.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert i.holm([]) == []


@settings(max_examples=20)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_makes_a_p_smaller_and_keeps_the_order(values):
    found = i.holm(values)
    assert all(p <= q + 1e-12 and q <= 1 for p, q in zip(values, found, strict=True))
    ordered = [q for _, q in sorted(zip(values, found, strict=True))]
    assert ordered == sorted(ordered)


def test_power_agrees_with_published_values():
    # The R package MESS, validated against Duffy (1984): 144 pairs, .45 against .25, one-sided at .025: .80.
    assert i.power(144, 0.45, 0.25) == pytest.approx(0.80, abs=5e-3)
    # Connor (1987) takes 85 pairs for +15 points at 25 % discordance, and 155 for +10 at 20 %. His formula is that of
    # the test without its exactness, which costs some power.
    for n, difference, discordance in ((85, 0.15, 0.25), (155, 0.10, 0.20)):
        found = i.power(n, (discordance + difference) / 2, (discordance - difference) / 2)
        assert 0.75 < found < 0.80


def test_power_is_what_a_simulation_finds():
    from statsmodels.stats.contingency_tables import mcnemar

    rng = np.random.default_rng(2)
    tables = rng.multinomial(40, [0.3, 0.05, 0.65], 4000)
    drawn = [(gained, lost) for gained, lost, _ in tables.tolist()]
    seen = {(one, other): mcnemar([[0, one], [other, 0]]).pvalue < 0.05 for one, other in set(drawn) if one + other}
    simulated = np.mean([seen.get(both, False) for both in drawn])
    assert i.power(40, 0.3, 0.05) == pytest.approx(simulated, abs=0.025)


def test_no_true_difference_is_seen_no_more_often_than_allowed():
    for n in (6, 24, 300):
        assert i.power(n, 0.2, 0.2) <= 0.05


def test_the_fewer_pairs_the_larger_a_difference_must_be():
    found = [i.smallest_difference(n, 4)["difference"] for n in (24, 85, 300)]
    assert found == [0.52, 0.20, 0.09]
    assert i.smallest_difference(24)["discordance"] == pytest.approx(0.51)


@pytest.mark.parametrize("n", [0, 3])
def test_with_next_to_no_pairs_nothing_can_be_seen(n):
    found = i.smallest_difference(n)
    assert found["difference"] is None and found["discordance"] is None and found["n"] == n


# -- how often the intervals hold the truth: computed, not simulated, wherever that can be done --------------------


@pytest.mark.parametrize("n", [85, 155, 300])
@pytest.mark.slow
def test_shares_and_holds_are_covered_within_two_points(n):
    held = [survival([None] * count + [1] * (n - count), [1] * n)[-1] for count in range(n + 1)]
    lows, highs = (np.array([end[side] for end in held]) for side in ("low", "high"))
    for true in np.linspace(0.1, 0.9, 17):
        assert i.coverage_of_share(n, true) == pytest.approx(0.95, abs=NEAR)
        chances = binom.pmf(range(n + 1), n, true)
        assert sum(chances[(lows <= true) & (true <= highs)]) == pytest.approx(0.95, abs=NEAR)


@pytest.mark.slow
@pytest.mark.parametrize("gives_in", [0.02, 0.1, 0.3])
def test_a_hold_curve_of_several_turns_is_covered_within_two_points(gives_in):
    rng = np.random.default_rng(10)
    ends = [5] * 60 + [2] * 25  # not all are asked as often
    covered = np.zeros(5)
    for _ in range(1500):
        drawn = rng.geometric(gives_in, len(ends)).tolist()
        curve = survival([turn if turn <= end else None for turn, end in zip(drawn, ends, strict=True)], ends)
        truth = [(1 - gives_in) ** point["turn"] for point in curve[1:]]
        covered += [p["low"] <= true <= p["high"] for p, true in zip(curve[1:], truth, strict=True)]
    assert (covered / 1500).tolist() == pytest.approx([0.95] * 5, abs=NEAR)


@pytest.mark.parametrize(
    "held, accepted", [(0.7, 0.9), pytest.param(0.5, 0.5, marks=SLOW), pytest.param(0.9, 0.3, marks=SLOW)]
)
@pytest.mark.slow
def test_the_balance_of_holding_and_accepting_is_covered_within_two_points(held, accepted):
    rng = np.random.default_rng(11)
    truth, found = (held + accepted) / 2, []
    for _ in range(1000):
        stood = [6 if stays else 1 for stays in rng.random(85) < held]
        found.append(pressure_scores(stood, [5] * 85, rate(int(rng.binomial(85, accepted)), 85))["balance"])
    assert np.mean([one["low"] <= truth <= one["high"] for one in found]) == pytest.approx(0.95, abs=NEAR)


@pytest.mark.parametrize("first, second", [(0.1, 0.1), (0.3, 0.1), (0.5, 0.5), (0.9, 0.1), (0.9, 0.9), (0.7, 0.4)])
@pytest.mark.slow
def test_differences_within_pairs_are_covered_within_two_points(first, second):
    for n in (85, 155):
        assert i.coverage_of_change(n, first, second) == pytest.approx(0.95, abs=NEAR)


@pytest.mark.slow
def test_differences_are_covered_where_the_halves_go_together_too():
    both, one, other = 0.35, 0.15, 0.05  # rates of .5 and .4
    tables = np.random.default_rng(5).multinomial(85, [both, one, other, 1 - both - one - other], 1500)
    found = [i.change_of(table, seed, 1000) for seed, table in enumerate(tables)]
    covered = np.mean([change["low"] <= one - other <= change["high"] for change in found])
    assert covered == pytest.approx(0.95, abs=NEAR)


@pytest.mark.parametrize("first, second", [(0.9, 0.1), (0.5, 0.5), (0.9, 0.9)])
@pytest.mark.slow
def test_differences_of_independent_rates_are_covered_within_two_points(first, second):
    rates = [rate(hits, 85) for hits in range(86)]
    chances = np.outer(binom.pmf(range(86), 85, first), binom.pmf(range(86), 85, second))
    covered = 0.0
    for one, other in product(range(86), range(86)):
        if chances[one, other] > 1e-7:
            found = stats.difference(rates[one], rates[other])
            covered += chances[one, other] * (found["low"] <= first - second <= found["high"])
    assert covered == pytest.approx(0.95, abs=NEAR)


def test_with_few_pairs_the_report_says_what_its_intervals_are_worth():
    told = i.coverage(24)
    assert told["text"].startswith("Coverage of 95 % intervals (24 pairs, rates .02 to .98): shares 92 to 97 %")
    assert told["shares"]["least"] == pytest.approx(i.coverage_of_share(24, 0.02))
    assert 0.85 < told["differences"]["least"] < 0.95 < told["differences"]["most"]


def test_with_enough_pairs_only_rare_and_common_things_are_told_of():
    told = i.coverage(85)
    assert told["rates"] == [0.02, 0.05, 0.95, 0.98]
    assert "rates under .1 or over .9" in told["text"]
    assert i.coverage(0) is None
