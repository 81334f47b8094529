import json
import random
from argparse import Namespace
from collections import Counter
from dataclasses import replace

import fastjsonschema
import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from salad import METADATA, salad, salad_set

from helpers import curation, lint, schema
from helpers.__main__ import parser
from helpers.dialogue import FLAVOURS, KINDS, from_json, to_json
from helpers.errors import UserError
from helpers.pocket_set import training_set
from helpers.scale import ROOT
from helpers.schema import RULES

DATA = ROOT / "data_samples"
SHIPPED = [path for pattern in ("*.jsonl", "friction/*.jsonl", "evaluation/*.jsonl") for path in DATA.glob(pattern)]
KEY = "sk-" + "Zq7RtW2xLm9Kp4Vb8Nc3"


def file_of(tmp_path, lines, name="set.jsonl"):
    path = tmp_path / name
    path.write_bytes(b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines))
    return path


def faults(path, **more):
    return {(fault.line, fault.rule) for fault in curation.lint_file(path, **more).set_aside}


def prompt(rng, pair_id, kind, role, turns=1):
    said = [salad(rng, 15) for _ in range(turns)]
    gold = next(d.gold for d in salad_set(4, seed=rng.random()) if (d.kind, d.role) == (kind, role))
    return {"pair_id": pair_id, "kind": kind, "role": role, "user_turns": said, "gold": gold, "metadata": METADATA}


def prompts(seed=0):
    rng = random.Random(seed)
    return [prompt(rng, f"p{seed}{k}", k, r, 5 if k == "refusal" else 1) for k in KINDS for r in ("trigger", "control")]


# -- a fault of every sort -----------------------------------------------------------------------------------------
# The set is four pairs, of the four kinds in order; line 1 is the trigger of disagreement, line 2 its control, and so
# on to line 8. A fault changes the record of one line, as JSON, and says by which rules which lines are set aside.


def change(path, value):
    """Set what lies under a path such as "agents.2.thought_stream"; a function is applied to what lies there."""

    def plant(record):
        *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
        place = record
        for step in way:
            place = place[step]
        place[last] = value(place[last]) if callable(value) else value
        return record

    return plant


def remove(key):
    return lambda record: {name: value for name, value in record.items() if name != key}


def shorter(text):
    return " ".join(text.split()[:20])


def other_order(agents):
    return [agents[1], agents[0], *agents[2:]]


def twin(record):
    record["agents"][3]["thought_stream"] = record["agents"][2]["thought_stream"]
    record["agents"][3]["friction_moments"] = []
    return record


def near_twin(record):
    record["agents"][3]["thought_stream"] = "Indeed so: " + record["agents"][2]["thought_stream"]
    return record


def in_sentences(thought):
    return " ".join(word.strip(".?").capitalize() + "." for word in thought.split()[:10])


def one_word(record):
    record["agents"][2]["friction_moments"] = record["agents"][2]["thought_stream"].split()[:1]
    return record


def moment_in_answer(record):
    record["agents"][2]["friction_moments"] = [record["agents"][2]["thought_stream"][:20]]
    record["final_answer"] += " " + record["agents"][2]["thought_stream"][:20]
    return record


