"""The relay: six personas speak in turn, each hearing all before it; a seventh call writes the answer. Many at once.

What a call must answer is a `Turn` or a `FinalAnswer`, as JSON; what cannot be used is asked for again with the reason.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import replace
from functools import partial
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from helpers import __version__, local_provider
from helpers.budget import CapReached, Meter
from helpers.calls import Declined, Line, Unanswered
from helpers.dialogue import Agent, Dialogue, check
from helpers.errors import UserError
from helpers.journal import Answer, Journal, Shelf
from helpers.personas import PERSONAS, STEPS, again, messages
from helpers.prose import error, tagged
from helpers.schema import RELAY

Shape = TypeVar("Shape", bound=BaseModel)
LONGEST = 1500  # characters; one to three sentences are a fifth of it
AGAIN = 2  # times that an unusable turn is asked once more
HOPELESS = 5  # records set aside and none made: it is the model, not the prompts


# -- what one call must answer -------------------------------------------------------------------------------------


class Invalid(Exception):
    """An answer that cannot be used; the text is the reason, as the model is told it."""


def _text(value: str) -> str:
    value = value.strip()
    if not re.search(r"\w", value):  # small models hand back the dots of the shape that they were shown
        raise ValueError("it holds no word")
    if len(value) > LONGEST:
        raise ValueError(f"it has {len(value)} characters, more than {LONGEST}")
    if found := tagged(value) or error(value):
        raise ValueError(f"it {found}")
    return value


class Turn(BaseModel):
    """One persona's turn. The limits are no part of the JSON Schema, since strict servers refuse such keywords."""

    model_config = ConfigDict(extra="forbid")
    thought_stream: str
    friction_moments: list[str]

    @field_validator("thought_stream")
    @classmethod
    def one_line(cls, value: str) -> str:
        return " ".join(_text(value).split())  # the thoughts of a record stand one a line

    @model_validator(mode="after")
    def moments_are_in_the_thought(self) -> Turn:
        self.friction_moments = [" ".join(moment.split()) for moment in self.friction_moments]
        for moment in self.friction_moments:
            if not moment or moment not in self.thought_stream:
                raise ValueError(f"the friction moment {moment[:60]!r} does not stand in the thought, letter by letter")
        return self


class FinalAnswer(BaseModel):
    """What the user sees."""

    model_config = ConfigDict(extra="forbid")
    final_answer: str

    @field_validator("final_answer")
    @classmethod
    def not_empty(cls, value: str) -> str:
        return _text(value)


def parse(shape: type[Shape], text: str, finish: str) -> Shape:
    """The turn in an answer; Invalid with the reason. A fence around the JSON, or thinking before it, is let pass."""
    if finish == "length":
        raise Invalid("the answer was cut off before its end")
    if finish == "content_filter":
        raise Invalid("the answer was held back by the provider's filter")
    body = text.strip()
    if not body.startswith(("{", "```")):
        body = body.rpartition("</think>")[2].strip()
    fenced = re.fullmatch(r"```(?:json)?\s*(.*?)\s*```", body, re.DOTALL)
    body = fenced[1] if fenced else body
    if not body:
        raise Invalid("the answer is empty")
    try:
        return shape.model_validate_json(body)
    except ValidationError as fault:
        raise Invalid(_why(fault, body)) from None


def _why(found: ValidationError, body: str) -> str:
    fault = found.errors(include_url=False)[0]
    if fault["type"] == "json_invalid":
        kind = "broken JSON" if body.startswith(("{", "[")) else "prose and no JSON"
        return f"the answer is {kind}: {' '.join(body.split())[:60]!r}"
    field = ".".join(map(str, fault["loc"]))
    message = fault["msg"].removeprefix("Value error, ")
    return f"{field}: {message}" if field else message


# -- one record, and many at once ----------------------------------------------------------------------------------

Turned = Turn | FinalAnswer


async def relay(scenario: Dialogue, speak: Callable[[int, list[Agent]], Awaitable[Turned]], about: dict) -> Dialogue:
    """One record: each persona hears all before it, then the answer is written in a call of its own."""
    thoughts: list[Agent] = []
    for step, persona in enumerate(PERSONAS):
        turn = await speak(step, thoughts)
        thoughts.append(Agent(persona.name, turn.thought_stream, tuple(turn.friction_moments)))
    reply = await speak(len(PERSONAS), thoughts)
    metadata = {"language": "en", "licence": "CC-BY-4.0", **scenario.metadata, **about}
    return check(replace(scenario, agents=tuple(thoughts), final_answer=reply.final_answer, metadata=metadata))


