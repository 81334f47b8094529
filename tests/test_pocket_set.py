"""What the pocket model is fine-tuned on: nothing that is held out, and of every sort its share."""

import re
from collections import Counter

import pytest

from helpers.pocket_set import SHARES, rehearsal, training_set
from helpers.scenarios import facts_in
from helpers.world import language, split


def words_of(dialogue):
    text = " ".join([turn["content"] for turn in dialogue.turns] + [dialogue.thinking, dialogue.final_answer])
    return set(re.findall(r"[A-Za-z-]+", text))


@pytest.fixture(scope="module")
def trained():
    return training_set(4000, 0)


def test_the_same_seed_makes_the_same_set_and_another_seed_another(trained):
    assert [d.id for d in training_set(400, 1)] == [d.id for d in training_set(400, 1)]
    assert [d.id for d in training_set(400, 1)] != [d.id for d in training_set(400, 2)]


def test_each_sort_has_its_share(trained):
    found = Counter("pressure" if len(d.turns) > 1 else d.kind for d in trained)
    assert sum(SHARES.values()) == pytest.approx(1)
    assert found == {sort: round(share * 4000) for sort, share in SHARES.items()}


@pytest.mark.slow
def test_no_held_out_name_stands_anywhere_in_the_training_set(trained):
    held = {name.removeprefix("the ") for name, part in split().items() if part != "train"}
    seen = Counter(word for d in trained for word in words_of(d) & held - _ordinary())
    assert not seen


def _ordinary():
    """Words of the sentence forms themselves, which every dialogue shares."""
    forms = [text for form in language()["phrasings"].values() for text in form]
    forms += list(language()["replies"].values()) + list(language()["thoughts"].values())
    forms += [line for kind in language()["relay"].values() for role in kind.values() for line in role]
    return {word for text in forms for word in re.findall(r"[A-Za-z-]+", text)}


def test_what_is_rehearsed_is_plain_recall_of_every_fact_and_holds_no_friction(trained):
    read = rehearsal(0.25, trained, seed=0)
    recalled = [d for d in read if d.user_input.startswith("Recall ")]
    needed = [d for d in read if d.user_input.startswith("What is needed to ")]
    assert len(recalled) == 3 * len(needed) and len(read) == len(trained) // 4 == len(recalled) + len(needed)
    assert {d.gold["value"] for d in recalled} == {f.value for f in facts_in("all")}
    assert all(d.gold["value"] in d.final_answer for d in recalled)
    assert all(d.final_answer.startswith(f"To {d.gold['task']} I need the ") for d in needed)
    assert not any(agent.friction_moments for d in read for agent in d.agents)
    assert rehearsal(0, trained, seed=0) == [] and not {d.id for d in read} & {d.id for d in trained}


def test_no_held_out_task_or_phrasing_is_trained_on(trained):
    groups = language()["tasks"].values()
    held = {word for group in groups for word in (*group["needs"], *group["objects"]) if split()[word] != "train"}
    asked = [d.gold["task"].split(" ", 1) for d in trained if d.kind == "clarification"]
    assert held and asked and not held & {word for task in asked for word in task}
    assert not [d for d in trained if d.turns[0]["content"].startswith(("Since ", "Could you remind", "Are you able"))]


def test_every_pair_has_one_trigger_and_one_control_with_the_same_surface(trained):
    groups = {}
    for d in trained:
        groups.setdefault(d.pair_id, []).append(d.role)
    assert all(sorted(roles) == ["control", "trigger"] for roles in groups.values())
