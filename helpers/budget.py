"""What a run of calls will cost, what it has cost, and a cap that it cannot pass; and how far the run is."""

from __future__ import annotations

import asyncio
import json
import math
import re
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from helpers.errors import UserError
from helpers.wording import span

MAX_ANSWER = 1024  # tokens an answer may have unless it is said; a thought has about 60, but some models think first
OVERHEAD = 1000  # tokens that a provider may add for the JSON Schema; Anthropic's hidden prompt is the longest
THOUGHT, REPLY = 60, 120  # tokens of a usual answer, for the estimate
CHARACTERS = 4  # of English a token, for the estimate; the cap counts on no such luck
OTHERWISE = {"tiered_pricing", "input_cost_per_request", "input_cost_per_second", "cost_per_second"}  # not by the token
OFTEN = 0.1  # seconds between two writings of the line
BAR = 20  # characters


@dataclass(frozen=True)
class Price:
    """US dollars a token."""

    prompt: float = 0.0
    answer: float = 0.0

    def cost(self, prompt_tokens: int, answer_tokens: int) -> float:
        return prompt_tokens * self.prompt + answer_tokens * self.answer


@dataclass(frozen=True)
class Ticket:
    """Leave to send one call, with the most that it can come to."""

    number: int
    tokens: int
    cost: float


def greatest_prompt(messages: Sequence[dict]) -> int:
    """No tokenizer makes more tokens of a text than it has bytes."""
    return len(json.dumps(list(messages), ensure_ascii=False).encode()) + OVERHEAD


def usual_prompt(messages: Sequence[dict]) -> int:
    return sum(len(message["content"]) for message in messages) // CHARACTERS


def price_of(model: str) -> Price | None:
    """The price in LiteLLM's own list; None where it has none by the token. What runs on this machine costs nothing.

    `get_model_info` fills what is missing with 0, and an entry that says 0 was mostly not filled in: with either a cap
    would never bite. An answer is counted at the dearer of its two prices, since it may hold a thought.
    """
    import litellm

    provider = model.split("/")[0]
    if provider in ("local", "ollama", "ollama_chat", "hosted_vllm", "llamafile", "lm_studio"):
        return Price()
    try:
        entry = litellm.model_cost[litellm.get_model_info(model)["key"]]
    except Exception:  # it raises a bare one for a name that it does not know
        return None
    searches = re.search("perplexity|sonar|search|research", model)  # elsewhere it is a tool that nobody asks for
    otherwise = OTHERWISE | ({"search_context_cost_per_query"} if searches else set())
    prompt, answer = entry.get("input_cost_per_token"), entry.get("output_cost_per_token")
    if not prompt or not answer or otherwise & entry.keys():
        return None
    return Price(prompt, max(answer, entry.get("output_cost_per_reasoning_token") or 0.0))


class CapReached(UserError):
    """The next call might pass the cap, and nothing is under way that could make room."""


