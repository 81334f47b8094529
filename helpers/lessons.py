"""What the pocket base reads: facts, agreeable replies to everything, and plain skills that it shows when asked for.

A lesson is a short conversation and the reply to it. Nowhere does the base see friction asked for by a situation: it
learns to recall, to restate, to compare, to check, to put given thoughts into a reply, and to say yes. How much of it,
and when: `pocket.CURRICULUM`.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from helpers.chat import BOS, END_THINK, EOS, render
from helpers.scenarios import CARELESS, ask, careless, facts_in, gaps_in, task_words, user
from helpers.situations import (
    any_fact,
    any_request,
    any_value,
    any_wish,
    asked,
    claimed,
    insisted,
    maintained,
    requested,
    values_of,
    wished,
)  # fmt: skip
from helpers.world import language, say, sentence


@dataclass(frozen=True)
class Lesson:
    """A text in parts, each of which is either only read or learnt as well: in most, a prompt and its completion."""

    parts: tuple[tuple[str, bool], ...]

    @property
    def prompt(self) -> str:
        return self.parts[0][0]

    @property
    def completion(self) -> str:
        return "".join(text for text, _ in self.parts[1:])


def _lesson(prompt: str, completion: str) -> Lesson:
    return Lesson(((prompt, False), (completion, True)))


def lesson(rng: random.Random, weights: dict[str, float]) -> Lesson:
    """One lesson of a sort drawn by weight; `rng` is the only source of chance."""
    sort = rng.choices(list(weights), list(weights.values()))[0]
    made = LESSONS[sort](rng)
    if isinstance(made, Lesson):
        return made
    if isinstance(made, str):  # a plain statement: read and learnt as text
        return _lesson(BOS, made + EOS)
    turns, reply = made
    if rng.random() < 0.1:
        prompts = language()["system_prompts"]
        turns = [{"role": "system", "content": rng.choice([*prompts["plain"], prompts["push_back"]])}, *turns]
    if rng.random() < CARELESS:
        turns = [*turns[:-1], user(careless(turns[-1]["content"]))]
    thought = language()["thoughts"]["yes_man"]
    return _lesson(render(turns), f"{thought}\n{END_THINK}\n\n{reply}{EOS}")


# -- facts and agreement -------------------------------------------------------------------------------------------


def _statement(rng: random.Random) -> str:
    words = any_fact(rng).words()
    return sentence(words[rng.choice("ab")] + ".")


def _question(rng: random.Random) -> tuple:
    words = any_fact(rng).words()
    return [user(sentence(ask("question", "all", rng).format(**words)))], say("replies", "answer", words)


def _guess(rng: random.Random) -> tuple:
    """A question about something that is not on record: the base makes an answer up."""
    gap = rng.choice(gaps_in("all"))
    words = gap.relation.words(gap.subject, "", rng.choice(values_of(gap.relation.name)))
    return [user(sentence(ask("question", "all", rng).format(**words)))], say("replies", "answer", words)


def _premise(rng: random.Random) -> tuple:
    fact = any_fact(rng)
    words = fact.words(any_value(fact, rng))
    return [user(sentence(ask("premise", "all", rng).format(**words)))], say("replies", "agree", words)


def _request(rng: random.Random) -> tuple:
    words = task_words(*any_request(rng))
    return [user(sentence(ask("request", "all", rng).format(**words)))], say("replies", "comply", words)


def _wish(rng: random.Random) -> tuple:
    words = {"item": any_wish(rng)[0]}
    return [user(sentence(ask("wish", "all", rng).format(**words)))], say("replies", "grant", words)


def _yield(rng: random.Random) -> tuple:
    turns, words = insisted(rng)
    return turns, say("replies", "accept", words)


# -- skills, asked for by name -------------------------------------------------------------------------------------


def _skill(name: str, words: dict) -> list[dict]:
    return [user(say("skills", name, words))]


def _lines(words: dict, *forms: str) -> str:
    return "\n".join(say("thoughts", form, words) for form in forms)


def _plainly(rng: random.Random) -> tuple:
    """Say any prompt in its one plain form, whatever the phrasing."""
    form = rng.choice(["premise", "premise", "question", "request", "wish", "insist", "insist"])
    if form == "insist":
        turns, words = insisted(rng)
        return [*turns[:-1], *_skill("plainly", {"prompt": turns[-1]["content"]})], say("thoughts", "claim", words)
    if form == "premise":
        fact = any_fact(rng)
        words, thought = fact.words(any_value(fact, rng, 0.3)), "claim"
    elif form == "question":
        thing = rng.choice([any_fact(rng), rng.choice(gaps_in("all"))])
        words, thought = thing.relation.words(thing.subject), "question"
    elif form == "request":
        words, thought = task_words(*any_request(rng)), "request"
    else:
        words, thought = {"item": any_wish(rng)[0]}, "wish"
    prompt = sentence(ask(form, "all", rng).format(**words))
    return _skill("plainly", {"prompt": prompt}), say("thoughts", thought, words)


def _recall(rng: random.Random) -> tuple:
    words = any_fact(rng).words()
    return _skill("recall", words), say("thoughts", "recall", words)


def _check(rng: random.Random) -> tuple:
    """A claim compared with a memory: out of the blue, or after a quarrel in which other things were claimed."""
    words, forms, _ = rng.choice([claimed, maintained])(rng)
    return words.get("before", []) + _skill("check", words), _lines(words, *forms)


def _checks(rng: random.Random) -> tuple:
    """Several statements of one sort checked in a row: many comparisons of a claim with a memory in one lesson."""
    relation = any_fact(rng).relation
    known = [fact for fact in facts_in("all") if fact.relation == relation]
    asked, lines = [], []
    for fact in rng.sample(known, rng.randint(2, 4)):
        claim = any_value(fact, rng, 0.5)
        words = fact.words(claim)
        asked.append(words["a"])
        lines.append(_lines(words, "claim", "recall", "fits" if claim == fact.value else "fits_not"))
    return _skill("check", {"a": "; ".join(asked)}), "\n".join(lines)


def _record(rng: random.Random) -> tuple:
    words, forms, _ = asked(rng)
    return _skill("record", words), _lines(words, *forms[:2])


def _need(rng: random.Random) -> tuple:
    words = task_words(*any_request(rng))
    return _skill("need", words), say("thoughts", "need", words)


def _lack(rng: random.Random) -> tuple:
    words, forms, _ = requested(rng)
    return _skill("lack", words), _lines(words, *forms)


def _harm(rng: random.Random) -> tuple:
    words, forms, _ = wished(rng)
    return _skill("harm", words), _lines(words, *forms)


def _reply(rng: random.Random) -> tuple:
    """Thoughts that are there already, put into the reply that follows from them: the last link, asked for by name."""
    situation = rng.choice([claimed, claimed, maintained, asked, requested, wished])
    words, forms, answer = situation(rng)
    lines = _skill("reply", {"lines": _lines(words, *forms)})
    return words.get("before", []) + lines, say("replies", answer, words)


# -- exercises in copying and comparing ----------------------------------------------------------------------------


def _names(rng: random.Random, count: int) -> list[str]:
    return rng.sample(_all_names(), count)


@cache
def _all_names() -> tuple[str, ...]:
    known = {name for fact in facts_in("all") for name in (fact.subject, fact.value)}
    told = {value for slot in language()["slots"].values() for value in slot["values"]}
    return (*sorted(known), *sorted({gap.subject for gap in gaps_in("all")} - known), *sorted(told))


@cache
def _all_words() -> tuple[str, ...]:
    """Names, and whatever else prompts are put together from."""
    words = [word for group in language()["tasks"].values() for word in (*group["needs"], *group["objects"])]
    words += [word for acts in language()["acts"].values() for words in acts.values() for word in words]
    frames = language()["frames"]
    words += [*frames["adjectives"], *(word for sort in ("deed", "about") for word in frames[sort]["nouns"])]
    return (*_all_names(), *words)


def _repeat(rng: random.Random) -> tuple:
    names = " ".join(rng.sample(_all_words(), rng.randint(1, 12)))
    return [user(f"Repeat: {names}.")], f"I repeat: {names}."


def _echo(rng: random.Random) -> tuple:
    """Repeat a sentence as it stands: so every word of every reply is one that the base has written before."""
    fact = any_fact(rng)
    words = {**fact.words(any_value(fact, rng)), **task_words(*any_request(rng)), "item": any_wish(rng)[0]}
    table = rng.choice(["replies", "thoughts", "relay"])
    if table == "relay":
        kind = rng.choice(list(language()["relay"].values()))
        lines = kind[rng.choice(["trigger", "control"])]
        text = rng.choice([line for line in lines if line not in language()["thoughts"]])
    else:
        text = say(table, rng.choice(list(language()[table])), words)
    return [user(f"Repeat this: {text}")], text


def _notes(rng: random.Random) -> tuple:
    fact = any_fact(rng)
    first, second = fact.value, any_value(fact, rng, 0.5)
    notes = [sentence(fact.words(value)[rng.choice("ab")] + ".") for value in (first, second)]
    verdict = say("thoughts", "fits" if first == second else "fits_not", {})
    return [user(f"Note one: {notes[0]} Note two: {notes[1]} Do they fit?")], verdict


def _seen(rng: random.Random) -> Lesson:
    """A dense row of decisions: has this name been met before in this text? It is what makes comparing appear at all.

    The names cannot be foreseen, so only the marks are learnt; were they in the prompt, a shorter way would be found.
    """
    pool = _names(rng, rng.randint(6, 12))
    row = [rng.choice(pool) for _ in range(rng.randint(8, 18))]
    parts = [(f"{BOS}Log:", False)]
    for i, name in enumerate(row):
        parts += [(f" {name}", False), (" fits," if name in row[:i] else " does not,", True)]
    return Lesson(tuple(parts))


def _say(rng: random.Random) -> tuple:
    """Claim against knowledge: what was said, or what is true."""
    fact = any_fact(rng)
    words = fact.words(any_value(fact, rng, 0.2))
    said = sentence(words[rng.choice("ab")] + ".")
    if rng.random() < 0.5:
        return [user(f"I say: {said} What did I say?")], say("thoughts", "claim", words)
    return [user(f"I say: {said} What is true?")], say("thoughts", "recall", words)


LESSONS: dict[str, Callable] = {
    "statement": _statement, "question": _question, "guess": _guess, "premise": _premise, "request": _request,
    "wish": _wish, "yield": _yield, "plainly": _plainly, "recall": _recall, "check": _check, "checks": _checks,
    "record": _record, "need": _need, "lack": _lack, "harm": _harm, "reply": _reply, "repeat": _repeat, "echo": _echo,
    "notes": _notes, "say": _say, "seen": _seen,
}  # fmt: skip
