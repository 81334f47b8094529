"""A model in transformers, batched: on the GPU where there is one, else on the CPU."""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from helpers.artefacts import identity as of_files
from helpers.errors import UserError
from helpers.model import MAX_CONTEXT, Model, one_template

MAX_ROWS = 128  # beyond that a batch is no faster on a CPU
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
            if network.config._attn_implementation == "sdpa":
                network.set_attn_implementation(shared_key_attention())
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            meant = f"{name}, on {source}," if adapter else name
            raise UserError(f"{meant} cannot be loaded: {str(error).strip().splitlines()[0]}") from error
        self.network = network.to(device).eval()
        settings = network.config
        self.name, self.template = name, one_template(name, self.tokenizer.chat_template)
        on_hub = f"{source}@{getattr(settings, '_commit_hash', '')}" + (f"+{of_files(adapter)}" if adapter else "")
        self.identity = identity or on_hub
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
            rooms = [min(limit, self.context - len(prompts[i])) for i in batch]
            made: list[list[int]] = [[] for _ in batch]
            for row, token in self._steps([prompts[i] for i in batch], max(rooms)):
                if len(made[row]) == rooms[row]:  # told already
                    continue
                made[row].append(token)
                if len(made[row]) == rooms[row] or self.is_end(token):
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


@cache
def shared_key_attention() -> str:
    """The name of an attention for replies: the heads that share keys ask together, so that no key is copied for each.

    In bfloat16 a batch of 24 replies of SmolLM2, where three heads share a key, took .75 of the CPU time.
    """
    from torch.nn.functional import scaled_dot_product_attention
    from transformers.integrations.sdpa_attention import sdpa_attention_forward
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, sdpa_mask
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    def shared(module, query, key, value, attention_mask, scaling=None, **rest):
        rows, heads, steps, width = query.shape
        if steps > 1 or heads == key.shape[1] or rest.get("position_bias") is not None:
            return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **rest)
        asked = query.view(rows, key.shape[1], heads // key.shape[1], width)
        found = scaled_dot_product_attention(asked, key, value, attn_mask=attention_mask, scale=scaling)
        return found.reshape(rows, 1, heads, value.shape[-1]), None

    name = "sdpa_shared_keys"
    ALL_ATTENTION_FUNCTIONS.register(name, shared)
    ALL_MASK_ATTENTION_FUNCTIONS.register(name, sdpa_mask)
    return name


def _merged(network, adapter: Path):
    """The adapter added into the weights: the same replies, without its extra work at each step."""
    import logging

    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # imported by PEFT; it deplores a missing GPU kernel
    from peft import PeftModel

    return PeftModel.from_pretrained(network, str(adapter)).merge_and_unload()
