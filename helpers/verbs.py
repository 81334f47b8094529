"""What the command line can do: each verb is a thin wrapper over a function that a notebook calls, and its options."""

from __future__ import annotations

import argparse
import importlib
import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from helpers import environment, install
from helpers.errors import UserError
from helpers.scale import VARIABLE

Options = argparse.Namespace


def _module(name: str):  # imported inside the verbs: `--help` must not wait for torch
    return importlib.import_module(f"helpers.{name}")


def of(module: str, function: str = "main") -> Callable[[Options], int | None]:
    """A verb that is one function of one module, which takes the options as they are."""
    return lambda options: getattr(_module(module), function)(options)


def demo(o: Options) -> int | None:
    return _module("demo").run(o.scale)


def test(o: Options) -> int:
    return environment.through(pytest_command(o.quick, o.pytest_args))


def lab(o: Options) -> int:
    places = [f"--ServerApp.root_dir={install.ROOT}", "--LabApp.default_url=/lab/tree/notebooks"]
    return environment.through([sys.executable, "-m", "jupyterlab", *places, *o.jupyter_args])


def setup(o: Options) -> None:
    missing = " and ".join(r.name for r in install.unmet("gguf", "model"))
    print(f"All but {missing} is installed." if missing else "Everything is installed.")


def compare(o: Options) -> int | None:
    return _module("compare").run(o.prompt, o.base, o.tuned, o.scale)


def try_(o: Options) -> int | None:
    return _module("compare").try_list(o.tuned)


def synthesise(o: Options) -> int:
    outcome = _module("synthesis").main(o)
    unclean = _module("curation").main(Options(files=[outcome.path], together=False, against=None))
    return int(bool(unclean or outcome.set_aside))


def evaluate(o: Options) -> int | None:
    if o.model or o.against or o.replies:
        return _module("versus").main(o)
    if o.judge or o.max_cost is not None:
        raise UserError(
            "--judge rules on the 24 stage pairs, or on replies of yours: give --model and --against, or --replies."
        )
    o.pairs = PAIRS if o.pairs is None else o.pairs
    return _module("natural_report" if o.scale == "laptop" else "report").main(o)


def exhibit(o: Options) -> int | None:
    _module("exhibits").main(o)
    if o.record:
        _module("less_time").main(o)


def label(o: Options) -> int | None:
    return _module("opinion" if o.judge else "labels").main(o)


def bench(o: Options) -> int | None:
    return _module("bench_laptop" if o.scale == "laptop" else "bench").main(o)


WITH_A_VALUE = (  # pytest's options that take the next argument, which may be the name of something that exists
    "-k", "-m", "-p", "-o", "-n", "-c", "--ignore", "--ignore-glob", "--deselect", "--rootdir", "--confcutdir",
    "--basetemp", "--junitxml", "--junit-xml", "--log-file",
)  # fmt: skip


