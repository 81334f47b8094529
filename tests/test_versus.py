"""Two models of one's own, or their replies: how long it takes, what is asked, and the card."""

import json
from argparse import Namespace

import pytest
from talker import Talker

from helpers import versus
from helpers.card import card
from helpers.dialogue import KINDS
from helpers.errors import UserError
from helpers.generate import load
from helpers.natural_suite import STAGE, read_pairs
from helpers.stand_in import Reply as Said
from helpers.stand_in import StandIn
from helpers.versus import compare, fewer, from_file

PAIRS = read_pairs(STAGE)


def say_yes(texts):
    return "Yes, certainly, here is all of what you asked me for."


def always_refuse(texts):
    return "I'm sorry, but I can't help with that."


def models():
    return {"base": Talker("yes-man", say_yes), "tuned": Talker("refuser", always_refuse)}


class Hours:
    """A clock that goes by an hour at every look."""

    now = 0.0

    def monotonic(self):
        self.now += 3600
        return self.now


def test_few_pairs_are_of_every_kind_and_of_one_turn():
    few = fewer(PAIRS, 6)
    assert [pair[0].kind for pair in few] == [*KINDS, *KINDS[:2]]
    assert {len(d.turns) for pair in few for d in pair} == {1}
    assert sorted(p[0].pair_id for p in fewer(PAIRS, 300)) == sorted(p[0].pair_id for p in PAIRS)
    with pytest.raises(UserError, match="--pairs 0"):
        fewer(PAIRS, 0)


def test_two_models_get_a_card_on_the_whole_stage_set(tmp_path):
    told = []
    made = compare(models(), folder=tmp_path, tell=told.append)
    assert sum(k["n"] for k in made["models"]["base"]["kinds"].values()) == 24
    assert "24 pairs, the stage subset" in made["label"] and made["cap"] == versus.CAP
    refuser = made["models"]["tuned"]["kinds"]["refusal"]
    assert (refuser["H"]["value"], refuser["F"]["value"], refuser["J"]["value"]) == (1, 1, 0)
    assert made["models"]["tuned"]["pressure"]["hold"]["n"] == 1  # of four conversations one asks for harm
    assert "24 pairs, at most 80 replies of each model: about" in " ".join(told)
    assert "refusal" in card(made)


def test_where_it_is_long_six_pairs_are_offered_and_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(versus, "time", Hours())
    told, questions = [], []
    made = compare(models(), folder=tmp_path, choose=lambda text: questions.append(text) or True, tell=told.append)
    assert sum(k["n"] for k in made["models"]["base"]["kinds"].values()) == 6
    assert questions == ["6 pairs would take about 12 h 0 min. Only those? [y/N] "]


def test_where_nobody_can_be_asked_it_says_how_to_have_six(tmp_path, monkeypatch):
    monkeypatch.setattr(versus, "time", Hours())
    told = []
    made = compare(models(), folder=tmp_path, tell=told.append)
    assert "add --pairs 6" in " ".join(told)
    assert sum(k["n"] for k in made["models"]["base"]["kinds"].values()) == 24


def test_the_first_replies_are_not_asked_for_twice(tmp_path):
    first, again = models(), models()
    told = []
    compare(first, 6, tmp_path, tell=lambda line: None)
    compare(again, 6, tmp_path, tell=told.append)
    assert len(first["base"].asked) == 12
    assert again["base"].asked == again["tuned"].asked == []
    assert not [line for line in told if "about" in line]  # nothing was measured, so nothing is estimated


def replies(pairs):
    keys = ("prompt", "baseline_response", "tuned_response")
    said = say_yes(()), always_refuse(())
    return [dict(zip(keys, (d.turns[0]["content"], *said), strict=True)) for pair in pairs for d in pair]


def test_replies_of_a_file_get_the_same_card_as_the_models_that_gave_them(tmp_path):
    few = fewer(PAIRS, 6)
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(replies(few)), encoding="utf-8")
    made, asked = from_file(path, tell=lambda line: None), compare(models(), 6, tmp_path, tell=lambda line: None)
    for label in ("base", "tuned"):
        assert made["models"][label]["kinds"] == asked["models"][label]["kinds"]
    assert made["models"]["tuned"]["name"] == "tuned_response of mine.json"
    assert made["cap"] is None


def test_a_kind_without_pairs_is_told_and_the_card_is_without_it(tmp_path):
    path, told = tmp_path / "mine.json", []
    path.write_text(json.dumps(replies(fewer(PAIRS, 3))), encoding="utf-8")
    made = from_file(path, told.append)
    assert told == ["  left out: no whole pair of refusal: the card is without it"]
    assert "refusal" not in made["models"]["base"]["kinds"]
    assert "uncertainty" in card(made)


def options(**given):
    return Namespace(**{"model": None, "against": None, "replies": None, "pairs": 300, "max_tokens": None, **given})


@pytest.mark.parametrize(
    "given, said",
    [
        ({"model": "ollama/mine"}, "name the tuned one with --model, the other with --against"),
        ({"against": "ollama/other"}, "name the tuned one with --model"),
        ({"replies": "r.json", "model": "ollama/mine"}, "leave out --model"),
        ({"replies": "there/is/none.json"}, r"none\.json cannot be read"),
    ],
)
def test_options_that_do_not_go_together_are_refused(given, said):
    with pytest.raises(UserError, match=said):
        versus.main(options(**given))


@pytest.mark.slow  # it draws all pictures
def test_the_command_writes_a_report_with_its_page_and_prints_the_card(tmp_path, monkeypatch, capsys):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(replies(fewer(PAIRS, 3))), encoding="utf-8")
    monkeypatch.setattr(versus, "FOLDER", tmp_path / "out")
    versus.main(options(replies=str(path)))
    said = capsys.readouterr().out
    assert "The friction report card" in said and str(tmp_path / "out" / "report.json") in said
    assert json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))["label"].startswith("3 pairs")
    assert "clarification" in (tmp_path / "out" / "report.md").read_text("utf-8")


def test_models_behind_a_server_are_asked_by_their_names(tmp_path, monkeypatch):
    def answer(request, number):
        return Said((always_refuse if request["model"] == "shy" else say_yes)(()))

    names = {"base": "hosted_vllm/yes", "tuned": "hosted_vllm/shy"}
    with StandIn(answer) as server:
        monkeypatch.setenv("HOSTED_VLLM_API_BASE", server.url)
        made = compare({label: load(name) for label, name in names.items()}, 4, tmp_path, tell=lambda line: None)
    assert {label: model["name"] for label, model in made["models"].items()} == names
    assert [model["kinds"]["refusal"]["H"]["value"] for model in made["models"].values()] == [0, 1]
