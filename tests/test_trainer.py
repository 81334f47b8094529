"""What is trained on, token by token, and that Unsloth is what would train."""

import os
from dataclasses import replace
from types import SimpleNamespace

import pytest
import tiny

from helpers import chat
from helpers.errors import UserError
from helpers.scale import SCALES
from helpers.scenarios import pairs
from helpers.trainer import (
    VALIDATION,
    as_rows,
    as_text,
    build,
    cpu_dtype,
    engine_of,
    import_unsloth,
    in_batches,
    layers,
    response_parts,
    split_pairs,
)  # fmt: skip


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


def test_the_training_text_is_the_rendered_conversation_character_for_character(dialogues, tokenizer):
    for dialogue in dialogues:
        reply = {"role": "assistant", "content": chat.target(dialogue.thinking, dialogue.final_answer)}
        prompt, completion = as_text(dialogue, tokenizer)
        assert prompt == chat.render(dialogue.turns)
        assert prompt + completion == chat.render([*dialogue.turns, reply], generate=False)
        assert prompt + completion == tokenizer.apply_chat_template([*dialogue.turns, reply], tokenize=False)


def test_every_text_begins_with_exactly_one_start_token(dialogues, tokenizer):
    for row in as_rows(dialogues, tokenizer, 1000):
        assert row["input_ids"][0] == tokenizer.bos_token_id
        assert row["input_ids"].count(tokenizer.bos_token_id) == 1


def test_a_prompt_has_the_same_tokens_alone_as_before_its_completion(dialogues, tokenizer):
    for dialogue, row in zip(dialogues, as_rows(dialogues, tokenizer, 1000), strict=True):
        prompt, completion = as_text(dialogue, tokenizer)
        assert tokenizer(prompt)["input_ids"] + tokenizer(completion)["input_ids"] == row["input_ids"]


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


def test_batches_hold_rows_of_like_length_in_an_order_that_is_not_sorted():
    rows = [{"input_ids": [0] * n} for n in range(1, 81)]
    made = in_batches(rows, replace(SCALES["laptop"], epochs=2, batch=8))
    assert len(made) == 160
    batches = [made[i : i + 8] for i in range(0, 160, 8)]
    firsts = [len(batch[0]["input_ids"]) for batch in batches]
    assert all(len(batch[-1]["input_ids"]) - len(batch[0]["input_ids"]) == 7 for batch in batches)
    assert firsts[:10] != sorted(firsts[:10])
    assert firsts[:10] != firsts[10:]


def test_no_pair_is_torn_between_training_and_validation(dialogues):
    trained, held = split_pairs(dialogues, seed=1)
    assert not {d.pair_id for d in trained} & {d.pair_id for d in held}
    assert len(held) == round(len(dialogues) / 2 * VALIDATION) * 2


def test_a_dialogue_that_is_too_long_is_left_out_whole(dialogues, tokenizer):
    lengths = sorted(len(row["input_ids"]) for row in as_rows(dialogues, tokenizer, 1000))
    assert [len(row["input_ids"]) for row in as_rows(dialogues, tokenizer, lengths[5])].count(lengths[5]) >= 1
    assert all(len(row["input_ids"]) <= lengths[5] for row in as_rows(dialogues, tokenizer, lengths[5]))
    assert as_rows(dialogues, tokenizer, lengths[0] - 1) == []


def test_a_template_without_our_turn_marks_leaves_the_marks_to_unsloth(tokenizer):
    other = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>{% endfor %}<|im_start|>assistant\n"
    )
    assert set(response_parts(tokenizer)) == {"instruction_part", "response_part"}

    class Other:
        chat_template = other

    assert response_parts(Other) == {"last_response_only": True}


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


def test_layers_below_the_first_one_stay_as_they_are(scale):
    model = SimpleNamespace(config=SimpleNamespace(num_hidden_layers=4))
    assert layers(replace(scale, first_layer=0), model) is None
    assert layers(replace(scale, first_layer=2), model) == [2, 3]
    with pytest.raises(UserError, match="has 4 layers, of which scale pocket leaves the lowest 4"):
        layers(replace(scale, first_layer=4), model)


def test_in_bfloat16_the_loss_is_that_of_float32_and_lora_learns_in_float32(scale, dialogues, tmp_path):
    import torch

    if cpu_dtype() != "bfloat16":
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
