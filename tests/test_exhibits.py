"""The fine-tune without controls and without reasoning: what is trained, and what is said of it."""

import json
from argparse import Namespace
from dataclasses import replace

import pytest
import tiny
from ruled import COUNT, Ruled, agree, contradict, oracle

from helpers import (
    artefacts,
    baselines,
    chat,
    exhibit_card,
    exhibits,
    finetune,
    natural_suite,
    plain_english,
    schema,
    stats,
    suite,
)
from helpers.dialogue import KINDS, write_dialogues, write_text
from helpers.errors import UserError
from helpers.scale import ROOT, SCALES
from helpers.scoring import judge

POCKET = ROOT / "data_samples" / "pocket"


@pytest.fixture(scope="module")
def dialogues():
    return tiny.dialogues()


def row(name, rule):
    model, asked = Ruled(name, rule), suite.build_suite(COUNT)
    answer = lambda some: model.replies([d.turns for d in some])  # noqa: E731
    return {**baselines.row(name, asked.pairs, judge, answer), "run": {"device": "a machine"}}


@pytest.fixture(scope="module")
def found():
    """The base agrees, tuned is right; without controls it contradicts everything, without reasoning it agrees."""
    rules = {"base": agree, "tuned": oracle, "no controls": contradict, "no reasoning": agree}
    return exhibits.record("laptop", exhibits.pocket_proof(COUNT), [row(*one) for one in rules.items()])


def test_without_controls_every_trigger_is_left_and_nothing_else(dialogues):
    made = exhibits.without_controls(dialogues)
    assert made == [d for d in dialogues if d.role == "trigger"]
    assert 2 * len(made) == len(dialogues)


def test_without_reasoning_only_the_thought_is_another_and_it_is_the_same_everywhere(dialogues):
    made = exhibits.without_reasoning(dialogues, SCALES["pocket"])
    assert {d.thinking for d in made} == {"Of course."}
    assert [replace(d, agents=()) for d in made] == [replace(d, agents=()) for d in dialogues]


def test_at_scale_laptop_no_thought_is_trained_without_reasoning():
    some = plain_english.plain()
    assert {d.thinking for d in exhibits.without_reasoning(some, SCALES["laptop"])} == {""}


def test_the_prompt_is_tokenised_alike_in_training_and_when_asked_which_an_empty_thought_would_undo(dialogues):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(POCKET / "tokenizer.json"))

    def is_prefix(thought):
        prompt = chat.render(dialogues[0].turns)
        whole = prompt + chat.target(thought, "Yes.").removeprefix(f"{chat.THINK}\n")
        ids = tokenizer.encode(prompt, add_special_tokens=False).ids
        return tokenizer.encode(whole, add_special_tokens=False).ids[: len(ids)] == ids

    assert is_prefix(exhibits.without_reasoning(dialogues, SCALES["pocket"])[0].thinking)
    assert not is_prefix("")


def test_the_sentences_hold_the_counts_and_name_what_was_missed(found):
    n = 4 * COUNT
    assert exhibit_card.sentences(found) == [
        f"With controls and reasoning it pushes back in {n} of {n} where it should, saying the right thing in {n}, "
        f"and in 0 of {n} where nothing is wrong.",
        f"The same without the controls pushes back in {n} of {n} where it should, saying the right thing in 0, "
        f"and in {n} of {n} where nothing is wrong: it learned to object, and hardly when to.",
        f"The same without the reasoning pushes back in 0 of {n} where it should, saying the right thing in 0, "
        f"and in 0 of {n} where nothing is wrong: it says the right thing less often.",
    ]


def test_where_they_were_trained_in_different_precision_it_is_said(found):
    runs = [None, *({"scale": {"dtype": dtype}} for dtype in ("bfloat16", "float32", "float32"))]
    models = [{**model, "run": run} for model, run in zip(found["models"], runs, strict=True)]
    said = exhibit_card.sentences({**found, "models": models})
    assert said[-1].startswith(
        "One training each, in what the machine was faster in: tuned bfloat16, no controls float"
    )
    assert len(exhibit_card.sentences(found)) == 3


def test_known_facts_are_told_by_themselves(found):
    models = [{**m, "kinds": {exhibit_card.KNOWN: m["kinds"]["disagreement"]}} for m in found["models"]]
    said = exhibit_card.sentences({**found, "models": models})[-1]
    assert said.endswith(f"push back on: tuned {COUNT} and 0; no controls {COUNT} and {COUNT}; no reasoning 0 and 0.")


