"""What a notebook shows of models: plain HTML that escapes all they say, and that needs neither colour nor a kernel."""

from collections.abc import Sequence
from html import escape

from helpers.chat import Reply
from helpers.compare import WHY
from helpers.dialogue import Dialogue

CELL = 'style="text-align: left; vertical-align: top; font-size: 110%"'


def side_by_side(dialogues: Sequence[Dialogue], replies: dict[str, Sequence[Reply]]):
    """A table for a notebook: a row for each dialogue, a column for each model (by name), thinking set apart."""
    from IPython.display import HTML

    columns = [[_prompt(d) for d in dialogues], *([_reply(r) for r in given] for given in replies.values())]
    head = _row("th", ["prompt", *map(escape, replies)])
    return HTML(f"<table>{head}{''.join(_row('td', row) for row in zip(*columns, strict=True))}</table>")


def _row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag} {CELL}>{cell}</{tag}>' for cell in cells)}</tr>\n"


def _prompt(dialogue: Dialogue) -> str:
    why = f"{dialogue.kind}, {dialogue.role}: {WHY[dialogue.kind, dialogue.role]}"
    turns = "<br>".join(f"<b>{escape(turn['role'])}:</b> {_text(turn['content'])}" for turn in dialogue.turns)
    return f"<small>{escape(why)}</small><br>{turns}"


def _reply(reply: Reply) -> str:
    thought = f"<small><i>thinking:<br>{_text(reply.thinking)}</i></small><br>" if reply.thinking else ""
    answer = _text(reply.answer) or "(empty)"
    return f"{thought}<b>answer:</b> {answer}{'' if reply.complete else ' (broke off)'}"


def _text(text: str) -> str:
    return escape(text).replace("\n", "<br>")
