"""The folder of a run: the checkpoint to go on from, and the adapter that takes the place of the one before."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers import artefacts
from helpers.dialogue import read_text, write_text
from helpers.errors import UserError
from helpers.scale import Scale


def to_go_on_from(work: Path, out: Path, task: dict, resume: bool, progress: Callable[[str], None]) -> Path | None:
    """The latest whole checkpoint in `work`, if it is of the very same task; else `work` is emptied."""
    old = _old(out)
    if old.exists() and not out.exists():  # killed between two renames
        old.rename(out)
    note = work / "task.json"
    steps = [int(c.name.rpartition("-")[2]) for c in work.glob("checkpoint-*") if _whole(c)]
    if steps and note.exists():
        if not resume:
            progress(f"Beginning anew; the checkpoint at step {max(steps)} is dropped")
        elif artefacts.read_json(note) == task:
            progress(f"Going on from step {max(steps)}")
            return work / f"checkpoint-{max(steps)}"
        else:
            progress("The checkpoint that lies there is of another recipe, seed or data: beginning anew")
    shutil.rmtree(work, ignore_errors=True)
    write_text(note, json.dumps(task))
    return None


def _whole(checkpoint: Path) -> bool:
    """Whether it was written to its end: the trainer's state comes last, and no file of weights is cut short."""
    try:
        artefacts.check(checkpoint)
    except UserError:
        return False
    states = [*checkpoint.glob("*.pt"), *checkpoint.glob("*.pth")]
    return (checkpoint / "trainer_state.json").exists() and all(map(zipfile.is_zipfile, states))


def write_adapter(model, scale: Scale, base: str, work: Path) -> Path:
    """The adapter of a PEFT model with the base's own tokenizer, in a folder within `work`.

    scale.model: where the base lies, or its Hub id. base: its name as it may leave this machine.
    """
    folder = work / "adapter"
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(str(folder))
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's model card holds paths of this machine
    save_as(folder / "adapter_model.safetensors", scale.saved)
    config = json.loads(read_text(folder / "adapter_config.json"))
    config["base_model_name_or_path"] = base
    write_text(folder / "adapter_config.json", json.dumps(config, indent=2, sort_keys=True) + "\n")
    _copy_tokenizer(scale.model, folder)
    return folder


def put_in_place(new: Path, out: Path) -> None:
    """Rename a whole folder to `out`, and drop the old one and the work folder that `new` was made in.

    UserError, and the old one stays, where a rename is refused: on Windows while another program has a file open.
    """
    old = _old(out)
    shutil.rmtree(old, ignore_errors=True)
    try:
        if out.exists():
            out.rename(old)
        new.rename(out)
    except OSError as error:
        if old.exists() and not out.exists():
            old.rename(out)
        raise UserError(
            f"{out} cannot be replaced: {error.strerror or error}. Close what has it open, a notebook for instance, "
            "and run again; the old one is kept."
        ) from error
    shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(new.parent, ignore_errors=True)


def _old(out: Path) -> Path:
    return out.with_name(out.name + ".old")


def save_as(weights: Path, dtype: str) -> None:
    """Write a safetensors file again in another dtype, which halves it for float16."""
    import torch
    from safetensors import torch as file

    if dtype != "float32":
        table = {name: tensor.to(getattr(torch, dtype)) for name, tensor in file.load_file(weights).items()}
        file.save_file(table, weights, {"format": "pt"})


def _copy_tokenizer(model: str, folder: Path) -> None:
    """The base's own files where it is a folder: loaded and saved again they are not the same."""
    if not Path(model).is_dir():
        from transformers import AutoTokenizer

        AutoTokenizer.from_pretrained(model).save_pretrained(str(folder))
    for pattern in ("tokenizer*", "chat_template.jinja", "special_tokens_map.json", "vocab.json", "merges.txt"):
        for file in Path(model).glob(pattern):
            shutil.copyfile(file, folder / file.name)


@contextmanager
def full_disk_in_words(out: Path, then: str = "it goes on from the last checkpoint") -> Iterator[None]:
    """A full disk shows as many things (OSError, RuntimeError of torch, SafetensorError): one line for all of them."""
    try:
        yield
    except (UserError, KeyboardInterrupt):
        raise
    except Exception as problem:
        there = next(folder for folder in out.absolute().parents if folder.exists())
        if "space left" in str(problem) or shutil.disk_usage(there).free < 2**22:
            raise UserError(f"The disk is full, writing {out}. Free some space and run again: {then}.") from problem
        raise
