"""A run as a whole: offline, against a server that fails in every way, under a cap, killed for real and resumed."""

import asyncio
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from salad import salad
from serving import KEY, MODEL, PRICED, STRICT, answered, cli, command, lines, run

from helpers import curation, environment, install
from helpers.__main__ import main
from helpers.budget import CapReached, price_of
from helpers.dialogue import read_dialogues, to_json, write_dialogues
from helpers.errors import UserError
from helpers.personas import PROMPT_VERSION
from helpers.pocket_set import training_set
from helpers.scale import ROOT
from helpers.sources import pocket_scenarios
from helpers.stand_in import Reply, StandIn, speak, throughput
from helpers.synthesis import keep, survey, synthesise

KILLS = 20


def offline(out: Path, count: int = 20, **settings):
    said = []
    return synthesise(count=count, out=out, progress=said.append, **settings), said


# -- offline -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_offline_the_pocket_world_makes_a_set_that_passes_the_linter(tmp_path):
    outcome, said = offline(tmp_path / "out.jsonl", 40)
    assert (outcome.records, outcome.set_aside, outcome.calls, outcome.cost) == (40, 0, 280, 0)
    assert "Offline, no model speaks: pocket world grammar (40). 40 records, 280 calls, about" in said[0]
    (report,) = curation.lint_files([tmp_path / "out.jsonl"])
    assert (len(report.passed), report.set_aside) == (40, ())
    assert {d.metadata["source"] for d in read_dialogues(tmp_path / "out.jsonl")} == {"pocket world grammar"}


@pytest.mark.slow
def test_offline_it_is_the_same_file_every_time(tmp_path):
    files = [tmp_path / f"{concurrency}.jsonl" for concurrency in (1, 7)]
    for concurrency, out in zip((1, 7), files, strict=True):
        offline(out, concurrency=concurrency)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_recorded_turns_are_replayed_and_it_says_so(tmp_path):
    gold = {"claim": "It rains.", "fact": "It rains.", "answers": ["rain"], "source": "a window"}
    recorded = [replace(d, gold=gold, metadata={"source": "hands"}) for d in training_set(20, seed=0)]
    path = write_dialogues(tmp_path / "recorded.jsonl", recorded)
    _, said = offline(tmp_path / "out.jsonl", None, scenarios=path)
    assert f"recorded turns, replayed ({len(recorded)})" in said[0]
    made = list(read_dialogues(tmp_path / "out.jsonl"))
    assert [(d.agents, d.final_answer) for d in made] == [(d.agents, d.final_answer) for d in recorded]
    assert made[0].metadata["source"] == "recorded turns, replayed (hands)"
    outcome, _ = offline(tmp_path / "few.jsonl", 6, scenarios=path)
    assert outcome.records == 6


def test_a_set_can_grow_and_no_call_is_repeated(tmp_path):
    offline(tmp_path / "out.jsonl", 8)
    outcome, said = offline(tmp_path / "out.jsonl", 20)
    assert (outcome.records, outcome.calls) == (20, 12 * 7)
    assert "8 are done already" in said[0]
    outcome, _ = offline(tmp_path / "out.jsonl", 20)
    assert outcome.calls == 0


def test_fresh_begins_anew(tmp_path):
    offline(tmp_path / "out.jsonl", 10)
    outcome, _ = offline(tmp_path / "out.jsonl", 10, fresh=True)
    assert outcome.calls == 70


def test_a_notebook_calls_it_inside_its_own_loop(tmp_path):
    async def cell():
        return offline(tmp_path / "out.jsonl", 4)[0].records

    assert asyncio.run(cell()) == 4


def test_importing_it_imports_neither_torch_nor_litellm():
    code = "import sys, helpers.synthesis, helpers.stand_in; print({'torch', 'litellm', 'openai'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout == "set()\n"


# -- what a model says, and what the linter keeps of it ------------------------------------------------------------


