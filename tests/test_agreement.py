"""Kappa against a published example and by simulation; the command against files good and bad."""

from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import agreement as a
from helpers.errors import UserError

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


@pytest.mark.parametrize("shares", [[0.45, 0.05, 0.05, 0.45], [0.1, 0.02, 0.03, 0.85], [0.57, 0.02, 0.02, 0.39]])
def test_its_interval_covers_as_often_as_it_says(shares, monkeypatch):
    monkeypatch.setattr(a, "DRAWS", 1000)
    true = a._kappa(np.array(shares).reshape(2, 2))
    tables = np.random.default_rng(1).multinomial(85, shares, size=2000).reshape(-1, 2, 2)
    found = [a.kappa(table, seed) for seed, table in enumerate(tables)]
    covered = np.mean([one["low"] <= true <= one["high"] for one in found])
    assert covered == pytest.approx(0.95, abs=0.025)


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
