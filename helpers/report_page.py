"""The report card to read: `report.md` and `report.html`, both from the report alone.

First what is said on stage, then the pictures, the tables with their intervals, and how it was measured.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from helpers import reply_plots, report_plots
from helpers.card import SCHEMA
from helpers.dialogue import write_text
from helpers.errors import UserError
from helpers.pages import Block, Heading, Shown, Table, Text, html, markdown
from helpers.picture import DARK, LIGHT, Look, Picture
from helpers.wording import (
    between,
    conclusion,
    p_value,
    short,
    tier,
    trainings,
    value,
    verdicts,
    why,
    worst_of,
)

TITLE = "The friction report card"
PICTURES = (
    report_plots.friction_map, reply_plots.on_triggers, reply_plots.on_controls, report_plots.same_pairs,
    report_plots.confusion, report_plots.hold_curve, reply_plots.capability, reply_plots.form,
)  # fmt: skip
FRICTION = {
    "H": "H, on triggers", "F": "F, on controls", "J": "J = H - F", "right_kind": "right kind",
    "substance": "gold fact", "controls_right": "controls right",
}  # fmt: skip
COSTS = {
    "full_refusals": "refused", "partial_refusals": "refused in part", "needless_questions": "needless question",
    "apologies": "apology", "hedges": "hedge", "length_ratio": "length, base = 1",
}  # fmt: skip
QUALITY = {
    "pairs_right": "pairs right", "d_prime": "d'", "criterion": "c", "thought_right": "thought right",
    "unparsed": "not judged", "cut_off": "cut off",
}  # fmt: skip
OVERALL = {
    "first": "pushes back at the first turn",
    "hold": "of those, holds to the last turn",
    "corrections": "valid corrections accepted",
    "balance": "balance of holding and accepting",
    "facts": "plain questions, held out",
    "facts_all": "plain questions, all",
    "facts_change": "plain questions, change",
}


def write(report: dict, folder: Path) -> list[Path]:
    """`report.md`, `report.html` and `pictures/`, light and dark, in the folder; returns the paths in this order."""
    if report.get("schema") != SCHEMA:
        raise UserError(
            f"This report is of schema {report.get('schema')}, and a page needs {SCHEMA}. "
            "Run `python -m helpers evaluate` again."
        )
    pictures = folder / "pictures"
    shown = [Shown(*(_draw(paint, report, pictures, look) for look in (LIGHT, DARK))) for paint in PICTURES]
    blocks = list(blocks_of(report, shown))
    pages = [
        write_text(folder / "report.md", markdown(TITLE, blocks, folder)),
        write_text(folder / "report.html", html(TITLE, blocks)),
    ]
    return pages + [picture.path for one in shown for picture in (one.light, one.dark)]


def _draw(paint: Callable[..., str], report: dict, folder: Path, look: Look) -> Picture:
    name = paint.__name__.replace("_", "-") + ("" if look is LIGHT else f"-{look.name}")
    return report_plots.draw(paint, report, folder / f"{name}.png", look)


def blocks_of(report: dict, shown: Sequence[Shown]) -> Iterator[Block]:
    """All that is told, in its order."""
    base, worst = report["models"]["base"], report["worst"]
    tuned = "tuned" if trainings(report) == 1 else f"worst of {trainings(report)}"
    said = report["stage_lines"]
    yield Table(["base", "tuned" + worst_of(report)], list(zip(said["base"], said["tuned"], strict=True)), said=True)
    yield Text([f"{report['label']}. In brackets: 95 % intervals.", *verdicts(report["tier"])])
    if report["tier"]["agreement"]:
        yield from _agreement(report["tier"]["agreement"])
    yield from shown
    typed = {"as typed": (base["audience"], worst["audience"])} if base["audience"] else {}
    kinds = {kind: (base["kinds"][kind], numbers) for kind, numbers in worst["kinds"].items()}
    yield Heading("Friction, by kind: H where it is due, F where nothing is wrong")
    yield Table(["", "", *FRICTION.values()], list(_by_kind(FRICTION, kinds | typed, tuned)))
    if held_out := report.get("held_out"):
        groups = {group: (found["base"], found["tuned"]) for group, found in held_out.items()}
        yield Heading("Facts whose names training never saw")
        yield Table(["", "", *FRICTION.values()], list(_by_kind(FRICTION, groups, "tuned")))
    if report["words_alone"]:
        alone = ", ".join(f"{kind} {value(rate)}" for kind, rate in report["words_alone"].items())
        yield Text([f"How often words alone tell trigger from control (chance .50): {alone}."])
    yield Heading("What it costs on controls")
    yield Table(["", "", *COSTS.values()], list(_by_kind(COSTS, kinds, tuned)))
    yield Text(["All but needless questions are found by patterns of wording, in either world: they are not exact."])
    yield Heading("More of the replies")
    yield Table(["", "", *QUALITY.values()], list(_by_kind(QUALITY, kinds, tuned)))
    yield Heading("Is it sure?")
    tests = [(test["kind"], test, conclusion(test)) for test in report["tests"]]
    tests.append(("all together", report["pooled"], f"p {p_value(report['pooled']['p'])}, a second look"))
    rows = [[kind, str(t["n"]), str(t["only_tuned"]), str(t["only_base"]), found] for kind, t, found in tests]
    yield Table(["pairs right", "pairs", "gained", "lost", "exact McNemar test, Holm over the kinds"], rows)
    yield Text([report[name]["text"] for name in ("power", "coverage") if report.get(name)])
    yield Heading("Under pressure, and what was kept")
    before = {**base, **base["pressure"], "facts_change": None}
    yield Table(["", "base", tuned], [[name, _cell(before[key]), _cell(worst[key])] for key, name in OVERALL.items()])
    yield Text([reply_plots.kept_or_lost(report)])
    yield Heading("J of every model and baseline")
    models = [model | {"name": label} for label, model in report["models"].items()]
    rows = [_in_short(row, list(worst["kinds"])) for row in (*models, *report["baselines"])]
    yield Table(["", *worst["kinds"], "all kinds", "right kind"], rows)
    if report["targets"]:
        yield Heading("Targets")
        yield Table(["", "", "target", "found", ""], [_target(t) for t in report["targets"]])
    yield Heading("In their words")
    yield Table(["", "prompt", *list(report["models"])[:2]], [_example(e) for e in report["examples"]])
    yield Heading("How it was measured")
    yield Table(["", ""], list(_made_with(report)))


def _by_kind(names: dict[str, str], kinds: dict[str, tuple[dict, dict]], tuned: str) -> Iterator[list[str]]:
    """Two rows a kind, base and tuned; beside what a tier found also what it would have found without its errors."""
    for kind, both in kinds.items():
        for who, rates in zip(("base", tuned), both, strict=True):
            yield [kind if who == "base" else "", who, *(_cell(rates.get(name)) for name in names)]
            if any("corrected" in rates.get(name, {}) for name in names):
                yield ["", f"{who}, corrected", *(_cell(rates.get(name, {}).get("corrected")) for name in names)]


def _agreement(agreed: dict) -> Iterator[Block]:
    questions = {name: of for name, of in agreed.items() if isinstance(of, dict)}
    groups = {group: found["n"] for of in questions.values() for group, found in of.items()}
    rows = [
        [group, str(n), *(_cell(of.get(group, {}).get("kappa")) for of in questions.values())]
        for group, n in groups.items()
    ]
    yield Table(["kappa, on", "labels", *questions], rows)


def _cell(rate: dict | None) -> str:
    """The number, its interval below it; nothing for what does not apply."""
    if rate is None:
        return ""
    if rate["value"] is None:
        return why(rate)
    return f"{value(rate)}\n({between(rate)})"


def _in_short(row: dict, kinds: Sequence[str]) -> list[str]:
    """J by kind, and the balanced accuracy of the kind of answer."""
    js = [_cell(row["kinds"][kind]["J"]) if kind in row["kinds"] else "" for kind in kinds]
    right = row["balanced"]
    chance = f"\n(chance {short(right['chance'])})" if "chance" in right else ""
    return [row["name"], *js, _cell(row.get("J")), _cell(right) + chance]


def _target(target: dict) -> list[str]:
    sign = "at most" if target["at_most"] else "at least"
    found = "not measured" if target["value"] is None else short(target["value"], 3)
    goal, met = f"{sign} {short(target['target'])}", "met" if target["met"] else "MISSED"
    return [(FRICTION | OVERALL)[target["name"]], target["kind"], goal, found, met]


def _example(example: dict) -> list[str]:
    told = []
    for reply in list(example["replies"].values())[:2]:
        thought = f"(thinking) {reply['thinking']}\n\n" if reply["thinking"] else ""
        sign = "✓" if reply["passed"] else "✗"
        told.append(f"{sign} {reply['label']}\n{thought}{reply['answer'] or '(empty)'}")
    return [f"{example['kind']}, {example['role']}", example["prompt"], *told]


def _made_with(report: dict) -> Iterator[list[str]]:
    for label, model in report["models"].items():
        cap = f"at most {model['cap']} tokens a reply" if model["cap"] else ""
        weights = f"weights {model['identity']}" if model["identity"] else ""
        yield [label, ", ".join(filter(None, [model["name"], model["engine"], cap, weights]))]
    yield ["verdicts", tier(report)]
    yield ["prompts", f"{report['pairs']} pairs a kind of the {report['part']} part, SHA-256 {report['prompts']}"]
    yield ["data", f"SHA-256 {report['data']}"]
    training = ", ".join("not known" if seed is None else str(seed) for seed in report["seeds"]["training"])
    yield ["seeds", f"evaluation {report['seeds']['evaluation']}; training {training}"]
    yield ["versions", ", ".join(f"{name} {version}" for name, version in report["versions"].items())]
    yield ["when and where", f"{report['date']}, {report['machine']}"]
