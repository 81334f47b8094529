"""Training within so many minutes: as many steps as fit, the learning rate falling to nothing at the last of them."""

import time
from collections.abc import Callable

FIRST = 5  # steps: the first ones are slower, and say little


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
