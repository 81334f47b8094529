"""Two ways to a contrarian: the same fine-tune with the controls left out, and with the reasoning left out.

Both take the dialogues, the recipe and the number of steps of the tuned model, and answer the prompts that it answers.
They show what matched controls and thinking first are for, in the H against F picture. `exhibits.json` is the source of
every number; how it is shown is in `exhibit_card`.
"""

import hashlib
import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from helpers import artefacts, baselines, finetune, generate
from helpers.card import versions, write_report
from helpers.contrast import EXACT, Tier
from helpers.dialogue import Agent, Dialogue, write_text
from helpers.errors import UserError
from helpers.exhibit_card import KNOWN, SCHEMA, read, show
from helpers.model import MAX_NEW_TOKENS, Model
from helpers.personas import PERSONAS
from helpers.report import label_of
from helpers.scale import ROOT, Scale, choose_scale, run_dir
from helpers.scenarios import Pair
from helpers.scoring import judge
from helpers.suite import build_suite
from helpers.world import language

PAIRS = 60  # a kind
SHIPPED = {scale: ROOT / "data_samples" / f"{scale}-adapter" for scale in ("pocket", "laptop")}
RECORDED = ROOT / "data_samples" / "laptop" / "exhibits.json"
NO_CONTROLS, NO_REASONING = "no controls", "no reasoning"
LEFT_OUT = {NO_CONTROLS: "the controls", NO_REASONING: "the reasoning"}
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Proof:
    """What is asked, by kind; how a model is loaded, how long its replies may be, and how they are judged."""

    pairs: dict[str, list[Pair]]
    load: Callable[[str | Path], Model]
    cap: int
    judge: baselines.Judge
    tier: Tier


# -- what is left out ----------------------------------------------------------------------------------------------


def made_without(left_out: str, dialogues: Sequence[Dialogue], scale: Scale) -> list[Dialogue]:
    """The dialogues that an exhibit trains on."""
    return without_controls(dialogues) if left_out == NO_CONTROLS else without_reasoning(dialogues, scale)


def without_controls(dialogues: Sequence[Dialogue]) -> list[Dialogue]:
    """The triggers alone: in all that it sees, pushing back is right."""
    return [d for d in dialogues if d.role == "trigger"]


def without_reasoning(dialogues: Sequence[Dialogue], scale: Scale) -> list[Dialogue]:
    """The same dialogues and answers behind a thought that tells nothing of the prompt.

    In the pocket world it is the one that the base has before every reply. An empty one would not do there: its line
    breaks become one token, another one than the prompt ends in, so that what is trained would not be what is asked.
    The laptop's prompt opens no thought, and its base has none; there it is empty.
    """
    same = (Agent(PERSONAS[-1].name, language()["thoughts"]["yes_man"]),) if scale.name == "pocket" else ()
    return [replace(d, agents=same) for d in dialogues]


# -- the whole of it -----------------------------------------------------------------------------------------------


def run(scale: Scale, folder: Path, proof: Proof, progress: Tell = print) -> dict:
    """Train what is missing, measure base, tuned and both exhibits, and write `exhibits.json` into the run folder.

    It goes on where it was: an adapter whose run card fits is not trained again, a reply that is there not made again.
    """
    dialogues = finetune.data_of(scale, folder)
    adapter, tuned = tuned_run(scale, folder, dialogues)
    progress(f"Beside {adapter}: {tuned['steps']} steps in {tuned['seconds']:.0f} s, which each of the two takes again")
    places, cards = {"base": scale.model, "tuned": adapter}, {"base": None, "tuned": tuned}
    for number, (name, left_out) in enumerate(LEFT_OUT.items(), 1):
        progress(f"\n== {number} of 3, the same without {left_out}")
        places[name] = folder / f"adapter-{name.replace(' ', '-')}"
        cards[name] = train(made_without(name, dialogues, scale), scale, tuned, places[name], progress)
    progress("\n== 3 of 3, all of them on prompts held out of training")
    rows = []
    for name, place in places.items():
        progress(f"{name}: {2 * sum(map(len, proof.pairs.values()))} prompts")
        rows.append({**measure(name, place, proof, folder / "replies"), "run": cards[name]})
    found = record(scale.name, proof, rows)
    write_report(folder / "exhibits.json", found)
    return found


def pocket_proof(pairs: int = PAIRS) -> Proof:
    """Names and phrasings of the pocket world that are held out of friction training; verdicts are exact."""
    return Proof(build_suite(pairs).pairs, generate.load, MAX_NEW_TOKENS, judge, EXACT)


def laptop_proof(pairs: int = PAIRS) -> Proof:
    """The evaluation prompts of one turn, and facts that the base knows and training left out."""
    from helpers import natural, natural_report, natural_suite, smollm2

    asked = natural_suite.build()
    groups = {
        kind: [pair for pair in group if not {d.id for d in pair} & asked.scripts.keys()][:pairs]
        for kind, group in (asked.pairs | {KNOWN: asked.held_out[KNOWN]}).items()
    }

    def load(place: str | Path) -> Model:
        return natural_report.in_batches(str(place), None if smollm2.is_named(place) else Path(place))

    return Proof(groups, load, natural_suite.CAP, natural.judge, natural_report.shipped_tier())


