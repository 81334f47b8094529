"""What each link of the chain costs here: seconds, tokens a second, memory. Never a test: clocks differ.

Each part runs in a process of its own, one after the other in the same call, so that its peak of memory is its own and
two parts can be compared. All parts train on the same batches, or answer the same prompts.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import time
from dataclasses import replace
from itertools import cycle, islice, zip_longest
from pathlib import Path

from helpers.artefacts import find, read_json
from helpers.dialogue import KINDS, write_text
from helpers.errors import UserError
from helpers.scale import ROOT, SCALES, Scale, run_dir
from helpers.timing import clocks, in_child, keep_faster, ratio, train

TRAININGS = {
    "unsloth": "Unsloth, LoRA",
    "unsloth 4-bit": "Unsloth, QLoRA in NF4",
    "trl": "TRL at its best: fp32, no checkpointing",
    "trl defaults": "TRL's defaults: bf16, checkpointing",
}
REPLIES = {"one at a time": "transformers generate, one at a time", "batched": "the course's batches"}


def run(quick: bool = False, scale: Scale = SCALES["pocket"]) -> dict:
    """Measure everything, and write bench.json into the run folder of the scale.

    quick: a few steps and prompts, to see that it works. The replies are those of the latest fine-tune, else of the
    shipped one.
    """
    steps, single, batched, rounds = (5, 4, 8, 1) if quick else (30, 100, 400, 2)
    find(scale.model)
    folder = run_dir(scale)
    shipped = ROOT / "data_samples" / f"{scale.name}-adapter"
    model = next((str(p) for p in (folder / "adapter", shipped) if p.exists()), scale.model)
    result = {
        "machine": machine(),
        "quick": quick,
        "links": read_json(folder / "timings.json") if (folder / "timings.json").exists() else {},
        "training": {name: {} for name in TRAININGS},
        "replies": {name: {} for name in REPLIES},
    }
    for _ in range(rounds):  # they take turns
        for name in TRAININGS:
            made = in_child("bench:train_pocket", name, scale.name, scale.model, steps)
            keep_faster(result["training"], name, made)
        for name in REPLIES:
            count = single if name == "one at a time" else batched
            keep_faster(result["replies"], name, in_child("bench:reply", name, model, count))
    result["relay"] = in_child("bench:relay", 1 if quick else 3)
    result["scoring"] = in_child("bench:score", 85)
    for name, row in result["replies"].items():
        if "trouble" in row:
            raise UserError(f"{model} could not be timed, {name}: {row['trouble']}")
    said = [row.pop("said") for row in result["replies"].values()]
    result["equal_replies"] = sum(map(str.__eq__, *(s[:single] for s in said))) / single
    result["compared"] = single
    result["ratios"] = {
        "unsloth to trl": ratio(result["training"], "unsloth", "trl"),
        "unsloth to trl defaults": ratio(result["training"], "unsloth", "trl defaults"),
        "4-bit to unquantised": ratio(result["training"], "unsloth 4-bit", "unsloth"),
        "batched to one at a time": ratio(result["replies"], "batched", "one at a time"),
    }
    write_text(folder / "bench.json", json.dumps(result, indent=2) + "\n")
    return result


def machine() -> dict:
    """What the numbers hold for."""
    return {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count(),
            "python": platform.python_version(), "system": platform.system()}  # fmt: skip


def table(result: dict) -> str:
    """The result as one reads it in a terminal."""
    lines = (
        [f"{'seconds for each link':48}"] if result["links"] else ["no timings of the links yet: run the demo first"]
    )
    lines += [f"  {link:46}{seconds:10.1f}" for link, seconds in result["links"].items()]
    lines += ["", f"{'training':50}{'tokens/s':>10}{'CPU s/step':>12}{'loss':>8}{'peak MB':>10}"]
    for name, words in TRAININGS.items():
        row = result["training"][name]
        if "trouble" in row:
            lines.append(f"  {words:48}  {row['trouble']}")
        else:
            numbers = f"{row['tokens_per_second']:10.0f}{row['cpu_seconds_per_step']:12.3f}{row['loss']:8.3f}"
            lines.append(f"  {words:48}{numbers}{row['peak_mb']:10.0f}")
    lines += ["", f"{'replies':50}{'tokens/s':>10}{'threads':>12}{'':8}{'peak MB':>10}"]
    for name, words in REPLIES.items():
        row = result["replies"][name]
        lines.append(f"  {words:48}{row['tokens_per_second']:10.0f}{row['threads']:12}{'':8}{row['peak_mb']:10.0f}")
    relay = result.get("relay", {})
    for words, row in (("the relay", relay), ("verdicts and statistics", result.get("scoring", {}))):
        if "trouble" in row:
            lines.append(f"  {words:48}  {row['trouble']}")
    if "ratio" in relay:
        hands = f"{relay['concurrency']} at a time, {relay['latency']} s a call"
        pace = f"{relay['calls_per_second']:10.1f} calls/s, {relay['ratio']:.0%} of the ideal"
        lines += ["", f"  {'the relay, ' + hands:48}{pace}"]
    scoring = result.get("scoring", {})
    if "seconds" in scoring:
        words = f"verdicts and statistics of 2 x {scoring['replies']} replies"
        lines += ["", f"  {words:48}{scoring['seconds']:10.1f} s, {scoring['cpu_seconds']:.1f} of them computing"]
    lines += ["", f"  equal replies: {result['equal_replies']:.1%} of {result['compared']}"]
    lines += [f"  {name}: {ratio:.2f} times" for name, ratio in result["ratios"].items() if ratio]
    return "\n".join(lines)


def main(options) -> None:
    """`python -m helpers bench`: a table; the same as JSON in the run folder."""
    scale = SCALES.get(options.scale)
    if scale is None:
        raise UserError(f"unknown scale {options.scale!r}: expected one of {', '.join(SCALES)}.")
    if scale.device != "cpu":
        raise UserError(f"scale {scale.name} is timed by its own training, not here: this measures pocket and laptop.")
    print("Measuring, some minutes; close what else is running ..", flush=True)
    print(table(run(getattr(options, "quick", False), scale)))
    print(f"\nWritten to {run_dir(scale) / 'bench.json'}")


# -- what runs in a child ------------------------------------------------------------------------------------------


def train_pocket(name: str, scale_name: str, model: str, steps: str) -> dict:
    """A few steps on pocket dialogues, by one of the ways of TRAININGS."""
    from helpers.pocket_set import training_set
    from helpers.trainer import build

    if name.startswith("trl"):
        sys.modules["unsloth"] = None  # it would patch TRL
    scale = replace(SCALES[scale_name], model=model, steps=int(steps), four_bit=name == "unsloth 4-bit", patience=0)
    with tempfile.TemporaryDirectory() as work:
        as_it_comes = {"bf16": True, "gradient_checkpointing": True} if name == "trl defaults" else {}
        lean = {"eval_strategy": "no", "save_strategy": "no", "logging_steps": 1, **as_it_comes}
        trainer, _, _ = build(scale, training_set(min(scale.dialogues, 1000), 0), Path(work), **lean)
        return train(trainer)


def reply(name: str, model: str, count: str) -> dict:
    """Generated tokens a second, end tokens included, with the number of threads that does best."""
    import torch

    from helpers.generate import load
    from helpers.scenarios import pairs

    loaded = load(model)
    groups = zip_longest(*(pairs(kind, "valid", 60, 0) for kind in KINDS))
    pool = [half.turns for group in groups for pair in group if pair for half in pair]
    prompts = [loaded.tokens(turns) for turns in islice(cycle(pool), int(count))]

    def one_by_one(some: list[list[int]]) -> list[list[int]]:
        made = []
        for ids in some:
            given = torch.tensor([ids])
            out = loaded.network.generate(
                given, attention_mask=torch.ones_like(given), max_new_tokens=160, do_sample=False, use_cache=True,
                eos_token_id=loaded.tokenizer.eos_token_id, pad_token_id=loaded.tokenizer.pad_token_id,
            )  # fmt: skip
            made.append(out[0, len(ids) :].tolist())
        return made

    def together(some: list[list[int]]) -> list[list[int]]:
        return [ids for _, ids in sorted(loaded.completions(some, 160))]

    answer = one_by_one if name == "one at a time" else together
    threads = {}
    cores = os.cpu_count() or 1
    for number in sorted({*(2**i for i in range(cores.bit_length())), cores}):
        torch.set_num_threads(number)
        answer(prompts[:1])
        begun = time.perf_counter()
        answer(prompts[: max(2, len(prompts) // 8)])
        threads[number] = time.perf_counter() - begun
    best = min(threads, key=threads.get)
    torch.set_num_threads(best)
    begun = time.perf_counter()
    made = answer(prompts)
    took = time.perf_counter() - begun
    return {
        "prompts": len(prompts),
        "threads": best,
        "tokens_per_second": round(sum(map(len, made)) / took, 1),
        "replies_per_second": round(len(made) / took, 2),
        "said": [loaded.decode(ids) for ids in made],
    }


def relay(waves: str) -> dict:
    from helpers.stand_in import throughput

    return throughput(waves=int(waves))


def score(pairs: str) -> dict:
    """Seconds from replies to report, libraries loaded on the way: one model that is always right, one that agrees."""
    from helpers import baselines, report, suite
    from helpers.chat import Reply
    from helpers.rates import Measured
    from helpers.scoring import judge

    asked = suite.Suite("test", 0, suite.build_suite(int(pairs)).pairs, [], [], [], [])
    fixed = baselines.fixed_replies()
    said = {
        "base": [Reply("", fixed["always-agree"])] * len(asked.prompts),
        "tuned": [Reply(d.thinking, d.final_answer) for d in asked.prompts],
    }
    begun, cpu = clocks()
    measured = {name: Measured(name, replies, judge(asked.prompts, replies), []) for name, replies in said.items()}
    report.assemble(asked, measured, "a benchmark", rows=baselines.fixed(asked.pairs, judge, fixed))
    seconds, computing = (now - then for now, then in zip(clocks(), (begun, cpu), strict=True))
    return {"replies": len(asked.prompts), "seconds": round(seconds, 2), "cpu_seconds": round(computing, 2)}
