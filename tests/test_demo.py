from dataclasses import replace

import pytest

from helpers import demo
from helpers.errors import UserError
from helpers.scale import SCALES


def test_the_data_is_the_same_every_time(tmp_path):
    scale = replace(SCALES["pocket"], dialogues=800)
    demo.make_data(scale, tmp_path)
    first = (tmp_path / "dialogues.jsonl").read_bytes()
    demo.make_data(scale, tmp_path)
    assert (tmp_path / "dialogues.jsonl").read_bytes() == first


def test_the_demo_refuses_a_scale_whose_verdicts_are_not_exact():
    with pytest.raises(UserError, match="pocket scale"):
        demo.run("studio")
