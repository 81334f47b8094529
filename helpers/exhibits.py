"""Two ways to a contrarian: the same fine-tune with the controls left out, and with the reasoning left out.

Both take the dialogues, the recipe and the number of steps of the tuned model, and answer the prompts that it answers.
They show what matched controls and thinking first are for, in the H against F picture. `exhibits.json` is the source of
every number; the three sentences at the end only read it.
"""

import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from helpers import artefacts, baselines, finetune, generate, stats
from helpers.contrast import EXACT
from helpers.dialogue import Agent, Dialogue, read_dialogues, read_text, write_dialogues, write_text
from helpers.digits import count, with_interval
from helpers.errors import UserError
from helpers.personas import PERSONAS
from helpers.plots import Picture
from helpers.report import label_of
from helpers.report_file import versions, write_report
from helpers.report_plots import draw, friction_map
from helpers.scale import ROOT, Scale, choose_scale, run_dir
from helpers.scenarios import training_set
from helpers.scoring import judge
from helpers.suite import Suite, build_suite
from helpers.world import language

SCHEMA = 1
PAIRS = 60  # a kind
SHIPPED = ROOT / "data_samples" / "pocket-adapter"
RECORDED = ROOT / "data_samples" / "laptop" / "exhibits.json"
COLUMNS = (  # name in a row, head, width
    ("H", "H", 12), ("F", "F", 12), ("J", "J = H - F", 22), ("substance", "gold fact", 12),
    ("controls_right", "controls right", 16),
)  # fmt: skip
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Exhibit:
    """name: as it is called in the picture. left_out: in words. made: what it trains on, from the dialogues."""

    name: str
    left_out: str
    made: Callable[[Sequence[Dialogue]], list[Dialogue]]

    @property
    def folder(self) -> str:
        return f"adapter-{self.name.replace(' ', '-')}"


def without_controls(dialogues: Sequence[Dialogue]) -> list[Dialogue]:
    """The triggers alone: in all that it sees, pushing back is right."""
    return [d for d in dialogues if d.role == "trigger"]


def without_reasoning(dialogues: Sequence[Dialogue]) -> list[Dialogue]:
    """The same dialogues and answers after the one thought that the base has before every reply.

    It tells nothing of the prompt. An empty thought would not do: its line breaks become one token, another one than
    the prompt ends in, so that what is trained would not be what is asked.
    """
    same = (Agent(PERSONAS[-1].name, language()["thoughts"]["yes_man"]),)
    return [replace(d, agents=same) for d in dialogues]


EXHIBITS = (
    Exhibit("no controls", "the controls", without_controls),
    Exhibit("no reasoning", "the reasoning", without_reasoning),
)


def run(scale: Scale, folder: Path, pairs: int = PAIRS, progress: Tell = print) -> dict:
    """Train what is missing, measure base, tuned and both exhibits, and write `exhibits.json` into the run folder.

    It goes on where it was: an adapter whose run card fits is not trained again, a reply that is there not made again.
    """
    data = folder / "dialogues.jsonl"
    if not data.exists():
        write_dialogues(data, training_set(scale.dialogues, 0))
    dialogues = list(read_dialogues(data))
    adapter, tuned = tuned_run(scale, folder, dialogues)
    progress(f"Beside {adapter}: {tuned['steps']} steps in {tuned['seconds']:.0f} s, which each of the two takes again")
    places, cards = {"base": Path(scale.model), "tuned": adapter}, {"base": None, "tuned": tuned}
    for number, exhibit in enumerate(EXHIBITS, 1):
        progress(f"\n== {number} of 3, the same without {exhibit.left_out}")
        places[exhibit.name] = folder / exhibit.folder
        cards[exhibit.name] = train(exhibit, scale, dialogues, tuned, places[exhibit.name], progress)
    progress("\n== 3 of 3, all of them on names and phrasings that training never saw")
    asked = build_suite(pairs)
    rows = []
    for name, place in places.items():
        progress(f"{name}: {2 * sum(map(len, asked.pairs.values()))} prompts")
        rows.append({**measure(name, place, asked, folder / "replies"), "run": cards[name]})
    found = record(scale.name, label_of(pairs, 1), asked.hash, rows)
    write_report(folder / "exhibits.json", found)
    return found


# -- training ------------------------------------------------------------------------------------------------------


def tuned_run(scale: Scale, folder: Path, dialogues: Sequence[Dialogue]) -> tuple[Path, dict]:
    """(adapter, run card) of what was tuned on these dialogues: the learner's own, else the one that ships."""
    wanted = {"data": finetune.data_hash(dialogues), "base": finetune.base_name(scale.model)}
    weights = artefacts.identity(artefacts.find(scale.model))
    for adapter in (folder / "adapter", SHIPPED):
        card = _card(adapter)
        if _fits(card, wanted) and card.get("weights") in (None, weights):  # older cards do not say it
            return adapter, card
    raise UserError(
        f"No adapter was trained on {folder / 'dialogues.jsonl'} and this base, so there is nothing to stand beside. "
        f"Run first: python -m helpers finetune --scale {scale.name}"
    )


