"""The launcher, with a real interpreter, a real pip and tiny packages where it can be; by substitution elsewhere."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest
from clone import Clone, finish, quickest, slowness

from helpers import environment, install
from helpers.environment import Requirement, accepts, requirements
from helpers.errors import UserError

COURSE = {
    "unsloth", "trl", "datasets", "huggingface_hub", "litellm", "ipywidgets", "pandas", "matplotlib", "nbval",
    "llama-cpp-python",
}  # fmt: skip


# --- requirements.txt -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec, yes, no",
    [
        ("==2.13.0", "2.13.0+cpu 2.13", "2.13.1 2.13.0rc1"),
        (">=4.7,<5", "4.7 4.8.5", "4.0.0 5.0.0 4.6.9"),
        ("!=4.0.*,>=3", "3.0 4.1", "4.0 4.0.5"),
        (">=2.4,<2.15", "2.11.0+cu128 2.14.9", "2.3.1 2.15.0"),
        ("==4.*", "4.9", "40.1"),
        ("", "0.0.1", ""),
    ],
)
def test_versions_are_compared_as_pip_does(spec, yes, no):
    assert [v for v in yes.split() if not accepts(spec, v)] == []
    assert [v for v in no.split() if accepts(spec, v)] == []


def test_a_line_has_a_name_a_range_and_perhaps_a_step():
    text = '# a comment\nnumpy>=2,<3   # why\n\nunsloth==1.0 ; extra == "slim"   # why\nplain\n'
    assert requirements(text) == [
        Requirement("numpy", ">=2,<3"),
        Requirement("unsloth", "==1.0", "slim"),
        Requirement("plain", ""),
    ]


def test_the_ten_packages_of_the_course_are_named():
    assert {r.name for r in requirements()} >= COURSE


def test_the_readmes_pip_lines_name_the_versions_of_requirements_txt():
    lines = " ".join(readme_pip_lines())
    named = [r for r in requirements() if r.group in ("slim", "gguf")]
    assert [str(r) for r in named if str(r) not in lines] == []
    assert install.TORCH in lines


def test_one_address_of_a_registry_stands_in_one_place():
    tracked = subprocess.run(["git", "ls-files"], cwd=install.ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a checkout")
    needle = "download." + "pytorch.org"
    files = [
        install.ROOT / name for name in tracked.stdout.splitlines() if name.endswith((".py", ".md", ".txt", ".yml"))
    ]
    assert [f.name for f in files if f.exists() and needle in f.read_text("utf-8")] == ["install.py"]


# --- Somebody's own environment: a substitute for pip and for what is installed ---------------------------------


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    """An active environment with everything in it; tests take away, change, and look at what pip was asked for."""
    found = {
        r.name: re.sub(r"[^\d.].*", "", r.spec.lstrip("=<>")) or "1" for r in requirements() if r.group != "replace"
    }
    found |= {"numpy": "2.1.3", "ipython": "7.34.0"}
    asked = []

    def pip(what, arguments, **environment):
        held = Path(arguments[-1]).read_text("utf-8") if "-c" in arguments else ""
        asked.append(types.SimpleNamespace(arguments=arguments, held=held, environment=environment))

    for module in (install, environment):
        monkeypatch.setattr(module, "installed", found.get)
        monkeypatch.setattr(module, "LOG", tmp_path / "runs" / "install.log")
        monkeypatch.setattr(module, "kind", lambda: "active")
    monkeypatch.setattr(install, "ROOT", tmp_path)
    monkeypatch.setattr(install, "pip", pip)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    return types.SimpleNamespace(found=found, asked=asked, stamp=tmp_path / install.STAMP)


def test_where_all_is_there_nothing_is_installed(theirs):
    install.complete()
    assert theirs.asked == []
    assert not theirs.stamp.exists()


def test_only_what_is_missing_or_refused_is_installed_and_the_rest_held(theirs):
    del theirs.found["trl"]
    theirs.found |= {"datasets": "4.0.0", "torchao": "0.10.0", "torch": "2.11.0+cu128"}
    install.complete()
    plain, slim = theirs.asked
    assert plain.arguments[:3] == ["trl==1.15.0", "datasets>=4.7,<5", "-c"]
    assert plain.held.split() == ["torch==2.11.0+cu128", "numpy==2.1.3", "pandas==2.2", "ipython==7.34.0"]
    assert slim.arguments == ["--no-deps", "torchao>=0.16,<0.19"]


@pytest.mark.parametrize("name, old", [("torch", "2.3.0"), ("pandas", "1.5.3")])
def test_what_is_theirs_to_keep_is_refused_not_replaced(theirs, name, old):
    theirs.found[name] = old
    with pytest.raises(UserError, match=f"{name} {old}.*deactivate|{name} {old}.*Deactivate"):
        install.complete()
    assert theirs.asked == []


def test_a_notebook_host_keeps_its_own_jupyter(theirs, monkeypatch):
    monkeypatch.setattr(install, "kind", lambda: "hosted")
    del theirs.found["jupyterlab"], theirs.found["nbval"]
    install.complete()
    assert theirs.asked[0].arguments[:2] == ["nbval>=0.11,<0.12", "-c"]


def test_an_install_that_failed_here_is_gone_over_at_the_next_run(theirs, monkeypatch):
    del theirs.found["trl"]
    with monkeypatch.context() as patch:
        patch.setattr(install, "pip", lambda *a, **k: (_ for _ in ()).throw(UserError("no network")))
        with pytest.raises(UserError):
            install.complete()
    theirs.found["trl"] = "1.15.0"  # what pip left may look whole
    install.complete()
    assert "trl==1.15.0" in theirs.asked[0].arguments
    install.complete()
    assert len(theirs.asked) == 1


def test_without_llama_cpp_the_rest_goes_on_and_only_setup_tries_again(theirs, monkeypatch, capsys):
    del theirs.found["llama-cpp-python"]
    tries = []

    def pip(what, arguments, **environment):
        tries.append(environment)
        raise UserError("no compiler")

    monkeypatch.setattr(install, "pip", pip)
    install.complete()
    install.complete()
    assert tries == [{"CMAKE_ARGS": install.LLAMA_FLAGS}]
    assert "python -m helpers setup" in capsys.readouterr().out
    install.complete(retry_gguf=True)
    assert len(tries) == 2


def test_on_linux_without_nvidia_the_cpu_index_is_asked_first_and_silence_means_plain_pip(theirs, monkeypatch, capsys):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(install.shutil, "which", lambda name: None)
    monkeypatch.setattr(install, "TORCH_CPU_INDEX", "http://127.0.0.1:9")
    install.install_torch()
    assert [call.arguments for call in theirs.asked] == [[install.TORCH]]
    assert "plain pip" in capsys.readouterr().out


def test_with_nvidia_it_is_plain_pip(theirs, monkeypatch):
    monkeypatch.setattr(install.shutil, "which", lambda name: name)
    install.install_torch()
    assert [call.arguments for call in theirs.asked] == [[install.TORCH]]


def test_a_notebook_in_the_wrong_kernel_is_told_which_to_choose(theirs):
    del theirs.found["trl"]
    with pytest.raises(UserError, match=r"lacks trl==1\.15\.0.*python -m helpers setup"):
        install.here()
    assert theirs.asked == []


def test_two_installs_at_once_are_refused_and_the_lock_ends_with_its_holder(theirs):
    del theirs.found["trl"]
    with environment.alone(), pytest.raises(UserError, match="Another command"):
        install.complete()
    install.complete()
    assert len(theirs.asked) == 1


def test_what_pip_left_half_written_is_dropped(tmp_path, monkeypatch):
    for name, files in {"whole-1.dist-info": ["METADATA", "INSTALLER"], "half-1.dist-info": ["METADATA"]}.items():
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).touch()
    monkeypatch.setattr(install.sysconfig, "get_path", lambda name: str(tmp_path))
    install.drop_half_installed(since=0)
    assert [p.name for p in tmp_path.iterdir()] == ["whole-1.dist-info"]


# --- The first cell of a notebook -------------------------------------------------------------------------------


def first_cells() -> list[str]:
    books = [json.loads(p.read_text("utf-8")) for p in sorted((install.ROOT / "notebooks").glob("0*.ipynb"))]
    return ["".join(next(c["source"] for c in book["cells"] if c["cell_type"] == "code")) for book in books]


def test_all_notebooks_begin_with_one_and_the_same_setup():
    assert len(set(first_cells())) <= 1


@pytest.mark.parametrize("folder", ["notebooks", "."])
def test_the_setup_cell_finds_the_course_from_a_kernel_that_knows_nothing(folder, tmp_path, monkeypatch, capsys):
    if not first_cells():
        pytest.skip("no notebooks yet")
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell()
    monkeypatch.chdir(install.ROOT / folder)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if Path(path).resolve() != install.ROOT])
    shell.run_cell(first_cells()[0]).raise_error()
    assert str(install.ROOT) in sys.path
    assert "Ready" in capsys.readouterr().out


# --- For real: a bare interpreter, a .venv, pip, and packages of one line ---------------------------------------


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Clone:
    made = Clone(tmp_path_factory.mktemp("a clone"))
    made.requires("")
    status, said = made.run("setup")
    assert status == 0, said
    assert "Making .venv" in said and "GB to download" in said
    return made


def test_the_second_run_installs_nothing_and_is_quick(clone):
    status, said = clone.run("setup")
    assert (status, "Installing" in said, "Making" in said) == (0, False, False)
    assert quickest(lambda: clone.run("setup")) < 2 * slowness()


def test_help_makes_no_environment(tmp_path):
    bare = Clone(tmp_path)
    bare.requires("")
    assert bare.run("demo", "--help")[0] == 0
    assert not (tmp_path / ".venv").exists()


def test_helpers_can_be_imported_from_anywhere_in_its_venv(clone, tmp_path):
    assert clone.imports("helpers", tmp_path)


@pytest.mark.slow
def test_a_package_that_came_to_be_required_is_installed(clone):
    clone.wheel("alpha")
    clone.requires("alpha==1.0\n")
    status, said = clone.run("setup")
    assert (status, "Installing into .venv" in said) == (0, True)
    assert "GB to download" not in said  # as at first
    assert clone.imports("alpha")


@pytest.mark.slow
def test_a_failed_install_is_one_line_and_is_repaired_by_the_next_run(clone):
    clone.requires("beta==1.0\n")
    status, said = clone.run("setup")
    assert status == 1
    assert "Traceback" not in said
    assert "beta" in said.splitlines()[-1]
    clone.wheel("beta")
    assert clone.run("setup")[0] == 0
    assert clone.imports("beta")


@pytest.mark.slow
def test_a_half_written_package_without_a_stamp_is_installed_again(clone):
    clone.wheel("gamma")
    clone.requires("gamma==1.0\n")
    assert clone.run("setup")[0] == 0
    (module,) = (clone.folder / ".venv").rglob("gamma.py")
    module.unlink()
    (module.parent / "gamma-1.0.dist-info" / "INSTALLER").unlink()
    (clone.folder / ".venv" / install.STAMP).unlink()
    assert clone.run("setup")[0] == 0
    assert clone.imports("gamma")


@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
def test_ctrl_c_during_an_install_is_one_line_and_is_repaired_by_the_next_run(clone, tmp_path):
    clone.endless_sdist("delta", tmp_path / "building")
    clone.requires("delta==1.0\n")
    process = clone.start("setup")
    deadline = time.monotonic() + 30
    while not (tmp_path / "building").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    status, said = finish(process)
    assert (status, "Traceback" in said) == (130, False)
    assert json.loads((clone.folder / ".venv" / install.STAMP).read_text("utf-8"))["for"] == "unfinished"
    (clone.shelf / "delta-1.0.tar.gz").unlink()
    clone.wheel("delta")
    assert clone.run("setup")[0] == 0
    assert clone.imports("delta")


@pytest.mark.slow
def test_a_venv_whose_python_is_gone_is_made_again(clone):
    clone.requires("")
    shutil.rmtree(environment.python_in(clone.folder / ".venv").parent)
    status, said = clone.run("setup")
    assert (status, "Repairing .venv" in said) == (0, True)


def test_the_exit_status_comes_through_the_bare_interpreter(clone):
    (clone.folder / "helpers" / "demo.py").write_text("def run(scale): return 7\n", "utf-8")
    assert clone.run("demo")[0] == 7


# --- The README's way, without the launcher ---------------------------------------------------------------------


def readme_pip_lines() -> list[str]:
    readme = (install.ROOT / "README.md").read_text("utf-8")
    return re.findall(r"^python -m pip install .+$", readme, re.MULTILINE)


@pytest.mark.slow
def test_the_readmes_pip_lines_give_a_working_course(tmp_path):
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    path = f"{environment.python_in(venv).parent}{os.pathsep}{os.environ['PATH']}"
    for line in readme_pip_lines():
        subprocess.run(line, shell=True, cwd=install.ROOT, env={**os.environ, "PATH": path}, check=True)
    names = "unsloth, trl, datasets, huggingface_hub, litellm, ipywidgets, pandas, matplotlib, nbval, llama_cpp"
    code = f"import {names}"
    done = subprocess.run([environment.python_in(venv), "-c", code], cwd=install.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    check = "from helpers import install; install.here()"
    done = subprocess.run([environment.python_in(venv), "-c", check], cwd=install.ROOT, capture_output=True, text=True)
    assert "Ready" in done.stdout, done.stderr
