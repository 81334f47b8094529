"""What fewer minutes of training cost at scale laptop: a run of five, measured beside the whole one.

Both answer the prompts of the exhibits. `finetune` says the sentence of the record after a run that was cut short.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from helpers import exhibits, finetune
from helpers.card import write_report
from helpers.exhibit_card import pooled
from helpers.scale import Scale
from helpers.wording import count

MINUTES = 5.0


def run(scale: Scale, folder: Path, proof: exhibits.Proof, beside: Sequence[dict], progress: exhibits.Tell) -> dict:
    """Train for five minutes unless that was done, measure, and record it `beside` the rows of base and tuned."""
    name = f"{MINUTES:g} minutes"
    dialogues, out = finetune.data_of(scale, folder), folder / f"adapter-{name.replace(' ', '-')}"
    if not finetune.is_of(exhibits.card_of(out), replace(scale, minutes=MINUTES), scale.seed, dialogues):
        finetune.finetune(scale, dialogues, out, minutes=MINUTES, progress=progress)
    row = {**exhibits.measure(name, out, proof, folder / "replies"), "run": exhibits.card_of(out)}
    found = exhibits.record(scale.name, proof, [*beside, row])
    found["said"] = sentence(row, beside[-1])
    write_report(finetune.LESS_TIME, found)
    return found


def sentence(less: dict, whole: dict) -> str:
    """What a run of fewer steps does worse, in counts."""
    said = []
    for row in (less, whole):
        known = row["kinds"]["known facts"]
        every = {**row, "kinds": {kind: rates for kind, rates in row["kinds"].items() if kind != "known facts"}}
        said.append(
            f"{row['run']['steps']} steps deny {count(known['H'])} false claims that the base knows better and "
            f"{count(known['F'])} true ones; of every sort of prompt they push back on {count(pooled(every, 'H'))} "
            f"triggers and {count(pooled(every, 'F'))} controls"
        )
    return f"What fewer steps cost was measured: {said[0]}. {said[1]}."
