"""What the laptop scale trains on: the curated set with short thoughts, short pairs, facts that the base knows or not.

A model of 135 million parameters learns the sound of six long thoughts and not the judgement. So three of the personas
speak, a sentence each: the Problem Framer states the claim, the Memory Activator recalls, the Synthesizer judges. For a
curated record these sentences come from its gold, and of its reply the first ones are kept, in which it says what it
does; at larger scales the whole relay and the whole reply are trained on.

The curated prompts are long, and an audience types short ones. So there are short pairs beside them: refusals and
missing information would else stand on 40 long triggers each, among a thousand short questions about facts.
"""

import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from helpers import probe
from helpers.dialogue import FLAVOURS, Agent, Dialogue, read_dialogues
from helpers.errors import UserError
from helpers.probe import KNOWN, LAPTOP, UNKNOWN, english, name_words
from helpers.scenarios import CARELESS, FLAVOUR, Pair, careless, user
from helpers.world import Fact, gaps, sentence, split

FRICTION = LAPTOP.parent / "friction"
SPEAKERS = ("Problem Framer", "Memory Activator", "Synthesizer")
SHORT = LAPTOP / "short.jsonl"
# How much is seen of each sort: too many facts, which cost nothing to make, drown the other kinds.
PREMISES = 2  # pairs for each known fact
QUESTIONS, CLAIMS = 110, 40  # pairs of questions and of claims that the base does not know the answer to
EVERY = 4  # one unknown fact in so many is claimed
HELD_OUT = 3  # of nine forms so many are never trained on
OPENING = 50  # words of a curated reply at most, in whole sentences


def training_set(seed: int = 0) -> list[Dialogue]:
    """Curated, short, facts and plain help, shuffled; a fact's subject is of the training part."""
    rng = random.Random(seed)
    made = {d.id: d for d in (*curated(), *short(), *plain())}
    unknown = rng.sample(questions("train", seed), QUESTIONS) + rng.sample(unknown_premises("train", seed), CLAIMS)
    for pair in premises("train", PREMISES, seed) + unknown:
        if not made.keys() & {d.id for d in pair}:  # two ways may lead to one prompt
            made |= {d.id: d for d in pair}
    dialogues = list(made.values())
    rng.shuffle(dialogues)
    return dialogues


# -- what was written, one by one ----------------------------------------------------------------------------------


def records() -> list[Dialogue]:
    """The curated set as it was written: six thoughts, a whole reply."""
    return [d for flavour in FLAVOURS for d in read_dialogues(FRICTION / f"{flavour}.jsonl")]


def curated() -> list[Dialogue]:
    """Every record of the curated set, its thoughts cut down to claim, knowledge, verdict, its reply to the opening."""
    return [shortened(d) for d in records()]


def shortened(dialogue: Dialogue) -> Dialogue:
    """A record of the curated sort as this scale learns it; UserError names what its gold lacks."""
    try:
        agents = _agents(english()["gold"][dialogue.kind][dialogue.role], dialogue.gold)
    except KeyError as missing:
        raise UserError(
            f"record {dialogue.id[:12]}: its gold has no {missing}, of which scale laptop makes the thoughts. Take "
            "records as in data_samples/friction, or another scale."
        ) from None
    return replace(dialogue, agents=agents, final_answer=opening(dialogue.final_answer))


def opening(text: str) -> str:
    """The first sentences of a text, `OPENING` words at most, but always one."""
    first, *others = re.split(r"(?<=[.?!])\s+", text)
    for one in others:
        if len(f"{first} {one}".split()) > OPENING:
            break
        first = f"{first} {one}"
    return first


def short() -> list[Dialogue]:
    """Pairs as short as an audience types them, of the kinds that facts say little of, and plain requests."""
    return list(read_dialogues(SHORT))


def plain() -> list[Dialogue]:
    """Plain requests with plain help, each a pair of its own."""
    return [
        Dialogue(
            f"plain-{i}", "clarification", "control", (user(text),), _agents(_thoughts("plain"), {}), answer,
            {"request": text, "slot": "", "cues": []}, FLAVOUR["clarification"], _SOURCE,
        )
        for i, (text, answer) in enumerate(english()["plain"]["asked"])
    ]  # fmt: skip


# -- facts ---------------------------------------------------------------------------------------------------------


def premises(part: str, each: int, seed: int, sort: str = KNOWN) -> list[Pair]:
    """False premises about facts of one sort, each with the same premise made true; `each` pairs a fact."""
    made = []
    for fact in facts_of(part, sort):
        rng = random.Random(f"{seed} {fact}")
        others = [f.value for f in facts_of(part, sort, fact.relation.name) if f.value != fact.value]
        others = others or [f.value for f in facts_of("all", "", fact.relation.name) if f.value != fact.value]
        forms = rng.sample(_forms(part), each)
        made += [_premise(fact, rng.choice(others), form, part, rng) for form in forms]
    return made


def questions(part: str, seed: int) -> list[Pair]:
    """Questions that the base cannot answer, or that nobody can; each with one like it that the base can."""
    rng = random.Random(f"questions {part} {seed}")
    answerable = [(fact, text) for fact in facts_of(part, KNOWN) for text in _asks(fact.relation.name)]
    rng.shuffle(answerable)
    made = []
    for relation, subject, fact in _unanswerable(part):
        if not answerable:
            break
        words = _words(relation, subject, "")
        why = "The model does not know it." if fact else "The name is made up."
        gold = {"question": words["what"], "answers": [], "why": why, "source": ""}
        trigger = _half(rng.choice(_asks(relation)), words, "doubt", rng, gold)
        alike = next((one for one in answerable if one[0].relation.name == relation), answerable[0])
        answerable.remove(alike)
        control, text = alike
        words = _words(control.relation.name, control.subject, control.value)
        gold = {"question": words["what"], "answers": [control.value], "why": words["fact"], "source": "fact table"}
        made.append(_pair("uncertainty", trigger, _half(text, words, "answer", rng, gold), part))
    return made


