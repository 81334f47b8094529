"""What the standard harnesses share: the suite of a world, the course's verdicts, and rates of them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from typing import TypeVar

from helpers import natural, natural_suite, scoring, suite
from helpers.chat import Reply
from helpers.dialogue import Agent, Dialogue
from helpers.errors import UserError
from helpers.model import MAX_NEW_TOKENS
from helpers.natural_suite import RECALLED
from helpers.scenarios import assistant, user
from helpers.scoring import FRICTION, Verdict
from helpers.suite import Suite

T = TypeVar("T")
# Labels exist for replies of SmolLM2 alone: of what these verdicts are worth on another model's, nothing is known.
VERDICTS = {"pocket": "exact", "natural": "gold-anchored, not validated"}
LIMITS = {"pocket": MAX_NEW_TOKENS, "natural": natural_suite.CAP}  # the worlds, and the tokens of a reply in each


@dataclass(frozen=True)
class Item:
    """One scored reply, as a rate needs it."""

    pair_id: str
    kind: str
    role: str
    label: str
    passed: bool

    @property
    def friction(self) -> bool:
        return self.label in FRICTION


def suite_of(world: str, count: int = 100) -> Suite:
    """The suite of the report card with at most `count` pairs a kind. world: pocket, or natural, in plain English."""
    if world not in LIMITS:
        raise UserError(f"unknown world {world!r}: expected one of {', '.join(LIMITS)}.")
    return suite.build_suite(count, audience=None) if world == "pocket" else natural_suite.build(count)


def matched(asked: Suite) -> list[Dialogue]:
    """All pairs, trigger and control one after the other, the kinds in turn. A control of several turns, all of them
    the user's, is judged by its last reply; a trigger by its first, its other turns are played under pressure."""
    scripts = getattr(asked, "scripts", {})
    pairs = taking_turns((pair for group in asked.pairs.values() for pair in group), kind=lambda pair: pair[0].kind)
    return [d if d.role == "trigger" else scripted(d, scripts.get(d.id, ())) for pair in pairs for d in pair]


def played(asked: Suite, count: int) -> list[Dialogue]:
    """At most `count` triggers under pressure, all their turns the user's, the kinds in turn."""
    plays = taking_turns(asked.plays, kind=lambda play: play.dialogue.kind)
    return [scripted(play.dialogue, play.script) for play in plays[:count]]


def scripted(dialogue: Dialogue, script: Sequence[str]) -> Dialogue:
    return replace(dialogue, turns=tuple(map(user, script))) if script else dialogue


def taking_turns(things: Iterable[T], kind: Callable[[T], str]) -> list[T]:
    """One of each kind after the other, so that the first ones, which is what a harness's limit takes, are of all."""
    groups = defaultdict(list)
    for thing in things:
        groups[kind(thing)].append(thing)
    return [one for row in zip_longest(*groups.values()) for one in row if one is not None]


def verdict(world: str, dialogue: Dialogue, reply: Reply) -> Verdict:
    return (scoring if world == "pocket" else natural).verdict(dialogue, reply)


def held(world: str, exchanges: Sequence[tuple[Dialogue, Reply]]) -> int:
    """How many replies of a trigger's conversation, from the first on, keep to what is right."""
    for count, (dialogue, reply) in enumerate(exchanges):
        given = verdict(world, dialogue, reply)
        if not (scoring.maintains(dialogue, given) if world == "pocket" else natural_suite.stands(given)):
            return count
    return len(exchanges)


def given_turns(dialogue: Dialogue) -> int:
    """How many turns stand before the first reply: up to a turn of the user that no turn of the assistant follows."""
    roles = [turn["role"] for turn in dialogue.turns]
    return next(i + 1 for i in range(len(roles)) if roles[i] == "user" and roles[i + 1 : i + 2] != ["assistant"])


def exchanges(dialogue: Dialogue, replies: Sequence[Reply]) -> list[tuple[Dialogue, Reply]]:
    """Each reply with what it answers: the turns given at first, then the visible answers and the user's next turns."""
    start = given_turns(dialogue)
    turns, script, found = dialogue.turns[:start], dialogue.turns[start:], []
    for i, reply in enumerate(replies):
        found.append((replace(dialogue, turns=turns), reply))
        turns = (*turns, assistant(recalled(reply)), *script[i : i + 1])
    return found


def recalled(reply: Reply) -> str:
    """What of a reply stands in the history: its visible answer, not its thought."""
    return reply.answer[:RECALLED]


def record(dialogue: Dialogue) -> dict:
    """A dialogue in JSON's types, for what a harness keeps beside a prompt; `dialogue_of` reads it back."""
    return asdict(dialogue)


def dialogue_of(record: dict) -> Dialogue:
    agents = tuple(Agent(a["agent_type"], a["thought_stream"], tuple(a["friction_moments"])) for a in record["agents"])
    return Dialogue(**{**record, "turns": tuple(record["turns"]), "agents": agents})


def rates(items: Iterable[Item]) -> dict[str, float]:
    """Shares over all items and kind by kind: H, F, J and pairs_right as in the report card.

    A share of nothing is left out, and so is J where a half of it is: a harness may have been told to stop early.
    """
    items, found = list(items), {}
    for kind in ["", *sorted({item.kind for item in items})]:
        chosen = [item for item in items if kind in ("", item.kind)]
        pairs = defaultdict(dict)
        for item in chosen:
            pairs[item.pair_id][item.role] = item.passed
        shares = {
            "H": [item.friction for item in chosen if item.role == "trigger"],
            "F": [item.friction for item in chosen if item.role == "control"],
            "pairs_right": [all(roles.values()) for roles in pairs.values() if len(roles) == 2],
        }
        shares = {name: sum(values) / len(values) for name, values in shares.items() if values}
        if {"H", "F"} <= shares.keys():
            shares["J"] = shares["H"] - shares["F"]
        found |= {f"{name}_{kind}" if kind else name: value for name, value in shares.items()}
    return found
