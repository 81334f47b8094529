"""What can be wrong with one text, and how like two texts are.

A check takes a text and returns the reason against it, or "": another language, gibberish, an error, an address or a
key. None of them looks for words of disagreement: those tell nothing about whether a reply pushes back. Texts that are
like each other are found by MinHash and confirmed by counting, so that no step compares every text with every other.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from functools import lru_cache

MEMORY = lru_cache(1 << 16)  # the thoughts of a closed language come back by the thousand
FEW = 10  # words; below, shares of words say nothing
ENGLISH = 0.12  # least share of function words: terse English typed in a hurry has 0.17, prose 0.4, Turkish none
_FUNCTION_WORDS = """
    a about after all also an and any are as at be because been before but by can can't could did do does don't
    each either every for from get had has have he her here him his how i i'm i'll i've if in into is isn't it it's its
    just let like may me more most much my no nor not now of off on one only or other our out over own same shall she
    should so some such than that that's the their them then there these they this those to too under until up us very
    was we were what when where which while who whom whose why will with without would you you'll your you're"""
# Words of Dutch, German, French, Spanish, Italian and Portuguese that English has not.
_NEIGHBOURS = """
    de het een en ik niet dat op voor zijn te aan er maar dan zou wat mijn deze ook bij nog naar uit wij der das und
    ist nicht ein eine zu dem mit ich auf sich im sie auch es dass wie nur oder aber noch nach le les et est une pas que
    pour je vous dans qui sur ce il elle el los las y por del una su di che non sono della nel um uma nao não mais"""
FUNCTION_WORDS, NEIGHBOURS = frozenset(_FUNCTION_WORDS.split()), frozenset(_NEIGHBOURS.split())
ERROR = re.compile(
    r"\berror code: \d{3}\b|\bratelimiterror\b|\btraceback \(most recent|^traceback\b|\b(?:litellm|openai)\.\w*error\b"
    r"|\b(?:authentication|apiconnection|apitimeout|internalserver|serviceunavailable|badrequest)error\b"
    r"|\bas an ai(?: language)? model\b|\bas a large language model\b|\bas an ai(?: assistant)?, i\b"
    r"|\binsufficient_quota\b|\bmaximum context length is \d"
    r"|^\s*\[?error\]?\s*:|^\s*\{\s*\"error\"|^\s*(?:<!doctype html|<html\b)"
    r"|^\s*(?:null|none|nan|n/a|undefined|todo|tbd|lorem ipsum.*)\s*\.?\s*$"
    r"|\bincorrect api key provided\b|\boverloaded_error\b|\{\s*\"type\"\s*:\s*\"error\""
    r"|\bresponse was filtered due to the prompt\b"
    # What a person may write about too counts at the beginning of a line, or as the last thing that is said.
    r"|(?m:^\s*(?:rate limit (?:reached|exceeded)|the server is (?:currently )?overloaded)\b)"
    r"|(?m:^\s*5\d\d [a-z ]*(?:error|gateway|unavailable)\b)"
    r"|\b5\d\d (?:internal server error|bad gateway|service unavailable)\W*\Z"
    r"|(?m:^\s*(?:connection error|request timed out)\.?\s*$)",
    re.IGNORECASE,
)
TAG = re.compile(r"</?think>|<[|｜][^|｜<>]{1,40}[|｜]>")  # the prompt string is made of these: no part may hold one
ADDRESS = re.compile(r"(?<![\w.+-])[\w.+-]+@((?:[\w-]+\.)+[A-Za-z]{2,})")
RESERVED = re.compile(r"(?:^|\.)(?:example\.(?:com|org|net)|example|test|invalid)$", re.IGNORECASE)  # RFC 2606
KEYS = re.compile(
    r"\bsk-[\w-]{16,}|\b[srp]k_(?:live|test)_\w{12,}|\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}"
    r"|\bhf_[A-Za-z0-9]{20,}|\bgsk_\w{20,}|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[\w-]{30,}|\bxox[abeprs]-[\w-]{10,}"
    r"|\bnpm_\w{30,}|\bpypi-[\w-]{30,}|\bSG\.[\w-]{16,}\.[\w-]{16,}|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*"
    r"|(?i:\bbearer )[\w.~+/-]{20,}|://[^\s/:@]+:[^\s/@]{6,}@"
)
PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
TOKEN = re.compile(r"[A-Za-z0-9+_=-]{24,}")
HEX = re.compile(r"[0-9a-fA-F]+")
MOJIBAKE = re.compile(r"\ufffd|Ã[\x80-\xbf]|â€|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f\ud800-\udfff]")
FENCED = re.compile(r"```.*?(?:```|$)|`[^`\n]+`", re.DOTALL)


def words(text: str) -> list[str]:
    """Its words in small letters; an apostrophe belongs to its word, whichever of the two it is."""
    return re.findall(r"[\w']+", text.lower().replace("’", "'"))


def foreign(text: str) -> str:
    """English is told by its function words: that needs no model, but some ten words."""
    if len(re.findall(r"[^\W\d_\u0000-\u024f]", text)) > 0.2 * len(text):
        return "is in another script"
    found = words(FENCED.sub(" ", text))
    english, other = (sum(word in known for word in found) for known in (FUNCTION_WORDS, NEIGHBOURS))
    if len(found) >= FEW and (english < ENGLISH * len(found) or other > english):
        return f"is not English: {english} of {len(found)} words are its function words, {other} are its neighbours'"
    return ""


@MEMORY
def broken(text: str) -> str:
    """Traces of a wrong encoding, and characters that no text has."""
    found = MOJIBAKE.search(text)
    return f"holds {found[0]!a}, a trace of a wrong encoding" if found else ""


@MEMORY
def tagged(text: str) -> str:
    """A mark of the prompt string, which would end a thought or a turn in the middle."""
    found = TAG.search(text)
    return f"holds the tag {found[0]}" if found else ""


@MEMORY
def gibberish(text: str) -> str:
    """Mashed keys, a loop, or a line of signs. A single odd word is none."""
    prose = FENCED.sub(" ", text)
    if found := re.search(r"([^\W\d_])\1{5,}|([^\w\s])\2{9,}", prose):
        return f"repeats {found[0][0]!r}"
    found = [word for word in re.findall(r"[^\W\d_]+", prose) if len(word) > 3 and not word.isupper()]
    odd = [word for word in found if re.search(r"[bcdfghjklmnpqrstvwxz]{5}|^[^aeiouyà-ÿ]+$", word.lower())]
    if len(odd) > max(3, 0.25 * len(found)):
        return f"has no words: {' '.join(odd[:3])}"
    if len(re.findall(r"[^\w\s]", prose)) > 0.3 * len(prose):
        return "has more signs than words"
    said = words(prose)
    runs = Counter(zip(*(said[i:] for i in range(4)), strict=False))
    if runs and (most := max(runs.values())) > 3 and len(runs) < 0.5 * runs.total():  # a filled-in form repeats less
        return f"goes in a loop: {' '.join(max(runs, key=runs.get))!r} stands there {most} times"
    return ""


@MEMORY
def error(text: str) -> str:
    found = ERROR.search(text.replace("’", "'"))
    return f"is an error saved as text: {found[0].strip()!r}" if found else ""


@MEMORY
def private(text: str, hashes: bool = False) -> str:
    """An e-mail address or a key, masked. hashes: hexadecimal numbers are fine, as in metadata."""
    for found in ADDRESS.finditer(text):
        if not RESERVED.search(found[1]) and not found[0].startswith("git@"):
            return f"holds an e-mail address, {_masked(found[0])}: write one at example.org"
    secret = next(_secrets(text, hashes), "")
    return f"holds what looks like a key, {_masked(secret)}" if secret else ""


def mask(text: str) -> str:
    """The text without its keys: a report must not spread what it found."""
    for secret in list(_secrets(text, hashes=True)):
        text = text.replace(secret, _masked(secret))
    return text


def _secrets(text: str, hashes: bool) -> Iterator[str]:
    yield from (found[0] for found in PEM.finditer(text))
    for found in KEYS.finditer(text):
        if re.search(r"\d", found[0]) and entropy(found[0]) > 3:  # "sk-your-key-goes-here" is none
            yield found[0]
    for found in TOKEN.finditer(text):
        token = found[0]
        if HEX.fullmatch(token):
            if not hashes and len(token) >= 32 and entropy(token) > 3:
                yield token
        elif all(re.search(sort, token) for sort in ("[a-z]", "[A-Z]", r"\d")) and entropy(token) > 4:
            yield token


def _masked(secret: str) -> str:
    return f"{secret[:4]}.. ({len(secret)} characters)"


def entropy(text: str) -> float:
    """Shannon's, in bits a character: random letters and digits have more than 4, names and words less."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())


# -- how like two texts are ----------------------------------------------------------------------------------------

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
    found = words(text)
    return {" ".join(found[i : i + size]) for i in range(len(found) - size + 1)}


def shingles(text: str) -> set[str]:
    """What two texts are compared by: sequences of three words, or the whole of a shorter text."""
    return grams(text, SHINGLE) or {" ".join(words(text))} - {""}


def content(text: str) -> set[str]:
    """Its content words, where it has enough to tell of something."""
    found = {word for word in words(text) if len(word) > 2 and word not in FUNCTION_WORDS}
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
            self._keep(key, pieces, signature, group)
        return found

    def keep(self, key: Hashable, text: str, group: Hashable = None) -> None:
        """Keep the text, whatever it is like: what is compared with it later may be like this one alone."""
        if pieces := self._pieces(text):
            self._keep(key, pieces, self._signature(pieces), group)

    def _keep(self, key: Hashable, pieces: set[str], signature, group: Hashable) -> None:
        self._lsh.insert(key, signature, check_duplication=False)
        self._kept[key] = pieces, group

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
