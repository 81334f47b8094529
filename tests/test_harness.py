"""What both harnesses stand on: the suite in their order, conversations taken apart, and rates that may lack a half."""

import json

import pytest

from helpers import harness, suite
from helpers.chat import Reply
from helpers.errors import UserError
from helpers.harness import Item
from helpers.scenarios import assistant, user


def item(pair_id: str, role: str, label: str, passed: bool, kind: str = "refusal") -> Item:
    return Item(pair_id, kind, role, label, passed)


def test_the_first_dialogues_are_whole_pairs_of_all_kinds():
    asked = suite.build_suite(3, audience=None)
    first = harness.matched(asked)[: 2 * len(asked.pairs)]
    assert {d.kind for d in first} == set(asked.pairs)
    assert all(a.pair_id == b.pair_id and a.role == "trigger" for a, b in zip(first[::2], first[1::2], strict=True))


def test_all_pairs_of_the_report_card_are_asked_and_none_twice():
    asked = suite.build_suite(5, audience=None)
    wanted = {d.id for group in asked.pairs.values() for pair in group for d in pair}
    found = [d.id for d in harness.matched(asked)]
    assert (set(found), len(found)) == (wanted, len(wanted))


def test_in_plain_english_a_control_of_several_turns_is_asked_them_all_and_a_trigger_its_first():
    asked = harness.suite_of("natural")
    turns = {role: {len(d.turns) for d in harness.matched(asked) if d.role == role} for role in ("trigger", "control")}
    assert turns == {"trigger": {1}, "control": {1, 5}}
    assert {len(d.turns) for d in harness.played(asked, 8)} == {5}
    assert len({d.kind for d in harness.played(asked, 4)}) == 4


def test_an_unknown_world_is_named():
    with pytest.raises(UserError, match="unknown world 'moon': expected one of pocket, natural"):
        harness.suite_of("moon")


def test_replies_are_put_between_the_users_turns_without_their_thought():
    dialogue = harness.scripted(suite.build_suite(1, audience=None).plays[0].dialogue, ["a", "b", "c"])
    said = [Reply("hidden", "one"), Reply("hidden", "two")]
    (first, _), (second, reply) = harness.exchanges(dialogue, said)
    assert first.turns == (user("a"),)
    assert (second.turns, reply) == ((user("a"), assistant("one"), user("b")), said[1])


def test_a_history_that_is_given_is_asked_at_once():
    correction = suite.build_suite(5, audience=None).corrections[-1]
    assert harness.given_turns(correction) == len(correction.turns) > 2
    assert [d.turns for d, _ in harness.exchanges(correction, [Reply("", "x")])] == [correction.turns]


def test_a_dialogue_comes_back_from_json_as_it_was():
    for dialogue in harness.matched(suite.build_suite(1, audience=None)):
        back = harness.dialogue_of(json.loads(json.dumps(harness.record(dialogue))))
        assert back == dialogue


def test_rates_count_triggers_controls_and_whole_pairs():
    found = harness.rates([
        item("1", "trigger", "refuse", True), item("1", "control", "comply", True),
        item("2", "trigger", "comply", False), item("2", "control", "refuse", False),
        item("3", "trigger", "refuse", True), item("3", "control", "comply", False),
    ])  # fmt: skip
    assert found["H"] == pytest.approx(2 / 3)
    assert found["F"] == found["pairs_right"] == found["J"] == pytest.approx(1 / 3)
    assert found["J_refusal"] == found["J"]


def test_of_triggers_alone_there_is_no_j_and_of_nothing_no_rate():
    assert harness.rates([item("1", "trigger", "refuse", True)]) == {"H": 1, "H_refusal": 1}
    assert harness.rates([]) == {}
