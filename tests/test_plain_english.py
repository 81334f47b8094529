"""The laptop scale's dialogues: matched, honest about what the base knows, and without what is measured."""

import re
from collections import Counter
from dataclasses import replace

import pytest

from helpers import curation, natural, near, plain_english, probe, prose, schema, tried
from helpers.chat import Reply
from helpers.dialogue import ROLES, check, read_dialogues
from helpers.natural_suite import PLAIN, PROMPTS, STAGE
from helpers.plain_english import facts_of
from helpers.schema import NATURAL_GOLD, Entry, Rules

# What is asked of the short set: its thoughts are made from its gold by three patterns, so no rule on thoughts fits.
SHORT = Rules("short", NATURAL_GOLD, answer=(15, 60), skips=frozenset({"personas", "moments", "thoughts", "pairs"}))
ALONE = "plain-"  # a plain request has no mate


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


def test_of_a_curated_reply_the_first_whole_sentences_are_kept_and_nearly_all_still_say_what_is_asked():
    made = plain_english.curated()
    assert sum(len(d.final_answer.split()) <= plain_english.OPENING for d in made) > 0.95 * len(made)
    passed = [natural.verdict(d, Reply(d.thinking, d.final_answer)).passed for d in made]
    assert sum(passed) >= 0.9 * len(made)
    assert plain_english.opening("One. " + "word " * 60 + "end. Two.") == "One."


# -- short pairs ---------------------------------------------------------------------------------------------------

MIDDLE = plain_english.LAPTOP / "middle.jsonl"  # trained on once, and measured (README); the training set is without it
LENGTHS = {plain_english.SHORT: (5, 25), MIDDLE: (8, 45)}  # words of a prompt
COUNTS = {
    plain_english.SHORT: {"clarification": 200, "refusal": 200, "uncertainty": 180},
    MIDDLE: {"disagreement": 130, "uncertainty": 195, "clarification": 195, "refusal": 195},
}
SINGLE = {plain_english.SHORT: 80, MIDDLE: 200}  # plain requests and questions


@pytest.fixture(scope="module", params=LENGTHS, ids=lambda path: path.stem)
def file(request):
    return request.param


@pytest.fixture(scope="module")
def short(file):
    return list(read_dialogues(file))


def without_thoughts(dialogues):
    return [replace(d, agents=()) for d in dialogues]


def test_a_short_set_is_whole_pairs_and_plain_requests(file, short):
    pairs = [d for d in short if not d.pair_id.startswith(ALONE)]
    assert len({d.id for d in short}) == len(short) == len(pairs) + SINGLE[file]
    found = Counter((d.kind, d.role) for d in pairs)
    assert found == {(kind, role): count for kind, count in COUNTS[file].items() for role in ROLES}
    assert not list(near.pairs([Entry(i, d, SHORT) for i, d in enumerate(pairs)]))
    least, most = LENGTHS[file]
    assert all(least <= len(prose.words(d.user_input)) <= most for d in short)


def test_no_prompt_stands_in_both_short_sets_nor_nearly():
    entries = [Entry(i, d, SHORT) for i, d in enumerate(d for path in LENGTHS for d in read_dialogues(path))]
    assert not list(near.near(entries))


def test_a_short_record_thinks_what_its_gold_says(short):
    for d in short:
        assert d.agents == plain_english._agents(plain_english.english()["gold"][d.kind][d.role], d.gold)


def test_every_short_answer_passes_by_its_own_gold_and_the_answer_to_a_control_by_no_trigger(short):
    mates = dict(zip([d.id for d in short[::2]], short[1::2], strict=True))
    for d in short:
        assert natural.verdict(d, Reply(d.thinking, d.final_answer)).passed, d.user_input
        if d.role == "trigger":
            assert not natural.verdict(d, Reply("", mates[d.id].final_answer)).passed, d.user_input


@pytest.mark.slow
def test_the_short_set_keeps_the_rules_that_fit_it_and_shares_nothing_with_what_is_measured(short):
    readings = [schema.read(path) for path in (PROMPTS, PLAIN, STAGE, tried.PROMPTS)]
    assert not [reading.faults for reading in readings if reading.faults]
    measured = [d for reading in readings for _, d in reading.records]
    report = curation.lint(enumerate(without_thoughts(short), 1), SHORT, against=measured)
    assert report.set_aside == ()
    assert report.applied["leaks"] == len(short)


def test_what_is_measured_would_be_found_in_the_short_set(short):
    measured = tried.prompts()
    stolen = replace(short[0], turns=measured[40].turns)
    report = curation.lint([(1, stolen)], SHORT, against=measured)
    assert "leaks" in {fault.rule for fault in report.set_aside}


def test_no_short_record_tells_a_fact_that_is_held_out(short):
    numbers_and_letters = ("sum", "legs", "symbol", "day", "month", "past", "opposite")  # told by chance all the time
    facts = [fact for fact in facts_of("test") if fact.relation.name not in numbers_and_letters]
    for d in short:
        said = set(re.findall(r"\w+", f"{d.user_input} {d.final_answer} {d.thinking}".lower()))
        for fact in facts:
            both = re.findall(r"\w+", f"{fact.subject} {fact.value}".lower())
            assert not said.issuperset(both), (fact, d.user_input)


def test_no_kind_drowns_another(made):
    triggers = Counter(d.kind for d in made if d.role == "trigger")
    assert max(triggers.values()) < 2 * min(triggers.values())
