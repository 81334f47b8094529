"""A run within a time limit is a short whole one: fewer steps, and the learning rate at nothing in the last of them."""

import signal
from dataclasses import replace
from math import isfinite
from types import SimpleNamespace

import pytest
import tiny

from helpers import finetune, watch
from helpers.watch import FIRST


@pytest.fixture(scope="module")
def scale(tmp_path_factory):
    return replace(tiny.scale(tiny.write_base(tmp_path_factory.mktemp("base"))), steps=4000, eval_steps=4000)


@pytest.fixture(scope="module")
def dialogues():
    return tiny.dialogues()


@pytest.fixture
def clocked(monkeypatch):
    """A step takes a tenth of a second, whatever else this machine has to do: {"rates": of every step, "press": ..}."""
    from transformers import TrainerCallback

    seen, clock, build = {"rates": [], "press": 0}, [0.0], finetune.build
    monkeypatch.setattr(watch, "time", SimpleNamespace(perf_counter=lambda: clock[0]))

    class Clock(TrainerCallback):
        def on_step_end(self, args, state, control, lr_scheduler=None, **rest):
            seen["rates"].append(lr_scheduler.get_last_lr()[0])
            clock[0] += 0.1
            if state.global_step == seen["press"]:
                signal.raise_signal(signal.SIGINT)

    def clocked(*arguments):
        trainer, *rest = build(*arguments)
        trainer.add_callback(Clock())
        return trainer, *rest

    monkeypatch.setattr(finetune, "build", clocked)
    return seen


def test_a_run_stops_in_time_and_says_what_it_left_out(scale, dialogues, tmp_path, clocked):
    said = []
    card = finetune.finetune(scale, dialogues, tmp_path / "adapter", progress=said.append, minutes=0.05)
    assert FIRST < card.steps <= 30
    assert f"held {card.steps} of 4000 steps" in card.cut_short
    assert card.cut_short in " ".join(said)
    assert card.command.endswith("--minutes 0.05")
    assert max(clocked["rates"]) > 0
    assert clocked["rates"][-1] < 0.3 * max(clocked["rates"])


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_with_the_minutes_that_are_left(scale, dialogues, tmp_path, clocked):
    clocked["press"] = 12
    with pytest.raises(KeyboardInterrupt):
        finetune.finetune(scale, dialogues, tmp_path / "adapter", progress=lambda _: None, minutes=0.05)
    before = list(clocked["rates"])
    card = finetune.finetune(scale, dialogues, tmp_path / "adapter", progress=lambda _: None, minutes=0.05)
    after = clocked["rates"][len(before) :]
    assert len(before) == 12 and card.steps == 12 + len(after) <= 30
    assert 2.5 < card.seconds <= 3.1
    assert after[0] < before[-1]  # the rate goes on falling: it is the schedule of the short run


def test_a_run_that_ends_at_its_first_step_still_tells_its_loss_and_says_once_what_was_left_out(
    scale, dialogues, tmp_path
):
    said = []
    card = finetune.finetune(scale, dialogues, tmp_path / "adapter", progress=said.append, minutes=1e-6)
    assert card.steps == 1
    assert isfinite(card.train_loss)
    assert sum("of 4000 steps" in line for line in said) == 1


def test_without_a_limit_nothing_is_cut(scale, dialogues, tmp_path):
    card = finetune.finetune(replace(scale, steps=8), dialogues, tmp_path / "adapter", progress=lambda _: None)
    assert (card.steps, card.cut_short) == (8, "")
