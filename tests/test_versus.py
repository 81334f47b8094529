"""Two models of one's own, or their replies: how long it takes, what is asked, and the card."""

import hashlib
import json
from argparse import Namespace

import pytest
from talker import Talker

from helpers import baselines, pace, versus
from helpers.card import card
from helpers.dialogue import KINDS
from helpers.errors import UserError
from helpers.generate import load
from helpers.natural_suite import STAGE, read_pairs
from helpers.pace import fewer
from helpers.stand_in import Reply as Said
from helpers.stand_in import StandIn
from helpers.versus import compare, from_file

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
    # Of each 48 first turns and at most 32 later ones, less three that were tasted; of the base 40 with the prompt.
    assert "24 pairs, at most 194 replies to come: about" in " ".join(told)
    assert "refusal" in card(made)


def pairs_of(made):
    return sum(k["n"] for k in made["models"]["base"]["kinds"].values())


def quiet(line):
    pass


@pytest.mark.slow
def test_where_it_is_long_six_pairs_are_offered_and_taken_and_kept_to(tmp_path, monkeypatch):
    monkeypatch.setattr(pace, "time", Hours())
    told, questions = [], []
    made = compare(models(), folder=tmp_path, choose=lambda text: questions.append(text) or True, tell=quiet)
    assert pairs_of(made) == 6
    assert questions == ["6 pairs would take about 9 h 0 min. Only those? [y/N] "]  # 2 x 9 replies, half an hour each
    again = compare(models(), folder=tmp_path, choose=questions.append, tell=told.append)
    assert pairs_of(again) == 6 and len(questions) == 1
    assert told[0] == "6 pairs, as was chosen before; --pairs 24 asks all."
    assert pairs_of(compare(models(), 24, tmp_path, choose=questions.append, tell=quiet)) == 24
    assert pairs_of(compare(models(), folder=tmp_path, choose=questions.append, tell=quiet)) == 24
    assert len(questions) == 1


@pytest.mark.slow
def test_a_choice_is_of_two_models_and_others_are_asked_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(pace, "time", Hours())
    compare(models(), folder=tmp_path, choose=lambda text: True, tell=quiet)
    others = models() | {"tuned": Talker("another", always_refuse)}
    assert pairs_of(compare(others, folder=tmp_path, choose=lambda text: False, tell=quiet)) == 24


def test_where_nobody_can_be_asked_it_says_how_to_have_six(tmp_path, monkeypatch):
    monkeypatch.setattr(pace, "time", Hours())
    told = []
    made = compare(models(), folder=tmp_path, tell=told.append)
    assert "add --pairs 6" in " ".join(told)
    assert pairs_of(made) == 24


def test_the_first_replies_are_not_asked_for_twice(tmp_path):
    first, again = models(), models()
    told = []
    compare(first, 6, tmp_path, tell=quiet)
    compare(again, 6, tmp_path, tell=told.append)
    assert len(first["base"].asked) == 12
    assert again["base"].asked == again["tuned"].asked == []
    assert not [line for line in told if "about" in line]  # nothing was measured, so nothing is estimated


@pytest.mark.parametrize("stops", [7, 50, 85])  # among the first turns, in a conversation, with the system prompt
def test_a_run_that_was_interrupted_tells_the_time_of_what_is_missing_and_offers_six(stops, tmp_path, monkeypatch):
    def tired(texts):
        if len(first["base"].asked) > stops:
            raise KeyboardInterrupt
        return say_yes(texts)

    first, again, questions = models(), models(), []
    first["base"].rule = tired
    with pytest.raises(KeyboardInterrupt):
        compare(first, folder=tmp_path, tell=quiet)
    monkeypatch.setattr(pace, "time", Hours())
    compare(again, folder=tmp_path, choose=lambda text: questions.append(text), tell=quiet)
    assert len(questions) == 1
    assert len(first["base"].asked) - 1 + len(again["base"].asked) == 48 + 16 + 40


