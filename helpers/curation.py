"""Curation: read a file however broken it is, hold every record to its rules, keep what passes, and split by pair."""

from __future__ import annotations

import hashlib
from argparse import Namespace
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from glob import glob
from pathlib import Path

from helpers import near, prose
from helpers.dialogue import KINDS, Dialogue
from helpers.errors import UserError
from helpers.lint import RECORD_RULES
from helpers.schema import RULES, Entry, Fault, Reading, Rules, read, rules_for
from helpers.terminal import safe

SHOWN = 8  # reasons a rule in the table; all line numbers are shown
LONGEST = 160  # characters of a reason


@dataclass(frozen=True)
class LintReport:
    """passed: lines without a fault. set_aside: the faults, several where a record has several.

    applied: to how many records each rule applies. pairs: how many of each kind passed whole.
    """

    passed: tuple[int, ...]
    set_aside: tuple[Fault, ...]
    applied: dict[str, int]
    pairs: dict[str, int]

    @property
    def lines_set_aside(self) -> tuple[int, ...]:
        return tuple(sorted({fault.line for fault in self.set_aside}))


def lint(
    dialogues: Iterable[tuple[int, Dialogue]], rules: Rules | None = None, against: Sequence[Dialogue] = ()
) -> LintReport:
    """Hold (line number, dialogue) to the rules, which each record chooses by its source unless they are given.

    against: another split, with which nothing may be shared.
    """
    entries = _entries(dialogues, rules)
    return _report(entries, [*_record_faults(entries), *_set_faults(entries, against)], compared=bool(against))


def lint_file(path: Path, rules: Rules | None = None, against: Sequence[Dialogue] = ()) -> LintReport:
    """Lint a JSONL file of dialogues, of prompts or of plain questions; a broken line is a fault like any other."""
    return lint_files([path], rules, against)[0]


def lint_files(paths: Sequence[Path], rules: Rules | None = None, against: Sequence[Dialogue] = ()) -> list[LintReport]:
    """Lint files that are parts of one set; a report for each, in order."""
    names = [path.name for path in paths] if len(paths) > 1 else [""]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    parts = [(name, read(path)) for name, path in zip(names, paths, strict=True)]
    entries = [entry for name, part in parts for entry in _entries(part.records, rules, name)]
    whole = frozenset().union(*(part.broken_pairs for _, part in parts))
    faults = [*_record_faults(entries), *_set_faults(entries, against, whole)]
    return [_part_report(name, part, entries, faults, bool(against)) for name, part in parts]


def curate(
    dialogues: Sequence[Dialogue], rules: Rules | None = None, against: Sequence[Dialogue] = ()
) -> tuple[list[Dialogue], LintReport]:
    """(kept, report): what passes, in whole pairs; the lines of the report count from 1.

    Records that fail by themselves leave before records are compared, so that no good one is a copy of a bad one.
    """
    entries = _entries(enumerate(dialogues, 1), rules)
    faults = _record_faults(entries)
    kept = _without(entries, faults)
    while found := _set_faults(kept, against):  # again, since a smaller set may repeat less
        faults += found
        kept = _without(kept, found)
    blamed, lines = {fault.line for fault in faults}, {entry.line for entry in kept}
    faults += [
        _fault(e, "mate", f"the other half of pair {e.dialogue.pair_id!r} was set aside")
        for e in entries
        if e.line not in lines | blamed
    ]
    return [entry.dialogue for entry in kept], _report(entries, faults, {"mate": len(entries)}, bool(against))


