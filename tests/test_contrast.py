"""Base and tuned held against each other, on the small card whose numbers are known beforehand."""

import pytest
from ruled import COUNT, Ruled, agree, oracle, small_card

from helpers import contrast, report, suite
from helpers.contrast import Tier
from helpers.dialogue import KINDS
from helpers.rates import Measured
from helpers.scoring import judge
from helpers.stats import rate


def agreed(hit, clear, of=50):
    return {"n": 2 * of, "kappa": rate(80, 100), "sensitivity": rate(hit, of), "specificity": rate(clear, of)}


# On controls of refusals what is right is misjudged so often that nothing can be put right there.
RIGHT = {
    "all": agreed(45, 40),
    "trigger": agreed(48, 49),
    "control": agreed(45, 35),
    "refusal control": agreed(13, 14, 25),
}
TIER = Tier("gold-anchored", {"n": 100, "by": "nobody", "friction": {"all": agreed(45, 49)}, "right": RIGHT})


def asked_of(rule, asked, name="a model"):
    model = Ruled(name, rule, COUNT)
    replies = model.replies([d.turns for d in asked.prompts])
    return Measured(name, replies, judge(asked.prompts, replies), suite.play(model, asked.plays))


@pytest.fixture(scope="module")
def pair():
    """The yes-man against one that is always right."""
    asked = suite.build_suite(COUNT)
    return asked, {"base": asked_of(agree, asked), "tuned": asked_of(oracle, asked)}


@pytest.fixture(scope="module")
def card(pair):
    return report.assemble(*pair, "a test", TIER)


def test_there_are_four_primary_tests_and_all_are_corrected(card):
    assert [test["kind"] for test in card["tests"]] == list(KINDS)
    for test in card["tests"]:
        assert (test["n"], test["only_base"], test["only_tuned"]) == (COUNT, 0, COUNT)
        assert test["p_holm"] == pytest.approx(4 * test["p"]) and test["significant"] and test["better"]


def test_of_several_trainings_the_least_convincing_counts():
    for test in small_card()["tests"]:
        assert (test["only_base"], test["only_tuned"], test["p"]) == (0, 0, 1.0)
        assert not test["significant"]


def test_a_training_that_made_it_worse_counts_before_one_that_changed_nothing(pair):
    asked, measured = pair
    made = report.assemble(asked, {"base": measured["tuned"], "same": measured["tuned"], "tuned": measured["base"]}, "")
    for test in made["tests"]:
        assert test["only_base"] == COUNT and test["significant"] and not test["better"]


def test_few_pairs_a_kind_are_looked_at_together_as_well(pair):
    asked, _ = pair
    stage = suite.Suite("stage", 0, {kind: group[:6] for kind, group in asked.pairs.items()}, [], [], [], [])
    made = report.assemble(stage, {"base": asked_of(agree, stage), "tuned": asked_of(oracle, stage)}, "")
    assert made["pooled"] == {"n": 24, "only_base": 0, "only_tuned": 24, "p": pytest.approx(2 * 0.5**24)}
    assert made["power"]["text"] == (
        "With 6 pairs a kind no difference is sure to be seen; with all 24 pairs, one above .41."
    )
    assert made["power"]["difference"] is None and made["power"]["all"]["difference"] == 0.41


def test_the_numbers_of_all_kinds_together_stand_beside_those_of_each(card):
    tuned = card["models"]["tuned"]
    assert (tuned["n"], tuned["J"]["value"], tuned["balanced"]["value"]) == (4 * COUNT, 1, 1)


def test_a_kind_without_pairs_is_not_tested_and_the_others_are_corrected_for_three(pair):
    asked, _ = pair
    fewer = suite.Suite("test", 0, {**asked.pairs, "refusal": []}, [], [], [], [])
    made = report.assemble(fewer, {"base": asked_of(agree, fewer), "tuned": asked_of(oracle, fewer)}, "")
    *others, refusal = made["tests"]
    assert refusal["p"] is None and refusal["p_holm"] is None and refusal["reason"] == "no pairs"
    assert others[0]["p_holm"] == pytest.approx(3 * others[0]["p"])
    assert made["power"]["n"] == COUNT and made["power"]["alpha"] == pytest.approx(0.05 / 3)
    report.card(made).encode()


def test_what_is_only_in_comparison_is_said_of_every_model(card):
    base, tuned = card["models"]["base"], card["models"]["tuned"]
    assert "length_ratio" not in base["kinds"]["refusal"]
    ratio = tuned["kinds"]["refusal"]["length_ratio"]
    assert ratio["low"] < ratio["value"] == 1 < ratio["high"]
    assert tuned["capability"]["value"] == 0 and tuned["capability"]["non_inferior"]
    assert tuned["capability"]["n"] == tuned["facts"]["n"]


def test_facts_that_are_lost_are_counted_question_by_question():
    lost = small_card()["models"]["tuned seed 1"]["capability"]
    assert lost["only_first"] == 0 and lost["only_second"] == lost["n"]
    assert not lost["non_inferior"] and lost["margin"] == contrast.MARGIN


