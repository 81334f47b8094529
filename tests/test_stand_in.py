"""The stand-in speaks OpenAI's HTTP, at the pace that it is set to."""

import json
import time
from urllib.request import Request, urlopen

from helpers.stand_in import Reply, StandIn, speak

ASKED = {"model": "m", "max_tokens": 20, "messages": [{"role": "user", "content": "x" * 400}]}


def post(server) -> dict:
    request = Request(f"{server.url}/chat/completions", json.dumps(ASKED).encode(), {"Authorization": "Bearer key"})
    with urlopen(request) as reply:
        return json.load(reply)


def test_it_answers_and_counts_what_it_would_bill():
    with StandIn(latency=0.2) as server:
        begun = time.monotonic()
        said = post(server)
        assert time.monotonic() - begun >= 0.2
    assert said["usage"] == {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    assert (server.billed, server.keys, server.requests) == (120, ["Bearer key"], [ASKED])


def test_the_same_request_gets_the_same_turn():
    assert speak(ASKED, 1) == speak(ASKED, 2) != speak({**ASKED, "messages": [{"content": "y"}]}, 1)
    assert isinstance(speak(ASKED, 1), Reply)
