"""The environment: which Python runs, the way from a bare one into `.venv`, and what pip installed there.

Standard library only.
"""

from __future__ import annotations  # so that an old Python can still read this file, and say that it is too old

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
from typing import NoReturn

from helpers.errors import UserError
from helpers.lock import only_one

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = "push-back-ai.json"  # in the environment; it says what was installed there
OLDEST, NEWEST = (3, 11), (3, 13)
LOG = ROOT / "runs" / "install.log"
COMPARE = {"==": eq, "!=": ne, "<=": le, ">=": ge, "<": lt, ">": gt}
CLEAR = "\r" + " " * 79 + "\r"


# -- the interpreter -----------------------------------------------------------------------------------------------


def kind() -> str:
    """Where this interpreter lives: own (our .venv), hosted (Colab, Kaggle), active (a venv or conda), or bare."""
    if "COLAB_RELEASE_TAG" in os.environ or "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
        return "hosted"
    here, conda = Path(sys.prefix).resolve(), os.environ.get("CONDA_PREFIX")
    if here == VENV.resolve():
        return "own"
    return "active" if sys.prefix != sys.base_prefix or (conda and Path(conda).resolve() == here) else "bare"


def place() -> str:
    return {"own": ".venv", "hosted": "this notebook host", "bare": "a bare interpreter"}.get(kind(), sys.prefix)


def go_inside(arguments: list[str]) -> None:
    """From a bare interpreter: make .venv where it is not whole, go on inside it, and never return."""
    if kind() == "bare":
        if not healthy(VENV):
            make_venv(VENV)
        enter(python_in(VENV), ["-m", "helpers", *arguments])
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        way_out = "delete the folder .venv" if kind() == "own" else "deactivate this environment"
        raise UserError(
            f"Python {sys.version.split()[0]} in {place()}: 3.11 to 3.13 is needed; {way_out} and run again."
        )


def enter(python: Path, arguments: list[str]) -> NoReturn:
    """Go on in another interpreter, in this terminal, with its exit status."""
    sys.stdout.flush()
    if os.name == "nt":  # there, execv returns to the prompt at once and loses the exit status
        sys.exit(through([str(python), *arguments]))
    os.execv(python, [str(python), *arguments])


def through(command: list[str]) -> int:
    """Run a command on this terminal; its exit status. Ctrl-C reaches the child by itself: here it is waited for."""
    child = subprocess.Popen(command)
    while True:
        try:
            status = child.wait()
            return status if status >= 0 else 128 - status
        except KeyboardInterrupt:
            continue


def python_in(venv: Path) -> Path:
    return venv / "Scripts" / "python.exe" if os.name == "nt" else venv / "bin" / "python"


def healthy(venv: Path) -> bool:
    """Whether its python starts and, before the stamp, has pip. Without pyvenv.cfg it would be the bare interpreter
    again and call itself for ever; when the Python that made it has been removed, its home is gone."""
    python, config = python_in(venv), venv / "pyvenv.cfg"
    if not (python.exists() and config.is_file()):
        return False
    home = re.search(r"^home\s*=\s*(.+)$", config.read_text("utf-8", errors="replace"), re.MULTILINE)
    if not (home and Path(home[1].strip()).is_dir()):
        return False
    return (venv / STAMP).exists() or subprocess.run([python, "-c", "import pip"], capture_output=True).returncode == 0


def make_venv(venv: Path) -> None:
    python = supported_python()
    print(f"{'Repairing' if venv.exists() else 'Making'} {venv.name} with {python}", flush=True)
    ways = [[python, "-m", "venv", str(venv)]]
    if shutil.which("uv"):
        ways.append(["uv", "venv", "--seed", "--python", python, str(venv)])
    for command in ways:
        clear(venv)
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        if done.returncode == 0:
            return
    said = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
    raise UserError(
        f"{venv} cannot be made: {said}. On Debian and Ubuntu: sudo apt install python3-venv; elsewhere install Python "
        "from python.org, or uv. Then run the same command again."
    )


def clear(venv: Path) -> None:
    try:
        if venv.exists():
            shutil.rmtree(venv)
    except OSError as problem:  # a link, or in use on Windows
        raise UserError(
            f"{venv} is not whole and cannot be removed ({problem}): close what uses it, delete it."
        ) from None


def supported_python() -> str:
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return sys.executable
    for name in ("python3.13", "python3.12", "python3.11"):
        if shutil.which(name) and subprocess.run([name, "-c", ""], capture_output=True).returncode == 0:
            return shutil.which(name)
    raise UserError(
        f"This is Python {sys.version.split()[0]}; the course needs 3.11, 3.12 or 3.13. Install one, run it with that."
    )


# -- the packages --------------------------------------------------------------------------------------------------


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
    found = []
    for row in filter(None, rows):
        parts = re.fullmatch(r'([\w.-]+)([^;]*?)\s*(?:;\s*extra\s*==\s*"(\w+)")?', row)
        if parts is None:
            raise UserError(
                f'requirements.txt: {row!r} is not understood; write NAME>=1.2, or NAME>=1.2 ; extra == "gguf"'
            )
        found.append(Requirement(parts[1], parts[2], parts[3] or ""))
    return found


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
