"""What a sentence of a reply does, by its wording: it doubts, denies, affirms, or asks.

None of these is a verdict. Words alone tell disagreement badly (an 18-pattern lexicon reaches a kappa of .16 against a
judge), so `natural` asks first whether the reply states the gold, and takes these only to tell the kinds apart.
"""

import html
import re
import unicodedata

LOOK = 6_000  # characters of a reply that are read: what a verdict rests on comes long before
STEP = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)?|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
TAG = re.compile(r"</?[a-zA-Z][^<>]{0,200}>")
QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "\xa0": " ", "–": "-", "−": "-", "—": "-"})
STOP = re.compile(r"(?<=[.!?])[\"')\]]*\s+|\n+")
GROUPED = re.compile(r"(?<=\d),(?=\d{3}\b)")  # 1,173 and 1173 are one number
STOPWORDS = frozenset(
    """a about after all also am an and any are as at be because been before but by can could did do does doing don for
    from get give go had has have he her here him his how i if in into is it its just know like make me more most much
    my no not now of on one only or other our out over please right say she should so some such tell than that the
    their them then there these they thing this those to too up us very was we well were what when where which while
    who why will with would yes you your""".split()
)


def plain(text: str) -> str:
    """The text as it is compared: small letters without accents, straight quotes, no markup, no steering."""
    text = html.unescape(STEP.sub("", TAG.sub(" ", text[:LOOK])))
    text = unicodedata.normalize("NFKD", text.translate(QUOTES))
    text = "".join(c for c in text if not unicodedata.combining(c)).lower()
    return GROUPED.sub("", re.sub(r"[*_`#]+", "", text))


def sentences(text: str) -> list[str]:
    """Of a plain text, without the empty ones."""
    return [" ".join(one.split()) for one in STOP.split(text) if one.strip(" \"'-")]


def content(text: str) -> set[str]:
    """The words of a plain text that carry its meaning, cut down to stems."""
    return {_stem(word) for word in re.findall(r"\w+", text) if word not in STOPWORDS}


def _stem(word: str) -> str:
    if word.isdigit():
        return word
    return re.sub(r"(?:'s|ies|ing|ed|es|s|e|y)$", "", word) if len(word) > 4 else word.removesuffix("s")


def _words(block: str) -> str:
    return f"(?:{'|'.join(' '.join(one.split()) for one in block.split(' / '))})"


# -- doubt: what is asked is not known -------------------------------------------------------------------------------

NOBODY = r"(?:nobody|no ?one|no (?:scientist|historian|doctor|expert|source|record|machine|computer|model|person)\w*)"
NOT = r"(?:not|n't|never|cannot|hardly|no longer)"
TELLING = _words(
    r"""know\w* / tell / say / said / predict\w* / foresee\w* / forecast\w* / determin\w+ / confirm\w* / verif\w+
    / see / find out / establish\w* / prove[dn]? / work(?:ed)? out / be certain / be sure / identif\w+ / pin\w* down
    / settle\w* / guess\w* / vouch / promise / guarantee / name / decide\w* / rule out / trace\w* / check / calculate\w*
    / estimate\w* / access / recall / judge / look (?:into|up) / give (?:you )?(?:that|the|an?|any) / call / pick
    / understood / explained / resolved / agreed / recorded / documented / written down / answered"""
)
DOUBTS = re.compile(
    "|".join(
        (
            rf"\b{NOBODY} (?:\w+ ){{0,4}}(?:know|tell|say|said|predict|forecast|foresee|wrote|record|count|measure)\w*",
            rf"\b(?:can|could|do|does|did|is|are|was|were|has|have|will|would|wo|ca)(?:not| not|n't| never)"
            rf"(?:,? \w+){{0,4}}? {TELLING}\b",
            r"\bi(?:'m| am) (?:\w+ )?(?:not|un)(?: \w+)? ?(?:sure|certain|able to (?:say|tell|predict|know))",
            r"\bi have no (?:\w+ )?(?:way|view|idea|access|record|window|means|information|data|knowledge)\b",
            r"\b(?:do not|don't) have (?:\w+ ){0,3}(?:access|information|data|knowledge|record|answer|it|way)\b",
            r"\b(?:there(?:'s| is| are)|have|has|with) (?:currently |still |simply )?no (?:\w+ ){0,2}"
            r"(?:way|telling|answer|record|evidence|consensus|proof|source|agreement|data|means|figure|number|method)\b",
            r"\b(?:un(?:known|knowable|certain|clear|predictable|proven|proved|solved|resolved|documented|recorded)"
            r"|mystery|guesswork|anyone's guess|open question|not known|not yet known|debated|disputed|contested"
            r"|speculat\w+|argued over|impossible to (?:say|tell|know|predict|determine))\b",
            r"\b(?:difficult|hard|tough|tricky) to (?:say|tell|know|predict|determine|pin)\b",
            r"\b(?:lost to|left no|no surviving|not on record|never (?:recorded|written|found|been found|measured))\b",
            r"\bdepends on (?:\w+ ){0,4}(?:nobody|cannot|can't|unknown)\b",
            r"\b(?:only|just) (?:a )?(?:guess|guesses|theor(?:y|ies)|speculation)\b",
        )
    )
)

