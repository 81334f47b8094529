"""One call: what is tried again and how long after, what ends the run in one line, and that no key is ever told."""

import asyncio
import time
from dataclasses import replace
from email.utils import formatdate
from types import SimpleNamespace

import pytest
from serving import HASTY, KEY, MODEL, STRICT

from helpers.budget import Budget, Price, greatest_prompt
from helpers.calls import Declined, Line, Patience, Unanswered, check_model, redact, retry_after
from helpers.errors import UserError
from helpers.personas import messages
from helpers.relay import Turn
from helpers.scenarios import pairs
from helpers.stand_in import Reply, StandIn, speak

ASKED = messages(pairs("refusal", "train", 1, seed=0)[0][0], [])


def first(*replies: Reply):
    """These replies first, then proper ones."""
    return lambda request, number: replies[number - 1] if number <= len(replies) else speak(request, number)


def ask(answer, monkeypatch, model=MODEL, times=1, patience=HASTY, budget=None):
    """(answers, server, seconds) of some calls, one after the other; an exception stands in place of its answer."""

    async def calls(line):
        got = []
        for _ in range(times):
            try:
                got.append(await line.ask(ASKED, Turn, {"record": "r", "step": 0}))
            except (Declined, Unanswered, UserError) as error:
                got.append(error)
        await line.close()
        return got

    with StandIn(answer) as server:
        for name in ("HOSTED_VLLM_API_BASE", "OPENAI_API_BASE", "OLLAMA_API_BASE", "ANTHROPIC_API_BASE"):
            monkeypatch.setenv(name, server.url)
        begun = time.monotonic()
        got = asyncio.run(calls(Line(model, budget or Budget(Price()), patience)))
        return got, server, time.monotonic() - begun


def test_a_call_brings_text_and_what_it_came_to(monkeypatch):
    (answer,), server, _ = ask(speak, monkeypatch)
    assert (answer.finish, answer.tokens, answer.ticket) == ("stop", server.billed, 0)
    assert '"thought_stream"' in answer.text


def test_an_answer_without_a_choice_or_with_half_a_character_is_an_answer(monkeypatch):
    whole = StandIn.body
    monkeypatch.setattr(StandIn, "body", lambda self, request, reply: {**whole(self, request, reply), "choices": []})
    (answer,), server, _ = ask(speak, monkeypatch)
    assert (answer.text, answer.tokens) == ("", server.billed)
    monkeypatch.setattr(StandIn, "body", whole)
    (answer,), _, _ = ask(lambda r, n: Reply("Half: \ud83d."), monkeypatch)
    assert answer.text == "Half: ?."


def test_the_shape_goes_along_and_no_docstring_of_ours(monkeypatch):
    _, server, _ = ask(speak, monkeypatch)
    shape = server.requests[0]["response_format"]["json_schema"]
    assert set(shape["schema"]["properties"]) == {"thought_stream", "friction_moments"}
    assert "description" not in shape["schema"]
    assert "metadata" not in server.requests[0]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 529])
def test_a_busy_server_is_asked_again(status, monkeypatch):
    (answer,), server, _ = ask(first(Reply(status=status)), monkeypatch)
    assert (len(server.requests), answer.finish) == (2, "stop")


@pytest.mark.parametrize("fault", [Reply(delay=2.0), Reply(drop=True), Reply(text="<html>", status=500)])
def test_one_that_hangs_or_hangs_up_is_asked_again(fault, monkeypatch):
    (answer,), server, _ = ask(first(fault), monkeypatch, patience=STRICT)
    assert answer.finish == "stop"
    assert len(server.requests) >= 2


def test_retry_after_is_honoured_to_the_second(monkeypatch):
    (answer,), _, seconds = ask(first(Reply(status=429, headers={"Retry-After": 2})), monkeypatch)
    assert answer.finish == "stop"
    assert 2.0 <= seconds < 4.0


