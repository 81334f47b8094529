"""What records must be to one another: no copies, no worn phrases, whole pairs, and nothing that leaks between sets.

Near copies are found by MinHash, and confirmed by counting; no step compares every record with every other.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

from helpers import prose
from helpers.dialogue import Dialogue
from helpers.lint import asked
from helpers.rules import Entry

SHINGLE = 3  # words
NEAR = 0.5  # share of all shingles that two texts have in common
PERMUTATIONS = 96
BANDS, ROWS = 24, 4  # a pair of texts at 0.5 becomes a candidate with 79 %, at 0.6 with 96 %, at 0.2 with 4 %
OPENING = 4  # words
THOUGHT_OPENING, THOUGHTS_ALIKE = 3, 4  # so many words may open so many thoughts
SEQUENCE, SEQUENCES = 5, 3  # so many words may stand in so many pairs
LEAK = 8  # words
LARGE = 50  # a set of more than LARGE x SEQUENCES pairs may repeat a sequence in every 50th of them

Found = Iterator[tuple[Entry, str]]


def grams(text: str, size: int) -> set[str]:
    """Its sequences of `size` words."""
    found = prose.words(text)
    return {" ".join(found[i : i + size]) for i in range(len(found) - size + 1)}


def shingles(text: str) -> set[str]:
    """What two texts are compared by: sequences of three words, or the whole of a shorter text."""
    return grams(text, SHINGLE) or {" ".join(prose.words(text))} - {""}


class Index:
    """Texts by MinHash, each under a key and of a group (a pair) within which likeness is no fault."""

    def __init__(self) -> None:
        from datasketch import MinHash, MinHashLSH

        self._hashes = MinHash(num_perm=PERMUTATIONS)
        self._lsh = MinHashLSH(num_perm=PERMUTATIONS, params=(BANDS, ROWS))
        self._kept: dict[Hashable, tuple[set[str], Hashable]] = {}

    def near(self, text: str, group: Hashable = None) -> Hashable | None:
        """The key of a text like this one that is not of its group, or None."""
        pieces = shingles(text)
        return self._search(pieces, self._signature(pieces), group) if pieces else None

    def add(self, key: Hashable, text: str, group: Hashable = None) -> Hashable | None:
        """Keep the text under its key, or return the key of one that it is like.

        What is like another is not kept: so a thousand copies are compared with one, and not with each other.
        """
        pieces = shingles(text)
        if not pieces:
            return None
        signature = self._signature(pieces)
        found = self._search(pieces, signature, group)
        if found is None:
            self._lsh.insert(key, signature, check_duplication=False)
            self._kept[key] = pieces, group
        return found

    def _search(self, pieces: set[str], signature, group: Hashable) -> Hashable | None:
        for key in sorted(self._lsh.query(signature)):
            kept, of = self._kept[key]
            if (group is None or of != group) and len(pieces & kept) >= NEAR * len(pieces | kept):
                return key
        return None

    def _signature(self, pieces: set[str]):
        made = self._hashes.copy()
        made.update_batch([piece.encode() for piece in pieces])
        return made


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
    """Prompts alike in two pairs, answers alike in two records of different pairs."""
    prompts, answers = Index(), Index()
    for number, entry in enumerate(entries):
        dialogue = entry.dialogue
        for name, index, text in (("prompt", prompts, asked(dialogue)), ("answer", answers, dialogue.final_answer)):
            if (first := index.add(number, text, dialogue.pair_id)) is not None:
                yield entry, f"its {name} is nearly that of {entries[first].place}"


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


def leaks(entries: Sequence[Entry], against: Iterable[Entry]) -> Found:
    """What also stands in another set: the conversation, a pair, and in natural language eight words in a row, a
    prompt nearly the same, or the fact that gold is about."""
    turns, pair_ids, passages, prompts, facts = set(), set(), set(), Index(), Index()
    for number, entry in enumerate(against):
        other = entry.dialogue
        turns.add(conversation(other))
        pair_ids.add(other.pair_id)
        if not entry.rules.formulaic:
            passages |= _spoken(other, LEAK)
            prompts.add(number, asked(other))
            facts.add(number, _fact(other))
    for entry in entries:
        dialogue = entry.dialogue
        if conversation(dialogue) in turns:
            yield entry, "the other set asks the same"
        elif dialogue.pair_id in pair_ids:
            yield entry, f"the other set holds pair {dialogue.pair_id!r} too"
        elif entry.rules.formulaic:
            continue
        elif shared := passages & _spoken(dialogue, LEAK):
            yield entry, f"the other set says {min(shared)!r} too"
        elif prompts.near(asked(dialogue)) is not None:
            yield entry, "the other set asks nearly the same"
        elif facts.near(_fact(dialogue)) is not None:
            yield entry, "the other set is about the same fact"


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