def train(
    exhibit: Exhibit, scale: Scale, dialogues: Sequence[Dialogue], tuned: dict, out: Path, progress: Tell
) -> dict:
    """The run card of an exhibit's adapter in the folder `out`, which is trained unless it is there.

    It takes the recipe of the tuned model's run card and exactly as many steps as that model was trained for, so it
    does not stop early.
    """
    made = exhibit.made(dialogues)
    recipe = tuned["scale"] | {"steps": tuned["steps"], "patience": 0, "minutes": 0.0}
    wanted = {
        "data": finetune.data_hash(made), "base": tuned["base"], "seed": tuned["seed"], "scale": recipe,
        "weights": artefacts.identity(artefacts.find(scale.model)),
    }  # fmt: skip
    if _fits(_card(out), wanted):
        progress(f"Trained already: {out}")
        return _card(out)
    try:
        same = Scale(**recipe | {"model": scale.model, "projections": tuple(recipe["projections"])})
    except TypeError as error:
        raise UserError(
            f"The tuned model was trained by another version of the course ({error}). "
            f"Train it again: python -m helpers finetune --scale {scale.name}"
        ) from None
    card = finetune.finetune(same, made, out, tuned["seed"], progress=progress)
    card = replace(card, command=f"python -m helpers exhibit --scale {scale.name}")
    write_text(out / "run.json", json.dumps(asdict(card), indent=2) + "\n")
    return _card(out)


def _card(adapter: Path) -> dict:
    path = adapter / "run.json"
    return artefacts.read_json(path) if path.exists() else {}


def _fits(card: dict, wanted: dict) -> bool:
    return {key: card.get(key) for key in wanted} == wanted


# -- measuring -----------------------------------------------------------------------------------------------------


def measure(name: str, place: Path, asked: Suite, kept: Path) -> dict:
    """The rates of one model on the pairs of the suite, as for a baseline; its replies lie in the folder `kept`."""
    model = generate.load(place)
    path = kept / f"{name.replace(' ', '-')}.jsonl"
    return baselines.row(name, asked.pairs, judge, lambda some: generate.replies_file(model, some, path))


def record(scale: str, label: str, prompts: str, rows: Sequence[dict], tier: dict | None = None) -> dict:
    """What is written: the rows of base, tuned and both exhibits, each with what was left out and its run card.

    prompts: a hash of what was asked. tier: how verdicts were reached; None where they are exact.
    """
    left_out = {exhibit.name: exhibit.left_out for exhibit in EXHIBITS}
    return {
        "schema": SCHEMA,
        "scale": scale,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "label": label,
        "prompts": prompts,
        "tier": tier or EXACT.as_dict(),
        "versions": versions(),
        "machine": platform.machine(),
        "models": [{"left_out": left_out.get(row["name"], ""), **row} for row in rows],
    }


def read(path: Path) -> dict:
    """The record of a file; UserError when it is broken or of another schema."""
    again = f"Run `python -m helpers exhibit` again, or restore it: git checkout {path.name}"
    try:
        found = json.loads(read_text(path))
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}. {again}") from None
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise UserError(f"{path} is not a record of schema {SCHEMA}. {again}")
    return found


# -- showing -------------------------------------------------------------------------------------------------------


def picture(found: dict, out: Path) -> Picture:
    """Base, tuned and the exhibits in the H against F picture."""
    base, tuned, *others = found["models"]
    shown = {name: found[name] for name in ("label", "date", "tier")} | {
        "models": {"base": base}, "worst": tuned, "seeds": {"training": 1},
        "baselines": [{**row, "fixed": False} for row in others],
    }  # fmt: skip
    return draw(friction_map, shown, out)


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
    """The three that a presenter would say: the tuned model, and what each exhibit does otherwise."""
    _, tuned, *others = found["models"]
    said = [f"With controls and reasoning it {_does(tuned)}."]
    return said + [f"The same without {row['left_out']} {_does(row)}: {_learned(row, tuned)}." for row in others]


def _does(row: dict) -> str:
    due, needless, right = (_pooled(row, name) for name in ("H", "F", "substance"))
    return (
        f"pushes back in {due['x']} of {due['n']} where it should, saying the right thing in {right['x']}, "
        f"and in {needless['x']} of {needless['n']} where nothing is wrong"
    )


def _learned(row: dict, tuned: dict) -> str:
    """What an exhibit missed; only a difference between intervals that do not overlap is called one."""

    def above(name: str, first: dict, second: dict) -> bool:
        return _pooled(first, name)["low"] > _pooled(second, name)["high"]

    if above("F", row, tuned):
        return "it learned to object, and not when to"
    if above("substance", tuned, row):
        return "it says the right thing less often"
    return f"no difference that {_pooled(row, 'H')['n']} pairs could show"


def _pooled(row: dict, name: str) -> dict:
    rates = [kind[name] for kind in row["kinds"].values()]
    return stats.rate(sum(rate["x"] for rate in rates), sum(rate["n"] for rate in rates))


def show(found: dict, out: Path) -> None:
    print("", table(found), "", *sentences(found), f"As a picture: {picture(found, out)}", sep="\n")


def main(options) -> None:
    """`python -m helpers exhibit`: trained and measured at scale pocket; at scale laptop what was recorded."""
    scale, reason = choose_scale(options.scale)
    print(f"Scale {scale.name}: {reason}", flush=True)
    folder = run_dir(scale)
    if scale.name == "laptop" and RECORDED.exists():
        found = read(RECORDED)
        device = found["models"][-1]["run"]["device"]
        print(f"Recorded on {found['date'][:10]} ({device}), and not measured now: {RECORDED}")
    elif scale.name == "pocket":
        found = run(scale, folder, progress=lambda line: print(line, flush=True))
        print(f"Every number with its interval: {folder / 'exhibits.json'}")
    else:
        recorded = f" It would be shown as recorded, but {RECORDED} is not there." if scale.name == "laptop" else ""
        raise UserError(f"The exhibit is trained and measured at scale pocket only, not at {scale.name}.{recorded}")
    show(found, folder / "exhibits.png")
