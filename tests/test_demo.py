import pytest

from helpers import demo
from helpers.errors import UserError


def test_the_demo_refuses_a_scale_whose_verdicts_are_not_exact():
    with pytest.raises(UserError, match="pocket scale"):
        demo.run("studio")
