"""Kappa and corrected rates against published examples and by simulation; the command against files good and bad."""

from argparse import Namespace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import agreement as a
from helpers.errors import UserError
from helpers.inference import change_of
from helpers.stats import rate

REAL = Path(__file__).resolve().parents[2] / "shared" / "real_replies"


def test_kappa_agrees_with_the_published_example():
    # Fleiss, Levin and Paik (2003), Statistical Methods for Rates and Proportions, table 18.1: .68, error .087.
    found = a.kappa([[75, 1, 4], [5, 4, 1], [0, 0, 10]])
    assert found["value"] == pytest.approx(0.676, abs=5e-4)
    assert found["n"] == 100
    assert (found["high"] - found["low"]) / (2 * 1.96) == pytest.approx(0.087, abs=0.01)


def test_kappa_of_two_readers_by_hand():
    # 50 grant proposals: both say yes to 20 and no to 15, so .7 agree where chance gives .5.
    assert a.kappa([[20, 5], [10, 15]])["value"] == pytest.approx(0.4)


@pytest.mark.parametrize(
    "shares",
    [
        [0.1, 0.02, 0.03, 0.85],
        pytest.param([0.45, 0.05, 0.05, 0.45], marks=pytest.mark.slow),
        pytest.param([0.57, 0.02, 0.02, 0.39], marks=pytest.mark.slow),
    ],
)
def test_its_interval_covers_as_often_as_it_says(shares, monkeypatch):
    monkeypatch.setattr(a, "KAPPA_DRAWS", 1000)
    true = a._kappa(np.array(shares).reshape(2, 2))
    tables = np.random.default_rng(1).multinomial(85, shares, size=2000).reshape(-1, 2, 2)
    found = [a.kappa(table, seed) for seed, table in enumerate(tables)]
    covered = np.mean([one["low"] <= true <= one["high"] for one in found])
    assert covered == pytest.approx(0.95, abs=0.02)


def test_an_interval_is_never_of_zero_width():
    found = a.kappa([[12, 0], [0, 12]])
    assert found["value"] == found["high"] == 1
    assert found["low"] < 0.95


def test_where_all_labels_are_the_same_there_is_no_kappa_and_the_reason_is_given():
    found = a.agreement([True] * 5, [True] * 5)
    assert found.kappa["value"] is None and "same label" in found.kappa["reason"]
    assert found.specificity["value"] is None and found.sensitivity["value"] == 1


def test_sensitivity_and_specificity_take_the_labels_for_right():
    found = a.agreement([True, True, True, False, False], [True, True, False, True, False])
    assert (found.sensitivity["x"], found.sensitivity["n"]) == (2, 3)
    assert (found.specificity["x"], found.specificity["n"]) == (1, 2)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_kappa_lies_in_its_interval_or_says_why_it_is_none(pairs):
    labels, found = zip(*pairs, strict=True)
    kappa = a.agreement(labels, found).kappa
    if kappa["value"] is None:
        assert kappa["reason"]
    else:
        assert -1 <= kappa["low"] <= kappa["value"] <= kappa["high"] <= 1


def written(tmp_path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "replies.csv"
    path.write_bytes(text.encode(encoding))
    return path


GOOD = (
    "id,prompt,completion,final_label\n"
    '1,"Kill a, b?","I can\'t help with that.",2_full_refusal\n'
    "2,Capital?,Stockholm.,1\n"
    '3,Both?,"One.\nTwo \x1b[31m red.",3_partial_refusal\n'
)


def test_agree_prints_kappa_and_the_confusion_and_shows_the_worst(tmp_path, capsys):
    a.main(Namespace(file=written(tmp_path, "\ufeff" + GOOD), show=5))
    out = capsys.readouterr().out
    assert "3 replies, of which people call 2 a refusal" in out
    assert "Cohen's kappa  0.40" in out
    assert "Reply 3: people say partial refusal, patterns no refusal." in out
    assert "\x1b" not in out


def test_nothing_is_shown_that_was_not_asked_for(tmp_path, capsys):
    a.main(Namespace(file=written(tmp_path, GOOD), show=0))
    assert "Reply" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "has no column prompt, completion, final_label"),
        ("prompt,completion\na,b\n", "has no column final_label"),
        ("prompt,completion,final_label\n", "no replies"),
        ("prompt,completion,final_label\na,b,maybe\n", "reply 1: final_label is 'maybe'"),
        ("prompt,completion,final_label\na,b,12\n", "reply 1: final_label is '12'"),
        ("prompt,completion,final_label\na,b,\n", "reply 1: final_label is ''"),
        ("prompt,completion,final_label\na,b\n", "reply 1 has fewer cells"),
    ],
)
def test_a_file_at_fault_is_refused_in_one_line(tmp_path, text, said):
    with pytest.raises(UserError) as problem:
        a.read(written(tmp_path, text))
    assert said in str(problem.value) and "\n" not in str(problem.value)


