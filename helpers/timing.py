"""What a benchmark measures with: parts in processes of their own, clocks, steps of a training, the peak of memory."""

import importlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from helpers.artefacts import read_json
from helpers.dialogue import write_text
from helpers.scale import ROOT

SKIPPED_STEPS = 2  # the first steps pay for buffers that later ones reuse


def in_child(part: str, *arguments) -> dict:
    """What the function `part` ("module:name" of helpers) measures in a process of its own, with `peak_mb` beside it.

    So its peak of memory is its own. Where it fails, {"trouble": the last line that it said}.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result.json"
        code = "import sys; from helpers import timing; timing.child(*sys.argv[1:])"
        command = [sys.executable, "-c", code, part, *map(str, arguments), str(out)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", errors="replace")
        if done.returncode:
            return {"trouble": (done.stderr.strip().splitlines() or ["no message"])[-1]}
        return read_json(out)


def child(part: str, *arguments: str) -> None:
    """One part, measured in this process; the result is written as JSON to the file named last."""
    *arguments, out = arguments
    module, _, name = part.partition(":")
    measured = getattr(importlib.import_module(f"helpers.{module}"), name)(*arguments)
    write_text(Path(out), json.dumps({**measured, "peak_mb": round(peak_bytes() / 1e6, 1)}))


def train(trainer) -> dict:
    """Train, and measure: tokens a second over all steps but the first ones, and the mean loss of the last five."""
    from transformers import TrainerCallback

    from helpers.trainer import engine_of

    marks: list[tuple[int, int, float, float]] = []

    class Watch(TrainerCallback):
        def on_step_end(self, args, state, control, **rest):
            marks.append((state.global_step, state.num_input_tokens_seen, *clocks()))

    trainer.add_callback(Watch())
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    first, last = marks[SKIPPED_STEPS - 1], marks[-1]
    return {
        "engine": engine_of(trainer),
        "tokens": last[1],
        "tokens_per_second": round((last[1] - first[1]) / (last[2] - first[2]), 1),
        "cpu_seconds_per_step": round((last[3] - first[3]) / (last[0] - first[0]), 4),
        "loss": round(sum(losses[-5:]) / len(losses[-5:]), 4),
    }


def keep_faster(kept: dict, name: str, new: dict) -> None:
    """Of two rounds the faster counts: what disturbs only ever slows down."""
    if new.get("tokens_per_second", 0) >= kept[name].get("tokens_per_second", 0):
        kept[name] = new


def ratio(rows: dict, one: str, other: str) -> float | None:
    """How many times the tokens a second of another row; None where either failed."""
    numbers = [rows.get(name, {}).get("tokens_per_second") for name in (one, other)]
    return round(numbers[0] / numbers[1], 2) if all(numbers) else None


def clocks() -> tuple[float, float]:
    """Seconds on the wall, and seconds of computing by all threads."""
    return time.perf_counter(), time.process_time()


def peak_bytes() -> int:
    """The most memory that this process has held so far."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux counts what the parent held into ru_maxrss of its children
        return int(status.read_text("utf-8").partition("VmHWM:")[2].split()[0]) * 1024
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset
    import resource

    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held if sys.platform == "darwin" else held * 1024
