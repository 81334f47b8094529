import base64
import itertools
import json
import shutil
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from helpers import hub
from helpers.dialogue import KINDS, ROLES, read_dialogues
from helpers.errors import UserError


@pytest.fixture
def stand_in(monkeypatch):
    """A local stand-in of the Hub's HTTP API, which keeps what it is sent; logged in with a made-up token."""
    from huggingface_hub import constants

    class Hub(BaseHTTPRequestHandler):
        refuse, is_private = 0, True

        def do_GET(self):
            self._answer({"id": "me/friction", "private": self.is_private, "siblings": []})

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            type(self).requests.append((self.path, body))
            if self.refuse:
                return self._answer({"error": "no"}, self.refuse)
            if self.path.endswith("/preupload/main"):
                names = [file["path"] for file in json.loads(body)["files"]]
                return self._answer({"files": [
                    {"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names
                ]})  # fmt: skip
            if "/commit/" in self.path:
                here = f"http://127.0.0.1:{self.server.server_port}/datasets/me/friction/commit/abc"
                return self._answer({"success": True, "commitOid": "abc", "commitUrl": here})
            return self._answer({"url": f"http://127.0.0.1:{self.server.server_port}/datasets/me/friction"})

        def _answer(self, table, status=200):
            data = json.dumps(table).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    Hub.requests = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_made_up_for_this_test")
    yield Hub
    server.shutdown()


@pytest.fixture
def copy(tmp_path):
    """The data that ship, in a folder in which a test may spoil them."""
    for name in ("README.md", *hub.SCHEMAS, *hub.files()):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(hub.DATA / name, tmp_path / name)
    return tmp_path


@pytest.mark.slow
def test_without_being_told_nothing_is_sent_and_everything_is_shown(stand_in):
    told = []
    assert hub.publish_dataset("me/friction", report=told.append) == ""
    text = "\n".join(told)
    assert not stand_in.requests and "Dry run" in text and "private" in text
    assert all(name in text for name in hub.files())
    assert told[-1].endswith("publish dataset --repo me/friction --send"), "the line can be typed as it stands"


@pytest.mark.slow
def test_told_to_it_uploads_in_one_commit_to_a_private_set(stand_in):
    hub.publish_dataset("me/friction", send=True, report=lambda line: None)
    created = next(json.loads(body) for path, body in stand_in.requests if path == "/api/repos/create")
    assert created == {"name": "friction", "organization": "me", "type": "dataset", "visibility": "private"}
    sent = received(stand_in)
    assert set(sent) == {"README.md", *hub.SCHEMAS, *hub.files()}
    assert all(data == (hub.DATA / name).read_bytes() for name, data in sent.items())


def received(stand_in) -> dict[str, bytes]:
    """What the one commit brought, by the name that it has there."""
    (commit,) = [body for path, body in stand_in.requests if "/commit/" in path]
    lines = [line["value"] for line in map(json.loads, commit.splitlines()) if line["key"] == "file"]
    return {line["path"]: base64.b64decode(line["content"]) for line in lines}


@pytest.mark.slow
def test_a_set_that_is_public_already_is_not_sent_to_as_if_it_were_private(stand_in):
    stand_in.is_private = False
    with pytest.raises(UserError, match="there already, and public"):
        hub.publish_dataset("me/friction", send=True, report=lambda line: None)
    assert not [path for path, _ in stand_in.requests if "/commit/" in path]
    hub.publish_dataset("me/friction", send=True, public=True, report=lambda line: None)
    assert received(stand_in)
    stand_in.is_private = True
    with pytest.raises(UserError, match="there already, and private"):
        hub.publish_dataset("me/friction", send=True, public=True, report=lambda line: None)


@pytest.mark.parametrize("name", ["me/fri ction", "a/b/c", "me/", "friction"])
def test_a_name_that_the_hub_does_not_take_is_refused_before_anything_else(name):
    with pytest.raises(UserError, match="say where to"):
        hub.publish_dataset(name, send=True, report=lambda line: None)


@pytest.mark.slow
def test_a_key_in_a_schema_stops_it(copy):
    path = copy / "plain.schema.json"
    path.write_text(path.read_text(encoding="utf-8") + "sk-proj-" + "aB3dE6gH" * 5, encoding="utf-8")
    with pytest.raises(UserError, match="holds what looks like a key"):
        hub.publish_dataset("me/friction", folder=copy, report=lambda line: None)


@pytest.mark.slow
def test_what_was_uploaded_is_read_by_datasets_as_the_shipped_files_are(stand_in, tmp_path):
    from datasets import get_dataset_config_names, load_dataset

    hub.publish_dataset("me/friction", send=True, report=lambda line: None)
    for name, data in received(stand_in).items():
        (tmp_path / "there" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "there" / name).write_bytes(data)
    assert set(get_dataset_config_names(str(tmp_path / "there"))) == set(hub.CONFIGS)
    for name, (split, _) in hub.CONFIGS.items():
        here, there = (
            load_dataset(str(folder), name, split=split, cache_dir=str(tmp_path / f"cache {folder.name}"))
            for folder in (hub.DATA, tmp_path / "there")
        )
        assert there.features == here.features and there.to_list() == here.to_list()


@pytest.mark.slow
def test_a_record_that_does_not_pass_stops_everything(stand_in, copy):
    path = copy / "friction" / "disagreement.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    record = json.loads(lines[4])
    record["final_answer"] += " My key is sk-proj-" + "aB3dE6gH" * 5
    lines[4] = json.dumps(record)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"disagreement.jsonl: .*line 5.* Nothing was sent") as caught:
        hub.publish_dataset("me/friction", send=True, folder=copy, report=lambda line: None)
    assert not stand_in.requests and "aB3dE6gH" not in str(caught.value)


