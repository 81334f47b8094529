"""The whole chain in one go: data, fine-tune, report card, GGUF, chat. It always trains; nothing in it is canned."""

import json
import time
from pathlib import Path

from helpers import compare, export, finetune, generate, plots, report, report_plots
from helpers.dialogue import write_text
from helpers.errors import NoLlama, UserError
from helpers.scale import choose_scale, run_dir

PAIRS = 60  # a kind: a quick look; `evaluate` asks 300
SEED = 0


def run(name: str | None = None) -> None:
    """Run every link of the chain at the pocket scale, telling what it does and how long it took."""
    scale, reason = choose_scale(name or "pocket")
    if scale.name != "pocket":
        raise UserError(f"the demo runs at the pocket scale, not at {scale.name}: its verdicts are exact there only.")
    print(f"Scale {scale.name}: {reason}", flush=True)
    folder, seconds, begun = run_dir(scale), {}, time.perf_counter()

    def link(title: str) -> None:
        print(f"\n== {title} ({time.perf_counter() - begun:.0f} s so far)", flush=True)

    def done(step: str) -> None:
        seconds[step] = round(time.perf_counter() - begun - sum(seconds.values()), 2)

    link("1 of 5, the data: six personas think, four kinds of friction, each with its control")
    dialogues = finetune.data_of(scale, folder, fresh=True)
    done("data")
    link("2 of 5, the fine-tune: the base agrees with everything, and learns when not to")
    finetune.finetune(scale, dialogues, folder / "adapter", SEED)
    print(f"Loss curve: {plots.loss_curve(folder / 'adapter' / 'loss.jsonl', folder / 'loss.png')}")
    done("finetune")
    link("3 of 5, the proof: base and tuned on names and phrasings held out of friction training")
    models = {"base": generate.load(scale.model), "tuned": generate.load(folder / "adapter")}
    card = report.evaluate(models, PAIRS, folder=folder / "replies", progress=lambda line: print(line, flush=True))
    report.write_report(folder / "report.json", card)
    picture = report_plots.draw(report_plots.friction_map, card, folder / "friction.png")
    done("evaluate")
    link("4 of 5, the file: one GGUF that llama.cpp runs")
    copy = _export(folder)
    done("export")
    link("5 of 5, the chat: the base, and your model from its file")
    compare.run(compare.example().user_input, tuned=str(copy))
    done("chat")
    write_text(folder / "timings.json", json.dumps(seconds, indent=1) + "\n")
    link("The friction report card")
    print(report.card(card), "", *report.lines(card), "", f"Pictures: {folder / 'loss.png'}, {picture}", sep="\n")
    print(f'Done in {time.perf_counter() - begun:.0f} s. Your turn: python -m helpers compare "..."')


def _export(folder: Path) -> Path:
    """The Q8_0 file; without llama.cpp the adapter itself, and one line that says why."""
    try:
        return export.export(folder).q8_0
    except NoLlama as reason:
        print(f"This link is skipped: {reason}", flush=True)
        return folder / "adapter"
