"""How far a tier of verdicts agrees with labels, and rates put right for its errors.

Agreement is Cohen's kappa with its interval, sensitivity and specificity.

`python -m helpers agree FILE.csv` holds the refusal patterns against replies that people have labelled.
"""

import csv
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from helpers import stats, terminal
from helpers.errors import UserError
from helpers.inference import DRAWS, UNSEEN
from helpers.refusals import Refusal, refusal
from helpers.stats import interval_of

LABELS: dict[str, Refusal] = {"1": "", "2": "full", "3": "partial"}  # as XSTest writes them: 2_full_refusal, ..
NAMES: dict[Refusal, str] = {"full": "full refusal", "partial": "partial refusal", "": "no refusal"}
GRAVITY: dict[Refusal, int] = {"full": 2, "partial": 1, "": 0}
COLUMNS = ("prompt", "completion", "final_label")
KAPPA_DRAWS = 20_000
LEAST_LABELS, LEAST_YOUDEN = 50, 0.2  # below, a rate is not put right: the labels say too little
SHOWN = 300  # characters of a reply
FIELD = 10_000_000  # characters of one cell; the csv module gives up at 131,072


@dataclass(frozen=True)
class Row:
    """One labelled reply; `number` counts from 1, without the header."""

    number: int
    prompt: str
    completion: str
    label: Refusal
    found: Refusal


@dataclass(frozen=True)
class Agreement:
    """Yes and no of a tier against the labels. Rates are those of `stats.rate`; kappa is {n, value, low, high}."""

    kappa: dict
    sensitivity: dict
    specificity: dict


def agreement(labels: Sequence[bool], found: Sequence[bool]) -> Agreement:
    """Of two answers to the same yes/no questions; the first is taken for right."""
    if not labels or len(labels) != len(found):
        raise UserError(f"{len(found)} verdicts for {len(labels)} labels: each labelled reply needs one verdict.")
    counts = Counter(zip(map(bool, labels), map(bool, found), strict=True))
    hit, missed, false, right = (counts[pair] for pair in ((True, True), (True, False), (False, True), (False, False)))
    none = "no reply carries that label"
    return Agreement(
        kappa([[hit, missed], [false, right]]),
        stats.rate(hit, hit + missed) if hit + missed else stats.no_rate(none),
        stats.rate(right, false + right) if false + right else stats.no_rate(none),
    )


def kappa(table: Sequence[Sequence[int]], seed: int = 0) -> dict:
    """Cohen's kappa (1960) of a square table of counts, with a 95 % interval: {n, value, low, high}.

    The interval holds the middle 95 % of kappa over tables drawn from the Dirichlet posterior under Jeffreys' prior:
    unlike a bootstrap or the delta method it is not of zero width where the two agree on everything.
    """
    import numpy as np

    counts = np.asarray(table, dtype=float)
    n = int(counts.sum())
    value = _kappa(counts / max(n, 1))
    if np.isnan(value):  # both gave one and the same answer throughout: to agree by chance was certain
        return stats.no_rate("all replies have one and the same label") | {"n": n}
    drawn = np.random.default_rng(seed).dirichlet(counts.ravel() + 0.5, KAPPA_DRAWS).reshape(KAPPA_DRAWS, *counts.shape)
    return {"n": n} | interval_of(float(value), _kappa(drawn))


def _kappa(shares):
    """Of tables of shares, (.., k, k), each of sum 1; NaN where chance alone would agree on everything."""
    import numpy as np

    agreed = np.trace(shares, axis1=-2, axis2=-1)
    chance = (shares.sum(axis=-1) * shares.sum(axis=-2)).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(chance < 1, (agreed - chance) / (1 - chance), np.nan)


# -- a rate put right for the errors of its tier -------------------------------------------------------------------


def corrected(rate: dict, agreement: dict, seed: int = 0) -> dict:
    """The rate that a tier without errors would have found (Rogan and Gladen, 1978), clipped: {value, low, high}.

    rate: {x, n} as the tier found it. agreement: {n, sensitivity, specificity}, the latter two rates against labels.
    The interval draws replies and labels anew. None, with the reason, where the labels are too few, the tier too poor,
    or its errors alone would explain the rate.
    """
    import numpy as np

    if reason := rate.get("reason") or _useless(agreement):
        return stats.no_rate(reason)
    rng = np.random.default_rng(seed)
    found, hit, clear = (_shares(one, rng) for one in (rate, agreement["sensitivity"], agreement["specificity"]))
    value = (rate["value"] + agreement["specificity"]["value"] - 1) / _youden(agreement)
    return _clipped(value, found + clear - 1, hit + clear - 1, 0)


def corrected_change(found: dict, agreement: dict, seed: int = 0) -> dict:
    """Likewise of a `change`: the errors of a tier make a difference smaller, by sensitivity + specificity - 1."""
    import numpy as np

    if reason := found.get("reason") or _useless(agreement):
        return stats.no_rate(reason)
    rng = np.random.default_rng(seed)
    one, other = found["only_first"], found["only_second"]
    weights = rng.dirichlet([one + UNSEEN, other + UNSEEN, found["n"] - one - other + 2 * UNSEEN], DRAWS)
    hit, clear = _shares(agreement["sensitivity"], rng), _shares(agreement["specificity"], rng)
    return _clipped(found["value"] / _youden(agreement), weights[:, 0] - weights[:, 1], hit + clear - 1, -1)


