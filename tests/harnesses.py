"""What the tests of the standard harnesses stand on: their environment, the pocket GGUF, and a server of it.

Their pins conflict with the course's, so they go into an environment of their own, `.venv-harness`; it sees what is in
this one and adds what is missing or of another version. The first test that asks for it makes it, and again when
requirements.txt asks for something else.
"""

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

from helpers import environment, export
from helpers.environment import ROOT, requirements
from tests.test_generate import ADAPTER

VENV = ROOT / ".venv-harness"
STAMP = VENV / "made-for.txt"
NO_NETWORK = ("Retrying (", "No matching distribution found", "ConnectionError", "Read timed out")


def python() -> Path:
    """The interpreter that has both harnesses; without a network the test is skipped, and says so."""
    wanted = [str(r) for r in requirements() if r.group == "harness"]
    here = "\n".join([sysconfig.get_path("purelib"), *wanted])
    if not (environment.healthy(VENV) and STAMP.exists() and STAMP.read_text("utf-8") == here):
        environment.make_venv(VENV)
        own = subprocess.run(
            [environment.python_in(VENV), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        places = {sysconfig.get_path(name): None for name in ("purelib", "platlib")}
        Path(own.stdout.strip(), "course.pth").write_text("".join(f"{place}\n" for place in places), "utf-8")
        fetch(wanted)
        STAMP.write_text(here, "utf-8")
    return environment.python_in(VENV)


def fetch(packages: list[str]) -> None:
    command = [environment.python_in(VENV), "-m", "pip", "install", "--quiet", "--no-input", *packages]
    settings = {**os.environ, "PIP_RETRIES": "1", "PIP_USER": "0"}
    done = subprocess.run(command, env=settings, capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        said = (done.stdout + done.stderr).strip()
        reason = said.splitlines()[-1] if said else "pip said nothing"
        if any(sign in said for sign in NO_NETWORK):
            pytest.skip(f"the harnesses cannot be fetched: {reason}")
        pytest.fail(f"the harnesses cannot be installed: {reason}")


def run(module: str, *arguments: str, scratch: Path, **environment: str) -> str:
    """Run a harness from the folder of the course, as a user does; what it wrote to the terminal."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    homes = {name: str(scratch / name) for name in ("HF_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")}
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    done = subprocess.run(
        [python(), "-m", module, *arguments], cwd=ROOT,
        env={**kept, **homes, **offline, "PYTHONIOENCODING": "utf-8", **environment},
        capture_output=True, encoding="utf-8", errors="replace", timeout=570,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def gguf(tmp_path_factory) -> Path:
    """The tuned pocket model as one GGUF file, made once a session."""
    folder = tmp_path_factory.getbasetemp() / "pocket-gguf"
    path = folder / "model-f16.gguf"
    return path if path.exists() else export.to_gguf(export.merge(ADAPTER, folder / "merged"), path)
