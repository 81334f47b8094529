"""The fine-tune: LoRA or QLoRA with Unsloth, by the same calls on a CPU and on a GPU.

Loss falls on the assistant's last turn alone, its thoughts and its end token included. Where Unsloth cannot be
imported the same recipe runs on plain TRL + PEFT; which of the two ran is read off the objects that trained, and
stands with the reason in the run card beside the adapter.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from helpers import chat
from helpers.dialogue import Dialogue, read_dialogues, read_text, to_json, write_text
from helpers.errors import UserError
from helpers.scale import ROOT, Scale, choose_scale, run_dir

VALIDATION = 0.1  # the share of pairs that is never trained on
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors", "run.json", "loss.jsonl")
PACKAGES = ("unsloth", "unsloth_zoo", "torch", "transformers", "trl", "peft", "datasets", "bitsandbytes")


@dataclass(frozen=True)
class RunCard:
    """What really ran. `engine` is read off the trainer, `plain_because` says why it was not Unsloth ("" if it was).

    dialogues, validation: how many were trained on and held back; left_out: longer than the recipe's limit.
    tokens: trained on, padding not counted. seconds: of training alone. data: SHA-256 of the dialogues.
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


def finetune(
    scale: Scale,
    dialogues: Sequence[Dialogue],
    out: Path,
    seed: int = 0,
    four_bit: bool | None = None,
    resume: bool = True,
    progress: Callable[[str], None] = print,
) -> RunCard:
    """Train an adapter into the folder `out`; what was there stays until the new one is whole.

    four_bit: base weights in NF4 (QLoRA); None takes what the scale says. resume: go on from the last checkpoint of
    the very same recipe, data and seed. Ctrl-C saves a checkpoint, says how to go on, and raises KeyboardInterrupt.
    """
    begun = time.perf_counter()
    scale = replace(scale, seed=seed, four_bit=scale.four_bit if four_bit is None else four_bit)
    if len({d.pair_id for d in dialogues}) < 2:
        raise UserError(f"{len(dialogues)} dialogues are too few: some are trained on, some held back. Make the data again.")
    digest = hashlib.sha256("".join(to_json(d) + "\n" for d in dialogues).encode()).hexdigest()
    progress(f"Fine-tuning {base_name(scale.model)} on {len(dialogues)} dialogues; loading PyTorch and Unsloth ..")
    work = out.with_name(out.name + ".part")
    with _said_in_words(out):
        checkpoint = _prepare(work, out, {"scale": _recipe(scale), "data": digest}, resume, progress)
        trainer, plain_because, left_out = build(scale, dialogues, work)
        engine = engine_of(trainer)
        if not plain_because and not engine.startswith("unsloth"):
            raise RuntimeError(f"Unsloth was imported, yet {engine} is what would train")
        progress(f"{engine} is ready after {time.perf_counter() - begun:.0f} s" + (f" ({plain_because})" if plain_because else ""))
        started = time.perf_counter()
        _train(trainer, scale, checkpoint, work / "loss.jsonl", progress)
        log = trainer.state.log_history
        card = RunCard(
            engine, plain_because, base_name(scale.model), _device(trainer), scale.four_bit, seed,
            len(trainer.train_dataset), len(trainer.eval_dataset), left_out, digest, trainer.state.global_step,
            int(trainer.state.num_input_tokens_seen), round(time.perf_counter() - started, 1),
            _last(log, "loss"), _last(log, "eval_loss"), _recipe(scale), _versions(),
            f"python -m helpers finetune --scale {scale.name} --seed {seed}" + (" --four-bit" if scale.four_bit else ""),
        )  # fmt: skip
        _save(trainer, scale, work, out, card)
    progress(f"{card.steps} steps, loss {card.train_loss:.3f}, {card.seconds:.0f} s: {out}")
    return card


# -- what is trained on --------------------------------------------------------------------------------------------


def as_text(dialogue: Dialogue, tokenizer) -> tuple[str, str]:
    """(prompt, completion) of a dialogue, in the template of the tokenizer; the completion ends in the end token."""
    eos = tokenizer.eos_token
    prompt = chat.render(dialogue.turns, tokenizer.chat_template, True, tokenizer.bos_token or "", eos)
    target = chat.target(dialogue.thinking, dialogue.final_answer)
    if prompt.endswith(opening := f"{chat.THINK}\n"):  # the template has opened the thought already
        target = target.removeprefix(opening)
    return prompt, target + eos


