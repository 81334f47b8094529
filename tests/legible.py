"""What of a picture is text, as it is really drawn: how large, where, and on what ground."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from helpers.picture import contrast

SCREEN = (1024, 768)
SMALLEST = 14  # pixels
LEAST_CONTRAST = 3.0  # of large letters, as WCAG 2.2 asks (1.4.3); those of the small print get more


@dataclass(frozen=True)
class Drawn:
    text: str
    size: float
    box: tuple[float, float, float, float]  # left, top, right, bottom in pixels
    contrast: float


def drawn_texts(figure) -> list[Drawn]:
    """Every line of text that reaches the canvas, with the contrast to what was there before it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg

    found = []

    class Listening(RendererAgg):
        def draw_text(self, gc, x, y, s, prop, angle, ismath=False, mtext=None):
            width, height, descent = self.get_text_width_height_descent(s, prop, ismath)
            assert angle in (0, 90), f"{s!r} is turned by {angle}"
            upright = (x, y + descent - height, x + width, y + descent)
            box = upright if angle == 0 else (x + descent - height, y - width, x + descent, y)
            found.append(Drawn(s, prop.get_size_in_points() * self.dpi / 72, box, self._contrast(gc, box)))
            super().draw_text(gc, x, y, s, prop, angle, ismath, mtext)

        def _contrast(self, gc, box):
            import numpy as np

            left, top, right, bottom = (max(0, round(edge)) for edge in box)
            behind = np.asarray(self.buffer_rgba())[top : bottom + 1, left : right + 1, :3].reshape(-1, 3)
            return contrast(gc.get_rgb()[:3], tuple(np.median(behind, axis=0) / 255)) if len(behind) else 0.0

    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # the layout is settled now
    width, height = canvas.get_width_height()
    assert (width, height) == SCREEN
    figure.draw(Listening(width, height, figure.dpi))
    return [text for text in found if text.text.strip()]


def faults(figure) -> list[str]:
    """What cannot be read from the last row: too small, outside, on top of each other, too pale."""
    return faults_of(drawn_texts(figure))


def faults_of(texts: Sequence[Drawn]) -> list[str]:
    found = [f"{t.size:.1f} px: {t.text}" for t in texts if t.size < SMALLEST]
    found += [f"outside: {t.text} {t.box}" for t in texts if not _inside(t.box)]
    found += [f"contrast {t.contrast:.1f}: {t.text}" for t in texts if t.contrast < LEAST_CONTRAST]
    return found + [f"{a.text!r} over {b.text!r}" for a, b in combinations(texts, 2) if _overlap(a.box, b.box)]


def _inside(box) -> bool:
    return box[0] >= 0 and box[1] >= 0 and box[2] <= SCREEN[0] and box[3] <= SCREEN[1]


def _overlap(a, b) -> bool:
    return min(a[2], b[2]) - max(a[0], b[0]) > 0.5 and min(a[3], b[3]) - max(a[1], b[1]) > 0.5
