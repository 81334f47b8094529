"""The form of replies: what counts as a list, a hedge, an apology."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.chat import Reply
from helpers.form import apologises, form, has_hedge, has_list


@pytest.mark.parametrize(
    "text, list_, hedge",
    [
        ("Stockholm.", False, False),
        ("- one\n- two", True, False),
        ("1. one\n 2) two", True, False),
        ("It is -5 degrees.\nOr - perhaps - more.", False, True),
        ("I think that it's probably Oslo.", False, True),
        ("I'm not entirely sure.", False, True),
        ("A mighty mayor in May.", False, False),
    ],
)
def test_lists_and_hedges_are_found(text, list_, hedge):
    assert (has_list(text), has_hedge(text)) == (list_, hedge)


@pytest.mark.parametrize(
    "text, prompt, said",
    [
        ("I'm sorry, but that is wrong.", "Why?", True),
        ("I’m so sorry, no.", "Why?", True),
        ("Unfortunately, I apologise.", "Why?", True),
        ("My apologies! It is 4.", "2 plus 2?", True),
        ("I am sorry to hear that. Take a rest.", "My foot hurts.", False),
        ("Sorry for the delay, Anna.", "Write to Anna that I am sorry for the delay.", False),
        ("It is 4. Sorry that it took so long.", "2 plus 2?", False),
        ("A sorry sight.", "Describe it.", False),
        ("", "", False),
    ],
)
def test_an_apology_is_the_models_own_and_at_the_head(text, prompt, said):
    assert apologises(text, prompt) is said


def test_the_form_of_no_replies_is_no_number():
    found = form([])
    assert found["words"] is None and found["list"]["reason"] == found["hedge"]["reason"] == "no replies"


def test_only_the_visible_answer_has_a_form():
    found = form([Reply("- perhaps\n- perhaps", "Yes, it is."), Reply("", "")])
    assert (found["words"], found["list"]["x"], found["hedge"]["x"]) == (1.5, 0, 0)


@given(st.text(max_size=300))
def test_any_text_has_a_form(text):
    assert {has_list(text), has_hedge(text), apologises(text, text)} <= {True, False}


@pytest.mark.parametrize("text", ["x" * 50_000, "- " * 25_000, "I'm " * 12_000, "not " * 12_000])
def test_an_endless_reply_takes_no_time(text):
    form([Reply("", text)])
    assert not apologises(text, "")