@pytest.mark.slow
def test_the_base_stands_there_with_a_prompt_that_asks_for_push_back_but_not_for_six_pairs(tmp_path):
    made = compare(models(), folder=tmp_path, tell=quiet)
    row = made["baselines"][-1]
    assert (row["name"], row["n"], row["J"]["value"]) == (baselines.ASKED, 20, 0)
    assert baselines.ASKED in card(made)
    assert baselines.ASKED not in [row["name"] for row in compare(models(), 6, tmp_path, tell=quiet)["baselines"]]


def test_a_model_that_takes_no_system_prompt_costs_that_row_alone(tmp_path):
    asked, told = models(), []
    asked[
        "base"
    ].template = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('none') }}{% endif %}{{ messages[-1].content }}"
    )
    made = compare(asked, 8, tmp_path, tell=told.append)
    assert baselines.ASKED not in [row["name"] for row in made["baselines"]]
    assert [line for line in told if "takes no system prompt" in line]


def test_the_report_names_what_was_measured_and_why_its_verdicts_are_not_validated(tmp_path):
    asked = models()
    asked["tuned"].identity = "a digest"
    made = compare(asked, 6, tmp_path, tell=quiet)
    assert (made["models"]["tuned"]["identity"], made["models"]["tuned"]["engine"]) == ("a digest", "rule")
    assert made["tier"]["reason"] == "labels exist for replies of SmolLM2 alone, for these none"
    assert made["judge"] is None


def replies(pairs):
    keys = ("prompt", "baseline_response", "tuned_response")
    said = say_yes(()), always_refuse(())
    return [dict(zip(keys, (d.turns[0]["content"], *said), strict=True)) for pair in pairs for d in pair]


def test_replies_of_a_file_get_the_same_card_as_the_models_that_gave_them(tmp_path):
    few = fewer(PAIRS, 6)
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(replies(few)), encoding="utf-8")
    made, asked = from_file(path, tell=quiet), compare(models(), 6, tmp_path, tell=quiet)
    for label in ("base", "tuned"):
        assert made["models"][label]["kinds"] == asked["models"][label]["kinds"]
    assert made["models"]["tuned"]["name"] == "tuned_response of mine.json"
    assert made["cap"] is None
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert made["models"]["tuned"]["identity"] == f"sha256:{digest}"


def test_a_kind_without_pairs_is_told_and_the_card_is_without_it(tmp_path):
    path, told = tmp_path / "mine.json", []
    path.write_text(json.dumps(replies(fewer(PAIRS, 3))), encoding="utf-8")
    made = from_file(path, told.append)
    assert told == ["  left out: no whole pair of refusal: the card is without it"]
    assert "refusal" not in made["models"]["base"]["kinds"]
    assert "uncertainty" in card(made)


def options(**given):
    none = dict.fromkeys(("model", "against", "replies", "pairs", "max_tokens", "judge", "max_cost"))
    return Namespace(**{**none, **given})


@pytest.mark.parametrize(
    "given, said",
    [
        ({"model": "ollama/mine"}, "name the tuned one with --model, the other with --against"),
        ({"against": "ollama/other"}, "name the tuned one with --model"),
        ({"replies": "r.json", "model": "ollama/mine"}, "leave out --model"),
        ({"replies": "r.json", "pairs": 6}, "leave out --pairs"),
        ({"replies": "r.json", "max_tokens": 40}, "leave out --pairs and --max-tokens"),
        ({"replies": "r.json", "max_cost": 1.0}, "name one with --judge"),
        ({"replies": "r.json", "judge": "data_samples/pocket", "max_cost": 1.0}, "leave out --max-cost"),
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


@pytest.mark.slow
def test_models_behind_a_server_are_asked_by_their_names(tmp_path, monkeypatch):
    def answer(request, number):
        return Said((always_refuse if request["model"] == "shy" else say_yes)(()))

    names = {"base": "hosted_vllm/yes", "tuned": "hosted_vllm/shy"}
    with StandIn(answer) as server:
        monkeypatch.setenv("HOSTED_VLLM_API_BASE", server.url)
        made = compare({label: load(name) for label, name in names.items()}, 4, tmp_path, tell=quiet)
    assert {label: model["name"] for label, model in made["models"].items()} == names
    assert [model["kinds"]["refusal"]["H"]["value"] for model in made["models"].values()] == [0, 1]
