import base64
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.pages import Heading, Shown, Table, Text, html, markdown
from helpers.picture import LOOKS, save

EVIL = "<img src=x onerror=alert(1)> & `x` | [a](http://b) \x1b[31m\u202e **bold** $x$"


class Seen(HTMLParser):
    """The tags that are open, those that were, and the text; a tag that closes another one is an error."""

    ALONE = ("meta", "img", "source", "br")

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.ALONE:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def seen(page):
    parser = Seen()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


@pytest.fixture
def shown(tmp_path):
    def paint(figure, look):
        figure.text(0.1, 0.1, "x")
        return 'A "quoted" <picture> [1]'

    return Shown(*(save(paint, tmp_path / "pictures" / f"x-{look.name}.png", look) for look in LOOKS))


def test_the_html_holds_its_pictures_in_both_looks_with_their_words_and_needs_nothing_else(shown):
    page = html("T", [shown])
    tags = seen(page).tags
    image = next(attributes for tag, attributes in tags if tag == "img")
    assert image["alt"] == shown.light.alt
    assert base64.b64decode(image["src"].partition(",")[2]) == shown.light.path.read_bytes()
    dark = next(attributes for tag, attributes in tags if tag == "source")
    assert dark["media"] == "(prefers-color-scheme: dark)"
    assert base64.b64decode(dark["srcset"].partition(",")[2]) == shown.dark.path.read_bytes()
    assert "http:" not in page and "https:" not in page and not any(tag in ("script", "link") for tag, _ in tags)


def test_the_markdown_names_its_pictures_by_their_place_beside_it(shown, tmp_path):
    text = markdown("T", [shown], tmp_path)
    assert text == '# T\n\n![A "quoted" &lt;picture&gt; \\[1\\]](pictures/x-light.png)\n'


def test_what_models_say_is_text_in_the_html_and_never_a_tag():
    page = seen(html(EVIL, [Heading(EVIL), Text([EVIL]), Table(["a"], [[EVIL]], said=True)]))
    assert not any(tag == "img" for tag, _ in page.tags)
    assert page.text.count("<img src=x onerror=alert(1)> & `x`") == 5  # title and heading, and three below
    assert "\x1b" not in page.text and "\u202e" not in page.text


def test_what_models_say_stays_in_its_cell_in_the_markdown(tmp_path):
    text = markdown("T", [Table(["a", "b"], [[EVIL, "one\ntwo"]])], tmp_path)
    row = text.splitlines()[-1]
    assert len(re.findall(r"(?<!\\)\|", row)) == 3
    assert "&lt;img" in row and r"\[a\]" in row and r"\*\*bold\*\*" in row and row.endswith("| one<br>two |")


@settings(max_examples=60, deadline=None)
@given(st.text())
def test_any_text_gives_a_page_that_is_well_formed(text):
    assert not {tag for tag, _ in seen(html("T", [Table(["a"], [[text]])])).tags} & {"script", "img", "a"}
    rows = markdown("T", [Table(["a", "b"], [[text, text]])], None).splitlines()
    assert len(rows) == 5
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", rows[-1])) == 3