def pytest_command(quick: bool, rest: list[str]) -> list[str]:
    """Tests and notebooks, unless the arguments name paths of their own. A notebook's cell has ten minutes; of its
    outputs nbval compares only those that are marked as the same on every machine. The quick tests share up to four
    cores, a file of tests on each; the slow ones start processes that want the cores for themselves."""
    values = {i + 1 for i, one in enumerate(rest) if one in WITH_A_VALUE}
    named = any(Path(one.split("::")[0]).exists() for i, one in enumerate(rest) if i not in values)
    places = [] if named else [str(install.ROOT / "tests")]
    if quick:
        shared = [] if named else ["-n", "auto", "--maxprocesses", "4", "--dist", "loadfile"]
        return [sys.executable, "-m", "pytest", "-m", "not slow", *shared, *places, *rest]
    if not named and any((install.ROOT / "notebooks").glob("*.ipynb")):
        places.append(str(install.ROOT / "notebooks"))
    return [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-cell-timeout=600", *places, *rest]


@dataclass(frozen=True)
class Verb:
    call: Callable[[Options], int | None]
    help: str
    options: tuple[tuple[tuple[str, ...], dict], ...] = ()
    rest: str = ""  # where arguments that are not ours go


def option(*names: str, **settings) -> tuple[tuple[str, ...], dict]:
    return names, settings


def seed(text: str) -> int:
    """As numpy takes them."""
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 to {2**32 - 1}")
    return int(text)


def minutes(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes, such as 5; 0 sets no limit")
    return number


BY_DEFAULT = os.environ.get(VARIABLE, "").strip() or "pocket"
SCALE = option(
    "--scale",
    default=BY_DEFAULT,
    metavar="NAME",
    help=f"pocket, laptop, colab, studio (default: {VARIABLE}, else pocket)",
)
PAIRS = 300
MAX_COST = option("--max-cost", type=float, metavar="USD", help="a cap on what a judge behind LiteLLM may cost in all")
SEED = option("--seed", type=seed, default=0, metavar="N", help="of the training (default: %(default)s)")

VERBS = {
    "demo": Verb(demo, "the whole chain: data, fine-tune, report card, GGUF, chat", (SCALE,)),
    "test": Verb(test, "run the tests and the notebooks; further arguments go to pytest", (
        option("--quick", action="store_true", help="without notebooks and slow tests, about two minutes"),
    ), rest="pytest_args"),
    "lab": Verb(lab, "open the notebooks in JupyterLab", rest="jupyter_args"),
    "setup": Verb(setup, "install only, and try again what failed"),
    "compare": Verb(compare, "one prompt, two models, side by side", (
        option("prompt", nargs="?", metavar="PROMPT", help="what to ask; without it, one prompt of each kind"),
        option("--scale", default="laptop" if BY_DEFAULT == "laptop" else "pocket", metavar="NAME",
               help="pocket, or laptop, in plain English"),
        option("--base", metavar="NAME", help="a folder, a GGUF file or a Hub id (default: the base of the scale)"),
        option("--tuned", metavar="NAME", help="likewise (default: the latest fine-tune)"),
    )),
    "try": Verb(try_, "scale laptop: a whole list of prompts as an audience types them, and what passes", (
        option("--tuned", metavar="NAME", help="an adapter folder (default: the latest fine-tune)"),
    )),
    "data": Verb(of("finetune", "write_data"), "write the dialogues that the fine-tune takes", (SCALE,)),
    "synthesise": Verb(synthesise, "six personas write dialogues: offline, or with a model of your choice", (
        option("--model", default="local", metavar="NAME", help="a LiteLLM name, as ollama/gemma3 (default: offline)"),
        option("--count", type=int, metavar="N", help="how many (default: 400 of the pocket world, all of a file)"),
        option("--scenarios", metavar="FILE", help="JSONL of prompts to work on, as in data_samples/friction"),
        option("--out", metavar="FILE", help="where to (default: runs/<scale>/synthesised.jsonl)"),
        option("--concurrency", type=int, metavar="N", help="records at a time (default: 8; with Ollama 1)"),
        option("--max-cost", type=float, metavar="USD", help="a cap that is never passed"),
        option("--max-tokens", type=int, metavar="N", help="likewise, of prompts and answers together"),
        option("--max-answer", type=int, metavar="N", default=1024,
               help="tokens of one answer, its thinking included (default: %(default)s)"),
        option("--fresh", action="store_true", help="begin anew; without it a run goes on where it was"),
    )),
    "lint": Verb(of("curation"), "hold data files to the rules: what passed, what is set aside, and why", (
        option("files", nargs="+", metavar="FILE", help="JSONL of dialogues, prompts or plain questions"),
        option("--together", action="store_true", help="the files are parts of one set"),
        option("--against", nargs="+", metavar="FILE", help="other sets, with which nothing may be shared"),
    )),
    "finetune": Verb(of("finetune"), "train the adapter on the dialogues", (
        SCALE,
        SEED,
        option("--four-bit", action=argparse.BooleanOptionalAction, help="QLoRA in 4-bit NF4, or plain LoRA"),
        option("--fresh", action="store_true", help="begin the training anew, even where a checkpoint lies"),
        option("--minutes", type=minutes, metavar="N", help="train no longer (default: what the scale says)"),
        option("--model", metavar="NAME", help="another base for the recipe: a folder or a Hub id"),
        option("--data", metavar="FILE", help="JSONL of dialogues to train on, as synthesise writes them"),
    )),
    "probe": Verb(of("probe"), "ask the model of scale laptop for each fact; the record in data_samples is replaced"),
    "evaluate": Verb(evaluate, "the friction report card: base and tuned on held-out scenarios", (
        SCALE,
        option("--seeds", type=int, default=1, metavar="N", help="training seeds (default: %(default)s)"),
        option("--pairs", type=int, metavar="N", help=f"pairs a kind at most (default: {PAIRS}; of the stage set all)"),
        option("--model", metavar="NAME", help="your own on the 24 stage pairs (--pairs 6: on 6), as ollama/NAME"),
        option("--against", metavar="NAME", help="what --model is held against, as ollama/OTHER"),
        option("--replies", metavar="FILE.json", help="judge a list of {prompt, baseline_response, tuned_response}"),
        option("--max-tokens", type=int, metavar="N", help="of a reply in plain English (default: by what is asked)"),
        option("--judge", metavar="NAME", help="with --against or --replies: a model that rules, local or of LiteLLM"),
        MAX_COST,
    )),
    "exhibit": Verb(exhibit, "two ways to a contrarian: without the controls, and without the reasoning", (
        SCALE,
        option("--record", action="store_true", help="make it at scale laptop too (hours), and keep it to be shown"),
    )),
    "publish": Verb(of("hub"), "share on the Hugging Face Hub; shows what would go up, and sends only when told", (
        option("what", choices=["dataset", "card"], help="the friction dataset, or only write its card again"),
        option("--repo", default="", metavar="NAME", help="your-name/friction (default: helpers/settings.toml)"),
        option("--send", action="store_true", help="upload; without it nothing leaves this machine"),
        option("--public", action="store_true", help="for everyone to see (default: private)"),
    )),
    "agree": Verb(of("agreement"), "refusal patterns against human labels: kappa, sensitivity, specificity", (
        option("file", metavar="FILE.csv", help="columns prompt, completion, final_label (2 and 3 are refusals)"),
        option("--show", type=int, default=0, metavar="N", help="the N worst disagreements (default: none)"),
    )),
    "label": Verb(label, "label replies blind: writes a sheet to fill in, and reads it back", (
        option("file", nargs="?", metavar="FILE.csv", help="read if there, else written (default: in runs/laptop)"),
        option("--second", metavar="FILE.csv", help="a copy that another reader filled in: how far the two agree"),
        option("--replies", nargs="+", metavar="FILE", help="what `evaluate` wrote (default: those of scale laptop)"),
        option("--count", type=int, default=100, metavar="N", help="how many (default: %(default)s)"),
        option("--judge", metavar="NAME", help="hold a judge of `evaluate` against the labels of a sheet"),
        MAX_COST,
    )),
    "serve": Verb(of("serve"), "a model behind OpenAI's HTTP on this machine, for other tools; Ctrl-C ends it", (
        option("model", nargs="?", metavar="NAME", help="a folder, a GGUF file or a Hub id (default: your fine-tune)"),
        option("--port", type=int, default=8000, metavar="N", help="where it listens (default: %(default)s)"),
    )),
    "export": Verb(of("export"), "merge, write GGUF files, and check that they answer like the original", (SCALE,)),
    "pocket": Verb(of("pretrain"), "the pocket base model: repeats its first steps, and compares the losses", (
        option("--rebuild", action="store_true", help="train it again from nothing (50 minutes on two cores)"),
    )),
    "bench": Verb(bench, "seconds for each link, tokens a second, memory", (
        SCALE,
        option("--quick", action="store_true", help="fewer steps, rougher numbers"),
    )),
}  # fmt: skip
