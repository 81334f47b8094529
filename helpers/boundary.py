"""Where the pocket world ends: whether a prompt lies outside it, and which prompts inside are nearest to that one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from functools import cache, lru_cache

from helpers.scenarios import facts_in, gaps_in, vp
from helpers.world import Fact, frame, language, needs, phrasings, relations, sentence

NAME, VALUE = "someone", "something"  # what stands for any name, and for any day, colour, guest, ..
WORK = "work"  # for what a wish asks for, a plan or a story; its adjective is passed over
# The sixty audience prompts lie above, everyday questions below; see the tests.
FAR, NEAR = 0.69, 0.74


@dataclass(frozen=True)
class Form:
    """One sentence that the world can form, names left open. `about` is the relation, the verb or the link in it."""

    kind: str  # premise, question, request or wish
    text: str
    about: str
    skeleton: str


def outside(prompt: str) -> str:
    """One honest line when the small model cannot have understood the prompt, "" when it may.

    It cannot when the prompt is like nothing that it has read, when it holds new words and is not much like anything
    either, or when a new word stands in place of a name or of what is asked ("the capital of Atlantis", "the weather of
    Paris").
    """
    plain, score, form = _nearest(prompt)[0]
    strangers = unknown_words(prompt)
    if score >= FAR and not (strangers and (score < NEAR or _lacks(form, plain))):
        return ""
    new = f" It has never met: {', '.join(strangers[:4])}." if strangers else ""
    return (
        f"This small model knows only its pocket world ({len(relations())} kinds of facts, everyday requests, wishes)"
        f".{new} Nearest prompts that it understands: {' · '.join(nearest(prompt))}"
    )


def nearest(prompt: str, count: int = 3) -> list[str]:
    """Prompts of the pocket world that are most like this one, about what it names where the world knows it."""
    found: dict[tuple, str] = {}
    for _, _, form in _nearest(prompt):
        found.setdefault((form.kind, form.about), _filled(form, prompt))
        if len(found) == count:
            break
    return list(found.values())


def unknown_words(prompt: str) -> list[str]:
    """The words that are neither the world's own nor one slip of the finger away from one."""
    words = dict.fromkeys(re.findall(r"[^\W_]+", prompt))
    return [word for word in words if not _known(word.lower())]


def _known(word: str, among: Sequence[str] | frozenset[str] = ()) -> bool:
    among = among or _vocabulary()
    return word in among or (len(word) > 3 and bool(get_close_matches(word, among, 1, 0.86)))


def _lacks(form: Form, plain: str) -> bool:
    """Whether a question or a premise has fewer names than its form, or not the noun of its relation."""
    if form.kind not in ("premise", "question"):
        return False
    noun = relations()[form.about].noun.split()[-1]
    return plain.count(NAME) < form.skeleton.count(NAME) or not any(_known(word, [noun]) for word in plain.split())


@lru_cache(maxsize=64)  # whether it lies outside is asked first, and what is nearest then
def _nearest(prompt: str) -> tuple[tuple[str, float, Form], ...]:
    """(the prompt with names left open, likeness from 0 to 1, form), the most like first, each sentence form once."""
    plain = _plain(prompt)
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(plain.split())
    scored = []
    for form in _forms():  # words first, which is quick; letters decide among the best
        matcher.set_seq1(form.skeleton.split())
        scored.append((matcher.ratio(), form))
    scored.sort(key=lambda pair: -pair[0])
    best = {(form.kind, form.about): form for _, form in reversed(scored)}  # one of each sort, where all are as unlike
    chosen = dict.fromkeys([*(form for _, form in scored[:40]), *list(best.values())[-40:]])
    exact = [(plain, SequenceMatcher(None, form.skeleton, plain, False).ratio(), form) for form in chosen]
    return tuple(sorted(exact, key=lambda entry: -entry[1]))


def _plain(text: str) -> str:
    """Lower case without punctuation; names, slot values, acts and objects replaced by what stands for them."""
    text = re.sub(r"\ban\b", "a", re.sub(r"[^\w\s']", " ", text.lower()))
    return " ".join(_pattern().sub(lambda match: _stand_ins()[match[0]], text).split())


@cache
def _stand_ins() -> dict[str, str]:
    table = language()
    known = {value.lower(): VALUE for slot in table["slots"].values() for value in slot["values"]}
    for act in table["acts"].values():
        known |= dict.fromkeys(act["harmful"] + act["harmless"], "do")
        known |= dict.fromkeys(act["objects"], VALUE)
    tasks = (thing for group in table["tasks"].values() for thing in group["objects"])
    known |= dict.fromkeys((re.sub(r"^an\b", "a", thing) for thing in tasks), "a thing")
    frames = table["frames"]
    known |= dict.fromkeys(frames["adjectives"], "") | dict.fromkeys(_works(), WORK)
    known |= {name.lower(): NAME for fact in facts_in("all") for name in (fact.subject, fact.value)}
    known |= {gap.subject.lower(): NAME for gap in gaps_in("all")}
    return known


def _works() -> list[str]:
    frames = language()["frames"]
    return frames["deed"]["nouns"] + frames["about"]["nouns"]


@cache
def _pattern() -> re.Pattern:
    longest_first = sorted(_stand_ins(), key=len, reverse=True)
    return re.compile(r"\b(" + "|".join(map(re.escape, longest_first)) + r")\b")


@cache
def _vocabulary() -> frozenset[str]:
    texts = list(_stand_ins())
    for form in language()["phrasings"]:
        texts += phrasings(form, "all")
    for relation in relations().values():
        texts += [relation.noun, relation.ask]
    texts += [verb for group in language()["tasks"].values() for verb in group["needs"]]
    texts += [link for sort in ("deed", "about") for link in language()["frames"][sort]["links"]]
    texts += language()["skills"].values()
    texts += [slot["form"] for slot in language()["slots"].values()]
    fields = re.compile(r"\{\w+\}")
    return frozenset(word for text in texts for word in re.findall(r"[^\W_]+", fields.sub(" ", text.lower())))


@cache
def _forms() -> tuple[Form, ...]:
    forms = []

    def add(kind: str, about: str, words: dict) -> None:
        for text in phrasings(kind, "all"):
            forms.append(Form(kind, text, about, _plain(text.format(**words))))

    for name, relation in relations().items():
        words = relation.words(NAME, NAME, NAME)
        add("premise", name, words)
        add("question", name, words)
    for verb in (verb for group in language()["tasks"].values() for verb in group["needs"]):
        task = f"{verb} a thing"
        add("request", verb, {"vp": vp(task, dict.fromkeys(needs(task), VALUE))})
        add("request", verb, {"vp": task})
    for sort in ("deed", "about"):
        for link in language()["frames"][sort]["links"]:
            add("wish", link, {"item": f"a {WORK} {link} do {VALUE}"})
    return tuple(forms)


def _filled(form: Form, prompt: str) -> str:
    """A sentence form with names in it: those of the prompt where they fit, else the nearest in spelling."""
    if form.kind in ("premise", "question"):
        fact = _fact_near(form.about, prompt)
        words = fact.words(_near(prompt, [f.value for f in facts_in("all") if f.relation == fact.relation], fact.value))
    elif form.kind == "request":
        slots = {slot: _near(prompt, language()["slots"][slot]["values"]) for slot in needs(form.about)}
        objects = next(group["objects"] for group in language()["tasks"].values() if form.about in group["needs"])
        words = {"vp": vp(f"{form.about} {_near(prompt, objects)}", slots)}
    else:
        acts = list(language()["acts"].values())
        thing = _near(prompt, [thing for act in acts for thing in act["objects"]])
        act = next(act for act in acts if thing in act["objects"])
        frames = language()["frames"]
        noun = _near(prompt, frames["deed" if form.about in frames["deed"]["links"] else "about"]["nouns"])
        words = {"item": f"{frame(noun, form.about)} {_near(prompt, act['harmless'] + act['harmful'])} {thing}"}
    return sentence(form.text.format(**words))


def _fact_near(relation: str, prompt: str) -> Fact:
    facts = [fact for fact in facts_in("all") if fact.relation.name == relation]
    subject = _near(prompt, [fact.subject for fact in facts])
    return next(fact for fact in facts if fact.subject == subject)


def _near(prompt: str, names: Sequence[str], default: str = "") -> str:
    """The name that the prompt holds, else one that is spelt like a word of it, else the default or the first."""
    words = re.findall(r"[^\W_]+", prompt.lower())
    held = [name for name in names if re.search(rf"\b{re.escape(name.lower())}\b", prompt.lower())]
    alike = {name.lower(): name for name in names}
    close = [alike[found] for word in words if len(word) > 3 for found in get_close_matches(word, alike, 1, 0.75)]
    return (held or close or [default or names[0]])[0]