def test_objecting_too_often_is_told_from_objecting_to_everything(found):
    base, tuned, controls, _ = found["models"]
    half = {kind: {**rates, "F": stats.rate(COUNT // 2, COUNT)} for kind, rates in controls["kinds"].items()}
    said = exhibit_card.sentences({**found, "models": [base, tuned, {**controls, "kinds": half}]})[1]
    assert said.endswith("it learned to object, and less well when to.")


def test_a_difference_that_the_intervals_do_not_show_is_not_called_one(found):
    tuned = found["models"][1]
    alike = found | {"models": [*found["models"][:3], {**tuned, "name": "no reasoning", "left_out": "the reasoning"}]}
    assert exhibit_card.sentences(alike)[-1].endswith(f"no difference that {4 * COUNT} pairs could show.")


def test_the_picture_names_all_four_models(found, tmp_path):
    drawn = exhibit_card.picture(found, tmp_path / "exhibits.png")
    assert all(name in drawn.alt for name in ("base", "tuned", "no controls", "no reasoning"))
    assert drawn.path.stat().st_size > 10_000


def test_at_scale_laptop_known_facts_stand_beside_all_other_prompts(found, tmp_path):
    row = found["models"][2]  # it contradicts everything
    with_known = {**row, "kinds": {**row["kinds"], exhibit_card.KNOWN: row["kinds"]["disagreement"]}}
    two = exhibit_card.in_two(with_known)["kinds"]
    assert list(two) == [exhibit_card.KNOWN, exhibit_card.OTHERS]
    n = 4 * COUNT
    others = two[exhibit_card.OTHERS]
    assert (others["H"]["x"], others["F"]["x"], others["H"]["n"]) == (n, n, n)
    assert (others["J"]["value"], others["J"]["n"]) == (0, n)
    assert exhibit_card.in_two(row) == row
    drawn = exhibit_card.picture({**found, "models": [with_known] * 4}, tmp_path / "two.png")
    assert exhibit_card.OTHERS in drawn.alt


def test_the_table_fits_a_terminal_of_105_columns(found):
    lines = exhibit_card.table(found).splitlines()
    assert max(map(len, lines)) <= 105
    assert len(lines) == 1 + 4 * 4 + 1


def test_at_scale_laptop_it_is_shown_as_recorded_or_refused(found, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(exhibits, "RECORDED", tmp_path / "exhibits.json")
    monkeypatch.setattr(exhibits, "run_dir", lambda _: tmp_path / "run")
    with pytest.raises(UserError, match=r"exhibits\.json is not there"):
        exhibits.main(Namespace(scale="laptop", record=False))
    (tmp_path / "exhibits.json").write_text(json.dumps(found), encoding="utf-8")
    exhibits.main(Namespace(scale="laptop", record=False))
    said = capsys.readouterr().out
    assert f"Recorded on {found['date'][:10]} (a machine), and not measured now" in said
    assert "without the controls" in said
    assert (tmp_path / "run" / "exhibits.png").exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 99}', '{"schema": 1}'])
def test_a_broken_record_is_named(text, tmp_path):
    (tmp_path / "exhibits.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"exhibits\.json is not"):
        exhibit_card.read(tmp_path / "exhibits.json")


@pytest.mark.parametrize("other", ["data", "base", "weights"])
def test_an_adapter_of_other_dialogues_or_another_base_is_not_taken_for_the_tuned_model(other, dialogues, tmp_path):
    scale, path = tiny.scale(POCKET), tmp_path / "adapter" / "run.json"
    card = {
        "data": finetune.data_hash(dialogues), "base": "data_samples/pocket", "weights": artefacts.identity(POCKET)
    }  # fmt: skip
    write_text(path, json.dumps(card))
    assert exhibits.tuned_run(scale, tmp_path, dialogues) == (path.parent, card)
    write_text(path, json.dumps(card | {other: "another"}))
    with pytest.raises(UserError, match="python -m helpers finetune --scale pocket"):
        exhibits.tuned_run(scale, tmp_path, dialogues)


@pytest.mark.slow
def test_at_scale_laptop_prompts_of_one_turn_and_known_facts_are_asked():
    groups = exhibits.laptop_proof(5).pairs
    assert list(groups) == [*KINDS, "known facts"]
    assert {len(group) for group in groups.values()} == {5}
    first_turns = {
        d.turns[0]["content"]
        for d in (one for _, one in schema.read(natural_suite.PROMPTS).records)
        if len(d.turns) > 1
    }
    assert not [d for group in groups.values() for pair in group for d in pair if d.user_input in first_turns]


@pytest.mark.slow
def test_both_are_trained_once_by_the_recipe_and_for_the_steps_of_the_tuned_model(dialogues, tmp_path):
    scale, folder, said = tiny.scale(tiny.write_base(tmp_path / "base")), tmp_path / "run", []
    proof = exhibits.pocket_proof(1)
    write_dialogues(folder / "dialogues.jsonl", dialogues)
    tuned = finetune.finetune(scale, dialogues, folder / "adapter", seed=1, progress=lambda _: None)
    first = exhibits.run(scale, folder, proof, said.append)
    assert [m["name"] for m in first["models"]] == ["base", "tuned", "no controls", "no reasoning"]
    for model in first["models"][2:]:
        assert (model["run"]["steps"], model["run"]["seed"]) == (tiny.STEPS, 1)
        assert model["run"]["scale"] == {**json.loads(json.dumps(vars(tuned)["scale"])), "patience": 0}
        assert model["run"]["command"] == "python -m helpers exhibit --scale pocket"
    assert first["models"][2]["run"]["dialogues"] < tuned.dialogues == first["models"][3]["run"]["dialogues"]
    assert exhibit_card.read(folder / "exhibits.json") == first
    said.clear()
    again = exhibits.run(scale, folder, proof, said.append)
    assert sum("Trained already" in line for line in said) == 2
    assert again["models"] == first["models"]
    (folder / "adapter-no-controls" / "run.json").unlink()
    said.clear()
    exhibits.run(scale, folder, proof, said.append)
    assert sum("Trained already" in line for line in said) == 1
