"""Offline: the grammar writes what the pocket world holds, recorded turns are played back, nothing is made up."""

from dataclasses import replace

import pytest

from helpers.dialogue import KINDS
from helpers.errors import UserError
from helpers.local_provider import GRAMMAR, RECORDED, source, spoken
from helpers.scenarios import pairs

NATURAL = {"claim": "It rains.", "fact": "It rains.", "answers": ["rain"], "source": "a window"}
DIALOGUE = pairs("disagreement", "train", 1, seed=0)[0][0]


def bare(dialogue):
    return replace(dialogue, agents=(), final_answer="")


@pytest.mark.parametrize("kind, rebuttals", [*((kind, 0) for kind in KINDS), ("disagreement", 1), ("disagreement", 4)])
def test_the_grammar_writes_what_the_world_itself_would_have_written(kind, rebuttals):
    for pair in pairs(kind, "train", 40, seed=1, rebuttals=rebuttals):
        for dialogue in pair:
            *turns, answer = spoken(bare(dialogue))
            assert answer == {"final_answer": dialogue.final_answer}
            thoughts = [(agent.thought_stream, list(agent.friction_moments)) for agent in dialogue.agents]
            assert [(turn["thought_stream"], turn["friction_moments"]) for turn in turns] == thoughts


def test_it_says_where_the_turns_come_from():
    assert source(bare(DIALOGUE)) == GRAMMAR
    assert source(replace(DIALOGUE, gold=NATURAL)) == RECORDED
    assert source(DIALOGUE) == RECORDED  # though the grammar could write it too


def test_turns_in_another_order_are_not_played_back_under_wrong_names():
    with pytest.raises(UserError, match="neither"):
        source(replace(DIALOGUE, gold=NATURAL, agents=DIALOGUE.agents[::-1]))


def test_recorded_turns_are_played_back_word_by_word():
    *turns, answer = spoken(replace(DIALOGUE, gold=NATURAL, final_answer="As recorded."))
    assert [turn["thought_stream"] for turn in turns] == [agent.thought_stream for agent in DIALOGUE.agents]
    assert answer == {"final_answer": "As recorded."}


def test_what_is_neither_is_refused_with_a_next_step():
    with pytest.raises(UserError, match=r"neither.*--model ollama"):
        source(replace(bare(DIALOGUE), gold=NATURAL))


def test_gold_of_the_wrong_shape_is_one_line():
    request = pairs("clarification", "train", 1, seed=0)[0][0]
    with pytest.raises(UserError, match="does not hold"):
        spoken(replace(bare(request), gold={**request.gold, "given": ["x"]}))


def test_gold_that_names_what_the_world_does_not_hold_is_one_line():
    with pytest.raises(UserError, match="does not hold: 'shoe size'"):
        spoken(replace(bare(DIALOGUE), gold={**DIALOGUE.gold, "relation": "shoe size"}))
