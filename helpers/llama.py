"""A GGUF file in llama.cpp, through the C functions of llama-cpp-python."""

import ctypes
import os
import time
import weakref
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from helpers.artefacts import REPAIR, identity
from helpers.errors import NoLlama, UserError
from helpers.model import MAX_CONTEXT, Model, one_template

TINY, LARGE = 1 << 26, 1 << 30  # bytes of a file: of a tiny model one thread is faster, of a large one several
UBATCH = 128  # tokens of a prompt at a time: llama.cpp keeps room for the logits of them all


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
        self._timed = TINY < path.stat().st_size < LARGE
        self.settle_threads()

    def settle_threads(self) -> None:
        """One thread a token or several, whichever is faster here: they wait for one another at every operation.

        On one machine SmolLM2 is faster with two; on another with one, by a factor of two, and of four with its adapter
        on. Replies are the same.
        """
        if not self._timed:
            return
        api, several = llama_cpp(), llama_cpp().llama_n_threads_batch(self._context)
        api.llama_memory_clear(api.llama_get_memory(self._context), True)

        def seconds(count: int) -> float:
            api.llama_set_n_threads(self._context, count, several)
            begun = time.perf_counter()
            self._decoded([0])
            return time.perf_counter() - begun

        seconds(1)  # the first decode fetches the weights
        spent = {count: min(seconds(count) for _ in range(3)) for count in (1, several)}
        api.llama_set_n_threads(self._context, min(spent, key=spent.get), several)

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
        tiny = path.stat().st_size < TINY
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
    """The C functions of llama-cpp-python, quiet; NoLlama where it is not installed or cannot be loaded."""
    try:
        from llama_cpp import llama_cpp as api
    except (ImportError, OSError, RuntimeError) as error:
        raise NoLlama(
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