def talk(request: dict, number: int) -> Reply:
    """A model that does as its prompt says: natural length, and one friction moment where one is asked for."""
    system, user = (turn["content"] for turn in request["messages"][:2])
    rng = random.Random(system + user)
    if '"final_answer"' in system:
        return Reply(json.dumps({"final_answer": f"{salad(rng, 35)} {salad(rng, 20)}"}))
    thought = salad(rng, 25)
    marks = "Mark one and no more" in system and "it is settled there" not in user
    return Reply(json.dumps({"thought_stream": thought, "friction_moments": [thought[:40]] * marks}))


def test_what_a_model_says_on_pocket_scenarios_is_held_to_what_its_prompts_asked_for(tmp_path):
    with StandIn(talk) as server:
        run(server, tmp_path / "out.jsonl", count=20)
    report = curation.lint_file(tmp_path / "out.jsonl")
    assert (report.set_aside, len(report.passed)) == ((), 20)
    assert keep(tmp_path / "out.jsonl") == (tmp_path / "out.jsonl", 20)


def test_what_passes_is_written_in_whole_pairs_beside_what_does_not(tmp_path):
    def answer(request, number):
        short = '"harmful": true' in request["messages"][1]["content"] and '"final_answer"' in str(request)
        return Reply(json.dumps({"final_answer": "Rather not."})) if short else talk(request, number)

    with StandIn(answer) as server:
        run(server, tmp_path / "out.jsonl", count=20)
    path, count = keep(tmp_path / "out.jsonl")
    kept = list(read_dialogues(path))
    assert path == tmp_path / "out.passed.jsonl" and 0 < count == len(kept) < 20
    assert set(Counter(d.pair_id for d in kept).values()) == {2} and "refusal" not in {d.kind for d in kept}
    assert curation.lint_file(path).set_aside == ()


def test_where_nothing_passes_no_file_is_left_to_train_on(tmp_path):
    (tmp_path / "out.passed.jsonl").touch()
    with StandIn() as server:
        run(server, tmp_path / "out.jsonl", count=4)
    assert keep(tmp_path / "out.jsonl") == (tmp_path / "out.jsonl", 0)
    assert not (tmp_path / "out.passed.jsonl").exists()


# -- before the first call -----------------------------------------------------------------------------------------


