"""Pretraining of the pocket base, from nothing to the files that ship: `python -m helpers pocket --rebuild`."""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from helpers.artefacts import read_json
from helpers.checkpoints import full_disk_in_words
from helpers.dialogue import write_text
from helpers.errors import UserError
from helpers.pocket import POCKET_DIR, Recipe, batches, build_model, build_tokenizer, corpus, loss_of
from helpers.scale import ROOT

WORK = ROOT / "runs" / "pocket-base"
RECORD = "training.json"
FILES = (
    "model.safetensors", "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
    "chat_template.jinja",
)  # fmt: skip
SO_FAR = ("losses", "tokens", "seconds")  # what a checkpoint keeps of the training, beside its state
SAVE_EVERY, TELL_EVERY = 500, 100
VERIFIED_STEPS = 50
SAMPLE = 4000  # lessons
# CPUs sum in different orders. Fifty steps in, AVX2 and AVX-512 differ in the third decimal; another recipe, or other
# lessons among the first ones, in the first.
TOLERANCE = 0.02

Report = Callable[[str], None]


def pretrain(recipe: Recipe, work: Path, steps: int = 0, report: Report = print) -> list[float]:
    """Train from nothing into the folder `work`, going on from its checkpoint; returns the loss of every step.

    steps: stop after so many (0: all of the recipe's). Ctrl-C loses what came after the last checkpoint and no more.
    """
    import torch

    torch.set_num_threads(recipe.threads)
    tokenizer = build_tokenizer(recipe.seed)
    model = build_model(recipe, tokenizer)
    optimizer = _optimizer(recipe, model)
    words = hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode()).hexdigest()
    task = {"recipe": asdict(recipe), "lessons": lessons_hash(recipe), "tokenizer": words}
    losses, tokens, seconds = _resume(work / "checkpoint.pt", task, model, optimizer, report)
    first, last, begun = len(losses), steps or recipe.steps, time.perf_counter()
    for step, (ids, labels) in enumerate(batches(recipe, tokenizer, skip=first), first):
        if step >= last:
            break
        for group in optimizer.param_groups:
            group["lr"] = recipe.lr_at(step)
        loss = loss_of(model, ids, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        tokens += ids.numel()
        if (step + 1) % TELL_EVERY == 0 or step + 1 == last:
            left = (time.perf_counter() - begun) / (step + 1 - first) * (last - step - 1)
            mean = sum(losses[-TELL_EVERY:]) / len(losses[-TELL_EVERY:])
            report(
                f"step {step + 1:5d} of {last}, loss {mean:.3f}, {tokens / 1e6:.1f} M tokens, {left / 60:.1f} min left"
            )
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == last:
            taken = seconds + time.perf_counter() - begun
            _save(work / "checkpoint.pt", task, model, optimizer, (losses, tokens, taken))
    model.eval()
    model.save_pretrained(work)
    tokenizer.save_pretrained(work)
    return losses


def rebuild(recipe: Recipe = Recipe(), out: Path = POCKET_DIR, report: Report = print) -> Path:  # noqa: B008 - frozen
    """Train the base again and put it, with the record of its training, in the place of the one that ships."""
    report(f"Training the pocket base from nothing: {recipe.steps} steps. Ctrl-C is fine, the same command goes on.")
    with full_disk_in_words(WORK / "checkpoint.pt"):
        pretrain(recipe, WORK, report=report)
    with full_disk_in_words(out / RECORD):
        publish(WORK, out)
    (WORK / "checkpoint.pt").unlink()  # the next rebuild begins from nothing
    return out


def publish(work: Path, out: Path) -> Path:
    """Copy a finished base to `out`: weights in fp32, tokenizer, configuration, and the record of the training."""
    import torch

    state = torch.load(work / "checkpoint.pt", weights_only=True)
    losses, steps = state["losses"], state["recipe"]["steps"]
    if len(losses) < steps:
        raise UserError(f"{work}: {len(losses)} of {steps} steps done. Run `pocket --rebuild` again.")
    out.mkdir(parents=True, exist_ok=True)
    parts = {out / name: out / f"{name}.part" for name in FILES if (work / name).exists()}
    try:
        for path, part in parts.items():
            shutil.copyfile(work / path.name, part)
        for path, part in parts.items():  # none is replaced before all are there
            os.replace(part, path)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
    record = {
        "command": "python -m helpers pocket --rebuild",
        "recipe": state["recipe"],
        "lessons": state["lessons"],
        "tokens": state["tokens"],
        "seconds": round(state["seconds"]),
        "loss": round(sum(losses[-100:]) / 100, 5),
        "first_losses": [round(loss, 5) for loss in losses[:VERIFIED_STEPS]],
        "every_100": [round(sum(losses[i : i + 100]) / 100, 4) for i in range(0, len(losses), 100)],
        "versions": {"torch": torch.__version__, "transformers": _version("transformers")},
    }
    write_text(out / RECORD, json.dumps(record, indent=1) + "\n")
    return out


def verify(folder: Path = POCKET_DIR, steps: int = VERIFIED_STEPS, report: Report = print) -> float:
    """Repeat the first steps of the recorded training; returns the greatest difference of a loss, UserError if it is
    too great: then the weights are no longer what this code and these tables make."""
    import tempfile

    record = read_json(folder / RECORD)
    if record["recipe"] != asdict(Recipe()) or record["lessons"] != lessons_hash(Recipe()):
        raise UserError(
            f"{folder / RECORD}: the recipe, the lessons or the tables have changed since the weights were made: run "
            "`python -m helpers pocket --rebuild`."
        )
    report(f"Repeating the first {steps} steps of the pocket base ..")
    with tempfile.TemporaryDirectory() as work:
        losses = pretrain(Recipe(), Path(work), steps, report)
    worst = max(abs(now - then) for now, then in zip(losses, record["first_losses"], strict=False))
    if worst > TOLERANCE:
        raise UserError(
            f"{folder / RECORD}: losses differ by {worst:.3f}, at most {TOLERANCE} was expected. What trains "
            "has changed since the weights were made: run `python -m helpers pocket --rebuild`."
        )
    report(f"The same losses to within {worst:.4f}.")
    return worst


def _optimizer(recipe: Recipe, model):
    import torch

    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=(0.9, 0.98), fused=True)


