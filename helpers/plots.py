"""Pictures for the projector: readable at 1024 x 768 from the last row, and without telling colours apart.

Every picture is drawn from an artefact (a loss curve, a report), saved as PNG whole or not at all, and has a text that
says the same in words, for those who cannot see it.
"""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from helpers.dialogue import read_text
from helpers.errors import UserError

SIZE, DPI = (10.24, 7.68), 100
BASE_COLOUR, TUNED_COLOUR, GREY = "#D55E00", "#0072B2", "#767676"  # Okabe and Ito's palette: told apart by everyone


def loss_curve(path: Path, out: Path) -> Path:
    """The loss over the steps of a fine-tune, from its JSONL of {step, loss} and {step, eval_loss}; returns `out`."""
    points = _points(path)

    def draw(figure) -> None:
        axes = figure.subplots()
        for key, label, colour, style in (
            ("loss", "training", TUNED_COLOUR, {"linewidth": 2}),
            ("eval_loss", "validation", BASE_COLOUR, {"linewidth": 3, "marker": "o", "markersize": 9}),
        ):
            steps, losses = [p["step"] for p in points if key in p], [p[key] for p in points if key in p]
            if not steps:
                continue
            axes.plot(steps, losses, color=colour, label=label, **style)
        axes.legend(frameon=False, fontsize=18)
        axes.set(xlabel="step", ylabel="loss", title="The fine-tune learns", yscale="log")
        _plain_ticks(axes.yaxis)

    return _save(draw, out)


def loss_curve_alt(path: Path) -> str:
    """The loss curve in words."""
    points = _points(path)
    said = []
    for key, label in (("loss", "training"), ("eval_loss", "validation")):
        chosen = [p for p in points if key in p]
        if chosen:
            (first, before), (last, after) = ((p["step"], p[key]) for p in (chosen[0], chosen[-1]))
            said.append(f"{label} loss from {before:.2f} at step {first} to {after:.2f} at step {last}")
    return "Line chart of a fine-tune: " + "; ".join(said) + "."


def friction_map(report: dict, out: Path) -> Path:
    """Friction on triggers (H) against friction on controls (F), an arrow from base to tuned for each kind.

    One panel a kind: a good model has all four in the same corner. On a dashed line J = H - F is the same; on the
    diagonal a model objects as often without reason as with it. Bars are 95 % intervals. Returns `out`.
    """

    def draw(figure) -> None:
        panels = figure.subplots(2, 2, sharex=True, sharey=True).flat
        for axes, corner in zip(panels, _corners(report), strict=False):
            _panel(axes, *corner)
        figure.suptitle("Pushes back when it should, and only then", fontsize=22)
        figure.supxlabel(f"F: friction where nothing is wrong\n{report['label']}", fontsize=16)
        figure.supylabel("H: friction where it is due")
        figure.get_layout_engine().set(hspace=0.06, wspace=0.04)

    return _save(draw, out)


def _panel(axes, kind: str, base: dict, tuned: dict) -> None:
    for j in (0.0, 0.25, 0.5, 0.75):
        axes.plot([0, 1 - j], [j, 1], color=GREY, linestyle="--" if j else "-", linewidth=1, zorder=1)
        at = 0.6 * (1 - j)
        label = {0.0: "J = 0: no better than chance", 0.75: ""}.get(j, f"J = {j:g}")  # no room at the corner
        along = {"rotation": 45, "rotation_mode": "anchor", "transform_rotates_text": True, "ha": "center", "va": "top"}
        axes.text(at, at + j - 0.02, label, color=GREY, fontsize=12, zorder=1, **along)
    head = {"arrowstyle": "-|>,head_width=.35,head_length=.7", "color": "black", "linewidth": 1.5}
    axes.annotate("", _point(tuned), _point(base), zorder=2, arrowprops={**head, "shrinkA": 10, "shrinkB": 10})
    for name, numbers, colour, filling in (
        ("base", base, BASE_COLOUR, "white"),
        ("tuned", tuned, TUNED_COLOUR, TUNED_COLOUR),
    ):
        x, y = _point(numbers)
        dot = {"marker": "o", "markersize": 13, "markeredgewidth": 2.5, "markerfacecolor": filling, "elinewidth": 2}
        bars = {"xerr": _bar(numbers["F"]), "yerr": _bar(numbers["H"])}
        axes.errorbar(x, y, **bars, **dot, color=colour, clip_on=False, zorder=3)
        low = y < 0.5
        at = {"x": x + 0.04, "y": y + (0.03 if low else -0.02), "va": "bottom" if low else "top"}
        behind = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
        axes.text(**at, s=name, color=colour, weight="bold", zorder=4, bbox=behind)
    axes.set_title(f"{kind}: J {base['J']['value']:.2f} to {tuned['J']['value']:.2f}")
    axes.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))


def friction_map_alt(report: dict) -> str:
    """The friction map in words."""
    said = []
    for kind, base, tuned in _corners(report):
        (f, h), (tuned_f, tuned_h) = _point(base), _point(tuned)
        said.append(f"{kind}: base H {h:.2f}, F {f:.2f}; tuned H {tuned_h:.2f}, F {tuned_f:.2f}")
    return f"Friction where it is due (H) against friction where it is not (F). {'. '.join(said)}. {report['label']}."


def _corners(report: dict) -> list[tuple[str, dict, dict]]:
    """(kind, numbers of the base, numbers of the worst tuned model) for every kind."""
    base, worst = report["models"]["base"]["kinds"], report["worst"]["kinds"]
    if not worst:
        raise UserError("the report holds no kind of friction: run `python -m helpers evaluate` again.")
    return [(kind, base[kind], worst[kind]) for kind in worst]


def _point(numbers: dict) -> tuple[float, float]:
    return numbers["F"]["value"], numbers["H"]["value"]


def _bar(rate: dict) -> list[list[float]]:
    return [[max(0.0, rate["value"] - rate["low"])], [max(0.0, rate["high"] - rate["value"])]]


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


def _save(draw: Callable, out: Path) -> Path:
    """Draw on a figure of its own (no pyplot, so no display and no state is touched) and rename it into place."""
    import matplotlib
    from matplotlib.figure import Figure

    style = {
        "font.size": 16,
        "axes.labelsize": 18,
        "axes.titlesize": 18,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "figure.labelsize": 18,
        "lines.solid_capstyle": "round",
    }
    with matplotlib.rc_context(style):
        figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
        draw(figure)
        temporary = out.with_name(out.name + ".part")
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(temporary, format="png")
            os.replace(temporary, out)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            raise UserError(f"cannot write {out}: {error.strerror}. What was there before is unchanged.") from error
    return out
