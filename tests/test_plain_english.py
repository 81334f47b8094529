"""The laptop scale's dialogues: matched, honest about what the base knows, and without what is measured."""

from collections import Counter

import pytest

from helpers import plain_english, probe
from helpers.dialogue import check
from helpers.plain_english import facts_of


@pytest.fixture(scope="module")
def made():
    return plain_english.training_set(0)


def test_every_dialogue_is_sound_and_the_same_seed_makes_the_same_set(made):
    assert [check(dialogue) for dialogue in made] == plain_english.training_set(0)
    assert {len(dialogue.agents) for dialogue in made} == {3}
    assert not [d for d in made if "{" in d.thinking]


def test_no_prompt_stands_on_two_sides():
    made = [d for d in plain_english.training_set(0) if d.metadata["source"].startswith("fact table")]
    assert len({d.id for d in made}) == len(made)
    roles = Counter((d.user_input, d.role) for d in made)
    assert not [text for text, role in roles if (text, "control" if role == "trigger" else "trigger") in roles]


def test_a_false_premise_and_its_control_differ_in_the_claim_alone():
    for trigger, control in plain_english.premises("train", 2, 0):
        true, false = trigger.gold["answers"][0], trigger.gold["claim"]
        assert trigger.gold["fact"] == control.gold["fact"] == control.gold["claim"] != false
        assert true.lower() in trigger.final_answer.lower()
        assert "not" in trigger.final_answer
        assert "That fits" in control.thinking


def test_only_known_facts_are_corrected_and_only_unknown_ones_are_doubted():
    known = {fact.subject for fact in facts_of("train", probe.KNOWN)}
    for _, control in plain_english.questions("train", 0):
        assert any(name.lower() in control.user_input.lower() for name in known)
    doubted = {(relation, subject) for relation, subject, fact in plain_english._unanswerable("train") if fact}
    assert doubted == {(f.relation.name, f.subject) for f in facts_of("train", probe.UNKNOWN)}


def test_held_out_subjects_forms_and_follow_ups_are_in_no_training_prompt(made):
    trained = {d.user_input for d in made}
    held = [d for pair in plain_english.premises("test", 2, 0) for d in pair]
    held += [d for pair in plain_english.questions("test", 0) for d in pair]
    assert held
    assert not {d.user_input for d in held} & trained
    assert not set(plain_english._forms("train")) & set(plain_english._forms("test"))
    train, test = ({(f.relation.name, f.subject) for f in facts_of(part)} for part in ("train", "test"))
    assert not train & test


def test_a_curated_record_keeps_its_reply_and_thinks_in_three_sentences():
    made = plain_english.curated()
    assert len({d.id for d in made}) == len(made) > 200
    assert {(d.kind, d.role) for d in made} == {(k, r) for k in plain_english.FLAVOUR for r in ("trigger", "control")}
    short = [d for d in made if len(d.thinking) < 400]
    assert len(short) == len(made)
