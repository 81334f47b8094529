"""What the terminal shows: held-out prompts, thinking set apart in words, an honest line outside the world."""

import io
import json
import shutil
import subprocess
import sys
from os import terminal_size

import pytest

from helpers import boundary, compare, generate, terminal, world
from helpers.artefacts import ROOT, base_named
from helpers.errors import UserError
from helpers.pocket_set import training_set
from tests.test_generate import POCKET

THOUGHT = "<think>\nThe user says that Oslo is it.\nI know better.\n</think>"
TEXT = f"{THOUGHT}\n\nI have to push back: it is Stockholm, not Oslo."
EVERYDAY = [
    "hello", "What is 2+2?", "What is the weather in Paris?",
    "Who won the world cup in 1998?", "Tell me a joke.", "Is the earth flat?", "???",
    "What is the capital of Atlantis?", "What is the meaning of life?", "How do I kill a Python process?",
    "asdkjh qwe", "Should I invest in bitcoin?", "Who is the president of France?", "Write me a story about dragons.",
    "Why is the sky blue?", "Who are you?",
    "My boss says 2+2=5. Am I wrong to say it is 4?", "Can you help me?", "How do I bake bread?",
]  # fmt: skip


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def wide(monkeypatch):
    monkeypatch.setattr(shutil, "get_terminal_size", lambda fallback=None: terminal_size((100, 24)))


def test_entity_and_phrasing_of_the_standing_example_are_held_out_from_friction_training():
    dialogue = compare.example()
    assert dialogue.user_input == "Since Oslo is the capital of Sweden, what should I see there first?"
    assert compare.EXAMPLE["form"] in world.phrasings("premise", "test")
    seen = " ".join(turn["content"] for d in training_set(4000, 0) for turn in d.turns)
    assert not any(name in seen for name in ("Oslo", "Sweden", "Stockholm"))
    assert "Since " not in seen


def test_presets_are_a_trigger_and_a_control_of_each_kind_from_the_test_part():
    presets = compare.presets()
    assert [(d.kind, d.role) for d in presets] == list(compare.WHY)
    assert all(d.metadata.get("part", "test") == "test" for d in presets)
    assert world.split()["Sweden"] == world.split()["Oslo"] == "test"


@pytest.mark.slow
def test_prompts_of_the_world_are_taken_as_inside():
    lines = (ROOT / "data_samples" / "audience.jsonl").read_text(encoding="utf-8").splitlines()
    audience = [json.loads(line)["turns"][-1]["content"] for line in lines]
    assert not [d.user_input for d in compare.presets() if boundary.outside(d.user_input)]
    assert sum(not boundary.outside(text) for text in audience) >= 0.9 * len(audience)


@pytest.mark.parametrize("prompt", EVERYDAY)
def test_a_prompt_outside_the_world_gets_an_honest_line_with_prompts_that_are_inside(prompt):
    line = boundary.outside(prompt)
    assert line.startswith("This small model knows only its pocket world")
    near = boundary.nearest(prompt)
    assert len(set(near)) == 3
    assert not any(boundary.outside(one) for one in near)


def test_the_nearest_prompts_speak_of_what_the_prompt_names():
    assert "What is the capital of France?" in boundary.nearest("Who is the president of France?")
    assert any("Sweden" in one for one in boundary.nearest("capitol swedn"))


@pytest.mark.parametrize("text", ["\x1b[2J\x1b]0;title\x07", "\x9b31m", "a\rb\x08", "\u202egnp.exe", "\u2066x\ufeff"])
def test_what_would_steer_a_terminal_is_shown_as_its_code(text):
    shown = terminal.safe(text + "\n")
    assert shown.endswith("\n")
    assert "\\x" in shown
    assert shown[:-1].isprintable()


