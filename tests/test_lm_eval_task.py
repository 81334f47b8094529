"""lm-evaluation-harness asks a server of the pocket GGUF; what it logs is what the course itself finds."""

import json
import math
import re

import pytest

from helpers import chat, generate, harness, lm_eval_task, natural, scoring, suite
from helpers.natural_suite import PROMPTS, read_pairs
from helpers.scale import ROOT
from helpers.serve import Server
from tests import harnesses

LIMIT = 24  # dialogues of each world: three pairs a kind


def test_the_files_are_those_that_the_suite_gives(tmp_path):
    for path in lm_eval_task.write(tmp_path):
        shipped = (lm_eval_task.FOLDER / path.name).read_text("utf-8")
        assert shipped == path.read_text("utf-8"), f"{path.name}: run python -m helpers.lm_eval_task"
    assert {p.name for p in tmp_path.iterdir()} == {p.name for p in lm_eval_task.FOLDER.iterdir()}


@pytest.mark.parametrize("world", lm_eval_task.DATA)
def test_the_yaml_names_files_and_functions_that_are_there(world):
    text = (lm_eval_task.FOLDER / f"{world}.yaml").read_text("utf-8")
    assert (ROOT / re.search(r"test: (\S+)", text)[1]) == lm_eval_task.DATA[world]
    functions = re.findall(r"!function helpers\.lm_eval_task\.(\w+)", text)
    assert len(functions) == 4
    assert all(callable(getattr(lm_eval_task, name)) for name in functions)


@pytest.fixture(scope="module")
def docs(tmp_path_factory):
    """The docs of a world as the harness loads them."""
    datasets = pytest.importorskip("datasets")
    folder = str(tmp_path_factory.mktemp("cache"))

    def load(world: str):
        return datasets.load_dataset("json", data_files=str(lm_eval_task.DATA[world]), split="train", cache_dir=folder)

    return load


def test_a_doc_becomes_the_dialogue_of_the_suite_again(docs):
    asked = harness.matched(suite.build_suite(lm_eval_task.COUNT, audience=None))
    found = [lm_eval_task.dialogue_of(doc) for doc in lm_eval_task.single_turns(docs("pocket"))]
    assert [(d.id, d.pair_id, d.gold) for d in found] == [(d.id, d.pair_id, d.gold) for d in asked]


def test_in_plain_english_whole_pairs_of_one_turn_are_asked(docs):
    wanted = {d.id: d.gold for pair in read_pairs(PROMPTS) for d in pair if len(d.turns) == 1}
    found = [lm_eval_task.dialogue_of(doc) for doc in lm_eval_task.single_turns(docs("natural"))]
    assert {d.id: d.gold for d in found} == wanted
    assert all(t.pair_id == c.pair_id for t, c in zip(found[::2], found[1::2], strict=True))
    assert len({d.kind for d in found[:8]}) == 4


def test_a_cut_off_thought_is_no_answer(docs):
    doc = docs("pocket")[0]
    scores = lm_eval_task.pocket_results(doc, [f"{chat.THINK}\nI know that"])
    assert (scores["passed"], scores["friction_on_triggers"], scores["J"][3]) == (0.0, 0.0, "unparsed")


def test_a_rate_of_one_half_is_not_a_number_and_the_log_says_why(caplog):
    half = [["1", "refusal", "trigger", "refuse", True]]
    assert math.isnan(lm_eval_task.youden(half)) and math.isnan(lm_eval_task.pairs_right(half))
    assert "J is not a number: its H and its F need triggers and controls, of 1 replies." in caplog.text
    assert "pairs_right is not a number: it needs a whole pair" in caplog.text


def test_the_rates_in_plain_english_are_marked_where_the_harness_prints_them():
    alias = "task_alias: friction_natural (verdicts gold-anchored, not validated)\n"
    assert alias in (lm_eval_task.FOLDER / "natural.yaml").read_text("utf-8")


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """(model, {world: the logged samples}, {world: the results}) of one run of both tasks."""
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed here", exc_type=ImportError)
    model, folder = generate.load(harnesses.gguf(tmp_path_factory)), tmp_path_factory.mktemp("lm-eval")
    with Server(model) as server:
        harnesses.run(
            "lm_eval", "run", "--model", "local-chat-completions", "--apply_chat_template",
            "--model_args", f"model=pocket,base_url={server.url}/chat/completions",
            "--include_path", "data_samples/harness", "--tasks", "friction_pocket,friction_natural",
            "--limit", str(LIMIT), "--output_path", str(folder), "--log_samples", scratch=folder,
        )  # fmt: skip
    (results,) = folder.rglob("results_*.json")
    logged = {}
    for world in lm_eval_task.DATA:
        (path,) = folder.rglob(f"samples_friction_{world}_*.jsonl")
        logged[world] = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return model, logged, json.loads(results.read_text("utf-8"))["results"]


@pytest.mark.slow
@pytest.mark.parametrize("world, judge", [("pocket", scoring), ("natural", natural)])
def test_each_score_is_the_courses_own_verdict_on_the_models_own_reply(samples, world, judge):
    model, logged, _ = samples
    asked = harness.matched(suite.build_suite(LIMIT, audience=None)) if world == "pocket" else _singles()
    replies = model.replies([d.turns for d in asked[:LIMIT]], harness.LIMITS[world])
    assert len(logged[world]) == LIMIT
    for dialogue, reply, sample in zip(asked, replies, logged[world], strict=False):
        (text,) = sample["filtered_resps"]
        said = chat.parse_reply(text, prefilled=False)
        assert (said.thinking, said.answer) == (reply.thinking, reply.answer)
        given = judge.verdict(dialogue, said)
        assert sample["J"] == [dialogue.pair_id, dialogue.kind, dialogue.role, given.label, given.passed]
        assert sample[f"friction_on_{dialogue.role}s"] == given.friction
        assert sample["passed"] == given.passed


def _singles() -> list:
    pairs = [pair for pair in read_pairs(PROMPTS) if len(pair[0].turns) == 1]
    return [d for pair in harness.taking_turns(pairs, kind=lambda pair: pair[0].kind) for d in pair]


@pytest.mark.slow
@pytest.mark.parametrize("world", lm_eval_task.DATA)
def test_the_totals_of_the_harness_are_those_of_its_samples(samples, world):
    _, logged, results = samples
    wanted = harness.rates(harness.Item(*sample["J"]) for sample in logged[world])
    names = {"H": "friction_on_triggers", "F": "friction_on_controls", "J": "J", "pairs_right": "pairs_right"}
    found = {name: results[f"friction_{world}"][f"{metric},none"] for name, metric in names.items()}
    assert found == pytest.approx({name: wanted[name] for name in names})