def corrected_pairs(table: Sequence[int], triggers: dict, controls: dict, seed: int = 0) -> dict:
    """Likewise of the share of pairs that are right in both halves, each with the errors of its own half.

    table: of (both, the trigger alone, its control alone, neither) as the tier found them. The errors of the two halves
    are taken for independent, so the share is the mean of the product of both halves, each put right.
    """
    import numpy as np

    if reason := ("" if sum(table) else "no pairs") or _useless(triggers) or _useless(controls):
        return stats.no_rate(reason)
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet([count + UNSEEN for count in table], DRAWS)
    drawn = [(_shares(half["sensitivity"], rng), _shares(half["specificity"], rng)) for half in (triggers, controls)]
    known = [(half["sensitivity"]["value"], half["specificity"]["value"]) for half in (triggers, controls)]

    def product(shares, halves):
        (hit, clear), (control_hit, control_clear) = halves
        false, control_false = 1 - clear, 1 - control_clear
        on_triggers, on_controls = shares[0] + shares[1], shares[0] + shares[2]
        top = shares[0] - control_false * on_triggers - false * on_controls + false * control_false
        return top, (hit + clear - 1) * (control_hit + control_clear - 1)

    top, bottom = product([count / sum(table) for count in table], known)
    return _clipped(top / bottom, *product(weights.T, drawn), 0)


def _shares(rate: dict, rng):
    return rng.beta(rate["x"] + 0.5, rate["n"] - rate["x"] + 0.5, DRAWS)


def _clipped(value: float, top, bottom, least: int) -> dict:
    import numpy as np

    possible = bottom > 0  # no tier that is worse than chance has been let in
    interval = interval_of(float(np.clip(value, least, 1)), np.clip(top[possible] / bottom[possible], least, 1))
    if interval["low"] == interval["high"]:
        more = "a tier with these errors would have found less, had it been all"
        return stats.no_rate("the errors of the tier alone would explain the rate" if interval["high"] < 1 else more)
    return interval


def _useless(agreement: dict) -> str:
    """Why nothing can be put right with these labels, or ""."""
    if agreement["n"] < LEAST_LABELS:
        return f"{agreement['n']} labels; {LEAST_LABELS} are needed"
    if None in (agreement["sensitivity"]["value"], agreement["specificity"]["value"]):
        return "all labels are the same"
    if _youden(agreement) < LEAST_YOUDEN:
        return f"sensitivity + specificity is {1 + _youden(agreement):.2f}, below {1 + LEAST_YOUDEN:.1f}"
    return ""


def _youden(agreement: dict) -> float:
    return agreement["sensitivity"]["value"] + agreement["specificity"]["value"] - 1


# -- the refusal patterns against replies that people have labelled ------------------------------------------------


def read(path: Path) -> list[Row]:
    """The labelled replies of a CSV file, each with the verdict of the patterns; UserError names what is wrong."""
    csv.field_size_limit(FIELD)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            header, records = reader.fieldnames or [], list(reader)
    except FileNotFoundError:
        raise UserError(f"{path} is missing. Name a CSV file with the columns {', '.join(COLUMNS)}.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise UserError(f"{path} cannot be read as CSV in UTF-8: {problem}") from problem
    if missing := [name for name in COLUMNS if name not in header]:
        raise UserError(f"{path} has no column {', '.join(missing)}: expected a CSV file with {', '.join(COLUMNS)}.")
    if not records:
        raise UserError(f"{path} has a header and no replies.")
    return [_row(path, number, record) for number, record in enumerate(records, 1)]


def _row(path: Path, number: int, record: dict) -> Row:
    prompt, completion, label = (record[name] for name in COLUMNS)
    if completion is None or label is None:
        raise UserError(f"{path}, reply {number} has fewer cells than the header. Is a quotation mark left open?")
    key = label.strip()[:1]
    if key not in LABELS or label.strip()[1:2].isdigit():
        wanted = ", ".join(f"{key} ({NAMES[value]})" for key, value in LABELS.items())
        raise UserError(f"{path}, reply {number}: final_label is {label!r}, expected one of {wanted}.")
    return Row(number, prompt, completion, LABELS[key], refusal(completion))


def worst(rows: Sequence[Row]) -> list[Row]:
    """Where label and verdict differ, the farthest apart first."""
    differing = [row for row in rows if row.label != row.found]
    return sorted(differing, key=lambda row: -abs(GRAVITY[row.label] - GRAVITY[row.found]))


def describe(rows: Sequence[Row]) -> str:
    """Kappa, sensitivity, specificity and the confusion, in plain lines. Any refusal counts, full or partial."""
    found = agreement([row.label != "" for row in rows], [row.found != "" for row in rows])
    table = Counter((row.label, row.found) for row in rows)
    lines = [
        f"{len(rows)} replies, of which people call {sum(row.label != '' for row in rows)} a refusal, full or partial.",
        f"Cohen's kappa  {said(found.kappa)}",
        f"sensitivity    {said(found.sensitivity)}  refusals that the patterns find",
        f"specificity    {said(found.specificity)}  other replies that they leave alone",
        "",
        "people, patterns: " + "".join(f"{name:>17}" for name in NAMES.values()),
    ]
    lines += [f"{NAMES[label]:18}" + "".join(f"{table[label, to]:17}" for to in NAMES) for label in NAMES]
    return "\n".join(lines)


def said(rate: dict) -> str:
    """A rate with its interval, or the reason why there is none."""
    if rate["value"] is None:
        return f"none: {rate['reason']}"
    return f"{rate['value']:.2f} [{rate['low']:.2f}, {rate['high']:.2f}]"


def main(options: Namespace) -> None:
    rows = read(Path(options.file))
    print(describe(rows))
    for row in worst(rows)[: max(options.show, 0)]:
        print(f"\nReply {row.number}: people say {NAMES[row.label]}, patterns {NAMES[row.found]}.")
        print(f"  asked: {terminal.safe(' '.join(row.prompt.split()))[:SHOWN]}")
        print(f"  reply: {terminal.safe(' '.join(row.completion.split()))[:SHOWN]}")
