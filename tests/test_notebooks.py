"""What the five notebooks promise on paper: their shape, their prose, and what is stored in them.

That they run is tested by nbval, which executes them all: `python -m pytest --nbval-lax notebooks`.
"""

import json
import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest

from helpers.scale import ROOT

FOLDER = ROOT / "notebooks"
NAMES = ("01_friction", "02_dataset", "03_finetune", "04_evaluate", "05_export")
SETUP = """\
# Setup. In Colab this fetches the course and installs what is missing (3 minutes); elsewhere it only finds it.
import pathlib, sys
COURSE = "<the address of your copy of this repository>"
if "google.colab" in sys.modules and not pathlib.Path("course").exists():
    assert "<" not in COURSE, "Write the address of your copy of this repository into COURSE, two lines above."
    !git clone --quiet --depth 1 "{COURSE}" course
sys.path[:0] = [str(p.resolve()) for p in map(pathlib.Path, ("course", "..", ".")) if (p / "helpers").is_dir()]
from helpers import install; install.here()"""
# A folder of whoever ran it: under a home, a root of Unix that is not part of a sentence, or a drive of Windows.
PLACE = re.compile(r"(?<![\w.~])/(?:home|Users|root|tmp|work|mnt|opt|usr|var|content|private)/\S|\b[A-Z]:\\\w")

each = pytest.mark.parametrize("name", NAMES)


@cache
def cells(name: str) -> list[dict]:
    return json.loads((FOLDER / f"{name}.ipynb").read_text("utf-8"))["cells"]


def source(cell: dict) -> str:
    return "".join(cell["source"])


def code(name: str) -> list[dict]:
    return [cell for cell in cells(name) if cell["cell_type"] == "code"]


def lines(cell: dict) -> int:
    """Lines of code; marks of nbval and of IPython, comments and blank lines are none."""
    return sum(bool(line.strip()) and not line.startswith(("#", "%%")) for line in source(cell).splitlines())


def stored(name: str) -> str:
    """All that is shown of the stored run; pictures in words only."""
    shown = []
    for output in (output for cell in code(name) for output in cell["outputs"]):
        texts = {"text": output.get("text", ""), **output.get("data", {})}
        shown += ["".join(text) for kind, text in texts.items() if not kind.startswith("image/")]
    return "\n".join(shown)


def test_there_are_five_and_nothing_else_lies_beside_them():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == sorted(NAMES)


@each
def test_the_first_code_cell_is_the_setup(name):
    assert source(code(name)[0]) == SETUP


@each
def test_it_begins_with_a_title_and_how_long_it_takes(name):
    first = cells(name)[0]
    assert first["cell_type"] == "markdown"
    assert source(first).startswith(f"# {int(name[:2])} ")
    assert "Takes" in source(first)


@each
def test_no_cell_is_longer_than_a_screen(name):
    assert {source(cell): lines(cell) for cell in code(name) if lines(cell) > 12} == {}
    assert [line for cell in code(name) for line in source(cell).splitlines() if len(line) > 120] == []


def test_half_of_all_cells_have_four_lines_or_fewer():
    assert median(lines(cell) for name in NAMES for cell in code(name)) <= 4


@each
def test_each_code_cell_has_prose_above_it(name):
    assert [
        source(after) for before, after in pairwise(cells(name)) if after["cell_type"] == before["cell_type"] == "code"
    ] == []


@each
def test_it_ends_with_a_checkpoint_that_asserts_and_says_so_in_words(name):
    assert source(cells(name)[-2]) == "## Checkpoint"
    assert "assert " in source(cells(name)[-1])
    assert "It worked" in "".join(code(name)[-1]["outputs"][0]["text"])


@each
def test_helpers_keep_the_functions_and_nothing_is_switched_off(name):
    text = "\n".join(map(source, code(name)))
    assert re.findall(r"^\s*(?:def|class|if False|if 0)\b.*", text, re.MULTILINE) == []


@each
def test_no_cell_needs_a_gpu(name):
    text = "\n".join(map(source, code(name)))
    assert re.findall(r"""\.cuda\(\)|to\(["']cuda|torch\.cuda\.(?!is_available)\w+""", text) == []


def test_the_fine_tune_writes_the_calls_of_unsloth_itself():
    text = "\n".join(map(source, code("03_finetune")))
    calls = ("FastLanguageModel.from_pretrained(", "FastLanguageModel.get_peft_model(", "SFTTrainer(", "SFTConfig(",
             "train_on_responses_only(", "load_in_4bit=")  # fmt: skip
    assert [call for call in calls if call not in text] == []


@each
def test_outputs_are_those_of_one_run_from_top_to_bottom(name):
    assert [cell["execution_count"] for cell in code(name)] == list(range(1, len(code(name)) + 1))


@each
def test_the_stored_run_has_neither_errors_nor_warnings(name):
    kinds = [(o["output_type"], o.get("name")) for cell in code(name) for o in cell["outputs"]]
    assert [kind for kind in kinds if kind[0] == "error" or kind[1] == "stderr"] == []
    assert re.findall(r"\w*(?:Warning|Traceback).*", stored(name)) == []


@each
def test_no_place_of_a_machine_is_stored(name):
    text = stored(name)
    assert PLACE.findall(text) == []
    assert not any(str(place) in text for place in (ROOT, Path.home()) if len(place.parts) > 2)


@each
def test_what_is_compared_on_every_machine_has_an_output(name):
    marked = [cell for cell in code(name) if "NBVAL_CHECK_OUTPUT" in source(cell)]
    assert all(cell["outputs"] for cell in marked)


def test_a_place_of_a_machine_is_recognised():
    for text in ("in /home/ann/course", "at /tmp/x1", r"C:\Users\ann", "Ready: Python in /opt/conda"):
        assert PLACE.search(text)
    for text in ("runs/pocket/adapter", "and/or", "unsloth_zoo/cpu/trainer.py", "</td></tr>", "H: 3/4"):
        assert not PLACE.search(text)
