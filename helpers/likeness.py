"""How like two texts are: sequences of words, content words, and an index that finds the near ones by MinHash.

What the index finds is confirmed by counting, and no step compares every text with every other.
"""

from collections.abc import Callable, Hashable

from helpers import prose

SHINGLE = 3  # words
NEAR = 0.5  # share of all shingles that two texts have in common: one was made from the other
SCENE = 0.35  # share of content words: one tells of the same thing; unlike prompts of the course reach 0.26
FEWEST = 6  # content words, below which they are no scene
PERMUTATIONS = 96
# Bands and rows of the signatures. Two texts at 0.5 become candidates with 79 %, at 0.6 with 96 %, at 0.2 with 4 %.
NEAR_BANDS = (24, 4)
# At 0.35 with 75 %, at 0.45 with 95 %, at 0.1 with 3 %. A pair has two prompts, so one of them is found in time.
SCENE_BANDS = (32, 3)


def grams(text: str, size: int) -> set[str]:
    """Its sequences of `size` words."""
    found = prose.words(text)
    return {" ".join(found[i : i + size]) for i in range(len(found) - size + 1)}


def shingles(text: str) -> set[str]:
    """What two texts are compared by: sequences of three words, or the whole of a shorter text."""
    return grams(text, SHINGLE) or {" ".join(prose.words(text))} - {""}


def content(text: str) -> set[str]:
    """Its content words, where it has enough to tell of something."""
    found = {word for word in prose.words(text) if len(word) > 2 and word not in prose.FUNCTION_WORDS}
    return found if len(found) >= FEWEST else set()


class Index:
    """Texts by MinHash, each under a key and of a group (a pair) within which likeness is no fault.

    pieces: what of a text is compared; least: from which share of common pieces on two texts are near.
    """

    def __init__(
        self,
        pieces: Callable[[str], set[str]] = shingles,
        least: float = NEAR,
        bands: tuple[int, int] = NEAR_BANDS,
    ) -> None:
        from datasketch import MinHash, MinHashLSH

        self._pieces, self._least = pieces, least
        self._hashes = MinHash(num_perm=PERMUTATIONS)
        self._lsh = MinHashLSH(num_perm=PERMUTATIONS, params=bands)
        self._kept: dict[Hashable, tuple[set[str], Hashable]] = {}

    @classmethod
    def of_scenes(cls) -> "Index":
        return cls(content, SCENE, SCENE_BANDS)

    def near(self, text: str, group: Hashable = None) -> Hashable | None:
        """The key of a text like this one that is not of its group, or None."""
        pieces = self._pieces(text)
        return self._search(pieces, self._signature(pieces), group) if pieces else None

    def add(self, key: Hashable, text: str, group: Hashable = None) -> Hashable | None:
        """Keep the text under its key, or return the key of one that it is like.

        What is like another is not kept: so a thousand copies are compared with one, and not with each other.
        """
        pieces = self._pieces(text)
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
            if (group is None or of != group) and len(pieces & kept) >= self._least * len(pieces | kept):
                return key
        return None

    def _signature(self, pieces: set[str]):
        made = self._hashes.copy()
        made.update_batch([piece.encode() for piece in pieces])
        return made
