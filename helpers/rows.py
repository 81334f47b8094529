"""What the fine-tune trains on: dialogues as rows of token ids, and the part of each that is learned.

Loss falls on the assistant's last turn alone, its thoughts and its end token included.
"""

import random
from collections.abc import Sequence

from helpers import chat
from helpers.dialogue import Dialogue
from helpers.errors import UserError
from helpers.scale import Scale

VALIDATION = 0.1  # the share of pairs that is never trained on


def as_text(dialogue: Dialogue, tokenizer) -> tuple[str, str]:
    """(prompt, completion) of a dialogue, in the template of the tokenizer; the completion ends in the end token."""
    prompt = chat.render(
        dialogue.turns, tokenizer.chat_template, bos=tokenizer.bos_token or "", eos=tokenizer.eos_token
    )
    target = chat.target(dialogue.thinking, dialogue.final_answer)
    opening = f"{chat.THINK}\n"
    if prompt.endswith(opening):  # the template has opened the thought already
        target = target.removeprefix(opening)
    return prompt, target + tokenizer.eos_token


def split_pairs(dialogues: Sequence[Dialogue], seed: int, at_most: int = 200) -> tuple[list[Dialogue], list[Dialogue]]:
    """(training, validation): a tenth of the pairs is held back, a trigger always together with its control.

    Drawn from all pairs at once, and at most so many (`curation.split` takes a share of every kind, by hash). What
    stands in a pair that is trained on as well is not held back: nothing is in both.
    """
    names = sorted({d.pair_id for d in dialogues})
    held = set(random.Random(seed).sample(names, max(1, min(at_most, round(VALIDATION * len(names))))))
    trained = [d for d in dialogues if d.pair_id not in held]
    known = {d.id for d in trained}
    return trained, [d for d in dialogues if d.pair_id in held and d.id not in known]


def as_rows(dialogues: Sequence[Dialogue], tokenizer, longest: int) -> list[dict]:
    """{"input_ids", "labels"} of every dialogue of at most `longest` tokens; no label is set on the prompt.

    The template writes the start token, so the tokenizer must not add one more. A dialogue that is too long is left
    out whole: cut off, it would teach the model to stop in the middle of a sentence.
    """
    if not dialogues:
        return []
    texts = [as_text(d, tokenizer) for d in dialogues]
    prompts = tokenizer([prompt for prompt, _ in texts], add_special_tokens=False, verbose=False)["input_ids"]
    whole = tokenizer([prompt + completion for prompt, completion in texts], add_special_tokens=False, verbose=False)[
        "input_ids"
    ]
    for dialogue, p, ids in zip(dialogues, prompts, whole, strict=True):
        if ids[: len(p)] != p:
            raise UserError(
                f"The reply to {dialogue.user_input[:60]!r} changes how the end of the prompt is cut into tokens, as "
                "an empty thought can: the mark where the answer begins would not be found. Give it a thought."
            )
    rows = zip(prompts, whole, strict=True)
    return [{"input_ids": ids, "labels": [-100] * len(p) + ids[len(p) :]} for p, ids in rows if len(ids) <= longest]


def in_batches(rows: Sequence[dict], scale: Scale) -> list[dict]:
    """The rows of all epochs: batches of like length, in random order.

    The trainer's own grouping sorts stretches of 50 batches from long to short. In a run of some hundred steps that is
    a curriculum: it would end on nothing but the shortest sort of dialogue.
    """
    made, rng = [], random.Random(scale.seed)
    for _ in range(rounds(scale)):
        order = sorted(rng.sample(rows, len(rows)), key=lambda row: len(row["input_ids"]))
        batches = [order[i : i + scale.batch] for i in range(0, len(order), scale.batch)]
        batches = [batch for batch in batches if len(batch) == scale.batch] or batches
        made += [row for batch in rng.sample(batches, len(batches)) for row in batch]
    return made


def rounds(scale: Scale) -> int:
    """How often the trainer's data set holds each dialogue: once, unless all epochs are laid out beforehand."""
    return max(1, round(scale.epochs)) if scale.sampling == "sequential" else 1


def response_parts(tokenizer) -> dict:
    """The marks between which labels are set. Unsloth finds those of other templates by itself."""
    prompt = chat.render([{"role": "user", "content": "?"}], tokenizer.chat_template)
    if prompt.endswith(chat.RESPONSE_PART):
        return {"instruction_part": chat.INSTRUCTION_PART, "response_part": chat.RESPONSE_PART}
    return {"last_response_only": True}
