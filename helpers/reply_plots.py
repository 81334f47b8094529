"""More pictures of a report: what the replies say and look like, and what the friction cost. As in `report_plots`."""

from dataclasses import replace

from helpers.dialogue import ROLES
from helpers.picture import LEFT, Look, across, drawable, fitted, frame
from helpers.report_plots import bar, base_and_tuned
from helpers.scoring import RIGHT_KIND
from helpers.wording import base_to_tuned, short, small_print, value, why, worst_of

KEPT = (("facts, held out", "facts"), ("facts, all", "facts_all"), ("corrections taken", "corrections"))
FORMS = (("words", "words, median"), ("list", "share with a list"), ("hedge", "share with a hedge"))


def on_triggers(report: dict, figure, look: Look) -> str:
    """Base and tuned in their own words, on the same prompts: one of each kind where friction is due."""
    return _in_their_words(report, figure, look, "trigger", "When it should push back")


def on_controls(report: dict, figure, look: Look) -> str:
    """Base and tuned in their own words, on the same prompts: one of each kind where nothing is wrong."""
    return _in_their_words(report, figure, look, "control", "When nothing is wrong")


def _in_their_words(report: dict, figure, look: Look, role: str, title: str) -> str:
    first = {e["kind"]: e for e in reversed(report["examples"]) if e["role"] == role}
    tuned = next(label for label in report["models"] if label != "base")
    columns = (("base", "base", look.base, LEFT), (tuned, "tuned", look.tuned, 0.515))
    for _, name, colour, left in columns:
        figure.text(left, 0.885, name, fontsize=17, weight="bold", color=colour, va="top")
    said = []
    for row, kind in enumerate(kind for kind in RIGHT_KIND if kind in first):
        example, top = first[kind], 0.838 - row * 0.19
        figure.add_artist(_rule(top + 0.008, look))
        prompt = fitted(example["prompt"], across(1 - 2 * LEFT), 15, 2, bold=True)
        figure.text(LEFT, top, prompt, fontsize=15, weight="bold", va="top")
        top -= 0.031 * (prompt.count("\n") + 1) + 0.003
        told = []
        for label, name, colour, left in columns:
            reply = example["replies"][label]
            sign = "✓" if reply["passed"] else "✗"
            figure.text(left, top, f"{sign} {reply['label']}", fontsize=14, weight="bold", color=colour, va="top")
            answer = fitted(reply["answer"] or "(empty)", across(0.465), 14, 3)
            figure.text(left, top - 0.03, answer, fontsize=14, va="top", linespacing=1.1)
            told.append(f"{name}, {reply['label']}: {drawable(reply['answer'])}")
        said.append(f"{kind}: {drawable(example['prompt'])} {' '.join(told)}")
    hint = "On the same prompts. ✓ right, ✗ not right, and what kind of answer it is."
    frame(figure, look, f"{title}, before and after", hint, small_print(report))
    return f"{title}, before and after on the same prompts. {' '.join(said)} {report['label']}."


def form(report: dict, figure, look: Look) -> str:
    """What a judge could mistake for friction or for its lack: length, lists and hedges, on triggers and on controls.

    Every training is a mark of its own.
    """
    base, tuned = base_and_tuned(report, look)
    marks = {True: base, False: replace(tuned, name="tuned, every training" if worst_of(report) else "tuned")}
    said = []
    for axes, (key, title) in zip(figure.subplots(3, 1), FORMS, strict=True):
        for row, role in enumerate(ROLES):
            ends, told = [], []
            for is_base, mark in marks.items():
                found = [of[role][key] for label, of in report["form"].items() if (label == "base") is is_base]
                numbers = sorted(n for n in map(_number, found) if n is not None)
                if numbers:  # drawn of no points, a mark would stretch the layout
                    axes.plot(numbers, [row] * len(numbers), **mark.style(), clip_on=False, zorder=3)
                told.append(_span(numbers, key))
                ends += numbers[:1]
            if len(ends) == 2:
                axes.plot(ends, [row, row], color=look.soft, linewidth=3, zorder=2)
            axes.text(1.02, row, base_to_tuned(*told), transform=axes.get_yaxis_transform(), va="center", weight="bold")
            said.append(f"{title}, {role}s: base {told[0]}, tuned {told[1]}")
        axes.set_yticks((0, 1), [f"{role}s" for role in ROLES])
        axes.set(ylim=(1.6, -0.6))
        if key == "words":
            axes.set_xlim(left=0)
        else:
            axes.set(xlim=(-0.02, 1.02), xticks=(0, 0.5, 1))
        axes.set_title(title, fontsize=17, loc="left")
        axes.grid(axis="x", color=look.faint, linewidth=1)
        axes.set_axisbelow(True)
    hint = "What could be mistaken for friction. If only this changes, nothing is won."
    legend = [(mark.name, mark.style()) for mark in marks.values()]
    frame(figure, look, "The form of the answers", hint, small_print(report), legend)
    return f"The form of the answers. {'; '.join(said)}. {report['label']}."


