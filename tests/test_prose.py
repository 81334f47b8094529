import json
import random

import pytest
from salad import salad

from helpers import chat, prose
from helpers.prose import Index

MADE_UP_KEY = "sk-" + "Zq7RtW2xLm9Kp4Vb8Nc3"
TOKEN = "Zq7RtW2xLm9Kp4Vb8Nc3Jd6H"


@pytest.mark.parametrize(
    "text",
    [
        "Error code: 429 - Rate limit reached",
        "litellm.RateLimitError: too many",
        "RateLimitError",
        "Traceback (most recent call last):",
        "As an AI language model, I have no opinions.",
        "Rate limit reached for gpt-4o in organization org-1 on tokens per min.",
        "All is well. 500 Internal Server Error",
        "Request timed out.",
        "Here you are:\nConnection error.",
        "Incorrect API key provided: ****.",
        '{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}',
        "The server is currently overloaded with other requests.",
        "The response was filtered due to the prompt triggering a policy.",
        '{"error": {"message": "busy"}}',
        "N/A",
        "<html><body>502 Bad Gateway",
    ],
)
def test_an_error_saved_as_text_is_found(text):
    assert prose.error(text).startswith("is an error")


@pytest.mark.parametrize("mark", [chat.THINK, chat.END_THINK, chat.USER, chat.EOS, "<|im_end|>"])
def test_a_mark_of_the_prompt_string_is_found(mark):
    assert prose.tagged(f"So it is. {mark} And on.") == f"holds the tag {mark}"
    assert prose.tagged("a < b, x | y, <html>") == ""


@pytest.mark.parametrize(
    "text",
    [
        "The error is in line 3.",
        "A traceback names the line.",
        "Nothing went wrong.",
        "Your router says Connection error. Turn it off.",
        "A violin is not as loud as a large model of it.",
        "If the server is overloaded, add another.",
        "A 500 Internal Server Error means that the fault is theirs.",
        'Put <html lang="en"> at the top.',
        "The maximum context length of GPT-2 is small.",
    ],
)
def test_talk_of_errors_is_none(text):
    assert prose.error(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        MADE_UP_KEY,
        "hf_" + "AbCdEfGh1jKlMnOpQrStUv",
        "ghp_" + "a1B2c3D4e5F6g7H8i9J0kL",
        "AKIA" + "Q3EGZ7XK2MNP4RTV",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "Bearer " + "abc123DEF456ghi789JKL",
        f"the password is {TOKEN}",
        "0123456789abcdef" * 2,
        "https://ann:s3cret99@db.example.org/x",
        "write to ann.smith@gmail.com",
    ],
)
def test_keys_and_addresses_are_found_and_never_repeated(text):
    found = prose.private(f"Take this: {text} and go.")
    assert "looks like a key" in found or "e-mail address" in found
    assert text[-12:] not in found
    assert TOKEN not in prose.mask(text)


@pytest.mark.parametrize(
    "text",
    [
        "write to ann@example.org or ann@mail.example.com",
        "git clone git@github.com:ann/repo.git",
        "export KEY=sk-your-key-goes-right-here",
        "the_name_of_a_function_that_is_long_enough(1)",
        "call +31 20 123 4567 on 2024-05-01",
    ],
)
def test_examples_names_and_numbers_are_no_secrets(text):
    assert prose.private(text) == ""


def test_a_hash_is_nothing_strange_in_metadata():
    assert prose.private("0123456789abcdef" * 4, hashes=True) == ""


@pytest.mark.parametrize(
    "text",
    [
        "sdkfjh qwprtzx zxmcnvb hgjkdfs plmnbvc and so on sdfghjk",
        "nooooooooooo",
        "=-=-=-=-=- #### $$$ %% @@@ !!!! ====",
        "I see that well. " * 4,
    ],
)
def test_gibberish_is_found(text):
    assert prose.gibberish(text)


