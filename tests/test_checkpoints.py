"""The new adapter takes the place of the old one, or the old one stays."""

from pathlib import Path

import pytest

from helpers import checkpoints
from helpers.errors import UserError


@pytest.fixture
def folders(tmp_path):
    new, out = tmp_path / "adapter.part" / "adapter", tmp_path / "adapter"
    for folder in (new, out):
        folder.mkdir(parents=True)
        (folder / "weights").write_text(str(folder.parent.name), encoding="utf-8")
    return new, out


def test_a_whole_folder_takes_the_place_of_the_old_one_and_nothing_else_is_left(folders):
    new, out = folders
    checkpoints.put_in_place(new, out)
    assert (out / "weights").read_text(encoding="utf-8") == "adapter.part"
    assert [p.name for p in out.parent.iterdir()] == ["adapter"]


@pytest.mark.parametrize("refused", ["adapter", "adapter.part"], ids=["the old one is open", "the new one is open"])
def test_a_rename_that_windows_refuses_leaves_the_old_one_in_its_place(refused, folders, monkeypatch):
    new, out = folders
    real = Path.rename

    def rename(self, target):
        if (self if refused == "adapter" else self.parent).name == refused:
            raise PermissionError(13, "The process cannot access the file")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(UserError, match=r"cannot access the file\. Close what has it open"):
        checkpoints.put_in_place(new, out)
    assert out.exists() and new.exists()
    assert (out / "weights").read_text(encoding="utf-8") != "adapter.part"
