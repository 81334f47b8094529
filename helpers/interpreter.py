"""The interpreter: which one runs, and the way from a bare one into `.venv`. Standard library only."""

from __future__ import annotations  # so that an old Python can still read this file, and say that it is too old

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from helpers.errors import UserError
from helpers.packages import ROOT

VENV = ROOT / ".venv"
STAMP = "push-back-ai.json"  # in the environment; it says what was installed there
OLDEST, NEWEST = (3, 11), (3, 13)


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
