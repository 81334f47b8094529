"""Reports on disk: whole, compact, and read only where they are understood."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruled import small_card

from helpers.errors import UserError
from helpers.report_file import _lines, hash_of, read_report, versions, write_report

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(JSON)
def test_whatever_is_written_reads_the_same(node):
    assert json.loads(_lines(node)) == node


def test_a_rate_takes_one_line_and_so_do_the_verdicts_of_a_kind(tmp_path):
    path = write_report(tmp_path / "report.json", small_card())
    text = path.read_text(encoding="utf-8")
    assert sum('"trigger": [["' in line for line in text.splitlines()) >= 12
    assert len(text.splitlines()) < 1500
    assert read_report(path) == small_card()


def test_a_number_that_is_none_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_report(tmp_path / "report.json", {"value": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_broken_file_and_another_schema_are_named(tmp_path):
    path = tmp_path / "report.json"
    for text, said in (
        ('{\n"schema": 2,', r"report\.json, line 2: not JSON"),
        ('{"schema": 1}', r"report\.json is not a report of schema 2"),
        ('{"schema": 99}', r"report\.json is not a report of schema 2"),
        ("[]", r"report\.json is not a report of schema 2"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(UserError, match=said) as told:
            read_report(path)
        assert "\n" not in str(told.value) and "python -m helpers evaluate" in str(told.value)


def test_the_hash_is_that_of_the_files_in_order_on_every_system(tmp_path):
    for name, data in (("b", b"2\r\n"), ("a", b"1\n")):
        (tmp_path / name).write_bytes(data)
    assert hash_of([tmp_path / "b", tmp_path / "a"]) == hashlib.sha256(b"1\n2\n").hexdigest()


def test_versions_name_what_was_measured_with_and_what_is_missing(monkeypatch):
    from helpers import report_file

    monkeypatch.setattr(report_file, "PACKAGES", ("scipy", "no-such-package"))
    found = versions()
    assert found["scipy"][0].isdigit() and found["no-such-package"] == "not installed"
    assert {"push-back-ai", "python"} <= set(found)
