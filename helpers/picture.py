"""A picture for the projector: readable at 1024 x 768 from the last row, and without telling colours apart.

What paints it is a function that takes a figure and a `Look` (light or dark) and returns in words what it shows. `save`
makes a PNG of it, whole or not at all, with those words inside. `fitted` and `drawable` are for text in it: how much of
it fits, and what of it the font can draw.
"""

import base64
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from pathlib import Path
from textwrap import wrap

from helpers.errors import UserError

SIZE, DPI = (10.24, 7.68), 100
LEFT = 0.02  # where titles begin, in widths of the figure
FONT = "DejaVu Sans"  # matplotlib brings it: the same picture on every machine
IN_SIGHT = 300  # characters of a reply that can matter in a picture; the page has more of it
HINTING = 0.95  # on the canvas letters stand on whole pixels, and a line may come out wider than it is by measure


@dataclass(frozen=True)
class Look:
    """Colours: ground and ink of the page, soft (lesser words), faint (lines behind), and those that stand for a model.

    The models have Okabe and Ito's colours, which everyone can tell apart; in the dark their lighter ones.
    """

    name: str
    ground: str
    ink: str
    soft: str
    faint: str
    base: str
    tuned: str
    asked: str
    exhibit: str


LIGHT = Look("light", "#FFFFFF", "#111111", "#595959", "#C4C4C4", "#D55E00", "#0072B2", "#009E73", "#CC79A7")
DARK = Look("dark", "#14171A", "#F2F2F2", "#B5B5B5", "#54585C", "#E69F00", "#56B4E9", "#00B386", "#CC79A7")
LOOKS = (LIGHT, DARK)

Paint = Callable[..., str]  # (figure, look) -> what the picture shows, in words


@dataclass(frozen=True)
class Picture:
    """A picture in its file, and what it shows in words. It can stand wherever a path can, and a notebook shows it."""

    path: Path
    alt: str

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        image = base64.b64encode(self.path.read_bytes()).decode()
        return {"image/png": image, "text/plain": self.alt}, {"image/png": {"alt": self.alt, "width": 720}}


