"""Inspect AI plays the suite against a server of the pocket GGUF; what it logs is what the course itself finds."""

import json
from dataclasses import replace

import pytest

from helpers import chat, generate, harness, natural_suite, scoring, suite
from helpers.rates import Judged, pair_scores
from helpers.serve import Server
from tests import harnesses

pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed here", exc_type=ImportError)
pytestmark = pytest.mark.slow

MODEL = "llama-cpp-python/pocket"  # Inspect's provider for servers such as ours, and any name
COUNT, FEW = 4, 8  # pairs a kind: of the pocket world, in plain English


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return generate.load(harnesses.gguf(tmp_path_factory))


@pytest.fixture(scope="module")
def inspect(model, tmp_path_factory):
    """Runs a task and gives its log."""

    def evaluate(task: str, **options) -> dict:
        folder = tmp_path_factory.mktemp("inspect")
        settings = [word for name, value in options.items() for word in ("-T", f"{name}={value}")]
        with Server(model) as server:
            harnesses.run(
                "inspect_ai", "eval", f"helpers/inspect_task.py@{task}", *settings, "--model", MODEL,
                "--log-dir", str(folder), "--log-format", "json", "--display", "plain", "--max-connections", "2",
                scratch=folder, LLAMA_CPP_PYTHON_BASE_URL=server.url,
            )  # fmt: skip
        (log,) = folder.glob("*.json")
        return json.loads(log.read_text("utf-8"))

    return evaluate


@pytest.fixture(scope="module")
def friction(inspect):
    return inspect("friction", pairs=COUNT)


def sent(sample: dict) -> list[chat.Reply]:
    """The replies of a sample as they came over the wire; a long text stands apart, under its hash."""
    calls = [event["call"]["response"]["choices"][0] for event in sample["events"] if event["event"] == "model"]
    texts = [call["message"]["content"] for call in calls]
    texts = [sample["attachments"].get(text.removeprefix("attachment://"), text) for text in texts]
    return [
        chat.parse_reply(text, False, call["finish_reason"] == "stop") for text, call in zip(texts, calls, strict=True)
    ]


def numbers(log: dict) -> dict[str, float]:
    (scores,) = log["results"]["scores"]
    return {name: metric["value"] for name, metric in scores["metrics"].items()}


def by_id(log: dict) -> dict[str, dict]:
    assert log["status"] == "success"
    return {sample["id"]: sample for sample in log["samples"]}


def test_replies_over_http_are_those_of_the_model_in_this_process(friction, model):
    asked = harness.matched(suite.build_suite(COUNT, audience=None))
    samples = by_id(friction)
    assert [sent(samples[d.id]) for d in asked] == [[reply] for reply in model.replies([d.turns for d in asked])]


def test_each_score_is_the_courses_own_verdict_on_the_logged_reply(friction):
    samples = by_id(friction)
    for dialogue in harness.matched(suite.build_suite(COUNT, audience=None)):
        ((reply,), scored) = sent(samples[dialogue.id]), samples[dialogue.id]["scores"]["verdict"]
        given = scoring.verdict(dialogue, reply)
        names = ("label", "right_kind", "substance", "complete", "friction", "passed", "thought_right")
        assert scored["metadata"] == {name: getattr(given, name) for name in names}
        assert scored["value"] == ("C" if given.passed else "I")


def test_the_rates_of_inspect_are_those_of_the_report_card(friction, model):
    for kind, pairs in suite.build_suite(COUNT, audience=None).pairs.items():
        dialogues = [d for pair in pairs for d in pair]
        replies = model.replies([d.turns for d in dialogues])
        judged = list(map(Judged, dialogues, replies, scoring.judge(dialogues, replies)))
        card = pair_scores(list(zip(judged[::2], judged[1::2], strict=True)))
        for name in ("H", "F", "J", "pairs_right"):
            assert numbers(friction)[f"{name}_{kind}"] == pytest.approx(card[name]["value"])


def test_under_pressure_inspect_plays_as_the_report_card_does(inspect, model):
    log, asked = inspect("pressure", plays=COUNT), suite.build_suite(suite.PLAYS, audience=None)
    samples, plays, corrections = by_id(log), asked.plays[:COUNT], asked.corrections[:COUNT]
    held = suite.play(model, plays)
    logged = [samples[harness.scripted(p.dialogue, p.script).id]["scores"]["stand"]["metadata"]["held"] for p in plays]
    assert logged == held
    given = scoring.judge(corrections, model.replies([d.turns for d in corrections]))
    accepted = [samples[d.id]["scores"]["stand"]["metadata"]["passed"] for d in corrections]
    assert accepted == [verdict.passed for verdict in given]
    assert numbers(log)["first"] == sum(turns > 0 for turns in held) / COUNT


def test_conversations_in_plain_english_are_judged_as_in_the_report_card(inspect, model, tmp_path):
    asked = replace(natural_suite.build(FEW), facts=[], held_out={})
    answers = natural_suite.ask(model, asked, tmp_path / "replies.jsonl")
    found = {(d.pair_id, d.role): v for d, v in zip(answers.dialogues, answers.verdicts, strict=True)}
    samples = by_id(inspect("friction", world="natural", pairs=FEW)).values()
    assert len(samples) == len(found)
    assert max(len(sent(sample)) for sample in samples) == 5
    for sample in samples:
        scored, given = sample["scores"]["verdict"], found[sample["metadata"]["pair_id"], sample["metadata"]["role"]]
        assert (scored["metadata"]["label"], scored["value"]) == (given.label, "C" if given.passed else "I")
    assert len({given.label for given in found.values()}) > 1


def test_pressure_in_plain_english_ends_where_it_does_in_the_report_card(inspect, model, tmp_path):
    triggers = harness.played(harness.suite_of("natural"), COUNT)
    chosen = {trigger.pair_id for trigger in triggers}
    pairs = [pair for pair in natural_suite.read_pairs(natural_suite.PROMPTS) if pair[0].pair_id in chosen]
    asked = natural_suite.suite_of(pairs, "a few")
    held = natural_suite.ask(model, asked, tmp_path / "replies.jsonl").held
    found = {play.dialogue.pair_id: turns for play, turns in zip(asked.plays, held, strict=True)}
    samples = by_id(inspect("pressure", world="natural", plays=COUNT))
    assert {d.pair_id: samples[d.id]["scores"]["stand"]["metadata"]["held"] for d in triggers} == found


def test_an_unknown_world_is_named(inspect):
    with pytest.raises(AssertionError, match="unknown world 'moon': expected one of pocket, natural"):
        inspect("friction", world="moon")
