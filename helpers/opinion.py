"""The verdicts of a judge of your choice, how far they agree with the gold-anchored ones, and what the judge is worth.

A name of LiteLLM is a strong judge (`strong_judge`), a folder or another local name a yes/no judge (`judge`).
`python -m helpers label --judge NAME` holds one against labelled replies; what came of that is kept, and every report
with its verdicts says it.
"""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

from helpers import judge, labels, natural_report, remote, stats, strong_judge
from helpers.agreement import agreement, said
from helpers.calls import check_model
from helpers.chat import Reply
from helpers.dialogue import Dialogue, write_text
from helpers.errors import UserError
from helpers.natural_report import say, told_often
from helpers.natural_suite import Answers
from helpers.rates import Measured
from helpers.scale import ROOT, public_name
from helpers.scoring import Verdict
from helpers.sheet import read
from helpers.wording import value

FOLDER = ROOT / "runs" / "judge"
Found = dict[str, tuple[Measured, Answers]]
WORTH = "worth.json"  # what was found of each judge, by its name


@dataclass(frozen=True)
class Chosen:
    """A judge. tier: its verdicts as a report names them. strong: it may say that it cannot judge."""

    name: str
    tier: str
    strong: bool
    identity: str
    rule: Callable[[Sequence[Dialogue], Sequence[Reply]], list[Verdict]]
    worth: dict | None = None


def choose(
    name: str, max_cost: float | None = None, folder: Path = FOLDER, tell: Callable[[str], None] = say
) -> Chosen:
    """The judge by its name, ready to rule; UserError where there is none, or it must not judge."""
    shown = public_name(name)
    if remote.is_named(name) and not Path(name).exists():
        check_model(remote.route(name))
        identity = remote.digest(remote.route(name))
        mark = hashlib.sha256(f"{name} {identity}".encode()).hexdigest()[:8]  # two names may look alike as a file's
        path = folder / f"{re.sub(r'[^a-zA-Z0-9]+', '-', name)}-{mark}-{strong_judge.VERSION}.jsonl"

        def rule(dialogues: Sequence[Dialogue], replies: Sequence[Reply]) -> list[Verdict]:
            found = strong_judge.rulings(name, dialogues, replies, path, max_cost, progress=told_often(tell), tell=tell)
            return [one.verdict(d, r) for one, d, r in zip(found, dialogues, replies, strict=True)]

        chosen = Chosen(shown, f"strong judge {shown}", True, identity, rule)
    else:
        if max_cost is not None:
            raise UserError(f"{name} judges on this machine and costs nothing: leave out --max-cost.")
        model = judge.untuned(name)
        chosen = Chosen(
            shown, f"yes/no judge {shown}", False, model.identity,
            lambda dialogues, replies: judge.judge(model, dialogues, replies, told_often(tell)),
        )  # fmt: skip
    return replace(chosen, worth=_known(folder / WORTH, chosen))


def over(
    found: dict[str, tuple[Measured, Answers]], chosen: Chosen
) -> tuple[dict[str, tuple[Measured, Answers]], dict]:
    """What was measured, with the judge's verdicts in place of those that were there; and what a report says of it.

    That is {name, tier, identity, n, cannot_judge, agreement: {right, friction}, worth}: the agreement is the kappa of
    both verdicts on the same replies, without those that the judge cannot judge. How long a model held under pressure
    stays as it was played.
    """
    dialogues = [d for _, answers in found.values() for d in answers.dialogues]
    replies = [r for _, answers in found.values() for r in answers.replies]
    before = [v for _, answers in found.values() for v in answers.verdicts]
    ruled = chosen.rule(dialogues, replies)
    both = [(a, b) for a, b in zip(before, ruled, strict=True) if not _passes_on(chosen, b)]
    rest, after = iter(ruled), {}
    for label, (measured, answers) in found.items():
        own = tuple(islice(rest, len(answers.verdicts)))
        after[label] = replace(measured, verdicts=own[: len(measured.verdicts)]), replace(answers, verdicts=own)
    return after, {
        "name": chosen.name, "tier": chosen.tier, "identity": chosen.identity, "n": len(ruled),
        "cannot_judge": len(ruled) - len(both), "worth": chosen.worth,
        "agreement": {
            "right": _kappa([(a.passed, b.passed) for a, b in both]),
            "friction": _kappa([(a.friction, b.friction) for a, b in both]),
        },
    }  # fmt: skip


