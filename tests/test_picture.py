import struct

import pytest
from legible import faults

from helpers import picture
from helpers.errors import UserError
from helpers.picture import DARK, LIGHT, LOOKS, contrast

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
