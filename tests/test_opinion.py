"""A judge of one's choice over replies that have verdicts: what the report says of it, and what it is worth."""

import json
from argparse import Namespace

import pytest
from serving import MODEL
from test_versus import PAIRS, quiet, replies

from helpers import judge, natural, natural_report, opinion, verbs
from helpers.__main__ import parser
from helpers.card import card
from helpers.errors import UserError
from helpers.natural_report import SHIPPED_LABELS
from helpers.opinion import Chosen
from helpers.pace import fewer
from helpers.scale import ROOT
from helpers.stand_in import Reply as Said
from helpers.stand_in import StandIn
from helpers.versus import from_file


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(replies(fewer(PAIRS, 4))), encoding="utf-8")
    return path


def ruling(request, number):
    """A judge that finds refusals right where they are called for, cannot read a yes there, and turns down the rest."""
    asked = request["messages"][1]["content"]
    refused, called_for = "I can't help" in asked.partition("<reply>")[2], "it declines this" in asked
    right = ("yes" if refused else "cannot judge") if called_for else "no"
    return Said(json.dumps({"reason": "", "label": "refuse" if refused else "comply", "right": right}))


def gold(name="gold", worth=None):
    """A judge that is of one mind with the gold-anchored verdicts."""
    return Chosen(name, f"yes/no judge {name}", False, "one", natural.judge, worth)


def strong(monkeypatch, folder, file, answer=ruling, tell=quiet):
    with StandIn(answer) as server:
        monkeypatch.setenv("HOSTED_VLLM_API_BASE", server.url)
        return from_file(file, quiet, opinion.choose(MODEL, folder=folder, tell=tell)), server


@pytest.mark.slow
def test_the_verdicts_of_a_strong_judge_stand_in_the_report_under_its_name(monkeypatch, tmp_path, file):
    told = []
    made, server = strong(monkeypatch, tmp_path, file, tell=told.append)
    assert made["tier"]["name"] == f"strong judge {MODEL}" and not made["tier"]["validated"]
    assert f"Verdicts: strong judge {MODEL}" in card(made)
    tuned = made["models"]["tuned"]["kinds"]
    assert [tuned[kind]["right_kind"]["value"] for kind in tuned] == [0, 0, 0, 1]
    assert told[0].startswith(f"{MODEL} judges: {len(server.requests)} rulings, about")
    assert strong(monkeypatch, tmp_path, file)[1].requests == []  # nothing is paid for twice


def test_what_it_cannot_judge_is_counted_and_said(monkeypatch, tmp_path, file):
    made, _ = strong(monkeypatch, tmp_path, file)
    assert (made["judge"]["n"], made["judge"]["cannot_judge"]) == (16, 1)
    assert made["models"]["base"]["kinds"]["refusal"]["unparsed"]["x"] == 1
    text = "\n".join(opinion.lines(made))
    assert "It could not judge 1 of 16" in text
    assert f"label --judge {MODEL}" in text  # nobody has measured it
    assert made["judge"]["agreement"]["right"]["n"] == 15


def test_a_judge_that_cannot_judge_anything_has_no_kappa_and_the_report_says_why(monkeypatch, tmp_path, file):
    made, _ = strong(monkeypatch, tmp_path, file, lambda *_: Said("Well."))
    assert made["judge"]["cannot_judge"] == 16
    assert made["judge"]["agreement"]["right"]["reason"] == "no reply could be judged"
    assert "not measured" in "\n".join(opinion.lines(made))


def test_a_judge_that_fails_ends_it_in_one_line(monkeypatch, tmp_path, file):
    with pytest.raises(UserError, match="refuses the key") as problem:
        strong(monkeypatch, tmp_path, file, lambda *_: Said(status=401))
    assert "\n" not in str(problem.value)


@pytest.mark.slow
def test_one_of_a_mind_with_the_gold_changes_nothing_and_its_kappa_has_an_interval(file):
    plain, made = from_file(file, quiet), from_file(file, quiet, gold())
    assert made["models"] == plain["models"]
    kappa = made["judge"]["agreement"]["right"]
    assert kappa["value"] == 1 and kappa["low"] < 1
    assert made["judge"]["cannot_judge"] == 0


def test_the_pocket_base_judges_by_its_yes_and_no(tmp_path, file):
    chosen = opinion.choose(str(ROOT / "data_samples" / "pocket"), folder=tmp_path, tell=quiet)
    made = from_file(file, quiet, chosen)
    assert made["judge"]["tier"] == "yes/no judge data_samples/pocket" and made["judge"]["identity"]
    assert str(ROOT) not in json.dumps(made)


def test_a_judge_that_says_yes_to_everything_is_to_be_discarded(file):
    def yes(dialogues, replies):
        return [judge.ruled(d, r, True) for d, r in zip(dialogues, replies, strict=True)]

    made = from_file(file, quiet, Chosen("yes", "yes/no judge yes", False, "", yes))
    assert made["models"]["base"]["J"]["value"] == 1
    assert "no better than chance" in opinion.lines(made)[-1]
    assert "kappa is .00" in made["tier"]["reason"]


def test_smollm2_is_said_to_be_at_chance():
    assert "at chance" in opinion.worth_of("smollm2", None)


def test_a_judge_of_its_own_replies_is_told(file):
    made = from_file(file, quiet, gold("tuned_response of mine.json"))
    assert "judges replies of its own here" in opinion.lines(made)[-1]


def test_without_a_judge_it_says_whose_replies_have_labels(file):
    (line,) = opinion.lines(from_file(file, quiet))
    assert "labels exist for replies of SmolLM2 alone, for these none. On those 240 kappa is .8" in line


def test_what_a_judge_is_worth_is_measured_on_labels_and_said_from_then_on(tmp_path):
    worth = opinion.measure(gold(), SHIPPED_LABELS, tmp_path)
    assert (worth["n"], worth["cannot_judge"]) == (240, 0)
    known = natural_report.labels.tier(SHIPPED_LABELS).agreement["friction"]["all"]["kappa"]
    assert worth["friction"]["kappa"] == known
    assert opinion._known(tmp_path / opinion.WORTH, gold())["friction"]["kappa"] == known
    other = Chosen("gold", "yes/no judge gold", False, "another", natural.judge)
    assert opinion._known(tmp_path / opinion.WORTH, other) is None
    said = "Against the labels of 240 replies (labels.csv of a language model) its kappa is"
    assert said in opinion.worth_of("gold", worth)


def test_the_command_label_hands_a_judge_over(monkeypatch):
    seen = []
    monkeypatch.setattr(opinion, "main", seen.append)
    options = parser().parse_args(["label", "--judge", "ollama/qwen3"])
    verbs.label(options)
    assert seen[0].judge == "ollama/qwen3" and seen[0].max_cost is None


def test_a_judge_without_two_models_is_refused():
    with pytest.raises(UserError, match="give --model and --against, or --replies"):
        verbs.evaluate(Namespace(model=None, against=None, replies=None, judge="smollm2", max_cost=None))
