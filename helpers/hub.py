"""Sharing: the dataset card, written from the data itself, and what goes up to the Hugging Face Hub after a dry run."""

import hashlib
import json
import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from helpers import curation, prose
from helpers.dialogue import FLAVOURS, KINDS, ROLES, Dialogue, read_dialogues, read_text, write_text
from helpers.errors import UserError
from helpers.personas import PERSONAS
from helpers.scale import ROOT
from helpers.schema import RULES, read

DATA = ROOT / "data_samples"
SETTINGS = Path(__file__).parent / "settings.toml"
# A configuration of `datasets`, its split, and its files.
CONFIGS = {
    "friction": ("train", tuple(f"friction/{flavour}.jsonl" for flavour in FLAVOURS)),
    **{flavour: ("train", (f"friction/{flavour}.jsonl",)) for flavour in FLAVOURS},
    "mixture": ("train", ("friction/mixture.jsonl",)),
    "micro": ("train", ("friction/micro.jsonl",)),
    "evaluation": ("test", ("evaluation/prompts.jsonl",)),
    "stage": ("test", ("evaluation/stage.jsonl",)),
    "plain": ("test", ("evaluation/plain.jsonl",)),
}
SCHEMAS = ("dialogue.schema.json", "prompt.schema.json", "plain.schema.json")
# Kinds differ in the keys of `gold`. A set that is read from several files needs to be told of all of them.
GOLD = {**dict.fromkeys(("claim", "fact", "question", "request", "why", "slot", "harm", "offer", "source"), "string"),
        "answers": ["string"], "cues": ["string"]}  # fmt: skip
METADATA = dict.fromkeys(("source", "licence", "language", "version", "topic", "register"), "string")
AGENT = {"agent_type": "string", "thought_stream": "string", "friction_moments": ["string"]}
DIALOGUE = {
    "id": "string", "pair_id": "string", "kind": "string", "role": "string",
    "turns": [{"role": "string", "content": "string"}], "agents": [AGENT], "final_answer": "string", "gold": GOLD,
    "flavour": "string", "metadata": METADATA, "user_input": "string",
}  # fmt: skip
# Shares of the pairs in the mixture; after the talk, in which reluctance weighs most and disagreement least.
MIXTURE = {"disagreement": 0.25, "overthinking": 0.35, "reluctance": 0.40}
NOT_FILLED_IN = "(not filled in, see helpers/settings.toml)"


@dataclass(frozen=True)
class Upload:
    """One file that goes up: where it lies here, its name there, its size in bytes and its lines."""

    path: Path
    name: str
    size: int
    lines: int


def setting(name: str) -> str:
    """A name that the owner fills in; "" when it is not filled in."""
    return tomllib.loads(SETTINGS.read_text(encoding="utf-8"))[name]


def files() -> list[str]:
    """The data files of all configurations, each once."""
    return list(dict.fromkeys(name for _, names in CONFIGS.values() for name in names))


def mixture(dialogues: Sequence[Dialogue], weights: dict[str, float] = MIXTURE) -> list[Dialogue]:
    """Whole pairs of each flavour in these shares, as many as the scarcest flavour allows; always the same ones."""
    pairs: dict[str, dict[str, list[Dialogue]]] = {flavour: {} for flavour in weights}
    for dialogue in dialogues:
        if dialogue.flavour in weights:
            pairs[dialogue.flavour].setdefault(dialogue.pair_id, []).append(dialogue)
    size = min(len(pairs[flavour]) / weight for flavour, weight in weights.items())
    chosen = {}
    for flavour, weight in weights.items():
        chosen |= {name: pairs[flavour][name] for name in sorted(pairs[flavour], key=_shuffled)[: round(size * weight)]}
    return [dialogue for name in sorted(chosen, key=_shuffled) for dialogue in chosen[name]]


def _shuffled(pair_id: str) -> str:
    return hashlib.sha256(f"mixture {pair_id}".encode()).hexdigest()


def uploads(folder: Path = DATA) -> list[Upload]:
    """Everything that goes up, the card first; UserError when a file is missing."""
    found = []
    for name in ("README.md", *SCHEMAS, *files()):
        text = read_text(folder / name)
        found.append(Upload(folder / name, name, len(text.encode()), text.count("\n")))
    return found