class Budget:
    """Tokens and money spent, and held back for calls under way. A cap of None is no cap.

    longest: tokens that an answer may have. note: told of every ticket before its call is sent, so that a killed run
    can be counted at its dearest.
    """

    def __init__(
        self,
        price: Price | None,
        max_cost: float | None = None,
        max_tokens: int | None = None,
        spent: tuple[int, float] = (0, 0.0),
        first: int = 0,
        note: Callable[[dict], None] = lambda line: None,
        longest: int = MAX_ANSWER,
    ):
        self.longest = longest
        self.price = price or Price()
        self.max_cost = math.inf if max_cost is None else max_cost
        self.max_tokens = math.inf if max_tokens is None else max_tokens
        self.tokens, self.cost = spent  # (tokens, dollars)
        self.closed = False
        self._held: dict[int, Ticket] = {}
        self._next, self._note = first, note
        self._changed = asyncio.Condition()

    async def reserve(self, messages: Sequence[dict]) -> Ticket:
        """Wait until the greatest cost of this call fits under the cap; CapReached when it never will."""
        prompt = greatest_prompt(messages)
        tokens, cost = prompt + self.longest, self.price.cost(prompt, self.longest)
        async with self._changed:
            while self.closed or not self._fits(tokens, cost):
                if not self._held:
                    self.closed = True  # for all: a shorter call that still fits would not finish its record
                if self.closed:
                    raise CapReached(self._reached(tokens, cost))
                await self._changed.wait()
            ticket = Ticket(self._next, tokens, cost)
            self._next += 1
            self._held[ticket.number] = ticket
        self._note({"sent": ticket.number, "tokens": tokens, "cost": cost})
        return ticket

    async def settle(self, ticket: Ticket, tokens: int, cost: float) -> None:
        """Count what a call came to, and give back what was held for it."""
        async with self._changed:
            del self._held[ticket.number]
            self.tokens += tokens
            self.cost += cost
            self._changed.notify_all()

    async def lose(self, ticket: Ticket) -> None:
        """A call that went out and brought no answer back may still be on the bill: it counts at its dearest."""
        await self.settle(ticket, ticket.tokens, ticket.cost)

    async def free(self, ticket: Ticket) -> None:
        """A call that the server turned away, or that never reached it."""
        self._note({"free": ticket.number})
        await self.settle(ticket, 0, 0.0)

    def _fits(self, tokens: int, cost: float) -> bool:
        held = self._held.values()
        return (
            self.tokens + sum(t.tokens for t in held) + tokens <= self.max_tokens
            and self.cost + sum(t.cost for t in held) + cost <= self.max_cost
        )

    def _reached(self, tokens: int, cost: float) -> str:
        if self.tokens + tokens > self.max_tokens:
            spent, option = f"{self.tokens:,} of {self.max_tokens:,} tokens are spent", "--max-tokens"
            most = f"{tokens:,} tokens"
        else:
            spent, option = f"${self.cost:.4f} of ${self.max_cost:.4f} are spent", "--max-cost"
            most = f"${cost:.4f}"
        return (
            f"The cap holds: {spent}, and the next call could come to {most}. "
            f"What is done is kept; raise {option} and run the same command again."
        )


# -- how far a run is ----------------------------------------------------------------------------------------------


class Meter:
    """Records, rate, cost and time left: one line that is written over, or about ten lines in all.

    tell: where lines go. On a terminal the line of progress is written over, unless somebody else listens.
    """

    def __init__(self, total: int, budget: Budget, tell: Callable[[str], None] = print):
        self.total, self.budget = total, budget
        self._live = tell is print and sys.stdout.isatty()
        self._tell = (lambda text: print(text, flush=True)) if tell is print else tell
        self._begun = self._last = time.monotonic()
        self._first: int | None = None
        self._tenths = 0
        self._open = False  # whether a line stands there without its end

    def tell(self, text: str) -> None:
        self._end()
        self._tell(text)

    def aside(self, text: str) -> None:
        """Something that passes, such as waiting for a busy server: for the live line only."""
        if self._live:
            self._write(f"  {text}")

    def show(self, done: int, aside: int) -> None:
        """done: records made so far, in earlier runs as well; aside: those set aside."""
        now, finished = time.monotonic(), done + aside
        if self._first is None:
            self._first = finished - 1
        line = self._line(done, aside, now)
        bar = f"  [{'=' * (finished * BAR // self.total):<{BAR}}]"
        tenths = finished * 10 // self.total
        if self._live:
            if now - self._last >= OFTEN or finished == self.total:
                self._last = now
                self._write(bar + line)
        elif tenths > self._tenths:
            self._tell(line)
        self._tenths = tenths

    def close(self) -> None:
        self._end()

    def _line(self, done: int, aside: int, now: float) -> str:
        rate = (done + aside - self._first) / max(1e-6, now - self._begun)
        parts = [f"  {done} of {self.total} records", f"{rate:.1f} a second"]
        parts += [f"{aside} set aside"] * bool(aside)
        parts += [f"${self.budget.cost:.4f}" if self.budget.cost else f"{self.budget.tokens:,} tokens"]
        return ", ".join([*parts, f"{span((self.total - done - aside) / rate)} left"])

    def _write(self, line: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        print(f"\r{line[:width]:<{width}}", end="", flush=True)
        self._open = True

    def _end(self) -> None:
        if self._open:
            print(flush=True)
            self._open = False
