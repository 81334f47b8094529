"""Replies are the same whatever runs the model; what is damaged is named; nothing is computed twice."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import generate
from helpers.artefacts import ROOT
from helpers.chat import parse_reply
from helpers.dialogue import KINDS
from helpers.errors import NoLlama, UserError
from helpers.scenarios import pairs, user

POCKET, ADAPTER = ROOT / "data_samples" / "pocket", ROOT / "data_samples" / "pocket-adapter"
HELD_OUT = [d for kind in KINDS for pair in pairs(kind, "test", 5, 0) for d in pair]
TURNS = [d.turns for d in HELD_OUT]


@pytest.fixture(scope="module")
def model():
    return generate.load(POCKET)


@pytest.fixture(scope="module")
def quick():
    return generate.load(POCKET, quick=True)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(POCKET, tmp_path / "copy"))


@pytest.mark.slow
def test_batched_replies_equal_those_of_generate_one_at_a_time(model):
    import torch

    alone = []
    for turns in TURNS:
        ids = torch.tensor([model.tokens(turns)])
        made = model.network.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=160, do_sample=False)
        made = made[0, ids.shape[1] :].tolist()
        alone.append(parse_reply(model.decode(made), finished=model.is_end(made[-1])))
    equal = sum(a == b for a, b in zip(alone, model.replies(TURNS), strict=True))
    assert equal >= 0.99 * len(TURNS)


def test_replies_keep_the_order_of_their_prompts_and_report_progress(model):
    seen = []
    forward = model.replies(TURNS[:6], progress=lambda done, total: seen.append((done, total)))
    assert model.replies(TURNS[5::-1]) == forward[::-1]
    assert seen == [(i, 6) for i in range(1, 7)]


def test_numpy_computes_the_logits_of_transformers(model, quick):
    import numpy as np
    import torch

    ids = model.tokens(TURNS[0])
    past = np.empty((len(quick._layers), 2, quick._kv_heads, len(ids), quick._width), np.float32)
    with torch.inference_mode():
        expected = model.network(torch.tensor([ids])).logits[0, -1].numpy()
    assert quick.tokens(TURNS[0]) == ids
    assert np.abs(quick.logits(ids, past, 0) - expected).max() < 1e-3


@pytest.mark.slow
def test_an_adapter_in_numpy_answers_as_the_one_that_peft_merged():
    merged, by_hand = generate.load(ADAPTER), generate.load(ADAPTER, quick=True)
    assert (merged.engine, by_hand.engine) == ("transformers", "numpy")
    assert by_hand.replies(TURNS) == merged.replies(TURNS)


def test_pieces_of_a_stream_join_into_the_reply(model, quick):
    for one in (model, quick):
        text = "".join(one.stream(TURNS[0]))
        assert text.startswith("<think>\n")
        assert parse_reply(text) == one.replies(TURNS[:1])[0]


def test_a_reply_that_was_cut_off_says_so(model, quick):
    for one in (model, quick):
        assert not one.replies(TURNS[:2], max_new_tokens=3)[0].complete
        assert one.replies(TURNS[:1])[0].complete


def test_differently_composed_characters_give_the_same_tokens(quick):
    assert quick.tokens([user("S\u00e3o?")]) == quick.tokens([user("Sa\u0303o?")])


def test_half_a_character_from_a_terminal_is_no_crash(quick):
    assert quick.tokens([user("What is \udcff?")])


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_prompt_is_refused_in_one_line(quick, text):
    with pytest.raises(UserError, match="prompt is empty"):
        quick.replies([[user(text)]])


def test_a_prompt_longer_than_the_context_is_refused_with_both_lengths(quick):
    with pytest.raises(UserError, match=rf"\d+ tokens long, .* fewer than {quick.context}"):
        quick.replies([[user("Oslo " * 2000)]])


def test_a_prompt_that_almost_fills_the_context_gets_what_room_is_left(model, quick):
    room = quick.context - len(quick.tokens([user("?")]))
    prompt = [user("? " * (room // 2 - 2) + "?")]
    left = quick.context - len(quick.tokens(prompt))
    assert 0 < left < 20
    for one in (model, quick):
        made = dict(one.completions([one.tokens(prompt)], 160))[0]
        assert len(made) == left or one.is_end(made[-1])


@pytest.mark.parametrize("name", ["runs/nowhere", "./model", "missing.gguf", "data_samples/pockett"])
def test_a_model_that_is_not_there_is_named(name):
    with pytest.raises(UserError, match=f"{name} is missing"):
        generate.load(name)


def test_truncated_weights_are_named_with_both_sizes(copy):
    weights = copy / "model.safetensors"
    size = weights.stat().st_size
    weights.write_bytes(weights.read_bytes()[: size // 2])
    with pytest.raises(UserError, match=rf"model.safetensors is damaged: it is {size // 2} bytes .* speaks of {size}"):
        generate.load(copy)


@pytest.mark.parametrize("damaged", [b"", b"\x05", b"\xff" * 64])
def test_weights_without_a_header_are_named(copy, damaged):
    (copy / "model.safetensors").write_bytes(damaged)
    with pytest.raises(UserError, match=r"model\.safetensors is damaged"):
        generate.load(copy)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_a_half_written_json_file_is_named(copy, name):
    (copy / name).write_text((copy / name).read_text(encoding="utf-8")[:100], encoding="utf-8")
    with pytest.raises(UserError, match=f"{name} is damaged"):
        generate.load(copy, quick=True)


@pytest.mark.parametrize(("name", "said"), [("tokenizer.json", "no tokenizer"), ("model.safetensors", "no weights")])
def test_a_missing_file_is_named(copy, name, said):
    (copy / name).unlink()
    with pytest.raises(UserError, match=said):
        generate.load(copy)


def test_a_damaged_gguf_file_is_named(tmp_path):
    (tmp_path / "m.gguf").write_bytes(b"no model")
    with pytest.raises(UserError, match=r"m\.gguf is damaged|llama-cpp-python cannot be imported"):
        generate.load(tmp_path / "m.gguf")


def test_an_adapter_whose_base_has_another_machines_path_finds_it_here(tmp_path):
    for named in (r"C:\course\data_samples\pocket", "/home/somebody/course/data_samples/pocket", "data_samples/pocket"):
        (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": named}), encoding="utf-8")
        base, adapter = generate.parts(tmp_path)
        assert (base.resolve(), adapter) == (POCKET, tmp_path)


def test_an_adapter_without_its_base_is_named(tmp_path):
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "some/base"}', encoding="utf-8")
    (tmp_path / "adapter_model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    with pytest.raises(UserError, match="on some/base, cannot be loaded: "):
        generate.load(tmp_path)


@pytest.mark.slow
def test_an_adapter_of_another_base_is_refused(copy, tmp_path):
    config = json.loads((copy / "config.json").read_text(encoding="utf-8"))
    (copy / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 99}), encoding="utf-8")
    with pytest.raises(UserError, match="do not fit together"):
        generate.load(copy, quick=True)
    adapter = Path(shutil.copytree(ADAPTER, tmp_path / "adapter"))
    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = str(_narrow(tmp_path / "narrow"))
    (adapter / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    for quick in (True, False):
        with pytest.raises(UserError, match=r"fit together|cannot be loaded"):
            generate.load(adapter, quick=quick)


def _narrow(folder: Path) -> Path:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = json.loads((POCKET / "config.json").read_text(encoding="utf-8"))
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    Qwen2ForCausalLM(Qwen2Config(**{**config, "hidden_size": 64, **heads})).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(POCKET / name, folder / name)
    return folder


@pytest.mark.slow
def test_a_model_that_is_not_on_the_hub_is_one_line():
    with pytest.raises(UserError, match=r"^nobody/nowhere cannot be loaded: .+$"):
        generate.load("nobody/nowhere")


def test_replies_in_a_file_are_not_computed_again(quick, tmp_path, monkeypatch):
    first = generate.replies_file(quick, HELD_OUT[:4], tmp_path / "r.jsonl")
    monkeypatch.setattr(quick, "greedy", None)  # any further work would fail
    progress = []
    again = generate.replies_file(quick, HELD_OUT[3::-1], tmp_path / "r.jsonl", progress=lambda *p: progress.append(p))
    assert again == first[::-1]
    assert progress == [(4, 4)]


def test_a_half_written_last_line_is_made_again(quick, tmp_path):
    path = tmp_path / "r.jsonl"
    whole = generate.replies_file(quick, HELD_OUT[:3], path)
    text = path.read_text(encoding="utf-8")
    path.write_text(text[:-20], encoding="utf-8", newline="\n")
    assert generate.replies_file(quick, HELD_OUT[:3], path) == whole
    assert path.read_text(encoding="utf-8") == text


def test_a_broken_line_in_the_middle_is_named_and_nothing_is_lost(quick, tmp_path):
    path = tmp_path / "r.jsonl"
    generate.replies_file(quick, HELD_OUT[:3], path)
    lines = path.read_text(encoding="utf-8").splitlines()
    broken = "\n".join([lines[0], lines[1][:30], lines[2], ""])
    path.write_text(broken, encoding="utf-8", newline="\n")
    with pytest.raises(UserError, match=r"r\.jsonl, line 2: not a reply"):
        generate.replies_file(quick, HELD_OUT[:3], path)
    assert path.read_text(encoding="utf-8") == broken


@pytest.mark.parametrize(
    "change",
    [{"thinking": None}, {"answer": 3}, {"complete": "no"}, {"key": ["k"]}],
    ids=lambda change: next(iter(change)),
)
def test_a_saved_reply_whose_field_is_of_another_type_is_none(change, quick, tmp_path):
    path = tmp_path / "r.jsonl"
    generate.replies_file(quick, HELD_OUT[:1], path)
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | change) + "\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"r\.jsonl, line 1: not a reply"):
        generate.replies_file(quick, HELD_OUT[:1], path)


def test_a_reply_is_as_long_beside_a_prompt_that_almost_fills_the_context(model):
    room = model.context - len(model.tokens([user("?")]))
    prompts = [model.tokens([user(text)]) for text in ("What is the capital of Sweden?", "? " * (room // 2 - 2) + "?")]
    assert 0 < model.context - len(prompts[1]) < 20
    made = dict(model.completions(prompts, 160))
    assert made[0] == dict(model.completions(prompts[:1], 160))[0]
    assert len(made[1]) <= model.context - len(prompts[1])


def test_replies_of_a_model_that_was_trained_again_are_not_taken(quick, copy, tmp_path):
    from safetensors.numpy import load_file, save_file

    weights = load_file(copy / "model.safetensors")
    weights["model.norm.weight"][:] *= -1
    save_file(weights, copy / "model.safetensors", {"format": "pt"})
    path = tmp_path / "r.jsonl"
    before = generate.replies_file(quick, HELD_OUT[:1], path)
    after = generate.replies_file(generate.load(copy, quick=True), HELD_OUT[:1], path, 8)
    assert before != after
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a limit on file size is set the POSIX way")
def test_a_full_disk_is_said_and_what_was_written_is_kept(tmp_path):
    script = """
