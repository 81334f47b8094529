"""The offline provider: LiteLLM calls it like any other, and no model speaks.

In the pocket world it writes the turns from the world's grammar; for scenarios that come with recorded turns it plays
those back. Which of the two it does stands in `metadata.source`.
"""

from __future__ import annotations

import json
from functools import cache

from helpers.budget import CHARACTERS, usual_prompt
from helpers.calls import litellm_quietly
from helpers.dialogue import Dialogue
from helpers.errors import UserError
from helpers.personas import PERSONAS
from helpers.prose import mask
from helpers.scenarios import relay_thoughts, task_words
from helpers.schema import POCKET_GOLD
from helpers.world import Fact, facts, relations, say

NAME = "local"
GRAMMAR, RECORDED = "pocket world grammar", "recorded turns, replayed"
REPLIES = {
    "disagreement": {"trigger": "correct", "control": "agree"},
    "uncertainty": {"trigger": "doubt", "control": "answer"},
    "clarification": {"trigger": "clarify", "control": "comply"},
    "refusal": {"trigger": "refuse", "control": "grant"},
}
PRESSED = {"trigger": "hold", "control": "accept"}


def source(scenario: Dialogue) -> str:
    """Where the turns for a scenario come from; UserError when there are none to be had offline."""
    if [agent.agent_type for agent in scenario.agents] == [p.name for p in PERSONAS] and scenario.final_answer:
        return RECORDED
    if set(scenario.gold) == set(POCKET_GOLD[scenario.kind]):
        return GRAMMAR
    raise UserError(
        "offline there are turns for the pocket world and for recorded dialogues only, and "
        f"{mask(scenario.user_input)[:60]!r} is neither. Name a model, such as --model ollama/gemma3."
    )


def told_source(scenario: Dialogue) -> str:
    """The source as a record tells it: what is played back keeps the name of who wrote it."""
    first = scenario.metadata.get("source")
    return f"{RECORDED} ({first})" if source(scenario) == RECORDED and first else source(scenario)


def spoken(scenario: Dialogue) -> list[dict]:
    """The seven answers to a scenario, in the order of the calls."""
    if source(scenario) == RECORDED:
        agents, answer = scenario.agents, scenario.final_answer
    else:
        try:
            words = _words(scenario)
            agents = relay_thoughts(scenario.kind, scenario.role, words)
            pressed = scenario.kind == "disagreement" and len(scenario.turns) > 1
            answer = say("replies", PRESSED[scenario.role] if pressed else REPLIES[scenario.kind][scenario.role], words)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(
                f"the gold of {mask(scenario.user_input)[:60]!r} names what the pocket world does not hold: {error}"
            ) from None
    turns = [{"thought_stream": a.thought_stream, "friction_moments": list(a.friction_moments)} for a in agents]
    return [*turns, {"final_answer": answer}]


def _words(scenario: Dialogue) -> dict:
    """The fillers of the grammar's forms; all that they need stands in the gold."""
    gold = scenario.gold
    if scenario.kind == "disagreement":
        return relations()[gold["relation"]].words(gold["subject"], gold["claim"], gold["value"])
    if scenario.kind == "uncertainty":
        return _known()[gold["np"]].words() if gold["value"] else {"np": gold["np"]}
    if scenario.kind == "clarification":
        return task_words(gold["task"], gold["given"])
    return {"item": gold["item"]}


@cache
def _known() -> dict[str, Fact]:
    return {fact.words()["np"]: fact for fact in facts()}


class Book:
    """The scenarios that are being answered: a call says only which one it is for."""

    def __init__(self):
        self._open: dict[str, list[dict]] = {}

    def open(self, scenario: Dialogue) -> None:
        self._open[scenario.id] = spoken(scenario)

    def close(self, scenario: Dialogue) -> None:
        del self._open[scenario.id]

    def turn(self, record: str, step: int) -> str:
        return json.dumps(self._open[record][step], ensure_ascii=False)


def register() -> Book:
    """Make `local` a provider of LiteLLM; returns the book that its calls are answered from."""
    litellm = litellm_quietly()
    book = Book()

    class Offline(litellm.CustomLLM):
        async def acompletion(self, model, messages, litellm_params, **rest):
            tags = litellm_params["metadata"]
            text = book.turn(tags["record"], tags["step"])
            asked, said = usual_prompt(messages), len(text) // CHARACTERS  # nobody counts tokens here
            return litellm.ModelResponse(
                model=model,
                choices=[{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
                usage=litellm.Usage(prompt_tokens=asked, completion_tokens=said, total_tokens=asked + said),
            )

    others = [entry for entry in litellm.custom_provider_map if entry["provider"] != NAME]
    litellm.custom_provider_map = [*others, {"provider": NAME, "custom_handler": Offline()}]
    return book
