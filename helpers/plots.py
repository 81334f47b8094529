"""Pictures for the projector: readable at 1024 x 768 from the last row, and without telling colours apart.

A picture is a function that paints on a figure in a `Look` (light or dark) and returns what it shows in words. `save`
makes a PNG of it, whole or not at all, with those words inside. The pictures of a report are in `report_plots`.
"""

import base64
import json
import os
import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from helpers.dialogue import KINDS, ROLES, Dialogue, read_text
from helpers.errors import UserError
from helpers.personas import PERSONAS

SIZE, DPI = (10.24, 7.68), 100
LEFT = 0.02  # where titles begin, in widths of the figure


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
        "font.family": "DejaVu Sans",  # the one font that matplotlib brings: the same picture on every machine
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
    lines = textwrap.wrap(small_print, 100)
    figure.text(LEFT, 0.014, "\n".join(lines), fontsize=12, va="bottom", color=look.soft)
    top, bottom, left = 0.885, 0.03 + 0.027 * len(lines), 0.01
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


def unmeasured(axes, reason: str) -> None:
    """Instead of a number that nobody has."""
    axes.text(0.5, 0.5, "\n".join(textwrap.wrap(reason, 34)), ha="center", va="center", transform=axes.transAxes)


def loss_curve(path: Path, out: Path, look: Look = LIGHT) -> Picture:
    """The loss over the steps of a fine-tune, from its JSONL of {step, loss} and {step, eval_loss}."""
    points = _points(path)

    def paint(figure, look: Look) -> str:
        axes = figure.subplots()
        said = []
        for key, label, colour, style in (
            ("loss", "training", look.tuned, {"linewidth": 2}),
            ("eval_loss", "validation", look.base, {"linewidth": 3, "marker": "o", "markersize": 9}),
        ):
            chosen = [(p["step"], p[key]) for p in points if key in p]
            if chosen:
                axes.plot(*zip(*chosen, strict=True), color=colour, label=label, **style)
                (first, before), (last, after) = chosen[0], chosen[-1]
                said.append(f"{label} loss from {before:.2f} at step {first} to {after:.2f} at step {last}")
        axes.legend(fontsize=18)
        axes.set(xlabel="step", ylabel="loss", title="The fine-tune learns", yscale="log")
        _plain_ticks(axes.yaxis)
        return f"Line chart of a fine-tune: {'; '.join(said)}."

    return save(paint, out, look)


def dataset_picture(dialogues: Sequence[Dialogue], out: Path, look: Look = LIGHT) -> Picture:
    """A data set at a glance, triggers against controls: how many of each kind, how long the answers are, how the
    prompts open, and which persona shows friction."""
    if not dialogues:
        raise UserError("There is no dialogue to draw. Repeat the step that makes the data.")
    words = {role: [len(d.final_answer.split()) for d in dialogues if d.role == role] for role in ROLES}
    kinds = Counter((d.role, d.kind) for d in dialogues)
    moments = Counter((d.role, a.agent_type) for d in dialogues for a in d.agents for _ in a.friction_moments)
    openings = Counter(d.user_input.split()[0].strip(".,:;!?\"'").lower() for d in dialogues)
    size = f"{len(dialogues)} dialogues in {len({d.pair_id for d in dialogues})} pairs"

    def paint(figure, look: Look) -> str:
        (of_kinds, lengths), (first_words, of_personas) = figure.subplots(2, 2)
        looks = {  # told apart by hatching too
            "trigger": {"color": look.base, "hatch": "//", "edgecolor": look.ground},
            "control": {"color": look.tuned},
        }
        for place, role in ((-0.2, "trigger"), (0.2, "control")):
            bars = of_kinds.barh([i + place for i in range(4)], [kinds[role, k] for k in KINDS], 0.38, **looks[role])
            of_kinds.bar_label(bars, padding=3, fontsize=13)
            spots, counts = [i + place for i in range(len(PERSONAS))], [moments[role, p.name] for p in PERSONAS]
            bars = of_personas.barh(spots, counts, 0.38, label=role, **looks[role])
            of_personas.bar_label(bars, padding=3, fontsize=12)
        _names(of_kinds, KINDS, "dialogues a kind")
        _names(of_personas, [p.name.replace(" ", "\n") for p in PERSONAS], "friction moments a persona", 12)
        longest = max(map(max, filter(None, words.values())))
        edges = range(0, longest + longest // 14 + 2, longest // 14 + 1)
        for role, counted in words.items():
            style = {"histtype": "step", "linewidth": 3, "linestyle": "--" if role == "trigger" else "-"}
            lengths.hist(counted, edges, color=looks[role]["color"], **style)
        lengths.set_title("answers by length in words")
        common = openings.most_common(8)
        bars = first_words.barh(range(len(common)), [n for _, n in common], 0.6, color=look.soft)
        first_words.bar_label(bars, padding=3, fontsize=12)
        _names(first_words, [f"{word} .." for word, _ in common], "first words of prompts", 12)
        for axes in (of_kinds, first_words, of_personas):
            axes.margins(x=0.15)
        handles, labels = of_personas.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=2)
        figure.suptitle(size, x=0.02, ha="left", fontsize=20)
        return _in_words()

    def _in_words() -> str:
        told = [f"{k}: {kinds['trigger', k]} triggers, {kinds['control', k]} controls" for k in KINDS]
        counted = sorted(n for role in ROLES for n in words[role])
        shown = [f"{p.name} {moments['trigger', p.name] + moments['control', p.name]}" for p in PERSONAS]
        word, uses = openings.most_common(1)[0]
        return (
            f"{size}. {'; '.join(told)}. Answers have {counted[0]} to {counted[-1]} words, half of them "
            f"{counted[len(counted) // 2]} or fewer. The commonest first word of a prompt, {word!r}, opens {uses} of "
            f"them. Friction moments: {', '.join(shown)}."
        )

    return save(paint, out, look)


def _names(axes, names: Sequence[str], title: str, size: int = 14) -> None:
    """Bars from the top, each with its name; the numbers stand on the bars, so the axis needs none."""
    axes.set_yticks(range(len(names)), names, fontsize=size)
    axes.invert_yaxis()
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.set_title(title)


def _points(path: Path) -> list[dict]:
    points = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        try:
            point = json.loads(line)
            point["step"], point["loss" if "loss" in point else "eval_loss"]
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise UserError(
                f"{path}, line {number}: expected {{step, loss}} or {{step, eval_loss}}. Repeat the fine-tune."
            ) from error
        points.append(point)
    if not points:
        raise UserError(f"{path} is empty: no step has been logged. Repeat the fine-tune.")
    return points


def _plain_ticks(axis) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())
