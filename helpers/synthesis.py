"""The persona relay through LiteLLM: six calls, each hearing all before it, and a seventh that writes the answer.

Records are made side by side, under a cap, and nothing that was answered is asked again: see `journal.py`,
`budget.py` and `calls.py`. Without a key or a network `--model local` serves the same calls: see `local_provider.py`.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from helpers import local_provider
from helpers.budget import MAX_ANSWER, REPLY, THOUGHT, Budget, Meter, Price, price_of, usual_prompt
from helpers.calls import Line, Patience, check_model, route
from helpers.dialogue import Dialogue, write_dialogues
from helpers.errors import UserError
from helpers.journal import Journal, Shelf, alone, beside
from helpers.personas import PERSONAS, PROMPT_VERSION, STEPS, fingerprint, messages
from helpers.prose import mask
from helpers.relay import Run, in_own_loop
from helpers.remote import patience_with
from helpers.scale import ROOT
from helpers.schema import NATURAL_GOLD, POCKET_GOLD
from helpers.sources import pocket_scenarios, read_scenarios

COUNT = 400


@dataclass(frozen=True)
class Outcome:
    """What a run came to. Tokens and dollars count every run on this file; `calls` are those of this run."""

    path: Path
    records: int
    set_aside: int
    calls: int
    tokens: int
    cost: float
    seconds: float


@dataclass(frozen=True)
class Plan:
    """What lies ahead, known before the first call: the scenarios by their ids, from where, and about how many tokens.

    unfit: how many of them the linter will set aside whatever comes of them, without gold of their kind or a mate.
    """

    ids: frozenset[str]
    prompt_tokens: int
    answer_tokens: int
    sources: tuple[str, ...]
    unfit: int = 0

    @property
    def scenarios(self) -> int:
        return len(self.ids)


def synthesise(
    model: str = local_provider.NAME,
    count: int | None = None,
    scenarios: Path | None = None,
    out: Path | None = None,
    concurrency: int | None = None,
    max_cost: float | None = None,
    max_tokens: int | None = None,
    max_answer: int = MAX_ANSWER,
    fresh: bool = False,
    prompts: int = PROMPT_VERSION,
    patience: Patience | None = None,
    progress: Callable[[str], None] = print,
) -> Outcome:
    """Have the six personas work on every scenario, and write the dialogues to `out`.

    model: any LiteLLM name, or `local`. scenarios: a JSONL file (default: the pocket world); the first `count` of them.
    concurrency, patience: None takes what suits the server; one on this machine answers one call at a time, slowly.
    max_cost in US dollars and max_tokens cap all runs on this file together; max_answer, in tokens, each answer and
    what is thought before it. Called again it goes on where it was; fresh begins anew. UserError says in one line what
    stopped it; what is done is kept.
    """
    begun = time.perf_counter()
    usual, at_once = patience_with(model)
    patience, concurrency = patience or usual, at_once if concurrency is None else concurrency
    _check_numbers(concurrency, count, max_cost, max_tokens, max_answer)
    out = out or default_out(scenarios)

    def source() -> Iterator[Dialogue]:
        return islice(read_scenarios(scenarios), count) if scenarios else pocket_scenarios(count or COUNT)

    plan = survey(source(), prompts, offline=model == local_provider.NAME)
    if not plan.scenarios:
        raise UserError(f"{scenarios} holds no scenario.")
    name, book, price = provider(model)
    if max_cost is not None and price is None:
        raise UserError(f"LiteLLM has no price for {model}, so --max-cost cannot hold. Give --max-tokens instead.")
    with ExitStack() as stack:
        stack.enter_context(alone(out))
        shelf = stack.enter_context(closing(Shelf(out, fresh)))
        if others := len((shelf.good | shelf.bad) - plan.ids):
            raise UserError(
                f"{out} holds {others} records of other scenarios, which this run would drop. Give another --out, or "
                "--fresh to begin anew."
            )
        settings = {"model": name, "prompts": f"{prompts} ({fingerprint(prompts)})"}
        journal = stack.enter_context(closing(Journal(beside(out, "journal.jsonl"), settings, shelf)))
        budget = Budget(price, max_cost, max_tokens, journal.spent, journal.tickets, journal.note, max_answer)
        meter = stack.enter_context(closing(Meter(plan.scenarios, budget, progress)))
        meter.tell(announcement(plan, model, price, len(shelf.good) + len(shelf.bad)))
        for line in warnings(plan, price, max_cost, max_tokens):
            meter.tell(line)
        run = Run(Line(name, budget, patience, meter.aside), journal, shelf, meter, prompts, book)
        in_own_loop(run.all(source(), concurrency))
        if run.unanswered:
            raise UserError(
                f"{len(run.unanswered)} of {plan.scenarios} records got no answer ({run.unanswered[-1]}). The others "
                "are kept; run the same command again to ask for these."
            )
        if not shelf.good:
            raise UserError(f"No record came of it: {shelf.last_reason()}. See {shelf.aside}.")
        records = shelf.finish(scenario.id for scenario in source())
    seconds = time.perf_counter() - begun
    return Outcome(out, records, len(shelf.bad), run.calls, budget.tokens, budget.cost, seconds)


def _check_numbers(
    concurrency: int, count: int | None, max_cost: float | None, max_tokens: int | None, max_answer: int
) -> None:
    if concurrency < 1 or (count is not None and count < 1):
        raise UserError("--concurrency and --count must be 1 or more.")
    for option, cap in (("--max-cost", max_cost), ("--max-tokens", max_tokens)):
        if cap is not None and not 0 < cap < math.inf:
            raise UserError(f"{option} must be a number above 0; without it there is no cap.")
    if max_answer < 1:
        raise UserError(f"--max-answer must be 1 or more, in tokens; without it {MAX_ANSWER:,}.")


def provider(model: str) -> tuple[str, local_provider.Book | None, Price | None]:
    """(its name for LiteLLM, the book that offline answers come from, its price); UserError when out of reach."""
    if model == local_provider.NAME:
        name, book = f"{model}/relay", local_provider.register()
    else:
        check_model(model)
        name, book = model, None
    return name, book, price_of(route(name))


def survey(scenarios: Iterable[Dialogue], prompts: int, offline: bool) -> Plan:
    """Read every scenario once, before anything is spent; UserError when one is broken or stands there twice."""
    seen: dict[str, int] = {}
    sources: dict[str, int] = {}
    halves: Counter[str] = Counter()
    shapeless: set[str] = set()
    asked = 0
    for number, scenario in enumerate(scenarios, 1):
        first = seen.setdefault(scenario.id, number)
        if first != number:
            raise UserError(f"scenario {number} is the same as scenario {first}: {mask(scenario.user_input)[:60]!r}.")
        if offline:
            local_provider.spoken(scenario)  # UserError where it has nothing to say
            where = local_provider.source(scenario)
            sources[where] = sources.get(where, 0) + 1
        halves[scenario.pair_id] += 1
        if set(scenario.gold) not in (set(NATURAL_GOLD[scenario.kind]), set(POCKET_GOLD[scenario.kind])):
            shapeless.add(scenario.pair_id)
        base = usual_prompt(messages(scenario, [], prompts))
        asked += sum(base + step * THOUGHT for step in range(len(STEPS)))
    answers = len(PERSONAS) * THOUGHT + REPLY
    unfit = sum(count for pair, count in halves.items() if count != 2 or pair in shapeless)
    told = tuple(f"{where} ({n})" for where, n in sources.items())
    return Plan(frozenset(seen), asked, len(seen) * answers, told, unfit)


def announcement(plan: Plan, model: str, price: Price | None, done: int) -> str:
    """What is said before the first call: who will speak, and what it will come to."""
    tokens = round(plan.prompt_tokens + plan.answer_tokens, -3)
    if price is None:
        cost = "price unknown"
    elif price == Price():
        cost = "no cost"
    else:
        cost = f"about ${price.cost(plan.prompt_tokens, plan.answer_tokens):.2f}"
    who = f"Offline, no model speaks: {', '.join(plan.sources)}" if plan.sources else f"{model} speaks"
    size = f"{plan.scenarios} records, {plan.scenarios * len(STEPS)} calls, about {tokens:,} tokens, {cost}"
    return f"{who}. {size}." + (f" {done} are done already." if done else "")


def warnings(plan: Plan, price: Price | None, max_cost: float | None, max_tokens: int | None) -> list[str]:
    """What is better known before the first call than after the last."""
    said = []
    if plan.unfit:
        said.append(
            f"{plan.unfit} of these the linter will set aside, whatever comes of them: to be trained on, a scenario "
            "needs gold of its kind and a mate of the same pair_id, as those in data_samples/friction have."
        )
    tokens = plan.prompt_tokens + plan.answer_tokens
    cost = price.cost(plan.prompt_tokens, plan.answer_tokens) if price else 0
    if tokens > (max_tokens or math.inf) or cost > (max_cost or math.inf):
        said.append("The cap is below that, so the run will stop on the way; with a higher one it goes on from there.")
    return said


def keep(made: Path) -> tuple[Path, int]:
    """Write the records that pass the linter, in whole pairs, beside the file: (where they stand, how many).

    Where all pass it is the file itself, and where none does nothing is written.
    """
    from helpers import curation
    from helpers.schema import read

    reading, passed = read(made), beside(made, "passed.jsonl")
    kept, _ = curation.curate([dialogue for _, dialogue in reading.records])
    if kept and (reading.faults or len(kept) < len(reading.records)):
        return write_dialogues(passed, kept), len(kept)
    passed.unlink(missing_ok=True)
    return made, len(kept)


def default_out(scenarios: Path | None) -> Path:
    """The pocket world's set belongs to the pocket chain, natural scenarios to the scale that trains on them."""
    return ROOT / "runs" / ("laptop" if scenarios else "pocket") / "synthesised.jsonl"


def main(options) -> Outcome:
    """The verb `synthesise`, up to the linter."""
    scenarios, out = (Path(path) if path else None for path in (options.scenarios, options.out))
    outcome = synthesise(
        options.model, options.count, scenarios, out, options.concurrency, options.max_cost, options.max_tokens,
        options.max_answer, options.fresh,
    )  # fmt: skip
    money = f", ${outcome.cost:.4f}" if outcome.cost else ""
    spent = f"{outcome.calls} calls in {outcome.seconds:.0f} s, {outcome.tokens:,} tokens{money}"
    print(f"{outcome.records} records in {outcome.path} ({spent})")
    if outcome.set_aside:
        print(f"{outcome.set_aside} set aside, each with its reason: {beside(outcome.path, 'set-aside.jsonl')}")
    passed, count = keep(outcome.path)
    if count < outcome.records:
        print(f"{count} of them pass the linter in whole pairs" + (f"; train on these: {passed}" if count else ""))
    return outcome