def unknown_premises(part: str, seed: int) -> list[Pair]:
    """Claims about things that the base does not know: neither to be believed nor denied."""
    rng = random.Random(f"unknown premises {part} {seed}")
    made = []
    for fact in facts_of(part, UNKNOWN)[::EVERY]:
        relation = fact.relation.name
        known = facts_of(part, KNOWN, relation)
        if not known:
            continue
        claim = rng.choice([f.value for f in facts_of(part, "", relation)])
        form = rng.choice([form for form in _forms(part) if "{more}" not in form])
        words = _words(relation, fact.subject, claim)
        gold = {"question": words["what"], "answers": [], "why": "The model does not know it.", "source": ""}
        trigger = _half(form, words, "doubt_claim", rng, gold)
        control = rng.choice(known)
        words = _words(relation, control.subject, control.value)
        gold = {"question": words["what"], "answers": [control.value], "why": words["fact"], "source": "fact table"}
        made.append(_pair("uncertainty", trigger, _half(form, words, "agree", rng, gold), part))
    return made


@cache
def facts_of(part: str, sort: str = "", relation: str = "") -> tuple[Fact, ...]:
    """Facts of a part ("all" for every one), of one sort (known, unknown), of one relation."""
    return tuple(
        one.fact
        for one in probe.recorded()
        if part in ("all", one.part) and sort in ("", one.sort) and relation in ("", one.relation)
    )


def _unanswerable(part: str) -> list[tuple[str, str, Fact | None]]:
    """(relation, subject, fact): what the base does not know, and made-up names of which there is nothing to know."""
    named: dict[str, str] = {}
    for gap in gaps():
        if not gap.familiar and part in ("all", split()[gap.subject]):
            named.setdefault(gap.subject, gap.relation.name)
    unknown = [(fact.relation.name, fact.subject, fact) for fact in facts_of(part, UNKNOWN)]
    return unknown + [(relation, subject, None) for subject, relation in named.items()]


def _premise(fact: Fact, other: str, form: str, part: str, rng: random.Random) -> Pair:
    table = english()["relations"][fact.relation.name]
    more = rng.choice(table["more"][:-1] if part == "train" else table["more"][-1:])
    right = _words(fact.relation.name, fact.subject, fact.value)
    wrong = _words(fact.relation.name, fact.subject, other)
    extra = {"more": more[0], "help": more[1].format(**right), "fact": right["fact"], "w": wrong["v"]}
    follows = "_more" if "{more}" in form else ""
    state = rng.getstate()  # both halves are worded alike
    trigger = _half(form, {**wrong, **extra}, "correct" + follows, rng, _gold(right, wrong, fact))
    rng.setstate(state)
    control = _half(form, {**right, **extra}, "agree" + follows, rng, _gold(right, right, fact))
    return _pair("disagreement", trigger, control, part)


def _gold(right: dict, claim: dict, fact: Fact) -> dict:
    return {"claim": claim["a"], "fact": right["fact"], "answers": [fact.value], "source": "fact table"}


def _half(form: str, words: dict, reply: str, rng: random.Random, gold: dict) -> tuple:
    replies = english()["replies"]
    texts = replies[reply] if isinstance(replies[reply], list) else [replies[reply]]
    text = rng.choice(texts).replace("{correct}", rng.choice(replies["correct"]))
    thoughts = _thoughts(reply.removesuffix("_more"))
    return (user(sentence(form.format(**words))),), _agents(thoughts, words), sentence(text.format(**words)), gold


def _words(relation: str, subject: str, value: str) -> dict[str, str]:
    """The fillers of every form: the fact, or what is claimed in its place, in both orders."""
    table, words = english()["relations"][relation], name_words(relation, subject, value)
    fact, inverse, what = (table[key].format(**words) for key in ("fact", "inverse", "what"))
    return {**words, "a": fact, "b": inverse, "fact": fact, "what": what}


def _forms(part: str) -> list[str]:
    forms = english()["forms"]["premise"]
    held = len(forms) * HELD_OUT // 9
    return forms[:-held] if part == "train" else forms[-held:]


def _asks(relation: str) -> list[str]:
    return english()["relations"][relation]["ask"]


def _thoughts(name: str) -> list[str]:
    return english()["thoughts"][name]


def _agents(thoughts: Sequence[str], words: dict) -> tuple[Agent, ...]:
    return tuple(Agent(name, text.format(**words)) for name, text in zip(SPEAKERS, thoughts, strict=True))


_SOURCE = {"source": "fact table and phrasings of data_samples/laptop", "language": "en", "licence": "CC-BY-4.0"}


def _pair(kind: str, trigger: tuple, control: tuple, part: str) -> Pair:
    made = []
    typed = random.Random(str(trigger)).random() < CARELESS and part == "train"
    for role, (turns, agents, answer, gold) in (("trigger", trigger), ("control", control)):
        turns = (user(careless(turns[0]["content"])),) if typed else turns
        made.append(Dialogue("", kind, role, turns, agents, answer, gold, FLAVOUR[kind], {**_SOURCE, "part": part}))
    pair_id = hashlib.sha256("".join(d.id for d in made).encode()).hexdigest()[:16]
    return replace(made[0], pair_id=pair_id), replace(made[1], pair_id=pair_id)
