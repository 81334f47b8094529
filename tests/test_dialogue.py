import json
import re
import subprocess
import sys

import pytest

from helpers.dialogue import Agent, Dialogue, check, from_json, read_dialogues, to_json, write_dialogues, write_text
from helpers.errors import UserError

USER = {"role": "user", "content": "Is Oslo the capital of Sweden?"}


def dialogue(**changes):
    plain = {
        "pair_id": "p", "kind": "disagreement", "role": "trigger", "turns": (USER,),
        "agents": (Agent("Problem Framer", "Hmm, is it?", ("is it",)),), "final_answer": "No.",
        "gold": {"value": "Stockholm"},
    }  # fmt: skip
    return Dialogue(**{**plain, **changes})


def test_a_dialogue_survives_the_way_through_json():
    assert from_json(to_json(dialogue())) == dialogue()


def test_the_id_depends_on_kind_role_and_turns_alone():
    assert dialogue().id == dialogue(final_answer="Otherwise.", pair_id="q").id
    assert dialogue().id != dialogue(role="control").id


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": "sarcasm"}, "kind is 'sarcasm', expected one of disagreement"),
        ({"role": "both"}, "role is 'both'"),
        ({"turns": ()}, "turns must be a list"),
        ({"turns": (USER, USER)}, "turns must alternate"),
        ({"turns": ({"role": "user", "content": " "},)}, "a turn is empty"),
        ({"final_answer": "\n"}, "final_answer is empty"),
        ({"final_answer": None}, "final_answer is None, expected a text"),
        ({"pair_id": ["p"]}, "pair_id is ['p'], expected a text"),
        ({"gold": "Stockholm"}, "gold is 'Stockholm', expected an object"),
        ({"metadata": 3}, "metadata is 3, expected an object"),
        ({"agents": (Agent("A", None),)}, "thought stream or friction moment is no text"),
        ({"agents": (Agent("A", "one 2", (2,)),)}, "thought stream or friction moment is no text"),
        ({"agents": (Agent("A", "one", ("two",)),)}, "friction moment 'two' is not in the thought stream of the A"),
    ],
)
def test_a_record_that_breaks_the_schema_is_refused_with_the_field(changes, reason):
    with pytest.raises(ValueError, match=re.escape(reason)):
        check(dialogue(**changes))


def test_friction_moments_that_are_one_text_are_not_taken_for_its_letters():
    record = json.loads(to_json(dialogue()))
    record["agents"][0]["friction_moments"] = "is it"
    with pytest.raises(ValueError, match="'is it' is no list"):
        from_json(json.dumps(record))


@pytest.mark.parametrize("line", ['{"id": "x', "[]", "{}", '{"kind": 3}', '{"agents": [{}], "turns": []}'])
def test_a_broken_line_is_named_with_file_and_number(tmp_path, line):
    path = tmp_path / "d.jsonl"
    path.write_text(to_json(dialogue()) + "\n" + line + "\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"d.jsonl, line 2: .* Delete the file"):
        list(read_dialogues(path))


def test_a_record_edited_by_hand_is_noticed():
    record = json.loads(to_json(dialogue()))
    record["turns"][0]["content"] = "Something else?"
    with pytest.raises(ValueError, match="id does not belong"):
        from_json(json.dumps(record))


def test_a_missing_file_and_one_that_is_no_text_are_told_apart(tmp_path):
    with pytest.raises(UserError, match="is missing"):
        list(read_dialogues(tmp_path / "none.jsonl"))
    (tmp_path / "b.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="is not UTF-8"):
        list(read_dialogues(tmp_path / "b.jsonl"))


def test_what_cannot_be_written_leaves_the_old_file_as_it_was(tmp_path):
    path = write_dialogues(tmp_path / "d.jsonl", [dialogue()])
    (tmp_path / "d.jsonl.part").mkdir()  # the temporary name is taken
    with pytest.raises(UserError, match="What was there before is unchanged"):
        write_text(path, "new")
    assert list(read_dialogues(path)) == [dialogue()]


def test_a_rename_that_windows_refuses_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = write_text(tmp_path / "a.txt", "old")

    def refuse(*_):
        raise PermissionError(13, "The process cannot access the file")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(UserError, match=r"cannot access the file\. What was there before is unchanged"):
        write_text(path, "new")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"] and path.read_text(encoding="utf-8") == "old"


def test_a_process_that_is_killed_while_writing_leaves_the_old_file(tmp_path):
    path = write_text(tmp_path / "a.txt", "old")
    code = (
        "import os, pathlib, helpers.dialogue as d; os.replace = lambda *a: os._exit(9); "
        f"d.write_text(pathlib.Path({str(path)!r}), 'new')"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert path.read_text(encoding="utf-8") == "old"
