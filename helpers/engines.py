"""What runs a model: transformers, and llama.cpp."""

import ctypes
import os
import weakref
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from helpers.artefacts import REPAIR, identity
from helpers.errors import UserError
from helpers.model import MAX_CONTEXT, Model, one_template

MAX_ROWS = 128  # beyond that a batch is no faster on a CPU
UBATCH = 128  # tokens of a prompt at a time: llama.cpp keeps room for the logits of them all
CACHE_BYTES = {"cpu": 1 << 28, "cuda": 1 << 32}  # what the keys and values of one batch may take


class Transformers(Model):
    """A causal language model of transformers: on the GPU where there is one, else on the CPU in fp32."""

    engine = "transformers"

    def __init__(self, name: str, source: str, adapter: Path | None = None, identity: str = ""):
        """source: a folder, or a Hub id; identity: the hash of its files, on the Hub the revision."""
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()
        device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(source)
            dtype = torch.float32 if device == "cpu" else "auto"
            network = AutoModelForCausalLM.from_pretrained(source, dtype=dtype)
            if adapter:
                network = _merged(network, adapter)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise UserError(f"{name} cannot be loaded: {str(error).strip().splitlines()[0]}") from error
        self.network = network.to(device).eval()
        settings = network.config
        self.name, self.template = name, one_template(name, self.tokenizer.chat_template)
        self.identity = identity or f"{source}@{getattr(settings, '_commit_hash', '')}"
        self.context = min(getattr(settings, "max_position_embeddings", None) or MAX_CONTEXT, MAX_CONTEXT)
        self.bos, self.eos = self.tokenizer.bos_token or "", self.tokenizer.eos_token or ""
        ends = network.generation_config.eos_token_id
        self._ends = {self.tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])} - {None}

    def encode(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def decode(self, ids: Sequence[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)

    def is_end(self, token: int) -> bool:
        return token in self._ends

    def greedy(self, ids: list[int], limit: int) -> Iterator[int]:
        for _, token in self._steps([ids], limit):
            yield token

    def completions(self, prompts: list[list[int]], limit: int) -> Iterator[tuple[int, list[int]]]:
        """In batches of prompts of like length, shortest first: padding is computed too."""
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        longest = max(map(len, prompts), default=0) + limit
        rows = max(1, min(MAX_ROWS, CACHE_BYTES[self.network.device.type] // (self._bytes_a_token() * longest)))
        for start in range(0, len(order), rows):
            batch = order[start : start + rows]
            room = min(limit, self.context - len(prompts[batch[-1]]))
            made: list[list[int]] = [[] for _ in batch]
            for row, token in self._steps([prompts[i] for i in batch], room):
                made[row].append(token)
                if len(made[row]) == room or self.is_end(token):
                    yield batch[row], made[row]

    def next_logits(self, ids: list[int]):
        """The logits of the token that follows, an array of the size of the vocabulary."""
        import torch

        with torch.inference_mode():
            at_last = self.network(torch.tensor([ids], device=self.network.device), logits_to_keep=1).logits[0, -1]
        return at_last.float().cpu().numpy()

    def _steps(self, prompts: list[list[int]], limit: int) -> Iterator[tuple[int, int]]:
        """(row, next token), step by step; a row stops after its end token.

        `generate` keeps finished rows in the batch to the last; here they leave it once they are an eighth.
        """
        import torch
        from transformers import DynamicCache

        width = max(map(len, prompts))
        ids = torch.zeros(len(prompts), width, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):  # padded on the left, so that all rows continue at the same place
            ids[row, width - len(prompt) :] = torch.tensor(prompt)
            mask[row, width - len(prompt) :] = 1
        ids, mask = ids.to(self.network.device), mask.to(self.network.device)
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        past = DynamicCache(config=self.network.config)
        rows: list[int | None] = list(range(len(prompts)))
        for _ in range(limit):
            with torch.inference_mode():
                logits = self.network(
                    input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=past, logits_to_keep=1
                ).logits
                chosen = logits[:, -1].argmax(-1)
            for place, token in enumerate(chosen.tolist()):
                if rows[place] is not None:
                    yield rows[place], token
                    if self.is_end(token):
                        rows[place] = None
            ids, positions = chosen[:, None], positions[:, -1:] + 1
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], 1)
            if rows.count(None) * 8 >= len(rows):
                kept = [place for place, row in enumerate(rows) if row is not None]
                if not kept:
                    return
                rows = [rows[place] for place in kept]
                ids, positions, mask = ids[kept], positions[kept], mask[kept]
                past.batch_select_indices(torch.tensor(kept, device=ids.device))

    def _bytes_a_token(self) -> int:
        c = self.network.config
        width = getattr(c, "head_dim", None) or c.hidden_size // c.num_attention_heads
        heads = getattr(c, "num_key_value_heads", None) or c.num_attention_heads
        return 2 * c.num_hidden_layers * heads * width * self.network.dtype.itemsize


def _merged(network, adapter: Path):
    """The adapter added into the weights: the same replies, without its extra work at each step."""
    import logging

    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # imported by PEFT; it deplores a missing GPU kernel
    from peft import PeftModel

    return PeftModel.from_pretrained(network, str(adapter)).merge_and_unload()


class LlamaCpp(Model):
    """A GGUF file in llama.cpp, through the C functions of llama-cpp-python: its class does not expose all we set.

    One prompt at a time: `greedy` starts with an empty cache, so two of its iterators must not be mixed.
    """

    engine = "llama.cpp"

    def __init__(self, name: str, path: Path, template: str = "", longest: int = MAX_CONTEXT):
        """template: instead of the one that the file holds. longest: of prompt and reply, for which memory is kept."""
        api = llama_cpp()
        self._weights = _weights(path)
        self._model = self._weights.pointer
        self.context = min(api.llama_model_n_ctx_train(self._model), longest)
        self._context = api.llama_init_from_model(self._model, self._context_settings(path))
        if not self._context:
            raise UserError(f"{path}: llama.cpp finds no memory for {self.context} tokens ({_said[-1]}).")
        weakref.finalize(self, _free, self._context, self._weights)
        self._vocab = api.llama_model_get_vocab(self._model)
        self._pieces: dict[int, bytes] = {}
        self.name, self.identity = name, identity(path)
        self.template = template or one_template(name, self._metadata("tokenizer.chat_template"))
        self.bos, self.eos = (self._text(find(self._vocab)) for find in (api.llama_vocab_bos, api.llama_vocab_eos))

    def encode(self, text: str) -> list[int]:
        data = text.encode()
        ids = (ctypes.c_int32 * (len(data) + 8))()  # a token is at least a byte
        count = llama_cpp().llama_tokenize(self._vocab, data, len(data), ids, len(ids), False, True)
        return ids[:count]

    def decode(self, ids: Sequence[int]) -> str:
        return b"".join(map(self._piece, ids)).decode("utf-8", "replace")

    def is_end(self, token: int) -> bool:
        return llama_cpp().llama_vocab_is_eog(self._vocab, token)

    def greedy(self, ids: list[int], limit: int) -> Iterator[int]:
        api = llama_cpp()
        api.llama_memory_clear(api.llama_get_memory(self._context), True)
        for _ in range(limit):
            token = int(self._decoded(ids).argmax())
            yield token
            if self.is_end(token):
                return
            ids = [token]

    def next_logits(self, ids: list[int]):
        """The logits of the token that follows, an array of the size of the vocabulary."""
        llama_cpp().llama_memory_clear(llama_cpp().llama_get_memory(self._context), True)
        return self._decoded(ids).copy()

    def _decoded(self, ids: list[int]):
        """Logits behind tokens that are added to the cache; llama.cpp's own memory, until it decodes again."""
        import numpy as np

        api, size = llama_cpp(), llama_cpp().llama_vocab_n_tokens(self._vocab)
        tokens = (ctypes.c_int32 * len(ids))(*ids)
        if api.llama_decode(self._context, api.llama_batch_get_one(tokens, len(ids))):
            raise RuntimeError(f"llama.cpp could not decode: {_said[-1]}")
        return np.ctypeslib.as_array(api.llama_get_logits_ith(self._context, -1), (size,))

    def _context_settings(self, path: Path):
        settings = llama_cpp().llama_context_default_params()
        settings.n_ctx = settings.n_batch = self.context
        settings.flash_attn_type = 0
        # Threads wait for one another at every layer: in a tiny model that takes longer than the work.
        tiny = path.stat().st_size < 1 << 26
        if tiny:  # fp32: with the default fp16, logits differ from transformers' by 1e-3
            settings.type_k = settings.type_v = 0
        settings.n_ubatch = UBATCH
        settings.n_threads = settings.n_threads_batch = 1 if tiny else max(2, (os.cpu_count() or 2) // 2)
        return settings

    def _metadata(self, key: str) -> str:
        size = llama_cpp().llama_model_meta_val_str(self._model, key.encode(), None, 0)
        buffer = ctypes.create_string_buffer(max(size, 0) + 1)
        llama_cpp().llama_model_meta_val_str(self._model, key.encode(), buffer, len(buffer))
        return buffer.value.decode()

    def _piece(self, token: int) -> bytes:
        """Looked up once: a stream decodes all that was written so far at every token."""
        if token not in self._pieces:
            buffer = ctypes.create_string_buffer(512)
            size = llama_cpp().llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, False)
            self._pieces[token] = buffer.raw[: max(size, 0)]
        return self._pieces[token]

    def _text(self, token: int) -> str:
        return llama_cpp().llama_vocab_get_text(self._vocab, token).decode() if token >= 0 else ""


class _Weights:
    """What a GGUF file holds, once in memory however many models are made of it."""

    def __init__(self, path: Path):
        api = llama_cpp()
        if path.open("rb").read(4) != b"GGUF":
            raise UserError(f"{path} is damaged: it does not begin as a GGUF file does. {REPAIR}")
        settings = api.llama_model_default_params()
        settings.use_extra_bufts = False  # repacked weights crash on CPUs with AMX (llama.cpp issue 20824)
        settings.n_gpu_layers = 0
        self.pointer = api.llama_model_load_from_file(str(path).encode(), settings)
        if not self.pointer:
            raise UserError(f"{path} is damaged or cut short: llama.cpp cannot load it ({_said[-1]}). {REPAIR}")
        weakref.finalize(self, api.llama_model_free, self.pointer)


def _weights(path: Path) -> _Weights:
    key = (path.resolve(), path.stat().st_mtime_ns, path.stat().st_size)
    found = _in_memory.get(key)
    if found is None:
        found = _in_memory[key] = _Weights(path)
    return found


_in_memory: weakref.WeakValueDictionary = weakref.WeakValueDictionary()
_said = [""]  # what llama.cpp last complained of


def _free(context, _weights: _Weights) -> None:
    """The context goes before the weights that it reads, which are held until then."""
    llama_cpp().llama_free(context)


def said() -> str:
    """What llama.cpp last complained of."""
    return _said[0]


@cache
def llama_cpp():
    """The C functions of llama-cpp-python, quiet; UserError where it is not installed or cannot be loaded."""
    try:
        from llama_cpp import llama_cpp as api
    except (ImportError, OSError, RuntimeError) as error:
        raise UserError(
            f"llama-cpp-python cannot be imported ({error}), so GGUF files cannot be run here; all else works. "
            "`python -m helpers setup` tries to install it."
        ) from None

    def listen(level: int, text: bytes, _) -> None:
        if level >= 4 and text.strip():  # 4: errors
            _said[0] = text.decode("utf-8", "replace").strip()

    llama_cpp.listener = api.llama_log_callback(listen)  # held here: C keeps only the address
    api.llama_log_set(llama_cpp.listener, None)
    api.llama_backend_init()
    return api
