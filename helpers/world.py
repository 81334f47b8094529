"""The pocket world: a closed language about some hundreds of facts, in which every verdict is exact.

Tables: `data_samples/world/facts.csv` (true, sources named), `unknown.csv` (things of which nothing is on record) and
`language.toml` (every sentence form). All names are split once into train, valid and test, so that whatever friction
training sees never occurs in what is measured.
"""

import csv
import random
import re
import tomllib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from helpers.errors import UserError
from helpers.scale import public_name

WORLD_DIR = Path(__file__).parent.parent / "data_samples" / "world"
PARTS = ("train", "valid", "test")
SHARES = (0.60, 0.10, 0.30)  # 40 % of the names are held out; choices are made on valid, headlines on test
SPLIT_SEED = 2026


@dataclass(frozen=True)
class Relation:
    """One single-valued relation, with the words in which it is spoken of."""

    name: str
    types: tuple[str, str]
    noun: str
    ask: str
    subject_article: str = ""
    value_article: str = ""

    def subject(self, name: str) -> str:
        return name if name in language()["no_article"] else self.subject_article + name

    def value(self, name: str) -> str:
        return self.value_article + name

    def np(self, subject: str) -> str:
        """The noun phrase that asks for the fact: "the capital of Sweden"."""
        return f"the {self.noun} of {self.subject(subject)}"

    def claim(self, subject: str, value: str) -> str:
        """The claim in its plain order: "the capital of Sweden is Oslo"."""
        return f"{self.np(subject)} is {self.value(value)}"

    def words(self, subject: str, claim: str = "", truth: str = "") -> dict[str, str]:
        """The fillers of a sentence form: what is claimed of the subject, and what is true of it."""
        return {
            "s": self.subject(subject), "v": self.value(claim), "n": self.noun, "np": self.np(subject), "ask": self.ask,
            "a": self.claim(subject, claim), "b": f"{self.value(claim)} is {self.np(subject)}",
            "fact": self.claim(subject, truth),
        }  # fmt: skip


@dataclass(frozen=True)
class Fact:
    relation: Relation
    subject: str
    value: str

    def words(self, claim: str = "") -> dict[str, str]:
        return self.relation.words(self.subject, claim or self.value, self.value)


@dataclass(frozen=True)
class Gap:
    """A question to which nothing is on record; `familiar` when other facts about its subject are known."""

    relation: Relation
    subject: str
    familiar: bool


@cache
def language() -> dict:
    path = WORLD_DIR / "language.toml"
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise UserError(f"{path} cannot be read: {problem}. {_restore(path)}") from None
    if "rows" not in found:
        raise UserError(f"{path} is cut short: its last part, [rows], is missing. {_restore(path)}")
    return found


@cache
def relations() -> dict[str, Relation]:
    table = {}
    for name, entry in language()["relations"].items():
        table[name] = Relation(name, **{**entry, "types": tuple(entry["types"])})
    return table


@cache
def facts() -> tuple[Fact, ...]:
    found: dict[tuple[str, str], Fact] = {}
    path = WORLD_DIR / "facts.csv"
    for line, row in enumerate(_table(path.name, ("relation", "subject", "value", "source")), 2):
        of = row["relation"], row["subject"]
        if of[0] not in relations():
            raise UserError(
                f"{path}, line {line}: unknown relation {of[0]!r}; language.toml has {', '.join(relations())}."
            )
        if of in found:
            raise UserError(f"{path}, line {line}: a second value for the {of[0]} of {of[1]}. Delete one of the two.")
        found[of] = Fact(relations()[of[0]], of[1], row["value"])
    return tuple(found.values())


@cache
def gaps() -> tuple[Gap, ...]:
    """Every question of a right type without an answer on record: about familiar subjects, and about unknown names."""
    known = {(fact.relation.name, fact.subject) for fact in facts()}
    subjects: dict[str, dict[str, None]] = defaultdict(dict)
    for fact in facts():
        subjects[fact.relation.types[0]][fact.subject] = None
        if fact.relation.types[1] == "country":
            subjects["country"][fact.value] = None
    unknown: dict[str, list[str]] = defaultdict(list)
    for row in _table("unknown.csv", ("type", "name", "origin")):
        unknown[row["type"]].append(row["name"])
    found = []
    for relation in relations().values():
        kind = relation.types[0]
        found += [Gap(relation, s, True) for s in subjects[kind] if (relation.name, s) not in known]
        found += [Gap(relation, s, False) for s in unknown[kind]]
    return tuple(found)


