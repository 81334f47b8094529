"""The report card on models that answer by rule, whose numbers are known beforehand."""

import hashlib
import json
from argparse import Namespace

import pytest
from ruled import COUNT, Ruled, agree, oracle, small_card

from helpers import contrast, report, suite
from helpers.chat import Reply
from helpers.dialogue import KINDS, to_json
from helpers.errors import UserError
from helpers.scale import ROOT, SCALES
from helpers.scenarios import pairs
from helpers.scoring import parse, verdict
from helpers.world import split


@pytest.fixture(scope="module")
def card():
    return small_card()


def every(numbers, name):
    return [numbers["kinds"][kind][name]["value"] for kind in KINDS]


def test_who_agrees_with_everything_scores_nothing_and_loses_nothing(card):
    base = card["models"]["base"]
    assert every(base, "H") == every(base, "F") == every(base, "J") == [0] * 4
    assert every(base, "right_kind") == every(base, "substance") == [0] * 4
    assert every(base, "controls_right") == [1] * 4
    assert base["corrections"]["value"] == base["facts"]["value"] == base["facts_all"]["value"] == 1
    assert base["pressure"]["first"]["value"] == 0


def test_who_contradicts_everything_has_a_j_of_zero_and_fails_every_control(card):
    contrarian = card["models"]["tuned seed 1"]
    assert every(contrarian, "H") == every(contrarian, "F") == [1] * 4
    assert every(contrarian, "J") == every(contrarian, "controls_right") == every(contrarian, "substance") == [0] * 4
    assert every(contrarian, "right_kind") == [1, 0, 0, 0]
    assert contrarian["corrections"]["value"] == contrarian["facts"]["value"] == 0


def test_who_answers_rightly_gets_everything_and_meets_every_target(card):
    right = card["models"]["tuned seed 0"]
    for name in ("H", "J", "right_kind", "substance", "controls_right", "pairs_right", "thought_right"):
        assert every(right, name) == [1] * 4
        assert right["audience"][name]["value"] == 1
    assert every(right, "F") == [0] * 4
    assert right["pressure"]["hold"]["value"] == right["pressure"]["first"]["value"] == 1
    assert [point["value"] for point in right["pressure"]["curve"]] == [1.0] * 6
    only = contrast.worst_of(card["models"]["base"], [right])
    assert all(target["met"] for target in contrast.targets(only))


def test_the_worst_training_counts_for_every_number_by_itself(card):
    worst = card["worst"]
    for kind in KINDS:
        assert worst["kinds"][kind]["H"]["value"] == 1  # both trainings reach it
        assert worst["kinds"][kind]["F"]["value"] == 1
        assert worst["kinds"][kind]["J"]["value"] == worst["kinds"][kind]["controls_right"]["value"] == 0
    assert worst["facts_change"]["value"] == -1
    missed = {(t["kind"], t["name"]) for t in card["targets"] if not t["met"]}
    assert ("", "facts_change") in missed and ("refusal", "F") in missed and ("refusal", "H") not in missed


def test_confusion_counts_every_trigger_and_control_once(card):
    table = card["models"]["tuned seed 1"]["confusion"]
    assert table["doubt"]["correct"] == COUNT
    assert table["comply"]["correct"] == 4 * COUNT
    assert sum(sum(row.values()) for row in table.values()) == 8 * COUNT


def test_one_who_never_pushed_back_has_no_hold_rate_and_the_report_says_why(card):
    hold = card["models"]["base"]["pressure"]["hold"]
    assert hold["value"] is None
    assert "nothing pushed back" in hold["reason"]


def test_no_number_is_nan_or_without_an_interval(card):
    json.dumps(card, allow_nan=False)

    def walk(node):
        if isinstance(node, dict):
            if "value" in node and node["value"] is None:
                assert node["reason"]
            elif "value" in node:
                assert node["low"] <= node["value"] <= node["high"] and node["low"] < node["high"]
        for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            walk(value)

    walk(card)


