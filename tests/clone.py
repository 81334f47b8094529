"""A copy of the launcher with an environment of its own, and processes that are watched to their end."""

import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from helpers import environment
from helpers.environment import ROOT

BARE = Path(getattr(sys, "_base_executable", sys.executable))


def start(command: list, folder: Path, **environment: str) -> subprocess.Popen:
    hidden = ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "COLAB_RELEASE_TAG")
    kept = {name: value for name, value in os.environ.items() if name not in hidden and not name.startswith("PIP_")}
    return subprocess.Popen(
        [str(word) for word in command],
        cwd=folder,
        env={**kept, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=os.name != "nt",
        preexec_fn=_heed_ctrl_c if os.name != "nt" else None,
    )


def _heed_ctrl_c() -> None:
    """A shell that runs the tests in the background has them ignore SIGINT, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def finish(process: subprocess.Popen) -> tuple[int, str]:
    said, _ = process.communicate(timeout=120)
    return process.returncode, said


def quickest(run: Callable[[], object]) -> float:
    """Seconds of the best of three tries."""
    seconds = []
    for _ in range(3):
        begun = time.monotonic()
        run()
        seconds.append(time.monotonic() - begun)
    return min(seconds)


def slowness() -> float:
    """1 where a bare Python starts within a tenth of a second, more on a machine that has other things to do."""
    return max(1.0, quickest(lambda: subprocess.run([sys.executable, "-c", ""], check=True)) / 0.1)


class Clone:
    """A copy of the launcher whose requirements are tiny packages in a folder next to it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.shelf = folder, folder / "shelf"
        self.shelf.mkdir()
        (folder / "helpers").mkdir()
        for name in ("__init__", "__main__", "verbs", "environment", "errors", "install", "lock", "scale"):
            shutil.copy(ROOT / "helpers" / f"{name}.py", folder / "helpers")
        self.site = None

    def requires(self, text: str) -> None:
        (self.folder / "requirements.txt").write_text(text, "utf-8")

    def wheel(self, name: str) -> None:
        info = f"{name}-1.0.dist-info"
        with zipfile.ZipFile(self.shelf / f"{name}-1.0-py3-none-any.whl", "w") as archive:
            archive.writestr(f"{name}.py", "here = True\n")
            archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")

    def endless_sdist(self, name: str, mark: Path) -> None:
        source = self.folder / f"{name}-1.0"
        source.mkdir()
        build = '[build-system]\nrequires = []\nbuild-backend = "slow"\nbackend-path = ["."]\n'
        (source / "pyproject.toml").write_text(build, "utf-8")
        slow = f"import pathlib, time\npathlib.Path({str(mark)!r}).touch()\ntime.sleep(60)\n"
        (source / "slow.py").write_text(slow, "utf-8")
        (source / "PKG-INFO").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", "utf-8")
        with tarfile.open(self.shelf / f"{name}-1.0.tar.gz", "w:gz") as archive:
            archive.add(source, source.name)

    def start(self, *arguments: str) -> subprocess.Popen:
        return start([BARE, "-m", "helpers", *arguments], self.folder, PIP_FIND_LINKS=self.shelf.as_uri())

    def run(self, *arguments: str) -> tuple[int, str]:
        return finish(self.start(*arguments))

    def imports(self, name: str, folder: Path | None = None) -> bool:
        python = environment.python_in(self.folder / ".venv")
        return finish(start([python, "-c", f"import {name}"], folder or self.folder))[0] == 0
