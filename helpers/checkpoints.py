"""A training that can be stopped and gone on with.

Training under watch: how far it is, Ctrl-C between two steps, and as many steps as fit into so many minutes. And the
folder of a run: the checkpoint to go on from, and the adapter that takes the place of the one before.
"""

from __future__ import annotations

import json
import shutil
import signal
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers import artefacts
from helpers.dialogue import read_text, write_text
from helpers.errors import UserError
from helpers.scale import Scale

FIRST = 5  # steps: the first ones are slower, and say little


# -- training under watch ------------------------------------------------------------------------------------------


def train(trainer, scale: Scale, checkpoint: Path | None, progress: Callable[[str], None], live: bool) -> str:
    """Train, from the checkpoint if there is one; what the time limit left out, "" if nothing.

    live: one line that is written over, for a terminal; else about ten lines. Ctrl-C saves a checkpoint first.
    """
    from transformers import EarlyStoppingCallback, TrainerCallback

    class Watch(TrainerCallback):
        """Tells how far the training is, and stops it where Ctrl-C asks for that."""

        def on_train_begin(self, args, state, control, **rest):
            self.begun, self.first = time.perf_counter(), state.global_step

        def on_log(self, args, state, control, logs=None, **rest):
            if "loss" in (logs or {}):
                step, steps = state.global_step, state.max_steps
                left = (time.perf_counter() - self.begun) / max(1, step - self.first) * (steps - step)
                line = f"  step {step} of {steps}, loss {logs['loss']:.3f}, {left:.0f} s left"
                if live:
                    width = shutil.get_terminal_size().columns - 1
                    print(f"\r{line[:width]:<{width}}", end="", flush=True)
                elif step * 10 // steps > (step - args.logging_steps) * 10 // steps:
                    progress(line)

        def on_train_end(self, *_, **rest):
            if live:
                print(flush=True)

        def on_step_end(self, args, state, control, **rest):
            if stop.is_set():
                control.should_save = control.should_training_stop = True

    limit = time_limit(scale.minutes, progress)
    trainer.add_callback(Watch())
    trainer.add_callback(limit)
    if scale.patience:
        trainer.add_callback(EarlyStoppingCallback(scale.patience, scale.threshold))
    with ctrl_c() as stop:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if stop.is_set():
        progress(
            f"Stopped at step {trainer.state.global_step}. The same call, or the same command, goes on from there."
        )
        raise KeyboardInterrupt
    return limit.left_out


@contextmanager
def ctrl_c() -> Iterator[threading.Event]:
    """Ctrl-C sets the event, so that a step is never cut in half; a second one interrupts at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def ask(*_):
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def time_limit(minutes: float, progress: Callable[[str], None]):
    """A callback of the trainer that shortens a run to what fits; without a limit it does nothing.

    How fast a machine is shows after some steps. Then the schedule is drawn together, so that a short run is a whole
    one and not the beginning of a long one; it is checked again at every tenth step.
    """
    from transformers import TrainerCallback

    class TimeLimit(TrainerCallback):
        left_out = ""

        def on_train_begin(self, args, state, control, **rest):
            self.begun = self.since = time.perf_counter()
            self.whole, self.first, self.told = state.max_steps, state.global_step, False

        def on_step_end(self, args, state, control, lr_scheduler=None, **rest):
            now, step = time.perf_counter(), state.global_step
            if not minutes:
                return
            if step == self.first + 1:
                self.since = now
            if now - self.begun >= 60 * minutes:
                state.max_steps = step
            elif step - self.first >= FIRST and (step - self.first) % 10 == FIRST:
                each = (now - self.since) / (step - self.first - 1)
                fit = step + int((60 * minutes - (now - self.begun)) / each)
                state.max_steps = max(step + 1, min(self.whole, fit))
                for one in lr_scheduler.lr_lambdas:
                    one.keywords["num_training_steps"] = state.max_steps
                    if "num_warmup_steps" in one.keywords:
                        one.keywords["num_warmup_steps"] = min(one.keywords["num_warmup_steps"], state.max_steps // 10)
            if step < state.max_steps < self.whole and not self.told:
                self.told = True
                progress(f"  a limit of {minutes:g} min holds about {state.max_steps} of {self.whole} steps here")
            if step >= state.max_steps:
                control.should_training_stop = control.should_evaluate = control.should_save = True
                control.should_log = True  # else a run of fewer steps than are logged at a time has no loss

        def on_train_end(self, args, state, control, **rest):
            if state.global_step >= self.whole or state.global_step < state.max_steps:
                return
            self.left_out = (
                f"a limit of {minutes:g} min held {state.global_step} of {self.whole} steps; what the others would "
                "add, a report card shows beside that of a whole run"
            )
            progress(f"  {self.left_out}")

    return TimeLimit()


# -- the folder of a run -------------------------------------------------------------------------------------------


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
    """Rename a whole folder to `out`, and drop the old one and the work folder that `new` was made in."""
    old = _old(out)
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    new.rename(out)
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
def full_disk_in_words(out: Path) -> Iterator[None]:
    """A full disk shows as many things (OSError, RuntimeError of torch, SafetensorError): one line for all of them."""
    try:
        yield
    except (UserError, KeyboardInterrupt):
        raise
    except Exception as problem:
        there = next(folder for folder in out.absolute().parents if folder.exists())
        if "space left" in str(problem) or shutil.disk_usage(there).free < 2**22:
            raise UserError(
                f"The disk is full, writing {out}. Free some space and run again: it goes on from the last checkpoint."
            ) from problem
        raise
