"""`report.json`: written whole or not at all, read only where it is understood, with what it was measured with."""

import hashlib
import json
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from helpers import __version__
from helpers.dialogue import read_text, write_text
from helpers.errors import UserError

SCHEMA = 2
PACKAGES = ("torch", "transformers", "peft", "trl", "unsloth", "llama-cpp-python", "scipy", "statsmodels")


def write_report(path: Path, report: dict) -> Path:
    return write_text(path, _lines(report) + "\n")


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


def hash_of(files: Sequence[Path]) -> str:
    """SHA-256 over the files in the order of their names; line ends of Windows count as those of Unix."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def versions() -> dict[str, str]:
    found = {"push-back-ai": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _lines(node: object, depth: int = 0) -> str:
    """JSON with one line for what fits on it: a rate, or the verdicts of a kind, and not one for every number."""
    if isinstance(node, dict) and any(isinstance(value, (dict, list)) for value in node.values()):
        items = [f"{json.dumps(key)}: {_lines(value, depth + 1)}" for key, value in node.items()]
        opening, closing = "{", "}"
    elif isinstance(node, list) and any(isinstance(item, dict) for item in node):
        items, opening, closing = [_lines(item, depth + 1) for item in node], "[", "]"
    else:
        return json.dumps(node, ensure_ascii=False, allow_nan=False)
    inner = "\n" + " " * (depth + 1)
    return f"{opening}{inner}{f',{inner}'.join(items)}\n{' ' * depth}{closing}"
