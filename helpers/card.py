"""The report card as one reads it in a terminal of 110 columns, what a presenter says, and the file that it comes from.

The card only reads a report. `report.json` is written whole or not at all, with what it was measured with, and read
only where it is understood.
"""

import hashlib
import json
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from helpers import __version__
from helpers.card_statistics import statistics
from helpers.dialogue import read_text, write_text
from helpers.errors import UserError
from helpers.wording import (
    count,
    count_of_all,
    interval,
    left,
    no_dash_unexplained,
    right,
    short,
    star,
    tier,
    trainings,
    verdicts,
    with_interval,
)

COLUMNS = (
    ("H", "H: friction", "on triggers"),
    ("F", "F: friction", "on controls"),
    ("J", "J = H - F", ""),
    ("right_kind", "right kind", "on triggers"),
    ("substance", "gold fact", "on triggers"),
    ("controls_right", "controls", "right"),
)
RULE = "-" * 104
NAMES = [name for name, _, _ in COLUMNS]
# A denial alone catches no trap: what is true must be said as well. To decline is all that a refusal has to do.
ON_STAGE = (
    ("refusal", "right_kind", "harmful declined"), ("disagreement", "substance", "traps caught"),
    ("uncertainty", "substance", "uncertainty admitted"),
)  # fmt: skip
SCHEMA = 3
PACKAGES = ("torch", "transformers", "peft", "trl", "unsloth", "llama-cpp-python", "scipy", "statsmodels")


def card(report: dict) -> str:
    """The whole card: what one says on stage, the rates, the statistics."""
    return "\n\n".join([on_stage(report), table(report), statistics(report)])


def stage_lines(kinds: dict[str, dict]) -> list[str]:
    """What one says on stage of one model, in whole replies, and what it costs on controls."""
    said = [f"{words} {count(kinds[kind][name])}" for kind, name, words in ON_STAGE if kind in kinds]
    in_the_way, sorry = count_of_all("F", kinds), count_of_all("apologies", kinds)
    return [*said, f"on controls: in the way {in_the_way}, sorry {sorry}"]


def on_stage(report: dict) -> str:
    """Base and tuned side by side, in words that need no explanation."""
    said = report["stage_lines"]
    rows = [("base", tuned_name(report)), *zip(said["base"], said["tuned"], strict=True)]
    out = [f"  {left(before, 52)}{after}" for before, after in rows]
    return "\n".join([*out, *([f"  Verdicts: {tier(report)}."] if star(report["tier"]) else [])])


def tuned_name(report: dict) -> str:
    return "tuned" if trainings(report) == 1 else f"worst of {trainings(report)}"


def table(report: dict) -> str:
    """The rates, base and tuned one above the other, each target marked met or missed."""
    base, worst = report["models"]["base"], report["worst"]
    tuned = tuned_name(report)
    mark = star(report["tier"])
    goals = {(t["kind"], t["name"]): t for t in report["targets"]}
    held_out = "names and phrasings held out of friction training"
    names = held_out if report["part"] == "test" else f"the {report['part']} part"
    out = [f"The friction report card, on {names}", report["label"], ""]
    out.append(_row("", "", [head + mark * (not second) for _, head, second in COLUMNS]))
    out.append(_row("", "", [second and second + mark for _, _, second in COLUMNS]))
    shown = []
    for kind, numbers in worst["kinds"].items():
        out.append(RULE)
        both = (("base", base["kinds"][kind]), (tuned, numbers))
        shown += [rates[name] for _, rates in both for name in NAMES]
        out += _block(kind, f"{numbers['H']['n']} pairs", both)
        if goals:
            out.append(_row("", "target", [_goal(goals.get((kind, name))) for name in NAMES]))
    if base["audience"]:
        out.append(RULE)
        typed = base["audience"]
        out += _block("as typed", f"{typed['n']} pairs", (("base", typed), (tuned, worst["audience"])))
    out += [RULE, f"{'':46}{'base' + mark:>22}{tuned + mark:>22}{'  target' if goals else ''}"]
    pressed, held = base["pressure"], f"  and of those holds over {_rebuttals(report) or 'all'} rebuttals"
    for head, before, after, goal in (
        ("Under pressure: pushes back at the first turn", pressed["first"], worst["first"], None),
        (held, pressed["hold"], worst["hold"], goals.get(("", "hold"))),
        ("Valid corrections accepted", base["corrections"], worst["corrections"], goals.get(("", "corrections"))),
        ("Facts kept, on plain questions", base["facts"], worst["facts"], None),
        ("  the change", None, worst["facts_change"], goals.get(("", "facts_change"))),
        ("Facts of the whole world", base["facts_all"], worst["facts_all"], None),
    ):
        if goal or (before and before["n"]) or after["value"] is not None:
            shown += [before, after]
            out.append(
                f"{left(head, 46)}{right(with_interval(before), 22)}{right(with_interval(after), 22)}  {_goal(goal)}"
            )
    strange = [count_of_all("unparsed", kinds) for kinds in (base["kinds"], worst["kinds"])]
    sort = "Replies that none can judge" if mark else "Replies that are no sentence of the language"
    out.append(f"{left(sort, 46)}{right(strange[0], 22)}{right(strange[1], 22)}")
    out += no_dash_unexplained(shown)
    if report["words_alone"]:
        alone = "  ".join(f"{kind} {short(r['value'])}" for kind, r in report["words_alone"].items())
        out += ["", "How often words alone tell trigger from control (chance .50):", f"  {alone}"]
    missed = sum(not t["met"] for t in report["targets"])
    if goals:
        out.append("All targets are met." if not missed else f"{missed} of {len(goals)} targets are missed.")
    if mark:
        out.append("* " + "\n".join(verdicts(report["tier"])))
    return "\n".join(line.rstrip() for line in out)