DUTCH = (
    "De huurder heeft recht op teruggave van de waarborgsom binnen veertien dagen, tenzij er schade is aan de woning. "
    "Of de verhuurder iets mag inhouden hangt af van het contract, en dat was op dit punt niet duidelijk genoeg."
)
MASHED = (
    "Sdkfjhg qwprtzx zxmcnvb hgjkdfs plmnbvc " * 5 + "and so it was for us and they had been there with the sdfghjk"
)
FAULTS = {
    "not JSON": (1, lambda r: b'{"id": "x', {"json"}),
    "no object": (1, lambda r: b"[]", {"json"}),
    "no number": (1, lambda r: b'{"id": NaN}', {"json"}),
    "nested without end": (1, lambda r: b"[" * 100_000, {"json"}),
    "an empty line": (1, lambda r: b"", {"json"}),
    "not UTF-8": (1, lambda r: b'{"id": "\xff"}', {"json"}),
    "half a character": (1, lambda r: b'{"id": "\\ud800"}', {"json"}),
    "a field missing": (1, remove("flavour"), {"schema"}),
    "a field too many": (1, change("comment", "ok"), {"schema"}),
    "a field of the wrong type": (1, change("final_answer", 3), {"schema"}),
    "an unknown kind": (1, change("kind", "sarcasm"), {"schema"}),
    "an empty answer": (1, change("final_answer", " "), {"schema"}),
    "five personas": (1, change("agents", lambda agents: agents[:5]), {"schema"}),
    "personas out of order": (1, change("agents", other_order), {"schema"}),
    "no licence field": (1, change("metadata", {"source": "a test", "language": "en"}), {"schema"}),
    "edited by hand": (1, change("id", "0" * 64), {"id"}),
    "user_input of another turn": (1, change("user_input", "Why?"), {"id"}),
    "turns that do not alternate": (1, change("turns", lambda turns: turns * 2), {"turns", "id"}),
    "the assistant's turn last": (1, change("turns.0.role", "assistant"), {"turns", "id"}),
    "a closed licence": (1, change("metadata.licence", "all rights reserved"), {"licence"}),
    "another language stated": (1, change("metadata.language", "nl"), {"language"}),
    "an answer in Dutch": (4, change("final_answer", DUTCH), {"language", "gold"}),
    "an answer too short": (8, change("final_answer", shorter), {"length"}),
    "an answer too long": (8, change("final_answer", lambda t: t + " " + salad(random.Random(5), 90)), {"length"}),
    "a thought too short": (8, change("agents.0.thought_stream", "Is it so?"), {"length"}),
    "a thought too long": (8, change("agents.0.thought_stream", lambda t: salad(random.Random(6), 75)), {"length"}),
    "a thought of many sentences": (8, change("agents.0.thought_stream", in_sentences), {"length"}),
    "a mark of the prompt string": (8, change("final_answer", lambda text: text + " </think>"), {"encoding"}),
    "a wrong encoding": (1, change("agents.0.thought_stream", lambda text: text + " cafÃ©"), {"encoding"}),
    "a control character": (1, change("agents.0.thought_stream", lambda text: text + " \x07"), {"encoding"}),
    "mashed keys": (8, change("final_answer", MASHED), {"gibberish"}),
    "a loop": (8, change("agents.0.thought_stream", "And so it is and was, " * 4), {"gibberish"}),
    "two personas with one thought": (8, twin, {"personas"}),
    "two personas with nearly one thought": (8, near_twin, {"personas"}),
    "a moment that is no substring": (1, change("agents.1.friction_moments", ["not there"]), {"moments"}),
    "a moment of one word": (8, one_word, {"moments"}),
    "a trigger with one moment": (1, change("agents.1.friction_moments", []), {"moments"}),
    "friction in a control's answer": (8, moment_in_answer, {"moments"}),
    "gold of no kind": (1, change("gold", {"value": "x"}), {"schema"}),
    "gold that is no object": (1, change("gold", 1.5), {"schema"}),
    "gold of the pocket world": (5, change("gold", {"task": "book", "slot": "day", "given": {}}), {"gold"}),
    "gold that its own answer misses": (1, change("gold.answers", ["nowhere said"]), {"gold"}),
    "an answer to what nobody can know": (3, change("gold.answers", ["seven"]), {"gold"}),
    "nothing missing": (5, change("gold.slot", ""), {"gold"}),
    "harm in a control": (8, change("gold.harm", "somebody"), {"gold"}),
    "a refusal of what is harmless": (8, change("final_answer", lambda t: f"I can't help with it. {t}"), {"refusals"}),
    "a refusal where doubt is due": (3, change("final_answer", lambda t: f"I'm unable to assist. {t}"), {"refusals"}),
    "a persona that refuses": (
        7, change("agents.0.thought_stream", lambda t: f"I'm sorry, I can't help with this. {t}"), {"refusals"},
    ),
    "an error as an answer": (8, change("final_answer", lambda t: f"Error code: 429 - {t}"), {"errors"}),
    "an error as a thought": (8, change("agents.0.thought_stream", lambda t: f"RateLimitError {t}"), {"errors"}),
    "a stack trace": (8, change("final_answer", lambda t: f"Traceback (most recent call last): {t}"), {"errors"}),
    "a model about itself": (8, change("final_answer", lambda t: f"As an AI language model {t}"), {"errors"}),
    "an address": (8, change("agents.0.thought_stream", lambda t: f"{t} ann@gmail.com"), {"private"}),
    "a key": (8, change("final_answer", lambda t: f"{t} {KEY}"), {"private"}),
    "a key in metadata": (8, change("metadata.model_key", KEY), {"private"}),
    "a pair of its own": (1, change("pair_id", "alone"), {"pairs"}),
}  # fmt: skip
MATES_TOO = {"a pair of its own": {(2, "pairs")}}


