"""The copy answers like the original, and no crash, full disk or damaged file gets past the export."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import export, generate, llama
from helpers.artefacts import ROOT
from helpers.errors import UserError
from helpers.scenarios import user
from tests.test_generate import ADAPTER, POCKET

pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed here", exc_type=ImportError)

AWKWARD = [
    "Since Oslo is the capital of Sweden, what should I see there first?",
    "don't  I'VE  3,141 naïve Sa\u0303o café",
    " leading, trailing \n\n\nlines\t and tabs ",
    "日本語 и русский 🙂👩‍🔬 \u200d",
    "<think></think> <｜User｜><｜end▁of▁sentence｜>",
    "a" * 300,
]


@pytest.fixture(scope="module")
def f16(tmp_path_factory) -> Path:
    return export.to_gguf(POCKET, tmp_path_factory.mktemp("gguf") / "model-f16.gguf")


@pytest.mark.slow
def test_the_f16_file_answers_like_transformers_on_held_out_prompts(f16):
    prompts = export.held_out_prompts(48)  # an export checks itself on all of them, in a slow test below
    replies, ids = export.same_replies(POCKET, f16, prompts)
    assert len(prompts) == 48
    assert ids == 1
    assert replies >= 0.97


def test_token_ids_of_awkward_text_are_those_of_transformers(f16):
    original, copy = generate.load(POCKET), generate.load(f16)
    for text in AWKWARD:
        assert copy.tokens([user(text)]) == original.tokens([user(text)])
        assert copy.prompt([user(text)]) == original.prompt([user(text)])


def test_a_decoded_reply_shows_its_thinking_tags_and_no_turn_marks(f16):
    model = generate.load(f16)
    assert model.decode(model.encode("<think>\nOslo 🙂</think><｜end▁of▁sentence｜>")) == "<think>\nOslo 🙂</think>"


@pytest.mark.slow
def test_the_whole_export_from_an_adapter_checks_itself(tmp_path):
    shutil.copytree(ADAPTER, tmp_path / "adapter")
    said = []
    made = export.export(tmp_path, said.append)
    assert made.prompts == 200
    assert made.equal_ids == 1
    assert made.equal_replies >= 0.99
    assert made.q8_0.stat().st_size < made.f16.stat().st_size
    assert len(said) == len(made.seconds) == 6
    assert generate.load(made.merged, quick=True).replies([[user("Hello.")]])


def test_q8_0_names_the_matrices_that_it_could_not_pack(tmp_path):
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = json.loads((POCKET / "config.json").read_text(encoding="utf-8"))
    config |= {"hidden_size": 48, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 3}
    config |= {"num_key_value_heads": 3, "layer_types": ["full_attention"]}
    folder = tmp_path / "odd"
    Qwen2ForCausalLM(Qwen2Config(**config)).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(POCKET / name, folder / name)
    _, kept = export.quantise(export.to_gguf(folder, tmp_path / "odd.gguf"), tmp_path / "odd-q8_0.gguf")
    assert "token_embd.weight" in kept  # rows of 48
    assert "blk.0.ffn_down.weight" not in kept  # rows of 64


def test_a_tokenizer_that_llama_cpp_would_cut_elsewhere_is_refused(tmp_path):
    folder = Path(shutil.copytree(POCKET, tmp_path / "other"))
    table = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    table["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = r"\s+"
    (folder / "tokenizer.json").write_text(json.dumps(table), encoding="utf-8")
    with pytest.raises(UserError, match="not Qwen2's pre-tokenizer"):
        export.to_gguf(folder, tmp_path / "m.gguf")
    assert not list(tmp_path.glob("m.gguf*"))


def test_a_gguf_file_cut_short_is_named(f16, tmp_path):
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(f16.read_bytes()[:-100_000])
    with pytest.raises(UserError, match=r"cut\.gguf is damaged or cut short"):
        generate.load(cut)


def test_a_damaged_source_leaves_the_old_quantised_file_as_it_was(f16, tmp_path):
    cut, old = tmp_path / "cut.gguf", tmp_path / "q.gguf"
    cut.write_bytes(f16.read_bytes()[:5000])
    old.write_bytes(b"old")
    with pytest.raises(UserError, match="cannot write"):
        export.quantise(cut, old)
    assert old.read_bytes() == b"old"
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a limit on file size is set the POSIX way")
def test_a_full_disk_leaves_the_old_file_as_it_was(tmp_path):
    (tmp_path / "m.gguf").write_bytes(b"old")
    script = """
import resource, signal, sys
from pathlib import Path
from helpers import export
from helpers.errors import UserError
from tests.test_generate import POCKET
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
try:
    export.to_gguf(POCKET, Path(sys.argv[1]))
except UserError as error:
    print(error)
"""
    child = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "m.gguf")], cwd=ROOT, capture_output=True, text=True
    )
    assert "m.gguf" in child.stdout, child.stderr
    assert "unchanged" in child.stdout
    assert [p.name for p in tmp_path.iterdir()] == ["m.gguf"]
    assert (tmp_path / "m.gguf").read_bytes() == b"old"


def test_a_first_decode_that_works_is_tried_once(f16, tmp_path, monkeypatch):
    notes = tmp_path / "notes.json"
    assert generate.first_decode_works(f16, notes) == ""
    monkeypatch.setattr(generate, "CHILD", "raise SystemExit('tried again')")
    assert generate.first_decode_works(f16, notes) == ""


def test_a_crash_in_native_code_ends_the_child_and_not_this_process(f16, tmp_path, monkeypatch):
    monkeypatch.setattr(generate, "CHILD", "import ctypes; ctypes.string_at(0)")
    reason = generate.first_decode_works(f16, tmp_path / "notes.json")
    assert "failed at its first decode" in reason
    assert not (tmp_path / "notes.json").exists()


def test_without_llama_cpp_one_line_says_what_to_do(f16, monkeypatch):
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    llama.llama_cpp.cache_clear()
    try:
        with pytest.raises(UserError, match="python -m helpers setup"):
            generate.load(f16)
    finally:
        llama.llama_cpp.cache_clear()


def test_a_missing_adapter_and_a_whole_model_are_told_apart(tmp_path):
    with pytest.raises(UserError, match="adapter is missing"):
        export.merge(tmp_path / "adapter", tmp_path / "out")
    with pytest.raises(UserError, match="a whole model, not an adapter"):
        export.merge(POCKET, tmp_path / "out")
