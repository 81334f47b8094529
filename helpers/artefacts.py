"""Finding a model's files, and naming the one that is missing or damaged before a library trips over it."""

import hashlib
import json
import os
import re
from pathlib import Path

from helpers.errors import UserError

ROOT = Path(__file__).resolve().parent.parent
REPAIR = "Restore it (git checkout), or repeat the step that made it."


def find(name: str | Path) -> Path | None:
    """The file or folder meant, here or in the repository (notebooks run one folder below); None: look on the Hub."""
    for path in (Path(name), ROOT / name):
        if path.exists():
            return path
    if on_hub(str(name)):
        return None
    raise UserError(
        f"{name} is missing. Expected a model folder, an adapter folder, a .gguf file or a Hub id such as org/model; "
        "`python -m helpers demo` makes the course's own."
    )


def on_hub(name: str) -> bool:
    """Whether it can only be a Hub id such as org/model: no folder org lies here."""
    is_id = re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not name.endswith(".gguf")
    return bool(is_id) and not any((place / name).parent.exists() for place in (Path(), ROOT))


def parts(folder: Path) -> tuple[Path | str, Path | None]:
    """(base, adapter folder or None). An adapter names its base: a folder, even of another machine, or a Hub id."""
    if not (folder / "adapter_config.json").exists():
        if not (folder / "config.json").exists():
            raise UserError(f"{folder} holds no model: expected config.json or adapter_config.json in it.")
        return folder, None
    named = base_named(folder)
    tail = Path(*re.split(r"[\\/]+", named.strip("\\/"))[-2:])
    for base in (Path(named), folder / named, ROOT / named, ROOT / tail):
        if named and (base / "config.json").exists():
            return base, folder
    if on_hub(named):
        return named, folder
    raise UserError(f"{folder / 'adapter_config.json'}: its base model {named!r} is not here. Put the folder there.")


def base_named(folder: Path) -> str:
    """The base that an adapter folder names; "" for a folder that is no adapter."""
    config = folder / "adapter_config.json"
    return str(read_json(config).get("base_model_name_or_path") or "") if config.exists() else ""


def check(folder: Path) -> None:
    """Raise a UserError that names the first file of a model or an adapter that is missing, cut short or damaged."""
    weights = sorted(folder.glob("*.safetensors"))
    for path in (*folder.glob("*.json"), *weights):
        if path.suffix == ".json":
            read_json(path)
        else:
            check_safetensors(path)
    if not weights and not list(folder.glob("*.bin")):
        raise UserError(f"{folder} holds no weights: expected a .safetensors file in it. {REPAIR}")
    tokenizers = ("tokenizer.json", "tokenizer.model", "vocab.json")
    if (folder / "config.json").exists() and not any((folder / name).exists() for name in tokenizers):
        raise UserError(f"{folder} holds no tokenizer: expected tokenizer.json in it. {REPAIR}")


def check_safetensors(path: Path) -> None:
    """Compare the file's size with what its header promises."""
    size, (wanted, _) = path.stat().st_size, header(path)
    if size != wanted:
        raise UserError(f"{path} is damaged: it is {size} bytes long, its header speaks of {wanted}. {REPAIR}")


def header(path: Path) -> tuple[int, dict[str, dict]]:
    """(size in bytes that the file should have, {tensor name: {"dtype", "shape", "data_offsets"}}).

    The layout is that of github.com/huggingface/safetensors; reading it takes no library and no memory.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            table = json.loads(file.read(min(length, path.stat().st_size)))
        table.pop("__metadata__", None)
        return 8 + length + max((entry["data_offsets"][1] for entry in table.values()), default=0), table
    except FileNotFoundError:
        raise UserError(f"{path} is missing. {REPAIR}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{path} is damaged: its header cannot be read. {REPAIR}") from None


def read_json(path: Path) -> dict:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError(f"expected an object, got {type(found).__name__}")
        return found
    except FileNotFoundError:
        raise UserError(f"{path} is missing. {REPAIR}") from None
    except ValueError as error:
        raise UserError(f"{path} is damaged: {error}. {REPAIR}") from None


def identity(*paths: Path | None) -> str:
    """A hash of weights and settings, over files and folders; of large files it takes the ends and the size. Cards and
    records beside them (.md, .jsonl) do not count."""
    digest = hashlib.sha256()
    for path in filter(None, paths):
        files = sorted(p for p in path.iterdir() if p.suffix not in (".md", ".jsonl")) if path.is_dir() else [path]
        for one in filter(Path.is_file, files):
            size = one.stat().st_size
            digest.update(f"{one.name} {size} ".encode())
            with one.open("rb") as file:
                if size > 1 << 28:
                    digest.update(file.read(1 << 20))
                    file.seek(-(1 << 20), os.SEEK_END)
                digest.update(file.read())
    return digest.hexdigest()
