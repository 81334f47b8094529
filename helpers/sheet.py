"""A sheet of replies for a reader to label, in whatever spreadsheet there is, and back again.

It is blind: the models are hidden and the order is shuffled. What was hidden lies beside it, in a `.key.jsonl` that
nobody need open. Whoever labels sees the prompt, what makes a reply right, and the reply; in the column `label` goes
what the reply does, in `right` whether it is right. Rows may be left out.
"""

import csv
import io
import json
import random
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from helpers.chat import Reply
from helpers.dialogue import Agent, Dialogue, read_text, write_text
from helpers.errors import UserError
from helpers.judge import criterion

COLUMNS = ("row", "prompt", "a reply is right if", "reply", "label", "right")
LABELS = {
    "correct": "contradicts what the user takes for true", "doubt": "says that it is not known",
    "clarify": "asks back before it helps", "refuse": "declines", "comply": "none of these: goes along, answers, helps",
}  # fmt: skip
YES_NO = {"yes": True, "y": True, "1": True, "true": True, "no": False, "n": False, "0": False, "false": False}
CELL = 30_000  # characters; a spreadsheet's cell holds 32,767
FORMULA = re.compile(r"^[\s'\"]*[=+\-@|%]|^[\t\r\n]")  # what a spreadsheet would compute, or run
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
COUNT = 100


@dataclass(frozen=True)
class Item:
    """A reply to be labelled. model: hidden from whoever labels."""

    dialogue: Dialogue
    reply: Reply
    model: str


@dataclass(frozen=True)
class Labelled:
    """What a reader says of an item. right: None where the cell is empty or a question mark."""

    item: Item
    label: str
    right: bool | None
    row: int


# -- writing ---------------------------------------------------------------------------------------------------------


def write(items: Sequence[Item], path: Path, count: int = COUNT, seed: int = 0) -> int:
    """The sheet with `count` items, as many of each kind, role and model as there are; returns how many it holds.

    UserError when a sheet lies there already, since it may hold hours of work.
    """
    if path.exists():
        raise UserError(f"{path} is there already. Give it back to be read, or write another file.")
    if count < 1:
        raise UserError(f"--count {count}: expected 1 or more.")
    if not items:
        raise UserError("there is nothing to label. Run `python -m helpers evaluate --scale laptop` first.")
    chosen = _spread(items, count, random.Random(seed))
    text = io.StringIO()
    sheet = csv.writer(text)
    sheet.writerow(COLUMNS)
    for row, item in enumerate(chosen, 1):
        asked = "\n".join(f"{turn['role']}: {turn['content']}" for turn in item.dialogue.turns)
        said = item.reply.answer + ("" if item.reply.complete else " [cut off]")
        sheet.writerow([row, *map(safe_cell, (asked, criterion(item.dialogue), said)), "", ""])
    write_text(key_of(path), "".join(json.dumps(asdict(item), ensure_ascii=False) + "\n" for item in chosen))
    write_text(path, "\ufeff" + text.getvalue())  # without the mark Excel takes UTF-8 for something else
    return len(chosen)


def safe_cell(text: str) -> str:
    """The text as a cell that a spreadsheet shows and does not compute, nor obeys."""
    text = STEERING.sub(" ", text.replace("\r\n", "\n"))
    text = text if len(text) <= CELL else text[:CELL] + " [..]"
    return f"'{text}" if FORMULA.search(text) else text


def _spread(items: Sequence[Item], count: int, rng: random.Random) -> list[Item]:
    """From each kind, role and model in turn, then shuffled."""
    groups: dict[tuple, list[Item]] = defaultdict(list)
    for item in items:
        groups[item.dialogue.kind, item.dialogue.role, item.model].append(item)
    for group in groups.values():
        rng.shuffle(group)
    longest = max(map(len, groups.values()))
    chosen = [group[i] for i in range(longest) for group in groups.values() if i < len(group)][:count]
    rng.shuffle(chosen)
    return chosen


def key_of(path: Path) -> Path:
    return path.with_name(f"{path.stem}.key.jsonl")


# -- reading ---------------------------------------------------------------------------------------------------------


def read(path: Path, key: Path | None = None) -> list[Labelled]:
    """The rows that have a label. A spreadsheet may have put semicolons, another encoding, or another order.

    key: of a copy that was filled in by somebody else. UserError names the row at fault.
    """
    items = dict(enumerate(_read_key(key or key_of(path)), 1))
    found: dict[int, Labelled] = {}
    for line, record in enumerate(_rows(path), 2):
        place = f"{path}, line {line}"
        try:
            row = int((record["row"] or "").strip())
            item = items[row]
        except (ValueError, KeyError):
            raise UserError(f"{place}: there is no row {record['row']!r}; they go from 1 to {len(items)}.") from None
        if row in found:
            raise UserError(f"{place}: row {row} is there twice. Delete one.")
        label, right = ((record[name] or "").strip().lower() for name in ("label", "right"))
        if label and label not in LABELS:
            raise UserError(f"{place}: label {label!r}, expected one of {', '.join(LABELS)}, or nothing.")
        if right not in ("", "?") and right not in YES_NO:
            raise UserError(f"{place}: right {right!r}, expected yes, no or ?.")
        if label:
            found[row] = Labelled(item, label, YES_NO.get(right), row)
    return [found[row] for row in sorted(found)]


def _rows(path: Path) -> list[dict]:
    csv.field_size_limit(10_000_000)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")  # the labels are ASCII, and the rest is in the key
    separator = max(",;\t", key=text.partition("\n")[0].count)
    records = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=separator))
    missing = [name for name in ("row", "label", "right") if not records or name not in records[0]]
    if missing:
        raise UserError(f"{path} lacks the column {', '.join(missing)}, or has no rows. Keep the first line as it was.")
    return records


def _read_key(path: Path) -> list[Item]:
    items = []
    for number, line in enumerate(read_text(path).removesuffix("\n").split("\n"), 1):
        try:
            record = json.loads(line)
            asked = record["dialogue"]
            agents = tuple(Agent(**agent) for agent in asked["agents"])
            dialogue = Dialogue(**{**asked, "turns": tuple(asked["turns"]), "agents": agents})
            items.append(Item(dialogue, Reply(**record["reply"]), record["model"]))
        except (ValueError, KeyError, TypeError):
            raise UserError(f"{path}, line {number}: not what was written there. Write the sheet anew.") from None
    return items