def test_retry_after_may_be_a_date():
    class Busy(Exception):
        litellm_response_headers = {"retry-after": formatdate(time.time() + 30, usegmt=True)}  # noqa: RUF012

    assert 28 < retry_after(Busy()) < 31
    Busy.litellm_response_headers = {"retry-after": "soon"}
    assert retry_after(Busy()) is None


@pytest.mark.parametrize("value", ["inf", "nan", "soon"])
def test_a_retry_after_that_is_no_time_is_as_if_it_were_not_there(value):
    assert retry_after(SimpleNamespace(litellm_response_headers={"retry-after": value})) is None


@pytest.mark.parametrize("key", ["ghp_" + "a" * 36, "AKIA" + "A1B2" * 4, "sk_live_" + "a1" * 12])
def test_what_the_linter_knows_as_a_key_is_told_to_nobody(key):
    assert key not in redact(f"bad key {key}")


def test_a_server_that_wants_an_hour_ends_the_run_at_once(monkeypatch):
    (error,), server, _ = ask(lambda r, n: Reply(status=429, headers={"Retry-After": 3600}), monkeypatch)
    assert "again in 3600 s" in str(error)
    assert len(server.requests) == 1


def test_the_pause_doubles_with_jitter_up_to_a_limit():
    patience = Patience(first=1.0, longest=8.0)
    drawn = [[patience.pause(attempt) for _ in range(50)] for attempt in range(6)]
    for most, row in zip((1, 2, 4, 8, 8, 8), drawn, strict=True):
        assert all(0.5 * most <= pause <= most for pause in row)
    assert len(set(drawn[0])) > 40


def test_a_server_that_never_answered_is_tried_less_often_and_ends_the_run(monkeypatch):
    got, server, _ = ask(lambda r, n: Reply(status=503), monkeypatch, times=3)
    assert [type(one).__name__ for one in got] == ["Unanswered", "Unanswered", "UserError"]
    assert "does not answer (503" in str(got[2]) and "run the same command again" in str(got[2])
    assert len(server.requests) == 9


def test_one_prompt_without_an_answer_is_left_out_and_three_in_a_row_end_the_run(monkeypatch):
    got, _, _ = ask(lambda r, n: speak(r, n) if n == 1 else Reply(status=500), monkeypatch, times=4)
    assert [type(one).__name__ for one in got] == ["Answer", "Unanswered", "Unanswered", "UserError"]


