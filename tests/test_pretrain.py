import json

import pytest

from helpers import pretrain
from helpers.errors import UserError
from helpers.pocket import POCKET_DIR, Recipe

TINY = Recipe(hidden=32, layers=1, heads=1, mlp=32, steps=6, batch=4, warmup=2, threads=1)


@pytest.mark.slow
def test_a_stopped_training_goes_on_to_the_same_losses(tmp_path):
    straight = pretrain.pretrain(TINY, tmp_path / "a", report=lambda line: None)
    pretrain.pretrain(TINY, tmp_path / "b", steps=3, report=lambda line: None)
    said = []
    resumed = pretrain.pretrain(TINY, tmp_path / "b", report=said.append)
    assert resumed == pytest.approx(straight, abs=1e-5)
    assert said[0] == "Going on from step 3 of 6"


@pytest.mark.slow
def test_a_damaged_checkpoint_is_named_and_an_unfinished_base_is_not_published(tmp_path):
    pretrain.pretrain(TINY, tmp_path, steps=2, report=lambda line: None)
    with pytest.raises(UserError, match="2 of 6 steps done"):
        pretrain.publish(tmp_path, tmp_path / "out")
    (tmp_path / "checkpoint.pt").write_bytes(b"PK torn")
    with pytest.raises(UserError, match=r"checkpoint.pt cannot be read"):
        pretrain.pretrain(TINY, tmp_path, report=lambda line: None)


@pytest.mark.slow
def test_a_checkpoint_of_other_lessons_is_not_taken_and_a_finished_one_is_dropped(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrain, "WORK", tmp_path / "work")
    pretrain.pretrain(TINY, tmp_path / "work", steps=3, report=lambda line: None)
    monkeypatch.setattr(pretrain, "lessons_hash", lambda recipe: "others")
    said = []
    out = pretrain.rebuild(TINY, tmp_path / "out", said.append)
    assert "of other lessons: beginning anew" in said[1]
    assert (out / "model.safetensors").exists() and not list(out.glob("*.part"))
    assert not (tmp_path / "work" / "checkpoint.pt").exists()


@pytest.mark.slow
def test_the_first_steps_of_the_shipped_base_can_be_repeated():
    assert pretrain.verify(steps=50, report=lambda line: None) <= pretrain.TOLERANCE


@pytest.mark.slow
def test_weights_of_other_lessons_are_noticed(tmp_path):
    record = json.loads((POCKET_DIR / pretrain.RECORD).read_text(encoding="utf-8"))
    (tmp_path / pretrain.RECORD).write_text(json.dumps({**record, "lessons": "others"}), encoding="utf-8")
    with pytest.raises(UserError, match="the recipe, the lessons or the tables have changed"):
        pretrain.verify(tmp_path, steps=3, report=lambda line: None)
    record["first_losses"][1] += 0.1
    (tmp_path / pretrain.RECORD).write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(UserError, match=r"losses differ by 0\.1"):
        pretrain.verify(tmp_path, steps=3, report=lambda line: None)


def test_the_record_beside_the_weights_says_what_was_trained():
    record = json.loads((POCKET_DIR / pretrain.RECORD).read_text(encoding="utf-8"))
    assert Recipe(**record["recipe"]) == Recipe()
    assert len(record["first_losses"]) == pretrain.VERIFIED_STEPS and record["loss"] < 0.2
    assert record["lessons"] == pretrain.lessons_hash(Recipe())
    assert record["seconds"] > 0