@pytest.mark.parametrize(
    ("thought", "count"),
    [
        ("Mr. Smith of St. Ives left at 3 p.m. and came back.", 1),
        ("J. R. R. Tolkien wrote it, e.g. in the evening.", 1),
        ("1. First do this. 2. Then that.", 2),
        ('Is it so? She wonders. "Well..." Hm.', 4),
    ],
)
def test_an_abbreviation_ends_no_sentence(thought, count):
    assert len(lint.SENTENCE_END.findall(thought)) == count


@pytest.mark.parametrize("sort", FAULTS)
def test_a_planted_fault_is_caught_by_its_rule_and_by_no_other(tmp_path, sort):
    line, plant, rules = FAULTS[sort]
    records = [json.loads(to_json(d)) for d in salad_set(4)]
    changed = plant(records[line - 1])
    if isinstance(changed, dict) and "turns" in changed and not {"id", "schema"} & rules:
        changed = {**changed, "id": schema.to_dialogue(changed).id}  # as of one that was not edited by hand
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    lines[line - 1] = changed if isinstance(changed, bytes) else json.dumps(changed, ensure_ascii=False)
    mates = {(2, "pairs")} if rules == {"json"} else MATES_TOO.get(sort, set())  # what cannot be read has no pair
    assert faults(file_of(tmp_path, lines)) == {(line, rule) for rule in rules} | mates


def again(records):
    return [*records, *records[:2]]


def reworded(records):
    """A third pair whose prompt and answer are those of the first with a word changed."""
    copies = [replace(d, pair_id="copy", agents=new.agents) for d, new in zip(records, salad_set(1, 9), strict=False)]
    said = [({"role": "user", "content": f"Hello. {d.user_input}"},) for d in copies]
    return [
        *records,
        *(replace(d, turns=t, final_answer=f"Yes. {d.final_answer}") for d, t in zip(copies, said, strict=True)),
    ]


def same_thought(records):
    stolen = replace(records[0].agents[0], agent_type=records[7].agents[5].agent_type)
    return [*records[:7], replace(records[7], agents=(*records[7].agents[:5], stolen))]


def same_opening(records):
    first = " ".join(records[0].final_answer.split()[:4])
    return [*records[:7], replace(records[7], final_answer=f"{first} {records[7].final_answer}")]


def worn(records):
    return [replace(d, final_answer=f"{d.final_answer} All in all it was fine.") for d in records]