@pytest.mark.parametrize(
    "status, model, words",
    [
        (401, "openai/gpt-4o-mini", "openai refuses the key for openai/gpt-4o-mini (401)"),
        (403, "openai/gpt-4o-mini", "refuses the key"),
        (404, "openai/gpt-17", "openai knows no model 'gpt-17' (404)"),
        (404, "ollama/qwen99", "ollama pull qwen99"),
        (404, "gpt-4o-mini", "the server knows no model 'gpt-4o-mini' (404)"),
        (402, "openai/gpt-4o-mini", "no credit"),
    ],
)
def test_what_no_patience_can_mend_is_one_line_at_once(status, model, words, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    (error,), server, _ = ask(lambda r, n: Reply(f"bad key {KEY}", status=status), monkeypatch, model)
    assert isinstance(error, UserError)
    assert words in str(error) and "\n" not in str(error)
    assert sum("messages" in request for request in server.requests) == 1


def test_a_prompt_that_the_server_declines_is_declined_alone(monkeypatch):
    got, _, _ = ask(first(Reply("this prompt is too long", status=400)), monkeypatch, times=2)
    assert [type(one).__name__ for one in got] == ["Declined", "Answer"]
    assert "400: this prompt is too long" in str(got[0])


def test_a_server_that_knows_no_json_schema_is_asked_without_one(monkeypatch):
    (_, answer), server, _ = ask(first(Reply("response_format is not supported", status=400)), monkeypatch, times=2)
    assert answer.finish == "stop"
    assert ["response_format" in request for request in server.requests] == [True, False, False]


def test_an_answer_may_be_as_long_as_the_budget_says_and_counts_as_that_long(monkeypatch):
    budget = Budget(Price(), longest=4096)
    _, server, _ = ask(speak, monkeypatch, budget=budget)
    assert server.requests[0]["max_tokens"] == 4096
    assert asyncio.run(budget.reserve(ASKED)).tokens == greatest_prompt(ASKED) + 4096


def test_no_connection_is_one_line(monkeypatch):
    monkeypatch.setenv("HOSTED_VLLM_API_BASE", "http://127.0.0.1:9/v1")
    budget = Budget(Price(1.0, 1.0))
    with pytest.raises(Unanswered, match="no connection"):
        asyncio.run(Line(MODEL, budget, HASTY).ask(ASKED, Turn, {}))
    assert budget.cost == 0, "what never left this machine costs nothing"


@pytest.mark.parametrize("model", [MODEL, "openai/gpt-4o-mini", "anthropic/claude-haiku-4-5"])
@pytest.mark.parametrize("fault", [Reply(delay=1.5), Reply(drop=True), Reply(garbled=True)])
def test_a_call_that_broke_off_counts_since_it_may_be_on_the_bill(model, fault, monkeypatch):
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, KEY)
    spent = []

    class Watched(Budget):
        async def lose(self, ticket):
            spent.append(ticket.tokens)
            await super().lose(ticket)

    ask(lambda r, n: fault, monkeypatch, model, budget=Watched(Price()), patience=replace(STRICT, tries=1))
    assert len(spent) == 1


@pytest.mark.parametrize("model", [MODEL, "openai/gpt-4o-mini", "anthropic/claude-haiku-4-5"])
@pytest.mark.parametrize("status", [429, 500, 529])
def test_a_call_that_was_turned_away_costs_nothing(model, status, monkeypatch):
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, KEY)
    budget = Budget(Price())
    ask(lambda r, n: Reply(status=status), monkeypatch, model, budget=budget)
    assert budget.tokens == 0


@pytest.mark.parametrize("model, variable", [("openai/x", "OPENAI_API_KEY"), ("anthropic/x", "ANTHROPIC_API_KEY")])
def test_no_key_is_one_line_before_the_first_call(model, variable, monkeypatch):
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(UserError, match=f"{variable} is not set.*--model local"):
        check_model(model)


@pytest.mark.parametrize("name", ["gpt5ultra", "nobody/nothing", ""])
def test_a_name_that_litellm_does_not_know_is_one_line(name):
    with pytest.raises(UserError, match="Expected provider/model, such as ollama"):
        check_model(name)


def test_servers_of_ones_own_need_no_key():
    for model in ("ollama/qwen3", "hosted_vllm/mine"):
        check_model(model)


def test_a_key_is_told_to_nobody(monkeypatch):
    monkeypatch.setenv("MY_PROVIDER_KEY", "plainlookingvalue")
    for text in ("plainlookingvalue", KEY, f"Bearer {KEY}", "hf_" + "a" * 20, "http://me:word@host/v1"):
        assert "[key]" in redact(f"error: {text}!")
    assert redact("error: plainlookingvalue") == "error: [key]"
    assert redact("a key-performance-indicator of sk-ill") == "a key-performance-indicator of sk-ill"


def test_a_server_that_repeats_the_key_does_not_get_it_into_an_answer_or_an_error(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    replies = first(Reply(f"your key is {KEY}"), Reply(f"no: {KEY}", status=400))
    got, server, _ = ask(replies, monkeypatch, "openai/gpt-4o-mini", times=2)
    assert server.keys[0] == f"Bearer {KEY}"
    assert got[0].text == "your key is [key]"
    error: BaseException | None = got[1]
    while error is not None:
        assert KEY not in f"{error!r} {error}"
        error = error.__cause__ or error.__context__
