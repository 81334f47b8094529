"""The friction report card: ask, judge, count, and write it down.

`report.json` is the only source of every number elsewhere. Each rate stands there with its count and its interval;
`table` and `lines` only read it.
"""

import hashlib
import json
import platform
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path

from helpers import __version__, stats, suite
from helpers.card import lines, table
from helpers.dialogue import read_dialogues, read_text, write_text
from helpers.errors import UserError
from helpers.model import Model
from helpers.rates import score, targets, worst_of
from helpers.scale import ROOT, Scale, choose_scale, run_dir
from helpers.scenarios import Pair, pairs
from helpers.scoring import Verdict, judge
from helpers.suite import EVAL_SEED, Suite
from helpers.world import WORLD_DIR

__all__ = ["evaluate", "lines", "main", "read_report", "score", "table", "write_report"]

SCHEMA = 1
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

    folder: where the replies are kept, one file a model, so that an interrupted evaluation goes on where it was.
    """
    by_hand = suite.AUDIENCE if part == "test" else None  # its names are of the test part
    asked = suite.build_suite(count, part, seed, by_hand)
    scores = {}
    for label, model in models.items():
        began = time.perf_counter()
        scores[label] = {"name": _shown(model.name), **score(asked, *_ask(label, model, asked, folder, progress))}
        scores[label]["seconds"] = round(time.perf_counter() - began, 1)
    return assemble(asked, scores, count)


def assemble(asked: Suite, scores: dict[str, dict], count: int) -> dict:
    """The whole report: scores, worst of the tuned models, targets, and what it was measured with."""
    tuned = {label: s for label, s in scores.items() if label != BASE}
    if BASE not in scores or not tuned:
        raise UserError(f"a report compares the base with tuned models, got {', '.join(scores) or 'nothing'}.")
    worst = worst_of(scores[BASE], list(tuned.values()))
    return {
        "schema": SCHEMA,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "label": label_of(count, len(tuned)),
        "part": asked.part,
        "pairs": count,
        "seeds": {"evaluation": asked.seed, "training": len(tuned)},
        "prompts": asked.hash,
        "data": data_hash(),
        "versions": versions(),
        "machine": platform.machine(),
        "models": scores,
        "worst": worst,
        "targets": targets(worst),
        "words_alone": {kind: words_alone(kind, group) for kind, group in asked.pairs.items()},
    }


def label_of(count: int, seeds: int) -> str:
    """How the numbers may be read."""
    trained = f"{seeds} training seeds, the worst of them" if seeds > 1 else "one seed"
    if count < QUICK or seeds < len(TRAINING_SEEDS):
        return f"{count} pairs a kind, {trained}: a quick look, not the headline"
    return f"{count} pairs a kind, {trained}"


def words_alone(kind: str, tested: Sequence[Pair]) -> dict:
    """What words and bigrams of the friction prompts give away on held-out ones; chance is .5."""
    return stats.guess_by_words(_word_judge(kind), _labelled(tested))


@cache
def _word_judge(kind: str) -> Callable[[Sequence[str]], list[bool]]:
    return stats.learn_words(_labelled(pairs(kind, "train", 400, TRAINING_SEEDS[0])))


def _labelled(matched: Sequence[Pair]) -> list[tuple[str, bool]]:
    return [(d.user_input, d.role == "trigger") for pair in matched for d in pair]


# -- where it comes from and where it goes -------------------------------------------------------------------------


def data_hash() -> str:
    """SHA-256 over the tables of the world, in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted([*WORLD_DIR.glob("*.csv"), *WORLD_DIR.glob("*.toml"), suite.AUDIENCE]):
        digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def versions() -> dict[str, str]:
    found = {"push-back-ai": __version__, "python": platform.python_version()}
    for name in ("torch", "transformers", "peft", "trl", "unsloth", "llama-cpp-python", "scipy"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def write_report(path: Path, report: dict) -> Path:
    return write_text(path, json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


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


def _ask(
    label: str, model: Model, asked: Suite, folder: Path | None, progress: Callable[[str], None] | None
) -> tuple[list[Verdict], list[int]]:
    tell = progress or (lambda line: None)
    prompts = asked.prompts
    tell(f"{label} ({_shown(model.name)}): {len(prompts)} prompts")
    if folder is None:
        replies = model.replies([d.turns for d in prompts])
    else:
        from helpers import generate

        path = folder / f"{label.replace(' ', '-')}.jsonl"
        replies = generate.replies_file(model, prompts, path, progress=_by_tenths(tell))
    return judge(prompts, replies), suite.play(model, asked.plays, tell)


def _by_tenths(tell: Callable[[str], None]) -> Callable[[int, int], None]:
    """Says how far the replies are, ten times in all."""
    said = 0

    def progress(done: int, total: int) -> None:
        nonlocal said
        if done * 10 // total > said:
            said = done * 10 // total
            tell(f"  {done} of {total} replies")

    return progress


def _shown(name: str) -> str:
    """A model's name as it may leave this machine: relative to the repository where it lies in it."""
    path = Path(name)
    if not path.is_absolute():
        return str(name)
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name


def main(options) -> None:
    """`python -m helpers evaluate`: the report card of the base and of one adapter a training seed."""
    from helpers import generate, plots

    scale, reason = choose_scale(options.scale)
    print(f"Scale {scale.name}: {reason}", flush=True)
    if scale.name != "pocket":
        raise UserError(f"scale {scale.name}: the verdicts are exact in the pocket world only. Use --scale pocket.")
    folder = run_dir(scale)
    adapters = adapters_of(scale, folder, options.seeds)
    models = {BASE: generate.load(scale.model), **{label: generate.load(path) for label, path in adapters.items()}}
    report = evaluate(models, options.pairs, folder=folder / "replies", progress=lambda line: print(line, flush=True))
    written = write_report(folder / "report.json", report)
    picture = plots.friction_map(report, folder / "friction.png")
    print(
        table(report),
        *lines(report),
        f"Every number with its interval: {written}, and as a picture: {picture}",
        sep="\n",
    )


def adapters_of(scale: Scale, folder: Path, seeds: int) -> dict[str, Path]:
    """The adapters to measure: for one seed the one that is there, for more one a seed, trained now where missing."""
    if seeds < 1:
        raise UserError(f"--seeds {seeds}: expected 1 or more, the course uses {len(TRAINING_SEEDS)}.")
    if seeds == 1:
        return {TUNED: folder / "adapter"}
    return {f"{TUNED} seed {seed}": _adapter(scale, folder, seed) for seed in range(seeds)}


def _adapter(scale: Scale, folder: Path, seed: int) -> Path:
    """The adapter of a training seed on the dialogues that are there; one of other data is never taken for it."""
    from helpers import finetune

    data = folder / "dialogues.jsonl"
    dialogues = list(read_dialogues(data))
    wanted = seed, hashlib.sha256(data.read_bytes()).hexdigest()
    out = folder / f"adapter-seed-{seed}"
    for found in (folder / "adapter", out):
        if (found / "run.json").exists():
            ran = json.loads(read_text(found / "run.json"))
            if (ran.get("seed"), ran.get("data")) == wanted:
                return found
    finetune.finetune(scale, dialogues, out, seed)
    return out
