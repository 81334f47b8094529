"""Pictures of a fine-tune, of a data set, and of what a base knows. Those of a report are in `report_plots` and
`reply_plots`.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from helpers.dialogue import KINDS, ROLES, Dialogue, read_text
from helpers.errors import UserError
from helpers.personas import PERSONAS
from helpers.picture import LIGHT, Look, Picture, frame, save
from helpers.probe import BETWEEN, KNOWN, UNKNOWN


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


def knowledge_picture(sorts: Mapping[tuple[str, str], str], out: Path, look: Look = LIGHT) -> Picture:
    """What a base knows, by relation, the best known first: `sorts` as `probe.sorts` has them."""
    counts = Counter((relation, sort) for (relation, _), sort in sorts.items())
    asked = Counter(relation for relation, _ in sorts)
    relations = sorted(asked, key=lambda name: (-counts[name, KNOWN] / asked[name], name))
    total = Counter(sorts.values())

    def paint(figure, look: Look) -> str:
        looks = {  # told apart by hatching too
            KNOWN: {"facecolor": look.tuned, "edgecolor": look.ground},
            BETWEEN: {"facecolor": look.faint, "edgecolor": look.ground},
            UNKNOWN: {"facecolor": look.base, "edgecolor": look.ground, "hatch": "//"},
        }
        title = f"The base knows {total[KNOWN]} of {total.total()} facts"
        names = {KNOWN: "right in all three", BETWEEN: "now and then", UNKNOWN: "wrong in all three"}
        hint = "Each was asked for in three phrasings; behind a relation: facts known of facts asked"
        frame(figure, look, title, hint, "", [(names[sort], style) for sort, style in looks.items()])
        axes, left = figure.subplots(), [0.0] * len(relations)
        for sort, style in looks.items():
            widths = [100 * counts[name, sort] / asked[name] for name in relations]
            axes.barh(range(len(relations)), widths, 0.8, left=left, **style)
            left = [sum(pair) for pair in zip(left, widths, strict=True)]
        _names(axes, [f"{name}  {counts[name, KNOWN]} of {asked[name]}" for name in relations], "", 12)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0, labelcolor=look.ink)
        axes.set(xlim=(0, 100), ylim=(len(relations) - 0.5, -0.5))
        best, worst = relations[0], relations[-1]
        return (
            f"{title}, {total[BETWEEN]} now and then, {total[UNKNOWN]} not at all. Best known: {best}, "
            f"{counts[best, KNOWN]} of {asked[best]}; least known: {worst}, {counts[worst, KNOWN]} of {asked[worst]}."
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
