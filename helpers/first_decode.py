"""The first decode of a GGUF file on a machine, tried in a child process: native code can crash, a kernel must not."""

import hashlib
import json
import platform
import subprocess
import sys
from pathlib import Path

from helpers.artefacts import ROOT, identity
from helpers.dialogue import write_text
from helpers.engines import LlamaCpp, llama_cpp
from helpers.errors import UserError

NOTES = ROOT / "runs" / "first_decode.json"
CHILD = "import sys; from helpers.first_decode import decode_once; decode_once(sys.argv[1])"
EXPLAINED = 3  # exit status of the child when its last line is meant for the user


def first_decode_works(path: Path, notes: Path = NOTES) -> str:
    """Decode one token in a child process: "" when it works, else a sentence that names the file and the reason.

    It can crash, depending on CPU and build (llama.cpp issue 20824), and would take a notebook's kernel with it.
    A success is noted for this machine, this build and this file, and not tried again.
    """
    api = llama_cpp()
    machine = [platform.node(), platform.processor(), api.llama_print_system_info().decode(), identity(path)]
    key = hashlib.sha256(json.dumps(machine).encode()).hexdigest()
    known = _notes(notes)
    if key in known:
        return ""
    try:
        command = [sys.executable, "-c", CHILD, str(path.resolve())]
        child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=120)
    except subprocess.TimeoutExpired:
        return f"{path}: llama.cpp did not decode one token in two minutes."
    if child.returncode:
        said = (child.stderr.strip() or "it crashed, saying nothing").splitlines()[-1]
        if child.returncode == EXPLAINED:
            return said
        status = f"exit status {child.returncode}"
        return f"{path}: llama.cpp failed at its first decode on this machine ({status}): {said}. All but GGUF works."
    write_text(notes, json.dumps([*known, key]))
    return ""


def decode_once(path: str) -> None:
    """What the child process of `first_decode_works` does."""
    try:
        next(LlamaCpp(path, Path(path)).greedy([1, 2, 3], 1))
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(EXPLAINED)


def _notes(path: Path) -> list[str]:
    try:
        return list(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return []  # a note that cannot be read costs one more try
