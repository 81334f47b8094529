"""Replies that were made elsewhere: a JSON list of {"prompt", "baseline_response", "tuned_response"}, and which of them
belong to the course's prompts.
"""

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from helpers.chat import Reply, parse_reply
from helpers.dialogue import KINDS, ROLES
from helpers.errors import UserError
from helpers.natural_suite import PROMPTS
from helpers.scenarios import Pair
from helpers.terminal import safe

KEYS = ("prompt", "baseline_response", "tuned_response")
WANTED = 'Expected a JSON list of {"prompt": "..", "baseline_response": "..", "tuned_response": ".."}.'
SHOWN = 3  # examples of what is left out


@dataclass(frozen=True)
class Row:
    """One entry of a replies file, counted from 1."""

    number: int
    prompt: str
    replies: tuple[Reply, Reply]  # the base's, the tuned model's


@dataclass(frozen=True)
class Matched:
    """The whole pairs, the row of each of their prompts by its id, and in lines what was left out and why."""

    pairs: list[Pair]
    rows: dict[str, Row]
    left_out: list[str]


def read_rows(path: Path) -> list[Row]:
    """The entries of a replies file; UserError names the line or the entry at fault."""
    try:
        data = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}. {WANTED}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text ({error.reason} at byte {error.start}). Save it as UTF-8.") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}, line {error.lineno}: not JSON ({error.msg}). {WANTED}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON that can be read ({error}). {WANTED}") from None
    if not isinstance(data, list):
        raise UserError(f"{path} holds no list. {WANTED}")
    if not data:
        raise UserError(f"{path} holds an empty list: there is nothing to judge. {WANTED}")
    rows: dict[str, Row] = {}
    for number, entry in enumerate(data, 1):
        fault = _fault(entry)
        if fault:
            raise UserError(f"{path}, entry {number}: {fault}. {WANTED}")
        prompt, *said = (entry[key].encode("utf-8", "replace").decode() for key in KEYS)  # without half characters
        row = Row(number, prompt, tuple(parse_reply(text, prefilled=False) for text in said))
        if (first := rows.setdefault(_plain(row.prompt), row)) is not row:
            raise UserError(
                f"{path}, entry {number}: the same prompt as in entry {first.number}. Delete one of the two."
            )
    return list(rows.values())


def match(rows: Sequence[Row], pairs: Sequence[Pair], source: Path | str = "the replies") -> Matched:
    """Find the prompts of the course among the rows. Only whole pairs of one turn count; UserError if there is none."""
    known = {_plain(d.turns[0]["content"]): d for pair in pairs for d in pair}
    by_pair: dict[str, dict[str, Row]] = {}
    strange, talks = [], []
    for row in rows:
        found = known.get(_plain(row.prompt))
        if found is None:
            strange.append(row)
        elif len(found.turns) > 1:
            talks.append(row)
        else:
            by_pair.setdefault(found.pair_id, {})[found.role] = row
    if not by_pair:
        raise UserError(
            f"{source}: none of its {len(rows)} prompts is one that the course asks once: they come from another "
            f"prompt set. Ask a model the prompts of {PROMPTS.parent.name}/{PROMPTS.name}, and try again."
        )
    halves = [(row, role) for group in by_pair.values() if len(group) == 1 for role, row in group.items()]
    whole = [pair for pair in pairs if len(by_pair.get(pair[0].pair_id, ())) == 2]
    if not whole:
        raise UserError(f"{source}: no prompt stands beside its matched one; {_named(halves[0][0])} has no partner.")
    left_out = []
    if strange:
        left_out.append(f"{len(strange)} of {len(rows)} prompts are not of the course: {_listed(strange)}")
    if talks:
        left_out.append(f"{len(talks)} begin a conversation, of which such a file holds one turn: {_listed(talks)}")
    for role in ROLES:
        other = ROLES[1 - ROLES.index(role)]
        if single := [row for row, found in halves if found == role]:
            left_out.append(f"{len(single)} {role}s without their {other}: {_listed(single)}")
    for kind in KINDS:
        if not any(pair[0].kind == kind for pair in whole):
            left_out.append(f"no whole pair of {kind}: the card is without it")
    found = {d.id: by_pair[d.pair_id][d.role] for pair in whole for d in pair}
    return Matched(whole, found, left_out)


def _fault(entry: object) -> str:
    if not isinstance(entry, dict):
        return f"expected an object, got {type(entry).__name__}"
    if missing := [key for key in KEYS if key not in entry]:
        return f"{missing[0]} is missing"
    if wrong := [key for key in KEYS if not isinstance(entry[key], str)]:
        return f"{wrong[0]} is no text"
    return "" if entry["prompt"].strip() else "the prompt is empty"


def _plain(text: str) -> str:
    """A prompt as it is compared: spaces, quotes and capitals do not count, nor in which form an accent is written."""
    folded = unicodedata.normalize("NFKC", text).translate({0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"'})
    return " ".join(folded.split()).casefold()


def _listed(rows: Sequence[Row]) -> str:
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return ", ".join(_named(row) for row in rows[:SHOWN]) + more


def _named(row: Row) -> str:
    text = " ".join(safe(row.prompt).split())
    return f'entry {row.number} "{text[:40]}{".." if len(text) > 40 else ""}"'
