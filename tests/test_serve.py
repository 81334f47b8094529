"""The server speaks OpenAI's HTTP as its clients expect, and says in one line what it cannot do."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from helpers import chat, generate, serve
from helpers.errors import UserError
from helpers.scale import ROOT
from helpers.scenarios import user
from tests.test_generate import ADAPTER, POCKET

QUESTION = [user("Since Oslo is the capital of Sweden, what should I see there first?")]


@pytest.fixture(scope="module")
def server():
    with serve.Server(generate.load(ADAPTER, quick=True)) as running:
        yield running


def post(server, body: dict | bytes, path: str = "/chat/completions") -> tuple[int, dict]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return fetch(urllib.request.Request(server.url + path, data))


def fetch(request) -> tuple[int, dict]:
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_reply_over_http_is_the_models_own_thought_and_all(server):
    status, body = post(server, {"model": "any", "messages": QUESTION})
    (choice,) = body["choices"]
    assert (status, choice["finish_reason"]) == (200, "stop")
    (said,) = server.model.replies([QUESTION])
    assert chat.parse_reply(choice["message"]["content"], prefilled=False) == said
    assert "Stockholm" in said.answer


def test_the_model_is_listed(server):
    status, body = fetch(server.url + "/models")
    assert (status, [model["id"] for model in body["data"]]) == (200, [server.model.name])


def test_a_limit_cuts_the_reply_off_and_says_so(server):
    _, body = post(server, {"messages": QUESTION, "max_tokens": 5})
    (choice,) = body["choices"]
    assert (choice["finish_reason"], body["usage"]["completion_tokens"] <= 7) == ("length", True)
    assert not chat.parse_reply(choice["message"]["content"], prefilled=False).complete


def test_a_stop_string_ends_the_reply(server):
    _, body = post(server, {"messages": QUESTION, "stop": ["Stockholm"]})
    text = body["choices"][0]["message"]["content"]
    assert text.endswith("the capital of Sweden is ")


def test_text_in_parts_is_text(server):
    parts = [{"type": "text", "text": QUESTION[0]["content"]}]
    whole, in_parts = (
        post(server, {"messages": [{"role": "user", "content": content}], "max_tokens": 9})[1]["choices"]
        for content in (QUESTION[0]["content"], parts)
    )
    assert in_parts == whole


@pytest.mark.parametrize(
    "body, says",
    [
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", '"messages"'),
        ({"messages": []}, '"messages"'),
        ({"messages": [{"role": "tool", "content": "x"}]}, "a role"),
        ({"messages": ["hello"]}, "a role"),
        ({"messages": ["two\nlines"]}, "a role"),
        ({"messages": [{"role": "user", "content": None}]}, "NoneType"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "only text"),
        ({"messages": [user(" ")]}, "empty"),
        ({"messages": [user("word " * 3000)]}, "tokens long"),
        ({"messages": QUESTION, "stream": True}, '"stream" is not served'),
        ({"messages": QUESTION, "n": 2}, "only one"),
        ({"messages": QUESTION, "max_tokens": -1}, "from 1 on"),
        ({"messages": QUESTION, "max_tokens": True}, "from 1 on"),
        ({"messages": QUESTION, "stop": [1]}, '"stop" must be'),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_line(server, body, says):
    status, answer = post(server, body)
    assert status == 400
    assert says in answer["error"]["message"]
    assert "\n" not in answer["error"]["message"]


def test_an_address_with_nothing_behind_it_and_a_body_too_large_are_named(server):
    assert post(server, {}, "/embeddings")[0] == 404
    assert fetch(server.url + "/nothing")[0] == 404
    request = urllib.request.Request(server.url + "/chat/completions", b"", {"Content-Length": str(serve.LARGEST + 1)})
    assert fetch(request)[0] == 400


def test_requests_at_the_same_time_do_not_mix(server):
    from concurrent.futures import ThreadPoolExecutor

    names = ["France", "Japan", "Norway", "Egypt"]
    asked = [{"messages": [user(f"What is the capital of {name}?")]} for name in names]
    alone = [post(server, body)[1]["choices"] for body in asked]
    with ThreadPoolExecutor(4) as pool:
        assert [body["choices"] for _, body in pool.map(lambda body: post(server, body), asked)] == alone


texts = st.text(st.sampled_from("ab \n<>/") | st.characters(exclude_categories=["Cs"]), max_size=30)
pieces = st.lists(texts | st.sampled_from([chat.THINK, chat.END_THINK]), max_size=6).map("".join)


@given(pieces, st.booleans(), st.booleans())
@example("</think><think>late", False, True)
@example("", True, False)
def test_a_reply_is_read_back_as_it_was_whatever_the_model_wrote(text, prefilled, finished):
    reply = chat.parse_reply(text, prefilled, finished)
    assert chat.parse_reply(serve.written(reply), prefilled=False, finished=reply.complete) == reply


def test_a_model_that_fails_is_said_and_the_next_request_is_served(server, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(server.model, "template", "{{ raise_it() }}")
        status, body = post(server, {"messages": QUESTION})
        assert (status, "raise_it" in body["error"]["message"]) == (500, True)
    assert post(server, {"messages": QUESTION, "max_tokens": 2})[0] == 200


def test_what_another_server_serves_is_not_served_twice():
    with pytest.raises(UserError, match="ollama/qwen3 is on a server already"):
        serve.main(SimpleNamespace(model="ollama/qwen3", port=0))


def test_a_port_that_is_taken_is_named(server):
    with pytest.raises(UserError, match=rf"Port {server.server_port} cannot be used.*--port"):
        serve.Server(server.model, server.server_port)


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_ctrl_c_ends_it_with_one_line():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    code = (
        "import signal, types; from helpers import serve\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"serve.main(types.SimpleNamespace(model={str(POCKET)!r}, port={port}))"
    )
    child = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert f"http://127.0.0.1:{port}/v1" in child.stdout.readline().decode()
        time.sleep(0.2)  # let it begin to serve
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=30)
    finally:
        child.kill()
    assert (child.returncode, out.decode().strip(), err.decode()) == (0, "Stopped.", "")
