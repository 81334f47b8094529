"""What readers say of replies: `python -m helpers label` writes a sheet, and holds the verdicts against what it says.

Two readers who label the same sheet in two copies can be held against each other (`--second`).
"""

import json
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from helpers import agreement, natural, sheet
from helpers.chat import Reply
from helpers.contrast import Tier
from helpers.dialogue import KINDS, ROLES, Dialogue, read_text
from helpers.errors import UserError
from helpers.scale import SCALES, run_dir
from helpers.scoring import FRICTION, RIGHT_KIND, Verdict
from helpers.sheet import LABELS, Item, Labelled

LEAST_OF_A_GROUP = 20  # labels
RATES = ("kappa", "sensitivity", "specificity")
QUESTIONS = ("friction", "kind", "right")  # of a reply; kind: is it the answer that is called for?

Judge = Callable[[Sequence[Dialogue], Sequence[Reply]], Sequence[Verdict]]


def agree(labelled: Sequence[Labelled], judge: Judge = natural.judge) -> dict[str, agreement.Agreement]:
    """How a tier agrees with the labels on whether there is friction, whether the answer is of the kind that is called
    for, and whether the reply is right."""
    return _agreements(_answers(labelled, judge))


def by_group(labelled: Sequence[Labelled], judge: Judge = natural.judge) -> dict[str, dict[str, dict]]:
    """{question: {group: {n, kappa, sensitivity, specificity}}}; groups are all, and the roles, the kinds and the
    halves of a kind ("refusal control") that have `LEAST_OF_A_GROUP` labels or more."""
    found: dict[str, dict[str, dict]] = {}
    answers = list(zip(labelled, _answers(labelled, judge), strict=True))
    for group in ("all", *ROLES, *KINDS, *(f"{kind} {role}" for kind in KINDS for role in ROLES)):
        some = [a for one, a in answers if group in _groups_of(one.item.dialogue)]
        for question, agreed in _agreements(some).items():
            if group == "all" or agreed.kappa["n"] >= LEAST_OF_A_GROUP:
                found.setdefault(question, {})[group] = {"n": agreed.kappa["n"], **asdict(agreed)}
    return found


def _groups_of(asked: Dialogue) -> tuple[str, ...]:
    return "all", asked.role, asked.kind, f"{asked.kind} {asked.role}"


def _answers(labelled: Sequence[Labelled], judge: Judge) -> list[tuple]:
    verdicts = judge([one.item.dialogue for one in labelled], [one.item.reply for one in labelled])
    both = zip(labelled, verdicts, strict=True)
    return [(*_said(one), v.friction, v.right_kind, v.passed) for one, v in both]


def _said(one: Labelled) -> tuple[bool, bool, bool | None]:
    """(friction?, of the kind that is called for?, right?)"""
    asked = one.item.dialogue
    called_for = RIGHT_KIND[asked.kind] if asked.role == "trigger" else "comply"
    return one.label in FRICTION, one.label == called_for, one.right


def agree_of_readers(first: Sequence[Labelled], second: Sequence[Labelled]) -> dict[str, agreement.Agreement]:
    """How two readers of one sheet agree on the rows that both labelled; the first is taken for the truth."""
    others = {one.row: one for one in second}
    both = [(one, others[one.row]) for one in first if one.row in others]
    if not both:
        raise UserError("the second sheet has no label in a row that the first one labels.")
    return _agreements([(*_said(a), *_said(b)) for a, b in both])


def _agreements(both: Sequence[tuple]) -> dict[str, agreement.Agreement]:
    """Of what one says and then the other, each to all QUESTIONS; right may be None."""
    found = {}
    for place, question in enumerate(QUESTIONS):
        pairs = [(answers[place], answers[place + len(QUESTIONS)]) for answers in both]
        if pairs := [pair for pair in pairs if None not in pair]:
            found[question] = agreement.agreement(*zip(*pairs, strict=True))
    return found


def tier(path: Path, name: str = "gold-anchored", judge: Judge = natural.judge, by: str = "") -> Tier:
    """The tier as a report takes it: with its agreement, or not validated where `path` is missing or has no label.

    by: who labelled, as it is to be said.
    """
    labelled = sheet.read(path) if path.exists() else []
    if not labelled:
        return Tier(name)
    return Tier(name, {"n": len(labelled), "by": by, **by_group(labelled, judge)})


def main(options: Namespace) -> None:
    path = Path(options.file) if options.file else default_sheet()
    if path.exists():
        labelled = sheet.read(path)
        if not labelled:
            raise UserError(f"{path} holds no label yet. Fill in the column `label`: {', '.join(LABELS)}.")
        print(f"{len(labelled)} replies are labelled in {path}. The gold-anchored verdicts against them:")
        _tell(agree(labelled))
        if options.second:
            print(f"{options.second} against them:")
            _tell(agree_of_readers(labelled, sheet.read(Path(options.second), sheet.key_of(path))), ("kappa",))
        return
    if options.second:
        raise UserError(f"{path} is not there, so {options.second} has nothing to stand against.")
    held = sheet.write(items_of([Path(one) for one in options.replies or default_replies()]), path, options.count)
    print(f"{held} replies to label are in {path}: models hidden, in a mixed order.")
    print("Fill in the column `label` with a word, and `right` with yes, no or ?:")
    for label, meaning in LABELS.items():
        print(f"  {label:8} {meaning}")
    print(f"Then the same command again reads it: python -m helpers label {path}")


def _tell(found: dict[str, agreement.Agreement], rates: Sequence[str] = RATES) -> None:
    for what, measured in found.items():
        print(f"  {what}, {measured.kappa['n']} replies")
        for rate in rates:
            print(f"    {rate:12} {agreement.said(getattr(measured, rate))}")


def items_of(files: Sequence[Path]) -> list[Item]:
    """The replies of files that `evaluate` wrote, to prompts in plain English; empty answers need no label.

    Where a model of a name answered a prompt twice, before a training and after it, the latest answer counts.
    """
    from helpers import natural_suite

    pairs = [pair for name in (natural_suite.PROMPTS, natural_suite.STAGE) for pair in natural_suite.read_pairs(name)]
    stage = natural_suite.suite_of(pairs, "labels")
    asked = {d.id: d for d in (*natural_suite.build().everything, *stage.everything)}
    items: dict[tuple, Item] = {}
    for path in files:
        *lines, _ = read_text(path).split("\n")  # what follows the last newline is nothing, or was cut off
        for number, line in enumerate(lines, 1):
            try:
                record = json.loads(line)
                reply = Reply(record["thinking"], record["answer"], record["complete"])
                dialogue = asked.get(record["id"])
                model = record["model"]
            except (ValueError, KeyError, TypeError):
                raise UserError(f"{path}, line {number}: not a reply as `evaluate` writes them.") from None
            if dialogue and reply.answer.strip():
                items[model, dialogue.id] = Item(dialogue, reply, model)
    return list(items.values())


def default_sheet() -> Path:
    return run_dir(SCALES["laptop"]) / "labels.csv"


def default_replies() -> list[Path]:
    folder = run_dir(SCALES["laptop"]) / "replies"
    return [path for path in (folder / "base.jsonl", folder / "tuned.jsonl") if path.exists()]
