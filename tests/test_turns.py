"""What a turn must hold, and what is said of one that does not."""

import json

import pytest

from helpers.turns import FinalAnswer, Invalid, Turn, parse


def turn(thought: str = "I doubt that this holds.", *moments: str) -> str:
    return json.dumps({"thought_stream": thought, "friction_moments": list(moments)})


def test_a_turn_is_read():
    made = parse(Turn, turn("I doubt that\n  this holds.", "doubt that\nthis"), "stop")
    assert (made.thought_stream, made.friction_moments) == ("I doubt that this holds.", ["doubt that this"])


@pytest.mark.parametrize("wrapped", ["```json\n{}\n```", "```\n{}\n```", "<think>Hm, {{}}</think>\n{}", "\n {} \n"])
def test_a_fence_and_thinking_before_it_are_let_pass(wrapped):
    assert parse(Turn, wrapped.replace("{}", turn()).replace("{{", "{"), "stop").friction_moments == []


@pytest.mark.parametrize(
    "text, finish, reason",
    [
        ("Sure! I think so.", "stop", "prose and no JSON: 'Sure! I think so.'"),
        ('{"thought_stream": "I dou', "stop", "broken JSON"),
        (turn(), "length", "cut off"),
        (turn(), "content_filter", "filter"),
        ("", "stop", "the answer is empty"),
        ("```json\n```", "stop", "the answer is empty"),
        ("[]", "stop", "object"),
        ('{"thought_stream": "Hm."}', "stop", "friction_moments: Field required"),
        ('{"thought_stream": "Hm.", "friction_moments": [], "mood": 1}', "stop", "mood: Extra"),
        ('{"thought_stream": 3, "friction_moments": []}', "stop", "thought_stream: Input should be a valid string"),
        (turn("  "), "stop", "thought_stream: it holds no word"),
        (turn("..", ".."), "stop", "thought_stream: it holds no word"),
        (turn("x" * 2000), "stop", "thought_stream: it has 2000 characters"),
        (turn("So be it.</think>"), "stop", "tag </think>"),
        (turn("So be it.<|im_end|>"), "stop", "tag <|im_end|>"),
        (turn("I doubt it.", "I do doubt it"), "stop", "'I do doubt it' does not stand in the thought"),
        (turn("I doubt it.", ""), "stop", "does not stand in the thought"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(text, finish, reason):
    with pytest.raises(Invalid) as fault:
        parse(Turn, text, finish)
    assert reason in str(fault.value)
    assert "\n" not in str(fault.value)


def test_the_answer_is_taken_as_it_is_written():
    said = parse(FinalAnswer, '{"final_answer": " Two lines.\\n\\nHere. "}', "stop")
    assert said.final_answer == "Two lines.\n\nHere."
    with pytest.raises(Invalid, match="final_answer: it holds no word"):
        parse(FinalAnswer, '{"final_answer": ""}', "stop")
