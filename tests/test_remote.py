"""A model behind LiteLLM, against two servers of this process: one speaks OpenAI's HTTP, one Ollama's."""

import json
import os
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from serving import HASTY, KEY

from helpers import generate, remote
from helpers.dialogue import Dialogue
from helpers.errors import UserError
from helpers.scale import ROOT
from helpers.scenarios import user
from helpers.stand_in import Reply, StandIn


def echo(request, number):
    """What was last asked, backwards, so that each prompt has a reply of its own; "cut" is cut off."""
    asked = request["messages"][-1]["content"]
    return Reply(asked[::-1], finish="length" if asked == "cut" else "stop")


@pytest.fixture
def openai(monkeypatch):
    with StandIn(echo) as server:
        monkeypatch.setenv("HOSTED_VLLM_API_BASE", server.url)
        monkeypatch.setenv("OPENAI_API_BASE", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        yield server


@pytest.fixture
def ollama(monkeypatch):
    """Ollama's list of models and its chat, whole or in pieces; `said` and `digest` may be changed by a test."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send({"models": [{"name": "little:latest", "digest": server.digest}]})

        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path != "/api/chat":
                return self.send({})
            server.requests.append(request)
            done = {"done": True, "done_reason": "stop", "prompt_eval_count": 3, "eval_count": 3}
            parts = server.said if request["stream"] else [{k: v for part in server.said for k, v in part.items()}]
            rows = [{"message": {"role": "assistant", **part}, "done": False} for part in parts]
            rows[-1] |= {} if request["stream"] else done
            rows += [{"message": {"role": "assistant", "content": ""}, **done}] if request["stream"] else []
            self.send(*rows)

        def send(self, *rows):
            body = "".join(json.dumps({"model": "little", "created_at": "", **row}) + "\n" for row in rows).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.requests, server.digest, server.said = [], "one", [{"content": "Oslo."}]
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    monkeypatch.setenv("OLLAMA_API_BASE", f"http://127.0.0.1:{server.server_port}")
    yield server
    server.shutdown()
    server.server_close()


def conversation(text):
    return [user(text)]


def dialogue(text):
    return Dialogue("p", "disagreement", "trigger", (user(text),), (), "", {})


USUAL = ["ollama/qwen3", "ollama/llama3.2:1b", "openai/gpt-4o", "hosted_vllm/my/model", "litellm:gpt-4o-mini"]
PLAIN = [
    "smollm2",
    "data_samples/pocket",
    "tests/nowhere",
    "../m",
    "/tmp/m",
    "ollama",
    "ollama/",
    "C:\\m",
    "Qwen/Qwen3-8B",
]


@pytest.mark.parametrize("name", [*USUAL, "replicate/meta/llama-3", "github/gpt-4o", "nano-gpt/x", "aihubmix/x"])
def test_a_providers_prefix_makes_a_litellm_name(name):
    assert remote.is_named(name)


@pytest.mark.parametrize("name", [*PLAIN, "unsloth/Qwen3-0.6B", "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", "a b/c"])
def test_hub_ids_folders_and_bare_words_do_not(name):
    assert not remote.is_named(name)


def test_litellm_is_imported_only_where_nothing_else_decides(tmp_path):
    stored = tmp_path / "models--databricks--dolly"
    for name, text in (("refs/main", "abc"), ("snapshots/abc/config.json", "{}")):
        (stored / name).parent.mkdir(parents=True)
        (stored / name).write_text(text)
    names = [*USUAL, *PLAIN, "databricks/dolly"]
    code = (
        f"import sys; from helpers import remote; print(sum(map(remote.is_named, {names})), 'litellm' in sys.modules)"
    )
    env = {**os.environ, "HF_HUB_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, encoding="utf-8")
    assert done.stdout.split() == [str(len(USUAL)), "False"], done.stderr


def test_a_name_without_a_provider_is_asked_for_by_its_prefix(openai):
    model = generate.load("litellm:gpt-4o-mini")
    assert model.replies([conversation("abc")], 40)[0].answer == "cba"
    assert openai.requests[0]["model"] == "gpt-4o-mini"
    with pytest.raises(UserError, match="litellm:gpt-4o-mini"):
        generate.load("gpt-4o-mini")


def test_replies_come_in_the_order_of_the_prompts(openai):
    asked = [f"question {i}" for i in range(20)]
    found = generate.load("hosted_vllm/m").replies([conversation(text) for text in asked], 40)
    assert [reply.answer for reply in found] == [text[::-1] for text in asked]
    assert all(reply.complete for reply in found)
    assert openai.most > 1


def test_they_are_greedy_and_capped(openai):
    generate.load("hosted_vllm/m").replies([conversation("hello")], 40)
    request = openai.requests[0]
    assert (request["temperature"], request["max_tokens"], request["seed"]) == (0, 40, 0)


def test_a_reply_that_was_cut_off_is_marked(openai):
    cut, whole = generate.load("hosted_vllm/m").replies([conversation("cut"), conversation("tuc")], 40)
    assert (cut.complete, whole.complete) == (False, True)


def test_a_replies_file_asks_nothing_twice(openai, tmp_path):
    model = generate.load("hosted_vllm/m")
    asked = [dialogue("one"), dialogue("two")]
    first = generate.replies_file(model, asked[:1], tmp_path / "r.jsonl", 40)
    both = generate.replies_file(model, asked, tmp_path / "r.jsonl", 40)
    assert both[0] == first[0] and len(openai.requests) == 2


def test_inside_a_running_loop_it_answers_as_well(openai):
    import asyncio

    async def cell():
        return generate.load("hosted_vllm/m").replies([conversation("abc")], 40)

    assert asyncio.run(cell())[0].answer == "cba"


def test_whoever_reads_no_further_stops_the_calls(openai):
    openai.latency = 0.2
    answers = generate.load("hosted_vllm/m").answers([conversation(f"q{i}") for i in range(400)], 40)
    next(answers)
    answers.close()
    sent = len(openai.requests)
    time.sleep(0.5)
    assert len(openai.requests) == sent < 400


def test_ollama_is_asked_through_its_chat_and_thoughts_are_kept_apart(ollama):
    ollama.said = [{"thinking": "Is it? No."}, {"content": "Oslo."}]
    (reply,) = generate.load("ollama/little").replies([conversation("Capital of Norway?")], 40)
    assert (reply.thinking, reply.answer, reply.complete) == ("Is it? No.", "Oslo.", True)
    (sent,) = ollama.requests[0]["messages"]
    assert (sent["role"], sent["content"]) == ("user", "Capital of Norway?")


def test_a_stream_gives_the_same_in_pieces(ollama):
    ollama.said = [{"thinking": "Is it?", "content": ""}, {"thinking": " No.", "content": ""}, {"content": "Os"}]
    ollama.said += [{"content": "lo."}]
    pieces = list(generate.load("ollama/little").stream(conversation("Capital of Norway?"), 40))
    assert len(pieces) > 2
    assert "".join(pieces) == "<think>\nIs it? No.\n</think>\n\nOslo."


def test_a_model_made_again_under_the_same_name_is_asked_again(ollama, tmp_path):
    for digest in ("one", "one", "two"):
        ollama.digest = digest
        generate.replies_file(generate.load("ollama/little"), [dialogue("q")], tmp_path / "r.jsonl", 40)
    assert len(ollama.requests) == 2


def failing(model, monkeypatch, reply=None, url=""):
    """(message of replies, message of stream)"""
    said = []
    with StandIn(lambda request, number: reply) as server:
        for name in ("HOSTED_VLLM_API_BASE", "OPENAI_API_BASE", "OLLAMA_API_BASE"):
            monkeypatch.setenv(name, url or server.url)
        for ask in (lambda m: m.replies([conversation("hi")], 40), lambda m: list(m.stream(conversation("hi"), 40))):
            with pytest.raises(UserError) as error:
                ask(remote.Remote(model, HASTY))
            assert error.value.__suppress_context__ or error.value.__context__ is None
            said.append(str(error.value))
    assert all("\n" not in one and len(one) < 300 for one in said)
    return said


def test_a_missing_key_is_named_before_anything_is_sent(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UserError, match="OPENAI_API_KEY"):
        generate.load("openai/gpt-4o-mini")


def test_a_wrong_key_is_told_in_one_line_and_never_shown(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for line in failing("openai/gpt-4o-mini", monkeypatch, Reply(f"bad key {KEY}", status=401)):
        assert "refuses the key" in line and KEY not in line


def test_an_unknown_model_is_told_in_one_line(monkeypatch):
    for line in failing("hosted_vllm/nobody", monkeypatch, Reply(status=404)):
        assert "knows no model 'nobody'" in line


def test_a_server_that_is_down_is_told_in_one_line(monkeypatch):
    for line in failing("ollama/qwen3", monkeypatch, url="http://127.0.0.1:9"):
        assert "does not answer" in line


def test_one_prompt_that_the_server_declines_costs_that_reply_alone(monkeypatch):
    def answer(request, number):
        return Reply("policy", status=400) if request["messages"][-1]["content"] == "bad" else Reply("fine")

    with StandIn(answer) as server:
        monkeypatch.setenv("OPENAI_API_BASE", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        model = remote.Remote("openai/gpt-4o-mini", HASTY)
        model.at_once = 1
        good, bad, last = model.replies([conversation("a"), conversation("bad"), conversation("b")], 40)
    assert (good.answer, last.answer) == ("fine", "fine")
    assert (bad.answer, bad.complete) == ("", False)


@pytest.mark.parametrize("first", ["bad", "worse"])
def test_a_prompt_that_a_filter_declines_at_once_does_not_stop_the_others(first, monkeypatch):
    """A filter is quicker than a model; of other reasons it is seen at the end whether they hold for all."""

    def answer(request, number):
        asked = request["messages"][-1]["content"]
        said = {"bad": "content_filter: against our policy", "worse": "too long"}.get(asked)
        return Reply(said, status=400) if said else Reply("fine", delay=0.2)

    with StandIn(answer) as server:
        monkeypatch.setenv("OPENAI_API_BASE", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        model = remote.Remote("openai/gpt-4o-mini", HASTY)
        declined, fine = model.replies([conversation(first), conversation("a")], 40)
        assert (declined.answer, declined.complete, fine.answer) == ("", False, "fine")
        assert model.replies([conversation("bad")], 40)[0].answer == ""
        with pytest.raises(UserError, match="too long"):
            model.replies([conversation("worse"), conversation("worse")], 40)


def test_an_empty_prompt_is_refused(openai):
    with pytest.raises(UserError, match="prompt is empty"):
        generate.load("hosted_vllm/m").replies([conversation("  ")], 40)
