"""How far a run is: records, rate, cost and time left; one line that is written over, or about ten lines in all."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable

from helpers.budget import Budget
from helpers.wording import span

OFTEN = 0.1  # seconds between two writings of the line
BAR = 20  # characters


class Meter:
    """tell: where lines go. On a terminal the line of progress is written over, unless somebody else listens."""

    def __init__(self, total: int, budget: Budget, tell: Callable[[str], None] = print):
        self.total, self.budget = total, budget
        self._live = tell is print and sys.stdout.isatty()
        self._tell = (lambda text: print(text, flush=True)) if tell is print else tell
        self._begun = self._last = time.monotonic()
        self._first: int | None = None
        self._tenths = 0
        self._open = False  # whether a line stands there without its end

    def tell(self, text: str) -> None:
        self._end()
        self._tell(text)

    def aside(self, text: str) -> None:
        """Something that passes, such as waiting for a busy server: for the live line only."""
        if self._live:
            self._write(f"  {text}")

    def show(self, done: int, aside: int) -> None:
        """done: records made so far, in earlier runs as well; aside: those set aside."""
        now, finished = time.monotonic(), done + aside
        if self._first is None:
            self._first = finished - 1
        line = self._line(done, aside, now)
        bar = f"  [{'=' * (finished * BAR // self.total):<{BAR}}]"
        tenths = finished * 10 // self.total
        if self._live:
            if now - self._last >= OFTEN or finished == self.total:
                self._last = now
                self._write(bar + line)
        elif tenths > self._tenths:
            self._tell(line)
        self._tenths = tenths

    def close(self) -> None:
        self._end()

    def _line(self, done: int, aside: int, now: float) -> str:
        rate = (done + aside - self._first) / max(1e-6, now - self._begun)
        parts = [f"  {done} of {self.total} records", f"{rate:.1f} a second"]
        parts += [f"{aside} set aside"] * bool(aside)
        parts += [f"${self.budget.cost:.4f}" if self.budget.cost else f"{self.budget.tokens:,} tokens"]
        return ", ".join([*parts, f"{span((self.total - done - aside) / rate)} left"])

    def _write(self, line: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        print(f"\r{line[:width]:<{width}}", end="", flush=True)
        self._open = True

    def _end(self) -> None:
        if self._open:
            print(flush=True)
            self._open = False
