"""The cap: what is held back, what is given back, and when the run ends. And the line of progress."""

import asyncio

import pytest

from helpers.budget import MAX_ANSWER, OVERHEAD, Budget, CapReached, Meter, Price, greatest_prompt, price_of

ASKED = [{"role": "user", "content": "Is that so?"}]
MOST = greatest_prompt(ASKED) + MAX_ANSWER


def test_no_text_has_more_tokens_than_are_held_back():
    text = "Ünïcödé \U0001f9ca " * 50
    assert greatest_prompt([{"role": "user", "content": text}]) >= len(text.encode()) + OVERHEAD


def test_a_call_waits_until_what_another_holds_is_given_back():
    async def scene():
        budget = Budget(Price(), max_tokens=MOST + 100)
        first = await budget.reserve(ASKED)
        second = asyncio.create_task(budget.reserve(ASKED))
        await asyncio.sleep(0.01)
        waited = not second.done()
        await budget.settle(first, 50, 0.0)
        await second
        return waited, budget.tokens

    assert asyncio.run(scene()) == (True, 50)


@pytest.mark.parametrize(
    "caps, words", [({"max_tokens": MOST - 1}, "--max-tokens"), ({"max_cost": 1.0}, r"\$0.0000 of \$1.0000")]
)
def test_a_call_that_could_pass_the_cap_is_not_sent(caps, words):
    sent = []
    budget = Budget(Price(1.0, 1.0), note=sent.append, **caps)
    with pytest.raises(CapReached, match=words):
        asyncio.run(budget.reserve(ASKED))
    assert sent == []


def test_a_call_without_an_answer_counts_at_its_dearest_and_one_turned_away_not_at_all():
    async def scene():
        noted = []
        budget = Budget(Price(0.5, 2.0), note=noted.append)
        await budget.lose(await budget.reserve(ASKED))
        await budget.free(await budget.reserve(ASKED))
        return budget.tokens, budget.cost, noted

    tokens, cost, noted = asyncio.run(scene())
    assert (tokens, cost) == (MOST, 0.5 * greatest_prompt(ASKED) + 2.0 * MAX_ANSWER)
    assert [next(iter(line)) for line in noted] == ["sent", "sent", "free"]


def test_what_was_spent_before_counts():
    with pytest.raises(CapReached):
        asyncio.run(Budget(Price(), max_tokens=MOST, spent=(1, 0.0)).reserve(ASKED))


def test_the_price_is_that_of_the_list_and_nothing_is_made_up():
    assert price_of("openai/gpt-4o-mini").answer > price_of("openai/gpt-4o-mini").prompt > 0
    assert price_of("ollama/qwen3") == Price()
    assert price_of("openai/nobody-knows-this") is None


@pytest.mark.parametrize(
    "model", ["dashscope/qwen-flash", "perplexity/sonar", "openai/gpt-4o-search-preview", "gigachat/GigaChat-2"]
)
def test_where_calls_are_not_paid_for_by_the_token_there_is_no_price(model):
    """By tiers, by the search, or with a 0 that nobody filled in: a cap on money could not hold."""
    assert price_of(model) is None


def test_an_answer_is_counted_at_the_price_of_a_thought_where_that_is_the_dearer():
    import litellm

    entry = litellm.model_cost["dashscope/qwen-turbo"]
    assert entry["output_cost_per_reasoning_token"] > entry["output_cost_per_token"]
    assert price_of("dashscope/qwen-turbo").answer == entry["output_cost_per_reasoning_token"]


# -- how far a run is ----------------------------------------------------------------------------------------------


def test_ten_lines_in_all_with_rate_cost_and_time_left():
    said = []
    budget = Budget(Price())
    budget.cost = 0.25
    meter = Meter(200, budget, said.append)
    for done in range(1, 201):
        meter.show(done, 0)
    assert len(said) == 10
    assert said[4].startswith("  100 of 200 records, ")
    assert "a second, $0.2500, " in said[4] and said[4].endswith(" left")


def test_what_was_done_before_does_not_count_as_speed():
    said = []
    meter = Meter(100, Budget(Price()), said.append)
    meter._begun -= 10
    meter.show(91, 4)
    assert "91 of 100 records, 0.1 a second, 4 set aside, 0 tokens, 50 s left" in said[0]


def test_on_a_terminal_one_line_is_written_over(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    meter = Meter(2, Budget(Price()))
    meter.aside("waiting 3 s, 429")
    meter.show(2, 0)
    meter.tell("done")
    out = capsys.readouterr().out
    assert out.count("\n") == 2 and out.count("\r") == 2
    assert out.endswith("done\n")
    assert "[====================]" in out
