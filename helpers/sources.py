"""Scenarios for the relay: a prompt with its kind, its role and what is right; thoughts and answer are yet to come.

They come one by one, from the pocket world or from a file, and a second reading gives the same ones in the same order.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

from helpers.dialogue import Agent, Dialogue, check
from helpers.errors import UserError
from helpers.lint import encoding, private
from helpers.pocket_set import training_set
from helpers.scenarios import FLAVOUR
from helpers.schema import NATURAL, Entry, parse

BLOCK = 400  # dialogues of the pocket world at a time
SORTS = {"pair_id": str, "final_answer": str, "flavour": str, "gold": dict, "metadata": dict}
FIELDS = {"id", "user_input", *(one.name for one in fields(Dialogue))}


def pocket_scenarios(count: int, seed: int = 0) -> Iterator[Dialogue]:
    """About `count` scenarios of the pocket world, mates together; fewer when it holds no more.

    A larger count begins with those of a smaller one, so that a set can grow, and each beginning has the shares of the
    whole.
    """
    seen: set[str] = set()
    given = 0
    for block in itertools.count():
        fresh = [pair for pair in _pairs(seed * 1_000_000 + block) if not seen & {half.id for half in pair}]
        if not fresh:
            return
        for pair in _mixed(fresh):
            if given >= count:
                return
            names = {pair[0].pair_id, *(half.id for half in pair)}
            if seen & names:  # a pair of an earlier block, typed carelessly, or its control
                continue
            seen |= names
            for half in pair:
                yield replace(half, agents=(), final_answer="", metadata={**half.metadata, "seed": seed})
                given += 1


def _pairs(seed: int) -> list[list[Dialogue]]:
    """The pairs of a block, the trigger first."""
    pairs = defaultdict(list)
    for dialogue in training_set(BLOCK, seed):
        pairs[dialogue.pair_id].append(dialogue)
    return [sorted(pair, key=lambda half: half.role, reverse=True) for pair in pairs.values()]


def _mixed(pairs: list[list[Dialogue]]) -> list[list[Dialogue]]:
    """The pairs of each sort spread evenly over the whole."""
    sorts = defaultdict(list)
    for pair in pairs:
        sorts[pair[0].kind, len(pair[0].turns) > 1].append(pair)
    placed = [((i + 0.5) / len(sort), pair) for sort in sorts.values() for i, pair in enumerate(sort)]
    return [pair for _, pair in sorted(placed, key=lambda entry: entry[0])]


def read_scenarios(path: Path) -> Iterator[Dialogue]:
    """The scenarios of a JSONL file; UserError names the first line that is none.

    A line needs `kind`, `role` and `turns` (or `user_input` alone); to pass the linter, what comes of it needs `gold`
    of its kind and a mate of the same `pair_id` too. Whole records will do as well: the offline provider plays back the
    turns that they hold, a model is asked anew.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield _scenario(line)
                except ValueError as error:
                    told = (
                        f"{path}, line {number}: {error}. Mend the line, or take another file; nothing was asked yet."
                    )
                    raise UserError(told) from None
    except FileNotFoundError:
        raise UserError(f"{path} is missing. Expected a JSONL file of scenarios, one object a line.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None


def _scenario(line: bytes) -> Dialogue:
    record = parse(line)
    if "user_turns" in record:
        raise ValueError("a prompt of the evaluation, which must not be trained on (data_samples/friction may)")
    if set(record) - FIELDS:
        raise ValueError(f"unknown field {min(set(record) - FIELDS)!r}")
    for name, sort in SORTS.items():
        if not isinstance(record.get(name) or sort(), sort):
            raise ValueError(f"{name} must be {'an object' if sort is dict else 'text'}")
    try:
        turns = record.get("turns") or [{"role": "user", "content": record["user_input"]}]
        agents = tuple(
            Agent(a["agent_type"], a["thought_stream"], tuple(a["friction_moments"]))
            for a in record.get("agents") or ()
        )
        scenario = Dialogue(
            record.get("pair_id") or hashlib.sha256(json.dumps(turns).encode()).hexdigest()[:16],
            record["kind"], record["role"], tuple(turns), agents, record.get("final_answer") or "",
            record.get("gold") or {}, record.get("flavour") or FLAVOUR.get(record["kind"], ""),
            record.get("metadata") or {},
        )  # fmt: skip
        check(replace(scenario, final_answer=scenario.final_answer or "to come"))
    except KeyError as error:
        raise ValueError(f"{error.args[0]!r} is missing") from error
    except (TypeError, AttributeError) as error:
        raise ValueError(f"a field is of the wrong type: {error}") from error
    for rule in (encoding, private):  # its record would be set aside, after seven calls
        for found in rule(Entry(0, scenario, NATURAL)):
            raise ValueError(found)
    return scenario