def render(paint: Paint, look: Look = LIGHT):
    """(figure, what it shows in words). The figure is no pyplot's, so no display and no state is touched."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_style(look)):
        figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
        alt = paint(figure, look)
        figure.draw_without_rendering()  # ticks are made now, in this style
    return figure, alt


def save(paint: Paint, out: Path, look: Look = LIGHT) -> Picture:
    """The picture as PNG, 1024 x 768, the words in its metadata; renamed into place when it is whole."""
    figure, alt = render(paint, look)
    temporary = out.with_name(out.name + ".part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(temporary, format="png", metadata={"Description": alt})
        os.replace(temporary, out)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise UserError(f"cannot write {out}: {error.strerror}. What was there before is unchanged.") from error
    return Picture(out, alt)


def _style(look: Look) -> dict:
    of_look = {
        look.ground: ("figure.facecolor", "axes.facecolor", "savefig.facecolor"),
        look.ink: ("text.color", "axes.labelcolor", "axes.titlecolor", "xtick.labelcolor", "ytick.labelcolor"),
        look.soft: ("axes.edgecolor", "xtick.color", "ytick.color"),
    }
    return {name: colour for colour, names in of_look.items() for name in names} | {
        "font.family": FONT,
        "font.size": 16,
        "axes.labelsize": 16,
        "axes.titlesize": 18,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "figure.labelsize": 18,
        "legend.frameon": False,
        "lines.solid_capstyle": "round",
        "text.parse_math": False,  # a dollar sign in a reply is a dollar sign
    }


def frame(
    figure, look: Look, title: str, hint: str, small_print: str,
    legend: Sequence[tuple[str, dict]] = (), labels: tuple[str, str] | None = None,
) -> None:  # fmt: skip
    """What stands around a picture: title, how to read it, what the marks mean, and the small print below.

    legend: (name, style) of marks, or of bars where the style has a facecolor. labels: of the axes all panels share.
    """
    figure.text(LEFT, 0.98, title, fontsize=22, weight="bold", va="top")
    figure.text(LEFT, 0.925, hint, fontsize=15, va="top", color=look.soft)
    small_print = fitted(small_print, across(1 - 2 * LEFT), 12, 2)
    figure.text(LEFT, 0.014, small_print, fontsize=12, va="bottom", color=look.soft)
    top, bottom, left = 0.885, 0.057 + 0.027 * small_print.count("\n"), 0.01
    if legend:
        top -= 0.036 * _legend(figure, legend) + 0.012
    if labels:
        figure.text(0.5, bottom, labels[0], fontsize=16, ha="center", va="bottom")
        figure.text(LEFT, (top + bottom) / 2, labels[1], fontsize=16, rotation=90, ha="center", va="center")
        bottom, left = bottom + 0.035, 0.04
    figure.get_layout_engine().set(rect=(left, bottom, 0.99 - left, top - bottom), hspace=0.06, wspace=0.04)


def _legend(figure, legend: Sequence[tuple[str, dict]]) -> int:
    """Below the hint, read along the lines; returns how many lines it takes."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = {name: (Patch if "facecolor" in style else partial(Line2D, [], []))(**style) for name, style in legend}
    columns = len(handles) if len(handles) < 5 else 3
    lines = -(-len(handles) // columns)
    order = [i for column in range(columns) for i in range(column, len(handles), columns)]  # it fills columns first
    names, drawn = list(handles), list(handles.values())
    place = {"loc": "upper left", "bbox_to_anchor": (LEFT - 0.008, 0.892), "borderpad": 0, "handletextpad": 0.4}
    figure.legend(
        [drawn[i] for i in order], [names[i] for i in order], ncols=columns, fontsize=14, columnspacing=1.6, **place
    )
    return lines


def across(share: float) -> float:
    """A share of the figure's width in points."""
    return share * SIZE[0] * 72


def unmeasured(axes, reason: str) -> None:
    """Instead of a number that nobody has."""
    behind = {"facecolor": axes.get_facecolor(), "edgecolor": "none", "pad": 3}
    at = {"ha": "center", "va": "center", "transform": axes.transAxes}
    axes.text(0.5, 0.5, fitted(reason, across(0.3), 16, 3), bbox=behind, **at)


def contrast(one, other) -> float:
    """WCAG's contrast of two colours, from 1 (none) to 21; 4.5 is what it asks of text, 3 of large text."""
    from matplotlib.colors import to_rgb

    def luminance(colour) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


# -- text in a picture ---------------------------------------------------------------------------------------------


def fitted(text: str, width: float, size: float, lines: int, bold: bool = False) -> str:
    """The text in so many lines at most, none wider than `width` (in points, at a font size in points); cut with " ..".

    It is measured, since letters differ in width and a reply may be in any language.
    """
    text = drawable(text)
    for columns in range(140, 8, -2):
        wrapped = wrap(text, columns, max_lines=lines, placeholder=" ..") or [""]
        if max(_width(line, bold) for line in wrapped) * size <= HINTING * width:
            break
    return "\n".join(wrapped)


def drawable(text: str) -> str:
    """What a model said, for a picture: one line, no control characters, a box for what the font does not have."""
    plain = " ".join("".join(c for c in text[:IN_SIGHT] if c.isprintable() or c.isspace()).split())
    return "".join(c if ord(c) in _glyphs() else "\N{WHITE SQUARE}" for c in plain)


@cache
def _glyphs() -> frozenset[int]:
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont(FONT)).get_charmap())


@lru_cache(1000)
def _width(line: str, bold: bool) -> float:
    """In ems: times the size of the font in points, the width in points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=FONT, size=100, weight="bold" if bold else "normal")
    return text_to_path.get_text_width_height_descent(line, font, False)[0] / 100
