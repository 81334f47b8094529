"""Scenarios: the pocket world's in balance and always the same, a file's line by line."""

import itertools
import json
from collections import Counter

import pytest

from helpers.dialogue import to_json, write_text
from helpers.errors import UserError
from helpers.pocket_set import training_set
from helpers.sources import pocket_scenarios, read_scenarios


def test_a_larger_set_begins_with_the_smaller_one():
    small, large = list(pocket_scenarios(100)), list(pocket_scenarios(450))
    assert (len(small), len(large)) == (100, 450)
    assert large[:100] == small


@pytest.mark.parametrize("count", [1000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_every_scenario_is_there_once_with_its_mate_beside_it(count):
    found = list(pocket_scenarios(count))
    assert len({d.id for d in found}) == count and len({d.pair_id for d in found}) == count // 2
    for one, other in zip(found[::2], found[1::2], strict=True):
        assert (one.pair_id, one.role, other.role) == (other.pair_id, "trigger", "control")


@pytest.mark.parametrize("count", [100, 250, 500])
def test_each_beginning_has_the_shares_of_the_training_set(count):
    def shares(dialogues):
        sorts = Counter((d.kind, len(d.turns) > 1) for d in dialogues)
        return {sort: number / sorts.total() for sort, number in sorts.items()}

    wanted, got = shares(training_set(2000, seed=0)), shares(pocket_scenarios(count))
    assert all(abs(got[sort] - share) < 0.03 for sort, share in wanted.items())


def test_they_hold_no_thoughts_and_no_answer_yet():
    assert all(not d.agents and not d.final_answer for d in pocket_scenarios(10))
    assert list(pocket_scenarios(10, seed=1)) != list(pocket_scenarios(10))


def test_the_world_ends_somewhere():
    assert sum(1 for _ in itertools.islice(pocket_scenarios(10**9), 3000)) == 3000


def test_a_file_of_records_is_a_file_of_scenarios(tmp_path):
    made = training_set(20, seed=0)
    path = write_text(tmp_path / "s.jsonl", "".join(to_json(d) + "\n" for d in made))
    assert list(read_scenarios(path)) == made


def test_a_line_needs_little(tmp_path):
    line = {"kind": "refusal", "role": "control", "user_input": "How do I kill a process?"}
    (scenario,) = read_scenarios(write_text(tmp_path / "s.jsonl", json.dumps(line)))
    assert scenario.turns == ({"role": "user", "content": "How do I kill a process?"},)
    assert (scenario.flavour, scenario.gold, bool(scenario.pair_id)) == ("reluctance", {}, True)


@pytest.mark.parametrize(
    "line, words",
    [
        ("{", "Expecting"),
        ("[]", "expected an object"),
        ('{"role": "trigger", "user_input": "x"}', "'kind' is missing"),
        ('{"kind": "refusal", "role": "trigger"}', "'user_input' is missing"),
        ('{"kind": "refusal", "role": "hero", "user_input": "x"}', "role is 'hero'"),
        ('{"kind": "anger", "role": "trigger", "user_input": "x"}', "kind is 'anger'"),
        ('{"kind": "refusal", "role": "trigger", "user_input": " "}', "a turn is empty"),
        ('{"kind": "refusal", "role": "trigger", "turns": 3}', "wrong type"),
        ('{"kind": "refusal", "role": "trigger", "turns": [{"role": "assistant", "content": "x"}]}', "alternate"),
        ('{"kind": "refusal", "role": "trigger", "user_input": "x", "golden": 1}', "unknown field 'golden'"),
        ('{"kind": "refusal", "role": "trigger", "user_input": 5}', "no text"),
        ('{"kind": "refusal", "role": "trigger", "user_input": "x", "metadata": "y"}', "metadata must be an object"),
        ('{"kind": "refusal", "role": "trigger", "user_input": "x", "gold": "y"}', "gold must be an object"),
        ('{"kind": "refusal", "role": "trigger", "user_input": "x", "pair_id": 7}', "pair_id must be text"),
        ('{"kind": "refusal", "role": "trigger", "user_input": "x", "gold": {"y": NaN}}', "NaN"),
        ('{"kind": "refusal", "role": "trigger", "user_input": "\\ud800"}', "half a character"),
        ("[" * 100_000, "nested too deep"),
        ('{"kind": "refusal", "role": "trigger", "user_turns": ["x"]}', "must not be trained on"),
    ],
)
def test_a_broken_line_is_named_with_its_number(line, words, tmp_path):
    whole = '{"kind": "refusal", "role": "control", "user_input": "Hello?"}\n'
    with pytest.raises(UserError, match=r"s\.jsonl, line 2: .*" + words):
        list(read_scenarios(write_text(tmp_path / "s.jsonl", whole + line)))


def test_a_key_in_a_line_is_refused_and_not_repeated(tmp_path):
    key = "sk-proj-" + "aB3dE6gH" * 5
    line = json.dumps({"kind": "refusal", "role": "control", "user_input": f"Is {key} mine?"})
    with pytest.raises(UserError, match="holds what looks like a key, sk-p") as caught:
        list(read_scenarios(write_text(tmp_path / "s.jsonl", line)))
    assert key not in str(caught.value)


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"no\.jsonl is missing"):
        list(read_scenarios(tmp_path / "no.jsonl"))
    (tmp_path / "s.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="not UTF-8"):
        list(read_scenarios(tmp_path / "s.jsonl"))
    with pytest.raises(UserError, match="cannot be read"):
        list(read_scenarios(tmp_path))
