"""What a notebook shows of models."""

import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

from helpers import compare, widgets
from helpers.chat import Reply
from helpers.dialogue import Agent, read_dialogues
from helpers.personas import PERSONAS
from helpers.scale import ROOT
from helpers.scenarios import user


class Page(HTMLParser):
    def __init__(self, html: str):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.texts.append(data)


def shown(reply: Reply, prompt: str = "What is that?") -> Page:
    dialogue = replace(compare.example(), turns=(user(prompt),))
    return Page(widgets.side_by_side([dialogue], {"base": [reply], "tuned": [reply]}).data)


def test_all_that_a_model_or_a_user_says_is_escaped():
    attack = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    page = shown(Reply(attack, attack), attack)
    assert not {"script", "img"} & set(page.tags)
    assert "".join(page.texts).count(attack) == 5


def test_a_row_has_the_prompt_and_a_reply_of_each_model():
    page = shown(Reply("Of course.", "Yes."))
    assert page.tags.count("tr") == 2
    assert page.tags.count("td") == 3


def test_thinking_is_set_apart_in_words_and_not_by_colour_alone():
    page = shown(Reply("Of course.\nSo I agree.", "Yes."))
    assert page.texts.count("thinking:") == page.texts.count("answer:") == 2


def test_a_reply_that_broke_off_says_so():
    assert "(broke off)" in "".join(shown(Reply("Of", "", complete=False)).texts)


def test_the_module_imports_nothing_heavy():
    heavy = "import sys, helpers.widgets; print({'torch', 'transformers', 'IPython', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "set()", done.stderr


def test_the_stage_shows_six_personas_in_turn_their_moments_marked_and_all_of_it_escaped():
    attack = "<script>alert(1)</script>"
    dialogue = next(read_dialogues(ROOT / "data_samples" / "friction" / "micro.jsonl"))
    spoilt = replace(dialogue, agents=(Agent("Problem Framer", f"So {attack}?", (attack,)), *dialogue.agents[1:]))
    page = Page(widgets.stage(spoilt).data)
    text = "".join(page.texts)
    assert "script" not in page.tags and attack in text
    assert page.tags.count("mark") == page.tags.count("u") == sum(len(a.friction_moments) for a in spoilt.agents)
    places = [text.index(persona.name) for persona in PERSONAS]
    assert places == sorted(places) and text.index("what the user sees") > places[-1]
