"""A report to read: a Markdown file, and an HTML file that holds its pictures; both say the same, from the report only.

First what is said on stage, then the pictures, the tables with their intervals, and how it was measured. The HTML is
light or dark as its reader's system is, needs no network, and shows what models said as text, never as code.
"""

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from helpers import reply_plots, report_plots
from helpers.dialogue import write_text
from helpers.digits import short
from helpers.plots import DARK, LIGHT, Look, Picture
from helpers.report_plots import conclusion, tier, value, worst_of

TITLE = "The friction report card"
PICTURES = (
    report_plots.friction_map, reply_plots.on_triggers, reply_plots.on_controls, report_plots.same_pairs,
    report_plots.confusion, report_plots.hold_curve, reply_plots.capability, reply_plots.form,
)  # fmt: skip
OF_A_KIND = {
    "H": "H: friction on triggers", "F": "F: friction on controls", "J": "J = H - F", "d_prime": "d'",
    "right_kind": "right kind", "substance": "with the gold fact", "controls_right": "controls right",
    "pairs_right": "pairs right",
}  # fmt: skip
COSTS = {
    "full_refusals": "refused", "partial_refusals": "refused in part", "needless_questions": "needless question",
    "apologies": "apology", "length_ratio": "length, base = 1",
}  # fmt: skip
QUALITY = {"thought_right": "thought right", "unparsed": "not understood", "cut_off": "cut off"}
STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #111; --soft: #595959; --line: #c4c4c4; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171a; --ink: #f2f2f2; --soft: #b5b5b5; --line: #54585c; } }
body { background: var(--ground); color: var(--ink); font: 18px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 1024px; padding: 0 1rem; }
h1 { line-height: 1.2; } h2 { margin-top: 3rem; } .small { color: var(--soft); font-size: 16px; }
table.said { font-size: 24px; width: 100%; } img { width: 100%; height: auto; } .wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 16px; } th { text-align: left; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .8rem .3rem 0; vertical-align: top;
  overflow-wrap: anywhere; min-width: 5.5em; }
"""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class Heading:
    text: str


@dataclass(frozen=True)
class Text:
    lines: Sequence[str]


@dataclass(frozen=True)
class Table:
    """`said`: what is said aloud, in large letters."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    said: bool = False


@dataclass(frozen=True)
class Shown:
    """One picture in its two looks."""

    light: Picture
    dark: Picture


Block = Heading | Text | Table | Shown


def write(report: dict, folder: Path) -> list[Path]:
    """`report.md`, `report.html` and `pictures/`, light and dark, in the folder; returns the paths in this order."""
    pictures = folder / "pictures"
    shown = [Shown(*(_draw(paint, report, pictures, look) for look in (LIGHT, DARK))) for paint in PICTURES]
    blocks = list(blocks_of(report, shown))
    pages = [
        write_text(folder / "report.md", markdown(blocks, folder)),
        write_text(folder / "report.html", html(blocks)),
    ]
    return pages + [picture.path for one in shown for picture in (one.light, one.dark)]


def _draw(paint: Callable[..., str], report: dict, folder: Path, look: Look) -> Picture:
    name = paint.__name__.replace("_", "-") + ("" if look is LIGHT else f"-{look.name}")
    return report_plots.draw(paint, report, folder / f"{name}.png", look)


# -- what is told, in this order -----------------------------------------------------------------------------------


def blocks_of(report: dict, shown: Sequence[Shown]) -> Iterator[Block]:
    base, worst = report["models"]["base"], report["worst"]
    tuned = "tuned" + worst_of(report)
    said = report["stage_lines"]
    yield Table(["base", tuned], list(zip(said["base"], said["tuned"], strict=True)), said=True)
    yield Text([f"{report['label']}. Verdicts: {tier(report)}. Intervals are 95 % ones."])
    yield from shown
    for title, names in (("Friction, by kind", OF_A_KIND), ("What it costs on controls", COSTS), ("Replies", QUALITY)):
        yield Heading(title)
        yield Table(["kind", "model", *names.values()], list(_by_kind(names, {"base": base, tuned: worst})))
    yield Heading("Is it sure?")
    rows = [[t["kind"], str(t["n"]), str(t["only_tuned"]), str(t["only_base"]), conclusion(t)] for t in report["tests"]]
    yield Table(["kind", "pairs", "gained", "lost", "exact McNemar test, Holm over the kinds"], rows)
    yield Text([report["power"]["text"]])
    yield Heading("Under pressure, and what was kept")
    yield Table(["", "base", tuned], [[name, *map(_cell, pair)] for name, pair in _whole(base, worst).items()])
    yield Text([reply_plots.kept_or_lost(report)])
    if report["baselines"]:
        yield Heading("Beside it")
        kinds = list(worst["kinds"])
        rows = [[row["name"], *(_cell(row["kinds"][kind]["J"]) for kind in kinds)] for row in report["baselines"]]
        yield Table(["J of", *kinds], rows)
    if report["targets"]:
        yield Heading("Targets")
        yield Table(["what", "kind", "target", "found", ""], [_target(t) for t in report["targets"]])
    yield Heading("In their words")
    yield Table(["kind, role", "prompt", *list(report["models"])[:2]], [_example(e) for e in report["examples"]])
    yield Heading("How it was measured")
    yield Table(["", ""], list(_made_with(report)))


