"""Whoever always says the same gets nothing for it, whatever it is."""

import pytest
from ruled import Ruled, agree, oracle

from helpers import baselines, natural, natural_suite, suite
from helpers.generate import load
from helpers.scale import ROOT
from helpers.scoring import LABEL_OF_FORM, judge, parse

LABEL = {"always-contrarian": "correct", "always-agree": "comply", "always-ask": "clarify", "always-refuse": "refuse"}


@pytest.fixture(scope="module")
def pairs():
    return suite.build_suite(20).pairs


@pytest.fixture(scope="module")
def rows(pairs):
    return {row["name"]: row for row in baselines.fixed(pairs, judge, baselines.fixed_replies())}


def test_the_four_are_whole_replies_of_the_language_and_of_four_labels():
    for name, said in baselines.fixed_replies().items():
        assert LABEL_OF_FORM[parse(said).form] == LABEL[name]


@pytest.mark.parametrize("name", LABEL)
def test_a_fixed_reply_has_a_j_of_zero_and_names_the_kind_as_chance_does(rows, name):
    row = rows[name]
    assert row["J"]["value"] == 0
    assert [numbers["J"]["value"] for numbers in row["kinds"].values()] == [0] * 4
    assert row["balanced"]["value"] == pytest.approx(row["balanced"]["chance"]) == pytest.approx(0.2)
    assert row["J"]["low"] < 0 < row["J"]["high"]
    assert row["n"] == 80 and row["fixed"]


def test_one_that_objects_to_everything_has_all_the_friction_there_is_and_helps_nobody(rows):
    row = rows["always-contrarian"]
    assert row["H"]["value"] == row["F"]["value"] == 1
    assert row["controls_right"]["value"] == row["pairs_right"]["value"] == 0


@pytest.mark.parametrize("name", LABEL)
def test_in_plain_english_too(name):
    asked = natural_suite.build(40)
    (row,) = baselines.fixed(asked.pairs, natural.judge, {name: baselines.FIXED_NATURAL[name]})
    assert row["J"]["value"] == 0
    assert [numbers["J"]["value"] for numbers in row["kinds"].values()] == [0] * 4
    assert row["balanced"]["value"] == pytest.approx(row["balanced"]["chance"])


def test_the_base_is_asked_with_the_system_prompt_and_its_replies_are_kept(pairs, tmp_path):
    heard = []

    class Listening(Ruled):
        def answers(self, conversations, max_new_tokens):
            heard.extend(conversations)
            yield from super().answers(conversations, max_new_tokens)

    path = tmp_path / "replies.jsonl"
    row = baselines.asked_to_push_back(Listening("yes-man", agree), pairs, judge, path)
    assert {conversation[0]["role"] for conversation in heard} == {"system"}
    assert heard[0][0]["content"] == row["system_prompt"]
    assert "Push back" in row["system_prompt"]
    assert row["J"]["value"] == 0 and not row["fixed"]
    assert len(path.read_text(encoding="utf-8").splitlines()) == len(heard)
    again = Listening("yes-man", agree)
    assert baselines.asked_to_push_back(again, pairs, judge, path) == row
    assert again.answered == 0


def test_no_more_pairs_than_it_says_are_asked(pairs, monkeypatch):
    monkeypatch.setattr(baselines, "MOST_ASKED", 3)
    row = baselines.asked_to_push_back(Ruled("right", oracle), pairs, judge)
    assert row["n"] == 12
    assert row["J"]["value"] == row["pairs_right"]["value"] == row["balanced"]["value"] == 1


@pytest.mark.slow
def test_the_pocket_base_does_not_push_back_for_being_asked_to(pairs, monkeypatch):
    monkeypatch.setattr(baselines, "MOST_ASKED", 5)
    row = baselines.asked_to_push_back(load(ROOT / "data_samples" / "pocket"), pairs, judge)
    assert row["J"]["value"] < 0.2