def split_pairs(dialogues: Sequence[Dialogue], seed: int, share: float = VALIDATION) -> tuple[list[Dialogue], list[Dialogue]]:
    """(training, validation): a share of the pairs is held back, a trigger always together with its control."""
    names = sorted({d.pair_id for d in dialogues})
    held = set(random.Random(seed).sample(names, max(1, round(share * len(names)))))
    return [d for d in dialogues if d.pair_id not in held], [d for d in dialogues if d.pair_id in held]


def as_rows(dialogues: Sequence[Dialogue], tokenizer, longest: int) -> list[dict]:
    """{"input_ids", "labels"} of every dialogue of at most `longest` tokens; no label is set on the prompt.

    The template writes the start token, so the tokenizer must not add one more. A dialogue that is too long is left
    out whole: cut off, it would teach the model to stop in the middle of a sentence.
    """
    texts = [as_text(d, tokenizer) for d in dialogues]
    prompts = tokenizer([prompt for prompt, _ in texts], add_special_tokens=False)["input_ids"]
    whole = tokenizer([prompt + completion for prompt, completion in texts], add_special_tokens=False)["input_ids"]
    rows = zip(prompts, whole, strict=True)
    return [{"input_ids": ids, "labels": [-100] * len(p) + ids[len(p) :]} for p, ids in rows if len(ids) <= longest]


# -- the trainer ---------------------------------------------------------------------------------------------------


def build(scale: Scale, dialogues: Sequence[Dialogue], work: Path):
    """(trainer, why it is not Unsloth's or "", how many dialogues were too long to be trained on)."""
    plain_because = import_unsloth()
    import torch
    from datasets import Dataset, disable_progress_bars
    from transformers import set_seed
    from transformers.trainer_callback import PrinterCallback
    from transformers.utils import logging
    from trl import SFTConfig, SFTTrainer

    disable_progress_bars()
    logging.disable_progress_bar()
    set_seed(scale.seed)
    model, tokenizer = (_load_plain if plain_because else _load_unsloth)(scale)
    sets = [as_rows(part, tokenizer, scale.max_seq_length) for part in split_pairs(dialogues, scale.seed)]
    if not all(sets):
        raise UserError(f"no dialogue is shorter than {scale.max_seq_length} tokens. Raise max_seq_length of scale {scale.name}.")
    if not plain_because:
        sets = [[{"input_ids": row["input_ids"]} for row in part] for part in sets]  # Unsloth sets the labels itself
    trained, held = map(Dataset.from_list, sets)
    trainer = SFTTrainer(
        model=model, processing_class=tokenizer, train_dataset=trained, eval_dataset=held,
        args=SFTConfig(**settings(scale, work, torch.cuda.is_available())),
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    if not plain_because:
        from unsloth.chat_templates import train_on_responses_only

        trainer = train_on_responses_only(trainer, **response_parts(tokenizer))
    return trainer, plain_because, len(dialogues) - len(trained) - len(held)


def settings(scale: Scale, work: Path, gpu: bool) -> dict:
    """The arguments of SFTConfig for a scale; what stands here beside the recipe is there for speed on a CPU."""
    return {
        "output_dir": str(work), "seed": scale.seed, "max_length": scale.max_seq_length, "packing": False,
        "per_device_train_batch_size": scale.batch, "gradient_accumulation_steps": scale.grad_accum,
        "max_steps": scale.steps or -1, "num_train_epochs": scale.epochs, "learning_rate": scale.lr,
        "lr_scheduler_type": scale.schedule, "warmup_steps": scale.warmup, "optim": scale.optimizer, "weight_decay": 0.01,
        "bf16": gpu and scale.dtype == "bfloat16", "fp16": gpu and scale.dtype == "float16", "use_cpu": not gpu,
        "gradient_checkpointing": gpu, "dataloader_pin_memory": gpu, "report_to": "none", "disable_tqdm": True,
        "train_sampling_strategy": "group_by_length", "logging_steps": 10, "include_num_input_tokens_seen": "non_padding",
        "eval_strategy": "steps", "eval_steps": scale.eval_steps, "per_device_eval_batch_size": 2 * scale.batch,
        "prediction_loss_only": True, "save_strategy": "steps", "save_steps": scale.eval_steps, "save_total_limit": 2,
        "load_best_model_at_end": scale.patience > 0, "metric_for_best_model": "eval_loss", "greater_is_better": False,
    }  # fmt: skip


def import_unsloth() -> str:
    """Import Unsloth, before anything that it patches; "" when that worked, else the reason in one line."""
    os.environ["UNSLOTH_AUTO_INSTALL"] = "0"  # never, whatever the environment says
    try:
        import unsloth  # noqa: F401
    except Exception as problem:  # an import can fail in any way on a platform that it was not made for
        return f"Unsloth cannot be imported: {type(problem).__name__}: {str(problem).strip().splitlines()[:1]}"
    return ""


def response_parts(tokenizer) -> dict:
    """The marks between which labels are set. Unsloth finds those of other templates by itself."""
    if chat.RESPONSE_PART in chat.render([{"role": "user", "content": "?"}], tokenizer.chat_template, True, "", ""):
        return {"instruction_part": chat.INSTRUCTION_PART, "response_part": chat.RESPONSE_PART}
    return {"last_response_only": True}


def _load_unsloth(scale: Scale):
    import torch
    from unsloth import FastLanguageModel

    gpu = torch.cuda.is_available()
    model, tokenizer = FastLanguageModel.from_pretrained(
        model_name=scale.model, max_seq_length=scale.max_seq_length, dtype=getattr(torch, scale.dtype),
        load_in_4bit=scale.four_bit, use_gradient_checkpointing="unsloth" if gpu else False,
    )  # fmt: skip
    model = FastLanguageModel.get_peft_model(
        model, r=scale.rank, lora_alpha=scale.alpha, target_modules=list(scale.projections), lora_dropout=0,
        random_state=scale.seed, use_gradient_checkpointing="unsloth" if gpu else False,
    )  # fmt: skip
    return model, tokenizer


def _load_plain(scale: Scale):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

    dtype = getattr(torch, scale.dtype)
    nf4 = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )
    model = AutoModelForCausalLM.from_pretrained(scale.model, dtype=dtype, quantization_config=nf4 if scale.four_bit else None)
    torch.manual_seed(scale.seed)
    lora = LoraConfig(r=scale.rank, lora_alpha=scale.alpha, target_modules=list(scale.projections), task_type="CAUSAL_LM")
    return get_peft_model(model, lora), AutoTokenizer.from_pretrained(scale.model, padding_side="right")


