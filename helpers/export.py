"""From an adapter to one file that llama.cpp runs: merge, GGUF, quantise, and check that the copy answers alike."""

import ctypes
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from helpers import adapters, smollm2
from helpers.artefacts import base_named, check, parts, read_json
from helpers.checkpoints import full_disk_in_words, put_in_place
from helpers.dialogue import KINDS, write_whole
from helpers.engines import Transformers
from helpers.errors import UserError
from helpers.generate import load
from helpers.llama import llama_cpp
from helpers.pocket import QWEN2_PATTERN
from helpers.scale import choose_scale, run_dir
from helpers.scenarios import pairs

CHECKED_PROMPTS = 200
BLOCK = 32  # Q8_0 packs so many numbers with one scale; a row that is no multiple of it stays as it is
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json")


@dataclass(frozen=True)
class Exported:
    """What an export made, and how far it answers like the original; shares are of `prompts` held-out prompts."""

    merged: Path
    f16: Path
    q8_0: Path
    kept_f16: list[str]  # tensors that Q8_0 could not pack
    prompts: int
    equal_ids: float
    equal_replies: float
    equal_replies_q8_0: float
    seconds: dict[str, float]


def export(run_dir: Path, report: Callable[[str], None] = print) -> Exported:
    """Merge `run_dir`/adapter, write model-f16.gguf and model-q8_0.gguf beside it, and check both."""
    run_dir, seconds, begun = Path(run_dir), {}, time.perf_counter()

    def done(step: str, line: str) -> None:
        seconds[step] = round(time.perf_counter() - begun - sum(seconds.values()), 2)
        report(f"{line} ({seconds[step]:.1f} s)")

    llama_cpp()  # where it is missing, say so before the work
    merged = merge(run_dir / "adapter", run_dir / "merged")
    done("merge", f"merged the adapter into its base: {merged}")
    f16 = to_gguf(merged, run_dir / "model-f16.gguf")
    done("gguf", f"wrote {f16}, {f16.stat().st_size / 1e6:.1f} MB")
    load(f16)
    done("first_decode", "llama.cpp decodes it on this machine (tried in a child process)")
    q8_0, kept = quantise(f16, run_dir / "model-q8_0.gguf")
    note = f"; {len(kept)} tensors stay f16, their rows are no multiple of {BLOCK}" if kept else ""
    done("quantise", f"wrote {q8_0}, {q8_0.stat().st_size / 1e6:.1f} MB{note}")
    held_out = held_out_prompts()
    replies, ids = same_replies(merged, f16, held_out)
    done("check", f"f16: {replies:.1%} of {len(held_out)} replies as in transformers, token ids equal on {ids:.1%}")
    small, _ = same_replies(merged, q8_0, held_out)
    done("check_q8_0", f"Q8_0: {small:.1%} of the replies as in transformers")
    return Exported(merged, f16, q8_0, kept, len(held_out), ids, replies, small, seconds)


