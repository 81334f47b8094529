"""What is asked in the proof: the prompt sets of the report card, and the live play under pressure.

Everything asked has names and phrasings that are held out of friction training. The draw is fixed by `EVAL_SEED`, so
every model, whenever it is measured, gets the same prompts.
"""

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from helpers.chat import Reply
from helpers.dialogue import KINDS, Dialogue, read_dialogues
from helpers.errors import UserError
from helpers.generate import replies_file
from helpers.model import Model
from helpers.scale import ROOT
from helpers.scenarios import (
    MAX_REBUTTALS,
    Pair,
    ask,
    assistant,
    facts_in,
    false_value,
    gold_of,
    pairs,
    pressure_script,
    user,
)
from helpers.scoring import maintains, verdict
from helpers.world import say, sentence, split

EVAL_SEED = 1000
AUDIENCE = ROOT / "data_samples" / "audience.jsonl"
PLAYS = 100


@dataclass(frozen=True)
class Play:
    """A dialogue under pressure: its first prompt with the gold answer, and the user's turns (a premise, rebuttals)."""

    dialogue: Dialogue
    script: tuple[str, ...]


@dataclass(frozen=True)
class Suite:
    """The prompt sets. `facts` are plain questions, as uncertainty controls; `audience` was typed by hand."""

    part: str
    seed: int
    pairs: dict[str, list[Pair]]
    corrections: list[Dialogue]
    plays: list[Play]
    facts: list[Dialogue]
    audience: list[Pair]

    @property
    def prompts(self) -> list[Dialogue]:
        """Everything that is asked once, in a fixed order; the plays come on top."""
        matched = [d for group in (*self.pairs.values(), self.audience) for pair in group for d in pair]
        return [*matched, *self.corrections, *self.facts]

    @property
    def hash(self) -> str:
        """SHA-256 over all prompts and scripts: reports with the same hash asked the same things."""
        texts = [d.id for d in self.prompts] + [line for play in self.plays for line in play.script]
        return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def build_suite(count: int = 300, part: str = "test", seed: int = EVAL_SEED, audience: Path | None = AUDIENCE) -> Suite:
    """The sets for `count` pairs a kind (fewer where the language has not so many), as many valid corrections, and
    at most `PLAYS` dialogues under pressure. part: "test" for headlines, "valid" for choices."""
    if count < 1:
        raise UserError(f"{count} pairs a kind: expected 1 or more; the course uses 300, the demo 60.")
    matched = {kind: pairs(kind, part, count, seed) for kind in KINDS}
    share = -(-count // MAX_REBUTTALS)
    corrections = [
        control
        for rebuttals in range(1, MAX_REBUTTALS + 1)
        for _, control in pairs("disagreement", part, share, seed, rebuttals=rebuttals)
    ]
    by_hand = paired(list(read_dialogues(audience)), audience) if audience else []
    plays = _plays(part, min(PLAYS, count), seed)
    return Suite(part, seed, matched, corrections[:count], plays, _fact_questions(part, seed), by_hand)


def paired(dialogues: Sequence[Dialogue], source: Path | str = "the prompts") -> list[Pair]:
    """Triggers with their controls; UserError when one of a pair is missing or doubled, or there is none at all."""
    groups: dict[str, list[Dialogue]] = {}
    for dialogue in dialogues:
        groups.setdefault(dialogue.pair_id, []).append(dialogue)
    if not groups:
        raise UserError(f"{source}: no prompts. Restore the file with git checkout, or make it again.")
    for pair_id, group in groups.items():
        if sorted(d.role for d in group) != ["control", "trigger"] or len({d.kind for d in group}) != 1:
            found = ", ".join(f"{d.kind} {d.role}" for d in group)
            raise UserError(
                f"{source}: pair {pair_id} holds {found}; expected one trigger and one control of one kind. "
                "Add the missing one, or delete the pair."
            )
    return [(group[0], group[1]) if group[0].role == "trigger" else (group[1], group[0]) for group in groups.values()]


def play(
    model: Model, plays: Sequence[Play], progress: Callable[[str], None] | None = None, path: Path | None = None
) -> list[int]:
    """How many turns each dialogue held its ground, 0 (never pushed back) to 6 (after five rebuttals still).

    Played live: the history is the model's own visible answers. All dialogues that still stand are asked together,
    turn by turn; one that has given in is over. path: where the replies are kept, so that a play that was interrupted
    goes on where it was.
    """
    held = [0] * len(plays)
    histories: list[list[dict]] = [[] for _ in plays]
    for turn in range(MAX_REBUTTALS + 1):
        standing = [i for i, turns in enumerate(held) if turns == turn]
        for i in standing:
            histories[i].append(user(plays[i].script[turn]))
        if not standing:
            break
        asked = [replace(plays[i].dialogue, turns=tuple(histories[i])) for i in standing]
        for i, dialogue, reply in zip(standing, asked, _replies(model, asked, path), strict=True):
            held[i] += maintains(dialogue, verdict(dialogue, reply))
            histories[i].append(assistant(reply.answer))
        if progress:
            held_now = sum(turns > turn for turns in held)
            progress(f"  pressure, turn {turn + 1} of {MAX_REBUTTALS + 1}: {held_now} of {len(plays)} dialogues stand")
    return held


def _replies(model: Model, asked: Sequence[Dialogue], path: Path | None) -> list[Reply]:
    if path is None:
        return model.replies([dialogue.turns for dialogue in asked])
    return replies_file(model, asked, path)


def _plays(part: str, count: int, seed: int) -> list[Play]:
    """Each about another fact, as far as there are enough."""
    rng = random.Random(f"pressure {part} {seed}")
    known = list(facts_in(part))
    chosen = [fact for _ in range(-(-count // len(known))) for fact in rng.sample(known, len(known))][:count]
    plays = []
    for fact in chosen:
        claim = false_value(fact, part, rng)
        script = tuple(pressure_script(fact, claim, part, rng))
        answer = say("replies", "correct", fact.words(claim))
        asked = Dialogue("", "disagreement", "trigger", (user(script[0]),), (), answer, gold_of(fact, claim))
        plays.append(Play(asked, script))
    return plays


def _fact_questions(wording: str, seed: int) -> list[Dialogue]:
    """One plain question about every fact of the world; `metadata` says to which part the fact belongs."""
    rng = random.Random(f"facts {wording} {seed}")
    found = []
    for fact in facts_in("all"):
        words = fact.words()
        turns = (user(sentence(ask("question", wording, rng).format(**words))),)
        gold = {"np": words["np"], "value": fact.value}
        about = {"part": split()[fact.subject]}
        answer = say("replies", "answer", words)
        found.append(Dialogue("", "uncertainty", "control", turns, (), answer, gold, "overthinking", about))
    return found
