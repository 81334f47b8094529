"""A stand-in for a model server on this machine: it speaks OpenAI's HTTP, answers at a set pace, and can be told to
fail. For the benchmark, the tests, and for trying out what a run says when things go wrong."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread

from helpers.scale import ROOT

WORDS = ("I", "wonder", "whether", "this", "holds", "as", "it", "stands,", "and", "would", "look", "again", "first")


@dataclass(frozen=True)
class Reply:
    """What goes back: a text that the model says, or a status with its headers; after `delay` seconds."""

    text: str = ""
    finish: str = "stop"
    status: int = 200
    headers: dict = field(default_factory=dict)
    delay: float = 0.0
    drop: bool = False  # close the connection without an answer
    garbled: bool = False  # an answer that is no JSON, as a broken proxy gives
    tokens: int = 50


def speak(request: dict, number: int) -> Reply:
    """A turn that keeps the shape which the request asks for; the same request always gets the same turn."""
    wants_answer = '"final_answer"' in request["messages"][0]["content"]
    thought = f"{hashlib.sha256(json.dumps(request['messages']).encode()).hexdigest()[:8]}: {' '.join(WORDS)}."
    turn = {"thought_stream": thought, "friction_moments": ["look again"]}
    return Reply(json.dumps({"final_answer": thought} if wants_answer else turn))


class StandIn:
    """The server, in threads of this process. `answer` decides what to say to the n-th request.

    requests: all bodies so far. most: the most requests that were under way at once. billed: tokens of all answers.
    """

    def __init__(self, answer: Callable[[dict, int], Reply] = speak, latency: float = 0.0):
        self.answer, self.latency = answer, latency
        self.requests: list[dict] = []
        self.keys: list[str] = []
        self.under_way = self.most = self.billed = 0
        self.lock = Lock()
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body leave in two pieces; with it each waits for the other

            def do_POST(self):
                stand_in.handle(self)

            def log_message(self, *arguments):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, request, client):
                pass  # a client that is killed hangs up; that is what it is for

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def __enter__(self) -> StandIn:
        Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *exception) -> None:
        self.server.shutdown()
        self.server.server_close()

    def handle(self, http: BaseHTTPRequestHandler) -> None:
        request = json.loads(http.rfile.read(int(http.headers["Content-Length"])))
        with self.lock:
            self.requests.append(request)
            self.keys.append(http.headers.get("Authorization", ""))
            number = len(self.requests)
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        reply = self.answer(request, number)
        time.sleep(reply.delay or self.latency)
        with self.lock:
            self.under_way -= 1
            if reply.status == 200:
                self.billed += self.usage(request, reply)["total_tokens"]
        if reply.drop:
            http.close_connection = True
            return
        body = b"<html>" if reply.garbled else json.dumps(self.body(request, reply)).encode()
        http.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", "Content-Length": len(body), **reply.headers}.items():
            http.send_header(name, str(value))
        http.end_headers()
        http.wfile.write(body)

    def usage(self, request: dict, reply: Reply) -> dict:
        asked = sum(len(message["content"]) for message in request["messages"]) // 4
        said = min(reply.tokens, request.get("max_tokens", reply.tokens))
        return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}

    def body(self, request: dict, reply: Reply) -> dict:
        if reply.status != 200:
            return {"error": {"message": reply.text or f"status {reply.status}", "type": "stand-in"}}
        message = {"role": "assistant", "content": reply.text}
        choice = {"index": 0, "message": message, "finish_reason": reply.finish}
        about = {"id": "stand-in", "object": "chat.completion", "created": 0, "model": request["model"]}
        return {**about, "choices": [choice], "usage": self.usage(request, reply)}


def throughput(concurrency: int = 32, latency: float = 0.5, waves: int = 3) -> dict:
    """How near the relay comes to the ideal against a server with that latency in seconds: `ratio`, 1 at best.

    Ideal: every hand is always waiting for the server, so `waves` records one after the other take 7 calls each.
    """
    from helpers.synthesis import STEPS, synthesise

    command = [sys.executable, "-m", "helpers.stand_in", str(latency)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", cwd=ROOT) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        try:
            os.environ["HOSTED_VLLM_API_BASE"] = server.stdout.readline().strip()
            for name, hands, count in (("warm", 2, 2), ("out", concurrency, concurrency * waves)):
                outcome = synthesise(  # the first run pays for what LiteLLM imports at its first call
                    "hosted_vllm/stand-in", count, out=Path(folder) / f"{name}.jsonl", concurrency=hands,
                    progress=lambda line: None,
                )  # fmt: skip
        finally:
            server.kill()
    ideal = waves * len(STEPS) * latency
    return {
        "concurrency": concurrency, "latency": latency, "calls": outcome.calls, "seconds": round(outcome.seconds, 2),
        "calls_per_second": round(outcome.calls / outcome.seconds, 1), "ratio": round(ideal / outcome.seconds, 3),
    }  # fmt: skip


if __name__ == "__main__":  # python -m helpers.stand_in [LATENCY]: prints its address, and serves until it is stopped
    with StandIn(latency=float(sys.argv[1]) if len(sys.argv) > 1 else 0.0) as stand_in:
        print(stand_in.url, flush=True)
        while True:
            time.sleep(3600)
