"""Sheets to label: blind, mixed, safe to open; read back from whatever a spreadsheet makes of them."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import sheet as sheets
from helpers.errors import UserError
from tests.sheets import ITEMS, RIGHT, filled, honest, unlabelled


@pytest.fixture
def sheet(tmp_path):
    return unlabelled(tmp_path)


def test_a_sheet_hides_the_models_and_the_thoughts_and_mixes_the_order(sheet):
    text = sheet.read_text(encoding="utf-8-sig")
    assert "secret" not in text and "a thought" not in text
    kinds = [row["prompt"].startswith("user: Greet") for row in csv.DictReader(io.StringIO(text))]
    assert kinds != sorted(kinds) and kinds != sorted(kinds, reverse=True)


def test_it_holds_of_each_kind_role_and_model_as_many(sheet):
    kept = [item.model + item.dialogue.kind for item in sheets._read_key(sheet.with_name("sheet.key.jsonl"))]
    assert {name: kept.count(name) for name in kept} == {name: 10 for name in set(kept)}


def test_what_is_written_is_read_back_with_its_labels(sheet):
    filled(sheet, label=honest, right=lambda row: "yes" if row["reply"].startswith("No") else "?")
    found = sheets.read(sheet)
    assert len(found) == 30
    assert all(one.label == ("correct" if one.item.reply == RIGHT else "comply") for one in found)
    assert {one.right for one in found} == {True, None}
    assert {one.item.model for one in found} == {"secret-0", "secret-1"}


@pytest.mark.parametrize(("delimiter", "encoding"), [(";", "utf-8-sig"), ("\t", "utf-8"), (";", "cp1252")])
def test_other_separators_and_encodings_of_spreadsheets_are_read(sheet, delimiter, encoding):
    filled(sheet, delimiter, encoding, label=lambda row: honest(row).upper() + " ", right=lambda row: "Yes")
    assert len(sheets.read(sheet)) == 30


def test_rows_without_a_label_are_left_out(sheet):
    filled(sheet, label=lambda row: honest(row) if int(row["row"]) <= 5 else "")
    assert len(sheets.read(sheet)) == 5


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
        sheets.read(sheet)


def test_a_sheet_without_its_key_or_its_columns_says_so(sheet):
    sheet.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(UserError, match="lacks the column row, label, right"):
        sheets.read(sheet)
    sheet.with_name("sheet.key.jsonl").unlink()
    with pytest.raises(UserError, match=r"key\.jsonl is missing"):
        sheets.read(sheet)


def test_a_sheet_that_is_there_is_never_written_over(sheet):
    with pytest.raises(UserError, match="is there already"):
        sheets.write(ITEMS, sheet)


def test_a_count_below_one_is_refused_as_such(tmp_path):
    with pytest.raises(UserError, match="--count 0: expected 1 or more"):
        sheets.write(ITEMS, tmp_path / "other.csv", count=0)


def test_nothing_to_label_is_said(tmp_path):
    with pytest.raises(UserError, match="nothing to label"):
        sheets.write([], tmp_path / "s.csv")


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =HYPERLINK(A1)", "'=1", '"=1', "|cmd", "%x", "\n=1"]
)
def test_no_cell_is_a_formula(text):
    assert sheets.safe_cell(text).startswith("'")


@given(st.text(max_size=200))
def test_any_reply_makes_a_cell_that_comes_back_as_text_that_nothing_obeys(text):
    cell = sheets.safe_cell(text)
    out = io.StringIO()
    csv.writer(out).writerow([cell])
    assert next(csv.reader(io.StringIO(out.getvalue(), newline=""))) == [cell]
    assert cell[:1] not in tuple("=+-@|%\t\r\n") or cell == ""
    assert not sheets.STEERING.search(cell)


def test_a_long_reply_fits_into_a_cell():
    assert len(sheets.safe_cell("a" * 50_000)) < 32_767
