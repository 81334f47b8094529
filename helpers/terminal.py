"""Two replies side by side in a terminal, as they are written; plain lines where there is no terminal.

Rows are printed from the top, each when it is final in both columns, so nothing is ever redrawn but the row that is
being written: that works in any height, in a pipe, and in a recording.
"""

import itertools
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from typing import TextIO

from helpers import chat

NARROWEST = 30  # characters a column; below, the replies stand one under the other
DIM, PLAIN = "\x1b[2m", "\x1b[0m"
# C0 but newline, DEL and C1 (among them the one-byte CSI), and what reverses or hides text.
UNSAFE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def safe(text: str) -> str:
    """Text that a terminal shows and does not obey: what would steer it appears as its code."""
    return UNSAFE.sub(lambda match: " " if match[0] == "\t" else f"\\x{ord(match[0]):02x}", text)


def rows(text: str, width: int, finished: bool = True) -> list[tuple[bool, str]]:
    """(is thought, line) rows of a reply, set apart by words and indent; each line fits the width.

    text: as `Model.stream` gives it, whole or its beginning. Appending to it changes no row but the last.
    """
    head, opening, rest = text.partition(chat.THINK)
    if opening:
        thought, closing, answer = rest.partition(chat.END_THINK)
    else:
        thought, closing, answer = "", chat.END_THINK, head
    made = []
    if thought.strip():
        made += [(True, line) for line in _wrapped(f"thinking: {thought.strip()}", width, "  ")]
    if answer.strip():
        made += [(False, line) for line in _wrapped(f"answer: {answer.replace(chat.END_THINK, '').strip()}", width, "")]
    elif finished:
        made.append((False, "answer: (empty)" if closing else "answer: (broke off)"))
    return made


def width_of(text: str) -> int:
    """Columns that a terminal needs: two for wide East Asian characters, none for combining marks."""
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def show(titles: Sequence[str], streams: Sequence[Iterator[str]], out: TextIO | None = None) -> list[str]:
    """Write two streams side by side as they come; returns their texts. Below NARROWEST they are stacked."""
    out = out or sys.stdout
    total = max(20, shutil.get_terminal_size((100, 24)).columns - 1)
    bar = " │ " if _can_write("│", out) else " | "
    width = (total - len(bar)) // 2
    if width >= NARROWEST:
        return _columns(titles, streams, width, bar, out)
    return [_columns([title], [stream], total, bar, out)[0] for title, stream in zip(titles, streams, strict=True)]


def _columns(titles: Sequence[str], streams: Sequence[Iterator[str]], width: int, bar: str, out: TextIO) -> list[str]:
    texts, open_ = [""] * len(streams), [True] * len(streams)
    heads = [[(False, line) for line in _wrapped(safe(title), width, "")] for title in titles]
    for row in itertools.zip_longest(*heads, fillvalue=(False, "")):
        _write(row, width, bar, out, "\n")
    shown = 0
    while any(open_):
        for i, stream in enumerate(streams):  # one piece each in turn, so both are seen to write
            if open_[i]:
                piece = next(stream, None)
                open_[i] = piece is not None
                texts[i] += piece or ""
        sides = [rows(safe(text), width, not going) for text, going in zip(texts, open_, strict=True)]
        final = min((len(side) - 1 for side, going in zip(sides, open_, strict=True) if going), default=None)
        last = max(map(len, sides)) if final is None else final
        for place in range(shown, last):
            _write(_row(sides, place), width, bar, out, "\n")
        shown = max(shown, last)
        if final is not None and out.isatty():
            _write(_row(sides, shown), width, bar, out, "\r")
    out.flush()
    return texts


def _row(sides: list[list[tuple[bool, str]]], place: int) -> list[tuple[bool, str]]:
    return [side[place] if place < len(side) else (False, "") for side in sides]


def _write(row: Sequence[tuple[bool, str]], width: int, bar: str, out: TextIO, end: str) -> None:
    cells = [_dimmed(line, thought, out) + " " * (width - width_of(line)) for thought, line in row]
    line = bar.join(cells)
    out.write((line if out.isatty() else line.rstrip()) + end)  # on a terminal the blanks cover what stood there
    out.flush()


def _dimmed(line: str, thought: bool, out: TextIO) -> str:
    return f"{DIM}{line}{PLAIN}" if thought and line and _has_colour(out) else line


def _has_colour(out: TextIO) -> bool:
    """On a terminal that understands it, unless NO_COLOR (no-color.org) asks for none."""
    understood = os.environ.get("WT_SESSION") if sys.platform == "win32" else os.environ.get("TERM", "dumb") != "dumb"
    return out.isatty() and not os.environ.get("NO_COLOR") and bool(understood)


def _can_write(character: str, out: TextIO) -> bool:
    try:
        character.encode(getattr(out, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    """Lines of at most `width` columns, filled word by word; all but the first begin with the indent.

    By hand, since `textwrap` counts characters, of which some take two columns.
    """
    made = []
    for number, paragraph in enumerate(text.split("\n")):
        line = indent if number else ""
        begun = len(made)
        for word in re.findall(r"\s*\S+", paragraph):
            if line.strip() and width_of(line + word) > width:
                made.append(line)
                line = indent + word.lstrip()
            else:
                line += word
            while width_of(line) > width:  # a word longer than a line
                fits = next(i for i in range(len(line), 0, -1) if width_of(line[:i]) <= width)
                made.append(line[:fits])
                line = indent + line[fits:]
        if line.strip() or len(made) > begun:
            made.append(line)
    return made
