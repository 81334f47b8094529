"""What requirements.txt asks for, what is installed of it, and pip. Standard library only."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import metadata
from operator import eq, ge, gt, le, lt, ne
from pathlib import Path

from helpers.errors import UserError
from helpers.lock import only_one

ROOT = Path(__file__).resolve().parent.parent
LOG = ROOT / "runs" / "install.log"
COMPARE = {"==": eq, "!=": ne, "<=": le, ">=": ge, "<": lt, ">": gt}
CLEAR = "\r" + " " * 79 + "\r"


@dataclass(frozen=True)
class Requirement:
    """One line of requirements.txt. `group` is the name behind its marker `extra`, "" without one."""

    name: str
    spec: str
    group: str = ""

    def __str__(self) -> str:
        return self.name + self.spec

    def met(self) -> bool:
        found = installed(self.name)
        return accepts(self.spec, found) if found else self.group == "replace"


def requirements(text: str | None = None) -> list[Requirement]:
    text = (ROOT / "requirements.txt").read_text("utf-8") if text is None else text
    rows = (line.split("#")[0].strip() for line in text.splitlines())
    parts = (re.fullmatch(r'([\w.-]+)([^;]*?)\s*(?:;\s*extra\s*==\s*"(\w+)")?', row) for row in rows if row)
    return [Requirement(found[1], found[2], found[3] or "") for found in parts]


def installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def accepts(spec: str, version: str) -> bool:
    """Whether a version meets all of "==1.2,!=1.4.*,<2". Local parts (+cpu) do not count; 2.0rc1 is before 2.0."""
    pairs = re.findall(r"(==|!=|<=|>=|<|>)\s*([^,\s]+)", spec)
    return all(_accepts_one(operator, wanted, version) for operator, wanted in pairs)


def _accepts_one(operator: str, wanted: str, version: str) -> bool:
    have, want = _key(version), _key(wanted.removesuffix(".*"))
    if wanted.endswith(".*"):
        length = wanted.count(".")
        have, want = have[:length], want[:length]
    return COMPARE[operator](have, want)


def _key(version: str) -> tuple[int, ...]:
    release, rest = re.match(r"(\d+(?:\.\d+)*)(.*)", version.split("+")[0]).groups()
    early = re.match(r"[.-]?(a|b|rc|dev)", rest) is not None
    return (*[int(part) for part in release.split(".")], *[0] * (5 - release.count(".")), -early)


def alone() -> AbstractContextManager[None]:
    """One install at a time: two pips at work in one environment ruin it."""
    LOG.parent.mkdir(exist_ok=True)
    taken = "Another command is installing the course at this moment: wait for it."
    return only_one(LOG.with_name("install.lock"), taken)


def pip(what: str, arguments: list[str], **environment: str) -> None:
    """`pip install`, with the time it has taken and what it is at on one line of the terminal."""
    command = [sys.executable, "-m", "pip", "install", "--progress-bar=off", "--no-input", *arguments]
    # PIP_USER: a "user = true" in somebody's pip.conf makes pip refuse to work in a venv.
    settings = {**environment, **os.environ, "PYTHONUNBUFFERED": "1", "PIP_USER": "0"}
    print(f"  {what}", flush=True)
    lines, over = [""], threading.Event()
    clock = threading.Thread(target=_clock, args=(lines, over), daemon=True)
    child = subprocess.Popen(
        command, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace"
    )
    clock.start()
    try:
        LOG.parent.mkdir(exist_ok=True)
        with LOG.open("a", encoding="utf-8") as log:
            for line in child.stdout:
                log.write(line)
                lines.append(line.strip())
        status = child.wait()
    finally:
        over.set()
        clock.join()
        if child.poll() is None:
            child.terminate()
            child.wait()
    if status:
        error = next((line for line in lines if line.startswith("ERROR:")), f"exit status {status}")
        hint = " Is there a connection?" if any("Retrying" in line for line in lines) else ""
        raise UserError(f"pip could not install {what}: {error[:300]}.{hint} See {LOG}; the same command tries again.")


def _clock(lines: list[str], over: threading.Event) -> None:
    """Once a second on a terminal, in place; each half minute where the output goes to a file."""
    start, terminal = time.monotonic(), sys.stdout.isatty()
    while not over.wait(1 if terminal else 30):
        width = shutil.get_terminal_size().columns - 1
        line = f"    {_since(start)}  {lines[-1]}"[:width]
        print(f"\r{line:<{width}}" if terminal else line, end="" if terminal else "\n", flush=True)
    print(f"{CLEAR if terminal else ''}    {_since(start)}", flush=True)


def _since(start: float) -> str:
    minutes, seconds = divmod(int(time.monotonic() - start), 60)
    return f"{minutes}:{seconds:02}"
