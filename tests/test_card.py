import copy
import hashlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruled import COUNT, Ruled, agree, oracle, small_card

from helpers import card as c
from helpers import report, suite
from helpers.card import _as_json, hash_of, read_report, versions, write_report
from helpers.contrast import Tier
from helpers.dialogue import KINDS
from helpers.errors import UserError
from helpers.rates import Measured
from helpers.scoring import judge
from helpers.stats import rate

RATES = {"n": 60, "kappa": rate(54, 60), "sensitivity": rate(27, 30), "specificity": rate(28, 30)}
AGREED = {"n": 60, "by": "two readers", **{question: {"all": RATES} for question in ("friction", "kind", "right")}}


@pytest.fixture
def card():
    return copy.deepcopy(small_card())


def natural(tier):
    """A report as of plain English: pairs alone, and another tier."""
    whole = suite.build_suite(COUNT)
    pairs = {"disagreement": whole.pairs["disagreement"], "refusal": whole.pairs["refusal"][:5]}
    asked = suite.Suite("evaluation", 0, pairs, [], [], [], [])
    prompts = asked.prompts
    measured = {}
    for name, rule in (("base", agree), ("tuned", oracle)):
        replies = Ruled(name, rule).replies([d.turns for d in prompts])
        measured[name] = Measured(name, replies, judge(prompts, replies), [])
    return report.assemble(asked, measured, "a label", tier)


def test_the_whole_card_fits_a_terminal_and_an_old_console(card):
    text = c.card(card)
    assert max(map(len, text.splitlines())) <= 106
    text.encode("cp1252")
    assert text.index("harmful declined") < text.index("The friction report card") < text.index("The statistics")


def test_what_one_says_on_stage_is_said_of_both_models_in_whole_replies(card):
    base, tuned = card["stage_lines"]["base"], card["stage_lines"]["tuned"]
    assert base == [
        "harmful declined 0 of 20",
        "traps caught 0 of 20",
        "uncertainty admitted 0 of 20",
        "on controls: in the way 0 of 80, sorry 0 of 80",
    ]
    assert tuned[1] == "traps caught 0 of 20" and "in the way 80 of 80" in tuned[3]
    assert "worst of 2" in c.on_stage(card)


def test_no_two_cells_of_the_card_run_together(card):
    kinds = card["models"]["base"]["kinds"], card["worst"]["kinds"]
    for numbers in (numbers for of in kinds for numbers in of.values()):
        for name in ("F", "apologies"):
            numbers[name] |= {"x": 3000, "n": 30_000}
    card["stage_lines"] = {who: c.stage_lines(of) for who, of in zip(("base", "tuned"), kinds, strict=True)}
    card["tier"] = Tier("gold-anchored", AGREED).as_dict()
    text = c.card(card)
    assert "sorry 12000 of 120000 on controls" in text
    assert not re.search(r"\d[a-z]|[a-z*]base|[a-z]finds", text.replace(card["tier"]["name"], ""))


def test_a_denial_without_what_is_true_catches_no_trap():
    kinds = {kind: {name: rate(0, 20) for name in ("F", "apologies", "substance")} for kind in KINDS}
    kinds = {kind: numbers | {"right_kind": rate(20, 20)} for kind, numbers in kinds.items()}
    assert c.stage_lines(kinds)[:3] == [
        "harmful declined 20 of 20", "traps caught 0 of 20", "uncertainty admitted 0 of 20"]  # fmt: skip


def test_what_patterns_found_is_called_so_in_the_pocket_world_too(card):
    costs = c.statistics(card).partition("The cost on controls")[2]
    assert "found by patterns of wording" in costs.splitlines()[1] and "hedges" in costs.splitlines()[2]


def test_the_table_shows_both_models_by_kind_and_what_is_missed(card):
    text = c.table(card)
    assert all(kind in text for kind in KINDS)
    assert text.count("base") >= 4 and text.count("worst of 2") >= 4
    assert "MISSED" in text and "met" in text
    assert f"{sum(not t['met'] for t in card['targets'])} of {len(card['targets'])} targets are missed." in text
    assert card["label"] in text


def test_a_value_just_under_its_target_does_not_read_as_if_it_had_reached_it(card):
    card["worst"]["kinds"]["refusal"]["H"] |= {"value": 0.969}
    assert ".969" in c.table(card)


def test_there_are_three_sentences_to_say_and_they_count_in_whole_replies(card):
    said = c.lines(card)
    assert len(said) == 3
    assert f"the base does in 0 of {4 * COUNT}" in said[0]
    assert "worst of 2 trainings" in said[0]
    assert f"of {card['models']['base']['facts']['n']} facts" in said[2]


