"""What is asked of each sort of record: natural dialogues, those of the pocket world, prompts, plain questions."""

from dataclasses import dataclass, field

from helpers.dialogue import Dialogue

# In the order of the table: what is set aside by each rule.
RULES = {
    "json": "a line that is not one JSON object in UTF-8",
    "schema": "a field missing, unknown or of the wrong type, by the JSON Schema beside the data",
    "id": "an id that does not belong to kind, role and turns; a user_input that is not the last turn",
    "turns": "turns that do not alternate from the user to the user; an empty turn or answer",
    "licence": "no open licence, or no source",
    "language": "another language than English",
    "length": "an answer or a thought too short or too long (natural answers: 30 to 140 words)",
    "encoding": "traces of a wrong encoding, control characters",
    "gibberish": "mashed keys, signs without words, a phrase in a loop",
    "personas": "not the six personas in relay order, or two of them with one thought",
    "moments": "friction moments that are no exact part of a thought, too few or many, or in a control's answer",
    "gold": "gold of another shape than its kind has, or one that the record's own answer does not meet",
    "refusals": "a refusal where nothing is to be refused",
    "errors": "an error message saved as if it were a reply",
    "private": "an e-mail address (but at example.org), or what looks like a key",
    "pairs": "a pair that is not one trigger and one control of one kind",
    "duplicates": "the same conversation, or the same answer, twice",
    "near": "a prompt or an answer nearly that of another pair, or about the same (MinHash, confirmed by counting)",
    "thoughts": "a thought nearly that of another record",
    "openings": "first words of prompts, answers or thoughts that come back",
    "sequences": "five words in a row that stand in more than three pairs",
    "leaks": "what also stands in another set: the prompt, the pair, eight words in a row, the scene, the fact",
    "mate": "the other half of a pair that was set aside",
}

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


@dataclass(frozen=True)
class Rules:
    """What is asked of one sort of record.

    answer, thought: words, least and most. trigger, control: friction moments, least and most; spread: how many
    personas hold one in a trigger. formulaic: a closed language says the same of other names, so only what is equal
    is a copy, and a true statement is the control of several false ones. skips: names of rules that do not apply.
    """

    name: str
    gold: dict[str, tuple[str, ...]] = field(default_factory=dict)
    answer: tuple[int, int] = (30, 140)
    thought: tuple[int, int] = (6, 70)
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
    formulaic=True,
    skips=frozenset({"near", "thoughts", "openings", "sequences"}),
)
PROMPTS = Rules(
    "prompts",
    NATURAL_GOLD,
    skips=frozenset({"turns", "length", "gibberish", "personas", "moments", "refusals", "thoughts", "sequences"}),
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
    closed = "part" in dialogue.metadata or "pocket world" in str(dialogue.metadata.get("source"))
    return POCKET if closed else NATURAL
