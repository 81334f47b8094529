"""Replies from a model: `load` it by name, then ask for `replies`, a `stream`, or a `replies_file`.

The first decode of a GGUF file on a machine is tried in a child process: native code can crash, a kernel must not.
"""

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import astuple
from pathlib import Path

from helpers import adapters, chat, remote, smollm2
from helpers.artefacts import REPAIR, ROOT, base_named, check, find, identity, parts
from helpers.chat import SMOLLM2_TEMPLATE
from helpers.dialogue import Dialogue, write_text
from helpers.engines import Transformers
from helpers.errors import NoLlama, UserError
from helpers.llama import LlamaCpp, llama_cpp
from helpers.model import MAX_NEW_TOKENS, Model, Progress
from helpers.qwen2 import Qwen2, fits

NOTES = ROOT / "runs" / "first_decode.json"
CHILD = "import sys; from helpers.generate import decode_once; decode_once(sys.argv[1])"
EXPLAINED = 3  # exit status of the child when its last line is meant for the user


def load(name: str | Path, quick: bool = False) -> Model | remote.Remote:
    """The model in a folder (whole, or an adapter), in a `.gguf` file, on the Hub, or "smollm2" of the package;
    "ollama/NAME", or another provider of LiteLLM, is asked where it runs ("litellm:NAME" where it names no provider).

    quick: run it in NumPy, if it is a small Qwen2: that is ready before transformers is even imported.
    UserError when there is no such model, or a file of it is missing or damaged.
    """
    if smollm2.is_named(name):
        return _smollm2(str(name))
    if remote.is_named(name) and not Path(name).exists():
        return remote.Remote(str(name))
    path = _found(str(name))
    if path is None:
        return Transformers(str(name), str(name))
    if path.suffix == ".gguf":
        return LlamaCpp(str(name), _decodable(path))
    if smollm2.is_named(base_named(path)):
        return _smollm2(str(name), path)
    base, adapter = parts(path)
    for folder in (base, adapter):
        if isinstance(folder, Path):
            check(folder)
    if isinstance(base, str):  # on the Hub
        return Transformers(str(name), base, adapter)
    if quick and fits(base, adapter):
        try:
            return Qwen2(str(name), base, adapter)
        except (KeyError, ValueError) as error:
            raise UserError(f"{name}: weights, settings and adapter do not fit together ({error}). {REPAIR}") from error
    return Transformers(str(name), str(base), adapter, identity(base, adapter))


def _found(name: str) -> Path | None:
    try:
        return find(name)
    except UserError as missing:
        if not re.fullmatch(r"[\w.:-]+", name) or name.endswith(".gguf"):
            raise
        raise UserError(f"{missing} One behind LiteLLM is provider/{name}, or litellm:{name}.") from None


def _smollm2(name: str, adapter: Path | None = None) -> Model:
    """In llama.cpp where that is installed: it begins within a second, and an adapter costs no second base."""
    if adapter:
        check(adapter)
    try:
        path = _decodable(smollm2.gguf_file())
    except NoLlama:
        folder = smollm2.folder()
        return Transformers(name, str(folder), adapter, identity(folder, adapter))
    if adapter is None:
        return LlamaCpp(name, path, SMOLLM2_TEMPLATE, smollm2.CONTEXT)
    return adapters.Adapted(name, path, adapters.cached(adapter), SMOLLM2_TEMPLATE, smollm2.CONTEXT)


def _decodable(path: Path) -> Path:
    trouble = first_decode_works(path)
    if trouble:
        raise NoLlama(trouble)
    return path


def replies_file(
    model: Model | remote.Remote,
    dialogues: Sequence[Dialogue],
    path: Path,
    max_new_tokens: int = MAX_NEW_TOKENS,
    progress: Progress | None = None,
) -> list[chat.Reply]:
    """The model's replies to dialogues, kept in a JSONL file, so that nothing is computed twice.

    Replies are appended as they are finished. A line's key is a hash of prompt, model and settings: what another model
    said, or this one before it was trained again, is never taken for an answer. A last line that was only half written
    is dropped and made again; UserError when any other line is broken.
    """
    keys, known, missing = _held_against(path, model, dialogues, max_new_tokens)
    done = len(dialogues) - sum(key in missing for key in keys)
    if progress and done:
        progress(done, len(dialogues))
    if missing:
        waiting, count = list(missing.items()), Counter(keys)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8", newline="\n") as file:
                for i, reply in model.answers([d.turns for d in missing.values()], max_new_tokens):
                    key, dialogue = waiting[i]
                    record = {"key": key, "id": dialogue.id, "model": model.name, **vars(reply)}
                    file.write(json.dumps(record, ensure_ascii=False) + "\n")
                    file.flush()
                    known[key] = reply
                    done += count[key]
                    if progress:
                        progress(done, len(dialogues))
        except OSError as error:
            raise UserError(
                f"cannot write {path}: {error.strerror}. The replies so far are kept; free some space and go on."
            ) from error
    return [known[key] for key in keys]


def without_reply(
    model: Model | remote.Remote, dialogues: Sequence[Dialogue], path: Path, max_new_tokens: int = MAX_NEW_TOKENS
) -> list[Dialogue]:
    """Those of the dialogues that `replies_file` would have to ask the model about."""
    return list(_held_against(path, model, dialogues, max_new_tokens)[2].values())


def _held_against(
    path: Path, model: Model | remote.Remote, dialogues: Sequence[Dialogue], max_new_tokens: int
) -> tuple[list[str], dict[str, chat.Reply], dict[str, Dialogue]]:
    """(the key of each dialogue, all replies in the file by their keys, the dialogues whose keys are not among them)"""
    keys, known = [_key(model, d.turns, max_new_tokens) for d in dialogues], _read_replies(path)
    return keys, known, {key: d for key, d in zip(keys, dialogues, strict=True) if key not in known}


def _key(model: Model | remote.Remote, turns: Sequence[dict], max_new_tokens: int) -> str:
    return hashlib.sha256(
        json.dumps([model.prompt(turns), model.engine, model.identity, max_new_tokens]).encode()
    ).hexdigest()


def _read_replies(path: Path) -> dict[str, chat.Reply]:
    if not path.exists():
        return {}
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):  # a step that was killed as it wrote
        os.truncate(path, whole)
    known = {}
    for number, line in enumerate(data[:whole].split(b"\n")[:-1], 1):
        try:
            record = json.loads(line)
            reply = chat.Reply(record["thinking"], record["answer"], record["complete"])
            if [type(field) for field in (record["key"], *astuple(reply))] != [str, str, str, bool]:
                raise TypeError
            known[record["key"]] = reply
        except (ValueError, KeyError, TypeError):
            raise UserError(
                f"{path}, line {number}: not a reply. Delete the line, or the file; what is missing is made again."
            ) from None
    return known


# -- the first decode on a machine ---------------------------------------------------------------------------------


def first_decode_works(path: Path, notes: Path = NOTES) -> str:
    """Decode one token in a child process: "" when it works, else a sentence that names the file and the failure.
    UserError when the file cannot be loaded at all.

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
        if child.returncode == EXPLAINED:  # it is the file's fault, or that of little memory
            raise UserError(said)
        status = f"exit status {child.returncode}"
        return f"{path}: llama.cpp failed at its first decode on this machine ({status}): {said}. All but GGUF works."
    with suppress(OSError):  # a note that cannot be written costs one more try
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
