"""The benchmark measures what it says it measures; how fast anything is, no test asks."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import tiny

from helpers import bench, timing
from helpers.errors import UserError
from helpers.scale import ROOT, SCALES

ROW = {"tokens_per_second": 100.0, "cpu_seconds_per_step": 0.5, "loss": 1.0, "peak_mb": 300.0, "threads": 1}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "run_dir", lambda scale: tmp_path / "run")
    return tmp_path / "run"


def result(**training):
    return {
        "links": {"finetune": 61.5},
        "training": {name: training.get(name, ROW) for name in bench.TRAININGS},
        "replies": {name: ROW for name in bench.REPLIES},
        "equal_replies": 0.995,
        "compared": 200,
        "ratios": {"unsloth to trl": 1.5},
    }


def test_the_table_names_every_part_with_its_numbers():
    text = bench.table(result())
    for words in (*bench.TRAININGS.values(), *bench.REPLIES.values(), "finetune", "61.5", "99.5% of 200", "1.50 times"):
        assert words in text


def test_a_part_that_fails_is_shown_with_its_reason_and_the_others_stay():
    text = bench.table(result(**{"trl defaults": {"trouble": "RuntimeError: no bf16 here"}}))
    assert "no bf16 here" in text
    assert bench.TRAININGS["unsloth"] in text


def test_of_two_rounds_the_faster_counts_and_a_failure_never_replaces_a_number():
    kept = {"unsloth": {}}
    for row in (ROW, {**ROW, "tokens_per_second": 120.0}, {**ROW, "tokens_per_second": 90.0}, {"trouble": "?"}):
        timing.keep_faster(kept, "unsloth", row)
    assert kept["unsloth"]["tokens_per_second"] == 120.0


def test_the_ratio_is_of_the_rates_of_one_run_and_none_where_a_part_failed():
    rows = {"a": {"tokens_per_second": 30.0}, "b": {"tokens_per_second": 20.0}, "c": {"trouble": "?"}}
    assert timing.ratio(rows, "a", "b") == 1.5
    assert timing.ratio(rows, "a", "c") is None


def test_what_goes_wrong_in_a_child_is_told_by_its_last_line():
    assert "AttributeError" in timing.in_child("bench:no_such_part")["trouble"]


@pytest.mark.slow
def test_the_time_from_replies_to_a_report_is_measured_and_shown():
    measured = timing.in_child("bench:score", 5)
    assert measured["replies"] == 40 and measured["cpu_seconds"] > 0
    assert "verdicts and statistics of 2 x 40 replies" in bench.table({**result(), "scoring": measured})


def test_the_peak_of_memory_grows_by_what_was_held_and_let_go():
    code = "from helpers.timing import peak_bytes as p; a = p(); b = b'x' * 200_000_000; del b; print(p() - a)"
    grown = int(subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True).stdout)
    assert 150_000_000 < grown < 250_000_000


def test_a_base_that_is_not_there_is_named_before_anything_is_measured(folder, tmp_path):
    with pytest.raises(UserError, match="missing"):
        bench.run(scale=replace(SCALES["pocket"], model=str(tmp_path / "none")))


@pytest.mark.slow
def test_all_parts_train_on_the_same_tokens_and_the_same_losses_come_out(folder, tmp_path):
    base = tiny.write_base(tmp_path / "base")
    measured = bench.run(quick=True, scale=replace(SCALES["pocket"], model=str(base)))
    training = measured["training"]
    assert training["unsloth"]["engine"].startswith("unsloth")
    assert training["unsloth 4-bit"]["engine"].startswith("unsloth")
    assert training["trl"]["engine"].startswith("plain: trl")
    assert len({row["tokens"] for row in training.values()}) == 1
    assert training["unsloth"]["loss"] == pytest.approx(training["trl"]["loss"], abs=1e-3)
    assert all(row["tokens_per_second"] > 0 and row["peak_mb"] > 100 for row in training.values())
    assert measured["equal_replies"] == 1.0
    assert json.loads((folder / "bench.json").read_text("utf-8")) == measured