def _by_kind(names: dict[str, str], models: dict[str, dict]) -> Iterator[list[str]]:
    for kind in models["base"]["kinds"]:
        for who, model in models.items():
            rates = model["kinds"][kind]
            yield [kind if who == "base" else "", who, *(_cell(rates[name]) for name in names)]
            if any("corrected" in rates[name] for name in names):
                yield ["", f"{who}, put right", *(_cell(rates[name].get("corrected")) for name in names)]


def _whole(base: dict, worst: dict) -> dict[str, tuple[dict, dict]]:
    pressed = base["pressure"]
    return {
        "pushes back at the first turn": (pressed["first"], worst["first"]),
        "of those, holds over five rebuttals": (pressed["hold"], worst["hold"]),
        "valid corrections accepted": (base["corrections"], worst["corrections"]),
        "balance of the two": (pressed["balance"], worst["balance"]),
        "plain questions, held out": (base["facts"], worst["facts"]),
        "plain questions, all": (base["facts_all"], worst["facts_all"]),
    }


def _cell(rate: dict | None) -> str:
    if rate is None:
        return ""
    if rate["value"] is None:
        return f"not measured: {rate['reason']}" if rate.get("reason") else "not measured"
    return value(rate, interval="low" in rate)


def _target(target: dict) -> list[str]:
    sign = "at most" if target["at_most"] else "at least"
    found = "not measured" if target["value"] is None else short(target["value"], 3)
    goal = f"{sign} {short(target['target'])}"
    return [target["name"], target["kind"], goal, found, "met" if target["met"] else "MISSED"]


def _example(example: dict) -> list[str]:
    told = []
    for reply in list(example["replies"].values())[:2]:
        thought = f"(thinking) {reply['thinking']}\n\n" if reply["thinking"] else ""
        sign = "✓" if reply["passed"] else "✗"
        told.append(f"{sign} {reply['label']}\n{thought}{reply['answer'] or '(empty)'}")
    return [f"{example['kind']}, {example['role']}", example["prompt"], *told]


def _made_with(report: dict) -> Iterator[list[str]]:
    for label, model in report["models"].items():
        yield [label, model["name"]]
    yield ["verdicts", tier(report)]
    yield ["prompts", f"{report['pairs']} pairs a kind of the {report['part']} part, SHA-256 {report['prompts']}"]
    yield ["data", f"SHA-256 {report['data']}"]
    yield ["seeds", ", ".join(f"{name} {seed}" for name, seed in report["seeds"].items())]
    yield ["versions", ", ".join(f"{name} {version}" for name, version in report["versions"].items())]
    yield ["when and where", f"{report['date']}, {report['machine']}"]


# -- as Markdown and as HTML ---------------------------------------------------------------------------------------


def markdown(blocks: Sequence[Block], folder: Path) -> str:
    """Pictures are named by their place in the folder."""
    return "\n\n".join([f"# {TITLE}", *(_as_markdown(block, folder) for block in blocks)]) + "\n"


def _as_markdown(block: Block, folder: Path) -> str:
    match block:
        case Heading(text):
            return f"## {_plain(text)}"
        case Text(lines):
            return "\n\n".join(map(_plain, lines))
        case Table(head, rows):
            cells = [[_plain(cell) for cell in row] for row in (head, *rows)]
            cells.insert(1, ["---"] * len(head))
            return "\n".join(f"| {' | '.join(row)} |" for row in cells)
        case Shown(light, _):
            return f"![{_plain(light.alt)}]({light.path.relative_to(folder).as_posix()})"


def html(blocks: Sequence[Block]) -> str:
    head = f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    head += f'<meta name="viewport" content="width=device-width"><title>{TITLE}</title><style>{STYLE}</style>'
    body = "\n".join(map(_as_html, blocks))
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body><h1>{TITLE}</h1>\n{body}\n</body></html>\n'


def _as_html(block: Block) -> str:
    match block:
        case Heading(text):
            return f"<h2>{_escaped(text)}</h2>"
        case Text(lines):
            return "".join(f'<p class="small">{_escaped(line)}</p>' for line in lines)
        case Table(head, rows, said):
            ruled = _row("th", head) + "".join(_row("td", row) for row in rows)
            return f'<div class="wide"><table{" class=said" if said else ""}>{ruled}</table></div>'
        case Shown(light, dark):
            source = f'<source srcset="{_inline(dark)}" media="(prefers-color-scheme: dark)">'
            return f'<p><picture>{source}<img src="{_inline(light)}" alt="{escape(light.alt)}"></picture></p>'


def _row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{_escaped(cell)}</{tag}>' for cell in cells)}</tr>\n"


def _inline(picture: Picture) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture.path.read_bytes()).decode()}"


def _escaped(text: str) -> str:
    return escape(_printable(text)).replace("\n", "<br>")


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, in a table cell too."""
    return re.sub(r"([\\`*_{}\[\]|#~$])", r"\\\1", escape(_printable(text), quote=False)).replace("\n", "<br>")


def _printable(text: str) -> str:
    """Without escape sequences and marks that turn the writing round: a model may say anything."""
    return "".join(c for c in text if c == "\n" or c.isprintable())
