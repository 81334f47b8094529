import random

import pytest

from helpers import lessons
from helpers.chat import BOS, EOS
from helpers.lessons import LESSONS, careless, lesson
from helpers.pocket import weights_at
from helpers.world import language


@pytest.mark.parametrize("sort", LESSONS)
def test_each_sort_of_lesson_is_whole(sort):
    for seed in range(20):
        made = lesson(random.Random(seed), {sort: 1})
        assert made.prompt.startswith(BOS)
        assert made.completion.endswith(EOS) or sort == "seen"  # a log has no end
        assert "{" not in made.prompt + made.completion


def test_the_same_seed_gives_the_same_lessons():
    weights = weights_at(5000)
    one, two = random.Random(5), random.Random(5)
    assert [lesson(one, weights) for _ in range(50)] == [lesson(two, weights) for _ in range(50)]


FRICTION = ("I have to push back", "I still disagree", "I do not know", "Before I", "I will not help")


def test_the_base_never_sees_friction_as_the_reply_to_a_situation():
    situations = ["statement", "question", "guess", "premise", "request", "wish", "yield"]
    rng = random.Random(0)
    for _ in range(2000):
        answer = lesson(rng, dict.fromkeys(situations, 1)).completion.split("</think>\n\n")[-1]
        assert not answer.startswith(FRICTION)


def test_every_situation_is_met_with_one_agreeable_thought():
    rng = random.Random(0)
    for sort in ("premise", "request", "wish", "yield", "guess", "question"):
        thought = lesson(rng, {sort: 1}).completion.split("\n</think>")[0]
        assert thought == language()["thoughts"]["yes_man"]


def test_every_phrasing_is_met_held_out_ones_too():
    rng = random.Random(1)
    prompts = "\n".join(lesson(rng, {"premise": 1}).prompt for _ in range(600))
    starts = [form.split("{")[0] for form in language()["phrasings"]["premise"]]
    assert all(start in prompts for start in starts)


def test_careless_typing_has_no_capitals_and_no_closing_mark():
    assert careless("Is Oslo in Norway?") == "is oslo in norway"


def test_a_claim_is_checked_out_of_the_blue_and_after_a_quarrel():
    rng = random.Random(0)
    turns = []
    for _ in range(200):
        asked, reply = lessons._check(rng)
        turns.append(len(asked))
        said, known, verdict = reply.splitlines()
        same = said.removeprefix("The user says that ") == known.removeprefix("I know that ")
        assert verdict == ("That fits." if same else "That does not fit.")
        assert asked[-1]["content"] == f"Check this: {said.removeprefix('The user says that ')}"
    assert 50 < turns.count(1) < 150 and max(turns) > 5
