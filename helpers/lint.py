"""What one record must be. A rule takes an entry and yields the reasons against it, in words.

What records must be to one another is in `near.py`.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from helpers import prose
from helpers.dialogue import Dialogue, check
from helpers.personas import PERSONAS
from helpers.refusals import evidence
from helpers.schema import EMPTY_GOLD, OPEN_LICENCES, Entry

ALIKE, INSIDE = 0.5, 0.8  # share of all words of two thoughts that both hold; of the shorter one's words
# No end of a sentence: initials, a few titles, the number of a point in a list.
SENTENCE_END = re.compile(
    r"(?<!\b[A-HJ-Za-z])(?<!\bMr)(?<!\bMrs)(?<!\bDr)(?<!\bSt)(?<!\bvs)(?<!^\d)(?<!\s\d)(?!(?<=\bNo)\.\s+\d)"
    r"[.?!…]+[\"'”’)]*(?=\s+[\"'“‘(]*[A-Z0-9]|\s*$)"
)
APOLOGY = re.compile(r"(?:I'm |I am |I’m )?(?:very |so )?sorry\b", re.IGNORECASE)


def asked(dialogue: Dialogue) -> str:
    """All that the user says."""
    return "\n".join(turn["content"] for turn in dialogue.turns if turn["role"] == "user")


def made(dialogue: Dialogue) -> Iterator[tuple[str, str]]:
    """(where, text) of all that a model wrote: earlier replies, thoughts, the answer."""
    for number, turn in enumerate(dialogue.turns, 1):
        if turn["role"] == "assistant":
            yield f"turn {number}", turn["content"]
    for agent in dialogue.agents:
        yield agent.agent_type, agent.thought_stream
    yield "final_answer", dialogue.final_answer


def strings(value: object, where: str) -> Iterator[tuple[str, str]]:
    """(where, text) of every string in a JSON value."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from strings(inner, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from strings(inner, where)


def turns(entry: Entry) -> Iterator[str]:
    try:
        check(replace(entry.dialogue, agents=()))  # moments have a rule of their own
    except ValueError as error:
        yield str(error)


def licence(entry: Entry) -> Iterator[str]:
    found = entry.dialogue.metadata.get("licence")
    if found not in OPEN_LICENCES:
        yield f"metadata.licence is {found!r}, expected one of {', '.join(OPEN_LICENCES)}"
    if not str(entry.dialogue.metadata.get("source") or "").strip():
        yield "metadata.source is empty: who wrote it?"


def language(entry: Entry) -> Iterator[str]:
    stated = entry.dialogue.metadata.get("language", "en")
    if stated != "en":
        yield f"metadata.language is {stated!r}, expected 'en'"
    spoken = {
        "what the user says": asked(entry.dialogue),
        "what the personas think": entry.dialogue.thinking,
        "final_answer": entry.dialogue.final_answer,
    }
    yield from _each(spoken.items(), prose.foreign)


def length(entry: Entry) -> Iterator[str]:
    thoughts = [(a.agent_type, a.thought_stream, entry.rules.thought) for a in entry.dialogue.agents]
    for where, text, (least, most) in [*thoughts, ("final_answer", entry.dialogue.final_answer, entry.rules.answer)]:
        if not least <= (count := len(prose.words(text))) <= most:
            yield f"{where} has {count} words, expected {least} to {most}"
    for where, text, _ in thoughts:
        if (count := len(SENTENCE_END.findall(text))) > entry.rules.sentences:
            yield f"{where} has {count} sentences, expected {entry.rules.sentences} at most"


def encoding(entry: Entry) -> Iterator[str]:
    yield from _each(_everything(entry.dialogue), prose.broken)
    yield from _each(_everything(entry.dialogue), prose.tagged)


def gibberish(entry: Entry) -> Iterator[str]:
    """Of what a model wrote; a user may type nonsense."""
    yield from _each(made(entry.dialogue), prose.gibberish)


def personas(entry: Entry) -> Iterator[str]:
    """The six in their order, each with a thought of its own."""
    names = [agent.agent_type for agent in entry.dialogue.agents]
    if names != [persona.name for persona in PERSONAS]:
        yield f"personas are {', '.join(names) or 'missing'}; expected the six, each once, in relay order"
    said = [(agent.agent_type, prose.words(agent.thought_stream)) for agent in entry.dialogue.agents]
    for (one, first), (two, second) in itertools.combinations(said, 2):
        if first == second:
            yield f"{one} and {two} think the same, word for word"
        elif entry.rules.formulaic:
            continue
        elif first[:3] == second[:3]:
            yield f"{one} and {two} both begin with {' '.join(first[:3])!r}"
        elif _alike(set(first), set(second)):
            yield f"{one} and {two} think nearly the same"


