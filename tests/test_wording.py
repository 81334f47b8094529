"""How numbers are written, and how what stands in a report is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import wording
from helpers.stats import no_rate, rate

REPORT = {
    "label": "24 pairs, the stage subset, one seed",
    "date": "2026-11-22T20:24:20+00:00",
    "tier": {"name": "gold-anchored", "agreement": None, "validated": False},
    "models": {"base": {}, "tuned": {}},
}


def test_the_small_print_says_when_how_many_and_that_a_tier_without_labels_is_not_validated():
    assert wording.small_print(REPORT) == (
        "Measured on 2026-11-22: 24 pairs, the stage subset, one seed. Verdicts: gold-anchored, not validated."
    )


def test_the_agreement_of_a_tier_stands_beside_its_name():
    friction, right = (
        {"all": {"kappa": rate(x, 100), "sensitivity": rate(x, 100), "specificity": rate(9, 10)}} for x in (82, 61)
    )
    agreement = {"n": 120, "by": "a language model", "friction": friction, "right": right}
    tier = {"name": "gold-anchored", "agreement": agreement, "validated": True}
    said = "gold-anchored, kappa .82 for friction, .61 for right, against 120 labels of a language model"
    assert wording.tier(REPORT | {"tier": tier}) == said
    agreement["by"] = ""
    assert wording.tier(REPORT | {"tier": tier}).endswith("against 120 labels")
    told = "\n".join(wording.verdicts(tier))
    assert "H, F, J                     kappa .82 (.73 to .88), finds .82" in told
    assert "pairs passed                kappa .61 (" in told and "right kind                  not validated" in told


def test_a_tier_that_is_not_validated_says_why():
    tier = REPORT["tier"]
    assert wording.verdicts(tier) == ["Verdicts: gold-anchored, not validated: no reply has been labelled."]
    assert "not validated: of others alone." in wording.verdicts(tier | {"reason": "of others alone"})[0]
    assert wording.verdicts({"name": "exact", "agreement": None, "validated": True}) == ["Verdicts: exact."]


@given(st.text(max_size=30), st.text(max_size=30), st.integers(1, 20))
def test_two_cells_never_run_together(one, other, width):
    assert wording.left(one, width) + other == one + " " * max(1, width - len(one)) + other
    assert one + wording.right(other, width) == one + " " * max(1, width - len(other)) + other


def test_a_dash_is_explained_by_each_reason_once():
    none = no_rate("nothing was asked")
    assert wording.no_dash_unexplained([none, None, none, no_rate("no pairs")]) == [
        "- not measured: nothing was asked; no pairs."
    ]
    assert wording.no_dash_unexplained([rate(1, 2)]) == []


def test_a_number_that_is_missing_is_never_a_zero():
    missing = no_rate("nothing was asked")
    assert wording.value(missing) == wording.value(missing, True) == "not measured"
    assert wording.counted(missing) == "not measured"
    assert wording.why(rate(1, 2), missing) == "not measured: nothing was asked"
    assert wording.value(rate(0, 24), True) == ".00 (.00 to .14)"


def test_no_interval_is_written_as_if_it_had_no_width():
    narrow = {"value": 0.0, "low": -0.002, "high": 0.002}
    assert wording.value(narrow, True) == wording.with_interval(narrow, 2) == ".00 (-.002 to .002)"


@pytest.mark.parametrize(
    "test, said",
    [
        ({"p": 0.001, "p_holm": 0.004, "significant": True, "better": True}, "better (p = .004)"),
        ({"p": 1e-9, "p_holm": 4e-9, "significant": True, "better": False}, "worse (p < .001)"),
        ({"p": 0.03, "p_holm": 0.12, "significant": False, "better": True}, "no difference shown (p = .120)"),
        ({"p": None, "reason": "no pairs"}, "not tested, no pairs"),
    ],
)
def test_a_test_shows_better_worse_or_nothing(test, said):
    assert wording.conclusion(test) == said


def test_several_trainings_are_named_by_the_worst():
    assert wording.worst_of(REPORT) == ""
    assert wording.worst_of({"models": dict.fromkeys(("base", "a", "b", "c"))}) == " (worst of 3)"


@pytest.mark.parametrize("seconds, words", [(0.4, "0 s"), (89, "89 s"), (150, "2 min"), (7800, "2 h 10 min")])
def test_a_length_of_time_is_said_as_one_says_it(seconds, words):
    assert wording.span(seconds) == words
