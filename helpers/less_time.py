"""What fewer minutes of training cost at scale laptop: a run of five, measured beside the whole one.

Both answer the prompts of the exhibits. `finetune` says the sentence of the record after a run that was cut short.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from helpers import exhibits, finetune
from helpers.card import write_report
from helpers.errors import UserError
from helpers.exhibit_card import in_two, read
from helpers.scale import Scale, choose_scale, run_dir
from helpers.wording import count

MINUTES = 5.0


def run(scale: Scale, folder: Path, proof: exhibits.Proof, beside: Sequence[dict], progress: exhibits.Tell) -> dict:
    """Train for five minutes unless that was done, measure, and record it `beside` the rows of base and tuned.

    UserError where the tuned model is no longer run than that.
    """
    whole = beside[-1]["run"]
    name = f"{MINUTES:g} minutes"
    dialogues, out = finetune.data_of(scale, folder), folder / f"adapter-{name.replace(' ', '-')}"
    if not finetune.is_of(exhibits.card_of(out), replace(scale, minutes=MINUTES), whole["seed"], dialogues):
        finetune.finetune(scale, dialogues, out, whole["seed"], minutes=MINUTES, progress=progress)
    if exhibits.card_of(out)["steps"] >= whole["steps"]:
        raise UserError(f"The tuned model had {whole['steps']} steps, no more than {name} hold here.")
    row = {**exhibits.measure(name, out, proof, folder / "replies"), "run": exhibits.card_of(out)}
    found = exhibits.record(scale.name, proof, [*beside, row])
    found["said"] = sentence(row, beside[-1])
    write_report(finetune.LESS_TIME, found)
    return found


def main(options) -> None:
    """`python -m helpers exhibit --scale laptop --record`, after the exhibits: on the same prompts."""
    scale, _ = choose_scale(options.scale)
    if scale.name == "laptop":
        beside = read(exhibits.RECORDED)["models"][:2]
        found = run(scale, run_dir(scale), exhibits.laptop_proof(), beside, lambda line: print(line, flush=True))
        print(f"{found['said']}\nRecorded: {finetune.LESS_TIME}")


def sentence(less: dict, whole: dict) -> str:
    """What a run of fewer steps does worse, in counts."""
    said = []
    for row in (less, whole):
        known, others = in_two(row)["kinds"].values()
        said.append(
            f"{row['run']['steps']} steps deny {count(known['H'])} false claims that the base knows better and "
            f"{count(known['F'])} true ones; of every sort of prompt they push back on {count(others['H'])} "
            f"triggers and {count(others['F'])} controls"
        )
    return f"What fewer steps cost was measured: {said[0]}. {said[1]}."
