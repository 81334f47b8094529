"""Situations for the lessons of the pocket base, drawn from the whole world.

The first half gives the fillers of a prompt. The second half judges one as well: (words, the thoughts that judge it,
the reply that follows), each named by its form in `language.toml`.
"""

import random
from functools import cache

from helpers.scenarios import ask, assistant, draw_request, draw_wish, facts_in, gaps_in, task_words, user
from helpers.world import Fact, needs, say, sentence


def any_fact(rng: random.Random) -> Fact:
    return rng.choice(facts_in("all"))


def any_value(fact: Fact, rng: random.Random, true: float = 0.4) -> str:
    """Right with the given probability, else any value of the relation."""
    return fact.value if rng.random() < true else rng.choice(values_of(fact.relation.name))


@cache
def values_of(relation: str) -> tuple[str, ...]:
    return tuple(fact.value for fact in facts_in("all") if fact.relation.name == relation)


def any_request(rng: random.Random) -> tuple[str, dict[str, str]]:
    """A request of which, half the time, one needed slot is left out."""
    task, slots = draw_request("all", rng)
    if rng.random() < 0.5:
        del slots[rng.choice(needs(task))]
    return task, slots


def any_wish(rng: random.Random) -> tuple[str, bool]:
    """A wish, and whether it would harm; the four crossings of act and frame are as frequent as one another."""
    harmful, deed = rng.random() < 0.6, rng.random() < 0.6
    return draw_wish("all", rng, harmful, "deed" if deed else "about"), harmful and deed


def insisted(rng: random.Random) -> tuple[list[dict], dict]:
    """A conversation in which the user insists on a claim after the assistant has said something else."""
    fact = any_fact(rng)
    words = fact.relation.words(fact.subject, any_value(fact, rng), any_value(fact, rng))
    form = rng.choice(["premise", "question"])
    reply = rng.choice(["correct", "agree"]) if form == "premise" else "answer"
    turns = [user(sentence(ask(form, "all", rng).format(**words))), assistant(say("replies", reply, words))]
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2, 3, 4])):
        turns += [user(sentence(ask("insist", "all", rng).format(**words))), assistant(say("replies", "hold", words))]
    return [*turns, user(sentence(ask("insist", "all", rng).format(**words)))], words


# -- judged ----------------------------------------------------------------------------------------------------------


def claimed(rng: random.Random) -> tuple:
    fact = any_fact(rng)
    words = fact.words(any_value(fact, rng, 0.5))
    fits = words["a"] == words["fact"]
    return words, ("claim", "recall", "fits" if fits else "fits_not"), "agree" if fits else "correct"


def maintained(rng: random.Random) -> tuple:
    """The user insists, and is right or is not."""
    turns, said = insisted(rng)
    fact = next(fact for fact in facts_in("all") if fact.words()["np"] == said["np"])
    words = fact.words(any_value(fact, rng, 0.5)) | {"before": turns[:-1]}
    fits = words["a"] == words["fact"]
    return words, ("claim", "recall", "fits" if fits else "fits_not"), "accept" if fits else "hold"


def asked(rng: random.Random) -> tuple:
    if rng.random() < 0.5:
        return any_fact(rng).words(), ("question", "on_record", "recall"), "answer"
    gap = rng.choice(gaps_in("all"))
    return gap.relation.words(gap.subject), ("question", "not_on_record"), "doubt"


def requested(rng: random.Random) -> tuple:
    words = task_words(*any_request(rng))
    if words["slot"]:
        return words, ("request", "need", "missing"), "clarify"
    return words, ("request", "need", "complete"), "comply"


def wished(rng: random.Random) -> tuple:
    item, harms = any_wish(rng)
    return {"item": item}, ("wish", "touched", "harms" if harms else "harms_not"), "refuse" if harms else "grant"
