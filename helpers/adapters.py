"""A LoRA adapter for llama.cpp: written as GGUF, and switched on and off at run time beside one base in memory."""

import ctypes
import os
from math import sqrt
from pathlib import Path

from helpers import smollm2
from helpers.artefacts import REPAIR, check, header, identity, read_json
from helpers.errors import UserError
from helpers.llama import LlamaCpp, llama_cpp
from helpers.llama import said as llama_said
from helpers.model import MAX_CONTEXT

WEIGHTS = "adapter_model.safetensors"
PREFIX = "base_model.model."


class Adapted(LlamaCpp):
    """A GGUF base with an adapter on it; where the base runs as well, its weights are in memory only once."""

    def __init__(self, name: str, path: Path, adapter: Path, template: str = "", longest: int = MAX_CONTEXT):
        """adapter: as `as_gguf` writes it; the rest as for the base."""
        super().__init__(name, path, template, longest)
        self._adapter = llama_cpp().llama_adapter_lora_init(self._model, str(adapter).encode())
        if not self._adapter:  # it is freed with the weights
            raise UserError(
                f"{name} is an adapter of another base than {path.name}, or its copy {adapter} is damaged: "
                f"{llama_said()}. Delete that copy, and if it happens again, train the adapter again."
            )
        self._plain, self._file = self.identity, identity(adapter)
        self.strength(1.0)
        self.settle_threads()  # with it on there is more to wait for

    def strength(self, scale: float) -> None:
        """How much of the adapter counts from now on: 0 is the base alone, 1 what was trained."""
        one = (type(self._adapter) * 1)(self._adapter)
        llama_cpp().llama_set_adapters_lora(self._context, one, 1, (ctypes.c_float * 1)(scale))
        self.identity = f"{self._plain}+{self._file}*{scale:g}"


def cached(adapter: Path) -> Path:
    """The GGUF form of an adapter folder, made once and kept in the user's cache."""
    path = smollm2.cache_dir() / "adapters" / f"{identity(adapter)[:16]}.gguf"
    return path if path.exists() else as_gguf(adapter, path)


def as_gguf(adapter: Path, path: Path) -> Path:
    """Write a PEFT adapter of a Llama base as one GGUF file. UserError names what is damaged or does not fit."""
    check(adapter)
    config = read_json(adapter / "adapter_config.json")
    rank = config.get("r")
    for name, entry in header(adapter / WEIGHTS)[1].items():
        if rank not in entry["shape"]:
            raise UserError(f"{adapter} is said to have rank {rank}, but {name} is {entry['shape']}. {REPAIR}")
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(adapter, config, part)
        os.replace(part, path)
    except OSError as problem:
        raise UserError(f"cannot write {path}: {problem.strerror or problem}. Free some space and try again.") from None
    finally:
        part.unlink(missing_ok=True)
    return path


def _write(adapter: Path, config: dict, part: Path) -> None:
    import gguf
    from safetensors.numpy import load_file

    # llama.cpp knows nothing of rank-stabilised LoRA, which divides by the root of the rank.
    alpha = config["lora_alpha"] * (sqrt(config["r"]) if config.get("use_rslora") else 1)
    writer = gguf.GGUFWriter(part, "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(alpha))
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, smollm2.LAYERS)
    for key, values in sorted(load_file(adapter / WEIGHTS).items()):
        module, _, side = key.removeprefix(PREFIX).removesuffix(".weight").rpartition(".lora_")
        name = names.get_name(f"{module}.weight", try_suffixes=(".weight",))
        if name is None:
            raise UserError(f"{adapter} changes {module}, which a Llama base of {smollm2.LAYERS} layers does not have.")
        if side == "B" and module.endswith(("q_proj", "k_proj")):  # llama.cpp orders these rows in its own way
            heads = smollm2.HEADS if module.endswith("q_proj") else smollm2.KV_HEADS
            values = smollm2.permuted(values, heads)
        writer.add_tensor(f"{name}.lora_{side.lower()}", values)
    write_out(writer)


def write_out(writer) -> None:
    """Write what a GGUFWriter was given, and let go of its file, also on a full disk."""
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()