import resource, signal, sys
from pathlib import Path
from helpers import generate
from helpers.errors import NoLlama, UserError
from tests.test_generate import HELD_OUT, POCKET
model = generate.load(POCKET, quick=True)
path = Path(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
try:
    generate.replies_file(model, HELD_OUT, path)
except UserError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
kept = path.read_bytes()
assert len(generate.replies_file(model, HELD_OUT, path)) == len(HELD_OUT)
assert path.read_bytes().startswith(kept[: kept.rfind(b"\\n") + 1]) and kept.count(b"\\n") > 1
"""
    child = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "r.jsonl")], cwd=ROOT, capture_output=True, text=True
    )
    assert child.returncode == 0, child.stderr
    assert "cannot write" in child.stdout


@pytest.mark.slow
def test_a_killed_step_goes_on_where_it_stopped(quick, tmp_path):
    path = tmp_path / "r.jsonl"
    script = (
        "import sys; from pathlib import Path; from helpers import generate; "
        "from tests.test_generate import HELD_OUT, POCKET; "
        "generate.replies_file(generate.load(POCKET, quick=True), HELD_OUT, Path(sys.argv[1]))"
    )
    child = subprocess.Popen([sys.executable, "-c", script, str(path)], cwd=ROOT)
    while child.poll() is None and (not path.exists() or path.read_bytes().count(b"\n") < 3):
        pass
    child.kill()
    child.wait()
    kept = path.read_bytes()
    generate.replies_file(quick, HELD_OUT, path)
    assert path.read_bytes().startswith(kept[: kept.rfind(b"\n") + 1])
    assert path.read_bytes().count(b"\n") == len(HELD_OUT)


def test_where_llama_cpp_fails_smollm2_answers_in_transformers(monkeypatch, tmp_path):
    def fails(path):
        raise NoLlama("llama.cpp failed at its first decode on this machine.")

    monkeypatch.setattr(generate, "_decodable", fails)
    monkeypatch.setattr(generate.smollm2, "gguf_file", lambda: tmp_path / "m.gguf")
    monkeypatch.setattr(generate.smollm2, "folder", lambda: tmp_path)
    monkeypatch.setattr(generate, "Transformers", lambda *made: made)
    name, source, adapter, _ = generate.load("smollm2")
    assert (name, source, adapter) == ("smollm2", str(tmp_path), None)


def test_a_file_that_llama_cpp_cannot_read_is_no_fault_of_llama_cpp(tmp_path):
    pytest.importorskip("llama_cpp", exc_type=ImportError)
    (tmp_path / "m.gguf").write_bytes(b"no model")
    with pytest.raises(UserError, match="is damaged") as caught:
        generate.load(tmp_path / "m.gguf")
    assert not isinstance(caught.value, NoLlama)
