"""Two models of your own on the stage set: `python -m helpers evaluate --model ollama/NAME --against ollama/OTHER`.

Or on replies that were made elsewhere: `python -m helpers evaluate --replies FILE.json`, see `matching`. Verdicts are
gold-anchored, or with `--judge NAME` those of a model that reads the gold, see `opinion`.
"""

import hashlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from helpers import baselines, natural, natural_report, opinion, pace
from helpers.contrast import Tier
from helpers.dialogue import Dialogue
from helpers.errors import UserError
from helpers.generate import load, without_reply
from helpers.matching import KEYS, match, read_rows
from helpers.model import Model
from helpers.natural_report import TIER, cap_of, kept, say
from helpers.natural_suite import PROMPTS, STAGE, Answers, NaturalSuite, read_pairs, suite_of
from helpers.opinion import Chosen, Found
from helpers.pace import FEW, WHOLE, fewer, size
from helpers.rates import Measured
from helpers.report import label_of
from helpers.scale import ROOT

FOLDER = ROOT / "runs" / "versus"
CAP = 512  # tokens of a reply: many models think before they answer
UNLABELLED = "labels exist for replies of SmolLM2 alone, for these none"


# -- two models ----------------------------------------------------------------------------------------------------


def compare(
    models: dict[str, Model],
    count: int | None = None,
    folder: Path = FOLDER,
    cap: int = CAP,
    choose: Callable[[str], bool] | None = None,
    tell: Callable[[str], None] = say,
    judge: Chosen | None = None,
) -> dict:
    """The report on {"base": model, "tuned": model} on the stage set, or on `count` of its pairs.

    First it tells how long that will take. Where that is long and no count is given, `choose` is asked whether six
    pairs shall do; without it, only told that they could. Replies and that choice lie in `folder`, so that an
    interrupted run goes on where it was. judge: whose verdicts the report takes, if not the gold-anchored ones.
    """
    pairs, replies = read_pairs(STAGE), folder / "replies"
    choices, who = folder / "choices.json", f"{models['tuned'].name} against {models['base'].name}"
    decided = pace.chosen_before(choices, who) if count is None else count
    asked = suite_of(fewer(pairs, WHOLE if decided is None else decided), "stage")
    if count:
        pace.remember(choices, who, count)
    elif decided:
        tell(f"{decided} pairs, as was chosen before; --pairs {WHOLE} asks all.")

    def chosen(question: str) -> bool:
        yes = choose(question)
        pace.remember(choices, who, FEW if yes else WHOLE)
        return yes

    tell("Asking a few prompts, to see how long it will take ..")
    each = {label: _seconds(label, model, asked, replies, cap) for label, model in models.items()}
    waiting = {label: seconds for label, seconds in each.items() if seconds is not None}
    if waiting:

        def left(of: NaturalSuite) -> tuple[int, float]:
            counts = {label: _missing(label, models[label], of, replies, cap) for label in waiting}
            return sum(counts.values()), sum(n * waiting[label] for label, n in counts.items())

        few = None if decided else suite_of(fewer(pairs, FEW), "stage")
        asked = pace.agreed(asked, few, left, chosen if choose else None, tell)
    found = {label: natural_report.measure(label, model, asked, replies, cap, tell) for label, model in models.items()}
    rows = _told_to_push_back(models["base"], asked, replies, cap, tell)
    return _report(asked, found, cap, rows, judge)


def _seconds(label: str, model: Model, asked: NaturalSuite, folder: Path, cap: int) -> float | None:
    def ask(taster: Model) -> None:
        natural_report.measure(label, taster, asked, folder, cap, lambda line: None)
        if label == "base":
            _told_to_push_back(taster, asked, folder, cap, lambda line: None)

    return pace.seconds_a_reply(model, ask)


def _missing(label: str, model: Model, asked: NaturalSuite, folder: Path, cap: int) -> int:
    """How many replies a model still has to give at most: conversations may end before their last turn."""
    later = sum(len(script) - 1 for script in asked.scripts.values())
    first = without_reply(model, asked.everything, kept(folder, label), cap)
    told = without_reply(model, _told(model, asked), kept(folder, baselines.ASKED), cap) if label == "base" else []
    return len(first) + later + len(told)


