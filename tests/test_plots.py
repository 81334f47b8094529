import json
import subprocess
import sys

import pytest
from legible import faults
from salad import salad_set

from helpers import plots, probe
from helpers.errors import UserError
from helpers.picture import LOOKS, render

LOSSES = [{"step": 10, "loss": 2.0}, {"step": 30, "loss": 0.25}, {"step": 30, "eval_loss": 0.5}]


def curve(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_the_loss_is_drawn_and_said_in_words(tmp_path):
    drawn = plots.loss_curve(curve(tmp_path / "loss.jsonl", LOSSES), tmp_path / "loss.png")
    assert drawn.path.exists()
    assert "training loss from 2.00 at step 10 to 0.25 at step 30; validation loss from 0.50" in drawn.alt


def test_a_data_set_is_drawn_and_said_in_words(tmp_path):
    text = plots.dataset_picture(salad_set(8), tmp_path / "set.png").alt
    assert text.startswith("16 dialogues in 8 pairs. disagreement: 2 triggers, 2 controls; ")
    assert "Problem Framer 0, Memory Activator 8, " in text


def test_a_set_of_triggers_alone_is_drawn_and_none_at_all_is_said(tmp_path):
    assert plots.dataset_picture(salad_set(2)[::2], tmp_path / "set.png").path.exists()
    with pytest.raises(UserError, match="no dialogue to draw"):
        plots.dataset_picture([], tmp_path / "none.png")


def test_what_a_base_knows_is_drawn_the_best_known_relation_first_and_said_in_words(tmp_path):
    sorts = {("day", "Monday"): probe.KNOWN, ("day", "Friday"): probe.BETWEEN, ("dish", "sushi"): probe.UNKNOWN}
    text = plots.knowledge_picture(sorts, tmp_path / "known.png").alt
    assert text.startswith("The base knows 1 of 3 facts, 1 now and then, 1 not at all.")
    assert text.endswith("Best known: day, 1 of 2; least known: dish, 0 of 1.")


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_all_can_be_read_from_the_last_row(tmp_path, monkeypatch, look):
    monkeypatch.setattr(plots, "save", lambda paint, out, look: render(paint, look)[0])
    losses = curve(tmp_path / "loss.jsonl", [{"step": n, "loss": 8.0 / n} for n in range(1, 500, 7)])
    assert faults(plots.loss_curve(losses, tmp_path / "loss.png", look)) == []
    assert faults(plots.dataset_picture(salad_set(40), tmp_path / "set.png", look)) == []
    assert faults(plots.knowledge_picture(probe.sorts(), tmp_path / "known.png", look)) == []


@pytest.mark.parametrize("bad", ["", '{"step": 10, "loss": 2', '{"loss": 2}\n', "[1]\n"])
def test_a_broken_curve_is_named_and_no_picture_is_left(tmp_path, bad):
    path = tmp_path / "loss.jsonl"
    path.write_text(bad, encoding="utf-8")
    with pytest.raises(UserError, match=r"loss\.jsonl"):
        plots.loss_curve(path, tmp_path / "loss.png")
    assert not list(tmp_path.glob("*.png*"))


@pytest.mark.parametrize("module", ["plots", "report_plots", "reply_plots", "report_page"])
def test_importing_it_draws_in_no_library_and_needs_no_display(module):
    code = f"import sys, helpers.{module}; print([m for m in ('matplotlib', 'numpy', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
