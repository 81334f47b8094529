"""A list of prompts as an audience types them, all tried on the tuned model: what may be shown on stage, and how much
of the whole list it stands for.

The list is `data_samples/laptop/tried.jsonl`: triggers and controls of each kind, written before the adapter was made.
Its gold has the shape of the evaluation prompts, and on every control `answers`, of which help must hold one: what is
shown on stage must be help, and not only sound like it. What came of it lies in the adapter's own folder, so that a new
fine-tune never keeps the record of an old one.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from helpers import generate, schema, stats
from helpers.dialogue import KINDS, ROLES, Dialogue, read_text, write_text
from helpers.errors import UserError
from helpers.model import Model, Progress
from helpers.natural import judge
from helpers.scale import ROOT, SCALES, public_name, run_dir
from helpers.suite import paired

PROMPTS = ROOT / "data_samples" / "laptop" / "tried.jsonl"
NAME = "tried.jsonl"
LONGEST = 320  # tokens of a reply, as on stage: a curated answer takes up to 250, its thought 40
AGAIN = "Make it again: python -m helpers try"


@dataclass(frozen=True)
class Tried:
    """One prompt of the list and what the tuned model made of it. label, passed: the verdict of `natural`."""

    id: str
    kind: str
    role: str
    prompt: str
    reply: str
    thinking: str
    complete: bool
    label: str
    passed: bool


def prompts(path: Path = PROMPTS) -> list[Dialogue]:
    """The list, each trigger followed by its control; UserError names the first line at fault."""
    reading = schema.read(path)
    if reading.faults:
        fault = reading.faults[0]
        again = f"Restore it: git checkout {public_name(str(path))}"
        raise UserError(f"{path}, line {fault.line}: {fault.reason}. {again}")
    return [half for pair in paired([dialogue for _, dialogue in reading.records], path) for half in pair]


def try_all(model: Model, adapter: Path, progress: Progress | None = None, path: Path = PROMPTS) -> list[Tried]:
    """Ask a model the whole list, one prompt at a time as on stage, and write what came of it beside its adapter.

    Replies are kept as they come, in the run folder of the scale, so that an interrupted run goes on where it was.
    """
    asked = prompts(path)
    kept = run_dir(SCALES["laptop"]) / "replies" / NAME
    replies = generate.replies_file(model, asked, kept, LONGEST, progress)
    found = [
        Tried(d.id, d.kind, d.role, d.user_input, r.answer, r.thinking, r.complete, v.label, v.passed)
        for d, r, v in zip(asked, replies, judge(asked, replies), strict=True)
    ]
    write_text(adapter / NAME, "".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in found))
    return found


def read(adapter: Path, path: Path = PROMPTS) -> list[Tried]:
    """What came of the list, as it lies beside an adapter; [] where it was not tried, or another list was.

    UserError when the record is damaged.
    """
    record = adapter / NAME
    if not record.exists():
        return []
    try:
        found = [Tried(**json.loads(line)) for line in read_text(record).removesuffix("\n").split("\n")]
    except (ValueError, TypeError) as error:
        raise UserError(f"{record} is damaged: {error}. {AGAIN}") from None
    return found if [one.id for one in found] == [d.id for d in prompts(path)] else []


def presets(found: Sequence[Tried]) -> list[Tried]:
    """What is shown on stage: of each kind a trigger and a control that passed, the first pair of which both did; where
    no pair did, what there is. Nothing that failed is ever among them, so there may be fewer than eight."""
    chosen = []
    for kind in KINDS:
        pairs = [[t, c] for t, c in zip(found[::2], found[1::2], strict=True) if t.kind == kind]
        whole = next((pair for pair in pairs if all(one.passed for one in pair)), None)
        firsts = (next((p[i] for p in pairs if p[i].passed), None) for i in range(len(ROLES)))
        chosen += whole or [one for one in firsts if one]
    return chosen


def caption(shown: Sequence[Tried], found: Sequence[Tried]) -> str:
    """What stands above the presets wherever they are shown: "8 shown; of the whole list 41 of 60 passed"."""
    return f"{len(shown)} shown, chosen from those that passed; of the whole list {passed(found)} passed"


def passed(found: Sequence[Tried]) -> str:
    return f"{sum(one.passed for one in found)} of {len(found)}"


def table(found: Sequence[Tried]) -> str:
    """The pass rates of a list by kind and role, and what did not pass, each with its verdict."""
    out = [f"{'':16}{'triggers':>10}{'controls':>10}"]
    for kind in KINDS:
        cells = [passed([one for one in found if (one.kind, one.role) == (kind, role)]) for role in ROLES]
        out.append(f"{kind:16}{cells[0]:>10}{cells[1]:>10}")
    low, high = stats.wilson(sum(one.passed for one in found), len(found))
    out.append(f"The whole list: {passed(found)} passed, 95 % interval {low:.0%} to {high:.0%}.")
    missed = [f"  {one.kind} {one.role}, read as {one.label}: {one.prompt}" for one in found if not one.passed]
    return "\n".join([*out, "Not passed:", *missed] if missed else out)
