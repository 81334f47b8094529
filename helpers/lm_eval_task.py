"""The suite as tasks of EleutherAI's lm-evaluation-harness: YAML and JSONL in `data_samples/harness`, scored from here.

    python -m lm_eval run --model local-chat-completions --apply_chat_template --include_path data_samples/harness \
        --model_args model=mine,base_url=http://127.0.0.1:8000/v1/chat/completions --tasks friction_pocket

From the folder of the course, so that the YAML finds its data and this module. The harness knows single turns only, and
does not say whether a reply was cut off: one that is cut within its thought is seen all the same, one within its answer
is not. `python -m helpers.lm_eval_task` writes the files anew.
"""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from helpers import chat, harness, schema
from helpers.dialogue import Dialogue, write_text
from helpers.natural_suite import PROMPTS
from helpers.scale import ROOT

FOLDER = ROOT / "data_samples" / "harness"
COUNT = 60  # pairs a kind of the pocket world, as many as the demo asks
DATA = {"pocket": FOLDER / "pocket.jsonl", "natural": PROMPTS}

YAML = """\
# Written by helpers/lm_eval_task.py. Run it from the folder of the course: the paths start there.
task: friction_{world}
task_alias: friction_{world} (verdicts {verdicts})
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
test_split: test
output_type: generate_until
process_docs: !function helpers.lm_eval_task.single_turns
doc_to_text: "{{{{user_turns[0]}}}}"
doc_to_target: "{{{{kind}}}}, {{{{role}}}}"
process_results: !function helpers.lm_eval_task.{world}_results
generation_kwargs:
  until: []
  do_sample: false
  temperature: 0.0
  max_gen_toks: {limit}
metric_list:
  - metric: friction_on_triggers
    aggregation: mean
    higher_is_better: true
  - metric: friction_on_controls
    aggregation: mean
    higher_is_better: false
  - metric: J
    aggregation: !function helpers.lm_eval_task.youden
    higher_is_better: true
  - metric: passed
    aggregation: mean
    higher_is_better: true
  - metric: pairs_right
    aggregation: !function helpers.lm_eval_task.pairs_right
    higher_is_better: true
metadata:
  version: 1.0
  verdicts: {verdicts}
"""


def write(folder: Path = FOLDER) -> list[Path]:
    """The YAML of both worlds, and the prompts of the pocket world; those in plain English lie in a file already."""
    rows = [_row(dialogue) for dialogue in harness.matched(harness.suite_of("pocket", COUNT))]
    made = [write_text(folder / "pocket.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))]
    for world, path in DATA.items():
        about = {"limit": harness.LIMITS[world], "verdicts": harness.VERDICTS[world]}
        text = YAML.format(world=world, data=path.relative_to(ROOT).as_posix(), **about)
        made.append(write_text(folder / f"{world}.yaml", text))
    return made


def _row(dialogue: Dialogue) -> dict:
    """In the shape of the evaluation prompts."""
    names = {name: getattr(dialogue, name) for name in ("id", "pair_id", "kind", "role")}
    return {**names, "user_turns": [dialogue.user_input], "gold": dialogue.gold, "metadata": dialogue.metadata}


def dialogue_of(doc: dict) -> Dialogue:
    """The harness reads JSONL into one table, where each gold gets the keys of all kinds: those are taken out again."""
    return schema.to_dialogue({**doc, "gold": _filled(doc["gold"])})


def _filled(gold: dict) -> dict:
    held = {key: _filled(value) if isinstance(value, dict) else value for key, value in gold.items()}
    return {key: value for key, value in held.items() if value is not None}


# -- what the YAML names -------------------------------------------------------------------------------------------


def single_turns(docs):
    """The docs of a `datasets.Dataset` whose pairs have one turn, trigger and control together, the kinds in turn."""
    found: dict[str, list[int]] = {}
    for i, turns in enumerate(docs["user_turns"]):
        if len(turns) == 1:
            found.setdefault(docs[i]["pair_id"], []).append(i)
    pairs = harness.taking_turns(found.values(), kind=lambda pair: docs[pair[0]]["kind"])
    return docs.select([i for pair in pairs for i in pair])


def pocket_results(doc: dict, results: Sequence[str]) -> dict:
    return _results("pocket", doc, results)


def natural_results(doc: dict, results: Sequence[str]) -> dict:
    return _results("natural", doc, results)


def _results(world: str, doc: dict, results: Sequence[str]) -> dict:
    """The scores of one reply; those of J and pairs_right are put together at the end."""
    given = harness.verdict(world, dialogue_of(doc), chat.parse_reply(results[0], prefilled=False))
    item = [doc["pair_id"], doc["kind"], doc["role"], given.label, given.passed]
    scores = {f"friction_on_{doc['role']}s": float(given.friction), "passed": float(given.passed)}
    return {**scores, "J": item, "pairs_right": item}


def youden(items: Sequence[Sequence]) -> float:
    return _rate("J", items)


def pairs_right(items: Sequence[Sequence]) -> float:
    return _rate("pairs_right", items)


def _rate(name: str, items: Sequence[Sequence]) -> float:
    """The harness takes a number alone; where there is none, its log says why."""
    found = harness.rates(harness.Item(*item) for item in items).get(name)
    if found is None:
        missing = "its H and its F need triggers and controls" if name == "J" else "it needs a whole pair"
        logging.getLogger(__name__).warning("%s is not a number: %s, of %d replies.", name, missing, len(items))
    return float("nan") if found is None else found


if __name__ == "__main__":
    print(*write(), sep="\n")
