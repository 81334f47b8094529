import random

from salad import salad

from helpers.likeness import Index

RNG = random.Random(1)


def test_a_text_with_some_words_changed_is_near_and_another_is_not():
    index, text = Index(), salad(RNG, 40)
    index.add("first", text)
    words = text.split()
    words[3], words[20] = "camel", "zebra"
    assert index.near(" ".join(words)) == "first"
    assert index.near(salad(RNG, 40)) is None


def test_two_ways_to_ask_about_one_thing_are_one_scene():
    scenes = Index.of_scenes()
    scenes.add(
        1, "How many litres of white paint do I need for the living room walls? The room is 4 by 5 metres, 2.5 high."
    )
    asked = "How much paint for the four walls of a living room of 4 by 5 metres? White, ceiling at 2.5, litres please."
    assert scenes.near(asked) == 1
    assert (
        scenes.near("How many metres of yarn do I need for a green merino pullover? The pattern is in inches.") is None
    )
    assert Index().add(1, asked) is None


def test_a_mate_may_be_near_and_others_may_not():
    index, text = Index(), salad(RNG, 30)
    assert index.add(1, text, "pair a") is None
    assert index.add(2, text, "pair a") is None
    assert index.add(3, text, "pair b") == 1


def test_texts_of_a_word_or_of_none_are_compared_too():
    index = Index()
    assert [index.add(1, "Yes."), index.add(2, "yes"), index.add(3, "..."), index.add(4, "")] == [None, 1, None, None]


def test_a_thousand_copies_are_compared_with_one_and_not_with_each_other(monkeypatch):
    index, text = Index(), salad(RNG, 30)
    index.add(0, text)
    looked_at = []
    monkeypatch.setattr(index._lsh, "query", lambda s, ask=index._lsh.query: looked_at.extend(ask(s)) or ask(s))
    assert {index.add(i, text) for i in range(1, 1000)} == {0}
    assert len(looked_at) == 999
