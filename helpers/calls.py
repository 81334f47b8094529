"""One call to a model through LiteLLM: patient with a busy server, frank in one line about everything else.

Any LiteLLM name will do: `ollama/..`, `openai/..`, `anthropic/..`, `hosted_vllm/..`, and `local`, the offline one.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import random
import re
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING

from helpers.budget import Budget, Ticket
from helpers.chat import THINK, target
from helpers.errors import UserError
from helpers.journal import Answer
from helpers.prose import KEYS

if TYPE_CHECKING:
    from pydantic import BaseModel

# Names of the exceptions, of several libraries, that say that no request has left this machine.
NOT_SENT = {
    "ConnectError", "ConnectTimeout", "ClientConnectorError", "ClientConnectorDNSError", "gaierror",
    "ConnectionRefusedError",
}  # fmt: skip
SECRET = re.compile(r"\b(?:sk-|hf_|gsk_|xai-|AIza)[\w-]{16,}|(?<=Bearer )[\w.~+/-]{16,}|(?<=://)[^/\s@]+:[^/\s@]+(?=@)")
FILTER = re.compile(r"content.?(?:policy|filter|management)|responsible.?ai|safety", re.IGNORECASE)
PREFIX = "litellm:"  # before a name that LiteLLM lists without a provider
GIVEN_UP = 3  # calls in a row without an answer: it is not this one prompt, the server is gone


@dataclass(frozen=True)
class Patience:
    """How long to wait for one answer and between two tries, in seconds; `tries` in all, doubling with jitter."""

    timeout: float = 120.0
    tries: int = 6
    first: float = 1.0
    longest: float = 30.0
    most: float = 300.0  # a server that asks for more is out of service for us

    def pause(self, attempt: int) -> float:
        return random.uniform(0.5, 1.0) * min(self.longest, self.first * 2**attempt)


class Declined(Exception):
    """The server will not answer this one prompt, however often it is asked; filtered: for what it is about."""

    def __init__(self, said: str, filtered: bool = False):
        super().__init__(said)
        self.filtered = filtered


class Unanswered(Exception):
    """Every try failed; another time it may work."""


def litellm_quietly():
    """LiteLLM without banners, debug output and telemetry: its logs would repeat what was sent, and to whom."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it otherwise fetches its price list on import
    import litellm

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    # Of no use to anybody here: its types and this pydantic, and calls that were cut off before they began.
    warnings.filterwarnings("ignore", ".*`ReadOnly` qualifier")
    warnings.filterwarnings("ignore", "coroutine '.*completion' was never awaited", RuntimeWarning)
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy", "httpx", "openai"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return litellm


@cache
def json_schema(shape: type[BaseModel]) -> dict:
    """The shape as servers take it; LiteLLM would work it out anew for every call, which takes half of its time."""
    schema = shape.model_json_schema()
    schema.pop("description", None)  # the docstring speaks to whoever reads the code
    return {"type": "json_schema", "json_schema": {"name": shape.__name__, "schema": schema, "strict": True}}


def route(name: str) -> str:
    """The name as LiteLLM wants it: its `ollama/` flattens a conversation into one prompt of a foreign template."""
    name = name.removeprefix(PREFIX)
    return f"ollama_chat/{name.removeprefix('ollama/')}" if name.startswith("ollama/") else name


def check_model(model: str) -> None:
    """UserError when LiteLLM does not know the name, or the key that it wants is not set."""
    litellm, name = litellm_quietly(), route(model)
    try:
        litellm.get_llm_provider(name)
    except Exception:
        raise UserError(
            f"{model!r} is no model that LiteLLM can reach. Expected provider/model, such as ollama/gemma3, "
            "hosted_vllm/my-model, openai/.., anthropic/.., or local."
        ) from None
    missing = [name for name in litellm.validate_environment(name)["missing_keys"] if re.search("KEY|TOKEN", name)]
    if missing:
        raise UserError(
            f"{model} wants a key, and {missing[0]} is not set. Set it in the environment (a server of your own takes "
            "any word), or work offline with --model local."
        )


