"""Two models of your own on the stage set: `python -m helpers evaluate --model ollama/NAME --against ollama/OTHER`.

Or on replies that were made elsewhere: `python -m helpers evaluate --replies FILE.json`, see `matching`.
"""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from helpers import natural, natural_report
from helpers.dialogue import KINDS
from helpers.errors import UserError
from helpers.generate import load, replies_file
from helpers.matching import KEYS, match, read_rows
from helpers.model import Model
from helpers.natural_report import cap_of, say
from helpers.natural_suite import PROMPTS, STAGE, Answers, NaturalSuite, read_pairs, suite_of
from helpers.rates import Measured
from helpers.report import label_of
from helpers.scale import ROOT
from helpers.scenarios import Pair
from helpers.wording import span

FOLDER = ROOT / "runs" / "versus"
WHOLE, FEW = 24, 6  # pairs of the stage set: all, and where that would take long
LONG = 300.0  # seconds
CAP = 512  # tokens of a reply: many models think before they answer


def fewer(pairs: Sequence[Pair], count: int) -> list[Pair]:
    """So many pairs, the kinds in turn; conversations of several turns, which take longest, come last."""
    if count < 1:
        raise UserError(f"--pairs {count}: expected 1 or more; the stage set has {len(pairs)}.")
    kinds = [sorted((p for p in pairs if p[0].kind == kind), key=lambda p: len(p[0].turns)) for kind in KINDS]
    in_turn = [group[i] for i in range(max(map(len, kinds), default=0)) for group in kinds if i < len(group)]
    return in_turn[:count]


# -- two models ----------------------------------------------------------------------------------------------------


def compare(
    models: dict[str, Model],
    count: int = WHOLE,
    folder: Path = FOLDER,
    cap: int = CAP,
    choose: Callable[[str], bool] | None = None,
    tell: Callable[[str], None] = say,
) -> dict:
    """The report on {"base": model, "tuned": model} on the stage set, or on `count` of its pairs.

    First it tells how long that will take. Where that is long, `choose` is asked whether six pairs shall do; without
    it, only that they could. The replies lie in `folder`, so that an interrupted run goes on where it was.
    """
    pairs, kept = read_pairs(STAGE), folder / "replies"
    asked = suite_of(fewer(pairs, count), "stage")
    tell("Asking the first prompts, to see how long it will take ..")
    each = [seconds_a_reply(model, asked, natural_report.kept(kept, label), cap) for label, model in models.items()]
    if None not in each:
        asked = _agreed(asked, pairs, sum(each), choose, tell)
    found = {label: natural_report.measure(label, model, asked, kept, cap, tell) for label, model in models.items()}
    return natural_report.assemble(asked, found, _label(asked), cap)


def seconds_a_reply(model: Model, asked: NaturalSuite, path: Path, cap: int = CAP) -> float | None:
    """Measured on the second and third prompt: with the first one a server loads the model. None where they are known
    from an earlier run. What is asked here is kept in `path`."""
    first, *more = asked.prompts[:3]
    replies_file(model, [first], path, cap)
    size, begun = path.stat().st_size, time.monotonic()
    replies_file(model, more, path, cap)
    return (time.monotonic() - begun) / len(more) if path.stat().st_size > size else None


def _agreed(
    asked: NaturalSuite,
    pairs: Sequence[Pair],
    seconds: float,
    choose: Callable[[str], bool] | None,
    tell: Callable[[str], None],
) -> NaturalSuite:
    """What will be asked after all. seconds: for one reply of each model."""
    whole, few = _rounds(asked) * seconds, suite_of(fewer(pairs, FEW), "stage")
    tell(f"{_size(asked)} pairs, at most {_rounds(asked)} replies of each model: about {span(whole)}")
    if whole <= LONG or _size(asked) <= FEW:
        return asked
    short = f"{FEW} pairs would take about {span(_rounds(few) * seconds)}"
    if choose is None:
        tell(f"{short}: add --pairs {FEW}")
        return asked
    return few if choose(f"{short}. Only those? [y/N] ") else asked


def _rounds(asked: NaturalSuite) -> int:
    """How many replies a model gives at most."""
    return len(asked.everything) + sum(len(script) - 1 for script in asked.scripts.values())


def _size(asked: NaturalSuite) -> int:
    return sum(map(len, asked.pairs.values()))


def _label(asked: NaturalSuite) -> str:
    return label_of(_size(asked), 1, asked.part)


# -- the command ---------------------------------------------------------------------------------------------------


def from_file(path: Path, tell: Callable[[str], None] = say) -> dict:
    """The report on the replies of a file, as far as they belong to the course's prompts; it tells what does not."""
    matched = match(read_rows(path), read_pairs(PROMPTS), path)
    for line in matched.left_out:
        tell(f"  left out: {line}")
    asked = suite_of(matched.pairs, "matched")
    found = {}
    for i, label in enumerate(("base", "tuned")):
        replies = tuple(matched.rows[d.id].replies[i] for d in asked.prompts)
        answers = Answers(tuple(asked.prompts), replies, tuple(natural.judge(asked.prompts, replies)), ())
        name = f"{KEYS[i + 1]} of {path.name}"
        found[label] = Measured(name, answers.replies, answers.verdicts, answers.held), answers
    return natural_report.assemble(asked, found, _label(asked), None)


def main(options) -> None:
    """`python -m helpers evaluate` with --model and --against, or with --replies."""
    if options.replies:
        if options.model or options.against:
            raise UserError("--replies judges what is there already: leave out --model and --against.")
        made = from_file(Path(options.replies))
    else:
        if not (options.model and options.against):
            raise UserError("A report compares two models: name the tuned one with --model, the other with --against.")
        names = {"base": options.against, "tuned": options.model}
        models = {label: load(name) for label, name in names.items()}
        asking = sys.stdin.isatty() and sys.stdout.isatty()
        made = compare(models, options.pairs, FOLDER, cap_of(options, CAP), _yes if asking else None)
    natural_report.show(made, FOLDER)


def _yes(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except (EOFError, UnicodeDecodeError):
        return False
