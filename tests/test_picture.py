import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from legible import faults

from helpers import picture
from helpers.errors import UserError
from helpers.picture import DARK, FONT, LIGHT, LOOKS, contrast, drawable, fitted

ALT = "A line from 1 to 2, in Zürich as in 東京."


def paint(figure, look):
    figure.subplots().plot([1, 2], color=look.tuned)
    return ALT


def chunks(png):
    """(type, data) of every chunk of a PNG file."""
    data, at = png.read_bytes(), 8
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def test_a_picture_is_a_png_of_the_projectors_size_and_nothing_else_is_left(tmp_path):
    drawn = picture.save(paint, tmp_path / "a" / "line.png")
    assert struct.unpack(">II", dict(chunks(drawn.path))[b"IHDR"][:8]) == (1024, 768)
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["line.png"]


def test_what_it_shows_is_said_beside_it_and_inside_the_file(tmp_path):
    drawn = picture.save(paint, tmp_path / "line.png")
    assert drawn.alt == ALT
    inside = [data for kind, data in chunks(drawn.path) if kind in (b"tEXt", b"iTXt")]
    assert any(data.startswith(b"Description\x00") and data.endswith(ALT.encode()) for data in inside)


def test_a_notebook_shows_it_with_its_words_and_it_stands_for_its_path(tmp_path):
    drawn = picture.save(paint, tmp_path / "line.png")
    data, about = drawn._repr_mimebundle_()
    assert data["text/plain"] == about["image/png"]["alt"] == ALT
    assert f"{drawn}" == str(tmp_path / "line.png")
    with open(drawn, "rb") as file:
        assert file.read(4) == b"\x89PNG"


def test_light_and_dark_are_two_pictures_and_the_same_one_is_the_same_again(tmp_path):
    light, dark, again = (
        picture.save(paint, tmp_path / f"{i}.png", look).path.read_bytes()
        for i, look in enumerate((LIGHT, DARK, LIGHT))
    )
    assert light == again
    assert light != dark


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_inks_are_read_easily_and_the_colours_of_models_stand_out(look):
    assert all(contrast(colour, look.ground) >= 4.5 for colour in (look.ink, look.soft))
    assert all(contrast(colour, look.ground) >= 2.8 for colour in (look.base, look.tuned, look.asked, look.exhibit))


def test_the_contrast_is_that_of_wcag():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)  # WebAIM's example of just too little


def test_the_check_of_legibility_finds_what_is_small_outside_pale_or_on_top_of_another():
    def bad(figure, look):
        figure.text(0.1, 0.1, "small", fontsize=9)
        figure.text(0.95, 0.5, "outside of it", fontsize=16)
        figure.text(0.1, 0.5, "pale", fontsize=16, color="#DDDDDD")
        figure.text(0.1, 0.8, "under", fontsize=16)
        figure.text(0.11, 0.8, "over", fontsize=16)
        return ""

    found = " ".join(faults(picture.render(bad)[0]))
    assert "12.5 px: small" in found
    assert "outside: outside of it" in found
    assert "contrast 1.4: pale" in found
    assert "'under' over 'over'" in found


def test_a_picture_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="cannot write"):
        picture.save(paint, tmp_path / "file" / "line.png")


def test_a_picture_that_fails_leaves_the_old_one_as_it_was(tmp_path):
    out = tmp_path / "line.png"
    before = picture.save(paint, out).path.read_bytes()

    def broken(figure, look):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        picture.save(broken, out)
    assert out.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["line.png"]


# -- text in a picture ---------------------------------------------------------------------------------------------


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
