"""The records of a data file: what is asked of each sort, and reading them by the JSON Schema beside the data.

The sorts are natural dialogues, those of the pocket world, prompts, and plain questions. A broken line stops nothing.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from helpers.dialogue import Agent, Dialogue, read_text
from helpers.errors import UserError
from helpers.scale import ROOT

FOLDER = ROOT / "data_samples"
# In the order of the table: what is set aside by each rule.
RULES = {
    "json": "a line that is not one JSON object in UTF-8",
    "schema": "a field missing, unknown or of the wrong type, by the JSON Schema beside the data",
    "id": "an id that does not belong to kind, role and turns; a user_input that is not the last turn",
    "turns": "turns that do not alternate, or do not begin and end with the user; an empty turn or answer",
    "licence": "no open licence, or no source",
    "language": "another language than English",
    "length": "an answer or a thought too short or too long (natural answers: 30 to 140 words, thoughts: 3 sentences)",
    "encoding": "traces of a wrong encoding, control characters, a mark of the prompt string",
    "gibberish": "mashed keys, signs without words, a phrase in a loop",
    "personas": "not the six personas in relay order, or two of them with one thought",
    "moments": "friction moments that are no exact part of a thought, too few or too many,"
    " too short or too long, or in a control's answer",
    "gold": "gold of another shape than its kind has, or one that the record's own answer does not meet",
    "refusals": "a refusal where nothing is to be refused",
    "errors": "an error message saved as if it were a reply",
    "private": "an e-mail address (but at example.org), or what looks like a key",
    "pairs": "a pair that is not one trigger and one control of one kind",
    "duplicates": "the same conversation, or the same answer, twice",
    "near": "a prompt or an answer nearly that of another pair, or of the same scene (MinHash, confirmed by counting)",
    "thoughts": "a thought nearly that of another record",
    "openings": "first words of prompts, answers or thoughts that come back",
    "sequences": "five words in a row that stand in more than three pairs",
    "leaks": "what also stands in another set: the prompt, the pair, eight words in a row, the scene, the fact",
    "mate": "the other half of a pair that was set aside",
}

RELAY = "relay through LiteLLM"  # metadata.source of what a model said in the relay
OPEN_LICENCES = ("CC-BY-4.0", "CC-BY-SA-4.0", "CC0-1.0", "Apache-2.0", "MIT")
NATURAL_GOLD = {
    "disagreement": ("claim", "fact", "answers", "source"),
    "uncertainty": ("question", "answers", "why", "source"),
    "clarification": ("request", "slot", "cues"),
    "refusal": ("request", "harm", "offer"),
}
POCKET_GOLD = {
    "disagreement": ("relation", "subject", "value", "claim"),
    "uncertainty": ("np", "value"),
    "clarification": ("task", "slot", "given"),
    "refusal": ("item", "harmful"),
}
EMPTY_GOLD = {  # what is known only where it is known, missing only where it is missing; all else must be filled
    ("uncertainty", "trigger"): ("answers", "source", "value"),
    ("clarification", "control"): ("slot", "cues"),
    ("refusal", "control"): ("harm", "offer", "harmful"),
}


# -- what is asked of each sort ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rules:
    """What is asked of one sort of record.

    answer, thought, moment: words, least and most. sentences: of a thought, at most. trigger, control: friction
    moments, least and most; spread: how many personas hold one in a trigger. formulaic: a closed language says the
    same of other names, so only what is equal is a copy, and a true statement is the control of several false ones.
    skips: names of rules that do not apply.
    """

    name: str
    gold: dict[str, tuple[str, ...]] = field(default_factory=dict)
    answer: tuple[int, int] = (30, 140)
    thought: tuple[int, int] = (6, 70)
    sentences: int = 3
    moment: tuple[int, int] = (3, 14)
    trigger: tuple[int, int] = (2, 4)
    control: tuple[int, int] = (0, 2)
    spread: int = 2
    formulaic: bool = False
    skips: frozenset[str] = frozenset()


NATURAL = Rules("natural", NATURAL_GOLD)
POCKET = Rules(
    "pocket world",
    POCKET_GOLD,
    answer=(3, 40),
    thought=(2, 40),
    moment=(1, 40),
    formulaic=True,
    skips=frozenset({"near", "thoughts", "openings", "sequences"}),
)
# A model was asked for natural thoughts and answers; only what the user says, and gold, are the pocket world's.
RELAYED = replace(
    NATURAL,
    name="pocket world, told by a model",
    gold=POCKET_GOLD,
    skips=frozenset({"near", "openings", "sequences"}),
)
PROMPTS = Rules(
    "prompts",
    NATURAL_GOLD,
    skips=frozenset({"id", "turns", "length", "gibberish", "personas", "moments", "refusals", "thoughts", "sequences"}),
)
PLAIN = Rules("plain questions", skips=PROMPTS.skips | {"gold", "licence", "pairs", "openings", "near"})


@dataclass(frozen=True)
class Entry:
    """A record with its line in the file and the rules that it is held to. file: named where a set has several."""

    line: int
    dialogue: Dialogue
    rules: Rules
    file: str = ""

    @property
    def place(self) -> str:
        return f"{self.file} line {self.line}".strip()


@dataclass(frozen=True)
class Fault:
    """Why the record of a line was set aside. id: its id, "" where the line is no record."""

    line: int
    id: str
    rule: str
    reason: str
    file: str = ""


def rules_for(dialogue: Dialogue) -> Rules:
    """By what the record is and where it says that it comes from. Prompts have no thoughts and no answer."""
    if dialogue.kind == "plain":
        return PLAIN
    if not dialogue.agents and not dialogue.final_answer:
        return PROMPTS
    source = str(dialogue.metadata.get("source"))
    if "part" not in dialogue.metadata and "pocket world" not in source:
        return NATURAL
    return RELAYED if source == RELAY else POCKET


# -- reading a file ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reading:
    """(line, dialogue) of every record, the faults of other lines, and the pairs to which those say they belong."""

    path: Path
    records: tuple[tuple[int, Dialogue], ...]
    faults: tuple[Fault, ...]
    broken_pairs: frozenset[str]


def read(path: Path) -> Reading:
    """Every line of a JSONL file, as a record or as a fault; UserError where there is no file, or nothing in it."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}. Name a JSONL file of dialogues.") from None
    if not data.strip():
        raise UserError(f"{path} is empty: expected one JSON object a line. Repeat the step that made it.")
    records, faults, broken = [], [], set()
    # At newlines only: str.splitlines would cut a record at U+2028, which JSON allows inside a string.
    for number, line in enumerate(data.removesuffix(b"\n").split(b"\n"), 1):
        try:
            record = parse(line)
        except ValueError as error:
            faults.append(Fault(number, "", "json", str(error)))
            continue
        stated = record.get("id") if isinstance(record.get("id"), str) else ""
        if reason := breach(record):
            faults.append(Fault(number, stated, "schema", reason))
            broken.add(str(record.get("pair_id")))
            continue
        dialogue = to_dialogue(record)
        records.append((number, dialogue))
        if "turns" in record and stated != dialogue.id:
            reason = "id does not belong to kind, role and turns: the record was edited by hand"
            faults.append(Fault(number, stated, "id", reason))
        elif "turns" in record and record["user_input"] != dialogue.user_input:
            faults.append(Fault(number, stated, "id", "user_input is not the text of the last turn"))
    return Reading(path, tuple(records), tuple(faults), frozenset(broken))