def lessons_hash(recipe: Recipe) -> str:
    """SHA-256 of what is read: of lessons from all parts of the curriculum."""
    lessons = islice(corpus(recipe.seed + 1, lambda i: i * recipe.steps / SAMPLE), SAMPLE)
    return hashlib.sha256(str([made.parts for made in lessons]).encode()).hexdigest()


def _resume(checkpoint: Path, task: dict, model, optimizer, report: Report) -> tuple[list[float], int, float]:
    """Losses, tokens and seconds so far; weights and optimiser are set to where a checkpoint of this task left off."""
    import torch

    if not checkpoint.exists():
        return [], 0, 0.0
    try:
        state = torch.load(checkpoint, weights_only=True)
    except Exception as error:
        raise UserError(f"{checkpoint} cannot be read ({error}). Delete it and begin anew.") from error
    if {key: state.get(key) for key in task} != task:
        report(f"{checkpoint} is of another recipe, or of other lessons: beginning anew")
        return [], 0, 0.0
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    report(f"Going on from step {len(state['losses'])} of {task['recipe']['steps']}")
    return tuple(state[key] for key in SO_FAR)


def _save(checkpoint: Path, task: dict, model, optimizer, so_far: tuple[list[float], int, float]) -> None:
    import torch

    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    state = {**task, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save({**state, **dict(zip(SO_FAR, so_far, strict=True))}, checkpoint.with_suffix(".part"))
    os.replace(checkpoint.with_suffix(".part"), checkpoint)


def _version(package: str) -> str:
    from importlib import metadata

    return metadata.version(package)


def main(options) -> None:
    """`python -m helpers pocket`: rebuild the base, or verify the one that is there (the default)."""
    if options.rebuild:
        print(f"Done: {rebuild()}")
    else:
        verify()
