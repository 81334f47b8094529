"""A model behind LiteLLM with the interface of ours: `replies`, `answers`, `stream`. Its tokens stay with its server.

`ollama/NAME` is asked through Ollama's chat, so that the model's own template applies. Replies are greedy as far as a
server allows that: temperature 0 and a seed; two runs may still differ by a word.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import re
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from helpers.artefacts import ROOT
from helpers.budget import MAX_ANSWER, Budget, Price
from helpers.calls import (
    PREFIX,
    Declined,
    Line,
    Patience,
    Unanswered,
    check_model,
    litellm_quietly,
    plain_error,
    route,
)
from helpers.chat import END_THINK, THINK, Reply, parse_reply
from helpers.errors import UserError
from helpers.model import MAX_NEW_TOKENS, Model

# The usual ones. LiteLLM knows about 190, but to import it takes seconds: it is asked about the rest, see `is_named`.
PROVIDERS = frozenset({
    "anthropic", "azure", "azure_ai", "bedrock", "cerebras", "cohere", "cohere_chat", "deepinfra", "deepseek",
    "fireworks_ai", "gemini", "groq", "hosted_vllm", "huggingface", "litellm_proxy", "llamafile", "lm_studio",
    "mistral", "nvidia_nim", "ollama", "ollama_chat", "openai", "openrouter", "perplexity", "sambanova",
    "together_ai", "vertex_ai", "watsonx", "xai",
})  # fmt: skip
LOCAL = ("ollama", "ollama_chat", "llamafile", "lm_studio")  # one machine: one reply at a time, which may take minutes
SLOW = Patience(timeout=600.0, tries=3)
SEED = 0
OLLAMA = "http://localhost:11434"


def is_named(name: object) -> bool:
    """Whether LiteLLM is meant: `provider/model`, or `litellm:` before a name without provider, as LiteLLM lists some.

    A folder here, or a Hub id such as `unsloth/Qwen3`, is not. Where a prefix is a provider and an owner on the Hub as
    well (`openai/..`, `databricks/..`), the provider is meant, but for the unusual ones what the Hub's cache holds is
    the Hub's. LiteLLM is imported only where nothing else decides.
    """
    provider, slash, model = str(name).partition("/")
    if str(name).startswith(PREFIX) or (slash and model and provider in PROVIDERS):
        return True
    shaped = model and re.fullmatch(r"[a-z][a-z0-9_-]*", provider)  # as all of LiteLLM's are
    if not shaped or any((place / provider).exists() for place in (Path(), ROOT)) or _from_hub(str(name)):
        return False
    litellm = litellm_quietly()
    try:
        return provider in litellm.provider_list or litellm.get_llm_provider(str(name))[1] == provider
    except Exception:  # it raises what it likes for a name that it does not know
        return False


def _from_hub(name: str) -> bool:
    """Whether the Hub's model of that id lies in the cache."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        return isinstance(try_to_load_from_cache(name, "config.json"), str)
    except HFValidationError:
        return False


def patience_with(name: str) -> tuple[Patience, int]:
    """(how long to wait for it, how many may be asked at once)."""
    return (SLOW, 1) if route(name).split("/")[0] in LOCAL else (Patience(), 8)