def parse(line: bytes) -> dict:
    """The JSON object of one line; ValueError with the reason."""
    if not line.strip():
        raise ValueError("an empty line")
    try:
        record = json.loads(line.decode("utf-8"), parse_constant=_no_number)
        if b"\\ud" in line.lower():
            json.dumps(record, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8: {error.reason} at byte {error.start}") from None
    except UnicodeEncodeError:
        raise ValueError("half a character: a surrogate without the other") from None
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(record, dict):
        raise ValueError(f"expected an object, got {type(record).__name__}")
    return record


def breach(record: dict) -> str:
    """What the schema of its sort says against a record, or ""."""
    from fastjsonschema import JsonSchemaValueException

    try:
        validator(sort_of(record))(record)
    except JsonSchemaValueException as error:
        if error.path[1:] == ["gold"] and error.rule == "anyOf" and isinstance(record["gold"], dict):
            held = ", ".join(record["gold"]) or "nothing"
            return f"gold has not the shape of its kind, {record['kind']}: it holds {held}"
        return error.message.removeprefix("data.").replace("data must", "the record must")
    return ""


def sort_of(record: dict) -> str:
    """dialogue, prompt (a user's turns and gold) or plain (a question with its answers)."""
    if "question" in record:
        return "plain"
    return "prompt" if "user_turns" in record else "dialogue"


@cache
def validator(sort: str) -> Callable[[dict], dict]:
    import fastjsonschema  # twenty times as fast as jsonschema: a large set takes a second, not twenty

    return fastjsonschema.compile(json.loads(read_text(FOLDER / f"{sort}.schema.json")))


def to_dialogue(record: dict) -> Dialogue:
    """Of a record that keeps its schema. Prompts have no thoughts and no answer, and all their turns are the user's."""
    if sort_of(record) == "plain":
        said = ({"role": "user", "content": record["question"]},)
        return Dialogue(record["question"], "plain", "control", said, (), "", {"answers": record["answers"]})
    if sort_of(record) == "prompt":
        said = tuple({"role": "user", "content": text} for text in record["user_turns"])
        names = ("pair_id", "kind", "role", "gold")
        more = {key: value for key, value in record.items() if key not in (*names, "id", "user_turns", "metadata")}
        kept = {name: record[name] for name in names}
        return Dialogue(**kept, turns=said, agents=(), final_answer="", metadata={**more, **record.get("metadata", {})})
    agents = tuple(Agent(a["agent_type"], a["thought_stream"], tuple(a["friction_moments"])) for a in record["agents"])
    fields = {key: value for key, value in record.items() if key not in ("id", "user_input")}
    return Dialogue(**{**fields, "turns": tuple(record["turns"]), "agents": agents})


def _no_number(name: str):
    raise ValueError(f"{name} is no JSON")
