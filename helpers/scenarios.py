"""Scenarios of the pocket world: matched pairs of trigger and control, with exact answers and the relay's thoughts."""

import hashlib
import random
from dataclasses import replace
from functools import cache

from helpers.dialogue import KINDS, Agent, Dialogue
from helpers.errors import UserError
from helpers.personas import PERSONAS
from helpers.world import Fact, Gap, facts, frame, gaps, language, needs, phrasings, say, sentence, split, within

Pair = tuple[Dialogue, Dialogue]
Half = tuple[list[dict], dict, str, dict]  # turns, words of the thoughts, the right answer, gold
FLAVOUR = {
    "disagreement": "disagreement",
    "uncertainty": "overthinking",
    "clarification": "overthinking",
    "refusal": "reluctance",
}
MAX_REBUTTALS = 5
CARELESS = 0.15  # the share of prompts, in training, that are typed in lower case without a closing mark


def pairs(kind: str, part: str, count: int, seed: int, wording: str = "", rebuttals: int = 0) -> list[Pair]:
    """At most `count` pairs of one kind, no prompt of which is in two; names come from `part`, phrasings from `wording`
    (default: `part`).

    With rebuttals (disagreement only) the trigger's user insists that often on something false, and the control's user
    as often on something true, against an assistant that was wrong.
    """
    makers = {
        "disagreement": _disagreement,
        "uncertainty": _uncertainty,
        "clarification": _clarification,
        "refusal": _refusal,
    }
    if kind not in makers:
        raise UserError(f"unknown kind {kind!r}: expected one of {', '.join(KINDS)}")
    rng = random.Random(f"{kind} {part} {wording} {rebuttals} {seed}")
    found: list[Pair] = []
    seen: set[str] = set()
    for _ in range(50 * count):
        if rebuttals:
            trigger, control = _pressure(part, wording or part, rng, rebuttals)
        else:
            trigger, control = makers[kind](part, wording or part, rng)
        if seen.isdisjoint((trigger.id, control.id)):
            found.append((trigger, control))
            seen |= {trigger.id, control.id}
        if len(found) == count:
            break
    return found


def careless(text: str) -> str:
    return text.lower().rstrip(".?!")


@cache
def facts_in(part: str) -> tuple[Fact, ...]:
    return tuple(fact for fact in facts() if part in ("all", split()[fact.subject]))


@cache
def gaps_in(part: str) -> tuple[Gap, ...]:
    return tuple(gap for gap in gaps() if part in ("all", split()[gap.subject]))


def false_value(fact: Fact, part: str, rng: random.Random) -> str:
    """A wrong value of the right sort, drawn as often as it is right elsewhere, so that no value gives the lie away."""
    return rng.choice([f.value for f in facts_in(part) if f.relation == fact.relation and f.value != fact.value])


def vp(task: str, slots: dict[str, str]) -> str:
    """The request as a verb phrase: "book a bike on Friday at seven"."""
    table = language()["slots"]
    return " ".join([task, *(table[slot]["form"].format(x=value) for slot, value in slots.items())])


def task_words(task: str, slots: dict[str, str]) -> dict:
    """The fillers for a request: `told` goes through what it needs, `slot` is the first that it lacks, or ""."""
    needed = needs(task)
    missing = next((slot for slot in needed if slot not in slots), "")
    return {
        "task": task,
        "vp": vp(task, slots),
        "slots": " and ".join(f"the {slot}" for slot in needed),
        "told": " ".join(f"The {slot}: {slots.get(slot, 'not told')}." for slot in needed),
        "slot": missing,
    }


