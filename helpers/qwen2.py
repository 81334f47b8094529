"""Qwen2 in NumPy: a small model answers before transformers is even imported (which takes four to ten seconds).

The same weights, tokenizer and prompt, and the same replies; a test compares the logits. One prompt at a time.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from helpers.artefacts import header, identity, read_json
from helpers.model import MAX_CONTEXT, Model, one_template

SMALL = 1 << 26  # bytes of weights; above, NumPy is no longer quick enough
PLAIN_LORA = {"use_dora": False, "use_rslora": False, "bias": "none", "rank_pattern": {}, "alpha_pattern": {}}
PLAIN_LORA |= {"modules_to_save": None, "fan_in_fan_out": False}


def fits(base: Path, adapter: Path | None) -> bool:
    """Whether this module can run the model: a small unquantised Qwen2, and an adapter that is plain LoRA."""
    config = read_json(base / "config.json")
    weights = base / "model.safetensors"
    if config.get("model_type") != "qwen2" or not weights.exists() or weights.stat().st_size > SMALL:
        return False
    rope = config.get("rope_parameters") or {}
    plain = not (config.get("quantization_config") or config.get("use_sliding_window"))
    plain &= rope.get("rope_type", "default") == "default" and not config.get("rope_scaling")
    if adapter:
        lora = read_json(adapter / "adapter_config.json")
        plain &= lora.get("peft_type") == "LORA" and all(not lora.get(k) or lora[k] == v for k, v in PLAIN_LORA.items())
    files = [weights, *(adapter.glob("*.safetensors") if adapter else ())]
    types = {entry["dtype"] for path in files for entry in header(path)[1].values()}
    return plain and types <= {"F32", "F16"} and (base / "tokenizer.json").exists()


class Qwen2(Model):
    engine = "numpy"

    def __init__(self, name: str, base: Path, adapter: Path | None = None):
        import numpy as np
        from tokenizers import Tokenizer

        config = read_json(base / "config.json")
        self.tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
        words = read_json(base / "tokenizer_config.json")
        template = base / "chat_template.jinja"
        template = template.read_text(encoding="utf-8") if template.exists() else words.get("chat_template")
        self.name, self.identity = name, identity(base, adapter)
        self.template = one_template(name, template)
        self.bos, self.eos = (_token(words.get(key)) for key in ("bos_token", "eos_token"))
        self.context = min(config["max_position_embeddings"], MAX_CONTEXT)
        self._end = self.tokenizer.token_to_id(self.eos)
        self._heads, self._kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
        self._width = config.get("head_dim") or config["hidden_size"] // self._heads
        self._eps = config["rms_norm_eps"]
        theta = (config.get("rope_parameters") or config).get("rope_theta", 10_000.0)
        angles = np.outer(np.arange(self.context), theta ** (-np.arange(0, self._width, 2) / self._width))
        self._cos, self._sin = (np.tile(f(angles), 2).astype(np.float32) for f in (np.cos, np.sin))
        weights = _weights(base, adapter)
        self._embedding = weights["model.embed_tokens.weight"]
        self._head = self._embedding if config.get("tie_word_embeddings") else weights["lm_head.weight"]
        self._norm = weights["model.norm.weight"]
        self._layers = [_layer(weights, f"model.layers.{i}.") for i in range(config["num_hidden_layers"])]

    def encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=True)

    def is_end(self, token: int) -> bool:
        return token == self._end

    def greedy(self, ids: list[int], limit: int) -> Iterator[int]:
        import numpy as np

        shape = (len(self._layers), 2, self._kv_heads, len(ids) + limit, self._width)
        past, done = np.empty(shape, np.float32), 0
        for _ in range(limit):
            token = int(self.logits(ids, past, done).argmax())
            yield token
            if self.is_end(token):
                return
            done, ids = done + len(ids), [token]

    def logits(self, ids: list[int], past, done: int):
        """Logits of the token after `ids`; `past` (layers, 2, heads, length, width) holds `done` keys and values."""
        import numpy as np

        size, end = len(ids), done + len(ids)
        mask = np.triu(np.full((size, end), -np.inf, np.float32), done + 1)
        x = self._embedding[ids]
        for layer, (keys, values) in zip(self._layers, past, strict=True):
            y = self._rms(x, layer["input_layernorm"]) @ layer["qkv"].T + layer["qkv_bias"]
            y = y.reshape(size, -1, self._width).transpose(1, 0, 2)  # (heads, size, width)
            q, k, v = np.split(y, [self._heads, self._heads + self._kv_heads])
            keys[:, done:end], values[:, done:end] = self._rotate(k, done, end), v
            shared = self._heads // self._kv_heads
            k, v = (np.repeat(a[:, :end], shared, 0) if shared > 1 else a[:, :end] for a in (keys, values))
            scores = self._rotate(q, done, end) @ k.transpose(0, 2, 1) / np.float32(self._width**0.5) + mask
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            y = scores / scores.sum(-1, keepdims=True) @ v
            x = x + y.transpose(1, 0, 2).reshape(size, -1) @ layer["self_attn.o_proj"].T
            gate, up = np.split(self._rms(x, layer["post_attention_layernorm"]) @ layer["gate_up"].T, 2, -1)
            x = x + (gate / (1 + np.exp(-gate)) * up) @ layer["mlp.down_proj"].T
        return self._rms(x[-1], self._norm) @ self._head.T

    def _rms(self, x, weight):
        import numpy as np

        return x / np.sqrt(np.mean(x * x, -1, keepdims=True) + np.float32(self._eps)) * weight

    def _rotate(self, x, begin: int, end: int):
        import numpy as np

        first, second = np.split(x, 2, -1)
        return x * self._cos[begin:end] + np.concatenate([-second, first], -1) * self._sin[begin:end]


def _token(entry) -> str:
    return (entry.get("content") if isinstance(entry, dict) else entry) or ""


def _weights(base: Path, adapter: Path | None) -> dict:
    """All weights in fp32, the adapter added in: W + alpha / r * B A (LoRA, arXiv 2106.09685)."""
    import numpy as np
    from safetensors.numpy import load_file

    weights = {name: w.astype(np.float32) for name, w in load_file(base / "model.safetensors").items()}
    if adapter:
        lora = load_file(adapter / "adapter_model.safetensors")
        config = read_json(adapter / "adapter_config.json")
        for name in [key for key in lora if key.endswith(".lora_A.weight")]:
            a, b = (lora[name.replace("lora_A", x)].astype(np.float32) for x in ("lora_A", "lora_B"))
            target = name.removeprefix("base_model.model.").replace(".lora_A", "")
            weights[target] += np.float32(config["lora_alpha"] / config["r"]) * (b @ a)
    return weights


def _layer(weights: dict, prefix: str) -> dict:
    """The weights of one layer by short names; what reads the same input is joined, one product instead of three."""
    import numpy as np

    names = [name for name in weights if name.startswith(prefix)]
    layer = {name.removeprefix(prefix).removesuffix(".weight"): weights[name] for name in names}
    attention = [f"self_attn.{x}_proj" for x in "qkv"]
    layer["qkv"] = np.concatenate([layer[name] for name in attention])
    layer["qkv_bias"] = np.concatenate([layer[f"{name}.bias"] for name in attention])
    layer["gate_up"] = np.concatenate([layer["mlp.gate_proj"], layer["mlp.up_proj"]])
    return layer
