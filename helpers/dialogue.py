"""The record of one dialogue, and reading and writing it as JSONL: one schema for every data set of the course."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from helpers.errors import UserError

KINDS = ("disagreement", "uncertainty", "clarification", "refusal")
ROLES = ("trigger", "control")
FLAVOURS = ("disagreement", "overthinking", "reluctance")


@dataclass(frozen=True)
class Agent:
    """What one persona contributed; each friction moment is an exact substring of the thought stream."""

    agent_type: str
    thought_stream: str
    friction_moments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dialogue:
    """One conversation up to the user's last turn, the relay's thoughts on it, and the reply that is right.

    `turns` is a tuple of {"role", "content"}, the last one the user's. `gold` holds what a right reply
    must contain or do; its keys depend on `kind` alone.
    """

    pair_id: str
    kind: str
    role: str
    turns: tuple[dict, ...]
    agents: tuple[Agent, ...]
    final_answer: str
    gold: dict
    flavour: str = "disagreement"
    metadata: dict = field(default_factory=dict)

    @property
    def id(self) -> str:
        """SHA-256 of kind, role and turns: the same prompt has the same id wherever and whenever it is made."""
        canonical = json.dumps([self.kind, self.role, list(self.turns)], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def user_input(self) -> str:
        return self.turns[-1]["content"]

    @property
    def thinking(self) -> str:
        """The `<think>` part of the training target: the six thought streams, one a line."""
        return "\n".join(agent.thought_stream for agent in self.agents)


def check(dialogue: Dialogue) -> Dialogue:
    """Return the dialogue, or raise ValueError that names the field at fault and what was expected."""
    for name, allowed in (("kind", KINDS), ("role", ROLES), ("flavour", FLAVOURS)):
        if getattr(dialogue, name) not in allowed:
            raise ValueError(f"{name} is {getattr(dialogue, name)!r}, expected one of {', '.join(allowed)}")
    for name, kind in (("pair_id", str), ("final_answer", str), ("gold", dict), ("metadata", dict)):
        if not isinstance(getattr(dialogue, name), kind):
            expected = {str: "a text", dict: "an object"}[kind]
            raise ValueError(f"{name} is {getattr(dialogue, name)!r}, expected {expected}")
    if not dialogue.turns or any(set(turn) != {"role", "content"} for turn in dialogue.turns):
        raise ValueError("turns must be a list of {role, content}")
    roles = [turn["role"] for turn in dialogue.turns if turn["role"] != "system"]
    if roles != [("user", "assistant")[i % 2] for i in range(len(roles))] or len(roles) % 2 == 0:
        raise ValueError(f"turns must alternate, from the user to the user, got {roles}")
    if not all(isinstance(turn["content"], str) and turn["content"].strip() for turn in dialogue.turns):
        raise ValueError("a turn is empty, or no text")
    if not dialogue.final_answer.strip():
        raise ValueError("final_answer is empty")
    for agent in dialogue.agents:
        if not all(isinstance(text, str) for text in (agent.agent_type, agent.thought_stream, *agent.friction_moments)):
            raise ValueError("an agent's type, thought stream or friction moment is no text")
        for moment in agent.friction_moments:
            if moment not in agent.thought_stream:
                raise ValueError(f"friction moment {moment!r} is not in the thought stream of the {agent.agent_type}")
    return dialogue


def to_json(dialogue: Dialogue) -> str:
    record = {"id": dialogue.id, **asdict(dialogue), "user_input": dialogue.user_input}
    return json.dumps(record, ensure_ascii=False)


def from_json(line: str) -> Dialogue:
    """The dialogue of one JSONL line; ValueError with the reason when the line is broken or breaks the schema."""
    record = json.loads(line)
    if not isinstance(record, dict):
        raise ValueError(f"expected an object, got {type(record).__name__}")
    stated_id = record.pop("id", None)
    record.pop("user_input", None)
    try:
        record["agents"] = tuple(
            Agent(a["agent_type"], a["thought_stream"], tuple(_list(a["friction_moments"]))) for a in record["agents"]
        )
        record["turns"] = tuple(record["turns"])
        dialogue = check(Dialogue(**record))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"a field is missing, unknown or of the wrong type: {error}") from error
    if stated_id is not None and stated_id != dialogue.id:
        raise ValueError("id does not belong to kind, role and turns: the record was edited by hand")
    return dialogue


def _list(value: object) -> list:
    """A text would do as a row of letters, which is never meant."""
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return value


def read_dialogues(path: Path) -> Iterator[Dialogue]:
    """Every dialogue of a JSONL file; UserError names file, line and fault, so that nothing bad is trained on."""
    # At newlines only: str.splitlines would cut a record at U+2028, which JSON allows inside a string.
    for number, line in enumerate(read_text(path).removesuffix("\n").split("\n"), 1):
        try:
            yield from_json(line)
        except ValueError as error:
            raise UserError(
                f"{path}, line {number}: {error}. Delete the file and repeat the step that made it, or mend the line."
            ) from error


def write_dialogues(path: Path, dialogues: Iterable[Dialogue]) -> Path:
    return write_text(path, "".join(to_json(d) + "\n" for d in dialogues))


def read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path} is missing. Run the step before this one, or `python -m helpers demo`.") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text ({error.reason} at byte {error.start}). Make it again.") from None


def write_text(path: Path, text: str) -> Path:
    """A text file, whole or not at all."""

    def write(part: Path) -> None:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    return write_whole(path, write)


def write_whole(path: Path, write: Callable[[Path], None]) -> Path:
    """Have `write` make a file of a temporary name, and rename it over the old one once it is whole."""
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(part)
        os.replace(part, path)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"cannot write {path}: {reason}. What was there before is unchanged.") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return path