class Remote:
    """One model by its LiteLLM name. Key and address come from the environment, as LiteLLM reads them."""

    engine = "litellm"

    def __init__(self, name: str, patience: Patience | None = None):
        self.name, self.route = name, route(name)
        usual, self.at_once = patience_with(name)
        self.patience = patience or usual
        check_model(self.route)
        self.identity = digest(self.route)

    def prompt(self, messages: Sequence[dict]) -> str:
        """What the server is sent; it lays out the turns by the template of its own."""
        return json.dumps([self.route, list(messages)], ensure_ascii=False)

    replies = Model.replies

    def answers(self, conversations: Sequence[Sequence[dict]], max_new_tokens: int) -> Iterator[tuple[int, Reply]]:
        """(index of the conversation, reply), as they come. UserError in one line when the server gives none; a prompt
        that it alone declines has an empty reply that is not complete."""
        self._check(conversations, max_new_tokens)
        found: queue.SimpleQueue = queue.SimpleQueue()
        loop = asyncio.new_event_loop()

        def work():  # a thread of its own: in a notebook a loop is running already
            try:
                with asyncio.Runner(loop_factory=lambda: loop) as runner:
                    runner.run(self._ask_all(conversations, max_new_tokens, found.put))
                found.put(None)
            except asyncio.CancelledError:
                pass
            except Exception as error:
                found.put(error)

        thread = threading.Thread(target=work, name=self.name, daemon=True)
        thread.start()
        try:
            while (one := _next(found)) is not None:
                if isinstance(one, Exception):
                    raise one
                yield one
        finally:
            _stop(loop, thread)

    def stream(self, messages: Sequence[dict], max_new_tokens: int = MAX_NEW_TOKENS) -> Iterator[str]:
        """The reply in pieces of text; a thought that the server keeps apart comes first, between its tags."""
        self._check([messages], max_new_tokens)
        thinking = False
        try:
            for chunk in litellm_quietly().completion(
                model=self.route, messages=list(messages), stream=True, timeout=self.patience.timeout,
                num_retries=0, max_retries=0, drop_params=True, **_greedy(max_new_tokens),
            ):  # fmt: skip
                delta = chunk.choices[0].delta
                if thought := getattr(delta, "reasoning_content", None):
                    yield thought if thinking else f"{THINK}\n{thought}"
                    thinking = True
                if delta.content:
                    yield f"\n{END_THINK}\n\n{delta.content}" if thinking else delta.content
                    thinking = False
        except Exception as error:
            caught = error  # told outside the handler: what is shown has no past full of headers
        else:
            return
        raise plain_error(caught, self.name)

    async def _ask_all(self, conversations, max_new_tokens: int, put) -> None:
        line = Line(self.route, Budget(Price()), self.patience, settings=_greedy(max_new_tokens))
        waiting, answered, declined = list(enumerate(conversations)), 0, []

        async def hand():
            nonlocal answered
            while waiting:
                i, messages = waiting.pop(0)
                try:
                    answer = await line.ask(messages, None, {})
                except Unanswered as said:
                    raise UserError(
                        f"{self.name} does not answer ({said}). What is done is kept; run it again."
                    ) from None
                except Declined as said:
                    if said.filtered:
                        put((i, Reply("", "", False)))
                        answered += 1
                    else:
                        declined.append((i, said))
                    continue
                answered += 1
                put((i, parse_reply(answer.text, prefilled=False, finished=answer.finish == "stop")))

        try:
            await asyncio.gather(*(hand() for _ in range(min(self.at_once, len(waiting)))))
        finally:
            await line.close()
        if declined and not answered:  # all of them: it is not the prompts
            raise UserError(f"{self.name}: {declined[0][1]}.")
        for i, _ in declined:
            put((i, Reply("", "", False)))

    def _check(self, conversations: Sequence[Sequence[dict]], max_new_tokens: int) -> None:
        if any(not messages or not messages[-1]["content"].strip() for messages in conversations):
            raise UserError('The prompt is empty. Give a question, for example "What is the capital of Sweden?"')
        if max_new_tokens > MAX_ANSWER:
            raise UserError(f"{max_new_tokens} tokens a reply: a model behind LiteLLM gets {MAX_ANSWER} at most.")


def _greedy(max_new_tokens: int) -> dict:
    return {"max_tokens": max_new_tokens, "temperature": 0, "seed": SEED}


def _next(found: queue.SimpleQueue):
    while True:
        try:
            return found.get(timeout=0.2)  # Ctrl-C must come through on Windows too
        except queue.Empty:
            continue


def _stop(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    """End what is still under way, for whoever reads no further."""
    with suppress(RuntimeError):  # it has ended by itself
        loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])
    thread.join()


def digest(route: str) -> str:
    """What Ollama holds under the name today, "" of other providers: a model that was made again must not be taken for
    the old one."""
    provider, _, model = route.partition("/")
    if not provider.startswith("ollama"):
        return ""
    base = os.environ.get("OLLAMA_API_BASE", OLLAMA).rstrip("/")
    try:
        with urllib.request.urlopen(f"{base}/api/tags", timeout=3) as answer:
            listed = json.load(answer)["models"]
        names = (model, f"{model}:latest")
        return next((one["digest"] for one in listed if one["name"] in names), "")
    except (OSError, ValueError, KeyError, TypeError):
        return ""  # nobody there: the first call will say so
