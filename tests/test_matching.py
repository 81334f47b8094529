"""Replies that were made elsewhere: what belongs to the course is judged, the rest is named."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.errors import UserError
from helpers.matching import KEYS, match, read_rows
from helpers.natural_suite import STAGE, read_pairs

PAIRS = read_pairs(STAGE)
ONCE = [pair for pair in PAIRS if len(pair[0].turns) == 1]


def entries(dialogues):
    return [dict(zip(KEYS, (d.turns[0]["content"], "base", "tuned"), strict=True)) for d in dialogues]


def written(path, data):
    path.write_text(data if isinstance(data, str) else json.dumps(data, indent=1), encoding="utf-8")
    return path


@pytest.fixture
def file(tmp_path):
    return tmp_path / "r.json"


def test_whole_pairs_are_found_whatever_their_order_spaces_and_quotes(file):
    pair = next(pair for pair in ONCE if "'" in pair[0].user_input)
    asked = entries([pair[1], pair[0]])
    asked[1]["prompt"] = "  " + asked[1]["prompt"].replace("'", "\u2019").replace(" ", "\n ", 1)
    found = match(read_rows(written(file, asked)), PAIRS)
    assert found.pairs == [pair]
    assert found.rows[pair[0].id].number == 2
    assert not [line for line in found.left_out if "no whole pair" not in line]


def test_what_cannot_be_matched_is_named_with_its_number(file):
    talk = next(pair for pair in PAIRS if len(pair[0].turns) > 1)
    trigger_only = ONCE[1][0]
    asked = [*entries([*ONCE[0], trigger_only, talk[0]]), dict.fromkeys(KEYS, "What is\x1b[2J love?")]
    left_out = "\n".join(match(read_rows(written(file, asked)), PAIRS).left_out)
    assert '1 of 5 prompts are not of the course: entry 5 "What is\\x1b[2J love?"' in left_out
    assert "1 triggers without their control: entry 3" in left_out
    assert "1 begin a conversation, of which such a file holds one turn: entry 4" in left_out
    assert "no whole pair of refusal: the card is without it" in left_out


@pytest.mark.parametrize(
    "data, said",
    [
        ('[\n {"prompt": "a",\n}]', r"r\.json, line 3: not JSON"),
        ("[]", "an empty list"),
        ('{"prompt": "a"}', "holds no list"),
        ('["a"]', "entry 1: expected an object, got str"),
        ([{"prompt": "a", "baseline_response": "b"}], "entry 1: tuned_response is missing"),
        ([{"prompt": "a", "baseline_response": 1, "tuned_response": "c"}], "entry 1: baseline_response is no text"),
        ([dict.fromkeys(KEYS, " ")], "entry 1: the prompt is empty"),
        ([dict.fromkeys(KEYS, "Hi"), dict.fromkeys(KEYS, "hi ")], "entry 2: the same prompt as in entry 1"),
        ("[" * 100_000, "cannot be read|nested|not JSON"),
    ],
)
def test_a_broken_file_is_refused_with_its_line_or_entry(file, data, said):
    with pytest.raises(UserError, match=said):
        read_rows(written(file, data))


def test_a_file_that_is_missing_or_in_another_encoding_is_named(file):
    with pytest.raises(UserError, match=r"r\.json cannot be read"):
        read_rows(file)
    file.write_text('[{"prompt": "é"}]', encoding="utf-16")
    with pytest.raises(UserError, match=r"r\.json is not UTF-8 text"):
        read_rows(file)
    file.write_text(json.dumps(entries(ONCE[0])), encoding="utf-8-sig")  # as Windows likes to save it
    assert len(read_rows(file)) == 2


def test_replies_to_another_prompt_set_are_refused(file):
    with pytest.raises(UserError, match=r"none of its 1 prompts .* another prompt set"):
        match(read_rows(written(file, [dict.fromkeys(KEYS, "What is love?")])), PAIRS, file)
    with pytest.raises(UserError, match=r'entry 1 ".*" has no partner'):
        match(read_rows(written(file, entries([ONCE[0][0]]))), PAIRS, file)


def test_thoughts_are_taken_apart_from_answers_and_half_characters_replaced(file):
    entry = {**entries([ONCE[0][0]])[0], "tuned_response": "<think>\nhm\n</think>\nNo.\ud800"}
    (row,) = read_rows(written(file, [entry]))
    assert (row.replies[0].answer, row.replies[1].thinking, row.replies[1].answer) == ("base", "hm", "No.?")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda one: st.lists(one) | st.dictionaries(st.text(), one),
    )
)
def test_any_json_is_read_or_refused_in_one_line(tmp_path_factory, data):
    path = written(tmp_path_factory.mktemp("any") / "r.json", json.dumps(data))
    try:
        assert read_rows(path)
    except UserError as problem:
        assert "\n" not in str(problem)
