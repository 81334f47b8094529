"""The relay itself: what a turn must hold; seven calls, what each hears, what becomes of an answer of no use."""

import json
from collections import Counter

import pytest
from serving import PROSE, lines, run

from helpers.dialogue import read_dialogues
from helpers.errors import UserError
from helpers.personas import PERSONAS, PROMPT_VERSION
from helpers.relay import FinalAnswer, Invalid, Turn, parse
from helpers.stand_in import Reply, StandIn, speak

# -- what one call must answer -------------------------------------------------------------------------------------


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


# -- one record, and many at once ----------------------------------------------------------------------------------


def who(request: dict) -> str:
    """The persona that a request speaks to."""
    text = request["messages"][0]["content"]
    return next((p.name for p in PERSONAS if f"You are the {p.name}" in text), "final answer")


def spoilt(reply: Reply, persona: str = "Mechanism Explorer", times: int = 10**9):
    """One persona gives this reply, the first so many times."""
    left = [times]

    def answer(request, number):
        if who(request) == persona and left[0]:
            left[0] -= 1
            return reply
        return speak(request, number)

    return answer


def test_a_record_takes_seven_calls_in_the_order_of_the_personas(tmp_path):
    with StandIn() as server:
        outcome = run(server, tmp_path / "out.jsonl", count=2, concurrency=1)
    assert [who(request) for request in server.requests] == [*(p.name for p in PERSONAS), "final answer"] * 2
    assert (outcome.records, outcome.calls, outcome.tokens) == (2, 14, server.billed)


def test_each_call_holds_the_very_words_that_were_said_before(tmp_path):
    with StandIn() as server:
        run(server, tmp_path / "out.jsonl", count=2, concurrency=1)
    calls_of = (server.requests[:7], server.requests[7:])
    for dialogue, calls in zip(read_dialogues(tmp_path / "out.jsonl"), calls_of, strict=True):
        for step, request in enumerate(calls):
            heard = [agent.thought_stream in request["messages"][1]["content"] for agent in dialogue.agents]
            assert heard == [i < step for i in range(6)]


def test_a_record_says_who_wrote_it_and_by_which_prompts(tmp_path):
    with StandIn() as server:
        run(server, tmp_path / "out.jsonl", count=2)
    for dialogue in read_dialogues(tmp_path / "out.jsonl"):
        assert dialogue.metadata["model"] == "hosted_vllm/stand-in"
        assert dialogue.metadata["source"] == "relay through LiteLLM"
        assert (dialogue.metadata["prompt_version"], dialogue.metadata["licence"]) == (PROMPT_VERSION, "CC-BY-4.0")


@pytest.mark.parametrize(
    "bad, reason",
    [
        (PROSE, "the answer is prose and no JSON"),
        (Reply(""), "the answer is empty"),
        (Reply('{"thought_stream": "I wo', finish="length"), "cut off"),
        (Reply('{"thought_stream": "Hm.", "friction_moments": ["not there"]}'), "does not stand in the thought"),
    ],
)
def test_an_unusable_turn_is_asked_again_with_the_reason(bad, reason, tmp_path):
    with StandIn(spoilt(bad, times=2)) as server:
        outcome = run(server, tmp_path / "out.jsonl", count=2, concurrency=1)
    assert (outcome.records, outcome.set_aside, outcome.calls) == (2, 0, 16)
    pleas = [request["messages"][-1]["content"] for request in server.requests if len(request["messages"]) > 2]
    assert len(pleas) == 2
    assert all(reason in plea for plea in pleas)


def test_after_three_times_the_record_is_set_aside_with_its_reason_and_its_text_is_no_record(tmp_path):
    out = tmp_path / "out.jsonl"

    def bad(request, number):
        gold = '"harmful": true' in request["messages"][1]["content"]
        return PROSE if gold and who(request) == "Mechanism Explorer" else speak(request, number)

    with StandIn(bad) as server:
        outcome = run(server, out, count=10)
    assert (outcome.records, outcome.set_aside) == (9, 1)
    (aside,) = lines(tmp_path / "out.set-aside.jsonl")
    assert aside["step"] == "Mechanism Explorer"
    assert aside["reason"].startswith("the answer is prose and no JSON") and aside["reason"].endswith("(asked 3 times)")
    assert "Sure!" not in out.read_text("utf-8")
    assert aside["id"] not in {d.id for d in read_dialogues(out)}
    asked = Counter(json.dumps(request["messages"][:2]) for request in server.requests)
    assert sorted(asked.values())[-2:] == [1, 3]


def test_what_was_set_aside_is_not_asked_again(tmp_path):
    test_after_three_times_the_record_is_set_aside_with_its_reason_and_its_text_is_no_record(tmp_path)
    with StandIn() as server:
        outcome = run(server, tmp_path / "out.jsonl", count=10)
    assert (server.requests, outcome.calls, outcome.records, outcome.set_aside) == ([], 0, 9, 1)


@pytest.mark.parametrize("bad", [PROSE, Reply(""), Reply("{", finish="length")])
def test_a_model_that_gives_nothing_usable_ends_the_run_in_one_line(bad, tmp_path):
    with StandIn(lambda request, number: bad) as server, pytest.raises(UserError) as error:
        run(server, tmp_path / "out.jsonl", count=100, concurrency=2)
    assert "gave none that can be used" in str(error.value) and "\n" not in str(error.value)
    assert len(server.requests) <= 21, "not a hundred records at three calls each"
    assert not (tmp_path / "out.jsonl").exists()


def test_a_short_run_that_gives_nothing_says_so_too(tmp_path):
    with StandIn(lambda request, number: PROSE) as server, pytest.raises(UserError, match=r"No record came .*prose"):
        run(server, tmp_path / "out.jsonl", count=2)


def test_a_prompt_that_the_server_declines_is_set_aside_and_the_others_are_made(tmp_path):
    def answer(request, number):
        declines = '"harmful": true' in request["messages"][1]["content"]
        return Reply("content policy", status=400) if declines else speak(request, number)

    with StandIn(answer) as server:
        outcome = run(server, tmp_path / "out.jsonl", count=10)
    assert (outcome.records, outcome.set_aside) == (9, 1)
    assert "the server declined it (400: content policy)" in lines(tmp_path / "out.set-aside.jsonl")[0]["reason"]


def test_a_prompt_on_which_the_server_fails_is_asked_for_in_the_next_run(tmp_path):
    def answer(request, number):
        fails = '"harmful": true' in request["messages"][1]["content"]
        return Reply(status=500) if fails else speak(request, number)

    with StandIn(answer) as server, pytest.raises(UserError, match=r"1 of 10 records got no answer .*500"):
        run(server, tmp_path / "out.jsonl", count=10)
    with StandIn() as server:
        outcome = run(server, tmp_path / "out.jsonl", count=10)
    assert (outcome.records, outcome.set_aside, outcome.calls) == (10, 0, 7)
