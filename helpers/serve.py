"""A model of the course behind OpenAI's HTTP on this machine, for the tools that speak it: Inspect, lm-eval, a chat.

For one user on one machine: it listens on 127.0.0.1 alone (at port 8000 if not told otherwise, where Inspect looks for
llama-cpp-python), and answers one request after the other. Replies are greedy, whatever temperature a request names; a
thought stands before its answer between its tags, as the model wrote it.
"""

import json
import os
import sys
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

from helpers import chat
from helpers.errors import UserError
from helpers.model import Model

HOST = "127.0.0.1"
UNASKED = 512  # tokens of a reply where the request sets no limit
LARGEST = 1 << 20  # bytes of a request
ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Request:
    """What a client asks for: messages with text alone, a limit in tokens, and strings at which the reply ends."""

    messages: tuple[dict, ...]
    max_new_tokens: int = UNASKED
    stop: tuple[str, ...] = ()


def read(body: bytes) -> Request:
    """The request in a body of /v1/chat/completions; UserError says what in it cannot be served."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UserError(f"The request is not JSON ({error}).") from None
    if not isinstance(asked, dict) or not isinstance(asked.get("messages"), list) or not asked["messages"]:
        raise UserError('The request needs "messages": a list of {"role", "content"}, the last one the user\'s.')
    for name in ("stream", "tools", "functions"):
        if asked.get(name):
            raise UserError(f'"{name}" is not served here: leave it out.')
    if asked.get("n") not in (None, 1):
        raise UserError('"n" is not served here: replies are greedy, so there is only one. Leave it out.')
    limit = asked.get("max_completion_tokens") or asked.get("max_tokens") or UNASKED
    if type(limit) is not int or limit < 1:
        raise UserError(f'"max_tokens" is {limit!r}, expected a whole number from 1 on.')
    stop = asked.get("stop") or []
    stop = [stop] if isinstance(stop, str) else stop
    if not isinstance(stop, list) or not all(isinstance(one, str) for one in stop):
        raise UserError('"stop" must be a string or a list of strings.')
    return Request(tuple(map(_message, asked["messages"])), limit, tuple(filter(None, stop)))


def _message(message: object) -> dict:
    if not isinstance(message, dict) or message.get("role") not in ROLES:
        raise UserError(f"A message needs a role ({', '.join(ROLES)}) and content, got {message!r:.80}")
    content = message.get("content")
    if isinstance(content, list):  # OpenAI's parts
        if not all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in content):
            raise UserError("A message holds something else than text: only text can be answered here.")
        content = "".join(part["text"] for part in content)
    if not isinstance(content, str):
        raise UserError(f"The content of a message is {type(content).__name__}, expected text.")
    return {"role": message["role"], "content": content}


def written(reply: chat.Reply) -> str:
    """A reply as one text again, from which `chat.parse_reply` without prefill reads the same reply."""
    if not reply.complete and not reply.answer:
        return f"{chat.THINK}\n{reply.thinking}"  # not closed, as a client that drops the finish reason must see
    if reply.thinking or chat.THINK in reply.answer:
        return chat.target(reply.thinking, reply.answer)
    return reply.answer


def completion(model: Model, request: Request) -> dict:
    """The reply as the body of a chat completion."""
    asked = len(model.tokens(request.messages))
    (reply,) = model.replies([request.messages], request.max_new_tokens)
    text, finish = written(reply), "stop" if reply.complete else "length"
    for mark in request.stop:
        if mark in text:
            text, finish = text.split(mark)[0], "stop"
    said = len(model.encode(text))
    return {
        "id": "chatcmpl-pushback", "object": "chat.completion", "created": int(time.time()), "model": model.name,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}],
        "usage": {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said},
    }  # fmt: skip


class Server(ThreadingHTTPServer):
    """The server of one model. As a context manager it runs in a thread and ends with the block; port 0 takes any."""

    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # on Windows that would let two servers share a port

    def __init__(self, model: Model, port: int = 0):
        self.model, self.busy = model, Lock()  # llama.cpp keeps one cache: two replies at once would mix
        try:
            super().__init__((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"Port {port} cannot be used ({reason}). Choose another one with --port.") from None
        self.url = f"http://{HOST}:{self.server_port}/v1"

    def answer(self, body: bytes) -> tuple[int, dict]:
        """(status, body of the answer)."""
        try:
            with self.busy:
                return 200, completion(self.model, read(body))
        except UserError as problem:
            return 400, _error(str(problem))
        except Exception as problem:  # a chat template may refuse a role, an engine may fail: the next may do better
            return 500, _error(f"{type(problem).__name__}: {' '.join(str(problem).split())}")

    def __enter__(self):
        Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *exception) -> None:
        self.shutdown()
        self.finish()

    def finish(self) -> None:
        """Wait for the reply under way: a context that is freed while llama.cpp decodes takes the process down."""
        self.busy.acquire()
        self.server_close()

    def handle_error(self, request, client_address) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a client that hung up is its own affair
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body leave in two pieces; with it each waits for the other
    server: Server

    def do_GET(self) -> None:
        if self.path.rstrip("/") != "/v1/models":
            return self._send(404, _error(f"Nothing at {self.path}: GET /v1/models or POST /v1/chat/completions."))
        self._send(200, {"object": "list", "data": [{"id": self.server.model.name, "object": "model"}]})

    def do_POST(self) -> None:
        size = self.headers.get("Content-Length", "")
        if not size.isdecimal() or int(size) > LARGEST:
            self.close_connection = True  # what stands in the body is not read
            return self._send(400, _error(f"The request needs a Content-Length of at most {LARGEST} bytes."))
        body = self.rfile.read(int(size))
        if self.path.rstrip("/") != "/v1/chat/completions":
            return self._send(404, _error(f"Nothing at {self.path}: GET /v1/models or POST /v1/chat/completions."))
        self._send(*self.server.answer(body))

    def _send(self, status: int, body: dict) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments) -> None:
        pass


def _error(line: str) -> dict:
    return {"error": {"message": line, "type": "invalid_request_error", "param": None, "code": None}}


def main(options) -> None:
    """`python -m helpers serve`: until Ctrl-C."""
    from helpers.compare import default_tuned
    from helpers.generate import load

    model = load(options.model or default_tuned(), quick=True)
    if not isinstance(model, Model):
        raise UserError(f"{model.name} is on a server already: point the tool to that one.")
    server = Server(model, options.port)
    print(f"{server.model.name} answers at {server.url}, greedy, one request at a time. Ctrl-C ends it.", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print("\nStopped.", flush=True)
    finally:
        server.finish()
