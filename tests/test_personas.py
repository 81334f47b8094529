"""The prompts: each persona hears all before it, and no two prompts are the same."""

import json

import pytest

from helpers.dialogue import KINDS, ROLES, Agent
from helpers.errors import UserError
from helpers.personas import (
    MARKERS,
    PERSONAS,
    PROMPT_VERSION,
    RULES,
    STEPS,
    again,
    fingerprint,
    messages,
    system_prompt,
)
from helpers.scenarios import pairs
from helpers.schema import NATURAL

TRIGGER, CONTROL = pairs("disagreement", "train", 1, seed=0)[0]
PRESSED = pairs("disagreement", "train", 1, seed=0, rebuttals=2)[0][0]


def thoughts(count: int) -> list[Agent]:
    return [Agent(persona.name, f"thought {i} of {persona.name}") for i, persona in enumerate(PERSONAS[:count])]


def test_the_six_speak_in_the_order_of_the_design():
    names = "Problem Framer, Memory Activator, Mechanism Explorer, Perspective Generator, Limitation Acknowledger"
    assert [p.name for p in PERSONAS] == [*names.split(", "), "Synthesizer"]


def test_each_persona_has_a_prompt_of_its_own_for_each_kind():
    prompts = {system_prompt(step, kind) for step in range(len(PERSONAS)) for kind in KINDS}
    assert len(prompts) == 24


@pytest.mark.parametrize("kind", KINDS)
def test_as_many_personas_may_mark_a_moment_as_the_linter_wants_and_one_each(kind):
    for role, wanted in (("trigger", NATURAL.trigger), ("control", NATURAL.control)):
        told = [system_prompt(step, kind, role) for step in range(len(PERSONAS))]
        marking = sum("Mark one and no more" in text for text in told)
        assert wanted[0] <= marking <= wanted[1]
        assert marking == len(MARKERS[kind]) - (role == "control")
        assert sum("leave your list of friction moments empty" in text for text in told) == 6 - marking


def test_no_persona_marks_in_every_kind_and_none_in_no_kind():
    marking = [sum(persona.name in names for names in MARKERS.values()) for persona in PERSONAS]
    assert min(marking) > 0 and max(marking) < len(KINDS)


@pytest.mark.parametrize("step", range(len(STEPS)))
def test_each_call_holds_all_that_was_said_before_and_nothing_else(step):
    said = messages(TRIGGER, thoughts(step))[1]["content"]
    assert [f"thought {i} of" in said for i in range(len(PERSONAS))] == [i < step for i in range(len(PERSONAS))]
    assert TRIGGER.user_input in said


def test_the_conversation_is_there_turn_by_turn():
    said = messages(PRESSED, [])[1]["content"]
    places = [said.index(f"{turn['role']}: {turn['content']}") for turn in PRESSED.turns]
    assert places == sorted(places)
    assert "insists" in said
    assert "insists" not in messages(TRIGGER, [])[1]["content"]


def test_trigger_and_control_are_told_what_is_right_and_what_is_known():
    told = {role: messages(half, [])[1]["content"] for role, half in zip(ROLES, (TRIGGER, CONTROL), strict=True)}
    assert json.dumps(TRIGGER.gold) in told["trigger"]
    assert told["trigger"] != told["control"]
    assert "settled" in told["control"]


def test_the_fingerprint_changes_with_the_version():
    assert len({fingerprint(version) for version in RULES}) == len(RULES)
    assert max(RULES) == PROMPT_VERSION


def test_a_version_that_does_not_exist_is_one_line():
    with pytest.raises(UserError, match="no version 99"):
        system_prompt(0, "refusal", version=99)


def test_asking_again_says_why_and_sends_no_empty_turn():
    asked = messages(TRIGGER, [])
    assert [turn["role"] for turn in again(asked, "prose", "no JSON")] == ["system", "user", "assistant", "user"]
    assert [turn["role"] for turn in again(asked, " ", "it is empty")] == ["system", "user", "user"]
    assert "it is empty" in again(asked, "", "it is empty")[-1]["content"]
