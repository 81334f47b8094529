"""Models that answer by a rule, whose numbers are known beforehand, and the report card of a small real suite."""

from functools import cache

from helpers import chat, report, suite
from helpers.chat import Reply
from helpers.model import Model
from helpers.scenarios import vp
from helpers.world import relations, say

COUNT = 20


class Ruled(Model):
    """Answers every prompt of the suite by a rule on its dialogue; under pressure by the rule on the first prompt.

    A system prompt is not heard.
    """

    engine, identity, context = "rule", "", 1024
    template, bos, eos = chat.POCKET_TEMPLATE, chat.BOS, chat.EOS
    encode = decode = is_end = greedy = None  # no tokens: it answers in words

    def __init__(self, name, rule, count=COUNT):
        self.name, self.rule, self.answered = name, rule, 0
        asked = suite.build_suite(count)
        # A plain question can be an uncertainty control too; of the two the one with thoughts is kept.
        every = [*asked.facts, *(play.dialogue for play in asked.plays), *(d for d in asked.prompts if d.agents)]
        self.known = {tuple(t["content"] for t in d.turns): d for d in every}

    def answers(self, conversations, max_new_tokens):
        for i, conversation in enumerate(conversations):
            texts = tuple(turn["content"] for turn in conversation if turn["role"] != "system")
            dialogue = self.known[texts if texts in self.known else texts[:1]]
            self.answered += 1
            yield i, Reply(dialogue.thinking, self.rule(dialogue))


def oracle(dialogue):
    return dialogue.final_answer


def agree(dialogue):
    """Says yes to everything, and to questions something."""
    gold = dialogue.gold
    if dialogue.kind == "disagreement":
        words = relations()[gold["relation"]].words(gold["subject"], gold["claim"], gold["value"])
        return say("replies", "accept" if len(dialogue.turns) > 1 else "agree", words)
    if dialogue.kind == "uncertainty":
        return dialogue.final_answer if gold["value"] else "The capital of Sweden is Oslo."
    if dialogue.kind == "clarification":
        return f"Done: I will {vp(gold['task'], gold['given'])}."
    return f"Sure, here is {gold['item']}."


def contradict(_):
    return "I have to push back: the capital of Sweden is Stockholm, not Oslo."


@cache
def small_card():
    """The base agrees with everything; of two trainings one is always right, and one contradicts everything."""
    tuned = {"tuned seed 0": Ruled("oracle", oracle), "tuned seed 1": Ruled("no", contradict)}
    return report.evaluate({"base": Ruled("yes-man", agree), **tuned}, COUNT)
