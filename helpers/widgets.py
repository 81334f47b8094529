"""What a notebook shows of models: plain HTML that escapes all they say, and that needs neither colour nor a kernel."""

from collections.abc import Sequence
from html import escape

from helpers.chat import Reply
from helpers.compare import WHY
from helpers.dialogue import Agent, Dialogue
from helpers.personas import PERSONAS

CELL = 'style="text-align: left; vertical-align: top; font-size: 110%"'


def side_by_side(dialogues: Sequence[Dialogue], replies: dict[str, Sequence[Reply]]):
    """A table for a notebook: a row for each dialogue, a column for each model (by name), thinking set apart."""
    from IPython.display import HTML

    columns = [[_prompt(d) for d in dialogues], *([_reply(r) for r in given] for given in replies.values())]
    head = _row("th", ["prompt", *map(escape, replies)])
    return HTML(f"<table>{head}{''.join(_row('td', row) for row in zip(*columns, strict=True))}</table>")


def stage(dialogue: Dialogue):
    """The six personas on one conversation, in turn, their friction moments marked, and then what the user sees."""
    from IPython.display import HTML

    tempers = {persona.name: persona.temper for persona in PERSONAS}
    rows = [
        [f"<b>{escape(agent.agent_type)}</b><br><small>{tempers.get(agent.agent_type, '')}</small>", _marked(agent)]
        for agent in dialogue.agents
    ]
    rows.append(["<b>what the user sees</b>", _text(dialogue.final_answer)])
    asked = f'<tr><td colspan="2" {CELL}>{_prompt(dialogue)}</td></tr>\n'
    return HTML(f"<table>{asked}{''.join(_row('td', row) for row in rows)}</table>")


def _marked(agent: Agent) -> str:
    """The thought, each moment underlined and bold: seen without colour as well."""
    text = _text(agent.thought_stream)
    for moment in agent.friction_moments:
        text = text.replace(_text(moment), f'<mark style="font-weight: bold"><u>{_text(moment)}</u></mark>', 1)
    return text


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
