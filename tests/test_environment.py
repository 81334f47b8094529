"""Which Python runs, and the way into .venv: other systems by substitution, what is broken for real."""

import os
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest
from clone import finish, start

from helpers import environment
from helpers.environment import ROOT
from helpers.errors import UserError


@pytest.fixture
def windows(monkeypatch):
    def execv(*_):
        raise AssertionError("execv on Windows loses the exit status")

    monkeypatch.setattr(environment, "os", types.SimpleNamespace(name="nt", environ=os.environ, execv=execv))


def test_on_windows_the_python_is_in_scripts(windows):
    assert environment.python_in(Path("v")) == Path("v", "Scripts", "python.exe")


def test_on_windows_the_exit_status_comes_through_a_child(windows):
    with pytest.raises(SystemExit) as end:
        environment.enter(Path(sys.executable), ["-c", "raise SystemExit(7)"])
    assert end.value.code == 7


@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
def test_ctrl_c_is_for_the_child_and_its_status_is_ours():
    child = "import time\ntry: print('ready', flush=True); time.sleep(9)\nexcept KeyboardInterrupt: raise SystemExit(5)"
    parent = (
        f"import sys; from helpers.environment import through; sys.exit(through([sys.executable, '-c', {child!r}]))"
    )
    process = start([sys.executable, "-c", parent], ROOT)
    assert process.stdout.readline().strip() == "ready"
    time.sleep(0.2)  # let the parent reach its wait
    os.killpg(process.pid, signal.SIGINT)
    assert finish(process)[0] == 5


def test_a_missing_venv_module_is_said_in_one_line(tmp_path, monkeypatch):
    (tmp_path / "venv.py").write_text("raise SystemExit('No module named venv')", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match=r"No module named venv.*python3-venv"):
        environment.make_venv(tmp_path / ".venv")
    assert not (tmp_path / ".venv").exists()


def test_an_unsupported_python_is_said_with_what_to_do(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match=r"3\.11, 3\.12 or 3\.13"):
        environment.supported_python()


@pytest.mark.parametrize("missing", ["pyvenv.cfg", "python", "home", "pip"])
def test_a_venv_that_is_not_whole_is_seen(tmp_path, missing):
    venv = tmp_path / "v"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    config = venv / "pyvenv.cfg"
    if missing == "pyvenv.cfg":
        config.unlink()
    elif missing == "python":
        environment.python_in(venv).unlink()
    elif missing == "home":
        config.write_text(f"home = {tmp_path / 'gone'}\n", "utf-8")
    assert not environment.healthy(venv)