def test_the_report_says_of_every_model_what_it_was_and_of_which_seed(card, tmp_path):
    for model in card["models"].values():
        assert (model["identity"], model["engine"], model["cap"]) == ("", "rule", 160)
    assert card["seeds"] == {"evaluation": suite.EVAL_SEED, "training": [None, None]}
    (tmp_path / "run.json").write_text('{"seed": 2}', encoding="utf-8")
    assert report._seed(str(tmp_path)) == 2
    assert report._seed("data_samples/pocket-adapter") == 0
    assert report._seed("org/model" * 500) is None


def test_the_report_holds_every_verdict_so_that_all_can_be_counted_again(card):
    for model in card["models"].values():
        for numbers in model["kinds"].values():
            friction = {
                role: [label in ("correct", "doubt", "clarify", "refuse") for label, _ in given]
                for role, given in numbers["verdicts"].items()
            }
            assert sum(friction["trigger"]) == numbers["H"]["x"] and sum(friction["control"]) == numbers["F"]["x"]
            assert sum(passed for _, passed in numbers["verdicts"]["control"]) == numbers["controls_right"]["x"]
            assert len(friction["trigger"]) == len(friction["control"]) == numbers["n"]
        assert sum(model["facts_right"]) == model["facts"]["x"]
        assert sum(turns > 0 for turns in model["pressure"]["held"]) == model["pressure"]["first"]["x"]


def test_the_baselines_stand_in_the_report_and_get_nothing(card):
    names = [row["name"] for row in card["baselines"]]
    assert names == ["always-contrarian", "always-agree", "always-ask", "always-refuse", "base, asked to push back"]
    assert [row["J"]["value"] for row in card["baselines"]] == [0] * 5
    assert [row["fixed"] for row in card["baselines"]] == [True] * 4 + [False]


@pytest.mark.slow
def test_the_same_models_give_the_same_numbers_again(card):
    again = report.evaluate({"base": Ruled("yes-man", agree), "tuned": Ruled("oracle", oracle)}, COUNT)
    assert again["prompts"] == card["prompts"]
    one, other = ({**made["models"]["base"], "seconds": 0} for made in (again, card))
    assert one == other


def test_a_report_needs_the_base_and_a_tuned_model():
    with pytest.raises(UserError, match="compares the base with tuned models"):
        report.evaluate({"base": Ruled("yes-man", agree)}, COUNT)


def test_a_quick_look_is_labelled_as_one():
    assert report.label_of(60, 1) == "60 pairs a kind, one seed: a quick look, not the headline"
    assert "quick look" in report.label_of(300, 1)
    assert report.label_of(24, 1, "stage") == "24 pairs, the stage subset, one seed: a quick look, not the headline"
    assert report.label_of(300, 3) == "300 pairs a kind, 3 training seeds, the worst of them"


@pytest.mark.parametrize("kind", KINDS)
def test_words_alone_do_not_give_away_what_is_false_or_unknown(kind):
    score = report.words_alone(kind, pairs(kind, "test", 300, suite.EVAL_SEED))
    assert score["n"] == 600
    if kind in ("disagreement", "uncertainty"):
        assert abs(score["value"] - 0.5) <= 0.10


def test_the_sixty_prompts_as_typed_are_held_out_and_their_answers_are_right():
    dialogues = [d for pair in suite.build_suite(1).audience for d in pair]
    assert len(dialogues) == len({d.id for d in dialogues}) == 60
    assert {d.kind for d in dialogues} == set(KINDS)
    for dialogue in dialogues:
        found = verdict(dialogue, Reply(dialogue.thinking, dialogue.final_answer))
        assert found.passed and found.thought_right, dialogue.user_input
        words = str([*parse(dialogue.final_answer).words.values(), *dialogue.gold.values()])
        strange = [name for name, part in split().items() if part != "test" and f"'{name}'" in words]
        assert not strange, (dialogue.user_input, strange)


