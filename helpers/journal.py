"""What outlives a kill: every answer of a model, on the disk before the next call begins, and the records made of them.

Beside `synthesised.jsonl` stand `synthesised.journal.jsonl` (the answers, and what the calls cost),
`synthesised.jsonl.part` (the records so far, while it runs) and `synthesised.set-aside.jsonl` (what could not be used,
and why).
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from helpers.dialogue import Dialogue, to_json
from helpers.errors import UserError
from helpers.lock import only_one


@dataclass(frozen=True)
class Answer:
    """What a call brought: the text as it came, why it ended (`stop`, `length`, ..), and what it came to in all."""

    text: str
    finish: str
    tokens: int
    cost: float
    ticket: int


def beside(out: Path, what: str) -> Path:
    return out.with_name(f"{out.stem}.{what}")


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """One run at a time may write here."""
    if out.is_dir():
        raise UserError(f'{out} is a folder. Give the name of a file: --out "{out / "set.jsonl"}"')
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        lock = out.with_name(f".{out.stem}.lock")
        lock.touch()
    except OSError as error:
        raise UserError(f"cannot write into {out.parent}: {error.strerror}. Give another --out.") from None
    with only_one(lock, f"another run is writing {out}. Wait for it, or give another --out."):
        yield


class Journal:
    """Answers by record and call. `keep` returns when the answer is on the disk; answers that come together share
    one sync. Of finished records nothing is held in memory.

    spent: (tokens, dollars) so far; a call that was sent and whose end nobody knows counts at its dearest.
    """

    def __init__(self, path: Path, settings: dict, done: Container[str] = ()):
        self.path = path
        self.spent, self.tickets, self.calls = (0, 0.0), 0, 0
        self._known: dict[str, dict[str, Answer]] = defaultdict(dict)
        self._read(settings, done)
        self._disk = ThreadPoolExecutor(1, "journal")
        self._written = self._synced = 0
        self._lock = asyncio.Lock()
        self._file = path.open("ab")
        if not self._file.tell():
            self.note({"settings": settings})

    def known(self, record: str) -> dict[str, Answer]:
        """The answers that an unfinished record has, by the key of their call; from now on they are the caller's."""
        return self._known.pop(record, {})

    def note(self, line: dict) -> None:
        """Handed to the system at once, which is enough to outlive this process; the next sync takes it along."""
        try:
            self._file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise disk_trouble(self.path, error) from None
        self._written += 1

    async def keep(self, record: str, key: str, answer: Answer) -> None:
        self.note({"record": record, "key": key, **asdict(answer)})
        mine = self._written
        async with self._lock:
            if self._synced < mine:
                upto = self._written
                await asyncio.get_running_loop().run_in_executor(self._disk, self._sync)
                self._synced = upto

    def close(self) -> None:
        self._disk.shutdown()
        with suppress(OSError):  # the run has ended, and has said how
            self._file.close()

    def _sync(self) -> None:
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise disk_trouble(self.path, error) from None

    def _read(self, settings: dict, done: Container[str]) -> None:
        under_way: dict[int, tuple[int, float]] = {}
        tokens, cost = 0, 0.0
        for number, line in enumerate(whole_lines(self.path), 1):
            try:
                entry = json.loads(line)
                if "settings" in entry:
                    self._same(entry["settings"], settings)
                elif "sent" in entry:
                    under_way[entry["sent"]] = (entry["tokens"], entry["cost"])
                    self.tickets = max(self.tickets, entry["sent"] + 1)
                elif "free" in entry:
                    under_way.pop(entry["free"], None)
                else:
                    record, key = entry.pop("record"), entry.pop("key")
                    answer = Answer(**entry)
                    under_way.pop(answer.ticket, None)
                    tokens, cost = tokens + answer.tokens, cost + answer.cost
                    self.calls += 1
                    if record not in done:
                        self._known[record][key] = answer
            except (ValueError, KeyError, TypeError):
                raise UserError(
                    f"{self.path}, line {number}: not a line of a journal. Delete that line; its call is made again."
                ) from None
        lost = under_way.values()
        self.spent = (tokens + sum(t for t, _ in lost), cost + sum(c for _, c in lost))

    def _same(self, before: dict, now: dict) -> None:
        for name, value in now.items():
            if before.get(name) != value:
                raise UserError(
                    f"{self.path} was begun with {name} {before.get(name)}, and this run has {value}. "
                    "Give another --out, or --fresh to begin anew."
                )


def whole_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, one by one; a last line that a kill cut in half is removed from the file first."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = 0
        for line in file:
            if line.endswith(b"\n"):
                end += len(line)
        file.truncate(end)
        file.seek(0)
        yield from file


def disk_trouble(path: Path, error: OSError) -> UserError:
    return UserError(
        f"cannot write {path}: {error.strerror}. What is done is kept; make room and run the same command again."
    )


# -- the records ---------------------------------------------------------------------------------------------------


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
