"""What scale laptop costs here: training in either precision, by Unsloth and by TRL; replies by every engine.

As in `bench`, each part runs in a process of its own, after the others; all train on the same batches, and all answer
the same prompts of `tried.jsonl`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

from helpers import compare, finetune, generate, smollm2, tried
from helpers.bench import machine
from helpers.dialogue import write_text
from helpers.errors import UserError
from helpers.scale import SCALES, run_dir
from helpers.timing import clocks, in_child, ratio, train

TRAININGS = {  # by Unsloth or not, precision
    "Unsloth, bfloat16": (True, "bfloat16"),
    "Unsloth, float32": (True, "float32"),
    "TRL, bfloat16": (False, "bfloat16"),
    "TRL, float32": (False, "float32"),
}
REPLIES = {  # engine, whether all prompts are handed over at once (llama.cpp takes one after the other in any case)
    "llama.cpp, one at a time": ("llama.cpp", False),
    "llama.cpp with the adapter on": ("llama.cpp adapted", False),
    "transformers, float32, one at a time": ("float32", False),
    "transformers, float32, batched": ("float32", True),
    "transformers, bfloat16, one at a time": ("bfloat16", False),
    "transformers, bfloat16, batched": ("bfloat16", True),
}
LONGEST = 80  # tokens of a reply


def run(quick: bool = False) -> dict:
    """Measure everything once, and write bench.json into the run folder of the scale.

    bfloat16 is left out on a CPU that has no instructions for it: it would be ten times as slow there.
    """
    steps, single, batched = (4, 2, 8) if quick else (12, 6, 48)
    fast = in_child("bench_laptop:bfloat16").get("has")
    wanted = [name for name in (*TRAININGS, *REPLIES) if fast or "bfloat16" not in name]
    result = {"machine": machine() | {"bfloat16": bool(fast)}, "quick": quick, "training": {}, "replies": {}}
    for name in wanted:
        print(f"  {name} ..", flush=True)
        if name in TRAININGS:
            result["training"][name] = in_child("bench_laptop:training", *TRAININGS[name], steps)
        else:
            engine, at_once = REPLIES[name]
            count = batched if at_once else single
            result["replies"][name] = in_child("bench_laptop:replies", engine, count, at_once)
    print("  on stage: both models in one process ..", flush=True)
    result["stage"] = in_child("bench_laptop:stage")
    best = _faster(result["training"], "Unsloth, {}")
    result["ratios"] = {
        "training, Unsloth to TRL": ratio(result["training"], f"Unsloth, {best}", f"TRL, {best}"),
        "training, bfloat16 to float32": ratio(result["training"], "Unsloth, bfloat16", "Unsloth, float32"),
        "replies, batched to llama.cpp": ratio(
            result["replies"],
            f"transformers, {_faster(result['replies'], 'transformers, {}, batched')}, batched",
            "llama.cpp, one at a time",
        ),
    }
    write_text(run_dir(SCALES["laptop"]) / "bench.json", json.dumps(result, indent=2) + "\n")
    return result


def _faster(rows: dict[str, dict], name: str) -> str:
    """The precision that was the faster one; `name` is that of a row, with a gap for it."""
    return max(("float32", "bfloat16"), key=lambda dtype: rows.get(name.format(dtype), {}).get("tokens_per_second", 0))


def table(result: dict) -> str:
    """The result as one reads it in a terminal."""
    heads = ("tokens/s", "CPU s/step", "load s", "peak MB")
    lines = []
    for part, columns in (
        ("training", ("tokens_per_second", "cpu_seconds_per_step", "", "peak_mb")),
        ("replies", ("tokens_per_second", "", "load_seconds", "peak_mb")),
    ):
        shown = [head if key else "" for head, key in zip(heads, columns, strict=True)]
        lines += ["", f"{part:42}" + "".join(f"{head:>12}" for head in shown)]
        for name, row in result[part].items():
            cells = "".join(f"{row[key]:12.1f}" if key else f"{'':12}" for key in columns if "trouble" not in row)
            lines.append(f"  {name:40}{cells or '  ' + row['trouble']}".rstrip())
    stage = result["stage"]
    if "trouble" in stage:
        lines += ["", f"on stage: {stage['trouble']}"]
    else:
        pace = " and ".join(f"{n:.0f}" for n in stage["tokens_per_second"])
        lines += [
            "",
            f"on stage, base and tuned beside one another: loaded in {stage['load_seconds']:.1f} s, first word after "
            f"{max(stage['first_word']):.2f} s at most, {pace} tokens/s, {stage['peak_mb']:.0f} MB",
        ]
    return "\n".join([*lines, *(f"{name}: {number:.2f} times" for name, number in result["ratios"].items() if number)])


def main(options) -> None:
    """`python -m helpers bench --scale laptop`: a table; the same as JSON in the run folder."""
    print("Measuring, about ten minutes; close what else is running ..", flush=True)
    print(table(run(options.quick)))
    print(f"\nWritten to {run_dir(SCALES['laptop']) / 'bench.json'}")


# -- what runs in a child ------------------------------------------------------------------------------------------


def bfloat16() -> dict:
    from helpers.natural_report import computes_in_bfloat16

    return {"has": computes_in_bfloat16()}


def training(unsloth: str, dtype: str, steps: str) -> dict:
    """A few steps of the scale's own recipe on its own dialogues."""
    from helpers.trainer import build

    if unsloth == "False":
        sys.modules["unsloth"] = None  # it would patch TRL
    scale = SCALES["laptop"]
    dialogues = finetune.make_data(scale)
    scale = replace(scale, model=str(smollm2.folder()), dtype=dtype, steps=int(steps), epochs=1)
    with tempfile.TemporaryDirectory() as work:
        trainer, _, _ = build(scale, dialogues, Path(work), eval_strategy="no", save_strategy="no", logging_steps=1)
        return train(trainer)


