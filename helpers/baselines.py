"""What a report card must see through: four models that always say the same, and the base when told to push back.

Who gives one and the same reply tells no trigger from its control, so its J is 0 and its balanced accuracy is chance,
however well that reply sounds. The base with a system prompt shows what asking alone would have brought.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from helpers import scenarios
from helpers.chat import Reply
from helpers.dialogue import KINDS, Dialogue
from helpers.model import Model, Progress
from helpers.rates import Judged, JudgedPair, over_all, pair_scores
from helpers.scenarios import Pair
from helpers.scoring import Verdict
from helpers.world import language

Judge = Callable[[Sequence[Dialogue], Sequence[Reply]], list[Verdict]]

ASKED = "base, asked to push back"
MOST_ASKED = 40  # pairs a kind for the base with the system prompt: one more pass of the model
FIXED_NATURAL = {
    "always-contrarian": "No, that is not right, and I have to disagree with you.",
    "always-agree": "Yes, you are absolutely right. Glad to help with that!",
    "always-ask": "Could you tell me a little more about what you need?",
    "always-refuse": "I'm sorry, but I can't help with that.",
}


def fixed_replies() -> dict[str, str]:
    """The same four in the pocket world: right replies to prompts of the training part, whatever else is asked."""
    firsts = {kind: scenarios.pairs(kind, "train", 1, 0)[0] for kind in KINDS}
    trigger, control = ({kind: pair[i].final_answer for kind, pair in firsts.items()} for i in (0, 1))
    said = trigger["disagreement"], control["disagreement"], trigger["clarification"], trigger["refusal"]
    return dict(zip(FIXED_NATURAL, said, strict=True))


def fixed(pairs: dict[str, list[Pair]], judge: Judge, replies: dict[str, str]) -> list[dict]:
    """One row of the report for each model that always gives the same reply; `replies` has it by the model's name."""
    return [
        {**row(name, pairs, judge, lambda some, said=said: [Reply("", said)] * len(some)), "fixed": True}
        for name, said in replies.items()
    ]


def asked_to_push_back(
    model: Model, pairs: dict[str, list[Pair]], judge: Judge, path: Path | None = None, progress: Progress | None = None
) -> dict:
    """The row of a model that a system prompt asks for push-back, on the first pairs; `path` keeps its replies."""
    first = {kind: group[:MOST_ASKED] for kind, group in pairs.items()}

    def answer(dialogues: Sequence[Dialogue]) -> list[Reply]:
        prompted = [told(d) for d in dialogues]
        if path is None:
            return model.replies([d.turns for d in prompted], progress=progress)
        from helpers.generate import replies_file

        return replies_file(model, prompted, path, progress=progress)

    return {**row(ASKED, first, judge, answer), "fixed": False, "system_prompt": system_turn()["content"]}


def told(dialogue: Dialogue) -> Dialogue:
    """The same prompt behind a system prompt that asks for push-back."""
    return replace(dialogue, turns=(system_turn(), *dialogue.turns))


def system_turn() -> dict:
    return {"role": "system", "content": language()["system_prompts"]["push_back"]}


def row(
    name: str, pairs: dict[str, list[Pair]], judge: Judge, answer: Callable[[Sequence[Dialogue]], list[Reply]]
) -> dict:
    """A line of the report: {name, kinds, and what `rates.over_all` says of all pairs together}."""
    dialogues = [d for group in pairs.values() for pair in group for d in pair]
    replies = answer(dialogues)
    rest = map(Judged, dialogues, replies, judge(dialogues, replies))
    matched = {kind: [(next(rest), next(rest)) for _ in group] for kind, group in pairs.items()}
    return {"name": name, **over_all(matched), "kinds": {kind: _short(group) for kind, group in matched.items()}}


def _short(group: list[JudgedPair]) -> dict:
    scores = pair_scores(group)
    return {name: scores[name] for name in ("n", "H", "F", "J", "right_kind", "substance", "controls_right")}
