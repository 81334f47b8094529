"""A run of five minutes beside the whole one: what is recorded, and who is told of it."""

from argparse import Namespace
from types import SimpleNamespace

import pytest
import tiny
from ruled import COUNT, Ruled, contradict, oracle

from helpers import baselines, exhibit_card, exhibits, finetune, less_time, suite
from helpers.dialogue import write_dialogues
from helpers.scale import SCALES
from helpers.scoring import judge


def row(name, rule, steps):
    """False premises of the pocket world stand for the facts that are known."""
    model, pairs = Ruled(name, rule), suite.build_suite(COUNT).pairs
    asked = {**pairs, "known facts": pairs["disagreement"]}
    answer = lambda some: model.replies([d.turns for d in some])  # noqa: E731
    return {**baselines.row(name, asked, judge, answer), "run": {"steps": steps, "seed": 0}}


def test_the_sentence_holds_the_counts_of_both_and_keeps_known_facts_apart():
    said = less_time.sentence(row("5 minutes", contradict, 80), row("tuned", oracle, 561))
    assert said == (
        "What fewer steps cost was measured: 80 steps deny 20 of 20 false claims that the base knows better and 20 of "
        "20 true ones; of every sort of prompt they push back on 80 of 80 triggers and 80 of 80 controls. 561 steps "
        "deny 20 of 20 false claims that the base knows better and 0 of 20 true ones; of every sort of prompt they "
        "push back on 80 of 80 triggers and 0 of 80 controls."
    )


@pytest.mark.parametrize(("scale", "cut", "told"), [("laptop", "a limit", 1), ("laptop", "", 0), ("pocket", "cut", 0)])
def test_who_cuts_a_run_short_is_told_what_that_costs(scale, cut, told, tmp_path, monkeypatch, capsys):
    (tmp_path / "five-minutes.json").write_text('{"said": "What fewer steps cost."}', encoding="utf-8")
    card = SimpleNamespace(cut_short=cut, base=finetune.base_name(SCALES[scale].model))
    for name, stand_in in (
        ("LESS_TIME", tmp_path / "five-minutes.json"), ("finetune", lambda *_, **__: card), ("data_of", lambda *_: []),
    ):  # fmt: skip
        monkeypatch.setattr(finetune, name, stand_in)
    finetune.main(Namespace(scale=scale, seed=0, four_bit=None, fresh=False, minutes=5.0))
    assert capsys.readouterr().out.count("What fewer steps cost.") == told


@pytest.mark.slow
def test_it_is_trained_once_measured_and_recorded_beside_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(finetune, "LESS_TIME", tmp_path / "five-minutes.json")
    monkeypatch.setattr(less_time, "MINUTES", 0.02)
    scale, folder, said = tiny.scale(tiny.write_base(tmp_path / "base")), tmp_path / "run", []
    write_dialogues(folder / "dialogues.jsonl", tiny.dialogues())
    proof = exhibits.pocket_proof(COUNT)
    proof.pairs["known facts"] = proof.pairs["disagreement"]
    beside = [row("base", contradict, 0), row("tuned", oracle, 561)]
    first = less_time.run(scale, folder, proof, beside, said.append)
    assert exhibit_card.read(finetune.LESS_TIME) == first
    assert [model["name"] for model in first["models"]] == ["base", "tuned", "0.02 minutes"]
    assert f"measured: {first['models'][2]['run']['steps']} steps deny" in first["said"]
    said.clear()
    assert less_time.run(scale, folder, proof, beside, said.append)["models"] == first["models"]
    assert not said
