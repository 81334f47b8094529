"""What is asked in the proof in plain English, and the asking of it.

Three sets: the pairs of `data_samples/evaluation`, some of them conversations of five turns that are played live;
facts of the fact table in names and phrasings that training never saw, known to the base or not; and plain questions,
to see what the training cost. A `NaturalSuite` has the shape of a `Suite`, so that both are counted alike.
"""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from helpers import generate, plain_english, schema
from helpers.chat import Reply
from helpers.dialogue import KINDS, Dialogue
from helpers.errors import UserError
from helpers.model import Model, Progress
from helpers.natural import judge, verdict
from helpers.scale import ROOT
from helpers.scenarios import Pair, assistant, user
from helpers.scoring import Verdict
from helpers.suite import EVAL_SEED, Play, Suite, paired
from helpers.world import WORLD_DIR

EVALUATION = ROOT / "data_samples" / "evaluation"
PROMPTS, STAGE, PLAIN = (EVALUATION / f"{name}.jsonl" for name in ("prompts", "stage", "plain"))
FACTS = (plain_english.LAPTOP / "english.toml", plain_english.LAPTOP / "known.json", *WORLD_DIR.glob("*.csv"))
FILES = (PROMPTS, STAGE, PLAIN, *FACTS)  # what decides about all that is asked
CAP = 280  # tokens of a reply, thought included: of 24 tuned replies three were longer than 200, none than 257
RECALLED = 1500  # characters of a reply in the history: five turns then fit into the 2,048 tokens of scale laptop
MOST = 100  # pairs of a group: there are 85 of each kind of prompts, and more facts


@dataclass(frozen=True)
class NaturalSuite(Suite):
    """A conversation of several turns stands here with its first one; `scripts` has all that its user says, by its id.

    held_out: pairs about facts, by group: known ones that are claimed falsely or rightly, and questions and claims
    about unknown ones, each with a known one as its control.
    """

    scripts: dict[str, tuple[str, ...]]
    held_out: dict[str, list[Pair]]

    @property
    def everything(self) -> list[Dialogue]:
        """All that is asked at the first turn: the prompts of a `Suite`, then the held-out facts."""
        return [*self.prompts, *(d for group in self.held_out.values() for pair in group for d in pair)]

    @property
    def hash(self) -> str:
        texts = [text for d in self.everything for text in (d.id, *self.scripts.get(d.id, ()))]
        return hashlib.sha256("\n".join(texts).encode()).hexdigest()


@dataclass(frozen=True)
class Answers:
    """What one model said, in the order of `everything`; of a control of several turns its last turn and reply.

    held: for each play the turns that it stood, 0 (never pushed back) to all of its script.
    """

    dialogues: tuple[Dialogue, ...]
    replies: tuple[Reply, ...]
    verdicts: tuple[Verdict, ...]
    held: tuple[int, ...]


def build(count: int = MOST, seed: int = EVAL_SEED) -> NaturalSuite:
    """All three sets, with at most `count` pairs of each kind and group; the same seed draws the same ones."""
    if count < 1:
        raise UserError(f"{count} pairs a kind: expected 1 or more; {MOST} is all that there are.")
    written = read_pairs(PROMPTS)
    chosen = [pair for kind in KINDS for pair in _some([p for p in written if p[0].kind == kind], count, seed)]
    held_out = {
        "known facts": plain_english.premises("test", 1, seed),
        "unknown facts": plain_english.questions("test", seed),
        "claims about unknown facts": plain_english.unknown_premises("test", seed),
    }
    held_out = {name: _some(group, count, seed) for name, group in held_out.items()}
    return suite_of(chosen, "evaluation", seed, _some(plain_questions(PLAIN), count, seed), held_out)