def test_the_number_of_rebuttals_is_that_of_the_plays(card):
    assert "Insist five times on something false" in c.lines(card)[2]
    for model in card["models"].values():
        model["pressure"]["curve"] = model["pressure"]["curve"][:5]
    assert "Insist four times" in c.lines(card)[2] and "holds over four rebuttals" in c.table(card)
    for model in card["models"].values():
        model["pressure"]["curve"] = []
    assert "Insist on something false: it never" in c.lines(card)[2]


def test_the_statistics_hold_the_tests_their_power_and_what_intervals_are_worth(card):
    text = c.statistics(card)
    assert len(re.findall(r"^\w+ +20 +0 +0 +1\.000 +1\.000 +not shown$", text, re.MULTILINE)) == 4
    assert "With 20 pairs a kind only a difference above .60 can be seen; with all 80 pairs, one above .17." in text
    assert "Coverage of 95 % intervals (20 pairs" in text
    assert "All 80 pairs together, a second look: 0 only base, 0 only tuned, p 1.000." in text
    assert "not shown to be less than 5 points below the base" in text
    assert "nothing pushed back at the first turn" in text


def test_the_baselines_stand_beside_the_models(card):
    rows = c.statistics(card).partition("Baselines: J by kind")[2].splitlines()
    assert [row.split()[0] for row in rows[1:9:2]] == [
        "always-contrarian", "always-agree", "always-ask", "always-refuse"]  # fmt: skip
    assert all(row.split()[1:] == [".00"] * 5 + [".20"] for row in rows[1:9:2])
    assert all(row.split()[:2] == ["80", "pairs"] and row.count(" to ") == 6 for row in rows[2:10:2])


def test_a_tier_without_labels_is_marked_at_every_rate_that_rests_on_it():
    made = natural(Tier("gold-anchored"))
    text = c.card(made)
    marked = ("J = H - F*", "base*", "tuned*")
    assert all(head in c.table(made) for head in marked) and c.table(made).count("on triggers*") == 3
    assert "Verdicts: gold-anchored, not validated." in c.on_stage(made)
    assert "* Verdicts: gold-anchored, not validated: no reply has been labelled." in text
    assert "They rest on what the tier calls right, which is not validated." in text


def test_a_tier_with_labels_tells_its_agreement_and_both_rates():
    text = c.card(natural(Tier("gold-anchored", AGREED)))
    assert "against 60 labels of two readers:" in text
    for rates in ("H, F, J", "right kind", "gold fact, holding", "controls right, facts kept", "pairs passed"):
        assert re.search(
            rf"^  {rates} +kappa .90 \(.80 to .95\), finds .90 \(.74 to .97\), spares .93 \(", text, re.MULTILINE
        )
    assert "They rest on what the tier calls right: kappa .90 (.80 to .95)." in text
    assert "J = H - F*" in text and "not validated" not in text
    assert max(map(len, text.splitlines())) <= 110
    assert re.search(
        r"^tuned +disagreement +1\.00 > 1\.00 +.00 > .00( +1\.00 > 1\.00){3} +1\.00 > no$", text, re.MULTILINE
    )


def test_what_was_not_asked_is_not_shown():
    made = natural(Tier("gold-anchored"))
    text = c.card(made)
    for left_out in ("target", "Valid corrections", "Facts", "pressure", "words alone", "as typed", "None", "nan"):
        assert left_out not in text
    assert len(c.lines(made)) == 2
    assert "Replies that none can judge" in text


def test_a_report_of_no_pairs_at_all_is_a_card_of_dashes_that_are_explained():
    asked = suite.Suite("test", 0, {"refusal": []}, [], [], [], [])
    nothing = Measured("silent", [], [], [])
    text = c.card(report.assemble(asked, {"base": nothing, "tuned": nothing}, "nothing asked"))
    assert "- to -" not in text and "nan" not in text
    for block in text.split("\n\n"):
        if re.search(r" -( |$)", block, re.MULTILINE):
            assert "- not measured: no " in block


# -- the file ------------------------------------------------------------------------------------------------------


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(JSON)
def test_whatever_is_written_reads_the_same(node):
    assert json.loads(_as_json(node)) == node


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
        ('{\n"schema": 3,', r"report\.json, line 2: not JSON"),
        ('{"schema": 2}', r"report\.json is not a report of schema 3"),
        ('{"schema": 99}', r"report\.json is not a report of schema 3"),
        ("[]", r"report\.json is not a report of schema 3"),
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
    monkeypatch.setattr(c, "PACKAGES", ("scipy", "no-such-package"))
    found = versions()
    assert found["scipy"][0].isdigit() and found["no-such-package"] == "not installed"
    assert {"push-back-ai", "python"} <= set(found)
