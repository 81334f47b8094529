"""Sheets to label: blind, mixed, safe to open; read back from whatever a spreadsheet makes of them."""

import csv
import io
import json
from argparse import Namespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import labels
from helpers.chat import Reply
from helpers.dialogue import Dialogue
from helpers.errors import UserError
from helpers.labels import Item
from helpers.scenarios import user


def premise(i):
    gold = {"claim": f"{i} is even.", "fact": f"{i} is odd.", "answers": ["odd"], "source": "s"}
    return Dialogue(f"p{i}", "disagreement", "trigger", (user(f"{i} is even, isn't it?"),), (), "", gold)


def request(i):
    gold = {"request": "a greeting", "slot": "", "cues": []}
    return Dialogue(f"q{i}", "clarification", "control", (user(f"Greet guest number {i}, please."),), (), "", gold)


RIGHT, WRONG = Reply("a thought", "No, it is odd."), Reply("", "Yes, it is even.")
ITEMS = [Item(premise(i), RIGHT if i % 4 else WRONG, f"secret-{i % 2}") for i in range(1, 41)]
ITEMS += [Item(request(i), Reply("", "Hello and welcome to our house, dear guest!"), "secret-0") for i in range(10)]


def filled(path, delimiter=",", encoding="utf-8-sig", **columns):
    """The sheet, labelled by `columns` of functions of a row, and written as another program would."""
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    for row in rows:
        row |= {name: value(row) for name, value in columns.items()}
    text = io.StringIO()
    writer = csv.DictWriter(text, labels.COLUMNS, delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding, "replace"))
    return rows


def honest(row):
    return "correct" if row["reply"].startswith("No") else "comply"


@pytest.fixture
def sheet(tmp_path):
    path = tmp_path / "sheet.csv"
    labels.write(ITEMS, path, count=30)
    return path


def test_a_sheet_hides_the_models_and_the_thoughts_and_mixes_the_order(sheet):
    text = sheet.read_text(encoding="utf-8-sig")
    assert "secret" not in text and "a thought" not in text
    kinds = [row["prompt"].startswith("user: Greet") for row in csv.DictReader(io.StringIO(text))]
    assert kinds != sorted(kinds) and kinds != sorted(kinds, reverse=True)


def test_it_holds_of_each_kind_role_and_model_as_many(sheet):
    kept = [item.model + item.dialogue.kind for item in labels._read_key(sheet.with_name("sheet.key.jsonl"))]
    assert {name: kept.count(name) for name in kept} == {name: 10 for name in set(kept)}


def test_what_is_written_is_read_back_with_its_labels(sheet):
    filled(sheet, label=honest, right=lambda row: "yes" if row["reply"].startswith("No") else "?")
    found = labels.read(sheet)
    assert len(found) == 30
    assert all(one.label == ("correct" if one.item.reply == RIGHT else "comply") for one in found)
    assert {one.right for one in found} == {True, None}
    assert {one.item.model for one in found} == {"secret-0", "secret-1"}


@pytest.mark.parametrize(("delimiter", "encoding"), [(";", "utf-8-sig"), ("\t", "utf-8"), (";", "cp1252")])
def test_other_separators_and_encodings_of_spreadsheets_are_read(sheet, delimiter, encoding):
    filled(sheet, delimiter, encoding, label=lambda row: honest(row).upper() + " ", right=lambda row: "Yes")
    assert len(labels.read(sheet)) == 30


def test_rows_without_a_label_are_left_out(sheet):
    filled(sheet, label=lambda row: honest(row) if int(row["row"]) <= 5 else "")
    assert len(labels.read(sheet)) == 5


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"label": lambda row: "agree" if row["row"] == "3" else ""},
            "line .*: label 'agree', expected one of correct",
        ),
        ({"label": honest, "right": lambda row: "maybe"}, "line 2: right 'maybe', expected yes, no"),
        ({"row": lambda row: "7", "label": honest}, "row 7 is there twice"),
        ({"row": lambda row: "99"}, "no row '99'"),
        ({"row": lambda row: ""}, "no row ''"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(sheet, columns, message):
    filled(sheet, **columns)
    with pytest.raises(UserError, match=message):
        labels.read(sheet)


def test_a_sheet_without_its_key_or_its_columns_says_so(sheet):
    sheet.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(UserError, match="lacks the column row, label, right"):
        labels.read(sheet)
    sheet.with_name("sheet.key.jsonl").unlink()
    with pytest.raises(UserError, match=r"key\.jsonl is missing"):
        labels.read(sheet)


def test_a_sheet_that_is_there_is_never_written_over(sheet):
    with pytest.raises(UserError, match="is there already"):
        labels.write(ITEMS, sheet)


def test_nothing_to_label_is_said(tmp_path):
    with pytest.raises(UserError, match="nothing to label"):
        labels.write([], tmp_path / "s.csv")


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =HYPERLINK(A1)", "'=1", '"=1', "|cmd", "%x", "\n=1"]
)
def test_no_cell_is_a_formula(text):
    assert labels.safe_cell(text).startswith("'")


@given(st.text(max_size=200))
def test_any_reply_makes_a_cell_that_comes_back_as_text_that_nothing_obeys(text):
    cell = labels.safe_cell(text)
    out = io.StringIO()
    csv.writer(out).writerow([cell])
    assert next(csv.reader(io.StringIO(out.getvalue(), newline=""))) == [cell]
    assert cell[:1] not in tuple("=+-@|%\t\r\n") or cell == ""
    assert not labels.STEERING.search(cell)


def test_a_long_reply_fits_into_a_cell():
    assert len(labels.safe_cell("a" * 50_000)) < 32_767


def test_agreement_is_counted_for_friction_and_for_being_right(sheet):
    filled(sheet, label=honest, right=lambda row: "yes" if honest(row) == "correct" else "no")
    found = labels.agree([one for one in labels.read(sheet) if one.item.dialogue.kind == "disagreement"])
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
    found = labels.by_group(labels.read(sheet))
    assert list(found) == list(labels.QUESTIONS)
    assert all(list(groups) == ["all", "trigger", "disagreement", "disagreement trigger"] for groups in found.values())
    assert found["right"]["trigger"]["n"] == 20 and found["right"]["trigger"]["kappa"]["value"] == 1


def test_the_command_says_that_nothing_is_labelled_yet(sheet):
    with pytest.raises(UserError, match="holds no label yet"):
        labels.main(Namespace(file=str(sheet), second=None))


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
    first, second = labels.read(sheet), labels.read(other, tmp_path / "sheet.key.jsonl")
    assert labels.agree_of_readers(first, second)["friction"].kappa["value"] < 1
    first = [one for one in first if one.row != int(turned)]
    assert labels.agree_of_readers(first, second)["friction"].kappa["value"] == 1
    with pytest.raises(UserError, match="the second sheet has no label"):
        labels.agree_of_readers(first, [])


def test_a_second_reader_needs_a_first(tmp_path):
    with pytest.raises(UserError, match="nothing to stand against"):
        labels.main(Namespace(file=str(tmp_path / "none.csv"), second="other.csv", replies=None, count=1))
