"""Text for pictures: what of it the font can draw, and how much of it fits."""

from functools import cache, lru_cache
from textwrap import wrap

FONT = "DejaVu Sans"  # matplotlib brings it: the same picture on every machine
IN_SIGHT = 300  # characters of a reply that can matter in a picture; the page has more of it
HINTING = 0.95  # on the canvas letters stand on whole pixels, and a line may come out wider than it is by measure


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