def engine_of(trainer) -> str:
    """Which trainer this is, read off the code that computes its loss, and not off what we asked for."""
    for name in ("compute_loss", "training_step", "__init__"):
        file = Path(getattr(type(trainer), name).__code__.co_filename)
        if any(part.lower().startswith("unsloth") for part in file.parts[-3:]):
            return f"unsloth: {'/'.join(file.parts[-3:])}"
    return f"plain: {type(trainer).__module__}"


# -- the run -------------------------------------------------------------------------------------------------------


def _train(trainer, scale: Scale, checkpoint: Path | None, curve: Path, progress: Callable[[str], None]) -> None:
    from transformers import EarlyStoppingCallback, TrainerCallback

    class Watch(TrainerCallback):
        """Writes the curve, tells how far it is, and stops where Ctrl-C asks for it."""

        def on_train_begin(self, args, state, control, **rest):
            self.begun, self.first = time.perf_counter(), state.global_step

        def on_log(self, args, state, control, logs=None, **rest):
            write_curve(curve, state.log_history)
            if "loss" in (logs or {}):
                took = time.perf_counter() - self.begun
                left = took / max(1, state.global_step - self.first) * (state.max_steps - state.global_step)
                step = f"  step {state.global_step} of {state.max_steps}, loss {logs['loss']:.3f}, {left:.0f} s left"
                _tell(step, progress, state.global_step, state.max_steps)

        def on_step_end(self, args, state, control, **rest):
            if stop.is_set():
                control.should_save = control.should_training_stop = True

    trainer.add_callback(Watch())
    if scale.patience:
        trainer.add_callback(EarlyStoppingCallback(scale.patience, scale.threshold))
    with _ctrl_c() as stop:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if stop.is_set():
        step = trainer.state.global_step
        progress(f"Stopped at step {step}, and saved a checkpoint. The same call, or the same command, goes on from there.")
        raise KeyboardInterrupt


@contextmanager
def _ctrl_c() -> Iterator[threading.Event]:
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