def publish_dataset(
    repo: str = "",
    send: bool = False,
    public: bool = False,
    folder: Path = DATA,
    report: Callable[[str], None] = print,
) -> str:
    """Show what would go up to the Hub; with `send`, upload it in one commit and return its address.

    The data are linted and scanned for secrets first; UserError, and nothing is sent, when a record does not pass,
    when the card is not the one that these data make, when nobody is logged in, or when the Hub refuses.
    """
    repo = repo or setting("dataset")
    if send or repo:
        _check_name(repo)
    going = uploads(folder)
    report(f"Dataset {repo or NOT_FILLED_IN}, {'public' if public else 'private'}:")
    for one in going:
        report(f"  {one.name:34s} {one.lines:6,d} lines {one.size / 1024:9,.1f} kB")
    check(folder)
    report("Every record passes the linter; no secret and no address was found; the card belongs to the data.")
    if not send:
        named = "" if repo and repo == setting("dataset") else f" --repo {repo or 'YOUR-NAME/friction'}"
        report(f"Dry run: nothing was sent. To upload: python -m helpers publish dataset{named} --send")
        return ""
    return _send(repo, public, going, report)


def _check_name(repo: str) -> None:
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    try:
        validate_repo_id(repo)
        whole = repo.count("/") == 1
    except HFValidationError:
        whole = False
    if not whole:
        raise UserError(f"{repo or 'No name'}: say where to, --repo your-name/friction, or fill in {SETTINGS.name}.")


def check(folder: Path = DATA) -> None:
    """UserError, naming the first faults, unless all shipped records pass the linter and the card is up to date.

    The dialogues are held together as one set, and the evaluation prompts against it.
    """
    friction = [folder / name for name in CONFIGS["friction"][1]]
    reports = dict(zip(friction, curation.lint_files(friction), strict=True))
    dialogues = [d for path in friction for _, d in read(path).records]
    for path in (folder / name for name in files()):
        if path not in reports:
            against = dialogues if path.parent.name == "evaluation" else ()
            reports[path] = curation.lint_file(path, against=against)
    for name in ("README.md", *SCHEMAS):
        if found := prose.private(read_text(folder / name), hashes=True):
            raise UserError(f"{folder / name} {found}. Nothing was sent.")
    for path, found in reports.items():
        if found.set_aside:
            told = "; ".join(f"line {fault.line}: {fault.reason}" for fault in found.set_aside[:3])
            raise UserError(f"{path}: {len(found.lines_set_aside)} records do not pass ({told}). Nothing was sent.")
    if read_text(folder / "README.md") != dataset_card(folder):
        raise UserError(f"{folder / 'README.md'} is not the card of these data. Run `python -m helpers publish card`.")


def _send(repo: str, public: bool, going: Sequence[Upload], report: Callable[[str], None]) -> str:
    import httpx
    from huggingface_hub import CommitOperationAdd, HfApi, get_token
    from huggingface_hub.errors import HfHubHTTPError

    if not get_token():
        raise UserError("Nobody is logged in to the Hugging Face Hub. Run `hf auth login`, or set HF_TOKEN.")
    api, sent = HfApi(), "Nothing was sent."
    try:
        api.create_repo(repo, repo_type="dataset", private=not public, exist_ok=True)
        # One that was there before stays as it was, whatever is asked for.
        if (private := api.repo_info(repo, repo_type="dataset").private) == public:
            there, wanted = ("private", "public") if private else ("public", "private")
            raise UserError(f"{repo} is there already, and {there}. Make it {wanted} on the Hub. Nothing was sent.")
        sent = "The repository is there; whether the files are, look before you run it again."
        operations = [CommitOperationAdd(one.name, one.path) for one in going]
        done = api.create_commit(repo, operations, commit_message="Friction dataset", repo_type="dataset")
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "no"
        raise UserError(f"{repo}: the Hub answered {status}. Is the name yours, and may the token write?") from None
    except (httpx.HTTPError, OSError) as error:
        raise UserError(f"{repo}: the Hub was not reached ({type(error).__name__}). {sent}") from None
    report(f"Uploaded: {done.repo_url}")
    return str(done.repo_url)


# -- the card ------------------------------------------------------------------------------------------------------


def write_card(folder: Path = DATA) -> Path:
    return write_text(folder / "README.md", dataset_card(folder))


