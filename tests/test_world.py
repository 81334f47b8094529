from collections import Counter

import pytest

from helpers import world
from helpers.errors import UserError
from helpers.world import PARTS, facts, gaps, language, phrasings, relations, sentence, split, within


def test_there_are_enough_relations_and_facts():
    counts = Counter(fact.relation.name for fact in facts())
    assert len(counts) >= 8 and sum(counts.values()) >= 600
    assert all(40 <= n <= 120 for n in counts.values()), counts


def test_every_relation_has_one_value_a_subject_and_no_inverse():
    known = Counter((fact.relation.name, fact.subject) for fact in facts())
    assert max(known.values()) == 1
    pairs = {(fact.subject, fact.value) for fact in facts()}
    assert not {(value, subject) for subject, value in pairs} & pairs


def test_a_name_is_one_plain_word_of_one_type():
    types = {}
    for fact in facts():
        for name, kind in zip((fact.subject, fact.value), fact.relation.types, strict=True):
            assert name.isascii() and name.isalpha()
            assert types.setdefault(name.lower(), kind) == kind


def test_no_fact_crosses_the_split():
    assert all(split()[fact.subject] == split()[fact.value] for fact in facts())


def test_forty_percent_of_the_names_are_held_out_in_every_relation():
    for name in relations():
        parts = Counter(split()[fact.subject] for fact in facts() if fact.relation.name == name)
        assert parts["test"] / sum(parts.values()) >= 0.25 and parts["train"] / sum(parts.values()) <= 0.65, name
        assert all(parts[part] for part in PARTS), name


def test_half_of_the_unknown_things_are_subjects_of_other_facts():
    familiar = sum(gap.familiar for gap in gaps())
    assert 0.4 < familiar / len(gaps()) < 0.6


def test_what_is_unknown_is_nowhere_a_fact():
    known = {(fact.relation.name, fact.subject) for fact in facts()}
    assert not known & {(gap.relation.name, gap.subject) for gap in gaps()}


@pytest.mark.parametrize("form", ["premise", "question", "insist", "request", "wish"])
def test_a_form_has_enough_phrasings_and_a_third_is_held_out(form):
    forms = phrasings(form, "all")
    assert len(set(forms)) >= 12
    assert len(phrasings(form, "train")) == len(forms) * 2 // 3
    assert sorted(f for part in PARTS for f in phrasings(form, part)) == sorted(forms)


def test_the_split_is_the_one_that_was_measured():
    # Changing a table may move names between the parts, and then no old number holds: rebuild the base if this fails.
    assert Counter(split().values()) == {"train": 1233, "test": 617, "valid": 205}
    assert {split()[name] for name in ("Sweden", "Stockholm", "Norway", "Oslo")} == {"test"}


def test_a_part_has_words_for_every_sort_of_request_and_wish():
    lists = [slot["values"] for slot in language()["slots"].values()]
    lists += [acts[key] for acts in language()["acts"].values() for key in acts]
    frames = language()["frames"]
    lists += [frames["adjectives"], frames["deed"]["nouns"], frames["about"]["nouns"]]
    assert all(within(names, part) for names in lists for part in PARTS)


def test_no_word_of_requests_and_wishes_stands_in_two_lists_or_is_a_name_of_a_fact():
    counts = Counter(word for names in world._lists() for word in names)
    assert max(counts.values()) == 1
    assert not set(counts) & {name for fact in facts() for name in (fact.subject, fact.value)}


def test_sentences_begin_with_capitals_and_names_keep_their_own():
    assert sentence("the krona is it. what now?") == "The krona is it. What now?"


def test_a_table_with_other_columns_is_refused_with_its_name(tmp_path, monkeypatch):
    (tmp_path / "facts.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    monkeypatch.setattr(world, "WORLD_DIR", tmp_path)
    with pytest.raises(UserError, match=r"facts.csv: the columns must be relation, subject"):
        world._table("facts.csv", ("relation", "subject", "value", "source", "extra"))
    with pytest.raises(UserError, match="is missing"):
        world._table("nothing.csv", ("a",))


@pytest.mark.parametrize("row", ["1", "1,2,3"])
def test_a_row_that_was_cut_or_has_a_cell_too_many_is_named_with_its_line(row, tmp_path, monkeypatch):
    (tmp_path / f"{row}.csv").write_text(f"a,b\n1,2\n{row}\n", encoding="utf-8")
    monkeypatch.setattr(world, "WORLD_DIR", tmp_path)
    with pytest.raises(UserError, match=r"csv, line 3 has not 2 cells\. Restore it: git checkout"):
        world._table(f"{row}.csv", ("a", "b"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[: text.rindex("\n", 0, len(text) // 2) + 1], r"has \d+ rows, language\.toml counts 737"),
        (lambda text: text.replace("capital,Sweden", "capitol,Sweden"), r"line \d+: unknown relation 'capitol'"),
        (lambda text: text + "capital,Sweden,Oslo,me\n", "line 739: a second value for the capital of Sweden"),
        (lambda text: text.replace("Sweden", "Suède"), "is not UTF-8 text"),
    ],
    ids=["cut at the end of a line", "a relation misspelt", "a subject twice", "another encoding"],
)
def test_a_damaged_table_of_facts_is_told_in_one_line(change, said, tmp_path, monkeypatch):
    text = change((world.WORLD_DIR / "facts.csv").read_text(encoding="utf-8"))
    (tmp_path / "facts.csv").write_text(text, encoding="cp1252" if "Suède" in text else "utf-8")
    monkeypatch.setattr(world, "WORLD_DIR", tmp_path)
    monkeypatch.setitem(world.language()["rows"], "facts.csv", 738 if "Oslo,me" in text else 737)
    world._table.cache_clear()
    try:
        with pytest.raises(UserError, match=said):
            world.facts.__wrapped__()
    finally:
        world._table.cache_clear()


def test_a_language_file_that_is_cut_short_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(world, "WORLD_DIR", tmp_path)
    with pytest.raises(UserError, match=r"language\.toml cannot be read"):
        world.language.__wrapped__()
    (tmp_path / "language.toml").write_text("[forms]\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"language\.toml is cut short"):
        world.language.__wrapped__()
    (tmp_path / "language.toml").write_text('[forms]\npremise = ["Since', encoding="utf-8")
    with pytest.raises(UserError, match=r"language\.toml cannot be read"):
        world.language.__wrapped__()
