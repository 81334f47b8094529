"""The attention for replies; what transformers says in batches is tested in `test_generate`."""

import torch
import transformers.integrations.sdpa_attention as plain
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

from helpers import engines


def test_heads_that_share_keys_attend_as_in_plain_attention_and_copy_none(monkeypatch):
    torch.manual_seed(0)
    sizes = {"hidden_size": 48, "intermediate_size": 32, "num_hidden_layers": 2, "vocab_size": 50}
    config = LlamaConfig(**sizes, num_attention_heads=6, num_key_value_heads=2)
    network, ids = LlamaForCausalLM(config).eval(), torch.randint(3, 50, (3, 9))
    mask = torch.ones_like(ids)
    mask[1, :4] = 0

    def logits(attention: str) -> torch.Tensor:
        network.set_attn_implementation(attention)
        past = DynamicCache(config=config)
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        with torch.inference_mode(), monkeypatch.context() as patch:
            network(ids[:, :-1], attention_mask=mask[:, :-1], position_ids=positions[:, :-1], past_key_values=past)
            step = {"attention_mask": mask, "position_ids": positions[:, -1:], "past_key_values": past}
            patch.setattr(plain, "repeat_kv", lambda keys, count: copied.append(count) or original(keys, count))
            return network(ids[:, -1:], **step).logits

    copied, original = [], plain.repeat_kv
    found = logits(engines.shared_key_attention())
    assert not copied
    assert torch.allclose(found, logits("sdpa"), atol=1e-5)
    assert copied