def test_the_estimate_comes_before_the_first_call(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    said, before = [], []

    def answer(request, number):
        before.append(len(said))
        return speak(request, number)

    with StandIn(answer) as server:
        outcome = run(server, tmp_path / "out.jsonl", count=10, model=PRICED, said=said)
    assert before[0] == 1
    assert f"{PRICED} speaks. 10 records, 70 calls, about" in said[0] and ", about $0.0" in said[0]
    estimate = survey(pocket_scenarios(10), PROMPT_VERSION, False)
    assert 0.7 < (estimate.prompt_tokens + estimate.answer_tokens) / outcome.tokens < 1.5


def test_what_the_linter_will_set_aside_and_a_cap_that_is_too_low_are_said_before_the_first_call(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text(
        '{"kind": "refusal", "role": "trigger", "user_input": "How do I forge it?"}\n'
        + "".join(to_json(d) + "\n" for d in pocket_scenarios(2)), encoding="utf-8"
    )  # fmt: skip
    said = []
    with StandIn(speak) as server, pytest.raises(CapReached):
        run(server, tmp_path / "out.jsonl", scenarios=path, count=None, said=said, max_tokens=2000)
    assert said[1].startswith("1 of these the linter will set aside")
    assert said[2].startswith("The cap is below that")


def test_a_second_scenario_file_does_not_drop_the_records_of_the_first(tmp_path):
    first, second, out = (tmp_path / f"{name}.jsonl" for name in ("a", "b", "out"))
    scenarios = training_set(20, seed=0)
    write_dialogues(first, scenarios[:6])
    write_dialogues(second, scenarios[6:8])
    offline(out, None, scenarios=first)
    before = out.read_bytes()
    with pytest.raises(UserError, match="holds 6 records of other scenarios"):
        offline(out, None, scenarios=second)
    assert out.read_bytes() == before


def test_a_broken_scenario_is_found_before_anything_is_spent(tmp_path):
    whole = training_set(20, seed=0)
    path = write_dialogues(tmp_path / "s.jsonl", whole)
    with path.open("a") as file:
        file.write("{broken\n")
    words = rf"s\.jsonl, line {len(whole) + 1}: .*nothing was asked"
    with StandIn() as server, pytest.raises(UserError, match=words):
        run(server, tmp_path / "out.jsonl", None, scenarios=path)
    assert server.requests == []


def test_a_scenario_that_stands_there_twice_is_named(tmp_path):
    line = to_json(training_set(20, seed=0)[0]) + "\n"
    (tmp_path / "s.jsonl").write_text(line * 2)
    with pytest.raises(UserError, match="scenario 2 is the same as scenario 1"):
        offline(tmp_path / "out.jsonl", scenarios=tmp_path / "s.jsonl")
    (tmp_path / "s.jsonl").write_text("")
    with pytest.raises(UserError, match="holds no scenario"):
        offline(tmp_path / "out.jsonl", scenarios=tmp_path / "s.jsonl")


def test_a_cap_in_dollars_needs_a_price(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(UserError, match=r"no price for openai/mine.*--max-tokens"):
        synthesise("openai/mine", 2, out=tmp_path / "out.jsonl", max_cost=1.0)


# -- the cap -------------------------------------------------------------------------------------------------------


def unsteady(request: dict, number: int) -> Reply:
    """Answers of all lengths at any time, now and then none, or one that comes too late and is billed all the same."""
    luck = random.Random(number)
    kind = luck.random()
    if kind < 0.05:
        return Reply(status=luck.choice([429, 500, 503]))
    late = 1.3 if kind < 0.08 else luck.uniform(0.001, 0.03)
    reply = speak(request, number)
    return Reply(reply.text, delay=late, tokens=luck.randint(10, 1000))


@pytest.mark.parametrize("cap", [40_000, 111_000])
@pytest.mark.slow
def test_the_cap_in_tokens_is_never_passed_however_many_calls_are_under_way(cap, tmp_path):
    with StandIn(unsteady) as server:
        with pytest.raises(CapReached, match="--max-tokens"):
            run(server, tmp_path / "out.jsonl", count=200, concurrency=32, max_tokens=cap, patience=STRICT)
        time.sleep(1)
    assert 0.5 * cap < server.billed <= cap
    assert server.most > 4


@pytest.mark.slow
def test_the_cap_in_dollars_is_never_passed(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with StandIn(unsteady) as server:
        with pytest.raises(CapReached, match=r"of \$0.0300 are spent"):
            run(server, tmp_path / "out.jsonl", count=200, concurrency=16, model=PRICED, max_cost=0.03, patience=STRICT)
        time.sleep(1)
    price = price_of(PRICED)
    billed = [speak_cost(server, request, number, price) for number, request in enumerate(server.requests, 1)]
    assert 0.012 < sum(billed) <= 0.03


def speak_cost(server, request, number, price) -> float:
    reply = unsteady(request, number)
    if reply.status != 200:
        return 0.0
    usage = server.usage(request, reply)
    return price.cost(usage["prompt_tokens"], usage["completion_tokens"])


@pytest.mark.slow
def test_the_cap_counts_earlier_runs_and_with_a_higher_one_the_run_goes_on(tmp_path):
    out = tmp_path / "out.jsonl"
    with StandIn() as server:
        with pytest.raises(CapReached):
            run(server, out, count=10, max_tokens=20_000, concurrency=1)
        asked = len(server.requests)
        with pytest.raises(CapReached):
            run(server, out, count=10, max_tokens=20_000, concurrency=1)
        assert len(server.requests) == asked
        outcome = run(server, out, count=10, max_tokens=100_000)
    assert (outcome.records, len(server.requests), outcome.tokens) == (10, 70, server.billed)


# -- a bad server, a bad disk, a bad network -----------------------------------------------------------------------


@pytest.mark.slow
def test_a_server_with_all_sorts_of_trouble_still_gives_every_record_once(tmp_path):
    def answer(request, number):
        luck = random.Random(number).random()
        if luck < 0.03:
            return Reply(status=429, headers={"Retry-After": 0.1})
        failing = [Reply(status=500), Reply(delay=1.3), Reply(drop=True)]
        faults = [*failing, Reply("Sure!"), Reply(""), Reply("{", "length")]
        return faults[number % 6] if luck < 0.12 else speak(request, number)

    with StandIn(answer) as server:
        outcome = run(server, tmp_path / "out.jsonl", count=40, concurrency=8, patience=STRICT)
    assert outcome.records + outcome.set_aside == 40
    assert outcome.records >= 39
    assert len({d.id for d in read_dialogues(tmp_path / "out.jsonl")}) == outcome.records


@pytest.mark.slow
def test_a_network_that_goes_away_half_way_keeps_what_is_done(tmp_path):
    out = tmp_path / "out.jsonl"
    gone = pytest.raises(UserError, match=r"does not answer .*kept; run the same command again")
    with StandIn(lambda r, n: speak(r, n) if n <= 50 else Reply(drop=True)) as server, gone:
        run(server, out, count=20)
    kept = answered(out)
    assert len(kept) == 50
    with StandIn() as server:
        outcome = run(server, out, count=20)
    assert (outcome.records, len(server.requests)) == (20, 90)


@pytest.mark.slow
def test_no_more_calls_at_a_time_than_asked_for(tmp_path):
    with StandIn(latency=0.05) as server:
        run(server, tmp_path / "out.jsonl", count=12, concurrency=3)
    assert server.most == 3


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a limit on the size of files is POSIX")
def test_a_disk_that_fills_up_is_one_line_and_the_run_goes_on_afterwards(tmp_path):
    out = tmp_path / "out.jsonl"
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))\n"
    words, settings = command("--count", "40", "--out", out)
    words[2] = limit + words[2]
    done = subprocess.run(words, capture_output=True, encoding="utf-8", timeout=120, **settings)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(f"cannot write {tmp_path}") and "What is done is kept" in line
    kept = len(answered(out))
    assert 0 < kept < 280
    outcome, _ = offline(out, 40)
    assert (outcome.records, outcome.calls) == (40, 280 - kept)


# -- the command ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command_makes_a_linted_set_and_ends_with_0(tmp_path):
    done = cli("--count", "20", "--out", tmp_path / "out.jsonl")
    assert (done.returncode, done.stderr) == (0, "")
    assert "20 lines: 20 pass, 0 set aside" in done.stdout
    assert len(lines(tmp_path / "out.jsonl")) == 20


@pytest.fixture
def here(monkeypatch, capsys, tmp_path):
    """The command in this process: (status, all that it said, its one line of complaint)."""
    monkeypatch.setattr(environment, "go_inside", lambda arguments: None)
    monkeypatch.setattr(install, "complete", lambda retry_gguf: None)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("HOSTED_VLLM_API_KEY", KEY)

    def call(answer, *arguments: str) -> tuple[int, str, str]:
        with StandIn(answer) as server:
            monkeypatch.setenv("HOSTED_VLLM_API_BASE", server.url)
            status = main(["synthesise", "--count", "4", "--out", str(tmp_path / "out.jsonl"), *arguments])
        said = capsys.readouterr()
        return status, said.out + said.err, said.err.strip()

    return call


@pytest.mark.parametrize(
    "arguments, answer, words",
    [
        (["--model", "openai/x"], speak, "OPENAI_API_KEY is not set"),
        (["--model", "nothing/x"], speak, "Expected provider/model"),
        (["--model", MODEL], lambda r, n: Reply(f"wrong key {KEY}", status=401), "refuses the key"),
        (["--model", MODEL], lambda r, n: Reply(status=404), "knows no model 'stand-in'"),
        (["--model", MODEL], lambda r, n: Reply("Sure!"), "prose and no JSON"),
        (["--model", MODEL], lambda r, n: Reply(""), "the answer is empty"),
        (["--model", MODEL], lambda r, n: Reply("{", "length"), "--max-answer 4096 --fresh"),
        (["--model", MODEL, "--count", "10"], lambda r, n: Reply("{", "length"), "--max-answer 4096 --fresh"),
        (["--max-tokens", "100"], speak, "The cap holds"),
        (["--max-answer", "0"], speak, "--max-answer must be 1 or more, in tokens; without it 1,024"),
        (["--scenarios", "no.jsonl"], speak, "no.jsonl is missing"),
        (["--concurrency", "0"], speak, "--concurrency"),
        (["--out", str(ROOT / "README.md" / "out.jsonl")], speak, "cannot write into"),
    ],
)
def test_what_a_user_can_cause_is_one_line_and_a_status(arguments, answer, words, here, tmp_path):
    status, said, complaint = here(answer, *arguments)
    assert (status, complaint.count("\n")) == (1, 0)
    assert words in complaint
    assert KEY not in said
    assert not any(KEY in path.read_text("utf-8") for path in tmp_path.iterdir())


def test_a_record_set_aside_shows_in_the_status_though_the_others_are_fine(here, tmp_path):
    def answer(request, number):
        return Reply("Sure!") if '"harmful": true' in request["messages"][1]["content"] else speak(request, number)

    status, said, complaint = here(answer, "--model", MODEL, "--count", "10")
    assert (status, complaint) == (1, "")
    assert "9 records in" in said and "1 set aside, each with its reason" in said


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process there")
def test_ctrl_c_is_heeded_at_once_and_what_is_done_is_kept(tmp_path):
    out = tmp_path / "out.jsonl"
    with StandIn(latency=0.3) as server:
        words, settings = command("--model", MODEL, "--count", "40", "--out", out, HOSTED_VLLM_API_BASE=server.url)
        child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings)
        wait_until(lambda: len(server.requests) > 20)
        child.send_signal(signal.SIGINT)
        asked = time.monotonic()
        _, said = child.communicate(timeout=10)
    assert (child.returncode, time.monotonic() - asked < 3) == (130, True)
    assert said.strip() == "Stopped. What was finished is kept; the same command goes on from there."
    assert len(answered(out)) >= 8


# -- killed for real -----------------------------------------------------------------------------------------------


def wait_until(condition, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


def key_of(request: dict) -> str:
    """The journal's key of a call that is asked for the first time."""
    return hashlib.sha256(json.dumps([0, request["messages"]]).encode()).hexdigest()[:24]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_killed_twenty_times_at_random_no_answered_call_is_repeated_and_no_record_is_written_twice(tmp_path):
    out, count, concurrency = tmp_path / "out.jsonl", 60, 4
    luck = random.Random(4)
    code = "import sys; from pathlib import Path; from serving import HASTY; from helpers.synthesis import synthesise\n"
    code += f"synthesise({MODEL!r}, {count}, out=Path(sys.argv[1]), concurrency={concurrency}, patience=HASTY)"
    repeated, killed = [], 0
    with StandIn(latency=0.02) as server:
        env = {**os.environ, "HOSTED_VLLM_API_BASE": server.url, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
        for attempt in range(KILLS + 30):
            before, seen = answered(out), len(server.requests)
            child = subprocess.Popen([sys.executable, "-c", code, str(out)], env=env, stdout=subprocess.DEVNULL)
            if killed < KILLS:
                # One in four dies as it starts up, the others somewhere in their calls.
                if attempt % 4:
                    wait_until(lambda seen=seen, child=child: len(server.requests) > seen or child.poll() is not None)
                time.sleep(luck.uniform(0, 0.12 if attempt % 4 else 3.0))
                child.send_signal(signal.SIGKILL)
            killed += child.wait() == -signal.SIGKILL
            repeated += [key for key in map(key_of, server.requests[seen:]) if key in before]
            if child.returncode == 0:
                break
        calls = Counter(map(key_of, server.requests))
    assert (killed, child.returncode, repeated) == (KILLS, 0, [])
    assert len(calls) == count * 7
    assert sum(calls.values()) <= count * 7 + KILLS * concurrency, "only what was under way is asked again"
    ids = [line["id"] for line in lines(out)]
    assert (len(ids), len(set(ids))) == (count, count)
    with StandIn() as server:
        run(server, tmp_path / "untouched.jsonl", count=count)
    assert out.read_bytes() == (tmp_path / "untouched.jsonl").read_bytes(), "as if it had never been killed"


# -- at scale ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from Linux's /proc")
def test_ten_thousand_records_keep_memory_flat(tmp_path):
    code = (
        "import sys; from pathlib import Path; from helpers.synthesis import synthesise\n"
        "now = lambda line: print(Path('/proc/self/status').read_text().partition('VmRSS:')[2].split()[0])\n"
        "synthesise(count=10_000, out=Path(sys.argv[1]), concurrency=32, progress=now)"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "out.jsonl")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    _, first, *_, last = (int(kilobytes) / 1000 for kilobytes in done.stdout.split())
    assert last - first < 20, f"{first} MB after a tenth, {last} MB at the end"
    assert sum(1 for _ in (tmp_path / "out.jsonl").open()) == 10_000


@pytest.mark.slow
def test_many_hands_are_kept_busy():
    """The benchmark measures 90 % on a machine that does nothing else; a test must pass on one that does."""
    measured = throughput(concurrency=32, latency=0.5, waves=1)
    assert measured["calls"] == 224
    assert measured["ratio"] > 0.5


class Dialect(StandIn):
    """The stand-in in the words of Ollama or of Anthropic; LiteLLM asks Ollama for more than messages."""

    def __init__(self, speech):
        self.speech = speech
        super().__init__(self.said, latency=0.05)

    @staticmethod
    def said(request, number):
        system = [{"content": str(request["system"])}] if "system" in request else []
        return speak({"messages": [*system, *request["messages"]]}, number) if "messages" in request else Reply()

    def usage(self, request, reply):
        return {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}

    def body(self, request, reply):
        return self.speech(request, reply.text) if "messages" in request else {}


def as_ollama(request, text):
    said = {"role": "assistant", "content": text}
    counts = {"done": True, "done_reason": "stop", "prompt_eval_count": 100, "eval_count": 50}
    return {"model": request["model"], "created_at": "", "message": said, **counts}


def as_anthropic(request, text):
    part = {"type": "text", "text": text}
    if request.get("tools"):
        part = {"type": "tool_use", "id": "one", "name": request["tools"][0]["name"], "input": json.loads(text)}
    usage = {"input_tokens": 100, "output_tokens": 50}
    about = {"id": "one", "type": "message", "role": "assistant", "model": request["model"], "stop_reason": "end_turn"}
    return {**about, "content": [part], "usage": usage}


@pytest.mark.parametrize(
    ("model", "speech", "at_once"),
    [("ollama/little", as_ollama, 1), ("anthropic/claude-haiku-4-5", as_anthropic, 2)],
)
def test_the_relay_runs_through_other_providers_as_well(model, speech, at_once, tmp_path, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    with Dialect(speech) as server:
        for name in ("OLLAMA_API_BASE", "ANTHROPIC_API_BASE"):
            monkeypatch.setenv(name, server.url.removesuffix("/v1"))
        outcome = run(server, tmp_path / "out.jsonl", count=2, model=model)
    assert (outcome.records, outcome.set_aside, outcome.calls) == (2, 0, 14)
    assert server.most == at_once
