"""The records of a run: those that are made, those set aside with the reason, and the whole file at the end.

Beside `synthesised.jsonl` stand `synthesised.jsonl.part` (the records so far, while it runs),
`synthesised.set-aside.jsonl` (what could not be used, and why) and `synthesised.journal.jsonl` (see `journal.py`).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from helpers.dialogue import Dialogue, to_json
from helpers.errors import UserError
from helpers.journal import beside, disk_trouble, whole_lines


class Shelf:
    """The finished records, and those set aside. A record is written once: its id is looked up first."""

    def __init__(self, out: Path, fresh: bool = False):
        if fresh:
            _remove(out)
        self.out, self.part, self.aside = out, out.with_name(out.name + ".part"), beside(out, "set-aside.jsonl")
        if out.exists() and not fresh and not self.part.exists():
            if not beside(out, "journal.jsonl").exists():
                raise UserError(f"{out} is there and was made by something else. Give another --out, or --fresh.")
            copy = out.with_name(out.name + ".copy")
            shutil.copyfile(out, copy)
            os.replace(copy, self.part)
        self.good = _ids(self.part)
        self.bad = _ids(self.aside)
        self._files = {path: path.open("ab") for path in (self.part, self.aside)}

    def __contains__(self, record: str) -> bool:
        return record in self.good or record in self.bad

    def put(self, dialogue: Dialogue) -> None:
        self._append(self.part, to_json(dialogue))
        self.good.add(dialogue.id)

    def set_aside(self, scenario: Dialogue, step: str, reason: str) -> None:
        head = {"id": scenario.id, "pair_id": scenario.pair_id, "kind": scenario.kind, "role": scenario.role}
        line = {**head, "user_input": scenario.user_input, "step": step, "reason": reason}
        self._append(self.aside, json.dumps(line, ensure_ascii=False))
        self.bad.add(scenario.id)

    def last_reason(self) -> str:
        """Why the latest record was set aside."""
        *_, last = self.aside.read_bytes().splitlines() or [b'{"reason": "no scenario was tried"}']
        return json.loads(last)["reason"]

    def finish(self, order: Iterable[str]) -> int:
        """Write the records in the order of their scenarios, so that the file is the same whatever came in first.

        Returns how many there are. What was made for scenarios that are no longer asked for stays in the journal.
        """
        self.close()
        places, count = {}, 0
        with self.part.open("rb") as source:
            place = 0
            for line in source:
                places[json.loads(line)["id"]] = place
                place += len(line)
            whole = self.out.with_name(self.out.name + ".whole")
            try:
                with whole.open("wb") as target:
                    for record in order:
                        if record in places:
                            source.seek(places[record])
                            target.write(source.readline())
                            count += 1
                    target.flush()
                    os.fsync(target.fileno())
                os.replace(whole, self.out)
            except OSError as error:
                raise disk_trouble(self.out, error) from None
        self.part.unlink()
        if not self.aside.stat().st_size:
            self.aside.unlink()
        return count

    def close(self) -> None:
        for file in self._files.values():
            with suppress(OSError):
                file.close()

    def _append(self, path: Path, line: str) -> None:
        """Not synced one by one: after a power cut the journal makes the record again without a call."""
        try:
            self._files[path].write(line.encode() + b"\n")
            self._files[path].flush()
        except OSError as error:
            raise disk_trouble(path, error) from None


def _remove(out: Path) -> None:
    """Forget a run; the finished file stays until the new one is whole."""
    for path in (beside(out, "journal.jsonl"), out.with_name(out.name + ".part"), beside(out, "set-aside.jsonl")):
        path.unlink(missing_ok=True)


def _ids(path: Path) -> set[str]:
    found = set()
    for number, line in enumerate(whole_lines(path), 1):
        try:
            found.add(json.loads(line)["id"])
        except (ValueError, KeyError, TypeError):
            raise UserError(
                f"{path}, line {number}: not a record. Delete that line; the record is made again."
            ) from None
    return found
