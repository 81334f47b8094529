"""A lock that two processes cannot hold at once, and that a killed one lets go of."""

import subprocess
import sys

import pytest

from helpers.environment import ROOT
from helpers.errors import UserError
from helpers.lock import only_one

HOLD = (
    "import sys; from pathlib import Path; from helpers.lock import only_one\n"
    "with only_one(Path(sys.argv[1]), ''): print('held', flush=True); sys.stdin.read()"
)


def test_another_process_is_told_so_and_a_killed_holder_lets_go(tmp_path):
    path = tmp_path / "a.lock"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline().strip() == b"held"
        with pytest.raises(UserError, match="wait for it"), only_one(path, "wait for it"):
            pass
        holder.kill()
        holder.wait()
        with only_one(path, "wait for it"):
            pass
