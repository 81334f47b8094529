"""What a model knows: each fact of the table, asked for in three plain phrasings.

Right in all three it counts as known, wrong in all three as unknown. A model can only push back on what it knows, and
should say so where it does not: training on questions sorted like this is R-Tuning (Zhang et al., 2024).
"""

import hashlib
import json
import re
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from helpers import generate, smollm2
from helpers.dialogue import Dialogue, read_text, write_text
from helpers.errors import UserError
from helpers.model import Model, Progress
from helpers.scale import SCALES, public_name, run_dir
from helpers.scenarios import FLAVOUR, user
from helpers.world import Fact, Relation, facts, language, part_of, relations, split

LAPTOP = Path(__file__).parent.parent / "data_samples" / "laptop"
RECORD = LAPTOP / "known.json"
LONGEST = 24  # tokens of an answer: the fact comes in its first sentence
KNOWN, UNKNOWN, BETWEEN = "known", "unknown", "in between"


@dataclass(frozen=True)
class Probed:
    """A fact as it was asked, the part of the world it belonged to, how often of three it was right, what was said."""

    relation: str
    subject: str
    value: str
    part: str
    right: int
    replies: tuple[str, ...]

    @property
    def sort(self) -> str:
        return {0: UNKNOWN, 3: KNOWN}.get(self.right, BETWEEN)

    @property
    def fact(self) -> Fact:
        return Fact(_relation(self.relation), self.subject, self.value)


@cache
def english() -> dict:
    path = LAPTOP / "english.toml"
    try:
        return tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as problem:
        raise UserError(
            f"{path} cannot be read: {problem}. Restore it: git checkout {public_name(str(path))}"
        ) from None


@cache
def table() -> tuple[Fact, ...]:
    """The fact table of the course, and common knowledge beside it."""
    more = []
    for name, values in english()["extra"].items():
        more += [Fact(_relation(name), subject, value) for value, subjects in values.items() for subject in subjects]
    return facts() + tuple(more)


@cache
def measured() -> str:
    """All that a model is measured on, as one text."""
    folder = LAPTOP.parent / "evaluation"
    return "\n".join(_plain(read_text(folder / name)) for name in ("prompts.jsonl", "plain.jsonl", "stage.jsonl"))


@cache
def part(fact: Fact) -> str:
    """train, valid or test, by the subject: as in the pocket world where it is one of its names. A fact that occurs in
    what is measured, subject and value in one record, is test."""
    subject, value = _plain(fact.subject), _plain(fact.value)
    if any(_has(line, subject) and _has(line, value) for line in measured().splitlines() if subject in line):
        return "test"
    if fact.subject in split():
        return split()[fact.subject]
    return part_of(int(hashlib.sha256(fact.subject.encode()).hexdigest(), 16) % 1000, 1000)


def words(fact: Fact, value: str = "") -> dict[str, str]:
    """The fillers of the plain phrasings of a fact, or of a claim with another value."""
    return name_words(fact.relation.name, fact.subject, value or fact.value)


def name_words(relation: str, subject: str, value: str) -> dict[str, str]:
    bare = relation != "inventor" or subject in language()["no_article"]
    return {
        "s": with_article(subject) if bare else f"the {subject}",
        "v": with_article(value),
        "av": f"{'an' if value[:1].lower() in 'aeiou' else 'a'} {value}",
    }


def with_article(name: str) -> str:
    return f"the {name}" if name in english()["articles"] else name


def questions(fact: Fact) -> list[str]:
    return [text.format(**words(fact)) for text in english()["relations"][fact.relation.name]["ask"]]


def is_right(reply: str, fact: Fact) -> bool:
    """Whether the first value of this relation that a reply names, other than the subject itself, is the right one."""
    said = re.sub(rf"(?<!\w){re.escape(_plain(fact.subject))}(?!\w)", " ", _plain(reply))
    places = {}
    for value in _values(fact.relation.name):
        names = [value, *english()["aliases"].get(value, ())]
        plural = "" if value[:1].isupper() else "(s|es)?"  # "Nintendo, which lies in Kyoto" does not name Li
        found = [m.start() for n in names if (m := re.search(rf"\b{re.escape(_plain(n))}{plural}\b", said))]
        if found:
            places[value] = min(found)
    return bool(places) and min(places, key=places.__getitem__) == fact.value


def probe(model: Model, kept: Path, progress: Progress | None = None) -> list[Probed]:
    """Ask a model for every fact, three times each. Its answers lie in the file `kept`, so that none is asked twice."""
    texts = [text for fact in table() for text in questions(fact)]
    asked = [Dialogue("", "uncertainty", "control", (user(t),), (), "", {}, FLAVOUR["uncertainty"], {}) for t in texts]
    said = generate.replies_file(model, asked, kept, LONGEST, progress)
    replies = [reply.answer or reply.thinking for reply in said]
    made = []
    for i, fact in enumerate(table()):
        three = tuple(replies[3 * i : 3 * i + 3])
        right = sum(is_right(reply, fact) for reply in three)
        made.append(Probed(fact.relation.name, fact.subject, fact.value, part(fact), right, three))
    return made


def write(found: list[Probed], path: Path = RECORD) -> Path:
    record = {"model": smollm2.SHA256, "engine": "transformers", "facts": [vars(one) for one in found]}
    return write_text(path, json.dumps(record, ensure_ascii=False, indent=0) + "\n")


@cache
def recorded(path: Path = RECORD) -> tuple[Probed, ...]:
    """What was found out about the packaged model. Scale laptop is made of these facts, with these parts: a row that is
    changed in the table comes to it with the next `python -m helpers probe`, and what ships stays one of its data."""
    try:
        return tuple(Probed(**row) for row in json.loads(read_text(path))["facts"])
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path} is damaged. Restore it (git checkout), or: python -m helpers probe") from None


def sorts(path: Path = RECORD) -> dict[tuple[str, str], str]:
    """{(relation, subject): known, unknown or in between}, as recorded for the packaged model."""
    return {(one.relation, one.subject): one.sort for one in recorded(path)}


def _relation(name: str) -> Relation:
    return relations().get(name) or Relation(name, (name, name), name, "")


@cache
def _values(relation: str) -> frozenset[str]:
    return frozenset(fact.value for fact in table() if fact.relation.name == relation)


def _has(text: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", text) is not None


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text)
    return "".join(c for c in folded if not unicodedata.combining(c)).lower()


def main(_options) -> None:
    """`python -m helpers probe`: asks the packaged model for all facts again, and writes the record.

    In transformers, in batches: four times as fast on a CPU as one at a time in llama.cpp. Stopped, it goes on where
    it was.
    """
    from helpers.engines import Transformers

    def tell(done: int, total: int) -> None:
        if done % 50 == 0 or done == total:
            print(f"  {done} of {total} questions", flush=True)

    model = Transformers(smollm2.NAME, str(smollm2.folder()))
    kept = run_dir(SCALES["laptop"]) / "replies" / "probe.jsonl"
    print(f"Asking it for {len(table())} facts, three times each; its answers are kept in {kept}", flush=True)
    found = probe(model, kept, tell)
    counts = {sort: sum(one.sort == sort for one in found) for sort in (KNOWN, BETWEEN, UNKNOWN)}
    told = ", ".join(f"{count} {sort}" for sort, count in counts.items())
    print(f"{len(found)} facts: {told}; written to {write(found)}")