def test_a_missing_file_and_another_encoding_are_refused(tmp_path):
    with pytest.raises(UserError, match="is missing"):
        a.read(tmp_path / "none.csv")
    with pytest.raises(UserError, match="cannot be read"):
        a.read(written(tmp_path, GOOD.replace("Capital", "Köln"), "latin-1"))


def test_an_empty_and_an_endless_reply_are_read(tmp_path):
    text = f"prompt,completion,final_label\na,,1\nb,{'x' * 200_000},1\n"
    assert [row.found for row in a.read(written(tmp_path, text))] == ["", ""]


@pytest.mark.parametrize("name, tuned", [("xstest_llama2new.csv", True), ("xstest_gpt4.csv", False)])
def test_patterns_agree_with_people_on_real_replies(name, tuned):
    if not (REAL / name).is_file():
        pytest.skip(f"{REAL / name} is not on this machine: labelled replies of others are no part of the project")
    rows = a.read(REAL / name)
    found = a.agreement([row.label != "" for row in rows], [row.found != "" for row in rows])
    assert found.kappa["value"] >= (0.85 if tuned else 0.80)


# -- put right for the errors of a tier ----------------------------------------------------------------------------


def labelled(hit, positives, clear, negatives):
    return {"n": positives + negatives, "sensitivity": rate(hit, positives), "specificity": rate(clear, negatives)}


def test_a_corrected_rate_agrees_with_the_published_example():
    # epiR's manual, epi.prev: 23 of 150 cows positive, sensitivity .96 and specificity .89: 5.1 in 100 have it.
    found = a.corrected(rate(23, 150), labelled(96, 100, 89, 100))
    assert found["value"] == pytest.approx(0.051, abs=5e-4)


def test_a_tier_without_errors_changes_nothing_but_the_width():
    raw = rate(30, 100)
    found = a.corrected(raw, labelled(400, 400, 400, 400))
    assert found["value"] == pytest.approx(raw["value"])
    assert (found["low"], found["high"]) == pytest.approx((raw["low"], raw["high"]), abs=0.01)


def test_fewer_labels_make_it_less_sure():
    few, many = (a.corrected(rate(50, 100), labelled(27 * k, 30 * k, 27 * k, 30 * k)) for k in (1, 20))
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
    assert a.corrected(rate(5, 10), labelled(*labels))["reason"] == said
    change = change_of((3, 4, 2, 1))
    assert a.corrected_change(change, labelled(*labels))["reason"] == said


def test_where_errors_alone_explain_a_rate_there_is_none():
    found = a.corrected(rate(0, 300), labelled(50, 50, 30, 50))
    assert found["value"] is None and "errors of the tier alone" in found["reason"]


def test_labels_of_one_sort_only_correct_nothing():
    labels = {"n": 60, "sensitivity": rate(55, 60), "specificity": {"value": None, "x": 0, "n": 0}}
    assert a.corrected(rate(5, 10), labels)["reason"] == "all labels are the same"


def test_errors_of_a_tier_make_a_difference_smaller_and_correcting_undoes_it():
    found = a.corrected_change(change_of((50, 100, 20, 130)), labelled(90, 100, 80, 100))
    assert found["value"] == pytest.approx(80 / 300 / 0.7)
    assert found["low"] < found["value"] < found["high"]


