"""The command line: what it prints, what it passes on, and how it ends."""

import ast
import errno
import os
import re
import subprocess
import sys

import pytest
from clone import quickest, slowness

from helpers import __main__ as cli
from helpers import environment, install
from helpers.errors import UserError
from helpers.verbs import VERBS


def failing(problem: BaseException):
    def run(arguments: list[str]) -> int:
        raise problem

    return run


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=install.ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=60,
    )


def test_help_ends_within_two_seconds_and_names_every_verb():
    done = python("-m", "helpers", "--help")
    assert done.returncode == 0
    assert quickest(lambda: python("-m", "helpers", "--help")) < 2 * slowness()
    assert all(verb in done.stdout for verb in VERBS)


def test_without_a_verb_it_is_the_help(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([])
    assert end.value.code == 0
    assert "synthesise" in capsys.readouterr().out


def test_importing_the_command_line_imports_nothing_heavy():
    heavy = "{'torch', 'unsloth', 'transformers', 'litellm', 'numpy', 'pandas', 'httpx', 'requests'}"
    done = python("-c", f"import sys, helpers.__main__; print({heavy} & set(sys.modules))")
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_its_own_help(verb, capsys):
    with pytest.raises(SystemExit) as end:
        cli.run([verb, "--help"])
    assert end.value.code == 0
    assert verb in capsys.readouterr().out


def test_importing_helpers_keeps_unsloth_from_installing_anything_but_respects_what_is_set():
    show = "import os, helpers; print(os.environ['UNSLOTH_AUTO_INSTALL'], os.environ['OMP_WAIT_POLICY'])"
    assert python("-c", show, OMP_WAIT_POLICY="ACTIVE").stdout.split() == ["0", "ACTIVE"]


def test_an_option_that_does_not_exist_is_refused(capsys):
    with pytest.raises(SystemExit) as end:
        cli.run(["demo", "--faster"])
    assert end.value.code == 2
    assert "--faster" in capsys.readouterr().err


def test_what_is_not_ours_goes_to_pytest_unabridged(monkeypatch):
    seen = []
    monkeypatch.setattr(environment, "go_inside", lambda arguments: None)
    monkeypatch.setattr(install, "complete", lambda retry_gguf: None)
    monkeypatch.setattr(environment, "through", lambda command: seen.append(command) or 3)
    assert cli.run(["test", "--quick", "-x", "-k", "name", "--maxfail=2", "--q"]) == 3
    assert seen[0][-5:] == ["-x", "-k", "name", "--maxfail=2", "--q"]


@pytest.mark.parametrize(
    "problem, status, words",
    [
        (UserError("runs/report.json: cut off. Run: python -m helpers evaluate"), 1, "runs/report.json"),
        (KeyboardInterrupt(), 130, "Stopped"),
        (OSError(errno.ENOSPC, "No space left on device", "runs/model.gguf"), 1, "runs/model.gguf"),
        (PermissionError(errno.EACCES, "Permission denied", "runs/pocket"), 1, "runs/pocket: Permission denied"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "data_samples"), 1, "data_samples: Is a directory"),
    ],
)
def test_what_a_user_can_cause_ends_in_one_line_and_a_status(problem, status, words, monkeypatch, capsys):
    monkeypatch.setattr(cli, "run", failing(problem))
    assert cli.main([]) == status
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_a_mistake_of_ours_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(cli, "run", failing(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        cli.main([])


def test_a_console_that_knows_few_characters_is_no_reason_to_crash():
    code = (
        "import sys, helpers.__main__ as m\n"
        "from helpers.errors import UserError\n"
        "def run(arguments): print('\u2192 \uff5cUser\uff5c \u6771\u4eac'); raise UserError('\u26a0 stop')\n"
        "m.run = run\n"
        "sys.exit(m.main([]))"
    )
    done = python("-c", code, PYTHONIOENCODING="cp1252:strict", PYTHONUTF8="0")
    assert (done.returncode, done.stderr.strip()) == (1, "? stop")


def test_a_reader_that_has_seen_enough_is_no_reason_to_crash():
    code = (
        "import helpers.__main__ as m\nm.run = lambda a: [print(i) for i in range(10**5)] and 0\nm.sys.exit(m.main([]))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], cwd=install.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    child.stdout.readline()
    child.stdout.close()
    assert child.stderr.read() == b""
    child.stderr.close()
    child.wait()


def test_a_spawned_worker_does_not_start_the_command_again():
    spawned = "import runpy; runpy.run_module('helpers.__main__', run_name='__mp_main__', alter_sys=True)"
    done = python("-c", spawned)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_notebook_shows_an_error_of_the_user_without_its_traceback():
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell()
    shown = []
    shell._showtraceback = lambda kind, value, lines: shown.extend(lines)
    shell.run_cell("from helpers.errors import UserError\nraise UserError('take another file')")
    assert shown == ["take another file"]


def test_the_readme_names_each_module_below_those_that_it_imports():
    folder = install.ROOT / "helpers"
    named = re.findall(r"^      (\w+)\.py  ", (install.ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(path.stem for path in folder.glob("*.py") if path.name != "__init__.py")
    for place, module in enumerate(named):
        for node in ast.parse((folder / f"{module}.py").read_text("utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.module.startswith("helpers"):
                parts = node.module.split(".")[1:] or [alias.name for alias in node.names]
                assert not set(parts) & set(named[place:]), f"{module}.py imports {parts}: list it below them"