def dataset_card(folder: Path = DATA) -> str:
    """The dataset card in Markdown, with the configurations that `datasets.load_dataset` reads in its head."""
    dialogues = [d for name in CONFIGS["friction"][1] for d in read_dialogues(folder / name)]
    triggers = [d for d in dialogues if d.role == "trigger"]
    text = (Path(__file__).parent / "dataset_card.md").read_text(encoding="utf-8")
    return text.format(
        head=_head(len(dialogues)),
        size=len(dialogues),
        pairs=len(dialogues) // 2,
        several=sum(len(d.turns) > 1 for d in triggers),
        pressed=sum(len(d.turns) > 1 for d in triggers if d.kind == "disagreement"),
        counts=_counts(dialogues),
        flavours=_table(["flavour", "dialogues"], Counter(d.flavour for d in dialogues).most_common()),
        topics=", ".join(sorted({name for d in dialogues for name in d.metadata.get("topic", "").split(", ")} - {""})),
        words=round(sum(len(d.final_answer.split()) for d in dialogues) / max(len(dialogues), 1)),
        shares=", ".join(f"{share:.0%} {flavour}" for flavour, share in MIXTURE.items()),
        moments=sum(len(a.friction_moments) for d in dialogues for a in d.agents),
        personas=", ".join(f"{p.name} ({p.temper})" for p in PERSONAS),
        rules=_table(["rule", "what is set aside"], RULES.items()),
        **{name: read_text(folder / CONFIGS[name][1][0]).count("\n") // 2 for name in ("micro", "evaluation", "stage")},
        files=_files(folder),
        example=json.dumps(_shortened(dialogues[0]), ensure_ascii=False, indent=1) if dialogues else "",
        repository=setting("repository") or NOT_FILLED_IN,
    )


def _head(size: int) -> str:
    """The YAML head: what the Hub and `datasets` read."""
    lines = ["language:\n- en", "license: cc-by-4.0", "task_categories:\n- text-generation"]
    lines.append(f"size_categories:\n- {'n<1K' if size < 1000 else '1K<n<10K'}")
    lines.append("tags:\n- ai-friction\n- sycophancy\n- uncertainty\n- clarification\n- refusal\n- synthetic")
    lines.append("pretty_name: Friction\nconfigs:")
    for name, (split, paths) in CONFIGS.items():
        default = "\n  default: true" if name == "friction" else ""
        listed = "".join(f"\n    - {path}" for path in paths)
        lines.append(f"- config_name: {name}{default}\n  data_files:\n  - split: {split}\n    path:{listed}")
    lines.append("dataset_info:\n- config_name: friction\n  features:")
    return "\n".join([*lines, *_features(DIALOGUE, "  ")])


def _features(table: dict, indent: str) -> list[str]:
    """Features as the YAML head of a card writes them."""
    lines = []
    for name, sort in table.items():
        lines.append(f"{indent}- name: {name}")
        listed = isinstance(sort, list)
        inner = sort[0] if listed else sort
        if isinstance(inner, dict):
            lines += [f"{indent}  {'list' if listed else 'struct'}:", *_features(inner, indent + "  ")]
        else:
            lines.append(f"{indent}  {'list' if listed else 'dtype'}: {inner}")
    return lines


def _counts(dialogues: Sequence[Dialogue]) -> str:
    found = Counter((d.kind, d.role) for d in dialogues)
    return _table(["kind", *ROLES], ([kind, *(found[kind, role] for role in ROLES)] for kind in KINDS))


def _files(folder: Path) -> str:
    rows = ((f"`{name}`", read_text(folder / name).count("\n")) for name in files())
    return _table(["file", "lines"], rows)


def _table(head: Sequence[str], rows) -> str:
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *lines])


def _shortened(dialogue: Dialogue) -> dict:
    """One record as an example, two of its six personas."""
    shown = {"id": dialogue.id, "pair_id": dialogue.pair_id, "kind": dialogue.kind, "role": dialogue.role}
    agents = [
        {"agent_type": a.agent_type, "thought_stream": a.thought_stream, "friction_moments": list(a.friction_moments)}
        for a in dialogue.agents[:2]
    ]
    return {**shown, "turns": list(dialogue.turns), "agents": [*agents, ".."], "final_answer": dialogue.final_answer,
            "gold": dialogue.gold, "flavour": dialogue.flavour, "metadata": dialogue.metadata}  # fmt: skip


def main(options) -> None:
    """The verb `publish`."""
    if options.what == "card":
        print(f"Written: {write_card()}")
    else:
        publish_dataset(options.repo, options.send, options.public)