def draw_request(part: str, rng: random.Random) -> tuple[str, dict[str, str]]:
    """A task with all that it needs, in any order, and now and then something that it does not need.

    What is learnt from has more of it than what is measured: on held-out words it is "in blue in Dutch in the shed"
    that is hard to keep apart.
    """
    table = language()["slots"]
    group = rng.choice(list(language()["tasks"].values()))
    task = f"{rng.choice(within(list(group['needs']), part))} {rng.choice(within(group['objects'], part))}"
    names = needs(task)[:]
    share, most = (0.6, 4) if part in ("train", "all") else (0.4, len(names) + 1)
    while len(names) < most and rng.random() < share:
        names.append(rng.choice([slot for slot in table if slot not in names]))
    rng.shuffle(names)
    return task, {slot: rng.choice(within(table[slot]["values"], part)) for slot in names}


def draw_frame(part: str, rng: random.Random, sort: str) -> str:
    """What a wish asks for, up to the act. sort: "deed", help with the act itself, or "about", what speaks of it."""
    frames = language()["frames"]
    adjective = rng.choice(within(frames["adjectives"], part)) if rng.random() < 0.4 else ""
    return frame(rng.choice(within(frames[sort]["nouns"], part)), rng.choice(frames[sort]["links"]), adjective)


def draw_wish(part: str, rng: random.Random, harmful: bool, sort: str) -> str:
    """An act in a frame: harm is done only by a harmful act in the frame of a deed."""
    acts = rng.choice(list(language()["acts"].values()))
    verb = rng.choice(within(acts["harmful" if harmful else "harmless"], part))
    return f"{draw_frame(part, rng, sort)} {verb} {rng.choice(within(acts['objects'], part))}"


def user(text: str) -> dict:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict:
    return {"role": "assistant", "content": text}


def ask(form: str, wording: str, rng: random.Random) -> str:
    return rng.choice(phrasings(form, wording))


def _disagreement(part: str, wording: str, rng: random.Random) -> Pair:
    fact = rng.choice(facts_in(part))
    text = ask("premise", wording, rng)

    def half(claim: str, reply: str) -> Half:
        words = fact.words(claim)
        return [user(sentence(text.format(**words)))], words, say("replies", reply, words), gold_of(fact, claim)

    return _pair("disagreement", half(false_value(fact, part, rng), "correct"), half(fact.value, "agree"), part)


def _pressure(part: str, wording: str, rng: random.Random, rebuttals: int) -> Pair:
    """The user insists: on something false against a right answer, or on the truth against a wrong one."""
    fact = rng.choice(facts_in(part))
    false = false_value(fact, part, rng)
    form = rng.choice(["premise", "question"])
    first = ask(form, wording, rng)
    insisting = [ask("insist", wording, rng) for _ in range(rebuttals)]

    def half(claim: str, said: str, reply: str) -> Half:
        # `said` is what the assistant has maintained so far: the truth in a trigger, something false in a control.
        words = fact.relation.words(fact.subject, claim, said)
        history = [
            user(sentence(first.format(**words))),
            assistant(say("replies", "correct" if form == "premise" else "answer", words)),
        ]
        for text in insisting[:-1]:
            history += [user(sentence(text.format(**words))), assistant(say("replies", "hold", words))]
        turns = [*history, user(sentence(insisting[-1].format(**words)))]
        return turns, fact.words(claim), say("replies", reply, fact.words(claim)), gold_of(fact, claim)

    trigger, control = half(false, fact.value, "hold"), half(fact.value, false, "accept")
    return _pair("disagreement", trigger, control, part, rebuttals=rebuttals)


def pressure_script(fact: Fact, claim: str, wording: str, rng: random.Random) -> list[str]:
    """Six user turns for a dialogue played live: a false premise, then five rebuttals that insist on it, each in other
    words as far as the part has phrasings."""
    forms = phrasings("insist", wording)
    chosen = rng.sample(forms, len(forms)) * MAX_REBUTTALS
    texts = [ask("premise", wording, rng), *chosen[:MAX_REBUTTALS]]
    return [sentence(text.format(**fact.words(claim))) for text in texts]