class SetAside(Exception):
    """A record that cannot be made; where it failed, and why."""


class Run:
    """One run over the scenarios: who is asked, where the answers go, and what has come of it."""

    def __init__(self, line: Line, journal: Journal, shelf: Shelf, meter: Meter, prompts: int, book):
        self.line, self.journal, self.shelf, self.meter = line, journal, shelf, meter
        self.prompts, self.book = prompts, book
        self.calls = 0
        self.unanswered: list[str] = []
        self.reached: CapReached | None = None

    async def all(self, scenarios: Iterator[Dialogue], concurrency: int) -> None:
        """As many records at a time as asked for; the next scenario is read when a hand is free."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(concurrency):
                    group.create_task(self._work(scenarios))
            problem = self.reached
        except* UserError as several:
            problem = several.exceptions[0]  # the first one stopped the rest
        finally:
            await self.line.close()
        if problem:
            raise problem

    async def _work(self, scenarios: Iterator[Dialogue]) -> None:
        for scenario in scenarios:
            if scenario.id not in self.shelf:
                try:
                    await self._record(scenario)
                except CapReached as reached:  # the others may finish the calls that they are at
                    self.reached = self.reached or reached
                    return
                self.meter.show(len(self.shelf.good), len(self.shelf.bad))

    async def _record(self, scenario: Dialogue) -> None:
        answered = self.journal.known(scenario.id)
        about = {"model": self.line.model, "version": __version__}
        if self.book:
            about["source"] = local_provider.told_source(scenario)
            self.book.open(scenario)
        else:
            about |= {"source": RELAY, "prompt_version": self.prompts}
        try:
            self.shelf.put(await relay(scenario, partial(self._speak, scenario, answered), about))
        except SetAside as fault:
            self.shelf.set_aside(scenario, *fault.args)
            if not self.shelf.good and len(self.shelf.bad) >= HOPELESS:
                raise UserError(
                    f"{self.line.model} was asked for {len(self.shelf.bad)} records and gave none that can be used; "
                    f"the last: {fault.args[1]}. Take another model, or look into {self.shelf.aside}."
                ) from None
        except Unanswered as fault:
            self.unanswered.append(str(fault))
        finally:
            if self.book:
                self.book.close(scenario)

    async def _speak(self, scenario: Dialogue, answered: dict[str, Answer], step: int, thoughts: list[Agent]) -> Turned:
        """One turn that holds what it must; an unusable one is asked again with the reason, at most twice."""
        asked = messages(scenario, thoughts, self.prompts)
        shape = Turn if step < len(PERSONAS) else FinalAnswer
        for attempt in range(AGAIN + 1):
            key = hashlib.sha256(json.dumps([attempt, asked]).encode()).hexdigest()[:24]
            answer = answered.get(key)
            try:
                if answer is None:
                    answer = await self.line.ask(asked, shape, {"record": scenario.id, "step": step})
                    await self.journal.keep(scenario.id, key, answer)
                    self.calls += 1
                return parse(shape, answer.text, answer.finish)
            except Invalid as fault:
                asked, reason = again(asked, answer.text, str(fault)), str(fault)
            except Declined as fault:
                raise SetAside(STEPS[step], str(fault)) from None
        longer = f"; if the model thinks at length: --max-answer {4 * self.line.budget.longest} --fresh"
        raise SetAside(STEPS[step], f"{reason} (asked {AGAIN + 1} times)" + longer * (answer.finish == "length"))


def in_own_loop(work: Coroutine) -> None:
    """Run to the end, in a notebook as well, where a loop is running already; Ctrl-C stops it in either."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    outcome: list[BaseException] = []
    started, loops = threading.Event(), []

    async def main():
        loops.append((asyncio.get_running_loop(), asyncio.current_task()))
        started.set()
        await work

    def run():
        try:
            asyncio.run(main())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run, name="synthesis")
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.1)
    except KeyboardInterrupt:
        started.wait()
        loop, task = loops[0]
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        raise
    if outcome:
        raise outcome[0]
