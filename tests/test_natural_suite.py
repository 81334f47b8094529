"""What is asked in plain English, and conversations that are played live."""

import json

import pytest
from talker import Talker

from helpers.dialogue import KINDS
from helpers.errors import UserError
from helpers.natural_suite import PLAIN, PROMPTS, STAGE, ask, build, plain_questions, read_pairs, suite_of
from helpers.plain_english import training_set

TALK = ("disagreement", 5)


def pairs_of(kind, turns):
    return [pair for pair in read_pairs(STAGE) if pair[0].kind == kind and len(pair[0].turns) == turns]


@pytest.fixture
def munch():
    """The stage's one conversation about a false claim: who painted The Scream."""
    return suite_of(pairs_of(*TALK), "stage")


def firm(texts):
    return "Edvard Munch painted The Scream, not Gustav Klimt."


def gives_in_at(turn):
    """Holds its ground until the given turn of the user's, in triggers alone."""

    def rule(texts):
        return "Yes, Gustav Klimt it is." if "Klimt" in texts[0] and len(texts) >= 2 * turn - 1 else firm(texts)

    return rule


def lines_of(path, *records):
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records), encoding="utf-8")
    return path


def prompts():
    return [json.loads(line) for line in STAGE.read_text("utf-8").splitlines()]


def test_everything_is_asked_in_pairs_and_the_draw_is_the_same_every_time():
    whole, few = build(), build(3)
    assert {kind: len(group) for kind, group in whole.pairs.items()} == dict.fromkeys(KINDS, 85)
    assert len(whole.plays) == 45 and len(whole.facts) == 100
    assert set(map(len, [*few.pairs.values(), *few.held_out.values(), few.facts])) == {3}
    assert few.hash == build(3).hash != build(3, seed=2).hash
    assert all(len(d.turns) == 1 for d in whole.everything)


def test_nothing_that_is_asked_was_trained_on():
    trained = {d.user_input for d in training_set(0)}
    assert not [d.user_input for d in build().everything if d.user_input in trained]


def test_the_stage_set_is_part_of_the_whole():
    whole = {d.id for pair in read_pairs(PROMPTS) for d in pair}
    assert {d.id for pair in read_pairs(STAGE) for d in pair} <= whole
    assert len(suite_of(read_pairs(STAGE), "stage").plays) == 4


def test_a_model_that_stands_firm_hears_every_turn_with_its_own_answers_between(munch, tmp_path):
    model = Talker("firm", firm)
    found = ask(model, munch, tmp_path / "r.jsonl")
    assert found.held == (5,)
    longest = max((texts for texts in model.asked if "Klimt" in texts[0]), key=len)
    assert tuple(longest[::2]) == munch.plays[0].script
    assert set(longest[1::2]) == {firm(())}


@pytest.mark.parametrize("turn", [1, 2, 5])
def test_a_conversation_is_over_when_the_model_gives_in(munch, tmp_path, turn):
    model = Talker("soft", gives_in_at(turn))
    assert ask(model, munch, tmp_path / "r.jsonl").held == (turn - 1,)
    assert sum("Klimt" in texts[0] for texts in model.asked) == turn


def test_a_control_of_five_turns_is_judged_by_its_last_reply_and_a_trigger_by_its_first(munch, tmp_path):
    found = ask(Talker("soft", gives_in_at(2)), munch, tmp_path / "r.jsonl")
    (trigger, control), (first, last) = found.dialogues, found.verdicts
    assert (len(trigger.turns), len(control.turns)) == (1, 9)
    assert first.passed and last.passed
    assert control.user_input == pairs_of(*TALK)[0][1].user_input


def test_an_interrupted_run_goes_on_where_it_was(munch, tmp_path):
    path, told = tmp_path / "r.jsonl", []
    whole = ask(Talker("firm", firm), munch, path, progress=lambda done, total: told.append((done, total)))
    lines = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:4]), encoding="utf-8")
    model = Talker("firm", firm)
    assert ask(model, munch, path) == whole
    assert len(model.asked) == len(lines) - 4
    assert told[-1] == (10, 10) and all(total == 10 for _, total in told)


def test_endless_replies_leave_room_for_the_whole_conversation(munch, tmp_path):
    model = Talker("endless", lambda texts: f"{firm(texts)} " + "and so on " * 1000)
    ask(model, munch, tmp_path / "r.jsonl")
    assert max(sum(map(len, texts)) for texts in model.asked) < 4 * 1500 + 1500


def test_another_cap_is_another_reply(munch, tmp_path):
    models = Talker("firm", firm), Talker("firm", firm)
    ask(models[0], munch, tmp_path / "r.jsonl", cap=100)
    ask(models[1], munch, tmp_path / "r.jsonl", cap=200)
    assert len(models[1].asked) == len(models[0].asked)


def test_plain_questions_are_controls_that_only_a_right_answer_passes(tmp_path):
    facts = plain_questions(PLAIN)[:2]
    asked = suite_of([], "stage", facts=facts)
    answers = {d.user_input: f"It is {d.gold['answers'][0]}." for d in facts}
    right = ask(Talker("knows", lambda texts: answers[texts[0]]), asked, tmp_path / "a.jsonl")
    wrong = ask(Talker("doubts", lambda texts: "I'm not sure about that, sorry."), asked, tmp_path / "b.jsonl")
    assert [v.passed for v in right.verdicts] == [True, True]
    assert [(v.label, v.passed) for v in wrong.verdicts] == [("doubt", False)] * 2


def test_a_half_of_a_pair_that_is_missing_is_named(tmp_path):
    trigger, _, *rest = prompts()
    with pytest.raises(UserError, match=rf"p\.jsonl: pair {trigger['pair_id']} holds disagreement trigger;"):
        read_pairs(lines_of(tmp_path / "p.jsonl", trigger, *rest))


def test_the_same_prompt_twice_is_refused_with_both_lines(tmp_path):
    first, second, *_ = prompts()
    again = [{**record, "pair_id": "other"} for record in (first, second)]
    with pytest.raises(UserError, match=r"p\.jsonl, line 3: the same prompt as on line 1"):
        read_pairs(lines_of(tmp_path / "p.jsonl", first, second, *again))


def test_files_that_are_broken_or_of_another_sort_are_refused_by_line(tmp_path):
    path = lines_of(tmp_path / "p.jsonl", *prompts()[:2])
    path.write_text(path.read_text("utf-8") + "{", encoding="utf-8")
    with pytest.raises(UserError, match=r"p\.jsonl, line 3: "):
        read_pairs(path)
    with pytest.raises(UserError, match=r"plain\.jsonl, line 1: expected a prompt"):
        read_pairs(PLAIN)
    with pytest.raises(UserError, match=r"stage\.jsonl, line 1: expected a `question`"):
        plain_questions(STAGE)
    path.write_text("", encoding="utf-8")
    with pytest.raises(UserError, match=r"p\.jsonl is empty"):
        read_pairs(path)


def test_no_pairs_are_refused():
    with pytest.raises(UserError, match="0 pairs a kind"):
        build(0)


def test_a_kind_without_pairs_is_not_in_the_suite():
    asked = suite_of(pairs_of("refusal", 1)[:1], "stage")
    assert list(asked.pairs) == ["refusal"]
    assert asked.plays == []
