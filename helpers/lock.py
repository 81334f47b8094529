"""What only one process may do at a time. Standard library only."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterator
from pathlib import Path

from helpers.errors import UserError


@contextlib.contextmanager
def only_one(path: Path, taken: str) -> Iterator[None]:
    """Hold the lock file `path`; UserError with the words `taken` where another process holds it.

    The system lets go of it when the process ends, however that ends. OSError where the file cannot be made.
    """
    with path.open("w") as file:
        try:
            if os.name == "nt":
                importlib.import_module("msvcrt").locking(file.fileno(), 2, 1)  # 2: LK_NBLCK
            else:
                importlib.import_module("fcntl").flock(file, 2 | 4)  # LOCK_EX | LOCK_NB
        except OSError:
            raise UserError(taken) from None
        yield