def replies(engine: str, count: str, at_once: str) -> dict:
    """Generated tokens a second, end tokens included; at_once: all prompts in one call, as an evaluation does."""
    begun, _ = clocks()
    model = _loaded(engine)
    loaded = clocks()[0] - begun
    prompts = [model.tokens(d.turns) for d in islice(cycle(tried.prompts()), int(count))]
    list(model.completions(prompts[:1], 4))
    begun, computing = clocks()
    calls = [prompts] if at_once == "True" else [[one] for one in prompts]
    made = [ids for some in calls for _, ids in model.completions(some, LONGEST)]
    seconds, cpu = (now - then for now, then in zip(clocks(), (begun, computing), strict=True))
    return {
        "prompts": len(prompts),
        "load_seconds": round(loaded, 2),
        "tokens_per_second": round(sum(map(len, made)) / seconds, 1),
        "cpu_seconds": round(cpu, 2),
    }


def stage() -> dict:
    """What `compare --scale laptop` does: both models in memory, each answers a few prompts as they come."""
    begun, _ = clocks()
    models = [_loaded("llama.cpp"), _loaded("llama.cpp adapted")]
    found = {"load_seconds": round(clocks()[0] - begun, 2), "first_word": [], "tokens_per_second": []}
    for model in models:
        made = seconds = 0.0
        for dialogue in tried.prompts()[:4]:
            begun, _ = clocks()
            pieces = model.greedy(model.tokens(dialogue.turns), LONGEST)
            next(pieces)  # the prompt's work
            first, _ = clocks()
            made += sum(1 for _ in pieces)
            seconds += clocks()[0] - first
            found["first_word"].append(round(first - begun, 3))
        found["tokens_per_second"].append(round(made / seconds, 1))
    return found


def _loaded(engine: str):
    from helpers.engines import Transformers

    if engine.startswith("llama.cpp"):
        model = generate.load(compare.default_tuned("laptop") if engine.endswith("adapted") else smollm2.NAME)
        if model.engine != "llama.cpp":  # it would answer all the same, and be timed for another
            raise UserError("llama.cpp is not installed here, or fails.")
        return model
    model = Transformers(smollm2.NAME, str(smollm2.folder()))
    if engine == "bfloat16":
        import torch

        model.network.to(torch.bfloat16)
    return model