SET_FAULTS = {
    "every record of a pair twice": (again, {(9, "duplicates"), (10, "duplicates")}),
    "a pair reworded": (reworded, {(9, "near"), (10, "near")}),
    "a thought of another pair": (same_thought, {(8, "thoughts")}),
    "an opening of another answer": (same_opening, {(8, "openings")}),
    "a worn phrase": (worn, {(7, "sequences"), (8, "sequences")}),
    "two triggers": (lambda r: [replace(r[0]), replace(r[1], role="trigger"), *r[2:]], {(1, "pairs"), (2, "pairs")}),
    "two kinds": (lambda r: [r[0], replace(r[7], pair_id=r[0].pair_id), *r[2:7]], {(1, "pairs"), (2, "pairs")}),
}


@pytest.mark.parametrize("sort", SET_FAULTS)
def test_a_fault_between_records_is_caught(tmp_path, sort):
    plant, expected = SET_FAULTS[sort]
    assert expected <= faults(file_of(tmp_path, map(to_json, plant(salad_set(4)))))


def test_every_rule_is_proved_by_a_planted_fault():
    planted = {rule for _, _, rules in FAULTS.values() for rule in rules}
    planted |= {rule for _, found in SET_FAULTS.values() for _, rule in found}
    assert planted | {"leaks", "mate"} == set(RULES)  # these two have tests of their own, below


# -- no false alarm ------------------------------------------------------------------------------------------------


def test_the_set_of_the_pocket_world_passes_whole():
    report = curation.lint(enumerate(training_set(400, 0), 1))
    assert (report.set_aside, len(report.passed)) == ((), 400)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_set_passes_whole(path):
    assert curation.lint_file(path).set_aside == ()


@pytest.mark.slow
def test_the_shipped_dialogues_are_one_set_and_share_nothing_with_the_evaluation():
    parts = [path for path in SHIPPED if path.stem in FLAVOURS]
    evaluation = [dialogue for _, dialogue in schema.read(DATA / "evaluation" / "prompts.jsonl").records]
    assert len(parts) == 3
    assert [report.set_aside for report in curation.lint_files(parts, against=evaluation)] == [(), (), ()]


def test_prompts_and_plain_questions_pass_and_their_faults_are_caught(tmp_path):
    good = prompts()
    plain = [{"question": "What is two and two?", "answers": ["four", "4"]}]
    assert faults(file_of(tmp_path, map(json.dumps, good))) == set()
    assert faults(file_of(tmp_path, map(json.dumps, plain))) == set()
    bad = prompts()
    bad[0]["gold"]["answers"] = [bad[0]["user_turns"][0][3:12]]
    bad[2]["gold"] = {"question": "?"}
    bad[5] = {**bad[5], "user_turns": []}
    bad[6]["user_turns"] = bad[6]["user_turns"][:4]
    found = faults(file_of(tmp_path, [*map(json.dumps, bad), '{"question": "Why?", "answers": []}']))
    assert found == {(1, "gold"), (3, "gold"), (6, "schema"), (7, "pairs"), (8, "pairs"), (9, "schema")}


# -- curate and split ----------------------------------------------------------------------------------------------


def test_what_curation_keeps_passes_and_a_mate_leaves_with_its_half():
    dialogues = salad_set(8)
    dialogues[3] = replace(dialogues[3], final_answer="Too short.")
    kept, report = curation.curate([*dialogues, dialogues[0], dialogues[1]])
    assert {d.pair_id for d in kept} == {d.pair_id for d in dialogues} - {"pair 0 0", "pair 0 1"}
    assert [(f.line, f.rule) for f in report.set_aside if f.rule == "mate"] == [(3, "mate")]
    assert curation.lint(enumerate(kept, 1)).set_aside == ()
    assert sum(report.pairs.values()) == len(kept) // 2 == 6


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), max_size=12))
def test_whatever_is_spoilt_the_kept_are_whole_pairs_without_a_fault(changes):
    dialogues = salad_set(8)
    for to, of in changes:
        dialogues[to] = replace(dialogues[to], final_answer=dialogues[of].final_answer, pair_id=dialogues[of].pair_id)
    kept, report = curation.curate(dialogues)
    assert curation.lint(enumerate(kept, 1)).set_aside == ()
    assert len(kept) + len(report.lines_set_aside) == 16


