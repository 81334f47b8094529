"""The fine-tune, LoRA or QLoRA: one run from dialogues to an adapter, with progress, checkpoints and a run card."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import MISSING, asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path

from helpers import artefacts, checkpoints, plain_english, smollm2
from helpers.dialogue import Dialogue, read_dialogues, to_json, write_dialogues, write_text
from helpers.errors import UserError
from helpers.lint import errors
from helpers.pocket_set import rehearsal, training_set
from helpers.rows import rounds
from helpers.scale import ROOT, Scale, choose_scale, public_name, run_dir
from helpers.schema import NATURAL, Entry
from helpers.trainer import build, engine_of
from helpers.watch import train

LESS_TIME = plain_english.LAPTOP / "five-minutes.json"  # what fewer minutes cost at scale laptop: `less_time`
PACKAGES = ("unsloth", "unsloth_zoo", "torch", "transformers", "trl", "peft", "datasets", "bitsandbytes")


@dataclass(frozen=True)
class RunCard:
    """What really ran. `engine` is read off the trainer, `plain_because` says why it was not Unsloth ("" if it was).

    dialogues, validation: how many were there to train on, and held back; left_out: longer than the recipe's limit.
    tokens: trained on, padding not counted. seconds: of training alone. data: SHA-256 of the dialogues. weights: of the
    base's files. cut_short: what a time limit left out, "" if nothing.
    """

    engine: str
    plain_because: str
    base: str
    device: str
    four_bit: bool
    seed: int
    dialogues: int
    validation: int
    left_out: int
    data: str
    steps: int
    tokens: int
    seconds: float
    train_loss: float
    eval_loss: float
    scale: dict
    versions: dict
    command: str
    cut_short: str = ""
    weights: str = ""


def finetune(
    scale: Scale,
    dialogues: Sequence[Dialogue],
    out: Path,
    seed: int = 0,
    four_bit: bool | None = None,
    resume: bool = True,
    progress: Callable[[str], None] = print,
    minutes: float | None = None,
    also: str = "",
) -> RunCard:
    """Train an adapter into the folder `out`; what was there stays until the new one is whole.

    minutes: of training at most; None takes what the scale says, 0 sets no limit. also: further options of the command
    that asks for it, as the run card names them.
    four_bit: base weights in NF4 (QLoRA); None takes what the scale says. resume: go on from the last checkpoint of
    the very same recipe, data and seed. Ctrl-C saves a checkpoint, says how to go on, and raises KeyboardInterrupt.
    """
    begun = time.perf_counter()
    live = progress is print and sys.stdout.isatty()
    if progress is print:
        progress = partial(print, flush=True)
    asked = {"seed": seed, "four_bit": four_bit, "minutes": minutes}
    scale = replace(scale, **{name: value for name, value in asked.items() if value is not None})
    if len({d.pair_id for d in dialogues}) < 2:
        raise UserError(
            f"{len(dialogues)} dialogues are too few to train on some and hold some back. Make the data again."
        )
    digest = data_hash(dialogues)
    base = base_folder(scale.model, progress)
    if base:
        artefacts.check(base)
    task = {"scale": _recipe(scale), "data": digest, "base": artefacts.identity(base)}
    progress(f"Fine-tuning {base_name(scale.model)} on {len(dialogues)} dialogues; loading PyTorch and Unsloth ..")
    work = out.with_name(out.name + ".part")
    with checkpoints.full_disk_in_words(out):
        checkpoint = checkpoints.to_go_on_from(work, out, task, resume, progress)
        read = [*dialogues, *rehearsal(scale.recall, dialogues, seed)]
        trainer, plain_because, left_out = build(_located(scale, base), read, work)
        engine = engine_of(trainer)
        if not plain_because and not engine.startswith("unsloth"):
            raise RuntimeError(f"Unsloth was imported, yet {engine} is what would train")
        why = f" ({plain_because})" if plain_because else ""
        if trainer.args.gradient_checkpointing and trainer.args.device.type == "cpu":
            progress("Little memory is free, so less is kept and more computed again: 1.4 times the time a step takes")
        progress(f"Ready after {time.perf_counter() - begun:.0f} s, trainer {engine}{why}")
        held_to, seconds = train(trainer, scale, checkpoint, progress, live)
        log = trainer.state.log_history
        trained = replace(scale, dtype=str(trainer.model.dtype).removeprefix("torch."))
        card = RunCard(
            engine, plain_because, base_name(scale.model), _device(trainer), scale.four_bit, seed,
            len(trainer.train_dataset) // rounds(scale), len(trainer.eval_dataset), left_out, digest,
            trainer.state.global_step, int(trainer.state.num_input_tokens_seen),
            round(seconds, 1),
            _last(log, "loss"), _last(log, "eval_loss"), _recipe(trained), _versions(),
            f"python -m helpers finetune --scale {scale.name} --seed {seed}{' --four-bit' * scale.four_bit}"
            + (f" --minutes {minutes:g}" if minutes is not None else "") + also, held_to, task["base"],
        )  # fmt: skip
        new = checkpoints.write_adapter(trainer.model, _located(scale, base), card.base, work)
        write_curve(new / "loss.jsonl", log)
        write_text(new / "run.json", json.dumps(asdict(card), indent=2) + "\n")
        checkpoints.put_in_place(new, out)
    progress(f"{card.steps} steps, loss {card.train_loss:.3f}, {card.seconds:.0f} s: {out}")
    return card


def write_curve(path: Path, log: Sequence[dict]) -> None:
    """The loss curve, one JSON object a line: {step, loss} of ten steps, {step, eval_loss} of the validation part."""
    points = [{"step": e["step"], key: round(e[key], 5)} for e in log for key in ("loss", "eval_loss") if key in e]
    write_text(path, "".join(json.dumps(point) + "\n" for point in points))


def _located(scale: Scale, base: Path | None) -> Scale:
    """The scale as loaders take it: with the folder where its base lies, if it lies on this machine."""
    return replace(scale, model=str(base)) if base and smollm2.is_named(scale.model) else scale


def base_folder(model: str, progress: Callable[[str], None] = print) -> Path | None:
    """Where the base lies on this machine; None: on the Hub."""
    return smollm2.folder(progress) if smollm2.is_named(model) else artefacts.find(model)


def base_name(model: str) -> str:
    """The name of a base, or another file, as it may leave this machine: relative to the repository it lies in."""
    path, root = Path(model), ROOT.resolve()
    is_folder = path.is_absolute() or path.is_dir()
    return path.resolve().relative_to(root).as_posix() if is_folder and path.resolve().is_relative_to(root) else model


def data_hash(dialogues: Sequence[Dialogue]) -> str:
    """SHA-256 of the file in which they stand, as a run card names it."""
    return hashlib.sha256("".join(to_json(d) + "\n" for d in dialogues).encode()).hexdigest()


def _recipe(scale: Scale) -> dict:
    return json.loads(json.dumps({**asdict(scale), "model": base_name(scale.model)}))


def _device(trainer) -> str:
    import torch

    device = trainer.args.device
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"


def _last(log: Sequence[dict], key: str) -> float:
    return round(next((entry[key] for entry in reversed(log) if key in entry), float("nan")), 5)


def _versions() -> dict[str, str]:
    from importlib import metadata

    found = {"python": sys.version.split()[0]}
    for name in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def make_data(scale: Scale) -> list[Dialogue]:
    """The dialogues that a scale trains on: the same ones for every seed of a training."""
    if scale.name == "pocket":
        return training_set(scale.dialogues, 0)
    return plain_english.training_set() if scale.name == "laptop" else plain_english.records()


def data_of(scale: Scale, folder: Path, *, fresh: bool = False) -> list[Dialogue]:
    """The dialogues of a run folder, made where missing; `fresh` makes them anew."""
    path = folder / "dialogues.jsonl"
    shown = base_name(str(path))
    if path.exists() and not fresh:
        print(f"The dialogues that are there: {shown}; `python -m helpers data` makes them anew", flush=True)
        return list(read_dialogues(path))
    dialogues = make_data(scale)
    write_dialogues(path, dialogues)
    roles = Counter(d.role for d in dialogues)
    counts = f"{roles['trigger']} triggers and {roles['control']} controls"
    print(f"{len(dialogues)} dialogues, {counts}: {shown}", flush=True)
    return dialogues


def data_in(path: Path, scale: Scale) -> list[Dialogue]:
    """The dialogues of a file, as the scale learns them. An error that was saved as a reply is none: UserError."""
    found = list(read_dialogues(path))
    for number, dialogue in enumerate(found, 1):
        for reason in errors(Entry(number, dialogue, NATURAL)):
            raise UserError(
                f"{path}, line {number}: {reason}. Nothing was trained. "
                f'See what passes: python -m helpers lint "{path}"'
            )
    print(f"{len(found)} dialogues: {public_name(str(path))}", flush=True)
    return [plain_english.shortened(d) for d in found] if scale.name == "laptop" else found


def is_of(card: dict, scale: Scale, seed: int, dialogues: Sequence[Dialogue]) -> bool:
    """Whether an adapter's run card tells of this data, base, recipe and seed."""
    by_machine = ("dtype", "seed")
    recipes = [{k: v for k, v in one.items() if k not in by_machine} for one in (recipe_of(card), _recipe(scale))]
    told = card.get("seed"), card.get("data"), card.get("weights")
    return told == (seed, data_hash(dialogues), weights_of(scale)) and recipes[0] == recipes[1]