def split(
    dialogues: Sequence[Dialogue], validation: float = 0.1, seed: int = 0
) -> tuple[list[Dialogue], list[Dialogue]]:
    """(training, validation): the given share of the pairs of every kind, chosen by the hash of their pair_id.

    A trigger stays with its control, and so do pairs that share a conversation: none is on both sides.
    """
    if not 0 <= validation < 1:
        raise UserError(f"validation is {validation}: expected a share from 0 to below 1, such as 0.1.")
    family = _families(dialogues)
    kinds: dict[str, set[str]] = defaultdict(set)
    for dialogue in dialogues:
        kinds[dialogue.kind].add(family[dialogue.pair_id])
    held: set[str] = set()
    for names in kinds.values():
        ranked = sorted(names, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).hexdigest())
        held.update(ranked[: round(validation * len(ranked))])
    sides = ([], [])
    for dialogue in dialogues:
        sides[family[dialogue.pair_id] in held].append(dialogue)
    return sides


def _families(dialogues: Iterable[Dialogue]) -> dict[str, str]:
    """pair_id to the name of its family: pairs with a conversation in common are of one."""
    parent: dict[str, str] = {}
    first: dict[tuple, str] = {}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    for dialogue in dialogues:
        mine = root(parent.setdefault(dialogue.pair_id, dialogue.pair_id))
        other = root(first.setdefault(near.conversation(dialogue), dialogue.pair_id))
        parent[max(mine, other)] = min(mine, other)
    return {name: root(name) for name in parent}


# -- the parts of a lint -------------------------------------------------------------------------------------------


def _part_report(
    name: str, part: Reading, entries: Sequence[Entry], faults: Sequence[Fault], compared: bool
) -> LintReport:
    mine = [entry for entry in entries if entry.file == name]
    unread = Counter(fault.rule for fault in part.faults)
    parsed = len(mine) + unread["schema"]
    counts = {"json": parsed + unread["json"], "schema": parsed, "id": sum("id" not in e.rules.skips for e in mine)}
    return _report(mine, [*part.faults, *(fault for fault in faults if fault.file == name)], counts, compared)


def _entries(dialogues: Iterable[tuple[int, Dialogue]], rules: Rules | None = None, file: str = "") -> list[Entry]:
    return [Entry(line, dialogue, rules or rules_for(dialogue), file) for line, dialogue in dialogues]


def _record_faults(entries: Sequence[Entry]) -> list[Fault]:
    return [
        _fault(entry, name, reason)
        for name, rule in RECORD_RULES.items()
        for entry in _under(name, entries)
        for reason in rule(entry)
    ]


def _set_faults(
    entries: Sequence[Entry], against: Sequence[Dialogue], broken_pairs: frozenset[str] = frozenset()
) -> list[Fault]:
    found = {name: rule(_under(name, entries)) for name, rule in near.SET_RULES.items()}
    # The whole half of a pair is not to blame for the broken one.
    found["pairs"] = (one for one in found["pairs"] if one[0].dialogue.pair_id not in broken_pairs)
    if against:
        found["leaks"] = near.leaks(entries, _entries(enumerate(against, 1)))
    return [_fault(entry, name, reason) for name, pairs in found.items() for entry, reason in pairs]


def _fault(entry: Entry, rule: str, reason: str) -> Fault:
    return Fault(entry.line, entry.dialogue.id, rule, reason, entry.file)


def _under(rule: str, entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in entries if rule not in entry.rules.skips]


def _without(entries: Sequence[Entry], faults: Iterable[Fault]) -> list[Entry]:
    """What is left when pairs of which a half has a fault leave whole."""
    blamed = {fault.line for fault in faults}
    pairs = {entry.dialogue.pair_id for entry in entries if entry.line in blamed}
    return [entry for entry in entries if entry.dialogue.pair_id not in pairs]


def _report(
    entries: Sequence[Entry], faults: Sequence[Fault], applied: dict[str, int] | None = None, compared: bool = False
) -> LintReport:
    blamed = {fault.line for fault in faults}
    passed = [entry for entry in entries if entry.line not in blamed]
    halves = Counter(entry.dialogue.pair_id for entry in passed)
    kinds = {e.dialogue.pair_id: e.dialogue.kind for e in passed if halves[e.dialogue.pair_id] == 2}
    ruled = (*RECORD_RULES, *near.SET_RULES, *(["leaks"] if compared else []))
    counts = {**(applied or {}), **{name: len(_under(name, entries)) for name in ruled}}
    told = sorted((replace(f, reason=prose.mask(f.reason)) for f in faults), key=lambda f: (f.line, _RANK[f.rule]))
    pairs = {kind: list(kinds.values()).count(kind) for kind in KINDS}
    return LintReport(tuple(entry.line for entry in passed), tuple(told), counts, pairs)