def capability(report: dict, figure, look: Look) -> str:
    """Friction gained beside what it may have cost: J of every kind, and plain questions that are still answered."""
    base, worst = report["models"]["base"], report["worst"]
    gained = [(kind, base["kinds"][kind]["J"], numbers["J"]) for kind, numbers in worst["kinds"].items()]
    whole = worst["facts_all"]["value"] is not None  # outside the pocket world all plain questions are held out
    kept = [(name, base[key], worst[key]) for name, key in KEPT if whole or key != "facts_all"]
    marks = base_and_tuned(report, look)
    said = []
    least = min([0.0, *(rate["low"] for _, *pair in gained for rate in pair if rate["low"] is not None)])
    panels = figure.subplots(2, 1, height_ratios=(len(gained), len(kept)), sharex=True)
    titles = ("gained: J = H - F", "kept: plain facts, valid corrections")
    for axes, title, rows in zip(panels, titles, (gained, kept), strict=True):
        for row, (name, before, after) in enumerate(rows):
            for shift, mark, rate in zip((-0.16, 0.16), marks, (before, after), strict=True):
                if rate["value"] is not None:
                    style = mark.style() | {"elinewidth": 3, "clip_on": False}
                    axes.errorbar(rate["value"], row + shift, xerr=bar(rate), **style)
            told = base_to_tuned(value(before), value(after))
            axes.text(1.03, row, told, transform=axes.get_yaxis_transform(), va="center", weight="bold")
            said.append(f"{name}: {value(before, True)} to {value(after, True)}")
        axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
        axes.set(ylim=(len(rows) - 0.5, -0.5), xlim=(least - 0.04, 1.02), xticks=(0, 0.5, 1))
        axes.set_title(title, fontsize=17, loc="left")
        axes.grid(axis="x", color=look.faint, linewidth=1)
        axes.set_axisbelow(True)
    title, legend = "What it gained, and what it may have lost", [(mark.name, mark.style()) for mark in marks]
    frame(figure, look, title, kept_or_lost(report), small_print(report), legend)
    return f"What was gained and lost, base to tuned. {'; '.join(said)}. {kept_or_lost(report)} {report['label']}."


def kept_or_lost(report: dict) -> str:
    """The change on plain questions against the margin that was fixed beforehand."""
    change = report["worst"]["facts_change"]
    if change["value"] is None:
        return f"Change on plain questions: {why(change)}."
    shown = "shown" if change["non_inferior"] else "not shown"
    return f"Plain questions: {value(change, True)}. That no more than {short(change['margin'])} is lost is {shown}."


def _number(found: dict | float | None) -> float | None:
    return found["value"] if isinstance(found, dict) else found


def _span(numbers: list[float], key: str) -> str:
    """One number, or from the lowest to the highest of several trainings."""
    if not numbers:
        return "not measured"
    shown = [f"{n:g}" if key == "words" else short(n) for n in (numbers[0], numbers[-1])]
    return shown[0] if shown[0] == shown[1] else " to ".join(shown)


def _rule(height: float, look: Look):
    from matplotlib.lines import Line2D

    return Line2D([LEFT, 1 - LEFT], [height, height], color=look.faint, linewidth=1.5)
