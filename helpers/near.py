"""What records must be to one another: no copies, no worn phrases, whole pairs, and nothing that leaks between sets."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence

from helpers import prose
from helpers.dialogue import Dialogue
from helpers.lint import asked
from helpers.prose import Index, grams
from helpers.schema import Entry

OPENING = 4  # words
THOUGHT_OPENING, THOUGHTS_ALIKE = 3, 4  # so many words may open so many thoughts
SEQUENCE, SEQUENCES = 5, 3  # so many words may stand in so many pairs
LEAK = 8  # words
LARGE = 50  # a set of more than LARGE x SEQUENCES pairs may repeat a sequence in every 50th of them

Found = Iterator[tuple[Entry, str]]


def pairs(entries: Sequence[Entry]) -> Found:
    """Every pair_id names one trigger and one control, of one kind, with as many turns where prompts are scripted."""
    for group in _by_pair(entries).values():
        found = Counter(entry.dialogue.role for entry in group)
        kinds = {entry.dialogue.kind for entry in group}
        for entry in group:
            pair = f"pair {entry.dialogue.pair_id!r}"
            if (found["trigger"], found["control"]) != (1, 1):
                counts = f"{found['trigger']} triggers and {found['control']} controls"
                yield entry, f"{pair} has {counts}, expected one each"
            elif len(kinds) > 1:
                yield entry, f"{pair} is of two kinds: {', '.join(sorted(kinds))}"
            elif not entry.dialogue.agents and len({len(e.dialogue.turns) for e in group}) > 1:
                yield entry, f"{pair} has more turns in one half than in the other"


def duplicates(entries: Sequence[Entry]) -> Found:
    """The same conversation twice, or the same answer; capitals and punctuation aside, and mates are not exempt."""
    turns: dict[tuple, Entry] = {}
    answers: dict[tuple, Entry] = {}
    for entry in entries:
        formulaic, answer = entry.rules.formulaic, tuple(prose.words(entry.dialogue.final_answer))
        first = turns.setdefault(conversation(entry.dialogue), entry)
        both_controls = entry.dialogue.role == first.dialogue.role == "control"
        if first is not entry and not (formulaic and both_controls):
            yield entry, f"asks the same as {first.place}"
        elif answer and not formulaic and (first := answers.setdefault(answer, entry)) is not entry:
            yield entry, f"answers the same as {first.place}"


def near(entries: Sequence[Entry]) -> Found:
    """Prompts alike in two pairs, answers alike in two records of different pairs: in their wording, or in content."""
    kinds = ("nearly", Index), ("about the same as", Index.of_scenes)
    indices = {(what, how): make() for what in ("prompt", "answer") for how, make in kinds}
    for number, entry in enumerate(entries):
        texts = {"prompt": asked(entry.dialogue), "answer": entry.dialogue.final_answer}
        for (what, how), index in indices.items():
            if (first := index.add(number, texts[what], entry.dialogue.pair_id)) is not None:
                yield entry, f"its {what} is {how} that of {entries[first].place}"


def thoughts(entries: Sequence[Entry]) -> Found:
    """A thought that another record has had before: of another pair nearly, of its own mate word for word."""
    index, equal = Index(), {}
    for number, entry in enumerate(entries):
        for agent in entry.dialogue.agents:
            first = equal.setdefault(tuple(prose.words(agent.thought_stream)), number)
            if first == number:
                found = index.add((number, agent.agent_type), agent.thought_stream, entry.dialogue.pair_id)
                first = found[0] if found else number
            if first != number:
                yield entry, f"the {agent.agent_type} thinks what was thought in {entries[first].place}"


def openings(entries: Sequence[Entry]) -> Found:
    """First words: of the last prompt they differ between pairs, of the answer between records; thoughts vary too."""
    allowed = 1 + len(_by_pair(entries)) // (LARGE * LARGE)
    prompts, answers, begun = _Seen(), _Seen(), _Seen()
    for number, entry in enumerate(entries):
        dialogue = entry.dialogue
        begins = dialogue.turns[-1 if dialogue.agents else 0]["content"]  # scripted prompts have no last turn yet
        uses = [
            ("its prompt opens", prompts, _first(begins, OPENING), dialogue.pair_id, allowed),
            ("its answer opens", answers, _first(dialogue.final_answer, OPENING), number, allowed),
        ]
        for agent in dialogue.agents:
            opening = _first(agent.thought_stream, THOUGHT_OPENING)
            key = number, agent.agent_type
            uses.append((f"too often: the {agent.agent_type} begins", begun, opening, key, THOUGHTS_ALIKE * allowed))
        for what, seen, opening, key, most in uses:
            if opening and (first := seen.too_often(opening, key, entry, most)):
                yield entry, f"{what} with {opening!r} like {first.place}"


def sequences(entries: Sequence[Entry]) -> Found:
    """Five words in a row that stand in more than three pairs (of a large set: in more than 2 % of them)."""
    groups = _by_pair(entries)
    allowed = max(SEQUENCES, len(groups) // LARGE)
    counted: Counter[str] = Counter()
    for group in groups.values():
        counted.update({gram for entry in group for gram in _spoken(entry.dialogue, SEQUENCE)})
    worn = {gram for gram, count in counted.items() if count > allowed}
    seen: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        for gram in sorted(worn & _spoken(entry.dialogue, SEQUENCE)) if worn else ():
            seen[gram].add(entry.dialogue.pair_id)
            if len(seen[gram]) > allowed:
                yield entry, f"{gram!r} stands in {counted[gram]} pairs, expected at most {allowed}"
                break


SET_RULES: dict[str, Callable[[Sequence[Entry]], Found]] = {
    "pairs": pairs, "duplicates": duplicates, "near": near, "thoughts": thoughts, "openings": openings,
    "sequences": sequences,
}  # fmt: skip


def leaks(entries: Sequence[Entry], against: Sequence[Entry]) -> Found:
    """What also stands in another set: the conversation, a pair, and in natural language eight words in a row, a
    prompt nearly the same or about the same scene, or the fact that gold is about."""
    turns, pair_ids, passages = {}, {}, {}
    indices = {"asks nearly the same": Index(), "asks about the same scene": Index.of_scenes()}
    facts = Index()
    for number, entry in enumerate(against):
        other = entry.dialogue
        turns.setdefault(conversation(other), number)
        pair_ids.setdefault(other.pair_id, number)
        if not entry.rules.formulaic:
            passages |= dict.fromkeys(_spoken(other, LEAK), number)
            facts.keep(number, _fact(other))
            for index in indices.values():
                index.keep(number, asked(other))

    def first(dialogue: Dialogue, formulaic: bool) -> tuple[str, int | None]:
        if (number := turns.get(conversation(dialogue))) is not None:
            return "asks the same", number
        if (number := pair_ids.get(dialogue.pair_id)) is not None:
            return f"holds pair {dialogue.pair_id!r} too", number
        if formulaic:
            return "", None
        if shared := _spoken(dialogue, LEAK) & passages.keys():
            return f"says {min(shared)!r} too", passages[min(shared)]
        for what, index in indices.items():
            if (number := index.near(asked(dialogue))) is not None:
                return what, number
        return "is about the same fact", facts.near(_fact(dialogue))

    for entry in entries:
        what, number = first(entry.dialogue, entry.rules.formulaic)
        if number is not None:
            yield entry, f"the other set {what}: {against[number].dialogue.user_input[:50]!r}"


def conversation(dialogue: Dialogue) -> tuple:
    """The same for the same words in the same turns."""
    return tuple((turn["role"], *prose.words(turn["content"])) for turn in dialogue.turns)


def _fact(dialogue: Dialogue) -> str:
    """The sentence of gold that says what the record is about."""
    return next((str(dialogue.gold[key]) for key in ("fact", "question", "request") if key in dialogue.gold), "")


def _spoken(dialogue: Dialogue, size: int) -> set[str]:
    texts = [turn["content"] for turn in dialogue.turns] + [agent.thought_stream for agent in dialogue.agents]
    return {gram for text in (*texts, dialogue.final_answer) for gram in grams(text, size)}


def _first(text: str, count: int) -> str:
    return " ".join(prose.words(text)[:count])


def _by_pair(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    groups: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[entry.dialogue.pair_id].append(entry)
    return groups


class _Seen:
    """Who used an opening, under which keys; the first to use it, where that is once too often."""

    def __init__(self) -> None:
        self._keys: dict[str, set] = defaultdict(set)
        self._first: dict[str, Entry] = {}

    def too_often(self, opening: str, key: Hashable, entry: Entry, most: int) -> Entry | None:
        first, keys = self._first.setdefault(opening, entry), self._keys[opening]
        if len(keys) >= most and key not in keys:
            return first
        keys.add(key)
        return None
