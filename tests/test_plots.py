import json
import struct
import subprocess
import sys

import pytest
from legible import contrast, faults
from salad import salad_set

from helpers import plots
from helpers.errors import UserError

LOSSES = [{"step": 10, "loss": 2.0}, {"step": 30, "loss": 0.25}, {"step": 30, "eval_loss": 0.5}]

each_look = pytest.mark.parametrize("look", plots.LOOKS, ids=lambda look: look.name)


def curve(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def chunks(png):
    """(type, data) of every chunk of a PNG file."""
    data, at = png.read_bytes(), 8
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def size(png):
    return struct.unpack(">II", dict(chunks(png))[b"IHDR"][:8])


def test_pictures_are_png_files_of_the_projectors_size_and_nothing_else_is_left(tmp_path):
    folder = tmp_path / "a"
    losses = curve(tmp_path / "loss.jsonl", LOSSES)
    drawn = [plots.loss_curve(losses, folder / "loss.png"), plots.dataset_picture(salad_set(8), folder / "set.png")]
    assert [size(picture.path) for picture in drawn] == [(1024, 768)] * 2
    assert sorted(p.name for p in folder.iterdir()) == ["loss.png", "set.png"]


def test_what_a_picture_shows_is_said_in_words_and_the_words_are_inside_the_file(tmp_path):
    drawn = plots.loss_curve(curve(tmp_path / "loss.jsonl", LOSSES), tmp_path / "loss.png")
    assert "training loss from 2.00 at step 10 to 0.25 at step 30; validation loss from 0.50" in drawn.alt
    inside = [data for kind, data in chunks(drawn.path) if kind in (b"tEXt", b"iTXt")]
    assert any(data.startswith(b"Description\x00") and data.endswith(drawn.alt.encode()) for data in inside)


def test_a_notebook_shows_the_picture_with_its_words(tmp_path):
    drawn = plots.loss_curve(curve(tmp_path / "loss.jsonl", LOSSES), tmp_path / "loss.png")
    data, about = drawn._repr_mimebundle_()
    assert data["text/plain"] == about["image/png"]["alt"] == drawn.alt
    assert f"{drawn}" == str(drawn.path)


def test_a_data_set_is_drawn_and_said_in_words(tmp_path):
    text = plots.dataset_picture(salad_set(8), tmp_path / "set.png").alt
    assert text.startswith("16 dialogues in 8 pairs. disagreement: 2 triggers, 2 controls; ")
    assert "Problem Framer 0, Memory Activator 8, " in text


def test_a_set_of_triggers_alone_is_drawn_and_none_at_all_is_said(tmp_path):
    assert plots.dataset_picture(salad_set(2)[::2], tmp_path / "set.png").path.exists()
    with pytest.raises(UserError, match="no dialogue to draw"):
        plots.dataset_picture([], tmp_path / "none.png")


def test_light_and_dark_are_two_pictures_and_the_same_one_is_the_same_again(tmp_path):
    losses = curve(tmp_path / "loss.jsonl", LOSSES)
    looks = (plots.LIGHT, plots.DARK, plots.LIGHT)
    light, dark, again = (
        plots.loss_curve(losses, tmp_path / f"{i}.png", look).path.read_bytes() for i, look in enumerate(looks)
    )
    assert light == again
    assert light != dark


@each_look
def test_colours_stand_out_from_the_ground_and_the_inks_are_read_easily(look):
    from matplotlib.colors import to_rgb

    ground = to_rgb(look.ground)
    assert all(contrast(to_rgb(colour), ground) >= 4.5 for colour in (look.ink, look.soft))
    assert all(contrast(to_rgb(colour), ground) >= 2.8 for colour in (look.base, look.tuned, look.asked, look.exhibit))


def test_the_check_of_legibility_finds_what_is_small_outside_pale_or_on_top_of_another():
    def paint(figure, look):
        figure.text(0.1, 0.1, "small", fontsize=9)
        figure.text(0.95, 0.5, "outside of it", fontsize=16)
        figure.text(0.1, 0.5, "pale", fontsize=16, color="#DDDDDD")
        figure.text(0.1, 0.8, "under", fontsize=16)
        figure.text(0.11, 0.8, "over", fontsize=16)
        return ""

    found = " ".join(faults(plots.render(paint)[0]))
    assert "12.5 px: small" in found
    assert "outside: outside of it" in found
    assert "contrast 1.4: pale" in found
    assert "'under' over 'over'" in found


@pytest.mark.parametrize("bad", ["", '{"step": 10, "loss": 2', '{"loss": 2}\n', "[1]\n"])
def test_a_broken_curve_is_named_and_no_picture_is_left(tmp_path, bad):
    path = tmp_path / "loss.jsonl"
    path.write_text(bad, encoding="utf-8")
    with pytest.raises(UserError, match=r"loss\.jsonl"):
        plots.loss_curve(path, tmp_path / "loss.png")
    assert not list(tmp_path.glob("*.png*"))


def test_a_picture_that_cannot_be_written_leaves_the_old_one(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="cannot write"):
        plots.loss_curve(curve(tmp_path / "loss.jsonl", LOSSES), tmp_path / "file" / "loss.png")


@pytest.mark.parametrize("module", ["plots", "report_plots", "reply_plots", "report_page"])
def test_importing_it_draws_in_no_library_and_needs_no_display(module):
    code = f"import sys, helpers.{module}; print([m for m in ('matplotlib', 'numpy', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