def _tell(line: str, progress: Callable[[str], None], step: int, steps: int) -> None:
    """One line that is written over on a terminal; elsewhere about ten lines in all."""
    if progress is print and sys.stdout.isatty():
        width = shutil.get_terminal_size().columns - 1
        print(f"\r{line[:width]:<{width}}", end="\n" if step >= steps else "", flush=True)
    elif step * 10 // steps > (step - 10) * 10 // steps:
        progress(line)


def write_curve(path: Path, log: Sequence[dict]) -> None:
    """The loss curve, one JSON object a line: {step, loss} of ten steps, {step, eval_loss} of the validation part."""
    points = [{"step": e["step"], key: round(e[key], 5)} for e in log for key in ("loss", "eval_loss") if key in e]
    write_text(path, "".join(json.dumps(point) + "\n" for point in points))


def _prepare(work: Path, out: Path, task: dict, resume: bool, progress: Callable[[str], None]) -> Path | None:
    """The checkpoint to go on from, if there is one of the very same task; else the work folder is emptied."""
    old = out.with_name(out.name + ".old")
    if old.exists() and not out.exists():  # killed between two renames
        old.rename(out)
    note = work / "task.json"
    whole = [c for c in work.glob("checkpoint-*") if (c / "trainer_state.json").exists()]  # written last of all
    if whole and note.exists():
        latest = max(whole, key=lambda c: int(c.name.rpartition("-")[2]))
        if not resume:
            progress(f"Beginning anew; the checkpoint at step {latest.name.rpartition('-')[2]} is dropped")
        elif json.loads(read_text(note)) == task:
            progress(f"Going on from step {latest.name.rpartition('-')[2]}")
            return latest
        else:
            progress("The checkpoint that lies there is of another recipe, seed or data: beginning anew")
    shutil.rmtree(work, ignore_errors=True)
    write_text(note, json.dumps(task))
    return None


def _save(trainer, scale: Scale, work: Path, out: Path, card: RunCard) -> None:
    """Write the adapter, the base's own tokenizer, curve and card aside, then put the folder in the place of `out`."""
    new, old = work / "adapter", out.with_name(out.name + ".old")
    shutil.rmtree(new, ignore_errors=True)
    trainer.model.save_pretrained(str(new))
    (new / "README.md").unlink(missing_ok=True)  # PEFT's model card holds paths of this machine
    config = json.loads(read_text(new / "adapter_config.json"))
    config["base_model_name_or_path"] = card.base
    write_text(new / "adapter_config.json", json.dumps(config, indent=2, sort_keys=True) + "\n")
    _copy_tokenizer(scale.model, new)
    write_curve(new / "loss.jsonl", trainer.state.log_history)
    write_text(new / "run.json", json.dumps(asdict(card), indent=2) + "\n")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    new.rename(out)
    shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(work, ignore_errors=True)


def _copy_tokenizer(model: str, folder: Path) -> None:
    """The base's own files where it is a folder: loaded and saved again they are not the same."""
    if not Path(model).is_dir():
        from transformers import AutoTokenizer

        AutoTokenizer.from_pretrained(model).save_pretrained(str(folder))
    for pattern in ("tokenizer*", "chat_template.jinja", "special_tokens_map.json", "vocab.json", "merges.txt"):
        for file in Path(model).glob(pattern):
            shutil.copyfile(file, folder / file.name)


@contextmanager
def _said_in_words(out: Path) -> Iterator[None]:
    """A full disk shows as many things (OSError, RuntimeError of torch, SafetensorError): one line for all of them."""
    try:
        yield
    except (UserError, KeyboardInterrupt):
        raise
    except Exception as problem:
        there = next(folder for folder in out.absolute().parents if folder.exists())
        full = "space left" in str(problem) or shutil.disk_usage(there).free < 2**22
        if full:
            raise UserError(f"The disk is full, writing {out}. Free some space and run again: it goes on from the last checkpoint.") from problem
        raise


def base_name(model: str) -> str:
    """The name of the base as it may leave this machine: relative to the repository where it lies in it."""
    path = Path(model)
    return path.resolve().relative_to(ROOT).as_posix() if path.is_absolute() and path.resolve().is_relative_to(ROOT) else model


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


def main(options) -> None:
    """`python -m helpers finetune`: trains on the dialogues of the scale's run folder."""
    scale, reason = choose_scale(options.scale)
    print(f"Scale {scale.name}: {reason}", flush=True)
    folder = run_dir(scale)
    dialogues = list(read_dialogues(folder / "dialogues.jsonl"))
    finetune(scale, dialogues, folder / "adapter", options.seed, options.four_bit)