@pytest.mark.parametrize(
    "text",
    [
        "The strengths of the Knightsbridge club are borscht, long evenings and listening to HTTP jokes on the BBC.",
        "```\nfor (;;) { x[[i]] = (a && b) || !c; }\n```\nThis loops over all of them, once each, from first to last.",
        "- 200 g flour\n- 2 eggs\n- 50 ml milk, 1/2 tsp salt (or less)",
        "12 x 4 = 48, so it is 48.",
        "The log, to be signed.\nJan: 1 ok, 2 ok, 3 ok\nFeb: 1 ok, 2 ok, 3 ok\nMar: 1 ok, 2 ok, 3 cracked\n"
        "Apr: 1 ok, 2 ok, 3 new foot\nMay: 1 ok, 2 ok, 3 ok\nStaple the scraps behind it, and the receipt too.",
    ],
)
def test_long_words_code_and_lists_are_no_gibberish(text):
    assert prose.gibberish(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "De huurder heeft recht op teruggave van de waarborgsom, tenzij er schade is aan de woning in het contract.",
        "Der Mieter hat einen Anspruch auf die Kaution, sofern kein Schaden in der Wohnung ist, und das gilt hier.",
        "Kiracı depozitoyu geri alma hakkına sahiptir, daire hasar görmediyse ve sözleşme sona erdiyse bugün öder.",
        "Жилец имеет право вернуть залог.",
        "借家人は敷金の返還を受ける権利があります。",
    ],
)
def test_another_language_is_noticed(text):
    assert prose.foreign(text)


@pytest.mark.parametrize(
    "text",
    [
        "flight delayed 4h money back??",
        "pattern wants 600 metres of yarn, shop closes at 6, green merino, half price today. how many balls",
        "I have a question about my rent, the landlord does not give the deposit back, is that normal or how is it",
        "Write 'de huur is te hoog' in English: the rent is too high.",
    ],
)
def test_terse_english_and_that_of_a_dutch_reader_pass(text):
    assert prose.foreign(text) == ""


def test_a_wrong_encoding_is_noticed_and_a_right_one_is_not():
    assert prose.broken("cafÃ©") and prose.broken("donâ€™t") and prose.broken("a\x00b")
    assert prose.broken(json.loads('"café, don’t, \U0001f642\\n"')) == ""


# -- how like two texts are ----------------------------------------------------------------------------------------


RNG = random.Random(1)


def test_a_text_with_some_words_changed_is_near_and_another_is_not():
    index, text = Index(), salad(RNG, 40)
    index.add("first", text)
    words = text.split()
    words[3], words[20] = "camel", "zebra"
    assert index.near(" ".join(words)) == "first"
    assert index.near(salad(RNG, 40)) is None


def test_two_ways_to_ask_about_one_thing_are_one_scene():
    scenes = Index.of_scenes()
    scenes.add(
        1, "How many litres of white paint do I need for the living room walls? The room is 4 by 5 metres, 2.5 high."
    )
    asked = "How much paint for the four walls of a living room of 4 by 5 metres? White, ceiling at 2.5, litres please."
    assert scenes.near(asked) == 1
    assert (
        scenes.near("How many metres of yarn do I need for a green merino pullover? The pattern is in inches.") is None
    )
    assert Index().add(1, asked) is None


def test_a_mate_may_be_near_and_others_may_not():
    index, text = Index(), salad(RNG, 30)
    assert index.add(1, text, "pair a") is None
    assert index.add(2, text, "pair a") is None
    assert index.add(3, text, "pair b") == 1


def test_texts_of_a_word_or_of_none_are_compared_too():
    index = Index()
    assert [index.add(1, "Yes."), index.add(2, "yes"), index.add(3, "..."), index.add(4, "")] == [None, 1, None, None]


def test_a_thousand_copies_are_compared_with_one_and_not_with_each_other(monkeypatch):
    index, text = Index(), salad(RNG, 30)
    index.add(0, text)
    looked_at = []
    monkeypatch.setattr(index._lsh, "query", lambda s, ask=index._lsh.query: looked_at.extend(ask(s)) or ask(s))
    assert {index.add(i, text) for i in range(1, 1000)} == {0}
    assert len(looked_at) == 999