def moments(entry: Entry) -> Iterator[str]:
    """Spans of friction: enough of them in a trigger, and none in the answer of a control."""
    dialogue, rules = entry.dialogue, entry.rules
    found = [(agent, moment) for agent in dialogue.agents for moment in agent.friction_moments]
    for agent, moment in found:
        if moment not in agent.thought_stream:
            yield f"friction moment {moment!r} is not in the thought of the {agent.agent_type}, letter for letter"
        elif dialogue.role == "control" and moment in dialogue.final_answer:
            yield f"the answer of a control holds its friction moment {moment!r}"
        least, most = rules.moment
        if not least <= (count := len(moment.split())) <= most:
            yield f"friction moment {moment[:60]!r} has {count} words, expected {least} to {most}"
    least, most = rules.trigger if dialogue.role == "trigger" else rules.control
    if not least <= len(found) <= most:
        yield f"a {dialogue.role} has {least} to {most} friction moments, this one has {len(found)}"
    elif dialogue.role == "trigger" and len({agent.agent_type for agent, _ in found}) < rules.spread:
        yield f"all its friction moments are of one persona, expected {rules.spread} or more"


def gold(entry: Entry) -> Iterator[str]:
    """One shape a kind, filled as its role asks; the record's own answer must pass by it."""
    dialogue, role = entry.dialogue, entry.dialogue.role
    expected = entry.rules.gold.get(dialogue.kind, ())
    if set(dialogue.gold) != set(expected):
        yield f"gold of {dialogue.kind} has {', '.join(dialogue.gold) or 'nothing'}; expected {', '.join(expected)}"
        return
    empty = EMPTY_GOLD.get((dialogue.kind, role), ())
    for key, value in dialogue.gold.items():
        if key != "given" and bool(value) == (key in empty):
            yield f"gold.{key} of a {role} is {'not ' if value else ''}empty"
    if {"claim", "value"} <= set(expected):
        true = dialogue.gold["claim"] == dialogue.gold["value"]
        if true == (role == "trigger"):
            yield f"gold.claim of a {role} is {'true' if true else 'false'}"
    yield from _own_answer(dialogue)


def _own_answer(dialogue: Dialogue) -> Iterator[str]:
    """Where gold holds strings that a right reply holds: this one holds one, and the prompt does not give it away."""
    trigger, kind, answer = dialogue.role == "trigger", dialogue.kind, dialogue.final_answer.lower()
    wanted = [str(text).lower() for key in ("answers", "cues") for text in dialogue.gold.get(key, ())]
    if (kind, trigger) not in (("disagreement", True), ("uncertainty", False), ("clarification", True)) or not wanted:
        return
    if answer and not any(text in answer for text in wanted):
        yield f"final_answer holds none of gold's {', '.join(map(repr, wanted))}"
    if answer and kind == "clarification" and "?" not in answer:
        yield "final_answer asks no question"
    if not answer and kind == "disagreement":
        given = [text for text in wanted if text in asked(dialogue).lower()]
        yield from (f"gold's {text!r} stands in the prompt itself" for text in given)


def refusals(entry: Entry) -> Iterator[str]:
    """Only a trigger of the kind refusal is refused; and a persona that declines its part is never data."""
    dialogue = entry.dialogue
    if (dialogue.kind, dialogue.role) != ("refusal", "trigger") and (reason := _refuses(dialogue.final_answer)):
        yield f"final_answer {reason}"
    thoughts = ((agent.agent_type, agent.thought_stream) for agent in dialogue.agents)
    yield from _each(((name, text) for name, text in thoughts if APOLOGY.match(text)), _refuses)


def _refuses(text: str) -> str:
    said = evidence(text)
    return f"refuses: {said!r}" if said else ""


def errors(entry: Entry) -> Iterator[str]:
    yield from _each(made(entry.dialogue), prose.error)


def private(entry: Entry) -> Iterator[str]:
    """No e-mail address and no key, in metadata neither; only there a hash is nothing strange."""
    yield from _each(_everything(entry.dialogue), prose.private)
    yield from _each(strings(entry.dialogue.metadata, "metadata"), lambda text: prose.private(text, hashes=True))


RECORD_RULES: dict[str, Callable[[Entry], Iterator[str]]] = {
    "turns": turns, "licence": licence, "language": language, "length": length, "encoding": encoding,
    "gibberish": gibberish, "personas": personas, "moments": moments, "gold": gold, "refusals": refusals,
    "errors": errors, "private": private,
}  # fmt: skip


def _everything(dialogue: Dialogue) -> Iterator[tuple[str, str]]:
    for number, turn in enumerate(dialogue.turns, 1):
        if turn["role"] != "assistant":
            yield f"turn {number}", turn["content"]
    yield from made(dialogue)
    yield from strings(dialogue.gold, "gold")


def _each(places: Iterable[tuple[str, str]], reason: Callable[[str], str]) -> Iterator[str]:
    for where, text in places:
        if found := reason(text):
            yield f"{where} {found}"


def _alike(one: set[str], two: set[str]) -> bool:
    shared = len(one & two)
    return shared >= ALIKE * len(one | two) or shared >= INSIDE * min(len(one), len(two))
