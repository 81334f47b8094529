"""The friction report card: ask, judge, count, and write it down.

`report.json` is the only source of every number elsewhere. Each number stands there with its count and its interval;
`card`, the pictures and the page only read it.
"""

import os
import platform
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from helpers import baselines, contrast, inference, stats, suite
from helpers.artefacts import read_json
from helpers.card import (
    SCHEMA,
    card,
    hash_of,
    lines,
    read_report,
    stage_lines,
    statistics,
    table,
    versions,
    write_report,
)
from helpers.contrast import EXACT, Tier
from helpers.dialogue import Dialogue
from helpers.errors import UserError
from helpers.model import MAX_NEW_TOKENS, Model
from helpers.rates import Measured, score
from helpers.scale import ROOT, Scale, choose_scale, public_name, run_dir
from helpers.scenarios import Pair, pairs
from helpers.scoring import judge
from helpers.suite import EVAL_SEED, Suite
from helpers.world import WORLD_DIR

__all__ = ["card", "evaluate", "lines", "main", "read_report", "statistics", "table", "write_report"]

BASE, TUNED = "base", "tuned"  # the first model is the base; the others are called tuned, one a training seed
TRAINING_SEEDS = (0, 1, 2)
QUICK = 300  # below so many pairs a kind a report is a quick look