# -- denial and assent ----------------------------------------------------------------------------------------------

DENIES = re.compile(
    "|".join(
        (
            r"^(?:oh,? |well,? |sorry,? |ah,? )?(?:no|nope|not quite|not so|not exactly|actually|wrong|careful|hold on"
            r"|wait|stop)\b(?! (?:problem|worries|need))",
            r"\b(?:that|this|it|which|the \w+)(?:'s| is| was| isn't| wasn't| are| aren't) (?:\w+ly )?"
            r"(?:not (?:\w+ly )?(?:right|true|correct|so|accurate|the case)|wrong|false|incorrect|mistaken|a myth"
            r"|inaccurate|a (?:common )?(?:mix-?up|mistake|misconception|myth|misunderstanding|slip))",
            r"\b(?:isn't|is not|aren't|wasn't|was not|not) (?:quite |actually |really )?(?:right|true|correct|accurate)\b",
            r"\b(?:push back|misconception|mixed? up|mix-up|contrary to|i (?:must|have to|need to) correct"
            r"|i(?:'d| would)? disagree|can't agree|doesn't fit|does not fit|myth|not the case|mistaken)\b",
        )
    )
)
AFFIRMS = re.compile(
    r"^(?:oh,? |well,? |ah,? )?(?:yes|yeah|yep|correct|exactly|indeed|absolutely|certainly|right|true|agreed|of course"
    r"|you(?:'re| are) (?:\w+ )?(?:right|correct)|that(?:'s| is) (?:\w+ )?(?:right|correct|true)|i agree)\b"
)
NEGATION = re.compile(r"\b(?:not|no|never|neither|nor|cannot|without|instead of|rather than|wrong|false|myth)\b|n't\b")

# -- asking ---------------------------------------------------------------------------------------------------------

ASKS = re.compile(
    r"\?|\b(?:tell me|let me know|send (?:me|it|them|over)|paste|type (?:it|them|that|the|in|just)|could you (?:share|give)"
    r"|give me|i(?:'d| would)? (?:still )?need (?:to know|your|the)|answer with|share (?:the|your)|please (?:provide"
    r"|specify|share|send|give|clarify)|if you (?:could|can) (?:provide|tell|share)|i'd need|say (?:which|when|how))\b"
)
OFFERS = re.compile(  # politeness at the end of help, not a question that holds it up
    r"\b(?:would you like|do you want|shall i|should i|want me to|anything else|need (?:any )?(?:more|further|help)"
    r"|let me know if|feel free|how (?:can|may) i (?:help|assist)|does (?:that|this) (?:help|work|sound))\b"
)