_RANK = {rule: place for place, rule in enumerate(RULES)}


# -- what a reader sees --------------------------------------------------------------------------------------------


def table(report: LintReport) -> str:
    """One row a rule: how many records passed, how many were set aside, and why, with their line numbers."""
    rows = [f"{'rule':12s}{'passed':>8s}{'set aside':>11s}  why"]
    for rule in (rule for rule in RULES if rule in report.applied):
        faults = [fault for fault in report.set_aside if fault.rule == rule]
        lines = sorted({fault.line for fault in faults})
        asked = report.applied[rule]
        counts = f"{asked - len(lines):8d}{len(lines):11d}" if asked else f"{'-':>8s}{'-':>11s}"
        said = [] if asked else ["not asked of such records"]
        said += [f"line {f.line}: {safe(_shortened(f.reason))}" for f in faults[:SHOWN]]
        if len(faults) > SHOWN:
            said.append(f"and {len(faults) - SHOWN} more: lines {spans(lines)}")
        rows.append(f"{rule:12s}{counts}  {said[0] if said else ''}".rstrip())
        rows += [" " * 33 + line for line in said[1:]]
    return "\n".join(rows)


def spans(numbers: Sequence[int]) -> str:
    """Ascending numbers, neighbours drawn together: 3, 5-9, 12."""
    groups: list[list[int]] = []
    for number in numbers:
        if groups and number == groups[-1][-1] + 1:
            groups[-1] = [groups[-1][0], number]
        else:
            groups.append([number])
    return ", ".join("-".join(map(str, group)) for group in groups)


def summary(report: LintReport) -> str:
    """One line: what passed, and how the whole pairs are spread over the kinds."""
    aside = len(report.lines_set_aside)
    told = f"{len(report.passed) + aside} lines: {len(report.passed)} pass, {aside} set aside."
    if sum(report.pairs.values()):
        balanced = ", in balance" * (len(set(report.pairs.values())) == 1)
        told += f" Whole pairs{balanced}: {', '.join(f'{kind} {count}' for kind, count in report.pairs.items())}."
    return told


def main(options: Namespace) -> int:
    """The verb `lint`: 0 when every record passes, 1 when something is set aside."""
    against = [dialogue for path in options.against or () for dialogue in _sound(Path(path))]
    paths = [path for name in options.files for path in _named(name)]
    aside = 0
    for group in [paths] if options.together else [[path] for path in paths]:
        for path, report in zip(group, lint_files(group, against=against), strict=True):
            found = f"{table(report)}\n" if report.set_aside or len(paths) == 1 else ""
            print(f"\n{path}\n{found}{summary(report)}")
            aside += len(report.lines_set_aside)
    return int(aside > 0)


def _named(name: str | Path) -> list[Path]:
    """The files that a pattern stands for: on Windows a command gets `data/*.jsonl` as it was typed."""
    if Path(name).exists():  # also one with brackets in its name
        return [Path(name)]
    return sorted(map(Path, glob(str(name)))) or [Path(name)]


def _sound(path: Path) -> list[Dialogue]:
    """The records of a file to compare with: a line that cannot be read would hide a leak."""
    reading = read(path)
    if reading.faults:
        first = reading.faults[0]
        raise UserError(f"{path}, line {first.line}: {first.reason}. Lint this file first, then compare with it.")
    return [dialogue for _, dialogue in reading.records]


def _shortened(reason: str) -> str:
    reason = " ".join(reason.split())
    return reason if len(reason) <= LONGEST else f"{reason[: LONGEST - 2]}.."
