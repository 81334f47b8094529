import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.chat import ASSISTANT, BOS, EOS, USER, Reply, parse_reply, render, target

TURNS = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "<think>\nhm\n</think>\n\nHello"},
    {"role": "user", "content": "Why?"},
]


def test_the_prompt_opens_the_thought_and_forgets_earlier_ones():
    assert render(TURNS) == f"{BOS}{USER} Hi{ASSISTANT}Hello{EOS}{USER} Why?{ASSISTANT}<think>\n"


def test_the_training_string_is_the_prompt_with_the_reply_behind_it():
    reply = target("thought", "answer")
    whole = render([*TURNS, {"role": "assistant", "content": reply}], generate=False)
    assert whole == render(TURNS) + reply.removeprefix("<think>\n") + EOS


def test_a_system_prompt_stands_first():
    assert render([{"role": "system", "content": "Be kind."}, TURNS[0]]).startswith(f"{BOS}Be kind.{USER} Hi")


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("a\n</think>\n\nb", Reply("a", "b")),
        ("<think>\na\n</think>\n\nb", Reply("a", "b")),
        ("<think>a<think>b</think>c</think>d", Reply("abc", "d")),
        ("never closed", Reply("never closed", "", False)),
        ("", Reply("", "", False)),
        ("a</think>", Reply("a", "")),
    ],
)
def test_thought_and_answer_are_told_apart(text, reply):
    assert parse_reply(text) == reply


def test_without_a_thought_all_is_answer():
    assert parse_reply("just this", prefilled=False) == Reply("", "just this")


def test_a_reply_that_was_cut_off_is_marked():
    assert not parse_reply("a</think>b", finished=False).complete


@given(st.text())
def test_no_text_breaks_the_parser(text):
    reply = parse_reply(text)
    assert "</think>" not in reply.answer


@given(st.text(alphabet=st.characters(blacklist_categories=("Cs",))).filter(lambda t: "think>" not in t))
def test_what_is_written_is_read_back(text):
    assert parse_reply(target(text, "yes")) == Reply(text.strip(), "yes")
