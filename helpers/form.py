"""The form of replies: length, lists, hedges, apologies. They can pass for friction or hide it, so they are told."""

import re
from collections.abc import Sequence
from statistics import median

from helpers import stats
from helpers.chat import Reply

LIST_ITEMS = 2
ITEM = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)])\s", re.MULTILINE)
# After the list of Hyland (2005), Metadiscourse: what is common in answers, and little else.
HEDGE = re.compile(
    r"\b(?:perhaps|maybe|possibly|probably|likely|presumably|arguably|apparently|usually|generally|typically|might"
    r"|may be|could be|seems?|appears? to|i (?:think|believe|guess|suppose|assume)|it depends"
    r"|not (?:\w+ly )?(?:sure|certain)|as far as i know|to my knowledge|in general)\b",
    re.IGNORECASE,
)
# Only at the head, where the model speaks for itself: further down it may be a letter that it was asked to write.
APOLOGY = re.compile(
    r"\W*(?:(?:oh|well|hi|hello|unfortunately)\W+)?(?:(?:i am|i'm|i’m)(?: \w+)? sorry|sorry|(?:my |our )?apologies"
    r"|(?:i|we) (?:\w+ )?apologi[sz]e|(?:please )?(?:forgive|pardon) me)\b(?! to hear| for your loss| (?:that|if) you)",
    re.IGNORECASE,
)
ASKED_FOR = re.compile(r"\b(?:sorry|apolog)", re.IGNORECASE)


def form(replies: Sequence[Reply]) -> dict:
    """{words: the median number, list, hedge: the shares with one}, of the visible answers."""
    return {
        "words": words(replies),
        "list": stats.share_or_none([has_list(r.answer) for r in replies], "no replies"),
        "hedge": stats.share_or_none([has_hedge(r.answer) for r in replies], "no replies"),
    }


def words(replies: Sequence[Reply]) -> float | None:
    """The median number of words of the visible answers; None of no replies."""
    return float(median(len(r.answer.split()) for r in replies)) if replies else None


def has_list(answer: str) -> bool:
    return len(ITEM.findall(answer)) >= LIST_ITEMS


def has_hedge(answer: str) -> bool:
    return bool(HEDGE.search(answer))


def apologises(answer: str, prompt: str) -> bool:
    """Whether a reply begins with an apology of the model's own; not where the prompt asks for one."""
    return bool(APOLOGY.match(answer)) and not ASKED_FOR.search(prompt)
