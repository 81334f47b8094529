"""What outlives a kill: every answer of a model, on the disk before the next call begins, and what the calls cost."""

from __future__ import annotations

import asyncio
import json
import os
from collections import defaultdict
from collections.abc import Container, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

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
