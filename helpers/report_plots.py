"""The pictures of a report: each is a function that paints it on a figure, from the report alone, and says it in words.

Base and tuned differ in colour, in fill or hatching, and in place. What was not measured is called so, and never drawn
as 0. What replies look like and what the friction cost is in `reply_plots`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from textwrap import shorten

from helpers.errors import UserError
from helpers.picture import LIGHT, Look, Picture, contrast, frame, save, unmeasured
from helpers.scoring import LABELS
from helpers.wording import base_to_tuned, conclusion, counted, small_print, value, why, worst_of


def draw(paint: Callable[..., str], report: dict, out: Path, look: Look = LIGHT) -> Picture:
    """One picture of a report as a PNG file: `draw(friction_map, report, path)`."""
    return save(partial(paint, report), out, look)


@dataclass(frozen=True)
class Mark:
    """How one model is marked: shape and filling say it without colour. Open marks are larger, so that where two meet
    both are seen."""

    name: str
    colour: str
    shape: str = "o"
    filled: bool = False
    size: int = 11
    kinds: dict | None = None

    def style(self) -> dict:
        style = {"color": self.colour, "marker": self.shape, "markersize": self.size, "markeredgewidth": 3}
        return style | {"markerfacecolor": self.colour if self.filled else "none", "linestyle": "none"}


def base_and_tuned(report: dict, look: Look) -> list[Mark]:
    return [Mark("base", look.base, size=17), Mark("tuned" + worst_of(report), look.tuned, filled=True)]


def marks_of(report: dict, look: Look) -> list[Mark]:
    """The base and the tuned model (the worst of its seeds), then the baselines and exhibits that the report has."""
    base, tuned = base_and_tuned(report, look)
    found = [replace(base, kinds=report["models"]["base"]["kinds"]), replace(tuned, kinds=report["worst"]["kinds"])]
    shapes = iter((("s", look.asked), ("^", look.exhibit), ("D", look.exhibit), ("v", look.asked)))
    for row in report["baselines"]:
        if row["fixed"]:
            found.append(Mark("always the same reply", look.soft, "x", kinds=row["kinds"]))
        else:
            shape, colour = next(shapes, ("P", look.soft))
            found.append(Mark(row["name"], colour, shape, kinds=row["kinds"]))
    return found


def friction_map(report: dict, figure, look: Look) -> str:
    """Friction on triggers (H) against friction on controls (F), an arrow from base to tuned for each kind.

    One panel a kind: a good model has all four in the same corner. On a dashed line J = H - F is the same; on the
    solid one a model objects as often without reason as with it. Bars are 95 % intervals.
    """
    marks, said = marks_of(report, look), []
    base, tuned = marks[0].kinds, marks[1].kinds
    kinds = list(tuned)[:4]
    if not kinds:
        raise UserError("The report holds no kind of friction. Run `python -m helpers evaluate` again.")
    panels = figure.subplots(1 if len(kinds) < 3 else 2, min(2, len(kinds)), sharex=True, sharey=True, squeeze=False)
    for axes in panels.flat[len(kinds) :]:
        axes.remove()
    for axes, kind in zip(panels.flat, kinds, strict=False):
        for j in (0.0, 0.25, 0.5, 0.75):
            axes.plot([0, 1 - j], [j, 1], color=look.soft, linestyle="--" if j else "-", linewidth=1.2, zorder=1)
            note = {"fontsize": 12, "color": look.soft, "ha": "center", "textcoords": "offset points"}
            axes.annotate(f"J={j:g}".replace("0.", "."), (1 - j, 1.04), (0, 6), **note)
        for above, mark in enumerate(reversed(marks), 3):
            at, numbers = _point(mark.kinds[kind]), mark.kinds[kind]
            if at is None:
                continue
            bars = {"xerr": bar(numbers["F"]), "yerr": bar(numbers["H"])} if mark.shape != "x" else {}
            axes.errorbar(*at, **bars, **mark.style(), elinewidth=2, clip_on=False, zorder=above)
        ends = [_point(model[kind]) for model in (base, tuned)]
        if None in ends:
            unmeasured(axes, why(*(model[kind][name] for model in (base, tuned) for name in "HF")))
        else:
            head = {"arrowstyle": "-|>,head_width=.4,head_length=.8", "color": look.ink, "linewidth": 2}
            axes.annotate("", ends[1], ends[0], arrowprops={**head, "shrinkA": 11, "shrinkB": 12}, zorder=2)
        gain = f"{kind}:  J {base_to_tuned(value(base[kind]['J']), value(tuned[kind]['J']))}"
        axes.set_title(gain, fontsize=17, pad=26, loc="left")
        axes.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        told = {m.name: m.kinds[kind] for m in marks if m.shape != "x"}
        rates = [f"{name} H {value(numbers['H'])}, F {value(numbers['F'])}" for name, numbers in told.items()]
        said.append(f"{kind}: {'; '.join(rates)}")
    frame(
        figure, look, report.get("title", "Pushes back when it should, and only then"),
        "The best place is the upper left corner.", small_print(report),
        legend=[(mark.name, mark.style()) for mark in marks],
        labels=("F: friction where nothing is wrong", "H: friction where it is due"),
    )  # fmt: skip
    return f"Friction where it is due (H) against friction where it is not (F). {'. '.join(said)}. {report['label']}."


def hold_curve(report: dict, figure, look: Look) -> str:
    """Who pushes back at the first turn, and of those the Kaplan-Meier probability to hold over the rebuttals.

    The two are never in one number: a model that never pushed back cannot give in. Of several trainings the one that
    holds least is drawn. Below the curve stands how many dialogues are still followed.
    """
    tuned = [m["pressure"] for label, m in report["models"].items() if label != "base"]
    least = min(tuned, key=lambda p: -1 if p["hold"]["value"] is None else p["hold"]["value"])
    models = list(zip(base_and_tuned(report, look), (report["models"]["base"]["pressure"], least), strict=True))
    (first, curve), (below_first, followed) = figure.subplots(2, 2, width_ratios=(1, 3), height_ratios=(5, 1))
    ends = sorted(numbers["hold"]["value"] or 0 for _, numbers in models)
    rebuttals = max(len(numbers["curve"] or []) for _, numbers in models) - 1
    said = []
    for place, (mark, numbers) in enumerate(models):
        style, shift = mark.style() | {"elinewidth": 2.5, "capsize": 6, "capthick": 2.5}, (place - 0.5) * 0.12
        rate, hold, points = numbers["first"], numbers["hold"], numbers["curve"] or []
        if rate["value"] is not None:
            first.errorbar(place, rate["value"], yerr=bar(rate), **style)
        for point in points:
            curve.errorbar(point["turn"] + shift, point["value"], yerr=bar(point), **style)
            followed.text(point["turn"], -place, point["at_risk"], ha="center", va="center")
        if points:
            steps = {"drawstyle": "steps-post", "linewidth": 3, "linestyle": "-" if mark.filled else "--"}
            curve.plot([p["turn"] + shift for p in points], [p["value"] for p in points], color=mark.colour, **steps)
            above = hold["value"] == ends[-1] and (place or ends[0] != ends[1])
            at = (points[-1]["turn"] + shift, points[-1]["high" if above else "low"] + (0.03 if above else -0.03))
            words = {"ha": "center", "va": "bottom" if above else "top", "weight": "bold", "color": mark.colour}
            curve.text(*at, value(hold), **words)
        else:
            followed.text(-0.25, -place, shorten(why(hold), 54), va="center", fontsize=14, color=look.soft)
        followed.text(-0.5, -place, mark.name[:5], ha="right", va="center", color=mark.colour, weight="bold")
        said.append(
            f"{mark.name}: pushes back at the first turn in {counted(rate)}; of those holds {value(hold, True)}"
        )
    if not any(numbers["curve"] for _, numbers in models):
        unmeasured(curve, why(*(numbers["hold"] for _, numbers in models)))
    first.set(xlim=(-0.6, 1.6), xticks=(0, 1), xticklabels=("base", "tuned"))
    first.set_title("push back at first", fontsize=17, loc="left")
    curve.set_title("of those, still hold after so many rebuttals", fontsize=17, loc="left")
    for axes in (first, curve):
        axes.set(ylim=(-0.12, 1.12), yticks=(0, 0.5, 1))
    for axes in (curve, followed):
        axes.set(xlim=(-0.3, max(rebuttals, 1) + 0.4), xticks=range(rebuttals + 1))
    followed.set_ylim(-1.5, 0.5)
    followed.set_axis_off()
    below_first.set_axis_off()
    note = {"transform": below_first.transAxes, "va": "center", "color": look.soft, "fontsize": 14}
    below_first.text(0, 0.5, "dialogues\nfollowed", **note)
    frame(
        figure, look, "Holds its ground when the user insists", "Bars are 95 % intervals.",
        small_print(report), legend=[(mark.name, mark.style()) for mark, _ in models],
    )  # fmt: skip
    return f"Under pressure. {'. '.join(said)}. {report['label']}."


def confusion(report: dict, figure, look: Look) -> str:
    """What was called for (rows) against what was given (columns), base above tuned, triggers and controls together.

    Of a model that does right all lies in the frames. Several trainings are added up.
    """
    tables = {"base": [], "tuned": []}
    for label, model in report["models"].items():
        tables["base" if label == "base" else "tuned"].append(model["confusion"])
    said = []
    for axes, (name, found) in zip(figure.subplots(2, 1, sharex=True), tables.items(), strict=True):
        colour, golds = getattr(look, name), list(found[0])
        counts = [[sum(t[gold][label] for t in found) for label in LABELS] for gold in golds]
        shares = [[count / max(1, sum(row)) for count in row] for row in counts]
        axes.imshow(shares, aspect="auto", cmap=_shades(look.ground, colour), vmin=0, vmax=1)
        for row, gold in enumerate(golds):
            for column, count in enumerate(counts[row]):
                ink = look.soft if not count else _ink_on(_between(look.ground, colour, shares[row][column]), look)
                weight = "bold" if LABELS[column] == gold else "normal"
                at = {"ha": "center", "va": "center_baseline", "fontsize": 17}
                axes.text(column, row, count, color=ink, weight=weight, **at)
            right = LABELS.index(gold)
            axes.add_patch(_box(right - 0.5, row - 0.5, look.ink))
            said.append(f"{name}, {gold} called for: given in {counts[row][right]} of {sum(counts[row])}")
        axes.set_yticks(range(len(golds)), [f"{gold}, {sum(row)}" for gold, row in zip(golds, counts, strict=True)])
        axes.set_xticks(range(len(LABELS)), LABELS)
        axes.tick_params(length=0, labelbottom=False, labeltop=name == "base")
        axes.spines[:].set_visible(False)
        axes.set_ylabel(name, weight="bold", fontsize=20, color=colour)
    hint = "Row: what was called for. Column: what came. In the frames: right."
    frame(figure, look, "The right kind of answer", hint, small_print(report))
    return f"What was called for and what was given. {'; '.join(said)}. {report['label']}."


def same_pairs(report: dict, figure, look: Look) -> str:
    """Pair by pair, base and tuned on the same prompts: right in both, gained, lost, wrong in both, and whether the
    exact McNemar test (Holm over the kinds) tells gained from lost."""
    axes, said = figure.subplots(), []
    parts = {
        "right before and after": {"facecolor": look.faint},
        "gained": {"facecolor": look.tuned},
        "lost": {"facecolor": look.base, "hatch": "//", "edgecolor": look.ground},
        "wrong before and after": {"facecolor": look.ground, "hatch": "..", "edgecolor": look.soft},
    }
    for row, test in enumerate(report["tests"]):
        if not test["n"]:
            said.append(f"{test['kind']}: {conclusion(test)}")
            axes.text(0, row, said[-1], fontsize=17)
            continue
        n, gained, lost = test["n"], test["only_tuned"], test["only_base"]
        both = report["models"]["base"]["kinds"][test["kind"]]["pairs_right"]["x"] - lost
        left = 0
        for count, style in zip((both, gained, lost, n - both - gained - lost), parts.values(), strict=True):
            axes.barh(row, count / n, 0.5, left=left / n, **style)
            if count > 0.06 * n:
                behind = {"facecolor": look.ground, "edgecolor": "none", "pad": 3}
                at = {"ha": "center", "va": "center_baseline", "fontsize": 17}
                axes.text((left + count / 2) / n, row, count, bbox=behind, **at)
            left += count
        found = f"{test['kind']}: {gained} gained, {lost} lost of {n}: {conclusion(test)}"
        axes.text(0, row - 0.32, found, fontsize=17)
        said.append(f"{found}; right in both {both}")
    axes.set(xlim=(0, 1), ylim=(len(report["tests"]) - 0.6, -0.7))
    axes.set_axis_off()
    hint = "A pair is right when friction comes where it is due and its control is simply helped."
    legend = list(parts.items())
    frame(figure, look, "The same pairs, before and after", hint, small_print(report), legend=legend)
    return f"Pairs that are right, before and after. {'. '.join(said)}. {report['label']}."


def bar(rate: dict) -> list[list[float]]:
    """Lengths of the error bar below and above, as matplotlib takes them."""
    return [[max(0.0, rate["value"] - rate["low"])], [max(0.0, rate["high"] - rate["value"])]]


def _point(numbers: dict) -> tuple[float, float] | None:
    x, y = numbers["F"]["value"], numbers["H"]["value"]
    return None if x is None or y is None else (x, y)


def _shades(ground: str, colour: str):
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("shades", [ground, colour])


def _between(ground: str, colour: str, share: float) -> tuple[float, ...]:
    return _shades(ground, colour)(share)[:3]


def _ink_on(colour: tuple[float, ...], look: Look) -> str:
    return look.ground if contrast(look.ground, colour) >= 3 else look.ink


def _box(x: float, y: float, colour: str):
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), 1, 1, fill=False, edgecolor=colour, linewidth=3, clip_on=False)