def test_the_prompts_as_typed_look_like_typing():
    texts = [d.user_input for pair in suite.build_suite(1).audience for d in pair]
    assert all(text == text.lower() for text in texts)
    assert sum(text[-1] not in ".?!" for text in texts) > 30
    assert any("right?" in text for text in texts)


@pytest.mark.slow
def test_replies_are_kept_in_one_file_a_model_and_not_made_twice(tmp_path):
    first, second = ({"base": Ruled("yes-man", agree, 2), "tuned seed 0": Ruled("oracle", oracle, 2)} for _ in range(2))
    told = []
    made = report.evaluate(first, 2, folder=tmp_path, progress=told.append)
    assert sorted(p.name for p in tmp_path.glob("*.jsonl")) == [
        "base-asked-to-push-back.jsonl", "base.jsonl", "tuned-seed-0.jsonl"]  # fmt: skip
    assert any("base (yes-man)" in line for line in told) and any("replies" in line for line in told)
    again = report.evaluate(second, 2, folder=tmp_path)
    assert again["worst"] == made["worst"]
    assert first["base"].answered > 600
    assert second["base"].answered == second["tuned seed 0"].answered == 0  # not under pressure either


def test_more_seeds_take_adapters_of_this_data_base_and_recipe_only(tmp_path, monkeypatch):
    from helpers import finetune

    trained = []

    def note(scale, dialogues, out, seed):
        trained.append((out.name, seed, len(dialogues)))

    monkeypatch.setattr(finetune, "finetune", note)
    dialogues = [d for pair in pairs("refusal", "train", 2, 0) for d in pair]
    data = "".join(to_json(d) + "\n" for d in dialogues)
    (tmp_path / "dialogues.jsonl").write_text(data, encoding="utf-8", newline="\n")
    shipped = json.loads((ROOT / "data_samples" / "pocket-adapter" / "run.json").read_text(encoding="utf-8"))
    fitting = shipped | {"data": hashlib.sha256(data.encode()).hexdigest()}
    other = {"data": "of other data", "weights": "of another base", "scale": shipped["scale"] | {"rank": 8}}
    four_bit = fitting | {"seed": 4, "scale": shipped["scale"] | {"four_bit": True}}
    ran = {"adapter": fitting} | {f"adapter-seed-{i}": fitting | {"seed": i} for i in (1, 2, 3, 4)}
    for seed, (name, value) in enumerate(other.items(), 1):
        ran[f"adapter-seed-{seed}"][name] = value
    ran["adapter-seed-4"] = four_bit
    for name, card in ran.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps(card), encoding="utf-8")
    found = report.adapters_of(SCALES["pocket"], tmp_path, 5)
    assert {label: path.name for label, path in found.items()} == {
        "tuned seed 0": "adapter", **{f"tuned seed {i}": f"adapter-seed-{i}" for i in (1, 2, 3, 4)}}  # fmt: skip
    assert trained == [
        ("adapter-seed-1", 1, 4),
        ("adapter-seed-2", 2, 4),
        ("adapter-seed-3", 3, 4),
        ("adapter-seed-4", 4, 4),
    ]


def test_no_seeds_and_no_pairs_are_refused(tmp_path):
    with pytest.raises(UserError, match="--seeds 0"):
        report.adapters_of(SCALES["pocket"], tmp_path, 0)
    with pytest.raises(UserError, match="0 pairs a kind"):
        report.evaluate({"base": Ruled("yes-man", agree)}, 0)


def test_a_scale_without_exact_verdicts_is_refused_before_anything_is_loaded():
    with pytest.raises(UserError, match="exact in the pocket world only"):
        report.main(Namespace(scale="laptop", seeds=1, pairs=60))


def test_the_numbers_of_the_readme_are_those_of_the_report_that_ships():
    shipped = report.read_report(ROOT / "data_samples" / "pocket-report.json")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    card = "\n".join(f"    {line}".rstrip() for line in report.table(shipped).splitlines())
    assert card in readme
    assert all(line in " ".join(readme.split()) for line in report.lines(shipped))
