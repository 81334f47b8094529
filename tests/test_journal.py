"""The journal: what is in it after a kill, what it says when it cannot be written. The shelf: each record once."""

import asyncio
import json
import os

import pytest

from helpers.dialogue import read_dialogues
from helpers.errors import UserError
from helpers.journal import Answer, Journal, Shelf, alone, whole_lines
from helpers.pocket_set import training_set

SETTINGS = {"model": "local/relay", "prompts": "2 (abc)"}
ANSWER = Answer("{}", "stop", 40, 0.5, 0)


def write(path, *records: str, settings=SETTINGS) -> None:
    journal = Journal(path, settings)

    async def keep():
        for number, record in enumerate(records):
            journal.note({"sent": number, "tokens": 100, "cost": 1.0})
            await journal.keep(record, "key", Answer("{}", "stop", 40, 0.5, number))

    asyncio.run(keep())
    journal.close()


def test_answers_are_there_for_the_next_run_but_only_of_unfinished_records(tmp_path):
    write(tmp_path / "j", "one", "two")
    journal = Journal(tmp_path / "j", SETTINGS, done={"one"})
    assert (journal.known("one"), journal.known("two")) == ({}, {"key": Answer("{}", "stop", 40, 0.5, 1)})
    assert journal.known("two") == {}, "they are the caller's now"
    assert (journal.calls, journal.tickets, journal.spent) == (2, 2, (80, 1.0))


def test_a_call_whose_end_nobody_knows_counts_at_its_dearest(tmp_path):
    write(tmp_path / "j", "one")
    with (tmp_path / "j").open("a") as file:
        file.write('{"sent": 1, "tokens": 100, "cost": 1.0}\n{"sent": 2, "tokens": 7, "cost": 7.0}\n{"free": 2}\n')
    assert Journal(tmp_path / "j", SETTINGS).spent == (140, 1.5)


@pytest.mark.parametrize("cut", range(1, 40, 7))
def test_a_line_that_was_cut_in_half_is_dropped_and_the_file_can_be_gone_on_with(tmp_path, cut):
    write(tmp_path / "j", "one", "two")
    whole = (tmp_path / "j").read_bytes()
    (tmp_path / "j").write_bytes(whole[:-cut])
    journal = Journal(tmp_path / "j", SETTINGS)
    assert (set(journal.known("one")), set(journal.known("two"))) == ({"key"}, set())
    asyncio.run(journal.keep("two", "key", ANSWER))
    journal.close()
    assert all(json.loads(line) for line in (tmp_path / "j").read_bytes().splitlines())


def test_a_broken_line_in_the_middle_is_named(tmp_path):
    write(tmp_path / "j", "one")
    text = (tmp_path / "j").read_text()
    (tmp_path / "j").write_text(text + "nonsense\n" + text.splitlines()[-1] + "\n")
    with pytest.raises(UserError, match="line 4: not a line of a journal"):
        Journal(tmp_path / "j", SETTINGS)


def test_what_was_begun_with_another_model_is_not_mixed_in(tmp_path):
    write(tmp_path / "j", "one")
    with pytest.raises(UserError, match=r"begun with model local/relay, and this run has openai/x.*--fresh"):
        Journal(tmp_path / "j", {**SETTINGS, "model": "openai/x"})


def test_keep_comes_back_when_the_answer_is_on_the_disk_and_many_share_a_sync(tmp_path, monkeypatch):
    syncs = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda number: syncs.append(1) or real(number))
    journal = Journal(tmp_path / "j", SETTINGS)

    async def many():
        await asyncio.gather(*(journal.keep(f"record {i}", "key", ANSWER) for i in range(50)))

    asyncio.run(many())
    journal.close()
    assert 1 <= len(syncs) <= 3
    assert sum(1 for _ in whole_lines(tmp_path / "j")) == 51


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a disk that is always full, as Linux has one")
def test_a_full_disk_is_one_line(tmp_path):
    journal = Journal(tmp_path / "j", SETTINGS)
    journal._file = open("/dev/full", "ab")  # noqa: SIM115
    with pytest.raises(UserError, match=r"No space left on device.*make room"):
        journal.note({"sent": 0})
    journal.close()


def test_two_runs_do_not_write_into_one_file(tmp_path):
    with (
        alone(tmp_path / "out.jsonl"),
        pytest.raises(UserError, match="another run is writing"),
        alone(tmp_path / "out.jsonl"),
    ):
        pass
    with alone(tmp_path / "out.jsonl"):
        pass


# -- the records ---------------------------------------------------------------------------------------------------


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
