"""The two ways to a contrarian as one sees them: picture, table and sentences, all from the record alone."""

import json
from collections.abc import Sequence
from pathlib import Path

from helpers import inference, stats
from helpers.dialogue import read_text
from helpers.errors import UserError
from helpers.plots import Picture
from helpers.report_plots import draw, friction_map
from helpers.scale import public_name
from helpers.wording import count, with_interval

SCHEMA = 1
KNOWN, OTHERS = "known facts", "all other prompts"
COLUMNS = (  # name in a row, head, width
    ("H", "H", 12), ("F", "F", 12), ("J", "J = H - F", 22), ("substance", "gold fact", 12),
    ("controls_right", "controls right", 16),
)  # fmt: skip


def read(path: Path) -> dict:
    """The record of a file, as `exhibits.record` makes it; UserError when it is broken or of another schema."""
    again = f"Run `python -m helpers exhibit` again, or restore it: git checkout {public_name(str(path))}"
    try:
        found = json.loads(read_text(path))
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}. {again}") from None
    if not isinstance(found, dict) or found.get("schema") != SCHEMA or not found.get("models"):
        raise UserError(f"{path} is not a record of schema {SCHEMA}. {again}")
    return found


def show(found: dict, out: Path) -> None:
    """Print table and sentences; the picture goes into the file `out`."""
    print("", table(found), "", *sentences(found), f"As a picture: {picture(found, out)}", sep="\n")


def picture(found: dict, out: Path) -> Picture:
    """Base, tuned and the exhibits in the H against F picture: a panel a kind, or known facts beside all the others."""
    base, tuned, *others = map(in_two, found["models"])
    shown = {name: found[name] for name in ("label", "date", "tier")} | {
        "title": "Two ways to a contrarian",
        "models": {"base": base}, "worst": tuned, "seeds": {"training": 1},
        "baselines": [{**row, "fixed": False} for row in others],
    }  # fmt: skip
    return draw(friction_map, shown, out)


def in_two(row: dict) -> dict:
    """The row with known facts as one kind and all other prompts as the second; where it has no known facts, as it is.

    On what it knows a model of scale laptop learned to judge, and elsewhere mostly the manner: two pictures, not five.
    """
    if KNOWN not in row["kinds"]:
        return row
    rest = [rates for kind, rates in row["kinds"].items() if kind != KNOWN]
    hits, alarms = (sum(rates[name]["x"] for rates in rest) for name in "HF")
    n, due, needless = (sum(rates["J"][name] for rates in rest) for name in ("n", "only_first", "only_second"))
    both = hits - due
    others = {
        "H": stats.rate(hits, n), "F": stats.rate(alarms, n),
        "J": inference.change_of((both, due, needless, n - both - due - needless)),
    }  # fmt: skip
    return {**row, "kinds": {KNOWN: row["kinds"][KNOWN], OTHERS: others}}


def table(found: dict) -> str:
    """The counts of all models by kind, and J with its interval, in plain text."""
    out = [f"{'':28}" + _row([head for _, head, _ in COLUMNS])]
    for kind in found["models"][0]["kinds"]:
        for i, row in enumerate(found["models"]):
            rates = row["kinds"][kind]
            cells = [(with_interval if name == "J" else count)(rates[name]) for name, _, _ in COLUMNS]
            out.append(f"{'' if i else kind:14}{row['name']:14}" + _row(cells))
    return "\n".join([*out, found["label"]])


def _row(cells: Sequence[str]) -> str:
    return "".join(f"{cell:>{width}}" for cell, (_, _, width) in zip(cells, COLUMNS, strict=True))


def sentences(found: dict) -> list[str]:
    """What a presenter would say: the tuned model, what each exhibit does otherwise, and where there are facts that the
    base knows, all of them on these; last, what else was not the same."""
    _, tuned, *others = found["models"]
    said = [f"With controls and reasoning it {_does(tuned)}."]
    said += [f"The same without {row['left_out']} {_does(row)}: {_learned(row, tuned)}." for row in others]
    if KNOWN in tuned["kinds"]:
        said.append(_on_what_it_knows((tuned, *others)))
    precisions = {row["name"]: _precision(row) for row in (tuned, *others)}
    if len(set(precisions.values())) > 1:  # what a CPU is faster in
        told = ", ".join(f"{name} {dtype}" for name, dtype in precisions.items())
        said.append(f"One training each, in what the machine was faster in: {told}.")
    return said


def _on_what_it_knows(rows: Sequence[dict]) -> str:
    """Known facts alone: what all kinds together hide at scale laptop, which learned to judge there and little else."""
    told = []
    for row in rows:
        rates = row["kinds"][KNOWN]
        told.append(f"{row['name']} {rates['H']['x']} and {rates['F']['x']}")
    n = rows[0]["kinds"][KNOWN]["n"]
    return f"On facts that the base knows, {n} false claims and {n} true ones, they push back on: {'; '.join(told)}."


def _precision(row: dict) -> str:
    return (row.get("run") or {}).get("scale", {}).get("dtype", "")


def _does(row: dict) -> str:
    due, needless, right = (pooled(row, name) for name in ("H", "F", "substance"))
    return (
        f"pushes back in {due['x']} of {due['n']} where it should, saying the right thing in {right['x']}, "
        f"and in {needless['x']} of {needless['n']} where nothing is wrong"
    )


def _learned(row: dict, tuned: dict) -> str:
    """What an exhibit missed; only a difference between intervals that do not overlap is called one."""

    def above(name: str, first: dict, second: dict) -> bool:
        return pooled(first, name)["low"] > pooled(second, name)["high"]

    if above("F", row, tuned):
        apart = pooled(row, "H")["low"] > pooled(row, "F")["high"]
        return f"it learned to object, and {'less well when to' if apart else 'hardly when to'}"
    if above("substance", tuned, row):
        return "it says the right thing less often"
    return f"no difference that {pooled(row, 'H')['n']} pairs could show"


def pooled(row: dict, name: str) -> dict:
    """A rate of a row over all its kinds."""
    rates = [kind[name] for kind in row["kinds"].values()]
    return stats.rate(sum(rate["x"] for rate in rates), sum(rate["n"] for rate in rates))
