import pytest

from helpers import demo
from helpers.errors import NoLlama, UserError


def failing(problem):
    def fail(*_):
        raise problem

    return fail


def test_without_llama_cpp_the_link_is_skipped_and_said(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(demo.export, "export", failing(NoLlama("llama-cpp-python cannot be imported.")))
    assert demo._export(tmp_path) == tmp_path / "adapter"
    assert capsys.readouterr().out == "This link is skipped: llama-cpp-python cannot be imported.\n"


def test_any_other_trouble_ends_the_demo(monkeypatch, tmp_path):
    monkeypatch.setattr(demo.export, "export", failing(UserError("The disk is full.")))
    with pytest.raises(UserError, match="disk is full"):
        demo._export(tmp_path)


def test_the_demo_refuses_a_scale_whose_verdicts_are_not_exact():
    with pytest.raises(UserError, match="pocket scale"):
        demo.run("studio")