def held_out_prompts(count: int = CHECKED_PROMPTS) -> list[tuple[dict, ...]]:
    """Conversations of the test part, all kinds, triggers and controls alike."""
    made = [d.turns for kind in KINDS for pair in pairs(kind, "test", count // (2 * len(KINDS)), 0) for d in pair]
    return made[:count]


def merge(adapter: Path, out: Path) -> Path:
    """Add an adapter into its unquantised base with PEFT; `out` becomes a whole model folder with tokenizer.

    From a 4-bit base nothing is merged: rounding would be baked in.
    """
    if not adapter.exists():
        raise UserError(f"{adapter} is missing. Train it first: python -m helpers finetune")
    base, adapter_folder = parts(adapter)
    if adapter_folder is None:
        raise UserError(f"{adapter} is a whole model, not an adapter: there is nothing to merge.")
    for folder in (base, adapter):
        if isinstance(folder, Path):  # else it is on the Hub
            check(folder)
    merged = Transformers(str(adapter), str(base), adapter)
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        with full_disk_in_words(out, "what was there is kept"):
            merged.network.save_pretrained(part / "model")
            if isinstance(base, str):
                merged.tokenizer.save_pretrained(part / "model")
            else:  # loaded and saved again, it would not be the same
                for name in TOKENIZER_FILES:
                    if (base / name).exists():
                        shutil.copyfile(base / name, part / "model" / name)
            put_in_place(part / "model", out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return out


def to_gguf(folder: Path, path: Path, dtype: str = "f16") -> Path:
    """Write a Qwen2 folder as one GGUF file: weights, tokenizer, chat template. Vectors stay fp32, as llama.cpp wants.

    dtype: f16 or f32. Format: github.com/ggml-org/ggml/blob/master/docs/gguf.md
    """
    check(folder)
    config = read_json(folder / "config.json")
    if config.get("model_type") != "qwen2" or dtype not in ("f16", "f32"):
        raise UserError(f"{folder}: expected a Qwen2 model and f16 or f32, not {config.get('model_type')} and {dtype}.")
    return write_whole(path, lambda part: _write_gguf(folder, config, part, dtype))


def _write_gguf(folder: Path, config: dict, part: Path, dtype: str) -> None:
    import gguf
    import numpy as np
    import torch
    from safetensors import safe_open

    writer = gguf.GGUFWriter(part, "qwen2")
    rope = config.get("rope_parameters") or config
    writer.add_name(folder.resolve().name)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(rope.get("rope_theta", 10_000.0))
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16 if dtype == "f16" else gguf.LlamaFileType.ALL_F32)
    _add_tokenizer(writer, folder, config["vocab_size"])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, config["num_hidden_layers"])
    for weights in sorted(folder.glob("*.safetensors")):
        with safe_open(weights, framework="pt") as file:  # NumPy has no bfloat16
            for name in file.keys():  # noqa: SIM118 - not a dict
                if name == "lm_head.weight" and config.get("tie_word_embeddings"):
                    continue
                tensor = file.get_tensor(name).to(torch.float32).numpy()
                half = dtype == "f16" and tensor.ndim > 1
                target = names.get_name(name, try_suffixes=(".weight", ".bias"))
                writer.add_tensor(target, tensor.astype(np.float16) if half else tensor)
    adapters.write_out(writer)


def _add_tokenizer(writer, folder: Path, size: int) -> None:
    import gguf
    from transformers import AutoTokenizer

    table = read_json(folder / "tokenizer.json")
    if QWEN2_PATTERN not in [step.get("pattern", {}).get("Regex") for step in table["pre_tokenizer"]["pretokenizers"]]:
        raise UserError(f"{folder / 'tokenizer.json'}: not Qwen2's pre-tokenizer, llama.cpp would cut words elsewhere.")
    kinds = gguf.TokenType
    entries = {i: (f"[PAD{i}]", kinds.UNUSED) for i in range(size)}  # rows of the embedding that no token uses
    entries |= {i: (text, kinds.NORMAL) for text, i in table["model"]["vocab"].items()}
    for token in table["added_tokens"]:  # the thinking tags are no control tokens: those would be invisible in a reply
        entries[token["id"]] = (token["content"], kinds.CONTROL if token["special"] else kinds.USER_DEFINED)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([entries[i][0] for i in range(size)])
    writer.add_token_types([int(entries[i][1]) for i in range(size)])
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in table["model"]["merges"]])
    tokenizer = AutoTokenizer.from_pretrained(folder)
    writer.add_chat_template(tokenizer.chat_template)
    writer.add_add_bos_token(False)  # the template writes it
    for add, token in (
        (writer.add_bos_token_id, tokenizer.bos_token_id),
        (writer.add_eos_token_id, tokenizer.eos_token_id),
        (writer.add_pad_token_id, tokenizer.pad_token_id),
    ):
        if token is not None:
            add(token)


def quantise(source: Path, target: Path, kind: str = "q8_0") -> tuple[Path, list[str]]:
    """Quantise a GGUF file in this process; (the new file, the matrices that stay as they are for their odd width).

    llama.cpp reports success all the same when it leaves a matrix as it is, so the list is read from the file.
    """
    import gguf

    api = llama_cpp()
    types = {"q8_0": api.LLAMA_FTYPE_MOSTLY_Q8_0}
    if kind not in types:
        raise UserError(f"unknown quantisation {kind!r}: expected one of {', '.join(types)}")
    if not source.exists():
        raise UserError(f"{source} is missing: there is nothing to quantise. Run: python -m helpers export")

    def write(part: Path) -> None:
        settings = api.llama_model_quantize_default_params()
        settings.ftype, settings.nthread = types[kind], 1
        if api.llama_model_quantize(str(source).encode(), str(part).encode(), ctypes.byref(settings)):
            raise OSError(0, "llama.cpp could not quantise; the disk may be full, or the source damaged")

    write_whole(target, write)
    tensors = gguf.GGUFReader(target).tensors
    return target, [t.name for t in tensors if len(t.shape) > 1 and int(t.shape[0]) % BLOCK]


def same_replies(folder: Path, gguf_file: Path, conversations: Sequence[Sequence[dict]]) -> tuple[float, float]:
    """(share of equal greedy replies, share of equal token ids) of transformers and llama.cpp."""
    original, copy = load(folder), load(gguf_file)
    ids = [original.tokens(c) == copy.tokens(c) for c in conversations]
    both = zip(original.replies(conversations), copy.replies(conversations), strict=True)
    return sum(a == b for a, b in both) / len(conversations), sum(ids) / len(conversations)


def main(options) -> None:
    """The verb `export` of the command line."""
    folder = run_dir(choose_scale(options.scale)[0])
    if smollm2.is_named(base_named(folder / "adapter")):  # its base is a GGUF file already
        path = adapters.as_gguf(folder / "adapter", folder / "adapter.gguf")
        print(f"wrote {path}, {path.stat().st_size / 1e6:.1f} MB, for the base {smollm2.gguf_file()}")
        return
    export(folder)
