"""What the labels of a sheet say of a tier of verdicts, and of one another."""

import json
from argparse import Namespace

import pytest

from helpers import labels
from helpers.errors import UserError
from helpers.sheet import read
from tests.sheets import filled, honest, unlabelled


@pytest.fixture
def sheet(tmp_path):
    return unlabelled(tmp_path)


def test_agreement_is_counted_for_friction_and_for_being_right(sheet):
    filled(sheet, label=honest, right=lambda row: "yes" if honest(row) == "correct" else "no")
    found = labels.agree([one for one in read(sheet) if one.item.dialogue.kind == "disagreement"])
    assert found["friction"].kappa["value"] == 1 == found["right"].kappa["value"]
    assert found["friction"].sensitivity["n"] + found["friction"].specificity["n"] == 20


def test_a_tier_is_validated_once_there_are_labels(sheet):
    for path in (sheet.with_name("none.csv"), sheet):
        assert not labels.tier(path).as_dict()["validated"]
    filled(sheet, label=honest)
    made = labels.tier(sheet).as_dict()
    assert made["validated"] and made["agreement"]["n"] == 30
    assert set(made["agreement"]) == {"n", "by", "friction", "kind"}  # nobody said what is right
    filled(sheet, label=honest, right=lambda row: "yes")
    right = labels.tier(sheet, by="a reader").agreement
    assert right["by"] == "a reader" and right["right"]["all"]["n"] == 30


def test_roles_and_kinds_stand_by_themselves_where_they_have_labels_enough(sheet):
    filled(sheet, label=honest, right=lambda row: "yes" if honest(row) == "correct" else "no")
    found = labels.by_group(read(sheet))
    assert list(found) == list(labels.QUESTIONS)
    assert all(list(groups) == ["all", "trigger", "disagreement", "disagreement trigger"] for groups in found.values())
    assert found["right"]["trigger"]["n"] == 20 and found["right"]["trigger"]["kappa"]["value"] == 1


def test_the_command_says_that_nothing_is_labelled_yet(sheet):
    with pytest.raises(UserError, match="holds no label yet"):
        labels.main(Namespace(file=str(sheet), second=None))


def test_the_latest_answer_of_a_model_counts_and_what_was_cut_off_does_not(tmp_path):
    from helpers.natural_suite import PROMPTS, read_pairs

    asked = read_pairs(PROMPTS)[0][0]
    lines = [{"id": asked.id, "model": "tuned", "thinking": "", "answer": said, "complete": True} for said in "ab"]
    (tmp_path / "tuned.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines) + '{"id": "', "utf-8")
    (tmp_path / "base.jsonl").write_text("", "utf-8")
    items = labels.items_of([tmp_path / "base.jsonl", tmp_path / "tuned.jsonl"])
    assert [item.reply.answer for item in items] == ["b"]


@pytest.mark.slow
def test_the_command_writes_the_sheet_of_replies_and_then_reads_it(tmp_path, capsys):
    from helpers.natural_suite import PROMPTS, read_pairs

    asked = [d for pair in read_pairs(PROMPTS)[:20] for d in pair if len(d.turns) == 1]
    replies = tmp_path / "base.jsonl"
    lines = [
        {"key": "k", "id": d.id, "model": "m", "thinking": "", "answer": "Well,\u2028yes.", "complete": True}
        for d in asked
    ]
    replies.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    options = Namespace(file=str(tmp_path / "sheet.csv"), replies=[str(replies)], count=12, second=None)
    labels.main(options)
    assert "12 replies to label" in capsys.readouterr().out
    filled(tmp_path / "sheet.csv", label=lambda row: "comply", right=lambda row: "no")
    labels.main(options)
    said = capsys.readouterr().out
    assert "12 replies are labelled" in said and "specificity  1.00" in said


def test_a_second_reader_of_the_same_sheet_is_held_against_the_first(tmp_path, sheet, capsys):
    other = tmp_path / "other.csv"
    other.write_bytes(sheet.read_bytes())
    turned = next(row["row"] for row in filled(sheet, label=honest, right=lambda row: "yes") if honest(row) == "comply")
    filled(other, label=lambda row: "doubt" if row["row"] == turned else honest(row), right=lambda row: "")
    labels.main(Namespace(file=str(sheet), second=str(other)))
    said = capsys.readouterr().out.partition("other.csv against them:")[2]
    assert "friction, 30 replies" in said
    assert "right" not in said  # the second reader left it open
    first, second = read(sheet), read(other, tmp_path / "sheet.key.jsonl")
    assert labels.agree_of_readers(first, second)["friction"].kappa["value"] < 1
    first = [one for one in first if one.row != int(turned)]
    assert labels.agree_of_readers(first, second)["friction"].kappa["value"] == 1
    with pytest.raises(UserError, match="the second sheet has no label"):
        labels.agree_of_readers(first, [])


def test_a_second_reader_needs_a_first(tmp_path):
    with pytest.raises(UserError, match="nothing to stand against"):
        labels.main(Namespace(file=str(tmp_path / "none.csv"), second="other.csv", replies=None, count=1))