# -- training ------------------------------------------------------------------------------------------------------


def tuned_run(scale: Scale, folder: Path, dialogues: Sequence[Dialogue]) -> tuple[Path, dict]:
    """(adapter, run card) of what was tuned on these dialogues: the learner's own, else the one that ships."""
    wanted = {"data": finetune.data_hash(dialogues), "base": finetune.base_name(scale.model)}
    for adapter in (folder / "adapter", SHIPPED[scale.name]):
        card = card_of(adapter)
        on_this_base = card.get("weights") in (None, finetune.weights_of(scale))  # older cards do not say it
        if _fits(card, wanted) and on_this_base:
            return adapter, card
    raise UserError(
        f"No adapter was trained on {folder / 'dialogues.jsonl'} and this base, so there is nothing to stand beside. "
        f"Run first: python -m helpers finetune --scale {scale.name}"
    )


def train(made: Sequence[Dialogue], scale: Scale, tuned: dict, out: Path, progress: Tell) -> dict:
    """The run card of an exhibit's adapter in the folder `out`, which is trained unless it is there.

    It takes the recipe of the tuned model's run card and exactly as many steps as that model was trained for, so it
    does not stop early. In which precision is a matter of the machine, as for any fine-tune.
    """
    by_machine = {"dtype": scale.dtype}
    recipe = finetune.recipe_of(tuned) | {"steps": tuned["steps"], "patience": 0, "minutes": 0.0} | by_machine
    wanted = {"data": finetune.data_hash(made), "weights": finetune.weights_of(scale)}
    wanted |= {"scale": recipe, "seed": tuned["seed"]}
    card = card_of(out)
    if _fits(card | {"scale": finetune.recipe_of(card) | by_machine}, wanted):
        progress(f"Trained already: {out}")
        return card
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
    return card_of(out)


def card_of(adapter: Path) -> dict:
    """The run card of an adapter; empty where there is none."""
    path = adapter / "run.json"
    return artefacts.read_json(path) if path.exists() else {}


def _fits(card: dict, wanted: dict) -> bool:
    return {key: card.get(key) for key in wanted} == wanted


# -- measuring -----------------------------------------------------------------------------------------------------


def measure(name: str, place: str | Path, proof: Proof, kept: Path) -> dict:
    """The rates of one model, as for a baseline; its replies lie in the folder `kept`."""
    model, path = proof.load(place), kept / f"{name.replace(' ', '-')}.jsonl"
    return baselines.row(
        name, proof.pairs, proof.judge, lambda some: generate.replies_file(model, some, path, proof.cap)
    )


def record(scale: str, proof: Proof, rows: Sequence[dict]) -> dict:
    """What is written: the rows of base, tuned and both exhibits, each with what was left out and its run card."""
    ids = [dialogue.id for group in proof.pairs.values() for pair in group for dialogue in pair]
    return {
        "schema": SCHEMA,
        "scale": scale,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "label": label_of(max(map(len, proof.pairs.values())), 1),
        "prompts": hashlib.sha256("\n".join(ids).encode()).hexdigest(),
        "tier": proof.tier.as_dict(),
        "versions": versions(),
        "machine": platform.machine(),
        "models": [{"left_out": LEFT_OUT.get(row["name"], ""), **row} for row in rows],
    }


def main(options) -> None:
    """`python -m helpers exhibit`: trained and measured at scale pocket; at scale laptop what was recorded.

    --record does it at scale laptop too, and keeps what was found for everyone.
    """
    scale, reason = choose_scale(options.scale)
    print(f"Scale {scale.name}: {reason}", flush=True)
    folder = run_dir(scale)
    if scale.name not in SHIPPED:
        raise UserError(f"The exhibit is made at scale pocket, and shown as recorded at laptop; not at {scale.name}.")
    if scale.name == "pocket" or options.record:
        proof = pocket_proof() if scale.name == "pocket" else laptop_proof()
        found = run(scale, folder, proof, lambda line: print(line, flush=True))
        print(f"Every number with its interval: {folder / 'exhibits.json'}")
        if scale.name == "laptop":
            print(f"Recorded: {write_report(RECORDED, found)}")
    elif RECORDED.exists():
        found = read(RECORDED)
        device = found["models"][-1]["run"]["device"]
        print(f"Recorded on {found['date'][:10]} ({device}), and not measured now: {RECORDED}")
    else:
        raise UserError(
            f"At scale laptop the exhibit is shown as recorded, and {RECORDED} is not there. Take --scale pocket; or "
            "record it, which takes twice the time of a fine-tune and an hour more: --record"
        )
    show(found, folder / "exhibits.png")
