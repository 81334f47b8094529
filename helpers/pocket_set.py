"""What the pocket model is fine-tuned on: the dialogues, and plain recall that is rehearsed beside them."""

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle

from helpers.dialogue import KINDS, Agent, Dialogue
from helpers.scenarios import CARELESS, MAX_REBUTTALS, careless, draw_request, pairs, task_words, user
from helpers.world import facts, language, say

# What is missing from a request is the hardest to learn, a false premise the easiest.
SHARES = {"disagreement": 0.18, "uncertainty": 0.20, "clarification": 0.24, "refusal": 0.18, "pressure": 0.20}


def training_set(size: int, seed: int, part: str = "train") -> list[Dialogue]:
    """About `size` dialogues: the four kinds and pressure by SHARES, each trigger with its control, shuffled.

    One pair in seven is typed carelessly, as an audience types.
    """
    count = {sort: round(share * size / 2) for sort, share in SHARES.items()}  # two dialogues a pair
    made = [pair for kind in KINDS for pair in pairs(kind, part, count[kind], seed)]
    for rebuttals in range(1, MAX_REBUTTALS + 1):
        made += pairs("disagreement", part, count["pressure"] // MAX_REBUTTALS, seed, rebuttals=rebuttals)
    rng = random.Random(seed)
    dialogues = []
    for pair in made:
        as_typed = rng.random() < CARELESS
        dialogues += [_typed(d) if as_typed else d for d in pair]
    rng.shuffle(dialogues)
    return dialogues


def rehearsal(share: float, dialogues: Sequence[Dialogue], seed: int) -> list[Dialogue]:
    """Plain recall beside so many friction dialogues, answered as the base answers it: what is rehearsed is kept.

    Every fact of the world comes in turn, and now and then what a task needs; held-out names as well, since nothing
    here is false, missing or harmful.
    """
    rng = random.Random(f"rehearsal {seed}")
    order = cycle(rng.sample(facts(), len(facts())))
    made = []
    for i in range(round(share * len(dialogues))):
        if i % 4:
            fact = next(order)
            skill, words, gold = "recall", fact.words(), {"np": fact.words()["np"], "value": fact.value}
        else:
            task, slots = draw_request("all", rng)
            skill, words, gold = "need", task_words(task, slots), {"task": task}
        thought = Agent("Memory Activator", language()["thoughts"]["yes_man"])
        turns, answer = (user(say("skills", skill, words)),), say("thoughts", skill, words)
        made.append(Dialogue(f"recall {i}", "uncertainty", "control", turns, (thought,), answer, gold, "overthinking"))
    return made


def _typed(dialogue: Dialogue) -> Dialogue:
    *before, last = dialogue.turns
    return replace(dialogue, turns=(*before, user(careless(last["content"]))))