def evaluate(
    models: dict[str, Model],
    count: int = 300,
    part: str = "test",
    seed: int = EVAL_SEED,
    folder: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> dict:
    """The report on the base (first, called "base") and the tuned models (one a training seed), all asked the same.

    Beside them stand the baselines: four models that always say the same, and the base with a system prompt.
    folder: where the replies are kept, one file a model, so that an interrupted evaluation goes on where it was.
    """
    by_hand = suite.AUDIENCE if part == "test" else None  # its names are of the test part
    asked = suite.build_suite(count, part, seed, by_hand)
    _base_and_tuned(models)
    measured = {label: _ask(label, model, asked, folder, progress) for label, model in models.items()}
    if progress:
        progress(f"{baselines.ASKED}: at most {baselines.MOST_ASKED} pairs a kind")
    kept = folder / "base-asked-to-push-back.jsonl" if folder else None
    rows = [
        *baselines.fixed(asked.pairs, judge, baselines.fixed_replies()),
        baselines.asked_to_push_back(models[BASE], asked.pairs, judge, kept, progress and _by_tenths(progress)),
    ]
    report = assemble(asked, measured, label_of(count, len(models) - 1), EXACT, rows)
    report["data"] = hash_of([*WORLD_DIR.glob("*.csv"), *WORLD_DIR.glob("*.toml"), suite.AUDIENCE])
    report["targets"] = contrast.targets(report["worst"])
    report["words_alone"] = {kind: words_alone(kind, group) for kind, group in asked.pairs.items()}
    return report


def assemble(
    asked: Suite, measured: dict[str, Measured], label: str, tier: Tier = EXACT, rows: Sequence[dict] = ()
) -> dict:
    """The whole report: the numbers of every model, what base and tuned differ in, and what it was measured with.

    measured: the base, called "base", and the tuned models. label: how the numbers may be read. rows: the baselines.
    `data`, `targets` and `words_alone` are left empty: they are the caller's.
    """
    _base_and_tuned(measured)
    scores = {name: {**_of(m), **score(asked, m)} for name, m in measured.items()}
    for name, own in scores.items():
        contrast.hold_against(scores[BASE], own)
        contrast.put_right(own, tier)
        own["seconds"] = round(measured[name].seconds, 1)
    tuned = [own for name, own in scores.items() if name != BASE]
    worst = contrast.worst_of(scores[BASE], tuned)
    tests = contrast.tests(scores[BASE], tuned)
    pooled = contrast.pooled(scores[BASE], tuned)
    power = contrast.power(tests, pooled["n"])
    return {
        "schema": SCHEMA,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "label": label,
        "part": asked.part,
        "pairs": max(map(len, asked.pairs.values()), default=0),
        "seeds": {"evaluation": asked.seed, "training": [_seed(m.name) for n, m in measured.items() if n != BASE]},
        "prompts": asked.hash,
        "data": "",
        "versions": versions(),
        "machine": platform.machine(),
        "tier": tier.as_dict(),
        "stage_lines": {BASE: stage_lines(scores[BASE]["kinds"]), TUNED: stage_lines(worst["kinds"])},
        "models": scores,
        "worst": worst,
        "tests": tests,
        "pooled": pooled,
        "power": power,
        "coverage": inference.coverage(power["n"]),
        "baselines": list(rows),
        "form": {name: contrast.forms(asked, m) for name, m in measured.items()},
        "examples": contrast.examples(asked, measured),
        "targets": [],
        "words_alone": {},
    }


def _of(measured: Measured) -> dict:
    return {
        "name": public_name(measured.name),
        **{key: getattr(measured, key) for key in ("identity", "engine", "cap")},
    }


def _seed(name: str) -> int | None:
    """The training seed of an adapter, by the run card that its training left; None of any other model."""
    path = os.path.join(ROOT, name, "run.json")
    return read_json(Path(path)).get("seed") if os.path.isfile(path) else None


def _base_and_tuned(models: dict) -> None:
    if BASE not in models or len(models) < 2:
        raise UserError(f"a report compares the base with tuned models, got {', '.join(models) or 'nothing'}.")


def label_of(count: int, seeds: int, subset: str = "") -> str:
    """How the numbers may be read. subset: the name of a part of the prompts, "stage" for instance."""
    trained = f"{seeds} training seeds, the worst of them" if seeds > 1 else "one seed"
    size = f"{count} pairs, the {subset} subset" if subset else f"{count} pairs a kind"
    if subset or count < QUICK or seeds < len(TRAINING_SEEDS):
        return f"{size}, {trained}: a quick look, not the headline"
    return f"{size}, {trained}"


def words_alone(kind: str, tested: Sequence[Pair]) -> dict:
    """What words and bigrams of the friction prompts give away on held-out ones; chance is .5."""
    return stats.guess_by_words(_word_judge(kind), _labelled(tested))


@cache
def _word_judge(kind: str) -> Callable[[Sequence[str]], list[bool]]:
    return stats.learn_words(_labelled(pairs(kind, "train", 400, TRAINING_SEEDS[0])))


def _labelled(matched: Sequence[Pair]) -> list[tuple[str, bool]]:
    return [(d.user_input, d.role == "trigger") for pair in matched for d in pair]


def _ask(
    label: str, model: Model, asked: Suite, folder: Path | None, progress: Callable[[str], None] | None
) -> Measured:
    tell, began = progress or (lambda line: None), time.perf_counter()
    prompts = asked.prompts
    tell(f"{label} ({public_name(model.name)}): {len(prompts)} prompts")
    path = folder / f"{label.replace(' ', '-')}.jsonl" if folder else None
    if path is None:
        replies = model.replies([d.turns for d in prompts])
    else:
        from helpers import generate

        replies = generate.replies_file(model, prompts, path, progress=_by_tenths(tell))
    verdicts, held = judge(prompts, replies), suite.play(model, asked.plays, tell, path)
    seconds = time.perf_counter() - began
    return Measured(model.name, replies, verdicts, held, seconds, model.identity, model.engine, MAX_NEW_TOKENS)


def _by_tenths(tell: Callable[[str], None]) -> Callable[[int, int], None]:
    """Says how far the replies are, ten times in all."""
    said = 0

    def progress(done: int, total: int) -> None:
        nonlocal said
        if done * 10 // total > said:
            said = done * 10 // total
            tell(f"  {done} of {total} replies")

    return progress


def main(options) -> None:
    """`python -m helpers evaluate`: the report card of the base and of one adapter a training seed."""
    from helpers import generate, report_page

    scale, reason = choose_scale(options.scale)
    print(f"Scale {scale.name}: {reason}", flush=True)
    if scale.name != "pocket":
        raise UserError(f"scale {scale.name}: the verdicts are exact in the pocket world only. Use --scale pocket.")
    folder = run_dir(scale)
    adapters = adapters_of(scale, folder, options.seeds)
    models = {BASE: generate.load(scale.model), **{label: generate.load(path) for label, path in adapters.items()}}
    report = evaluate(models, options.pairs, folder=folder / "replies", progress=lambda line: print(line, flush=True))
    written = write_report(folder / "report.json", report)
    markdown, html, *pictures = report_page.write(report, folder)
    print(
        card(report),
        "",
        *lines(report),
        f"Every number with its interval: {written}",
        f"To read, with {len(pictures)} pictures: {html} (as Markdown: {markdown})",
        sep="\n",
    )


def adapters_of(scale: Scale, folder: Path, seeds: int) -> dict[str, Path]:
    """The adapters to measure: for one seed the one that is there, for more one a seed, trained now where missing."""
    if seeds < 1:
        raise UserError(f"--seeds {seeds}: expected 1 or more, the course uses {len(TRAINING_SEEDS)}.")
    if seeds == 1:
        return {TUNED: folder / "adapter"}
    from helpers import finetune

    dialogues = finetune.data_of(scale, folder)
    return {f"{TUNED} seed {seed}": _adapter(scale, folder, seed, dialogues) for seed in range(seeds)}


def _adapter(scale: Scale, folder: Path, seed: int, dialogues: Sequence[Dialogue]) -> Path:
    """The adapter of a training seed; one of other data, another base or another recipe is never taken for it."""
    from helpers import finetune

    out = folder / f"adapter-seed-{seed}"
    for found in (folder / "adapter", out):
        card = found / "run.json"
        if card.exists() and finetune.is_of(read_json(card), scale, seed, dialogues):
            return found
    finetune.finetune(scale, dialogues, out, seed)
    return out
