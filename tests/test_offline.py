"""Nothing connects beyond this machine, and nothing is installed: watched from inside every Python that is started."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny

from helpers.dialogue import write_dialogues
from helpers.scale import ROOT

# Python imports sitecustomize at its start, so child processes are watched as well. An audit hook sees what the
# standard library and its C parts do, whoever calls them. It writes down an attempt before it refuses it: libraries
# swallow the exception and go on.
GUARD = """
import os, sys

def near(host):
    host = host.decode() if isinstance(host, bytes) else str(host or "")
    return host in ("", "localhost", "::1", "0.0.0.0", "::") or host.startswith("127.")

def refuse(what):
    with open(os.environ["GUARD_LOG"], "a", encoding="utf-8") as log:
        log.write(what + "\\\\n")
    raise OSError("refused by the guard: " + what)

FETCHERS = ("pip", "uv", "apt", "apt-get", "conda", "curl", "wget", "git", "brew", "winget", "sudo")

def watch(event, args):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = args[1]
        if isinstance(address, tuple) and not near(address[0]):
            refuse(f"{event} {address}")
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr") and not near(args[0]):
        refuse(f"{event} {args[0]}")
    elif event in ("subprocess.Popen", "os.exec", "os.system"):
        words = args[1] if event == "subprocess.Popen" else args[0]
        words = words.split() if isinstance(words, (str, bytes)) else list(words)
        words = [os.path.basename(os.fsdecode(word)) for word in words]
        fetching = words[:1] and words[0].removesuffix(".exe") in FETCHERS
        if fetching or any(pair in (["-m", "pip"], ["-m", "uv"]) for pair in map(list, zip(words, words[1:]))):
            refuse(f"{event} {words}")

sys.addaudithook(watch)
""".replace("\\\\n", "\\n")


@pytest.fixture
def guarded(tmp_path):
    """Run Python code in the repository under the guard, without any of the variables that keep libraries offline."""
    (tmp_path / "guard").mkdir()
    (tmp_path / "guard" / "sitecustomize.py").write_text(GUARD, encoding="utf-8")
    log = tmp_path / "attempts.txt"

    def run(*arguments: str) -> tuple[subprocess.CompletedProcess, list[str]]:
        free = {k: v for k, v in os.environ.items() if "OFFLINE" not in k and not k.startswith("UNSLOTH")}
        env = {**free, "PYTHONPATH": str(tmp_path / "guard"), "GUARD_LOG": str(log), "PYTHONIOENCODING": "utf-8"}
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, encoding="utf-8", errors="replace")
        return done, log.read_text("utf-8").splitlines() if log.exists() else []

    return run


@pytest.mark.parametrize(
    "attempt",
    [
        "import urllib.request; urllib.request.urlopen('http://example.com')",
        "import socket; socket.create_connection(('192.0.2.1', 80))",
        "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
        "import subprocess as s, sys; s.run([sys.executable, '-c', 'import socket; socket.gethostbyname(\"a.b\")'])",
        "import subprocess, sys; subprocess.run([sys.executable, '-m', 'pip', 'install', 'nothing'])",
        "import os; os.system('curl http://192.0.2.1')",
        "from huggingface_hub import model_info; model_info('gpt2')",
    ],
)
def test_the_guard_sees_what_goes_out(guarded, attempt):
    _, attempts = guarded("-c", f"try:\n {attempt}\nexcept Exception: pass")
    assert attempts


def test_the_guard_lets_this_machine_talk_to_itself(guarded):
    done, attempts = guarded(
        "-c", "import socket; s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname())"
    )
    assert (done.returncode, attempts) == (0, [])


@pytest.mark.slow
def test_training_and_replies_open_no_connection_and_install_nothing(guarded, tmp_path):
    base = tiny.write_base(tmp_path / "base")
    data = write_dialogues(tmp_path / "data.jsonl", tiny.dialogues())
    program = (
        "import sys; sys.path.insert(0, 'tests'); import tiny; from pathlib import Path\n"
        "from helpers import finetune, generate; from helpers.dialogue import read_dialogues\n"
        "base, data, out = map(Path, sys.argv[1:])\n"
        "finetune.finetune(tiny.scale(base), list(read_dialogues(data)), out)\n"
        "print(generate.load(out).replies([[{'role': 'user', 'content': 'Is that so?'}]], 5))\n"
    )
    done, attempts = guarded("-c", program, str(base), str(data), str(tmp_path / "adapter"))
    assert done.returncode == 0, done.stderr
    assert "Reply(" in done.stdout
    assert attempts == []


@pytest.mark.slow
@pytest.mark.skipif(not Path(ROOT, "data_samples", "pocket").exists(), reason="the pocket base is not in this checkout")
def test_the_demo_opens_no_connection_and_installs_nothing(guarded):
    done, attempts = guarded("-m", "helpers", "demo")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert attempts == []


@pytest.mark.slow
def test_the_relay_offline_opens_no_connection(guarded, tmp_path):
    program = (
        "import sys; from pathlib import Path; from helpers.synthesis import synthesise\n"
        "print(synthesise(count=10, out=Path(sys.argv[1])))\n"
    )
    done, attempts = guarded("-c", program, str(tmp_path / "out.jsonl"))
    assert done.returncode == 0, done.stderr
    assert "records=10" in done.stdout
    assert attempts == []