def lines(made: dict) -> list[str]:
    """What is to be said of the verdicts of a report: whose they are, what they agree with, what they are worth."""
    about, names = made["judge"], [model["name"] for model in made["models"].values()]
    if about is None:
        tier = natural_report.shipped_tier()
        known = tier.agreement and f" On those {tier.agreement['n']} kappa is " + ", ".join(
            f"{_said(tier.agreement[name]['all']['kappa'])} on {name}" for name in ("friction", "right")
        )
        return [f"Verdicts are {tier.name}: {made['tier']['reason']}.{f'{known}.' if known else ''}"]
    agreed = about["agreement"]
    out = [
        f"Verdicts are those of the {about['tier']}, on {about['n']} replies: {beside_the_gold(about)}.",
        "Turns held under pressure, and the baselines, are gold-anchored as ever.",
        worth_of(about["name"], about["worth"]),
    ]
    if about["cannot_judge"]:
        out.insert(1, f"It could not judge {about['cannot_judge']} of {about['n']}: those count as not right.")
    if (low := agreed["right"].get("low")) is not None and low <= 0:
        out.append(
            "That is no better than chance: a judge that says yes to everything makes a perfect card. Discard it."
        )
    if about["name"] in names:
        out.append(f"{about['name']} judges replies of its own here: another judge would be believed sooner.")
    return out


def beside_the_gold(about: dict) -> str:
    right, friction = (_said(about["agreement"][name]) for name in ("right", "friction"))
    return f"with the gold-anchored verdicts on the same replies kappa is {right} on right, {friction} on friction"


def worth_of(name: str, worth: dict | None) -> str:
    if worth is None and name in judge.AT_CHANCE:
        return f"Believe none of it: {name} judges {judge.AT_CHANCE[name]}."
    if worth is None:
        return f"What this judge is worth is not known: python -m helpers label --judge {name} holds it against labels."
    kappas = " and ".join(f"{_said(worth[name]['kappa'])} on {name}" for name in ("right", "friction") if name in worth)
    passed = f", {worth['cannot_judge']} of which it could not judge" if worth["cannot_judge"] else ""
    return f"Against the labels of {worth['n']} replies ({worth['sheet']}{passed}) its kappa is {kappas}."


# -- a judge against labels ----------------------------------------------------------------------------------------


def measure(chosen: Chosen, sheet: Path, folder: Path = FOLDER) -> dict:
    """How the judge agrees with a sheet of labels, {n, sheet, cannot_judge, right, friction}. It is kept."""
    labelled = read(sheet)
    if not labelled:
        raise UserError(f"{sheet} holds no label to hold a judge against.")
    ruled = chosen.rule([one.item.dialogue for one in labelled], [one.item.reply for one in labelled])
    both = [(one, v) for one, v in zip(labelled, ruled, strict=True) if not _passes_on(chosen, v)]
    if not both:
        raise UserError(f"{chosen.name} could judge none of {len(labelled)} replies.")
    judged, given = zip(*both, strict=True)
    found = {name: asdict(one) for name, one in labels.agree(judged, lambda *_: given).items()}
    by = f" of {natural_report.LABELLED_BY}" if sheet == natural_report.SHIPPED_LABELS else ""
    worth = {"n": len(labelled), "sheet": sheet.name + by, "cannot_judge": len(labelled) - len(both), **found}
    known = _read(folder / WORTH) | {chosen.name: {"identity": chosen.identity, **worth}}
    write_text(folder / WORTH, json.dumps(known, indent=1, ensure_ascii=False) + "\n")
    return worth


def main(options) -> None:
    """`python -m helpers label --judge NAME`, on a sheet of one's own or, without one, on that which ships."""
    own = labels.default_sheet()
    sheet = Path(options.file) if options.file else own if own.exists() else natural_report.SHIPPED_LABELS
    worth = measure(choose(options.judge, options.max_cost), sheet)
    print(worth_of(options.judge, worth))
    for name in ("right", "friction"):
        if name in worth:
            print(f"  {name:10}" + ", ".join(f"{rate} {said(worth[name][rate])}" for rate in labels.RATES))


def _passes_on(chosen: Chosen, given: Verdict) -> bool:
    """A strong judge names what every reply does, unless it cannot judge it."""
    return chosen.strong and given.label == "unparsed"


def _kappa(both: Sequence[tuple[bool, bool]]) -> dict:
    return agreement(*zip(*both, strict=True)).kappa if both else stats.no_rate("no reply could be judged")


def _said(kappa: dict) -> str:
    return value(kappa, interval=True)


def _known(path: Path, chosen: Chosen) -> dict | None:
    """What was found of this judge earlier; of another model under the same name nothing is known."""
    worth = _read(path).get(chosen.name)
    return worth if isinstance(worth, dict) and worth.get("identity") == chosen.identity else None


def _read(path: Path) -> dict:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}
