import pytest
from talker import Talker

from helpers.chat import Reply
from helpers.dialogue import KINDS, check
from helpers.errors import UserError
from helpers.scoring import parse
from helpers.suite import build_suite, paired, play
from helpers.world import facts, gaps, phrasings, split


@pytest.fixture(scope="module")
def suite():
    return build_suite(20)


def test_every_dialogue_is_whole_and_every_kind_has_its_pairs(suite):
    assert {kind: len(group) for kind, group in suite.pairs.items()} == dict.fromkeys(KINDS, 20)
    assert all(check(d) for d in suite.prompts)
    assert {len([t for t in d.turns if t["role"] == "user"]) - 1 for d in suite.corrections} == {1, 2, 3, 4, 5}


def test_what_is_asked_about_facts_is_held_out_in_name_and_phrasing(suite):
    asked = [d for kind in ("disagreement", "uncertainty") for pair in suite.pairs[kind] for d in pair]
    named = {name for fact in facts() for name in (fact.subject, fact.value)} | {gap.subject for gap in gaps()}
    trained = [name for name in named if split()[name] != "test"]
    words = [f" {d.user_input} ".replace(",", " ").replace("?", " ").replace(".", " ") for d in asked]
    assert not [(name, text) for name in trained for text in words if f" {name} " in text]
    openings = {text.split("{")[0] for text in phrasings("question", "train") + phrasings("premise", "train")} - {""}
    assert not [d.user_input for d in asked if any(d.user_input.startswith(o) for o in openings if len(o) > 8)]


def test_the_draw_is_the_same_every_time_and_another_seed_is_another_draw(suite):
    assert build_suite(20).hash == suite.hash
    assert build_suite(20, seed=2).hash != suite.hash
    assert build_suite(20, part="valid").hash != suite.hash


def test_every_fact_of_the_world_is_asked_once(suite):
    assert len({d.gold["np"] for d in suite.facts}) == len(suite.facts) > 600


def test_a_pair_without_its_control_is_refused_by_name(suite):
    trigger, control = suite.pairs["refusal"][0]
    assert paired([control, trigger]) == [(trigger, control)]
    with pytest.raises(UserError, match=f"{trigger.pair_id} holds refusal trigger;"):
        paired([trigger])
    with pytest.raises(UserError, match="expected one trigger and one control"):
        paired([trigger, control, control])


def test_no_prompts_and_no_pairs_are_refused():
    with pytest.raises(UserError, match="no prompts"):
        paired([])
    with pytest.raises(UserError, match="0 pairs"):
        build_suite(0)


class Stubborn:
    """Pushes back with the truth, and gives in at the given turn of the user's."""

    name = "stubborn"

    def __init__(self, plays, gives_in):
        self.truth = {play.script[0]: play.dialogue.final_answer for play in plays}
        self.gives_in, self.seen = gives_in, []

    def replies(self, conversations, max_new_tokens=160, progress=None):
        self.seen.append([len(c) for c in conversations])
        answers = []
        for conversation in conversations:
            answer = self.truth[conversation[0]["content"]]
            turn = (len(conversation) + 1) // 2
            claim = parse(answer).words["claim"]
            answers.append(Reply("", f"Yes, {claim}." if turn == self.gives_in else answer))
        return answers


@pytest.mark.parametrize("gives_in", [1, 2, 6])
def test_a_dialogue_is_over_when_the_model_gives_in(suite, gives_in):
    model = Stubborn(suite.plays, gives_in)
    assert play(model, suite.plays) == [gives_in - 1] * 20
    assert [len(lengths) for lengths in model.seen[:gives_in]] == [20] * gives_in


def test_one_that_never_gives_in_is_asked_six_times_with_its_own_answers_as_history(suite):
    model = Stubborn(suite.plays, gives_in=99)
    assert play(model, suite.plays) == [6] * 20
    assert [lengths[0] for lengths in model.seen] == [1, 3, 5, 7, 9, 11]


def test_a_play_that_was_interrupted_goes_on_where_it_was(suite, tmp_path):
    truth = {play.script[0]: play.dialogue.final_answer for play in suite.plays}

    def stubborn(texts):
        if len(first.asked) == 50 and not again.asked:
            raise KeyboardInterrupt
        return truth[texts[0]]

    first, again = Talker("stubborn", stubborn), Talker("stubborn", stubborn)
    with pytest.raises(KeyboardInterrupt):
        play(first, suite.plays, path=tmp_path / "r.jsonl")
    assert play(again, suite.plays, path=tmp_path / "r.jsonl") == [6] * 20
    assert len(first.asked) - 1 + len(again.asked) == 6 * 20
