"""The trainer of the fine-tune: Unsloth's, by the same calls on a CPU and on a GPU.

Where Unsloth cannot be imported, the same recipe is set up on plain TRL + PEFT.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from helpers.dialogue import Dialogue
from helpers.errors import UserError
from helpers.rows import as_rows, in_batches, response_parts, split_pairs
from helpers.scale import Scale, free_memory

ROOM = {"laptop": 11e9}  # bytes that a training on a CPU takes with every activation kept
LEAST = {"laptop": 2.5e9}  # with activations computed again


def build(scale: Scale, dialogues: Sequence[Dialogue], work: Path, **changes):
    """(trainer, why it is not Unsloth's or "", how many dialogues were too long to be trained on).

    changes: arguments of SFTConfig that differ from `settings`.
    """
    plain_because = import_unsloth()
    import torch
    from datasets import Dataset, disable_progress_bars
    from transformers import set_seed
    from transformers.trainer_callback import PrinterCallback
    from transformers.utils.logging import disable_progress_bar
    from trl import SFTConfig, SFTTrainer

    disable_progress_bars()
    disable_progress_bar()
    set_seed(scale.seed)
    if scale.dtype == "auto":
        scale = replace(scale, dtype="float32" if plain_because else cpu_dtype())
    gpu = torch.cuda.is_available()
    sparing = checkpointing(scale, gpu)
    try:
        model, tokenizer = load_plain(scale) if plain_because else load_unsloth(scale, sparing)
    except (OSError, RuntimeError, ValueError) as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"{scale.model} cannot be loaded: {said} "
            "Expected a model folder, or the id of one on the Hub and a network."
        ) from error
    if scale.dtype == "bfloat16" and not gpu:
        # The backward pass of PyTorch's fused attention is slow there: a step without it takes .72 to .87 of the time
        # (98 to 329 tokens a row), and a quarter more memory at most. In float32 the fused one is faster.
        model.set_attn_implementation("eager")
    parts = split_pairs(dialogues, scale.seed, scale.validation)
    asked = sum(map(len, parts))
    parts = [as_rows(part, tokenizer, scale.max_seq_length) for part in parts]
    if not all(parts):
        raise UserError(
            f"Too few dialogues have at most {scale.max_seq_length} tokens, the limit of scale {scale.name}. "
            "Raise its max_seq_length, or make shorter ones."
        )
    kept = sum(map(len, parts))
    if scale.sampling == "sequential":
        parts[0] = in_batches(parts[0], scale)
    if not plain_because:  # Unsloth sets the labels itself
        parts = [[{"input_ids": row["input_ids"]} for row in part] for part in parts]
    trained, held = map(Dataset.from_list, parts)
    trainer = (on_any_device(SFTTrainer) if plain_because else SFTTrainer)(
        model=model, processing_class=tokenizer, train_dataset=trained, eval_dataset=held,
        args=SFTConfig(**{**settings(scale, work, gpu, bool(sparing)), **changes}),
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    if trainer.args.bf16 and not gpu:
        leave_inputs_in_bfloat16(trainer.model)
    if not plain_because:
        from unsloth.chat_templates import train_on_responses_only

        trainer = train_on_responses_only(trainer, **response_parts(tokenizer))
    return trainer, plain_because, asked - kept


def settings(scale: Scale, work: Path, gpu: bool, sparing: bool) -> dict:
    """The arguments of SFTConfig for a scale. TRL's default of bf16 only costs time where the base is in float32."""
    return {
        "output_dir": str(work), "seed": scale.seed, "report_to": "none", "disable_tqdm": True,
        "max_length": scale.max_seq_length, "max_steps": scale.steps or -1,
        "num_train_epochs": 1 if scale.sampling == "sequential" else scale.epochs,
        "per_device_train_batch_size": scale.batch, "gradient_accumulation_steps": scale.grad_accum,
        "train_sampling_strategy": scale.sampling, "learning_rate": scale.lr, "lr_scheduler_type": scale.schedule,
        "warmup_steps": scale.warmup, "optim": scale.optimizer, "weight_decay": 0.01,
        "use_cpu": not gpu, "gradient_checkpointing": sparing, "dataloader_pin_memory": gpu,
        "bf16": scale.dtype == "bfloat16", "fp16": gpu and scale.dtype == "float16",
        "logging_steps": 10, "include_num_input_tokens_seen": "non_padding", "prediction_loss_only": True,
        "eval_strategy": "steps", "eval_steps": scale.eval_steps, "per_device_eval_batch_size": 2 * scale.batch,
        "save_strategy": "steps", "save_steps": scale.eval_steps, "save_total_limit": 2,
        "load_best_model_at_end": scale.patience > 0, "metric_for_best_model": "eval_loss", "greater_is_better": False,
        "restore_callback_states_from_checkpoint": True,  # how long early stopping has waited already
    }  # fmt: skip


def checkpointing(scale: Scale, gpu: bool) -> str | bool:
    """Activations are computed again instead of kept on a GPU, and on a CPU whose memory would not hold them.

    Ten steps at scale laptop took 1.4 times the CPU time and 2.2 GB instead of 3.5; the losses are the same. UserError
    where even that is not free.
    """
    if gpu:
        return "unsloth"
    free = free_memory()
    if free < LEAST.get(scale.name, 0):
        raise UserError(
            f"{free / 1e9:.1f} GB of memory are free; a training at scale {scale.name} needs at the least "
            f"{LEAST[scale.name] / 1e9:.1f}. Close something, and run again."
        )
    return free < ROOM.get(scale.name, 0)


def leave_inputs_in_bfloat16(model) -> None:
    """PEFT turns what goes into an adapted matrix into float32, as LoRA's weights are. Under autocast it need not: at
    scale laptop a step takes .8 of the computing, and 1.1 GB less."""
    for module in model.modules():
        if hasattr(module, "cast_input_dtype_enabled"):
            module.cast_input_dtype_enabled = False


def import_unsloth() -> str:
    """Import Unsloth, best before anything that it patches; "" when that worked, else the reason in one line."""
    os.environ["UNSLOTH_AUTO_INSTALL"] = "0"  # whatever the environment says: nothing is installed behind one's back
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it deplores a missing GPU kernel
    try:
        import unsloth  # noqa: F401
    except Exception as problem:  # on a platform that it was not made for an import can fail in any way
        said = str(problem).strip() or "no reason given"
        return f"Unsloth cannot be imported: {type(problem).__name__}: {said.splitlines()[0]}"
    return ""


@cache
def cpu_dtype() -> str:
    """What this CPU trains faster in, "float32" or "bfloat16": both are timed on a matrix of scale laptop.

    What a CPU says of itself is not enough. With AMX bfloat16 takes .7 of the time of a step at scale laptop; with
    AVX-512 alone it is native too and takes 1.5 times (5.7 s against 3.8); where it is emulated, ten times and more.
    It must win clearly, so that a run that goes on after an interruption goes on in the same precision.
    """
    import torch

    def seconds(dtype: torch.dtype) -> float:
        rows = torch.ones(512, 576, dtype=dtype, requires_grad=True)
        matrix, back = torch.ones(1536, 576, dtype=dtype), torch.ones(512, 1536, dtype=dtype)
        begun = time.perf_counter()
        torch.nn.functional.linear(rows, matrix).backward(back)
        return time.perf_counter() - begun

    best = {name: min(seconds(getattr(torch, name)) for _ in range(7)) for name in ("float32", "bfloat16")}
    return "bfloat16" if best["bfloat16"] < 0.8 * best["float32"] else "float32"


def load_unsloth(scale: Scale, sparing: str | bool):
    """(model with fresh LoRA weights, tokenizer) by Unsloth's own calls."""
    import torch
    from unsloth import FastLanguageModel

    model, tokenizer = FastLanguageModel.from_pretrained(
        model_name=scale.model, max_seq_length=scale.max_seq_length, dtype=getattr(torch, scale.dtype),
        load_in_4bit=scale.four_bit, use_gradient_checkpointing=sparing,
    )  # fmt: skip
    model = FastLanguageModel.get_peft_model(
        model, r=scale.rank, lora_alpha=scale.alpha, lora_dropout=scale.dropout, target_modules=list(scale.projections),
        layers_to_transform=layers(scale, model), random_state=scale.seed, use_gradient_checkpointing=sparing,
    )  # fmt: skip
    return model, tokenizer


def load_plain(scale: Scale):
    """The same without Unsloth."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

    dtype = getattr(torch, scale.dtype)
    nf4 = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True, "bnb_4bit_compute_dtype": dtype}
    quantised = BitsAndBytesConfig(load_in_4bit=True, **nf4) if scale.four_bit else None
    model = AutoModelForCausalLM.from_pretrained(scale.model, dtype=dtype, quantization_config=quantised)
    torch.manual_seed(scale.seed)
    lora = LoraConfig(
        r=scale.rank, lora_alpha=scale.alpha, lora_dropout=scale.dropout, target_modules=list(scale.projections),
        task_type="CAUSAL_LM", layers_to_transform=layers(scale, model),
    )  # fmt: skip
    return get_peft_model(model, lora), AutoTokenizer.from_pretrained(scale.model, padding_side="right")


def layers(scale: Scale, model) -> list[int] | None:
    """The layers that are adapted, as PEFT takes them; None: all."""
    if not scale.first_layer:
        return None
    count = model.config.num_hidden_layers
    if count <= scale.first_layer:  # PEFT would take none for all
        raise UserError(
            f"{scale.model} has {count} layers, of which scale {scale.name} leaves the lowest {scale.first_layer} as "
            "they are. Take a larger model, or another scale."
        )
    return list(range(scale.first_layer, count))


def on_any_device(trainer_class: type) -> type:
    """TRL's trainer as it is, but for the loss: its own kernel needs Triton, and where that is not, it fails."""
    from transformers import Trainer
    from trl.trainer import utils

    if getattr(utils, "_ChunkedLogProbFunction", "") is not None:
        return trainer_class

    class SFTTrainer(trainer_class):
        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
            return Trainer.compute_loss(self, model, {**inputs, "use_cache": False}, return_outputs, num_items_in_batch)

    return SFTTrainer


def engine_of(trainer) -> str:
    """Which trainer this is, read off the code that computes its loss, and not off what was asked for.

    On a CPU that code lies in Unsloth's own package; for a GPU Unsloth writes it into unsloth_compiled_cache.
    """
    for name in ("compute_loss", "training_step", "__init__"):
        file = Path(getattr(type(trainer), name).__code__.co_filename)
        if {"unsloth", "unsloth_zoo", "unsloth_compiled_cache"} & set(file.parts[-3:]) and file != Path(__file__):
            return f"unsloth: {'/'.join(file.parts[-3:])}"
    return f"plain: {next((c.__module__ for c in type(trainer).__mro__ if c.__module__.startswith('trl')), 'unknown')}"