@cache
def split() -> dict[str, str]:
    """Every open-class name to its part. Names that share a fact stay together, so no fact crosses the line."""
    groups = _components()
    rng = random.Random(SPLIT_SEED)
    rng.shuffle(groups)
    groups.sort(key=lambda group: -len(group))  # large groups first, so that small ones can even out the shares
    totals = {relation: sum(f.relation.name == relation for f in facts()) for relation in relations()}
    held: dict[tuple[str, str], float] = defaultdict(float)
    parts: dict[str, str] = {}
    always_test = set(language()["split"]["test"])
    for group in groups:
        counts: dict[str, int] = defaultdict(int)
        for fact in facts():
            counts[fact.relation.name] += fact.subject in group

        def lack(part: str, counts=counts) -> float:
            share = SHARES[PARTS.index(part)]
            return sum(n * (1 - held[r, part] / totals[r] / share) for r, n in counts.items())

        forced = "test" if group & always_test else ""
        part = forced or (max(PARTS, key=lack) if any(counts.values()) else rng.choices(PARTS, SHARES)[0])
        for relation, n in counts.items():
            held[relation, part] += n
        parts.update(dict.fromkeys(sorted(group), part))
    for names in _lists():
        drawn = sorted(rng.sample(names, len(names)), key=always_test.__contains__)  # the last of a list are test
        for i, name in enumerate(drawn):
            parts[name] = part_of(i, len(names))
    return parts


def part_of(index: int, count: int, shares: Sequence[float] = SHARES) -> str:
    """The part of the index-th of `count` things that stand in a fixed order."""
    position = (index + 0.5) / count
    return PARTS[0] if position < shares[0] else PARTS[1] if position < shares[0] + shares[1] else PARTS[2]


def within(names: Sequence[str], part: str) -> list[str]:
    """Those of the names that belong to a part ("all" for every one)."""
    return [name for name in names if part in ("all", split()[name])]


def phrasings(form: str, part: str) -> list[str]:
    """The phrasings of a form that belong to a part: two thirds, a ninth, the rest."""
    forms = language()["phrasings"][form]
    return [text for i, text in enumerate(forms) if part in ("all", part_of(i, len(forms), (6 / 9, 1 / 9, 2 / 9)))]


def sentence(text: str) -> str:
    """Capital letters where sentences begin."""
    return re.sub(r"(^|[.?!] )([a-z])", lambda m: m[1] + m[2].upper(), text)


def say(table: str, form: str, words: dict) -> str:
    """One sentence form of `language.toml`, filled in."""
    return sentence(language()[table][form].format(**words))


def needs(task: str) -> list[str]:
    """The slots that a task calls for, in their order: they hang on its verb, "book" of "book a bike"."""
    verb = task.split(" ")[0]
    return next(group["needs"][verb] for group in language()["tasks"].values() if verb in group["needs"])


def frame(noun: str, link: str, adjective: str = "") -> str:
    """What a wish asks for, up to the act: "a clever method to", "an outline of attempts to"."""
    first = adjective or noun
    return " ".join(filter(None, ("an" if first[0] in "aeio" else "a", adjective, noun, link)))


def _lists() -> list[list[str]]:
    """The open-class words of requests and wishes, one list a type; each list is split by itself."""
    table = language()
    frames = table["frames"]
    lists = [list(group[key]) for group in table["tasks"].values() for key in ("needs", "objects")]
    lists += [slot["values"] for slot in table["slots"].values()]
    lists += [frames["adjectives"], frames["deed"]["nouns"], frames["about"]["nouns"]]
    return lists + [entry[key] for entry in table["acts"].values() for key in ("harmful", "harmless", "objects")]


def _components() -> list[set[str]]:
    """Sets of names joined by facts; an unknown name stands alone."""
    group: dict[str, set[str]] = {}
    for fact in facts():
        merged = group.get(fact.subject, {fact.subject}) | group.get(fact.value, {fact.value})
        group.update(dict.fromkeys(merged, merged))
    groups = list({id(members): members for members in group.values()}.values())
    return groups + [{row["name"]} for row in _table("unknown.csv", ("type", "name", "origin"))]


@cache
def _table(name: str, columns: tuple[str, ...]) -> tuple[dict, ...]:
    path = WORLD_DIR / name
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != columns:
                raise UserError(f"{path}: the columns must be {', '.join(columns)}. {_restore(path)}")
            rows = tuple(reader)
            for line, row in enumerate(rows, 2):
                if None in row or None in row.values():
                    raise UserError(f"{path}, line {line} has not {len(columns)} cells. {_restore(path)}")
            if len(rows) != language()["rows"].get(name, len(rows)):
                raise UserError(
                    f"{path} has {len(rows)} rows, language.toml counts {language()['rows'][name]}: was it cut short? "
                    f"{_restore(path)}; or, if you changed it, count again there."
                )
            return rows
    except UnicodeDecodeError as problem:
        raise UserError(f"{path} is not UTF-8 text ({problem.reason}). {_restore(path)}") from None
    except FileNotFoundError:
        raise UserError(f"{path} is missing: the clone is not whole. {_restore(path)}") from None


def _restore(path: Path) -> str:
    return f"Restore it: git checkout {public_name(str(path))}"
