"""A training under watch: how far it is, Ctrl-C between two steps, and as many steps as fit into so many minutes."""

from __future__ import annotations

import json
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers import artefacts
from helpers.dialogue import write_text
from helpers.scale import Scale

FIRST = 5  # steps: the first ones are slower, and say little


def train(
    trainer, scale: Scale, checkpoint: Path | None, progress: Callable[[str], None], live: bool
) -> tuple[str, float]:
    """Train, from the checkpoint if there is one; (what the time limit left out, "" if nothing; seconds of training).

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
    return limit.left_out, limit.seconds()


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
    """A callback of the trainer that shortens a run to what fits; without a limit it only counts the seconds.

    How fast a machine is shows after some steps. Then the schedule is drawn together, so that a short run is a whole
    one and not the beginning of a long one; it is checked again at every tenth step. What a run has spent, and how many
    steps it was to have, lie beside its checkpoints: one that goes on has what is left.
    """
    from transformers import TrainerCallback

    class TimeLimit(TrainerCallback):
        left_out = ""

        def on_train_begin(self, args, state, control, lr_scheduler=None, **rest):
            self.note = Path(args.output_dir) / "spent.json"
            self.begun = self.since = time.perf_counter()
            self.whole, self.first, self.told = state.max_steps, state.global_step, False
            if state.global_step and self.note.exists():
                spent = artefacts.read_json(self.note)
                self.begun -= spent["seconds"]
                if minutes:
                    self.draw_together(state, lr_scheduler, min(self.whole, spent["steps"]))

        def on_save(self, args, state, control, **rest):
            write_text(self.note, json.dumps({"seconds": self.seconds(), "steps": state.max_steps}))

        def seconds(self) -> float:
            """Of training so far, over all its sittings."""
            return time.perf_counter() - self.begun

        def draw_together(self, state, lr_scheduler, steps):
            state.max_steps = steps
            for one in lr_scheduler.lr_lambdas:
                one.keywords["num_training_steps"] = steps
                if "num_warmup_steps" in one.keywords:
                    one.keywords["num_warmup_steps"] = min(one.keywords["num_warmup_steps"], steps // 10)

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
                self.draw_together(state, lr_scheduler, max(step + 1, min(self.whole, fit)))
            if step < state.max_steps < self.whole and not self.told:
                self.told = True
                progress(f"  a limit of {minutes:g} min holds about {state.max_steps} of {self.whole} steps here")
            if step >= state.max_steps:
                control.should_training_stop = control.should_evaluate = control.should_save = True
                # A run of fewer steps than are logged at a time would else have no loss.
                control.should_log |= not any("loss" in entry for entry in state.log_history)

        def on_train_end(self, args, state, control, **rest):
            if state.global_step >= self.whole or state.global_step < state.max_steps:
                return
            self.left_out = (
                f"a limit of {minutes:g} min held {state.global_step} of {self.whole} steps; what the others would "
                "add, a report card shows beside that of a whole run"
            )
            progress(f"  {self.left_out}")

    return TimeLimit()
