"""A run of the relay against the stand-in server, in this process or in one of its own, for the tests that need it."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from helpers.calls import Patience
from helpers.scale import ROOT
from helpers.stand_in import Reply
from helpers.synthesis import synthesise

MODEL = "hosted_vllm/stand-in"
PRICED, KEY = "openai/gpt-4o-mini", "sk-" + "no-key-" * 4
HASTY = Patience(timeout=20.0, tries=4, first=0.02, longest=0.1, most=5.0)
STRICT = replace(HASTY, timeout=1.0)  # for a server that is late on purpose; a busy machine is late as well
PROSE = Reply("Sure! I think that the claim does not hold.")

# The command as a user gives it, without the look at what is installed.
CLI = (
    "import signal, sys; from helpers import __main__ as m, environment, install\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # whoever ran the tests may have set it aside
    "environment.go_inside = install.complete = lambda *a, **k: None\n"
    "sys.exit(m.main(sys.argv[1:]))"
)


def run(server, out: Path, count: int = 4, model: str = MODEL, said: list | None = None, **settings):
    """A run against the server; what it says is appended to `said`."""
    said = [] if said is None else said
    os.environ["HOSTED_VLLM_API_BASE"] = os.environ["OPENAI_API_BASE"] = server.url
    defaults = {"count": count, "out": out, "patience": HASTY, "progress": said.append}
    return synthesise(model, **{**defaults, **settings})


def command(*arguments: str, **environment: str) -> list:
    """(command, settings) for subprocess: `python -m helpers synthesise ..` with these variables set."""
    env = {**os.environ, "PYTHONIOENCODING": "utf-8", **environment}
    return [[sys.executable, "-c", CLI, "synthesise", *map(str, arguments)], {"cwd": ROOT, "env": env}]


def cli(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    words, settings = command(*arguments, **environment)
    return subprocess.run(words, capture_output=True, encoding="utf-8", timeout=120, **settings)


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def answered(out: Path) -> set[str]:
    """The calls in the journal of a run whose answer is whole."""
    journal = out.with_name(f"{out.stem}.journal.jsonl")
    if not journal.exists():
        return set()
    whole = journal.read_bytes().rpartition(b"\n")[0].splitlines()
    return {entry["key"] for entry in map(json.loads, whole) if "key" in entry}
