"""A model that answers a conversation by a rule, for the evaluation in plain English."""

from helpers import chat
from helpers.chat import Reply
from helpers.model import Model


class Talker(Model):
    """rule: from the texts of all turns to what is answered. It counts how often it was asked."""

    engine, identity, context = "rule", "", 1024
    template, bos, eos = chat.SMOLLM2_TEMPLATE, "", ""
    encode = decode = is_end = greedy = None  # no tokens: it answers in words

    def __init__(self, name, rule):
        self.name, self.rule, self.asked = name, rule, []

    def answers(self, conversations, max_new_tokens):
        for i, conversation in enumerate(conversations):
            texts = [turn["content"] for turn in conversation if turn["role"] != "system"]
            self.asked.append(texts)
            yield i, Reply("", self.rule(texts))
