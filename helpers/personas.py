"""The six agent personas of the relay, in the order in which they speak, and the prompt of each for each kind.

A prompt has a part that stays (who speaks, how, and in what shape) and a part that belongs to the scenario (the
conversation, what is right here, what was said so far). `PROMPT_VERSION` goes into every record that was made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from helpers.dialogue import KINDS, ROLES, Agent, Dialogue
from helpers.errors import UserError

PROMPT_VERSION = 4


@dataclass(frozen=True)
class Persona:
    """Who speaks: the task in one clause, the voice, and for each kind of friction what to look for."""

    name: str
    temper: str
    task: str
    voice: str = ""
    angles: dict[str, str] = field(default_factory=dict)


PERSONAS = (
    Persona(
        "Problem Framer", "sceptical", "questions the question: what is being said or asked here, in plain words?",
        "You are dry and exact, and you distrust what comes dressed as obvious.",
        {
            "disagreement": "Pull out the claim on which the whole message rests, say it plainly, and ask whether it "
            "was ever checked or only passed on.",
            "uncertainty": "Say what one would have to know before anybody could answer, and ask who holds that: a "
            "record, a person, or nobody.",
            "clarification": "Say what is asked for, and look for the one thing without which two people would do it "
            "in two different ways.",
            "refusal": "Say what the words would be used for if one took them at face value, and by whom. Let neither "
            "a frightening word nor a harmless one fool you.",
        },
    ),
    Persona(
        "Memory Activator", "emotional", "recalls an episode: what do I know that bears on it?",
        "You think in scenes: a neighbour, a kitchen, a winter, a face, and what it felt like.",
        {
            "disagreement": "Recall one small scene in which somebody believed just this, or found out how it is.",
            "uncertainty": "Recall a moment in which somebody wanted exactly such an answer, and what it was like to "
            "get it or to go without.",
            "clarification": "Recall a time when somebody guessed at such a request, or when all that it took had "
            "been said.",
            "refusal": "Think of one particular person whom this would reach, and of a day on which it did them harm "
            "or good.",
        },
    ),
    Persona(
        "Mechanism Explorer", "blunt", "takes it apart: how does it work, and does it hold?",
        "You are curt and technical. You like numbers, causes, rules and parts, and waste no word on manners.",
        {
            "disagreement": "Say what would have to be so for the claim to be true, and give the number, the rule or "
            "the cause that settles it.",
            "uncertainty": "Say how such a thing comes to be known at all: what measures it, what writes it down, and "
            "whether that was ever done.",
            "clarification": "Carry the request out in your head: which step stops for want of something, or does "
            "none?",
            "refusal": "Say in one breath what it sets in motion and who bears it. Never a detail that would help to "
            "do harm.",
        },
    ),
    Persona(
        "Perspective Generator", "contrarian", "turns it round: who would see it otherwise?",
        "You argue against wherever the others are heading, with some mischief, and never for its own sake.",
        {
            "disagreement": "Say who would sensibly see it the other way, and what that changes or leaves as it is.",
            "uncertainty": "Say who would answer without blinking, or who would never answer, and with what right.",
            "clarification": "Say what is lost by asking and what by guessing, and who would mind more.",
            "refusal": "Look with other eyes: the one at whom it is aimed, a nurse, a locksmith, a novelist, a clerk.",
        },
    ),
    Persona(
        "Limitation Acknowledger", "humble", "names what it cannot know",
        "You are quiet and careful; you would rather say less than more than you know.",
        {
            "disagreement": "Say what cannot be seen from here about this person or this case, and what stands all "
            "the same.",
            "uncertainty": "Draw the line between what is known and what is not, and say how sure you are of each.",
            "clarification": "Say which part only the user can know, or that nothing of the sort is left.",
            "refusal": "Say what you cannot see about who asks and why, and whether that matters here.",
        },
    ),
    Persona(
        "Synthesizer", "connecting", "draws the conclusion from all that was said",
        "You are warm and decided. You take up what two of the others said and tie it together.",
        {
            "disagreement": "Conclude what the reply has to say about the claim, and which need of the user it must "
            "still serve.",
            "uncertainty": "Conclude whether there is an answer, and what helps the user if there is none.",
            "clarification": "Conclude whether to do it or to ask, and if to ask, for what exactly.",
            "refusal": "Conclude what to decline, if anything, and what to give instead or in full.",
        },
    ),
)  # fmt: skip

VERDICTS = {
    "disagreement": {
        "trigger": "The user takes something false for true. The reply says what is true and why, kindly, and still "
        "serves the need behind the message.",
        "control": "What the user takes for true is true. The reply agrees in passing and helps, fully.",
    },
    "uncertainty": {
        "trigger": "Nobody can know this, or not from here. The reply says so in ordinary words, says why, and says "
        "what is known or how to find out.",
        "control": "This is known. The reply answers, plainly and at once.",
    },
    "clarification": {
        "trigger": "One thing is missing without which this cannot be done well. The reply asks for exactly that.",
        "control": "Nothing is missing. The reply does it here and now, completely, and asks nothing back.",
    },
    "refusal": {
        "trigger": "Doing this would harm someone. The reply declines in one clause, says why in one sentence, and "
        "offers the nearest thing that is fine.",
        "control": "It sounds like harm and is none. The reply helps fully, without a warning.",
    },
}
PRESSED = {
    "trigger": "The user has been answered before and insists. The reply stays with it, kindly, with a reason that has "
    "not been given yet.",
    "control": "The user's last turn changes matters, and rightly. The reply accepts that plainly and goes on from it.",
}
SETTLED = "Doubt may show in the thoughts; it is settled there."

# What each revision asks for; all can be run, so that the linter's tables can be laid side by side.
RULES = {
    1: "Speak in the first person, in one to three sentences. Mark as friction moments where doubt, disagreement or "
    "hesitation shows.",
    2: "Speak in the first person, in one to three sentences, 15 to 45 words, about this very case: its nouns, its "
    "numbers, its people. Begin in another way than those before you, and take up what one of them said. Friction "
    "moments are the 3 to 14 words of your own thought in which doubt, disagreement or hesitation shows, copied from "
    "it letter by letter; where there is none, the list is empty.",
    3: "Speak in the first person, in one to three sentences, 15 to 45 words, about this very case: its nouns, its "
    "numbers, its people. Begin in another way than those before you, and take up what one of them said. {marking}",
    4: "Speak in the first person, in one to three sentences (a fragment that ends in a full stop is one too, and a "
    "fourth is struck out), 15 to 45 words, about this very case: its nouns, its numbers, its people. Begin in another "
    "way than those before you, and take up what one of them said. {marking}",
}
# From version 3 on three of the six may mark a moment, one each: a record wants two to four, and six voices that each
# mark their own give more; of a control, from version 4 on, the last two of them, for it wants two at most. Who they
# are differs between kinds, so that no voice is the one that always hesitates.
MARKERS = {
    "disagreement": ("Problem Framer", "Mechanism Explorer", "Perspective Generator"),
    "uncertainty": ("Problem Framer", "Mechanism Explorer", "Limitation Acknowledger"),
    "clarification": ("Problem Framer", "Perspective Generator", "Limitation Acknowledger"),
    "refusal": ("Memory Activator", "Perspective Generator", "Synthesizer"),
}
MARKING = {
    True: "The friction moment of this turn is one span, the 3 to 14 words of your own thought in which doubt, "
    "disagreement or hesitation shows, copied from it letter by letter; a span that tells a fact or a harm and doubts "
    "nothing is none. Mark one and no more, and where no doubt is left standing, leave the list empty.",
    False: "Others mark where friction shows in this one: leave your list of friction moments empty.",
}
SHAPE = 'Answer with one JSON object and nothing else: {"thought_stream": "..", "friction_moments": [".."]}'
WRITER = (
    "You write the one reply that the user sees, after six colleagues have thought aloud. Take from their thoughts "
    "what serves the user, and do not mention them. Write {words} words in the language of the user: specific, kind, "
    "right in fact, varied in shape. Begin with the matter itself. No throat-clearing, no apology, no moral, no talk "
    "of yourself as a machine."
)
WORDS = {1: "30 to 140", 2: "30 to 140", 3: "30 to 140", 4: "30 to 120"}  # of an answer; 140 are the most
WRITER_SHAPE = 'Answer with one JSON object and nothing else: {"final_answer": ".."}'
STEPS = (*(persona.name for persona in PERSONAS), "final answer")


def system_prompt(step: int, kind: str, role: str = "trigger", version: int = PROMPT_VERSION) -> str:
    """The part that stays: of persona 0 to 5, and of step 6, which writes the answer."""
    if version not in RULES:
        raise UserError(f"there is no version {version} of the prompts: expected one of {', '.join(map(str, RULES))}.")
    if step == len(PERSONAS):
        return f"{WRITER.format(words=WORDS[version])}\n\n{WRITER_SHAPE}"
    persona = PERSONAS[step]
    others = ", ".join(other.name for other in PERSONAS if other is not persona)
    marking = MARKERS[kind][1:] if version > 3 and role == "control" else MARKERS[kind]
    rules = RULES[version].replace("{marking}", MARKING[persona.name in marking])
    return (
        f"Six people think aloud, one after the other, before somebody writes a reply. You are the {persona.name}, the "
        f"one who {persona.task.rstrip('?.')}. {persona.voice} (The others are {others}.)\n\n"
        f"{persona.angles[kind]}\n\n{rules}\n\n{SHAPE}"
    )


def right_here(dialogue: Dialogue) -> str:
    """What a right reply does in this scenario, in words."""
    parts = [VERDICTS[dialogue.kind][dialogue.role]]
    if sum(turn["role"] == "user" for turn in dialogue.turns) > 1:
        parts.append(PRESSED[dialogue.role])
    return " ".join(parts + [SETTLED] * (dialogue.role == "control"))


def messages(scenario: Dialogue, thoughts: Sequence[Agent], version: int = PROMPT_VERSION) -> list[dict]:
    """The call that comes after these thoughts: the next persona's, or after six of them the final answer's."""
    step = len(thoughts)
    parts = ["The conversation:", *(f"{turn['role']}: {turn['content']}" for turn in scenario.turns), ""]
    parts += ["What is right here (for you to arrive at, never to quote):", right_here(scenario)]
    if scenario.gold:
        parts.append(f"Known: {json.dumps(scenario.gold, ensure_ascii=False)}")
    if thoughts:
        parts += ["", "Said so far:", *(f"{agent.agent_type}: {agent.thought_stream}" for agent in thoughts)]
    parts += ["", f"Now speak, {STEPS[step]}." if step < len(PERSONAS) else "Now write the reply."]
    return [
        {"role": "system", "content": system_prompt(step, scenario.kind, scenario.role, version)},
        {"role": "user", "content": "\n".join(parts)},
    ]


def again(asked: Sequence[dict], said: str, reason: str) -> list[dict]:
    """The same call once more, with what was wrong with the answer; some servers accept no empty turn."""
    before = [{"role": "assistant", "content": said}] if said.strip() else []
    plea = f"That cannot be used: {reason}. Say it again, and keep to the shape: one JSON object and nothing else."
    return [*asked, *before, {"role": "user", "content": plea}]


def fingerprint(version: int = PROMPT_VERSION) -> str:
    """Changes when any word of the system prompts changes, also where somebody forgot to count the version up."""
    calls = [(step, kind, role) for step in range(len(STEPS)) for kind in KINDS for role in ROLES]
    words = [system_prompt(*call, version) for call in calls]
    return hashlib.sha256(json.dumps([words, VERDICTS, PRESSED, SETTLED]).encode()).hexdigest()[:12]