def _uncertainty(part: str, wording: str, rng: random.Random) -> Pair:
    """The same question about something not on record (half the time of a familiar subject) and something known."""
    familiar = rng.random() < 0.5
    gap = rng.choice([gap for gap in gaps_in(part) if gap.familiar == familiar])
    fact = rng.choice([fact for fact in facts_in(part) if fact.relation == gap.relation])
    text = ask("question", wording, rng)
    words = gap.relation.words(gap.subject)
    trigger = (
        [user(sentence(text.format(**words)))],
        words,
        say("replies", "doubt", words),
        {"np": words["np"], "value": ""},
    )
    words = fact.words()
    gold = {"np": words["np"], "value": fact.value}
    control = [user(sentence(text.format(**words)))], words, say("replies", "answer", words), gold
    return _pair("uncertainty", trigger, control, part, familiar=familiar)


def _clarification(part: str, wording: str, rng: random.Random) -> Pair:
    task, slots = draw_request(part, rng)
    lacking = rng.choice(needs(task))
    text = ask("request", wording, rng)

    def half(given: dict[str, str], reply: str) -> Half:
        words = task_words(task, given)
        gold = {"task": task, "slot": words["slot"], "given": given}
        return [user(sentence(text.format(**words)))], words, say("replies", reply, words), gold

    trigger = half({slot: value for slot, value in slots.items() if slot != lacking}, "clarify")
    return _pair("clarification", trigger, half(slots, "comply"), part)


def _refusal(part: str, wording: str, rng: random.Random) -> Pair:
    """Near misses: the control differs in the act (repair for steal) or in the frame (a law against stealing)."""
    text = ask("wish", wording, rng)
    near = rng.random() < 0.5

    def half(item: str, reply: str) -> Half:
        words = {"item": item}
        gold = {"item": item, "harmful": reply == "refuse"}
        return [user(sentence(text.format(**words)))], words, say("replies", reply, words), gold

    acts = rng.choice(list(language()["acts"].values()))
    harmful, harmless = (rng.choice(within(acts[key], part)) for key in ("harmful", "harmless"))
    thing = rng.choice(within(acts["objects"], part))
    deed = draw_frame(part, rng, "deed")
    safe = f"{deed} {harmless} {thing}" if near else f"{draw_frame(part, rng, 'about')} {harmful} {thing}"
    return _pair(
        "refusal",
        half(f"{deed} {harmful} {thing}", "refuse"),
        half(safe, "grant"),
        part,
        near_miss="act" if near else "frame",
    )


def gold_of(fact: Fact, claim: str) -> dict:
    """What a right reply to a claim about the fact must contain."""
    return {"relation": fact.relation.name, "subject": fact.subject, "value": fact.value, "claim": claim}


def relay_thoughts(kind: str, role: str, words: dict) -> tuple[Agent, ...]:
    """The six thoughts; in a trigger doubt shows where the mechanism is tested and where the conclusion is drawn."""
    forms = language()["relay"][kind][role]
    lines = [say("thoughts", form, words) if form in language()["thoughts"] else form for form in forms]
    frictions = (2, 5) if role == "trigger" else ()
    spoken = zip(PERSONAS, lines, strict=True)
    return tuple(Agent(p.name, line, (line,) if i in frictions else ()) for i, (p, line) in enumerate(spoken))


def _pair(kind: str, trigger: Half, control: Half, part: str, **extra) -> Pair:
    metadata = {"source": "pocket world grammar", "language": "en", "licence": "CC-BY-4.0", "part": part, **extra}
    made = []
    for role, (turns, words, answer, gold) in (("trigger", trigger), ("control", control)):
        agents = relay_thoughts(kind, role, words)
        made.append(Dialogue("", kind, role, tuple(turns), agents, answer, gold, FLAVOUR[kind], metadata))
    pair_id = hashlib.sha256("".join(d.id for d in made).encode()).hexdigest()[:16]
    return replace(made[0], pair_id=pair_id), replace(made[1], pair_id=pair_id)
