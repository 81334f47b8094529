import itertools

import pytest

from helpers.chat import END_THINK, EOS, POCKET_TEMPLATE, THINK, render
from helpers.pocket import POCKET_DIR, Recipe, batches, build_tokenizer
from helpers.world import facts, gaps


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(POCKET_DIR)


def test_every_name_is_one_token_with_its_leading_space(tokenizer):
    names = {name for fact in facts() for name in (fact.subject, fact.value)} | {gap.subject for gap in gaps()}
    assert not [name for name in names if len(tokenizer.tokenize(f" {name}")) != 1]


def test_a_decoded_reply_shows_its_thought_and_no_turn_marks(tokenizer):
    ids = tokenizer(f"{THINK}\nhm\n{END_THINK}\n\nyes{EOS}", add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == f"{THINK}\nhm\n{END_THINK}\n\nyes"


def test_the_shipped_template_is_that_of_the_course_to_the_letter(tokenizer):
    assert tokenizer.chat_template == POCKET_TEMPLATE  # `compare` knows the pocket model by it


def test_the_tokenizer_renders_the_prompt_that_the_course_renders(tokenizer):
    turns = [
        {"role": "user", "content": "Is it?"},
        {"role": "assistant", "content": "No."},
        {"role": "user", "content": "Why?"},
    ]
    assert tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True) == render(turns)


def test_the_shipped_base_is_loaded_by_plain_transformers():
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(POCKET_DIR)
    assert type(model).__name__ == "Qwen2ForCausalLM"
    assert 1e6 <= sum(p.numel() for p in model.parameters()) <= 4e6


@pytest.mark.slow
def test_the_shipped_tokenizer_is_the_one_that_the_code_builds(tokenizer):
    assert build_tokenizer().get_vocab() == tokenizer.get_vocab()


def test_labels_stand_on_the_completion_alone_and_resuming_continues_the_stream(tokenizer):
    recipe = Recipe(batch=4)
    straight = list(itertools.islice(batches(recipe, tokenizer), 40))
    for ids, labels in straight:
        kept = labels != -100
        assert kept.any(1).all() and (ids[kept] == labels[kept]).all()
        assert (labels[:, 0] == -100).all()
    resumed = next(iter(batches(recipe, tokenizer, skip=37)))
    assert all((a == b).all() for a, b in zip(straight[37], resumed, strict=True))
