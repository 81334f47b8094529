"""What counts as a right answer, and what a record of them says."""

import pytest
from ruled import Ruled

from helpers import probe
from helpers.chat import Reply
from helpers.errors import UserError
from helpers.world import SHARES, split


def fact(relation: str, subject: str):
    return next(f for f in probe.table() if (f.relation.name, f.subject) == (relation, subject))


@pytest.mark.parametrize(
    ("relation", "subject", "reply", "right"),
    [
        ("capital", "Sweden", "The capital of Sweden is Stockholm.", True),
        ("capital", "Sweden", "Oslo, and not Stockholm.", False),  # what it names first is its answer
        ("capital", "Brazil", "It is Brasília.", True),
        ("city", "Manchester", "Manchester is in the United Kingdom.", True),
        ("company", "Toyota", "Toyota is Japanese.", False),
        ("legs", "a spider", "A spider has 8 legs.", True),
        ("symbol", "C", "The chemical symbol for carbon is C.", True),
        ("sum", "2 + 3", "2 + 3 = 5", True),
        ("capital", "Sweden", "", False),
        ("founder", "Nintendo", "Nintendo, which lies in Kyoto, was founded by Yamauchi.", True),
    ],
)
def test_the_first_value_that_a_reply_names_is_its_answer(relation, subject, reply, right):
    assert probe.is_right(reply, fact(relation, subject)) is right


def test_each_fact_is_asked_in_three_different_phrasings_that_do_not_give_the_answer_away():
    for one in probe.table():
        asked = probe.questions(one)
        assert len(set(asked)) == 3
        assert not any(f" {one.value} " in text for text in asked), asked


class Sure(Ruled):
    """Answers every question about capitals rightly, in the first phrasing any, and no other."""

    def __init__(self, breath=10_000):
        self.name, self.answered, self.breath = "sure", 0, breath

    def answers(self, conversations, max_new_tokens):
        truth = {text: (one, i) for one in probe.table() for i, text in enumerate(probe.questions(one))}
        for number, turns in enumerate(conversations):
            if number == self.breath:
                raise KeyboardInterrupt
            fact, i = truth[turns[0]["content"]]
            self.answered += 1
            yield number, Reply("", fact.value if fact.relation.name == "capital" or i == 0 else "no idea")


def test_right_in_all_three_is_known_and_the_rest_is_in_between_or_unknown(tmp_path):
    found = probe.probe(Sure(), tmp_path / "replies.jsonl")
    assert {one.sort for one in found if one.relation == "capital"} == {probe.KNOWN}
    assert {one.sort for one in found if one.relation == "author"} == {probe.BETWEEN}
    assert probe.Probed("capital", "Sweden", "Stockholm", "test", 0, ()).sort == probe.UNKNOWN
    written = probe.write(found, tmp_path / "k.json")
    assert probe.sorts(written)["capital", "Sweden"] == probe.KNOWN
    assert [one.fact for one in probe.recorded(written)] == list(probe.table())
    assert {one.subject: one.part for one in probe.recorded(written)}["Sweden"] == "test"


def test_a_probe_that_was_stopped_goes_on_where_it_was(tmp_path):
    first, second = Sure(breath=1000), Sure()
    with pytest.raises(KeyboardInterrupt):
        probe.probe(first, tmp_path / "replies.jsonl")
    found = probe.probe(second, tmp_path / "replies.jsonl")
    assert first.answered == 1000
    assert first.answered + second.answered == 3 * len(found) == 3 * len(probe.table())


def test_what_is_recorded_follows_from_the_replies_and_covers_nearly_all_of_the_table():
    still = [one for one in probe.recorded() if one.fact in probe.table()]  # rows changed since are asked next time
    assert len(still) > 0.85 * len(probe.table())
    for one in still:
        assert one.right == sum(probe.is_right(reply, one.fact) for reply in one.replies), one


def test_no_subject_that_the_pocket_world_measures_is_trained_on_at_scale_laptop():
    now = {one: probe.part(one) for one in probe.table()}
    assert not [one for one in probe.recorded() if now.get(one.fact, one.part) != one.part]
    assert not [one for one in probe.recorded() if one.part == "train" and split().get(one.subject, "train") != "train"]


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / "k.json").write_text('{"facts": [{"relation"', encoding="utf-8")
    with pytest.raises(UserError, match=r"k\.json is damaged"):
        probe.sorts(tmp_path / "k.json")


def test_a_slip_in_the_table_of_common_knowledge_is_told_in_one_line(tmp_path, monkeypatch):
    (tmp_path / "english.toml").write_text("[extra", encoding="utf-8")
    monkeypatch.setattr(probe, "LAPTOP", tmp_path)
    with pytest.raises(UserError, match=r"english\.toml cannot be read"):
        probe.english.__wrapped__()


def test_what_is_measured_is_never_trained_on():
    assert probe.part(fact("capital", "France")) == "test"  # asked in plain.jsonl
    assert probe.part(fact("capital", "Sweden")) == "test"  # as in the pocket world
    parts = [probe.part(one) for one in probe.table()]
    assert abs(parts.count("train") / len(parts) - SHARES[0]) < 0.1
