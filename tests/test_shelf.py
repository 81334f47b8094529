"""The records: each once, in the order of the scenarios, and a whole file only at the end."""

import json

import pytest

from helpers.dialogue import read_dialogues
from helpers.errors import UserError
from helpers.scenarios import training_set
from helpers.shelf import Shelf

DIALOGUES = training_set(20, seed=0)
IDS = [d.id for d in DIALOGUES]


def fill(out, dialogues, finish: bool = False) -> Shelf:
    shelf = Shelf(out)
    for dialogue in dialogues:
        shelf.put(dialogue)
    if finish:
        (out.parent / "out.journal.jsonl").touch()
        shelf.finish(IDS)
    shelf.close()
    return shelf


def test_the_file_is_whole_and_in_the_order_of_the_scenarios(tmp_path):
    fill(tmp_path / "out.jsonl", reversed(DIALOGUES), finish=True)
    assert list(read_dialogues(tmp_path / "out.jsonl")) == DIALOGUES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.journal.jsonl", "out.jsonl"]


def test_until_then_there_is_no_file_that_could_be_taken_for_whole(tmp_path):
    fill(tmp_path / "out.jsonl", DIALOGUES[:3])
    assert not (tmp_path / "out.jsonl").exists()
    assert Shelf(tmp_path / "out.jsonl").good == set(IDS[:3])


def test_a_record_that_was_cut_in_half_is_made_again(tmp_path):
    part = fill(tmp_path / "out.jsonl", DIALOGUES[:3]).part
    part.write_bytes(part.read_bytes()[:-5])
    assert Shelf(tmp_path / "out.jsonl").good == set(IDS[:2])


def test_a_finished_file_can_grow(tmp_path):
    fill(tmp_path / "out.jsonl", DIALOGUES[:10], finish=True)
    fill(tmp_path / "out.jsonl", DIALOGUES[10:], finish=True)
    assert list(read_dialogues(tmp_path / "out.jsonl")) == DIALOGUES


def test_a_file_of_somebody_else_is_not_written_over(tmp_path):
    (tmp_path / "out.jsonl").write_text("{}\n")
    with pytest.raises(UserError, match="made by something else"):
        Shelf(tmp_path / "out.jsonl")
    Shelf(tmp_path / "out.jsonl", fresh=True).close()
    assert (tmp_path / "out.jsonl").read_text() == "{}\n", "it stays until the new one is whole"


def test_what_is_set_aside_is_known_with_its_reason_and_is_no_record(tmp_path):
    shelf = Shelf(tmp_path / "out.jsonl")
    shelf.set_aside(DIALOGUES[0], "Synthesizer", "the answer is empty")
    assert IDS[0] in shelf and shelf.good == set()
    assert shelf.last_reason() == "the answer is empty"
    shelf.close()
    line = json.loads(shelf.aside.read_text())
    assert (line["id"], line["step"], "final_answer" in line) == (IDS[0], "Synthesizer", False)
    assert IDS[0] in Shelf(tmp_path / "out.jsonl")