def _told_to_push_back(
    model: Model, asked: NaturalSuite, folder: Path, cap: int, tell: Callable[[str], None]
) -> list[dict]:
    """The row of the base with a system prompt that asks for push-back. Only a row: where it fails, the card stands."""
    told = _told(model, asked)
    if not told:
        reason = f"with {FEW} pairs or fewer" if size(asked) <= FEW else "since it takes no system prompt"
        tell(f"{baselines.ASKED}: left out, {reason}")
        return []
    tell(f"{baselines.ASKED}: {len(told)} prompts")
    try:
        return [natural_report.asked_to_push_back(model, asked, folder, cap, natural_report.told_often(tell))]
    except UserError as problem:
        tell(f"  left out: {problem}")
        return []


def _told(model: Model, asked: NaturalSuite) -> list[Dialogue]:
    """The prompts of that row; none for six pairs, which are there to be quick, nor where a template refuses them."""
    from jinja2 import TemplateError

    pairs = [pair for group in asked.pairs.values() for pair in group] if size(asked) > FEW else []
    told = [baselines.told(d) for pair in pairs if not {d.id for d in pair} & asked.scripts.keys() for d in pair]
    try:
        for dialogue in told[:1]:
            model.prompt(dialogue.turns)
    except TemplateError:
        return []
    return told


# -- replies that are there already --------------------------------------------------------------------------------


def from_file(path: Path, tell: Callable[[str], None] = say, judge: Chosen | None = None) -> dict:
    """The report on the replies of a file, as far as they belong to the course's prompts; it tells what does not."""
    matched = match(read_rows(path), read_pairs(PROMPTS), path)
    for line in matched.left_out:
        tell(f"  left out: {line}")
    asked, found = suite_of(matched.pairs, "matched"), {}
    source = {"identity": f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}", "engine": "a file of replies"}
    for i, label in enumerate(("base", "tuned")):
        replies = tuple(matched.rows[d.id].replies[i] for d in asked.prompts)
        answers = Answers(tuple(asked.prompts), replies, tuple(natural.judge(asked.prompts, replies)), ())
        name = f"{KEYS[i + 1]} of {path.name}"
        found[label] = Measured(name, answers.replies, answers.verdicts, answers.held, **source), answers
    return _report(asked, found, None, (), judge)


# -- the report ----------------------------------------------------------------------------------------------------


def _report(asked: NaturalSuite, found: Found, cap: int | None, rows: Sequence[dict], judge: Chosen | None) -> dict:
    """Beside what `natural_report.assemble` writes: why the tier of the verdicts is not validated, and `judge`, what is
    known of the judge (None without one)."""
    said, tier = None, TIER
    if judge:
        found, said = opinion.over(found, judge)
        tier = Tier(judge.tier)
    made = natural_report.assemble(asked, found, label_of(size(asked), 1, asked.part), cap, rows, tier)
    made["tier"]["reason"] = UNLABELLED + (f"; {opinion.beside_the_gold(said)}" if said else "")
    return made | {"judge": said}


def main(options) -> None:
    """`python -m helpers evaluate` with --model and --against, or with --replies."""
    if options.replies:
        if options.model or options.against:
            raise UserError("--replies judges what is there already: leave out --model and --against.")
        if options.pairs or options.max_tokens:
            raise UserError("--replies judges all that is in the file, as it is: leave out --pairs and --max-tokens.")
        made = from_file(Path(options.replies), judge=_judge(options))
    else:
        if not (options.model and options.against):
            raise UserError("A report compares two models: name the tuned one with --model, the other with --against.")
        names, judge = {"base": options.against, "tuned": options.model}, _judge(options)
        models = {label: load(name) for label, name in names.items()}
        asking = sys.stdin.isatty() and sys.stdout.isatty()
        made = compare(models, options.pairs, FOLDER, cap_of(options, CAP), _yes if asking else None, judge=judge)
    natural_report.show(made, FOLDER)
    print(*opinion.lines(made), sep="\n")


def _judge(options) -> Chosen | None:
    if options.judge is None and options.max_cost is not None:
        raise UserError("--max-cost caps what a judge costs: name one with --judge.")
    if options.judge is None:
        return None
    judge = opinion.choose(options.judge, options.max_cost)
    say(f"Verdicts of the {judge.tier}. {opinion.worth_of(judge.name, judge.worth)}")
    return judge


def _yes(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except (EOFError, UnicodeDecodeError):
        return False
