"""That Unsloth is what would train, on the labels that are ours, in the layers and the precision asked for."""

import os
from dataclasses import replace
from types import SimpleNamespace

import pytest
import tiny

from helpers import chat, trainer
from helpers.errors import UserError
from helpers.natural_report import computes_in_bfloat16
from helpers.rows import as_rows, split_pairs
from helpers.scale import SCALES
from helpers.scenarios import pairs
from helpers.trainer import build, engine_of, import_unsloth, layers


@pytest.fixture(scope="module")
def dialogues():
    return tiny.dialogues()


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny.write_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def scale(base):
    return tiny.scale(base)


@pytest.fixture(scope="module")
def tokenizer(base):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(base)


def test_unsloth_labels_the_last_reply_alone_with_thoughts_and_end_token(scale, tokenizer, tmp_path):
    pressed = [d for pair in pairs("disagreement", "train", 6, 0, rebuttals=3) for d in pair]
    trainer, plain_because, _ = build(scale, pressed, tmp_path)
    assert plain_because == ""
    trained, _ = split_pairs(pressed, scale.seed)
    for dialogue, row in zip(trained, trainer.train_dataset, strict=True):
        labelled = tokenizer.decode([label for label in row["labels"] if label != -100])
        assert labelled == f"{dialogue.thinking}\n{chat.END_THINK}\n\n{dialogue.final_answer}{chat.EOS}"
        assert sum(turn["role"] == "assistant" for turn in dialogue.turns) == 3  # none of which is trained on


def test_labels_set_without_unsloth_are_the_ones_that_unsloth_sets(scale, tokenizer, dialogues, tmp_path):
    trainer, _, _ = build(scale, dialogues, tmp_path)
    own = as_rows(split_pairs(dialogues, scale.seed)[0], tokenizer, scale.max_seq_length)
    assert [row["labels"] for row in own] == list(trainer.train_dataset["labels"])


def test_what_is_trained_on_and_therefore_not_held_back_does_not_count_as_too_long(scale, dialogues, tmp_path):
    read = [*dialogues, *(replace(d, pair_id=f"again {d.pair_id}") for d in dialogues[: len(dialogues) // 2])]
    assert sum(map(len, split_pairs(read, scale.seed, scale.validation))) < len(read)  # else this proves nothing
    assert build(scale, read, tmp_path)[2] == 0
    with pytest.raises(UserError, match="Too few dialogues"):
        build(scale, [*dialogues, *(replace(d, pair_id=f"again {d.pair_id}") for d in dialogues)], tmp_path)


def test_the_engine_is_read_off_the_code_that_computes_the_loss(scale, dialogues, tmp_path):
    trainer, _, _ = build(scale, dialogues, tmp_path)
    assert engine_of(trainer).startswith("unsloth: unsloth_zoo/cpu/")

    class Stock:
        def compute_loss(self): ...

        training_step = __init__ = compute_loss

    assert engine_of(Stock()).startswith("plain: ")


def test_unsloth_is_never_free_to_install_whatever_the_environment_says(monkeypatch):
    monkeypatch.setenv("UNSLOTH_AUTO_INSTALL", "1")
    assert import_unsloth() == ""
    assert os.environ["UNSLOTH_AUTO_INSTALL"] == "0"


def test_too_little_memory_for_a_training_is_said_before_it_begins(monkeypatch):
    laptop = SCALES["laptop"]
    for free, sparing in ((12e9, False), (4e9, True)):
        monkeypatch.setattr(trainer, "free_memory", lambda free=free: free)
        assert trainer.checkpointing(laptop, gpu=False) == sparing
    monkeypatch.setattr(trainer, "free_memory", lambda: 1e9)
    with pytest.raises(UserError, match=r"1\.0 GB of memory are free; .* needs at the least 2\.5"):
        trainer.checkpointing(laptop, gpu=False)


@pytest.mark.parametrize("said", ["We couldn't connect to the Hub.\nAnd more.", ""])
def test_a_base_that_cannot_be_loaded_is_told_in_one_line(said, scale, dialogues, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(said)

    monkeypatch.setattr(trainer, "load_unsloth", fail)
    with pytest.raises(
        UserError, match=r"cannot be loaded: (We couldn't connect to the Hub\.|OSError) Expected a model"
    ) as told:
        build(replace(scale, model="nobody/nowhere"), dialogues, tmp_path)
    assert "\n" not in str(told.value)


def test_layers_below_the_first_one_stay_as_they_are(scale):
    model = SimpleNamespace(config=SimpleNamespace(num_hidden_layers=4))
    assert layers(replace(scale, first_layer=0), model) is None
    assert layers(replace(scale, first_layer=2), model) == [2, 3]
    with pytest.raises(UserError, match="has 4 layers, of which scale pocket leaves the lowest 4"):
        layers(replace(scale, first_layer=4), model)


def test_in_bfloat16_the_loss_is_that_of_float32_and_lora_learns_in_float32(scale, dialogues, tmp_path):
    import torch

    if not computes_in_bfloat16():
        pytest.skip("this CPU has no instructions for bfloat16, so nothing is trained in it")
    losses = {}
    for dtype in ("float32", "bfloat16"):
        trainer, _, _ = build(replace(scale, dtype=dtype), dialogues, tmp_path)
        batch = trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))
        with trainer.accelerator.autocast():
            loss = trainer.compute_loss(trainer.model, batch)
        loss.backward()
        losses[dtype] = loss.item()
        learning = [p for p in trainer.model.parameters() if p.requires_grad]
        assert {(p.dtype, p.grad.dtype) for p in learning} == {(torch.float32, torch.float32)}
    assert trainer.args.bf16 and trainer.model.config._attn_implementation == "eager"
    casting = [getattr(m, "cast_input_dtype_enabled", None) for m in trainer.model.modules()]
    assert False in casting and True not in casting
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.01)


@pytest.mark.slow
def test_four_bit_leaves_the_base_in_nf4_and_trains_only_lora(scale, dialogues, tmp_path):
    trainer, _, _ = build(replace(scale, four_bit=True), dialogues, tmp_path)
    quantised = [m for m in trainer.model.modules() if type(m).__module__.startswith("bitsandbytes")]
    assert len(quantised) == 7
    assert {m.weight.quant_type for m in quantised} == {"nf4"}
    assert all("lora_" in name for name, p in trainer.model.named_parameters() if p.requires_grad)