def lines(report: dict) -> list[str]:
    """Three sentences that a presenter would say."""
    base, worst = report["models"]["base"], report["worst"]
    of_three = "" if trainings(report) == 1 else f" (worst of {trainings(report)} trainings)"
    before, after = base["kinds"], worst["kinds"]
    said = [
        f"When it should push back: the base does in {count_of_all('H', before)}, "
        f"the tuned model in {count_of_all('H', after)}, and says the right thing in "
        f"{count_of_all('substance', after)}{of_three}.",
        f"When nothing is wrong: the tuned model gets in the way in {count_of_all('F', after)}, "
        f"and simply helps in {count_of_all('controls_right', after)}.",
    ]
    last = []
    if worst["first"]["n"]:
        stands = f"it holds in {count(worst['hold'])}" if worst["hold"]["n"] else "it never pushed back at all"
        times = f" {_rebuttals(report)} times" if _rebuttals(report) else ""
        last.append(f"Insist{times} on something false: {stands}.")
    if worst["corrections"]["n"]:
        last.append(f"Correct it rightly: it gives way in {count(worst['corrections'])}.")
    if worst["facts"]["n"]:
        last.append(f"And it still knows {count(worst['facts'])} facts (the base {count(base['facts'])}).")
    return [*said, " ".join(last)] if last else said


def _rebuttals(report: dict) -> str:
    """How many rebuttals were held out against at most, in words; "" where nothing pushed back at all."""
    longest = max(len(model["pressure"]["curve"] or []) for model in report["models"].values())
    return ("", "", "one", "two", "three", "four", "five")[longest]


def _block(kind: str, size: str, models: Sequence[tuple[str, dict]]) -> list[str]:
    """Two rows a model: the rates, and under them their intervals."""
    out = []
    for i, (who, rates) in enumerate(models):
        out.append(_row("" if i else kind, who, [short(rates[name]["value"], 3) for name in NAMES]))
        out.append(_row("" if i else size, "", [interval(rates[name]) for name in NAMES]))
    return [row for row in out if row.strip()]


def _row(kind: str, who: str, cells: Sequence[str]) -> str:
    return left(kind, 15) + left(who, 11) + "".join(right(cell, 13) for cell in cells)


def _goal(target: dict | None) -> str:
    if target is None:
        return ""
    sign = "<=" if target["at_most"] else ">="
    return f"{sign}{short(target['target'])} {'met' if target['met'] else 'MISSED'}"


# -- the file ------------------------------------------------------------------------------------------------------


def write_report(path: Path, report: dict) -> Path:
    return write_text(path, _as_json(report) + "\n")


def read_report(path: Path) -> dict:
    """The report of a file; UserError when it is broken or of another schema."""
    try:
        report = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path}, line {error.lineno}: not JSON ({error.msg}). Run `python -m helpers evaluate` again."
        ) from error
    if not isinstance(report, dict) or report.get("schema") != SCHEMA:
        raise UserError(f"{path} is not a report of schema {SCHEMA}. Run `python -m helpers evaluate` again.")
    return report


def hash_of(files: Sequence[Path]) -> str:
    """SHA-256 over the files in the order of their names; line ends of Windows count as those of Unix."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def versions() -> dict[str, str]:
    found = {"push-back-ai": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _as_json(node: object, depth: int = 0) -> str:
    """JSON with one line for what fits on it: a rate, or the verdicts of a kind, and not one for every number."""
    if isinstance(node, dict) and any(isinstance(value, (dict, list)) for value in node.values()):
        items = [f"{json.dumps(key)}: {_as_json(value, depth + 1)}" for key, value in node.items()]
        opening, closing = "{", "}"
    elif isinstance(node, list) and any(isinstance(item, dict) for item in node):
        items, opening, closing = [_as_json(item, depth + 1) for item in node], "[", "]"
    else:
        return json.dumps(node, ensure_ascii=False, allow_nan=False)
    inner = "\n" + " " * (depth + 1)
    return f"{opening}{inner}{f',{inner}'.join(items)}\n{' ' * depth}{closing}"
