import pytest

from helpers import report_words
from helpers.stats import no_rate, rate

REPORT = {
    "label": "24 pairs, the stage subset, one seed",
    "date": "2026-11-22T20:24:20+00:00",
    "tier": {"name": "gold-anchored", "agreement": None, "validated": False},
    "seeds": {"training": 1},
}


def test_the_small_print_says_when_how_many_and_that_a_tier_without_labels_is_not_validated():
    assert report_words.small_print(REPORT) == (
        "Measured on 2026-11-22: 24 pairs, the stage subset, one seed. Verdicts: gold-anchored, not validated."
    )


def test_the_agreement_of_a_tier_stands_beside_its_name():
    agreement = {"n": 120, "kappa": {"value": 0.82, "low": 0.7, "high": 0.9}}
    tier = {"name": "gold-anchored", "agreement": agreement, "validated": True}
    assert report_words.tier(REPORT | {"tier": tier}) == "gold-anchored, kappa .82 (.70 to .90) against 120 labels"


def test_a_number_that_is_missing_is_never_a_zero():
    missing = no_rate("nothing was asked")
    assert report_words.value(missing) == report_words.value(missing, True) == "not measured"
    assert report_words.counted(missing) == "not measured"
    assert report_words.why(rate(1, 2), missing) == "not measured: nothing was asked"
    assert report_words.value(rate(0, 24), True) == ".00 (.00 to .14)"


def test_no_interval_is_written_as_if_it_had_no_width():
    assert report_words.value({"value": 0.0, "low": -0.002, "high": 0.002}, True) == ".00 (-.002 to .002)"


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
    assert report_words.conclusion(test) == said


def test_several_trainings_are_named_by_the_worst():
    assert report_words.worst_of(REPORT) == ""
    assert report_words.worst_of({"seeds": {"training": 3}}) == " (worst of 3)"