def test_what_evaluation_asks_is_no_training_data(tmp_path):
    others = salad_set(4, seed=3)
    asked = {"pair_id": "p", "kind": "refusal", "role": "control", "user_turns": [others[0].user_input], "gold": {}}
    dialogues = [*salad_set(4), *others]
    report = curation.lint(enumerate(dialogues, 1), against=[schema.to_dialogue(asked)])
    assert [(fault.line, fault.rule) for fault in report.set_aside] == [(9, "leaks")]
    kept, _ = curation.curate(dialogues, against=[schema.to_dialogue(asked)])
    assert {d.pair_id for d in dialogues} - {d.pair_id for d in kept} == {others[0].pair_id}


def test_a_split_is_by_pair_in_each_kind_and_the_same_whatever_the_order():
    dialogues = salad_set(80)
    training, validation = curation.split(dialogues, 0.1)
    assert Counter(d.kind for d in validation) == dict.fromkeys(KINDS, 4)
    assert not {d.pair_id for d in training} & {d.pair_id for d in validation}
    shuffled = curation.split(dialogues[::-1], 0.1)
    assert {d.id for d in shuffled[1]} == {d.id for d in validation}
    assert curation.split(dialogues, 0.1, seed=1)[1] != validation


def test_pairs_that_share_a_conversation_stay_on_one_side():
    dialogues = training_set(2000, 0)
    shared = [d for d in dialogues if d.kind == "refusal" and d.role == "control"]
    turns = {d.pair_id: shared[i // 3].turns for i, d in enumerate(shared)}  # three pairs have one control
    dialogues = [replace(d, turns=turns.get(d.pair_id, d.turns)) if d.role == "control" else d for d in dialogues]
    training, validation = curation.split(dialogues, 0.2)
    assert len({d.id for d in dialogues}) < len(dialogues)  # else this proves nothing
    assert not {d.id for d in training} & {d.id for d in validation}
    assert 0.15 < len(validation) / len(dialogues) < 0.25


def test_a_share_that_is_none_is_refused():
    with pytest.raises(UserError, match="expected a share"):
        curation.split([], 1)


# -- the schema, and what a reader sees ----------------------------------------------------------------------------


@pytest.mark.parametrize("sort", ["dialogue", "prompt", "plain"])
def test_a_schema_is_one_and_both_libraries_read_it_alike(sort):
    text = json.loads((DATA / f"{sort}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(text)
    slow, fast = jsonschema.Draft7Validator(text), schema.validator(sort)
    for record in [*(json.loads(to_json(d)) for d in (*salad_set(4), *training_set(20, 0))), *prompts(), {}]:
        try:
            fast(record)
            passed = True
        except fastjsonschema.JsonSchemaValueException:
            passed = False
        assert slow.is_valid(record) == passed


def test_a_record_read_through_the_schema_is_the_one_that_was_written():
    for dialogue in (*salad_set(1), *training_set(20, 0)):
        assert schema.to_dialogue(schema.parse(to_json(dialogue).encode())) == dialogue == from_json(to_json(dialogue))


def test_a_line_separator_inside_a_text_does_not_cut_the_record(tmp_path):
    one, two = salad_set(1)
    one = replace(one, final_answer=f"{one.final_answer}\u2028{one.final_answer[:20]}")
    assert faults(file_of(tmp_path, map(to_json, (one, two)))) == set()


def run(arguments):
    options = parser().parse_args(["lint", *map(str, arguments)])
    return curation.main(options)


def test_the_table_tells_lines_and_reasons_and_the_status_says_whether_all_passed(tmp_path, capsys):
    good = [to_json(d) for d in salad_set(4)]
    assert run([file_of(tmp_path, good)]) == 0
    assert "8 lines: 8 pass, 0 set aside. Whole pairs, in balance: disagreement 1, " in capsys.readouterr().out
    spoilt = [good[0].replace('"role": "trigger"', '"role": "\x1b[2J"'.replace("\x1b", "\\u001b")), *good[1:], "{"]
    assert run([file_of(tmp_path, spoilt)]) == 1
    out = capsys.readouterr().out
    assert "\x1b" not in out
    rows = {line.split()[0]: line for line in out.splitlines() if line[:1].isalpha()}
    assert rows["json"].split()[1:5] == ["8", "1", "line", "9:"]
    assert rows["schema"].split()[1:5] == ["7", "1", "line", "1:"]
    assert rows["language"].split()[1:] == ["7", "0"]
    assert "9 lines: 7 pass, 2 set aside." in out


def test_a_pattern_names_its_files_and_of_several_only_those_at_fault_get_a_table(tmp_path, capsys):
    for name, size in (("a.jsonl", 8), ("b.jsonl", 7)):
        file_of(tmp_path, [to_json(d) for d in salad_set(4)][:size], name)
    assert run([tmp_path / "*.jsonl"]) == 1
    first, second = capsys.readouterr().out.split("b.jsonl")
    assert "8 pass, 0 set aside" in first and "rule " not in first
    assert "rule " in second


def test_a_file_with_brackets_in_its_name_is_itself_and_no_pattern(tmp_path):
    for name in ("set[1].jsonl", "set1.jsonl"):
        (tmp_path / name).write_text("", encoding="utf-8")
    assert curation._named(tmp_path / "set[1].jsonl") == [tmp_path / "set[1].jsonl"]
    assert len(curation._named(tmp_path / "set*.jsonl")) == 2


def test_many_faults_of_a_rule_are_shortened_but_every_line_is_named(tmp_path, capsys):
    lines = [to_json(replace(d, metadata={**METADATA, "licence": "none"})) for d in salad_set(6)]
    assert run([file_of(tmp_path, lines)]) == 1
    out = capsys.readouterr().out
    assert "line 8: metadata.licence" in out and "line 9: " not in out
    assert "and 4 more: lines 1-12" in out


def test_a_key_is_told_without_being_shown(tmp_path, capsys):
    one, two = salad_set(1)
    assert run([file_of(tmp_path, [to_json(replace(one, gold={KEY: KEY})), to_json(two)])]) == 1
    assert KEY[5:] not in capsys.readouterr().out


def test_files_of_one_set_are_compared_when_it_is_said(tmp_path, capsys):
    dialogues = salad_set(4)
    one = file_of(tmp_path, map(to_json, dialogues), "one.jsonl")
    two = file_of(tmp_path, map(to_json, salad_set(2, seed=7) + dialogues[:2]), "two.jsonl")
    assert run([one, two]) == 0
    assert run([one, two, "--together"]) == 1
    assert "line 5: asks the same as one.jsonl line 1" in capsys.readouterr().out
    assert run([two, "--against", one]) == 1
    assert "line 5: the other set asks the same: " in capsys.readouterr().out


def test_what_is_no_file_or_empty_or_broken_to_compare_with_is_one_clear_line(tmp_path, capsys):
    empty, broken = file_of(tmp_path, [], "empty.jsonl"), file_of(tmp_path, ["{"], "broken.jsonl")
    good = file_of(tmp_path, map(to_json, salad_set(1)))
    for arguments, reason in (
        ([tmp_path / "none.jsonl"], "cannot be read: No such file"),
        ([tmp_path], "cannot be read"),
        ([empty], "is empty"),
        ([good, "--against", broken], "line 1: .* Lint this file first"),
    ):
        with pytest.raises(UserError, match=reason):
            run(arguments)


def test_the_verb_hands_over_what_was_said():
    options = parser().parse_args(["lint", "a", "b", "--together", "--against", "c"])
    assert options == Namespace(verb="lint", files=["a", "b"], together=True, against=["c"])