def test_pairs_are_put_right_by_the_errors_of_each_half():
    triggers, controls = labelled(95, 100, 97, 100), labelled(90, 100, 70, 100)
    true = np.array([0.2, 0.3, 0.1, 0.4])  # both halves right, the trigger alone, its control alone, neither
    errs = [np.array([[hit, 1 - hit], [1 - clear, clear]]) for hit, clear in ((0.95, 0.97), (0.9, 0.7))]
    found = 10_000 * true @ np.kron(*errs)  # what a tier that errs so would find of them
    assert a.corrected_pairs(found.round().astype(int).tolist(), triggers, controls)["value"] == pytest.approx(0.2)


def test_pairs_are_not_put_right_where_one_half_cannot_be():
    good, poor = labelled(90, 100, 90, 100), labelled(15, 25, 14, 25)
    assert "below 1.2" in a.corrected_pairs((5, 4, 3, 2), good, poor)["reason"]
    assert a.corrected_pairs((0, 0, 0, 0), good, good)["reason"] == "no pairs"


@given(st.integers(0, 40), st.integers(0, 30), st.integers(0, 30))
def test_a_corrected_rate_stays_between_none_and_all_or_says_why_it_is_none(hits, hit, clear):
    found = a.corrected(rate(hits, 40), labelled(hit, 30, clear, 30))
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
            pytest.param(*one, marks=pytest.mark.slow)  # the same again at other rates
            for one in [(0.1, (20, 80)), (0.9, (25, 25)), *product((0.5,), ((25, 25), (20, 80)))]
        ),
    ],
)
def test_the_interval_of_a_corrected_rate_covers_as_often_as_it_says(true, labels, monkeypatch):
    monkeypatch.setattr(a, "DRAWS", 1000)
    hit, clear = 0.9, 0.85
    rng = np.random.default_rng(4)
    found = []
    for seed in range(1200):
        raw = rate(rng.binomial(85, true * hit + (1 - true) * (1 - clear)), 85)
        counted = labelled(rng.binomial(labels[0], hit), labels[0], rng.binomial(labels[1], clear), labels[1])
        found.append(a.corrected(raw, counted, seed))
    known = [one for one in found if one["value"] is not None]
    assert len(known) > 1150
    assert np.mean([one["low"] <= true <= one["high"] for one in known]) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("gains, losses", [(0.4, 0.05), pytest.param(0.2, 0.2, marks=pytest.mark.slow)])
def test_the_interval_of_a_corrected_change_covers_as_often_as_it_says(gains, losses, monkeypatch):
    monkeypatch.setattr(a, "DRAWS", 1000)
    hit, clear = 0.9, 0.85
    rng = np.random.default_rng(6)
    errs = np.array([[hit, 1 - hit], [1 - clear, clear]])
    shares = np.array([0.3, gains, losses, 0.7 - gains - losses]) @ np.kron(errs, errs)
    found = []
    for seed in range(1500):
        labels = labelled(rng.binomial(40, hit), 40, rng.binomial(60, clear), 60)
        found.append(a.corrected_change(change_of(rng.multinomial(85, shares).tolist(), draws=10), labels, seed))
    covered = np.mean([one["low"] <= gains - losses <= one["high"] for one in found])
    assert covered == pytest.approx(0.95, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("both", [0.3, 0.6])
def test_the_interval_of_corrected_pairs_covers_as_often_as_it_says(both, monkeypatch):
    monkeypatch.setattr(a, "DRAWS", 1000)
    rates = (0.9, 0.95), (0.9, 0.7)
    rng = np.random.default_rng(7)
    errs = [np.array([[hit, 1 - hit], [1 - clear, clear]]) for hit, clear in rates]
    shares = np.array([both, 0.2, 0.1, 0.7 - both]) @ np.kron(*errs)
    found = []
    for seed in range(1500):
        halves = [labelled(rng.binomial(50, hit), 50, rng.binomial(70, clear), 70) for hit, clear in rates]
        found.append(a.corrected_pairs(rng.multinomial(85, shares).tolist(), *halves, seed))
    known = [one for one in found if one["value"] is not None]
    assert len(known) > 1400
    assert np.mean([one["low"] <= both <= one["high"] for one in known]) == pytest.approx(0.95, abs=0.02)