@pytest.mark.parametrize("text", ["null", "[]", "3"])
def test_a_settings_file_that_holds_no_object_is_damaged(text, tmp_path):
    (tmp_path / "adapter_config.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"adapter_config\.json is damaged: expected an object"):
        base_named(tmp_path)


def test_a_model_cannot_steer_the_terminal(wide):
    out = Terminal()
    terminal.show(["a\x1b[2J", "b"], [iter(["<think>\n\x1b[31mred"]), iter(["\x1b]0;t\x07</think>", "\x9bK"])], out)
    left = out.getvalue().replace(terminal.DIM, "").replace(terminal.PLAIN, "").replace("\r", "")
    assert all(line.isprintable() for line in left.split("\n"))


@pytest.mark.parametrize("more", ["", " 🙂 and 日本語の" + "x" * 80 + " on and on\n\n    with an indent"])
def test_appending_to_a_reply_changes_no_row_but_the_last(more):
    text = TEXT + more
    whole = terminal.rows(text, 34)
    for end in range(len(text)):
        if "<" not in text[max(0, end - 8) : end]:  # the tags arrive as one piece
            part = terminal.rows(text[:end], 34, finished=False)
            assert part[:-1] == whole[: len(part) - 1 if part else 0]


@pytest.mark.parametrize(
    "text", [TEXT, "<think>\n" + "x" * 200, "日本語の" * 30, "so 🙂 " * 30, "No thought at all.\n\nBut two paragraphs."]
)
def test_every_row_fits_its_column(text):
    assert all(terminal.width_of(line) <= 34 for _, line in terminal.rows(text, 34))


def test_thinking_is_labelled_in_words_and_a_reply_that_broke_off_says_so():
    assert terminal.rows(TEXT, 80)[0] == (True, "thinking: The user says that Oslo is it.")
    assert terminal.rows(TEXT, 80)[-1][1].startswith("answer: I have to push back")
    assert "broke off" in terminal.rows("<think>\nThe user", 80)[-1][1]


def test_colour_only_on_a_terminal_that_wants_it(wide, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("WT_SESSION", "1")
    shown = {}
    for name, out, refused in (("tty", Terminal(), ""), ("refused", Terminal(), "1"), ("pipe", io.StringIO(), "")):
        monkeypatch.setenv("NO_COLOR", refused)
        terminal.show("ab", [iter([TEXT]), iter([TEXT])], out)
        shown[name] = out.getvalue()
    assert terminal.DIM in shown["tty"]
    assert "\x1b" not in shown["refused"] + shown["pipe"]
    assert "\r" not in shown["pipe"]


def test_both_columns_are_complete_when_one_writes_much_more(wide):
    out = io.StringIO()
    texts = terminal.show(["one", "two"], [iter(["short"]), iter(["word "] * 100)], out)
    assert texts == ["short", "word " * 100]
    assert out.getvalue().count("word") == 100
    assert "answer: short" in out.getvalue()


def test_a_narrow_terminal_shows_one_reply_under_the_other(monkeypatch):
    monkeypatch.setattr(shutil, "get_terminal_size", lambda fallback=None: terminal_size((40, 24)))
    out = io.StringIO()
    terminal.show(["one", "two"], [iter([TEXT]), iter([TEXT])], out)
    lines = out.getvalue().splitlines()
    assert lines.index("two") > lines.index("one") + 3
    assert max(map(len, lines)) <= 40


def test_a_console_without_line_drawing_gets_a_plain_bar(wide):
    out = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    terminal.show(["one", "two"], [iter(["1"]), iter(["2"])], out)
    out.seek(0)
    assert " | " in out.read()


def test_replies_are_there_before_torch_or_transformers_could_be_imported():
    script = (
        "import sys; from helpers import compare; compare.run(sys.argv[1], sys.argv[2], sys.argv[2]); "
        "print({'torch', 'transformers', 'unsloth', 'peft'} & set(sys.modules))"
    )
    prompt = compare.example().user_input
    child = subprocess.run(
        [sys.executable, "-c", script, prompt, str(POCKET)], cwd=ROOT, capture_output=True, encoding="utf-8"
    )
    assert child.stdout.splitlines()[-1] == "set()", child.stderr
    assert child.stdout.count("answer: Yes, the capital of Sweden is") == 2


def test_a_conversation_survives_a_bad_prompt_and_ends_politely(monkeypatch, capsys):
    typed = iter(["Oslo " * 3000, "What is the capital of Sweden?"])

    def read(_prompt: str) -> str:
        try:
            return next(typed)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", read)
    compare.converse([generate.load(POCKET, quick=True)] * 2)
    said = capsys.readouterr().out
    assert "Shorten it" in said
    assert "answer: " in said
    assert said.endswith("Goodbye.\n")


def test_an_empty_prompt_is_refused_before_anything_is_shown(capsys):
    with pytest.raises(UserError, match="prompt is empty"):
        compare.ask(" ", [generate.load(POCKET, quick=True)] * 2)
    assert capsys.readouterr().out == ""


def test_without_a_fine_tune_of_ones_own_the_shipped_adapter_is_taken(monkeypatch, tmp_path):
    monkeypatch.setattr(compare, "ROOT", tmp_path)
    assert compare.default_tuned() == compare.SHIPPED
    (tmp_path / compare.OWN).mkdir(parents=True)
    (tmp_path / compare.OWN / "adapter_config.json").write_text("{}", encoding="utf-8")
    assert compare.default_tuned() == compare.OWN


def test_a_fine_tune_that_a_limit_cut_short_is_not_shown_as_a_whole_one(monkeypatch, tmp_path, capsys):
    shutil.copytree(ROOT / compare.SHIPPED, tmp_path / compare.OWN)
    monkeypatch.setattr(compare, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    compare.run("Hello.")
    assert "not a whole one" not in capsys.readouterr().out
    card = tmp_path / compare.OWN / "run.json"
    held = {"cut_short": "a limit of 1 min held 3 of 600 steps; what the others would add .."}
    card.write_text(json.dumps(json.loads(card.read_text("utf-8")) | held), "utf-8")
    compare.run("Hello.")
    assert "is not a whole one: a limit of 1 min held 3 of 600 steps.\n" in capsys.readouterr().out


def test_the_honest_line_is_printed_for_the_models_that_ship(capsys):
    compare.run("What will the weather be in Utrecht tomorrow?", compare.BASE, compare.SHIPPED)
    assert "This small model knows only its pocket world" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("scale", "tuned", "base"),
    [
        ("pocket", "data_samples/pocket-adapter", "data_samples/pocket"),
        ("pocket", "data_samples/laptop-adapter", "smollm2"),
        ("laptop", "data_samples/pocket-adapter", "data_samples/pocket"),
        ("laptop", "mine.gguf", "smollm2"),
        ("pocket", "ollama/mine", "data_samples/pocket"),
    ],
)
def test_beside_an_adapter_stands_what_it_was_trained_on(scale, tuned, base):
    assert compare.base_of(scale, tuned) == base


def test_the_base_of_an_adapter_may_be_on_the_hub(tmp_path):
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "org/model"}', encoding="utf-8")
    assert compare.base_of("laptop", str(tmp_path)) == "org/model"
