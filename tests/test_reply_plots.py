from copy import deepcopy
from functools import partial

from awkward import awkward_card
from legible import drawn_texts
from ruled import small_card

from helpers import reply_plots
from helpers.picture import LIGHT, render


def painted(paint, report):
    figure, alt = render(partial(paint, report), LIGHT)
    return " ".join(line.text for line in drawn_texts(figure)), alt, figure


def test_both_models_stand_side_by_side_in_their_own_words_with_what_they_did():
    shown, alt, _ = painted(reply_plots.on_triggers, small_card())
    first = next(e for e in small_card()["examples"] if e["role"] == "trigger")
    assert first["prompt"] in shown
    for label in ("base", "tuned seed 0"):
        assert first["replies"][label]["answer"].split()[0] in shown
        assert first["replies"][label]["answer"] in alt
    assert shown.count("✗ comply") == 4
    assert all(f"✓ {label}" in shown for label in ("correct", "doubt", "clarify", "refuse"))


def test_on_controls_simply_helping_is_right():
    shown, _, _ = painted(reply_plots.on_controls, small_card())
    assert shown.count("✓ comply") == 8


def test_a_right_kind_of_answer_with_a_wrong_fact_is_not_marked_right():
    report = deepcopy(small_card())
    first = next(e for e in report["examples"] if e["role"] == "trigger")
    first["replies"]["tuned seed 0"]["passed"] = False
    assert "✗ correct" in painted(reply_plots.on_triggers, report)[0]


def test_an_empty_answer_is_called_empty_and_a_long_one_is_cut():
    shown, _, _ = painted(reply_plots.on_triggers, awkward_card())
    assert "(empty)" in shown
    assert "x" * 20 in shown and "x" * 200 not in shown
    assert " .." in shown


def test_the_form_has_length_lists_and_hedges_of_every_training():
    report = small_card()
    shown, alt, figure = painted(reply_plots.form, report)
    tuned = [report["form"][label]["trigger"]["words"]["value"] for label in ("tuned seed 0", "tuned seed 1")]
    points = [list(line.get_xdata()) for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert sorted(tuned) in points
    base = report["form"]["base"]["trigger"]["words"]["value"]
    assert f"words, median, triggers: base {base:g}, tuned {min(tuned):g}" in alt
    assert "share with a hedge" in shown


def test_capability_stands_beside_friction_with_what_the_margin_says():
    report = small_card()
    shown, alt, _ = painted(reply_plots.capability, report)
    assert "That no more than .05 is lost is not shown." in shown
    kept = report["models"]["base"]["facts"]
    assert f"facts, held out: {kept['value']:.2f} " in alt


def test_a_capability_that_was_not_asked_for_is_not_measured_and_has_no_mark():
    shown, alt, figure = painted(reply_plots.capability, awkward_card())
    assert "Change on plain questions: not measured: no pairs." in shown
    assert "facts, held out: not measured to not measured" in alt
    assert not figure.axes[1].containers