def suite_of(
    chosen: Sequence[Pair],
    part: str,
    seed: int = EVAL_SEED,
    facts: Sequence[Dialogue] = (),
    held_out: dict[str, list[Pair]] | None = None,
) -> NaturalSuite:
    """The suite of pairs whose turns are all the user's, as `read_pairs` gives them; a kind without pairs is not in it.

    facts: plain questions. part: what to call it all in a report.
    """
    matched: dict[str, list[Pair]] = {}
    scripts: dict[str, tuple[str, ...]] = {}
    for kind in KINDS:
        for pair in (pair for pair in chosen if pair[0].kind == kind):
            opened = tuple(replace(d, turns=d.turns[:1]) for d in pair)
            scripts |= {o.id: _texts(d) for o, d in zip(opened, pair, strict=True) if len(d.turns) > 1}
            matched.setdefault(kind, []).append(opened)
    triggers = [trigger for group in matched.values() for trigger, _ in group]
    plays = [Play(trigger, scripts[trigger.id]) for trigger in triggers if trigger.id in scripts]
    asked = [replace(d, metadata={**d.metadata, "part": part}) for d in facts]
    return NaturalSuite(part, seed, matched, [], plays, asked, [], scripts, held_out or {})


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of a file of prompts. UserError names the line at fault, or the pair of which a half is missing."""
    seen: dict[tuple[str, ...], int] = {}
    records = _records(path)
    for line, dialogue in records:
        if dialogue.kind not in KINDS or any(turn["role"] != "user" for turn in dialogue.turns):
            raise UserError(f"{path}, line {line}: expected a prompt, with `user_turns`, as in {PROMPTS.name}.")
        if (first := seen.setdefault(_texts(dialogue), line)) != line:
            raise UserError(f"{path}, line {line}: the same prompt as on line {first}. Delete one of the two pairs.")
    return paired([dialogue for _, dialogue in records], path)


def plain_questions(path: Path) -> list[Dialogue]:
    """Plain questions with their answers, as uncertainty controls: whoever doubts them or is wrong fails them."""
    found = []
    for line, asked in _records(path):
        if asked.kind != "plain":
            raise UserError(f"{path}, line {line}: expected a `question` and its `answers`, as in {PLAIN.name}.")
        gold = {"question": asked.user_input, "answers": asked.gold["answers"], "why": "", "source": ""}
        found.append(replace(asked, pair_id="", kind="uncertainty", gold=gold))
    return found


def ask(model: Model, asked: NaturalSuite, path: Path, cap: int = CAP, progress: Progress | None = None) -> Answers:
    """A model's answers to everything, conversations played live: the history is its own visible replies.

    Under pressure a conversation is over when it gives in. All replies go through `path`, so that a run that was
    interrupted goes on where it was. progress: (replies so far, replies there can be in all).
    """
    opening = asked.everything
    scripts = [asked.scripts.get(d.id, (d.user_input,)) for d in opening]
    done = 0

    def said(dialogues: Sequence[Dialogue], later: int) -> list[Reply]:
        nonlocal done
        before, total = done, done + len(dialogues) + later
        tell = (lambda now, _: progress(before + now, total)) if progress else None
        replies = generate.replies_file(model, dialogues, path, cap, tell)
        done += len(dialogues)
        return replies

    last = list(zip(opening, said(opening, sum(len(script) - 1 for script in scripts)), strict=True))
    first = list(last)
    going = [i for i, script in enumerate(scripts) if len(script) > 1]
    held = {i: 0 for i in going if opening[i].role == "trigger"}
    for turn in range(1, max(map(len, scripts), default=0) + 1):  # so many are answered
        for i in [i for i in going if i in held]:
            if stands(verdict(*last[i])):
                held[i] += 1
            else:
                going.remove(i)
        going = [i for i in going if len(scripts[i]) > turn]
        if not going:
            break
        onward = [_onward(*last[i], scripts[i][turn]) for i in going]
        replies = said(onward, sum(len(scripts[i]) - turn - 1 for i in going))
        for i, dialogue, reply in zip(going, onward, replies, strict=True):
            last[i] = dialogue, reply
    told = [first[i] if i in held else one for i, one in enumerate(last)]
    dialogues, replies = zip(*told, strict=True)
    return Answers(dialogues, replies, tuple(judge(dialogues, replies)), tuple(held.values()))


def stands(given: Verdict) -> bool:
    """Under pressure: friction of the right kind, and what is said is right; a cut-off reply may do both."""
    return given.right_kind and given.substance


def _onward(dialogue: Dialogue, reply: Reply, text: str) -> Dialogue:
    return replace(dialogue, turns=(*dialogue.turns, assistant(reply.answer[:RECALLED]), user(text)))


def _texts(dialogue: Dialogue) -> tuple[str, ...]:
    return tuple(turn["content"] for turn in dialogue.turns)


def _some(items: Sequence, count: int, seed: int) -> list:
    """So many of them, in their order."""
    chosen = sorted(random.Random(seed).sample(range(len(items)), min(count, len(items))))
    return [items[i] for i in chosen]


def _records(path: Path) -> tuple[tuple[int, Dialogue], ...]:
    reading = schema.read(path)
    for fault in reading.faults:
        raise UserError(f"{path}, line {fault.line}: {fault.reason}. Mend it, or restore the file (git checkout).")
    return reading.records
