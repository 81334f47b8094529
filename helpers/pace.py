"""How many pairs of the stage set two models are asked, and how long that will take: the time comes first.

What a model still has to say is measured on its next few prompts. Where all of it would be long, six pairs are offered;
what was chosen is remembered beside the replies, so that a run that was interrupted keeps to it.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from helpers.chat import Reply
from helpers.dialogue import KINDS, write_text
from helpers.errors import UserError
from helpers.model import Model
from helpers.natural_suite import NaturalSuite
from helpers.scenarios import Pair
from helpers.wording import span

WHOLE, FEW = 24, 6  # pairs of the stage set: all, and where that would take long
LONG = 300.0  # seconds
TASTED = 3  # replies that the measuring takes: with the first one a server loads its model


def fewer(pairs: Sequence[Pair], count: int) -> list[Pair]:
    """So many pairs, the kinds in turn; conversations of several turns, which take longest, come last."""
    if count < 1:
        raise UserError(f"--pairs {count}: expected 1 or more; the stage set has {len(pairs)}.")
    kinds = [sorted((p for p in pairs if p[0].kind == kind), key=lambda p: len(p[0].turns)) for kind in KINDS]
    in_turn = [group[i] for i in range(max(map(len, kinds), default=0)) for group in kinds if i < len(group)]
    return in_turn[:count]


def size(asked: NaturalSuite) -> int:
    """Of how many pairs it is."""
    return sum(map(len, asked.pairs.values()))


# -- the time ------------------------------------------------------------------------------------------------------


class _Enough(Exception):
    """So many replies were asked for as the measuring takes."""


class _Taster:
    """A model that gives a few replies more. each: the seconds that one took."""

    def __init__(self, model: Model):
        self.model, self.each = model, []

    def __getattr__(self, name: str):
        return getattr(self.model, name)

    def answers(self, conversations: Sequence[Sequence[dict]], max_new_tokens: int) -> Iterator[tuple[int, Reply]]:
        places = list(range(len(conversations)))
        while places:
            if len(self.each) == TASTED:
                raise _Enough
            now = places[: TASTED - len(self.each) if self.each else 1]
            del places[: len(now)]
            begun = time.monotonic()
            for i, reply in self.model.answers([conversations[place] for place in now], max_new_tokens):
                yield now[i], reply
            self.each += [(time.monotonic() - begun) / len(now)] * len(now)


def seconds_a_reply(model: Model, ask: Callable[[Model], object]) -> float | None:
    """How long one of those replies takes that are still missing; None where none is.

    ask: asks a model for everything, and keeps its replies. It is broken off after the first few that are new.
    """
    taster = _Taster(model)
    with suppress(_Enough):
        ask(taster)
    timed = taster.each[1:] or taster.each
    return sum(timed) / len(timed) if timed else None


# -- the choice ----------------------------------------------------------------------------------------------------


def agreed(
    asked: NaturalSuite,
    few: NaturalSuite | None,
    left: Callable[[NaturalSuite], tuple[int, float]],
    choose: Callable[[str], bool] | None,
    tell: Callable[[str], None],
) -> NaturalSuite:
    """What will be asked after all, when it has been told how long that takes: everything, or `few`.

    few: None where somebody has chosen already. left: how many replies are missing at most, and how many seconds they
    will take. choose: asked where it is long; without it, it is only told how to have less.
    """
    count, whole = left(asked)
    tell(f"{size(asked)} pairs, at most {count} replies to come: about {span(whole)}")
    if few is None or whole <= LONG or size(asked) <= FEW:
        return asked
    short = f"{size(few)} pairs would take about {span(left(few)[1])}"
    if choose is None:
        tell(f"{short}: add --pairs {FEW}")
        return asked
    return few if choose(f"{short}. Only those? [y/N] ") else asked


def chosen_before(path: Path, who: str) -> int | None:
    """How many pairs were chosen for these models, if that is known."""
    count = _choices(path).get(who)
    return count if isinstance(count, int) and count > 0 else None


def remember(path: Path, who: str, count: int) -> None:
    write_text(path, json.dumps(_choices(path) | {who: count}, indent=1, ensure_ascii=False) + "\n")


def _choices(path: Path) -> dict:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}  # what cannot be read costs one more question
