"""A page of headings, text, tables and pictures, as Markdown and as one HTML file that needs nothing beside it.

The HTML is light or dark as its reader's system is, holds its pictures, and may load nothing. What models said is shown
as text in both, never as code.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from helpers.picture import Picture

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #111; --soft: #595959; --line: #c4c4c4; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171a; --ink: #f2f2f2; --soft: #b5b5b5; --line: #54585c; } }
body { background: var(--ground); color: var(--ink); font: 18px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 1024px; padding: 0 1rem; }
h1 { line-height: 1.2; } h2 { margin-top: 3rem; } .small { color: var(--soft); font-size: 16px; }
table.said { font-size: 24px; width: 100%; } img { width: 100%; height: auto; } .wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 16px; } th { text-align: left; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .8rem .3rem 0; vertical-align: top;
  max-width: 20em; overflow-wrap: break-word; }
"""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class Heading:
    text: str


@dataclass(frozen=True)
class Text:
    lines: Sequence[str]


@dataclass(frozen=True)
class Table:
    """`said`: what is said aloud, in large letters."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    said: bool = False


@dataclass(frozen=True)
class Shown:
    """One picture in its two looks."""

    light: Picture
    dark: Picture


Block = Heading | Text | Table | Shown


def markdown(title: str, blocks: Sequence[Block], folder: Path) -> str:
    """For a file in the folder: pictures are named by their place in it."""
    return "\n\n".join([f"# {_plain(title)}", *(_as_markdown(block, folder) for block in blocks)]) + "\n"


def _as_markdown(block: Block, folder: Path) -> str:
    match block:
        case Heading(text):
            return f"## {_plain(text)}"
        case Text(lines):
            return "\n\n".join(map(_plain, lines))
        case Table(head, rows):
            cells = [[_plain(cell) for cell in row] for row in (head, *rows)]
            cells.insert(1, ["---"] * len(head))
            return "\n".join(f"| {' | '.join(row)} |" for row in cells)
        case Shown(light, _):
            return f"![{_plain(light.alt)}]({light.path.relative_to(folder).as_posix()})"


def html(title: str, blocks: Sequence[Block]) -> str:
    head = f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    head += f'<meta name="viewport" content="width=device-width"><title>{_escaped(title)}</title><style>{STYLE}</style>'
    body = "\n".join([f"<h1>{_escaped(title)}</h1>", *map(_as_html, blocks)])
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>{body}\n</body></html>\n'


def _as_html(block: Block) -> str:
    match block:
        case Heading(text):
            return f"<h2>{_escaped(text)}</h2>"
        case Text(lines):
            return "".join(f'<p class="small">{_escaped(line)}</p>' for line in lines)
        case Table(head, rows, said):
            ruled = _row("th", head) + "".join(_row("td", row) for row in rows)
            return f'<div class="wide"><table{" class=said" if said else ""}>{ruled}</table></div>'
        case Shown(light, dark):
            source = f'<source srcset="{_inline(dark)}" media="(prefers-color-scheme: dark)">'
            return f'<p><picture>{source}<img src="{_inline(light)}" alt="{escape(light.alt)}"></picture></p>'


def _row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{_escaped(cell)}</{tag}>' for cell in cells)}</tr>\n"


def _inline(picture: Picture) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture.path.read_bytes()).decode()}"


def _escaped(text: str) -> str:
    return escape(_printable(text)).replace("\n", "<br>")


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, in a table cell too."""
    return re.sub(r"([\\`*_{}\[\]|#~$])", r"\\\1", escape(_printable(text), quote=False)).replace("\n", "<br>")


def _printable(text: str) -> str:
    """Without escape sequences and marks that turn the writing round: a model may say anything."""
    return "".join(c for c in text if c == "\n" or c.isprintable())
