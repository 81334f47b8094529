"""The lines of a data file, held against the JSON Schema beside the data; a broken line stops nothing."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from helpers.dialogue import Agent, Dialogue, read_text
from helpers.errors import UserError
from helpers.rules import Fault
from helpers.scale import ROOT

FOLDER = ROOT / "data_samples"


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
