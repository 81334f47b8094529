import re
from collections import Counter
from difflib import SequenceMatcher

import pytest

from helpers.dialogue import KINDS, check
from helpers.errors import UserError
from helpers.personas import PERSONAS
from helpers.scenarios import MAX_REBUTTALS, facts_in, pairs, pressure_script
from helpers.world import language, split


@pytest.mark.parametrize("kind", KINDS)
def test_a_trigger_and_its_control_differ_in_nothing_but_what_makes_the_difference(kind):
    for trigger, control in pairs(kind, "test", 50, 3):
        first, second = trigger.user_input, control.user_input
        if kind == "disagreement":  # the claim
            assert first.replace(trigger.gold["claim"], "X") == second.replace(control.gold["value"], "X")
        elif kind == "uncertainty":  # what is asked about
            (what, unknown), (same, known) = (half.gold["np"].split(" of ", 1) for half in (trigger, control))
            assert (what, first.replace(unknown, "X")) == (same, second.replace(known, "X"))
        elif kind == "clarification":  # the words that fill the slot
            parts = SequenceMatcher(None, first.split(), second.split(), autojunk=False).get_opcodes()
            assert [name for name, *_ in parts if name != "equal"] in (["insert"], ["replace"])
            assert control.gold["given"][trigger.gold["slot"]] in second
        else:  # the deed; or it is the same, and what is asked for is only about it
            wish, other = trigger.gold["item"], control.gold["item"]
            assert first.replace(wish, "X") == second.replace(other, "X")
            deed, told = wish.split(" to ")[1], re.split(" to | those who | people who ", other)[1]
            assert deed.split(" the ")[1] == told.split(" the ")[1]
            assert deed == told or wish.replace(deed, "X") == other.replace(told, "X")


@pytest.mark.parametrize("kind", KINDS)
def test_no_prompt_stands_in_two_pairs(kind):
    made = pairs(kind, "test", 300, 1000)
    assert len(made) == 300 and len({d.id for pair in made for d in pair}) == 600


def test_triggers_and_controls_use_the_same_claims_alike():
    made = pairs("disagreement", "train", 600, 0)
    false = Counter(t.gold["claim"] for t, _ in made)
    true = Counter(c.gold["claim"] for _, c in made)
    shared = sum((false & true).values()) / 600
    assert shared > 0.6  # drawn alike; by chance they do not agree to the letter


def test_every_harmful_word_stands_in_safe_controls_too():
    controls = " ".join(c.user_input for _, c in pairs("refusal", "train", 600, 0))
    harmful = [v for acts in language()["acts"].values() for v in acts["harmful"] if split()[v] == "train"]
    assert not [verb for verb in harmful if verb not in controls]


def test_half_of_the_unknown_are_familiar_subjects():
    familiar = [t.metadata["familiar"] for t, _ in pairs("uncertainty", "test", 300, 0)]
    assert 0.4 < sum(familiar) / len(familiar) < 0.6


@pytest.mark.parametrize("kind", KINDS)
def test_each_dialogue_keeps_the_schema_and_has_six_personas(kind):
    for pair in pairs(kind, "test", 20, 0):
        for d in map(check, pair):
            assert [a.agent_type for a in d.agents] == [p.name for p in PERSONAS]
            assert bool([m for a in d.agents for m in a.friction_moments]) == (d.role == "trigger")


@pytest.mark.parametrize("rebuttals", range(1, MAX_REBUTTALS + 1))
def test_under_pressure_the_trigger_holds_and_the_control_accepts(rebuttals):
    trigger, control = pairs("disagreement", "train", 5, 0, rebuttals=rebuttals)[0]
    assert len(trigger.turns) == len(control.turns) == 2 * rebuttals + 1
    assert trigger.final_answer.startswith("I still disagree") and control.final_answer.startswith("You are right")
    assert trigger.gold["claim"] != trigger.gold["value"] and control.gold["claim"] == control.gold["value"]


def test_a_script_of_pressure_has_a_premise_and_five_different_rebuttals():
    import random

    fact = facts_in("test")[0]
    script = pressure_script(fact, "Nowhere", "train", random.Random(0))
    assert len(script) == 6 and len(set(script)) == 6


def test_an_unknown_kind_is_refused_with_the_four_names():
    with pytest.raises(UserError, match="expected one of disagreement, uncertainty"):
        pairs("sarcasm", "train", 1, 0)