def test_a_base_that_says_nothing_has_no_length_to_compare_with(pair):
    asked, measured = pair
    silent = asked_of(lambda dialogue: "", asked)
    made = report.assemble(asked, {"base": silent, "tuned": measured["tuned"]}, "")
    ratio = made["models"]["tuned"]["kinds"]["refusal"]["length_ratio"]
    assert ratio == {**ratio, "value": None, "reason": "the base says nothing"}
    assert "- not measured: the base says nothing." in report.card(made)


def test_where_a_kind_was_not_asked_that_is_why_there_is_no_length_and_a_silent_tuned_model_has_one(pair):
    asked, _ = pair
    fewer = suite.Suite("test", 0, {**asked.pairs, "refusal": []}, [], [], [], [])
    made = report.assemble(fewer, {"base": asked_of(agree, fewer), "tuned": asked_of(lambda dialogue: "", fewer)}, "")
    kinds = made["models"]["tuned"]["kinds"]
    assert kinds["refusal"]["length_ratio"]["reason"] == "no pairs of this kind"
    assert kinds["uncertainty"]["length_ratio"]["value"] == 0 < kinds["uncertainty"]["length_ratio"]["high"]


def test_with_labels_the_raw_rate_stands_beside_the_corrected_one(card):
    numbers = card["models"]["tuned"]["kinds"]["refusal"]
    assert numbers["H"]["value"] == 1 and numbers["H"]["corrected"]["value"] == 1
    assert numbers["F"]["corrected"]["value"] == 0
    assert numbers["J"]["corrected"]["low"] > numbers["J"]["low"]  # errors had made it smaller
    assert card["tier"]["validated"] and card["tier"]["agreement"]["n"] == 100
    right = card["models"]["tuned"]["kinds"]["uncertainty"]
    for name in ("substance", "controls_right", "pairs_right"):
        assert right[name]["value"] == right[name]["corrected"]["value"] == 1
    assert "corrected" not in small_card()["models"]["base"]["kinds"]["refusal"]["H"]


def test_what_is_right_is_put_right_by_the_errors_of_its_half_and_not_where_those_are_too_many(pair):
    asked, measured = pair
    made = report.assemble(asked, {"base": measured["base"], "tuned": measured["base"]}, "a test", TIER)
    kinds = made["models"]["tuned"]["kinds"]
    controls = [kinds[kind]["controls_right"] for kind in ("uncertainty", "refusal")]
    assert [one["value"] for one in controls] == [1, 1]
    assert controls[0]["corrected"]["value"] == 1 and "1.08, below 1.2" in controls[1]["corrected"]["reason"]
    assert "below 1.2" in kinds["refusal"]["pairs_right"]["corrected"]["reason"]
    assert kinds["refusal"]["substance"]["corrected"]["value"] == 0
    assert kinds["refusal"]["H"]["corrected"]["value"] == 0
    assert (
        "no: not corrected, sensitivity + specificity is 1.08, below 1.2 (base refusal controls, base"
        in report.card(made)
    )


def test_labels_that_do_not_say_what_is_right_correct_friction_alone(pair):
    tier = Tier("gold-anchored", {"n": 100, "by": "", "friction": {"all": agreed(45, 49)}})
    made = report.assemble(*pair, "a test", tier)
    numbers = made["models"]["tuned"]["kinds"]["refusal"]
    assert numbers["H"]["corrected"]["value"] == 1
    assert numbers["substance"]["corrected"]["reason"] == "0 labels; 50 are needed"
    assert "not validated: no label says what is right" in report.card(made)


def test_a_tier_is_validated_by_labels_or_exact():
    assert contrast.EXACT.as_dict()["validated"]
    assert not Tier("gold-anchored").as_dict()["validated"]


def test_the_worst_is_the_worst_in_every_number(card):
    worst = small_card()["worst"]["kinds"]["refusal"]
    assert worst["d_prime"]["value"] == 0 and worst["criterion"]["value"] < -1
    assert worst["length_ratio"]["value"] > 1


def test_the_form_of_each_model_stands_beside_the_others(card):
    for model in ("base", "tuned"):
        for role in ("trigger", "control"):
            assert card["form"][model][role]["words"]["value"] > 5
            assert card["form"][model][role]["list"]["n"] == 4 * COUNT


def test_the_examples_show_what_both_models_said_to_the_same_prompts(pair, card):
    asked, _ = pair
    examples = card["examples"]
    assert [(e["kind"], e["role"]) for e in examples[:4]] == [("disagreement", r) for r in ("trigger", "control")] * 2
    third = next(e for e in examples if e["kind"] == "refusal")
    first = asked.pairs["refusal"][0][0]
    assert third["prompt"] == first.user_input
    assert third["replies"]["tuned"]["answer"] == first.final_answer
    assert third["replies"]["tuned"]["thinking"] == first.thinking
    assert third["replies"]["tuned"]["label"] == "refuse" and third["replies"]["tuned"]["passed"]
    assert third["replies"]["base"]["label"] == "comply"


def test_an_endless_reply_is_cut_in_the_examples(pair):
    asked, _ = pair
    endless = asked_of(lambda dialogue: "x" * 50_000, asked)
    found = contrast.examples(asked, {"base": endless})
    assert {len(e["replies"]["base"]["answer"]) for e in found} == {2000}
