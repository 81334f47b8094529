import random
from dataclasses import replace

import pytest
from salad import salad, salad_set

from helpers import near, prose
from helpers.dialogue import Agent
from helpers.scenarios import user
from helpers.schema import NATURAL, POCKET, Entry

RNG = random.Random(1)


def entries(dialogues, rules=NATURAL):
    return [Entry(line, dialogue, rules) for line, dialogue in enumerate(dialogues, 1)]


def lines(found):
    return sorted({entry.line for entry, _ in found})


def test_a_set_without_copies_is_left_alone():
    everything = entries(salad_set(40))
    assert {name: lines(rule(everything)) for name, rule in near.SET_RULES.items()} == {n: [] for n in near.SET_RULES}


@pytest.mark.parametrize(("pairs", "repeats", "blamed"), [(4, 3, []), (5, 4, [7, 8]), (200, 4, []), (200, 5, [9, 10])])
def test_a_worn_phrase_is_told_by_the_number_of_its_pairs_and_by_the_size_of_the_set(pairs, repeats, blamed):
    dialogues = salad_set(pairs)
    said = [replace(d, final_answer=d.final_answer + " at the end of the day") for d in dialogues[: 2 * repeats]]
    assert lines(near.sequences(entries(said + dialogues[2 * repeats :]))) == blamed


def test_openings_of_prompts_differ_between_pairs_and_those_of_answers_between_records():
    one, mate, two, other = salad_set(2)
    first = {"role": "user", "content": "Could you tell me why"}
    asking = [
        replace(d, turns=({**first, "content": f"could you, tell me {i}"},)) for i, d in enumerate((one, mate, two))
    ]
    assert lines(near.openings(entries([*asking, other]))) == [3]
    answering = [replace(d, final_answer=f"Yes, it is so {i}") for i, d in enumerate((one, mate, two))]
    assert lines(near.openings(entries([*answering, other]))) == [2, 3]


def test_four_thoughts_may_begin_alike_and_a_fifth_may_not():
    thinking = [
        replace(d, agents=(Agent("Synthesizer", f"So this is {salad(RNG, 9)}"), *d.agents[1:])) for d in salad_set(3)
    ]
    assert lines(near.openings(entries(thinking))) == [5, 6]


def test_a_thought_may_not_come_back_in_its_mate_word_for_word_nor_nearly_in_another_pair():
    one, mate, two, other = salad_set(2)
    mate = replace(mate, agents=(one.agents[0], *mate.agents[1:]))
    nearly = replace(one.agents[2], thought_stream=one.agents[2].thought_stream + " Indeed.")
    two = replace(two, agents=(nearly, *two.agents[1:]))
    assert lines(near.thoughts(entries([one, mate, two, other]))) == [2, 3]


def test_the_control_of_several_false_claims_of_the_pocket_world_is_no_copy_but_a_trigger_is():
    trigger, control = salad_set(1)
    again = [replace(trigger, pair_id="q"), replace(control, pair_id="q")]
    assert lines(near.duplicates(entries([trigger, control, *again], POCKET))) == [3]
    assert lines(near.duplicates(entries([trigger, control, *again], NATURAL))) == [3, 4]


def test_a_trigger_and_a_control_that_ask_the_same_contradict_each_other():
    trigger, control = salad_set(1)
    shouted = ({"role": "user", "content": trigger.user_input.upper()},)
    assert lines(near.duplicates(entries([trigger, replace(control, turns=shouted)]))) == [2]


LEAKS = {
    "the same conversation": lambda d, o: replace(d, turns=o.turns),
    "the same pair": lambda d, o: replace(d, pair_id=o.pair_id),
    "eight words of a thought": lambda d, o: replace(
        d, final_answer=d.final_answer + " " + " ".join(o.agents[3].thought_stream.lower().split()[2:10])
    ),
    "nearly the same prompt": lambda d, o: replace(
        d, turns=({"role": "user", "content": " ".join(w for i, w in enumerate(o.user_input.split()) if i % 10)},)
    ),
    "the same scene": lambda d, o: replace(
        d, turns=({"role": "user", "content": " ".join(sorted(o.user_input.lower().split()))},)
    ),
    "the same fact": lambda d, o: replace(d, gold={**d.gold, "request": o.gold["fact"]}),
}


@pytest.mark.parametrize("sort", LEAKS)
def test_what_also_stands_in_another_set_is_a_leak(sort):
    mine, others = salad_set(3, seed=1, kinds=("refusal",)), salad_set(3, seed=2, kinds=("disagreement",))
    assert lines(near.leaks(entries(mine), entries(others))) == []
    mine[2] = LEAKS[sort](mine[2], others[4])
    assert lines(near.leaks(entries(mine), entries(others))) == [3]


@pytest.mark.parametrize("turned", [False, True])
def test_a_leak_is_found_whatever_stands_before_it_in_the_other_set(turned):
    """Its mate, for instance, which is like it, and less like the record."""
    mate = "my landlord wants three months deposit before tuesday for a flat without heating in rotterdam south"
    other = "my landlord wants three months deposit before tuesday for a garage without windows near breda station"
    asks = "windows near breda station garage deposit three months landlord before friday please advise"
    index = prose.Index.of_scenes()
    index.keep(0, mate)
    assert index.near(other) == 0 and index.near(asks) is None  # else this proves nothing
    made = salad_set(2, seed=1, kinds=("refusal",))
    mine, *others = (replace(d, turns=(user(text),)) for d, text in zip(made, (asks, mate, other), strict=False))
    assert lines(near.leaks(entries([mine]), entries(others[::-1] if turned else others))) == [1]