def recipe_of(card: dict) -> dict:
    """The recipe of a run card; what an older card does not name had its default."""
    known = {one.name: one.default for one in fields(Scale) if one.default is not MISSING}
    return {**json.loads(json.dumps(known)), **card.get("scale", {})}


def weights_of(scale: Scale) -> str:
    """SHA-256 of the base's files on this machine."""
    return artefacts.identity(base_folder(scale.model))


def write_data(options) -> None:
    """`python -m helpers data`: the dialogues alone."""
    scale, _ = choose_scale(options.scale)
    data_of(scale, run_dir(scale), fresh=True)


def main(options) -> None:
    """`python -m helpers finetune`: trains on the dialogues of the scale's run folder, or on those of --data."""
    scale, reason = choose_scale(options.scale)
    print(f"Scale {scale.name}: {reason}", flush=True)
    named = {name: getattr(options, name, None) for name in ("model", "data")}
    if named["model"]:
        scale = replace(scale, model=named["model"])
    folder = run_dir(scale)
    dialogues = data_in(Path(named["data"]), scale) if named["data"] else data_of(scale, folder)
    also = "".join(f" --{name} {public_name(one)}" for name, one in named.items() if one)
    card = finetune(
        scale, dialogues, folder / "adapter", options.seed, options.four_bit, resume=not options.fresh,
        minutes=options.minutes, also=also,
    )  # fmt: skip
    if card.cut_short and options.minutes is not None and scale.name == "laptop" and not also and LESS_TIME.exists():
        print(artefacts.read_json(LESS_TIME)["said"])
