from copy import deepcopy
from functools import cache, partial

import pytest
from awkward import MISSING, awkward_card
from legible import drawn_texts, faults, faults_of
from ruled import small_card

from helpers import report_plots
from helpers.errors import UserError
from helpers.picture import DARK, LIGHT, render
from helpers.report_page import PICTURES
from helpers.scoring import LABELS
from helpers.stats import rate

each_picture = pytest.mark.parametrize("paint", PICTURES, ids=lambda paint: paint.__name__)


def painted(paint, report, look=LIGHT):
    return render(partial(paint, report), look)


@cache
def in_the_light(paint):
    """(lines of text of the picture of the small card, what it says in words): drawn once for all tests."""
    figure, alt = painted(paint, small_card())
    return drawn_texts(figure), alt


def texts(figure):
    return [drawn.text for drawn in drawn_texts(figure)]


@each_picture
def test_it_can_be_read_from_the_last_row_in_the_light(paint):
    assert faults_of(in_the_light(paint)[0]) == []


@each_picture
def test_it_can_be_read_in_the_dark_with_numbers_missing_and_models_that_say_anything(paint):
    assert faults(painted(paint, awkward_card(), DARK)[0]) == []


@each_picture
def test_it_says_in_words_what_it_shows_and_how_the_numbers_may_be_read(paint):
    drawn, alt = in_the_light(paint)
    assert len(alt) > 100
    assert small_card()["label"] in alt
    shown = " ".join(line.text for line in drawn)
    assert small_card()["label"] in shown
    assert small_card()["date"][:10] in shown


def marks(axes):
    """Where the marks with error bars stand, by colour."""
    return {c.lines[0].get_color(): tuple(float(xy[0]) for xy in c.lines[0].get_data()) for c in axes.containers}


def test_the_friction_map_puts_base_and_tuned_where_their_rates_are():
    report = deepcopy(small_card())
    for i, rates in enumerate(report["worst"]["kinds"].values()):
        rates |= {"H": rate(19 - i, 20), "F": rate(i, 20)}
    figure, _ = painted(report_plots.friction_map, report)
    assert len(figure.axes) == 4
    for axes, kind in zip(figure.axes, report["worst"]["kinds"], strict=True):
        for numbers, colour in ((report["models"]["base"], LIGHT.base), (report["worst"], LIGHT.tuned)):
            rates = numbers["kinds"][kind]
            assert marks(axes)[colour] == (rates["F"]["value"], rates["H"]["value"])


def test_baselines_stand_in_the_map_with_marks_of_their_own():
    figure, alt = painted(report_plots.friction_map, awkward_card())
    styles = {(line.get_marker(), line.get_color()) for line in figure.legends[0].get_lines()}
    assert len(styles) == len(figure.legends[0].get_texts()) == 6
    assert "no controls H " in alt


def test_what_was_not_measured_is_called_so_and_is_no_mark_at_zero():
    report = awkward_card()
    figure, alt = painted(report_plots.friction_map, report)
    axes = figure.axes[list(report["worst"]["kinds"]).index(MISSING)]
    assert marks(axes) == {}
    shown = " ".join(texts(figure))
    assert f"{MISSING}:  J not measured" in shown
    assert f"{MISSING}: base H not measured, F not measured" in alt


def test_a_report_on_two_kinds_has_two_panels_and_one_on_none_is_refused():
    report = deepcopy(small_card())
    for kind in list(report["worst"]["kinds"])[2:]:
        del report["worst"]["kinds"][kind]
    figure, _ = painted(report_plots.friction_map, report)
    assert len(figure.axes) == 2
    assert faults(figure) == []
    with pytest.raises(UserError, match="no kind of friction"):
        painted(report_plots.friction_map, report | {"worst": {"kinds": {}}})


def test_the_hold_curve_has_the_points_of_the_report_with_their_intervals_and_how_many_are_followed():
    report = small_card()
    points = report["models"]["tuned seed 0"]["pressure"]["curve"]
    worst = report["models"]["tuned seed 1"]["pressure"]
    assert worst["curve"] == []  # it holds least: nothing of it can be followed
    only = report | {"models": {label: m for label, m in report["models"].items() if label != "tuned seed 1"}}
    figure, alt = painted(report_plots.hold_curve, only)
    bars = figure.axes[1].containers
    assert [float(bar.lines[0].get_ydata()[0]) for bar in bars] == [p["value"] for p in points]
    for bar, point in zip(bars, points, strict=True):
        (low, high) = bar.lines[2][0].get_segments()[0][:, 1]
        assert (low, high) == pytest.approx((point["low"], point["high"]))
    assert texts(figure).count(str(points[0]["at_risk"])) >= len(points)
    assert list(figure.axes[1].get_xticks()) == [p["turn"] for p in points]
    assert "of those holds 1.00" in alt


def test_who_never_pushed_back_has_no_curve_but_a_reason():
    figure, alt = painted(report_plots.hold_curve, small_card())
    assert not figure.axes[1].containers
    assert any("nothing pushed back at the first turn" in text for text in texts(figure))
    assert "holds not measured" in alt


def test_the_confusion_has_every_count_of_the_report_trainings_added_up():
    report = small_card()
    figure, _ = painted(report_plots.confusion, report)
    tables = {label: model["confusion"] for label, model in report["models"].items()}
    seeds = [tables["tuned seed 0"], tables["tuned seed 1"]]
    for axes, found in zip(figure.axes, ([tables["base"]], seeds), strict=True):
        expected = [sum(table[gold][label] for table in found) for gold in found[0] for label in LABELS]
        assert [int(text.get_text()) for text in axes.texts] == expected


def test_in_the_bars_of_pairs_gained_and_lost_have_the_widths_of_their_shares():
    report = small_card()
    figure, alt = painted(report_plots.same_pairs, report)
    bars = [[patch.get_width() for patch in bar] for bar in figure.axes[0].containers]
    for row, test in enumerate(report["tests"]):
        both, gained, lost, neither = (width for (width,) in bars[4 * row : 4 * row + 4])
        assert (gained, lost) == pytest.approx((test["only_tuned"] / test["n"], test["only_base"] / test["n"]))
        assert both + gained + lost + neither == pytest.approx(1)
    assert "0 gained, 0 lost of 20: no difference shown" in alt


@pytest.mark.slow
def test_another_report_gives_another_picture(tmp_path):
    first = report_plots.draw(report_plots.friction_map, small_card(), tmp_path / "1.png").path.read_bytes()
    again = report_plots.draw(report_plots.friction_map, small_card(), tmp_path / "2.png").path.read_bytes()
    other = report_plots.draw(report_plots.friction_map, awkward_card(), tmp_path / "3.png").path.read_bytes()
    assert first == again
    assert first != other
