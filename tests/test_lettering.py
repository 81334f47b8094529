import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.lettering import FONT, drawable, fitted

WIDTH, SIZE, LINES = 300.0, 14.0, 3


def width(line):
    """As the canvas draws it, in points."""
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.font_manager import FontProperties

    renderer = RendererAgg(1024, 768, 100)
    pixels = renderer.get_text_width_height_descent(line, FontProperties(family=FONT, size=SIZE), False)[0]
    return pixels * 72 / 100


@pytest.mark.parametrize("text", ["W" * 500, "i" * 500, "MMMM " * 90, "some words " * 30, "日本語" * 90, "short", ""])
def test_no_line_is_wider_than_there_is_room_and_there_are_not_too_many(text):
    lines = fitted(text, WIDTH, SIZE, LINES).split("\n")
    assert len(lines) <= LINES
    assert all(width(line) <= WIDTH for line in lines if line)


def test_what_fits_is_whole_and_what_does_not_ends_in_dots():
    assert fitted("It fits.", WIDTH, SIZE, LINES) == "It fits."
    assert fitted("word " * 200, WIDTH, SIZE, LINES).endswith(" ..")


def test_bold_letters_get_fewer_to_the_line():
    plain, bold = (fitted("wide words in a row " * 20, WIDTH, SIZE, 9, bold=b) for b in (False, True))
    assert len(bold.split("\n")[0]) < len(plain.split("\n")[0])


def test_escape_sequences_and_turned_writing_are_taken_out_and_unknown_letters_are_boxes():
    assert drawable("\x1b[31mred\x1b[0m\n\u202eand $x_1$") == "[31mred[0m and $x_1$"
    assert drawable("Zürich, 東京") == "Zürich, □□"


@settings(max_examples=60, deadline=None)
@given(st.text())
def test_whatever_a_model_says_is_one_line_of_what_the_font_has(text):
    line = drawable(text)
    assert line.isprintable()
    assert drawable(line) == line
