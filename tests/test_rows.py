"""What is trained on, token by token."""

from dataclasses import replace

import pytest
import tiny

from helpers import chat
from helpers.errors import UserError
from helpers.rows import VALIDATION, as_rows, as_text, in_batches, response_parts, split_pairs
from helpers.scale import ROOT, SCALES


@pytest.fixture(scope="module")
def dialogues():
    return tiny.dialogues()


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny.write_base(tmp_path_factory.mktemp("base")))


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


def test_what_stands_in_a_pair_that_is_trained_on_is_not_held_back(dialogues):
    again = [replace(d, pair_id=f"again {d.pair_id}") for d in dialogues]
    trained, held = split_pairs([*dialogues, *again], seed=1)
    assert held == [] or not {d.id for d in trained} & {d.id for d in held}
    assert len(trained) < 2 * len(dialogues)


def test_a_reply_that_changes_the_tokens_of_the_prompt_is_refused(dialogues):
    from transformers import AutoTokenizer

    thoughtless = replace(dialogues[0], agents=())
    with pytest.raises(UserError, match=r"Give it a thought\.$"):
        as_rows([thoughtless], AutoTokenizer.from_pretrained(ROOT / "data_samples" / "pocket"), 1000)


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