class Line:
    """A line to one model. What concerns every call stands here: the pause that a server asked for, whether anybody
    answers at all, and whether the server takes a JSON Schema."""

    def __init__(
        self,
        model: str,
        budget: Budget,
        patience: Patience,
        say: Callable[[str], None] = lambda text: None,
        settings: dict | None = None,
    ):
        """settings: of the sampling, in LiteLLM's words; `max_tokens` must not pass `budget.longest`."""
        self.model, self.budget, self.patience, self.say = model, budget, patience, say
        self.settings = {"max_tokens": budget.longest, **(settings or {})}
        self._litellm = litellm_quietly()
        self._not_before = 0.0
        self._answered, self._silent = False, 0
        self._schema = True

    async def ask(self, messages: Sequence[dict], shape: type[BaseModel] | None, tags: dict) -> Answer:
        """The answer to one call, within the budget. Without a shape it is plain text, a thought between its tags.

        Raises UserError when no call can succeed, CapReached, Declined for this prompt alone, and Unanswered when
        every try failed.
        """
        attempt, with_schema = 0, self._schema and shape is not None
        while True:
            await asyncio.sleep(max(0.0, self._not_before - time.monotonic()))
            ticket = await self.budget.reserve(messages)
            try:
                response = await self._post(messages, shape if with_schema else None, tags)
            except Exception as caught:  # dealt with below, so that what is raised there has no past full of headers
                error = caught
            else:
                self._answered, self._silent = True, 0
                return await self._taken(response, ticket, with_thought=shape is None)
            await self._count(error, ticket)
            if with_schema and _status(error) in (400, 422) and re.search("response_format|schema", str(error)):
                self._schema = with_schema = False  # the prompt asks for JSON as well
                continue
            attempt += 1
            await self._wait(error, attempt)

    async def close(self) -> None:
        """Close the connections that LiteLLM keeps; a later run has a loop of its own and needs new ones."""
        await self._litellm.close_litellm_async_clients()
        self._litellm.in_memory_llm_clients_cache.flush_cache()

    async def _post(self, messages: Sequence[dict], shape: type[BaseModel] | None, tags: dict):
        settings = {"response_format": json_schema(shape)} if shape else {}
        # LiteLLM's timeout bounds the silence between two bytes; a server that drips would never reach it.
        async with asyncio.timeout(self.patience.timeout * 2):
            return await self._litellm.acompletion(
                model=route(self.model), messages=list(messages), metadata=tags, drop_params=True,
                timeout=self.patience.timeout, num_retries=0, max_retries=0, **self.settings, **settings,
            )  # fmt: skip

    async def _taken(self, response, ticket: Ticket, with_thought: bool) -> Answer:
        usage, choice = response.usage, next(iter(response.choices), None)
        if usage and usage.total_tokens:
            tokens = max(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
            cost = self.budget.price.cost(usage.prompt_tokens, tokens - usage.prompt_tokens)
        else:  # a server that does not count is taken at its dearest
            tokens, cost = ticket.tokens, ticket.cost
        await self.budget.settle(ticket, tokens, cost)
        if choice is None:
            return Answer("", "", tokens, cost, ticket.number)
        text, thought = choice.message.content or "", getattr(choice.message, "reasoning_content", None)
        if thought and with_thought:
            text = target(thought, text) if text else f"{THINK}\n{thought}"
        text = text.encode("utf-8", "replace").decode()  # half a character could not be written down
        return Answer(redact(text), choice.finish_reason or "", tokens, cost, ticket.number)

    async def _count(self, error: Exception, ticket: Ticket) -> None:
        """What was never sent is not billed, nor what came back with the status of a fault; the rest may be."""
        causes = {type(link).__name__ for link in _chain(error)}
        status = _status(error)
        if causes & NOT_SENT or "HTTPStatusError" in causes or (400 <= status < 500 and status != 408):
            await self.budget.free(ticket)
        else:
            await self.budget.lose(ticket)

    async def _wait(self, error: Exception, attempt: int) -> None:
        """Sleep before the next try, or raise what ends the trying."""
        status, said = _status(error), first_line(error)
        _raise_if_final(error, status, said, self.model)
        wanted = retry_after(error)
        tries = self.patience.tries if self._answered else min(3, self.patience.tries)
        too_long = (wanted or 0) > self.patience.most
        if attempt >= tries or too_long:
            self._silent += 1
            if too_long or self._silent >= GIVEN_UP:
                later = f"in {wanted:.0f} s" if wanted else "when it is back"
                raise UserError(
                    f"{self.model} does not answer ({said}). What is done is kept; run the same command again {later}."
                )
            raise Unanswered(said)
        pause = self.patience.pause(attempt - 1)
        if wanted:  # the server speaks for all calls; the jitter keeps them from coming back in one moment
            self._not_before = max(self._not_before, time.monotonic() + wanted)
            pause = wanted + random.uniform(0, 0.1 * wanted)
        self.say(f"waiting {pause:.0f} s, {said}")
        await asyncio.sleep(pause)


def _raise_if_final(error: Exception, status: int, said: str, model: str) -> None:
    provider, _, name = model.removeprefix(PREFIX).rpartition("/")
    provider = provider.split("/")[0] or "the server"
    if status in (401, 403):
        raise UserError(f"{provider} refuses the key for {model} ({status}). Check the key in the environment.")
    if status == 404:
        pull = f" or fetch it: ollama pull {name}" if provider.startswith("ollama") else ""
        raise UserError(f"{provider} knows no model {name!r} (404). Check the name{pull}.")
    if status == 402 or "insufficient_quota" in str(error):
        raise UserError(f"{provider} says that the account has no credit. What is done is kept.")
    if 400 <= status < 500 and status not in (408, 409, 425, 429):
        raise Declined(f"the server declined it ({said})", bool(FILTER.search(f"{type(error).__name__} {error}")))


def plain_error(error: Exception, model: str) -> UserError:
    """The same in one line, for a call that is not tried again."""
    try:
        _raise_if_final(error, _status(error), first_line(error), model)
    except UserError as told:
        return told
    except Declined as told:
        return UserError(f"{model}: {told}.")
    return UserError(f"{model} does not answer ({first_line(error)}). Is its server running?")


def _status(error: Exception) -> int:
    return 408 if isinstance(error, TimeoutError) else int(getattr(error, "status_code", 0) or 0)


def _chain(error: BaseException | None):
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def retry_after(error: Exception) -> float | None:
    """Seconds that the server asks us to wait; the header holds seconds or a date (RFC 9110, 10.2.3)."""
    headers = getattr(error, "litellm_response_headers", None) or getattr(
        getattr(error, "response", None), "headers", {}
    )
    value = headers.get("retry-after")
    if not value:
        return None
    try:
        seconds = float(value)
        return max(0.0, seconds) if math.isfinite(seconds) else None
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def first_line(error: Exception) -> str:
    """What went wrong, short enough for one line, without a secret in it."""
    for link in _chain(error):
        if type(link).__name__ in NOT_SENT:
            return "no connection"
    status = _status(error)
    if status == 408:
        return "no answer in time"
    text = redact(" ".join(str(error).split()))
    inner = re.search(r'"message": *"([^"]+)"', text)
    text = inner[1] if inner else re.sub(r"^(litellm\.)?(\w+(Error|Exception): )*(\w+Exception - )?", "", text)
    return f"{status}: {text[:100]}" if status else text[:100]


def redact(text: str) -> str:
    """The text without anything that looks like a key, or is one of those in the environment."""
    for name, value in os.environ.items():
        if len(value) >= 8 and re.search(r"KEY|TOKEN|SECRET|PASSWORD", name.upper()) and value in text:
            text = text.replace(value, "[key]")
    return KEYS.sub("[key]", SECRET.sub("[key]", text))
