"""Each estimator against a published example, against statsmodels, and by how often its interval holds the truth."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import inference as i
from helpers.errors import UserError
from helpers.stats import rate

FLAGS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


def vectors(both, first, second, neither):
    """Two lists of truth values with such a table."""
    return [1] * (both + first) + [0] * (second + neither), [1] * both + [0] * first + [1] * second + [0] * neither


def agreement(hit, positives, clear, negatives):
    return {"n": positives + negatives, "sensitivity": rate(hit, positives), "specificity": rate(clear, negatives)}


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


# -- put right for the errors of a tier ----------------------------------------------------------------------------


def test_a_corrected_rate_agrees_with_the_published_example():
    # epiR's manual, epi.prev: 23 of 150 cows positive, sensitivity .96 and specificity .89: 5.1 in 100 have it.
    found = i.corrected(rate(23, 150), agreement(96, 100, 89, 100))
    assert found["value"] == pytest.approx(0.051, abs=5e-4)


def test_a_tier_without_errors_changes_nothing_but_the_width():
    raw = rate(30, 100)
    found = i.corrected(raw, agreement(400, 400, 400, 400))
    assert found["value"] == pytest.approx(raw["value"])
    assert (found["low"], found["high"]) == pytest.approx((raw["low"], raw["high"]), abs=0.01)


def test_fewer_labels_make_it_less_sure():
    few, many = (i.corrected(rate(50, 100), agreement(27 * k, 30 * k, 27 * k, 30 * k)) for k in (1, 20))
    assert few["value"] == pytest.approx(many["value"])
    assert few["high"] - few["low"] > 1.2 * (many["high"] - many["low"])


@pytest.mark.parametrize(
    "labels, said",
    [
        ((20, 24, 20, 25), "49 labels; 50 are needed"),
        ((15, 25, 14, 25), "sensitivity + specificity is 1.16, below 1.2"),
    ],
)
def test_with_too_little_to_go_by_nothing_is_corrected_and_the_reason_is_given(labels, said):
    assert i.corrected(rate(5, 10), agreement(*labels))["reason"] == said
    change = i.change(*vectors(3, 4, 2, 1))
    assert i.corrected_change(change, agreement(*labels))["reason"] == said


def test_where_errors_alone_explain_a_rate_there_is_none():
    found = i.corrected(rate(0, 300), agreement(50, 50, 30, 50))
    assert found["value"] is None and "errors of the tier alone" in found["reason"]


def test_labels_of_one_sort_only_correct_nothing():
    labels = {"n": 60, "sensitivity": rate(55, 60), "specificity": {"value": None, "x": 0, "n": 0}}
    assert i.corrected(rate(5, 10), labels)["reason"] == "all labels are the same"


def test_errors_of_a_tier_make_a_difference_smaller_and_correcting_undoes_it():
    found = i.corrected_change(i.change(*vectors(50, 100, 20, 130)), agreement(90, 100, 80, 100))
    assert found["value"] == pytest.approx(80 / 300 / 0.7)
    assert found["low"] < found["value"] < found["high"]


@given(st.integers(0, 40), st.integers(0, 30), st.integers(0, 30))
def test_a_corrected_rate_stays_between_none_and_all_or_says_why_it_is_none(hits, hit, clear):
    found = i.corrected(rate(hits, 40), agreement(hit, 30, clear, 30))
    if found["value"] is None:
        assert found["reason"]
    else:
        assert 0 <= found["low"] <= found["value"] <= found["high"] <= 1
        assert found["low"] < found["high"]


@pytest.mark.parametrize(
    "true, labels",
    [
        (0.1, (25, 25)),
        (0.9, (20, 80)),
        *(
            pytest.param(*one, marks=SLOW)
            for one in [(0.1, (20, 80)), (0.9, (25, 25)), *product((0.5,), ((25, 25), (20, 80)))]
        ),
    ],
)
def test_the_interval_of_a_corrected_rate_covers_as_often_as_it_says(true, labels, monkeypatch):
    monkeypatch.setattr(i, "DRAWS", 1000)
    hit, clear = 0.9, 0.85
    rng = np.random.default_rng(4)
    found = []
    for seed in range(1200):
        raw = rate(rng.binomial(85, true * hit + (1 - true) * (1 - clear)), 85)
        counted = agreement(rng.binomial(labels[0], hit), labels[0], rng.binomial(labels[1], clear), labels[1])
        found.append(i.corrected(raw, counted, seed))
    known = [one for one in found if one["value"] is not None]
    assert len(known) > 1150
    assert np.mean([one["low"] <= true <= one["high"] for one in known]) == pytest.approx(0.95, abs=0.02)
