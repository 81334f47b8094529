"""What each verb takes, and what `test` hands to pytest."""

import pytest

from helpers import budget, install, verbs
from helpers.__main__ import parser


def test_compare_hands_over_the_prompt_and_both_models():
    options, rest = parser().parse_known_args(["compare", "Is it?", "--tuned", "my.gguf"])
    assert (options.prompt, options.base, options.tuned, rest) == ("Is it?", None, "my.gguf", [])


@pytest.mark.parametrize("flags, wanted", [([], None), (["--four-bit"], True), (["--no-four-bit"], False)])
def test_four_bit_is_the_scales_choice_unless_it_is_said(flags, wanted):
    assert parser().parse_args(["finetune", *flags]).four_bit is wanted


def test_quick_leaves_out_notebooks_and_slow_tests():
    command = verbs.pytest_command(True, [])
    assert command[3:5] == ["-m", "not slow"]
    assert not any("nbval" in word or "notebooks" in word for word in command)


def test_all_means_the_tests_and_the_notebooks(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "01.ipynb").touch()
    monkeypatch.setattr(install, "ROOT", tmp_path)
    assert verbs.pytest_command(False, ["-v"])[-3:] == [str(tmp_path / "tests"), str(tmp_path / "notebooks"), "-v"]


def test_paths_of_ones_own_replace_the_default_ones_but_a_value_is_no_path():
    here = str(install.ROOT / "tests" / "test_verbs.py")
    assert verbs.pytest_command(True, [f"{here}::test_x"])[5:] == [f"{here}::test_x"]
    assert str(install.ROOT / "tests") in verbs.pytest_command(True, ["-k", here])
    for option in ("--ignore", "--deselect"):
        assert "--nbval-lax" in verbs.pytest_command(False, [option, here])
        assert str(install.ROOT / "notebooks") in verbs.pytest_command(False, [option, here])


@pytest.mark.parametrize("number", ["-1", "4294967296", "one"])
def test_a_seed_that_numpy_would_refuse_is_refused_at_once(number, capsys):
    with pytest.raises(SystemExit):
        parser().parse_args(["finetune", "--seed", number])
    assert "is no whole number from 0 to 4294967295" in capsys.readouterr().err


@pytest.mark.parametrize("number", ["-1", "nan", "inf", "five"])
def test_minutes_that_are_no_time_are_refused_before_anything_is_trained(number, capsys):
    with pytest.raises(SystemExit):
        parser().parse_args(["finetune", f"--minutes={number}"])
    assert "is no number of minutes" in capsys.readouterr().err


def test_an_answer_may_be_as_long_as_the_budget_has_it_unless_it_is_said():
    assert parser().parse_args(["synthesise"]).max_answer == budget.MAX_ANSWER