@pytest.mark.slow
def test_a_card_that_is_not_of_these_data_stops_it_too(copy):
    (copy / "README.md").write_text("of last year", encoding="utf-8")
    with pytest.raises(UserError, match="not the card of these data"):
        hub.publish_dataset("me/friction", folder=copy, report=lambda line: None)


@pytest.mark.slow
def test_nobody_logged_in_or_no_name_is_said_in_one_line(monkeypatch):
    import huggingface_hub

    with pytest.raises(UserError, match="No name: say where to"):
        hub.publish_dataset(send=True, report=lambda line: None)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    with pytest.raises(UserError, match="hf auth login"):
        hub.publish_dataset("me/friction", send=True, report=lambda line: None)


@pytest.mark.slow
def test_a_refusal_of_the_hub_is_said_in_one_line_without_the_token(stand_in):
    stand_in.refuse = 403
    with pytest.raises(UserError, match="the Hub answered 403") as caught:
        hub.publish_dataset("me/friction", send=True, report=lambda line: None)
    assert "hf_made_up" not in str(caught.value)


def test_the_card_that_ships_is_made_from_the_data():
    assert (hub.DATA / "README.md").read_text(encoding="utf-8") == hub.dataset_card()


def test_the_card_names_each_topic_once():
    (line,) = [line for line in hub.dataset_card().splitlines() if line.startswith("Topics: ")]
    topics = line.removeprefix("Topics: ").removesuffix(".").split(", ")
    assert len(topics) == len(set(topics)) > 100 and {"biology", "family"} <= set(topics)


@pytest.mark.parametrize("name", hub.CONFIGS)
def test_each_configuration_is_read_by_datasets(name, tmp_path):
    from datasets import load_dataset

    split, paths = hub.CONFIGS[name]
    loaded = load_dataset(str(hub.DATA), name, split=split, cache_dir=str(tmp_path))
    lines = sum((hub.DATA / path).read_text(encoding="utf-8").count("\n") for path in paths)
    assert len(loaded) == lines > 0


def shipped(*names):
    return [d for name in names for d in read_dialogues(hub.DATA / name)]


def test_the_mixture_that_ships_is_drawn_from_the_set_in_its_shares():
    mixed = shipped("friction/mixture.jsonl")
    assert mixed == hub.mixture(shipped(*hub.CONFIGS["friction"][1]))
    shares = Counter(d.flavour for d in mixed)
    assert all(shares[flavour] / len(mixed) == pytest.approx(w, abs=0.01) for flavour, w in hub.MIXTURE.items())


def test_the_micro_set_is_a_balanced_part_of_the_set_and_the_stage_prompts_one_of_the_evaluation():
    whole, micro = shipped(*hub.CONFIGS["friction"][1]), shipped("friction/micro.jsonl")
    assert {d.id for d in micro} < {d.id for d in whole}
    assert Counter((d.kind, d.role) for d in micro) == dict.fromkeys(itertools.product(KINDS, ROLES), 6)
    prompts, stage = (
        (hub.DATA / "evaluation" / name).read_text(encoding="utf-8").splitlines()
        for name in ("prompts.jsonl", "stage.jsonl")
    )
    assert set(stage) < set(prompts) and len(stage) == 48 and len(prompts) == 680
