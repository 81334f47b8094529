"""Pictures for the projector: readable at 1024 x 768 from the last row, and without telling colours apart.

Every picture is drawn from an artefact (a loss curve, a report), saved as PNG whole or not at all, and has a text that
says the same in words, for those who cannot see it.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from helpers.dialogue import KINDS, ROLES, Dialogue, read_text
from helpers.errors import UserError
from helpers.personas import PERSONAS

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


def dataset_picture(dialogues: Sequence[Dialogue], out: Path) -> Path:
    """A data set at a glance, triggers against controls: how many of each kind, how long the answers are, how the
    prompts open, and which persona shows friction. Returns `out`."""
    _some(dialogues)
    looks = {  # told apart by hatching too
        "trigger": {"color": BASE_COLOUR, "hatch": "//", "edgecolor": "white"},
        "control": {"color": TUNED_COLOUR},
    }

    def draw(figure) -> None:
        (counts, lengths), (openings, moments) = figure.subplots(2, 2)
        for place, role in ((-0.2, "trigger"), (0.2, "control")):
            mine = [d for d in dialogues if d.role == role]
            kinds = Counter(d.kind for d in mine)
            bars = counts.barh([i + place for i in range(len(KINDS))], [kinds[k] for k in KINDS], 0.38, **looks[role])
            counts.bar_label(bars, padding=3, fontsize=13)
            shown = Counter(a.agent_type for d in mine for a in d.agents for _ in a.friction_moments)
            spots = [i + place for i in range(len(PERSONAS))]
            bars = moments.barh(spots, [shown[p.name] for p in PERSONAS], 0.38, label=role, **looks[role])
            moments.bar_label(bars, padding=3, fontsize=12)
        _names(counts, KINDS, "dialogues a kind")
        _names(moments, [p.name.replace(" ", "\n") for p in PERSONAS], "friction moments a persona", 12)
        words = [[len(d.final_answer.split()) for d in dialogues if d.role == role] for role in ROLES]
        longest = max(map(max, filter(None, words)))
        edges = range(0, longest + longest // 14 + 2, longest // 14 + 1)
        for role, counted in zip(ROLES, words, strict=True):
            style = {"histtype": "step", "linewidth": 3, "linestyle": "--" if role == "trigger" else "-"}
            lengths.hist(counted, edges, color=looks[role]["color"], **style)
        lengths.set_title("answers by length in words")
        common = _openings(dialogues).most_common(8)
        bars = openings.barh(range(len(common)), [n for _, n in common], 0.6, color=GREY)
        openings.bar_label(bars, padding=3, fontsize=12)
        _names(openings, [f"{word} .." for word, _ in common], "first words of prompts", 12)
        for axes in (counts, openings, moments):
            axes.margins(x=0.15)
        handles, labels = moments.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=2, frameon=False)
        figure.suptitle(_size(dialogues), x=0.02, ha="left", fontsize=20)

    return _save(draw, out)


def dataset_picture_alt(dialogues: Sequence[Dialogue]) -> str:
    """The picture of a data set in words."""
    _some(dialogues)
    kinds = Counter((d.kind, d.role) for d in dialogues)
    told = [f"{k}: {kinds[k, 'trigger']} triggers, {kinds[k, 'control']} controls" for k in KINDS]
    words = sorted(len(d.final_answer.split()) for d in dialogues)
    moments = Counter(a.agent_type for d in dialogues for a in d.agents for _ in a.friction_moments)
    word, uses = _openings(dialogues).most_common(1)[0]
    return (
        f"{_size(dialogues)}. {'; '.join(told)}. Answers have {words[0]} to {words[-1]} words, half of them "
        f"{words[len(words) // 2]} or fewer. The commonest first word of a prompt, {word!r}, opens {uses} of them. "
        f"Friction moments: {', '.join(f'{p.name} {moments[p.name]}' for p in PERSONAS)}."
    )


def _size(dialogues: Sequence[Dialogue]) -> str:
    return f"{len(dialogues)} dialogues in {len({d.pair_id for d in dialogues})} pairs"


def _openings(dialogues: Sequence[Dialogue]) -> Counter[str]:
    return Counter(d.user_input.split()[0].strip(".,:;!?\"'").lower() for d in dialogues)


def _some(dialogues: Sequence[Dialogue]) -> None:
    if not dialogues:
        raise UserError("There is no dialogue to draw. Repeat the step that makes the data.")


def _names(axes, names: Sequence[str], title: str, size: int = 14) -> None:
    """Bars from the top, each with its name; the numbers stand on the bars, so the axis needs none."""
    axes.set_yticks(range(len(names)), names, fontsize=size)
    axes.invert_yaxis()
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.set_title(title)


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
