import json
import struct
import subprocess
import sys

import pytest
from salad import salad_set

from helpers import plots, stats
from helpers.errors import UserError

LOSSES = [{"step": 10, "loss": 2.0}, {"step": 30, "loss": 0.25}, {"step": 30, "eval_loss": 0.5}]
LABEL = "60 pairs a kind, one seed: a quick look, not the headline"


def curve(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def report(tuned_hits=57):
    def kind(hits, alarms):
        h, f = stats.rate(hits, 60), stats.rate(alarms, 60)
        return {"H": h, "F": f, "J": stats.difference(h, f)}

    kinds = ("disagreement", "uncertainty", "clarification", "refusal")
    return {
        "models": {"base": {"kinds": {k: kind(0, 0) for k in kinds}}},
        "worst": {"kinds": {k: kind(tuned_hits, 3) for k in kinds}},
        "label": LABEL,
    }


def size(png):
    data = png.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", data[16:24])


def test_both_pictures_are_png_files_of_the_projectors_size(tmp_path):
    folder = tmp_path / "a"
    losses = curve(tmp_path / "loss.jsonl", LOSSES)
    for made in (plots.loss_curve(losses, folder / "loss.png"), plots.friction_map(report(), folder / "map.png")):
        assert size(made) == (1024, 768)
    assert sorted(p.name for p in folder.iterdir()) == ["loss.png", "map.png"]


def test_a_data_set_is_drawn_and_said_in_words(tmp_path):
    dialogues = salad_set(8)
    assert size(plots.dataset_picture(dialogues, tmp_path / "set.png")) == (1024, 768)
    text = plots.dataset_picture_alt(dialogues)
    assert text.startswith("16 dialogues in 8 pairs. disagreement: 2 triggers, 2 controls; ")
    assert "Problem Framer 0, Memory Activator 8, " in text


def test_a_set_of_triggers_alone_is_drawn_and_none_at_all_is_said(tmp_path):
    assert plots.dataset_picture(salad_set(2)[::2], tmp_path / "set.png").exists()
    with pytest.raises(UserError, match="no dialogue to draw"):
        plots.dataset_picture([], tmp_path / "none.png")


def test_another_report_gives_another_picture_and_the_same_one_the_same(tmp_path):
    made = [plots.friction_map(report(n), tmp_path / f"{i}.png") for i, n in enumerate((57, 20, 57))]
    one, two, again = (path.read_bytes() for path in made)
    assert one == again
    assert one != two


def test_the_alternative_text_says_the_numbers_and_the_label(tmp_path):
    text = plots.friction_map_alt(report())
    assert "refusal: base H 0.00, F 0.00; tuned H 0.95, F 0.05" in text
    assert LABEL in text
    losses = curve(tmp_path / "loss.jsonl", LOSSES)
    assert "training loss from 2.00 at step 10 to 0.25 at step 30" in plots.loss_curve_alt(losses)


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
        plots.friction_map(report(), tmp_path / "file" / "map.png")


def test_importing_the_module_draws_in_no_library_and_needs_no_display():
    code = "import sys, helpers.plots; print([m for m in ('matplotlib', 'numpy', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
