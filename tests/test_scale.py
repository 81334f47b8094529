import os
import subprocess
import sys
from dataclasses import FrozenInstanceError

import pytest

from helpers.errors import UserError
from helpers.scale import ROOT, SCALES, VARIABLE, choose_scale, public_name, run_dir


def test_a_name_is_taken_and_the_reason_says_so(monkeypatch):
    monkeypatch.setenv(VARIABLE, "studio")
    scale, reason = choose_scale("pocket")
    assert (scale.name, reason) == ("pocket", "asked for by name")


def test_the_environment_variable_overrides_what_the_machine_has(monkeypatch):
    monkeypatch.setenv(VARIABLE, "studio")
    scale, reason = choose_scale()
    assert scale.name == "studio"
    assert VARIABLE in reason


def test_the_environment_variable_is_what_a_command_takes_that_names_no_scale():
    code = "from helpers import __main__ as cli; print(cli.parser().parse_args(['finetune']).scale)"
    environment = os.environ | {VARIABLE: "laptop"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "laptop"


@pytest.mark.parametrize("by_variable", [False, True])
def test_an_unknown_scale_is_refused_with_the_names_that_exist(monkeypatch, by_variable):
    monkeypatch.setenv(VARIABLE, "huge" if by_variable else "")
    with pytest.raises(UserError, match=r"huge.*pocket, laptop, colab, studio"):
        choose_scale(None if by_variable else "huge")


def test_without_a_driver_the_choice_is_pocket_and_costs_no_torch():
    code = (
        "import os, shutil, sys, pathlib; shutil.which = lambda name: None; pathlib.Path.exists = lambda self: False\n"
        f"os.environ.pop('{VARIABLE}', None)\n"
        "from helpers.scale import choose_scale\n"
        "scale, reason = choose_scale(); print(scale.name, 'driver' in reason, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["pocket", "True", "False"]


@pytest.mark.parametrize(
    ("memory", "bf16", "expected"),
    [(24, True, "studio"), (24, False, "colab"), (15, False, "colab"), (8, True, "pocket")],
)
def test_the_gpu_decides_by_memory_and_bfloat16(monkeypatch, memory, bf16, expected):
    torch = pytest.importorskip("torch")
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    gpu = type("Gpu", (), {"name": "a card", "total_memory": memory * 2**30})
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: gpu)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bf16)
    scale, reason = choose_scale()
    assert scale.name == expected
    assert f"{memory} GB" in reason


def test_each_scale_has_its_own_folder_under_runs():
    folders = [run_dir(scale) for scale in SCALES.values()]
    assert len(set(folders)) == len(SCALES)
    assert all(folder.parent.name == "runs" for folder in folders)


def test_the_studio_recipe_is_that_of_the_talk():
    studio = SCALES["studio"]
    assert (studio.rank, studio.alpha, studio.lr, studio.batch * studio.grad_accum) == (32, 64, 2e-4, 8)
    assert (studio.epochs, studio.patience, studio.threshold, studio.max_seq_length) == (7, 3, 0.005, 4096)


def test_a_scale_cannot_be_changed_in_place():
    with pytest.raises(FrozenInstanceError):
        SCALES["pocket"].rank = 1


def test_names_of_models_and_files_leave_out_where_this_machine_keeps_them(tmp_path):
    assert public_name(str(ROOT / "runs" / "pocket" / "adapter")) == "runs/pocket/adapter"
    assert public_name("org/model") == "org/model"
    assert public_name(str(tmp_path / "mine.jsonl")) == "mine.jsonl"
