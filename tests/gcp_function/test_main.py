"""The Cloud Function under the real server: an entry that Pub/Sub pushes becomes a message in Slack."""

import base64
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from callerid.ledger.firestore import FirestoreStore, _decode
from callerid.ledger.store import Key
from tests import parts
from tests.alerts.slack_server import TOKEN, SlackServer
from tests.conftest import POLICY, ROOT, entry
from tests.ledger.made import Alert, counts, rows

_names = (f"function-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def emulator():
    with parts.firestore() as address:
        yield address


@pytest.fixture
def slack():
    with SlackServer() as server:
        yield server


def stranger(number: int) -> dict:
    """The exchange of a role that nobody listed."""
    subject = "arn:aws:sts::111111111111:assumed-role/somebody-else/run"
    payload = entry(number)["protoPayload"]
    mapped = payload["metadata"]["mapped_principal"].rpartition("/subject/")[0] + f"/subject/{subject}"
    changed = {"authenticationInfo": {"principalSubject": subject}, "metadata": {"mapped_principal": mapped}}
    return entry(number, protoPayload={**payload, **changed})


def push(raw: object, number: int = 1) -> dict:
    """A message as a push subscription sends it."""
    data = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    message = {"data": base64.b64encode(data).decode(), "messageId": str(number), "publishTime": "2026-11-02T03:04:06Z"}
    return {"message": message, "subscription": "projects/my-gcp-project/subscriptions/callerid"}


class Stage:
    """A database, the function's folder, and its server."""

    def __init__(self, emulator, slack, tmp_path, monkeypatch) -> None:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", emulator)
        self.project = next(_names)
        self.root = tmp_path / "source"
        self.path = tmp_path
        shutil.copytree(ROOT / "gcp_function", self.root, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "shared/callerid", self.root / "callerid", ignore=shutil.ignore_patterns("__pycache__"))
        self.policy(POLICY.read_text())
        self.environment = {
            "PATH": os.environ["PATH"],
            "FIRESTORE_EMULATOR_HOST": emulator,
            "CALLERID_POLICY": "package:policy.yaml",
            "CALLERID_LEDGER": f"firestore://{self.project}/(default)",
            "CALLERID_SLACK_TOKEN": TOKEN,
            "CALLERID_SLACK_API": slack.url,
            "CALLERID_CHANNEL": "C0123456789",
        }
        self._process = None

    def policy(self, text: str) -> None:
        (self.root / "policy.yaml").write_text(text)

    def start(self, **environment: str) -> None:
        self.port = parts.free_port()
        log = (self.path / "server.log").open("ab")
        command = [sys.executable, "-m", "functions_framework", "--target", "handle", "--port", str(self.port)]
        given = {**self.environment, **environment}
        self._process = subprocess.Popen(
            command, cwd=self.root, env=given, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        log.close()
        for _ in range(300):
            assert self._process.poll() is None, self.log()
            try:
                self.post("/", {}, method="GET")
            except OSError:
                time.sleep(0.1)  # nothing tells when it is ready
            else:
                return
        raise AssertionError(self.log())

    def stop(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def post(self, path: str, body: object, *, method: str = "POST", **headers: str) -> tuple[int, str]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=data if method == "POST" else None,
            method=method,
            headers={
                "Content-Type": "application/json",
                **{name.replace("_", "-"): it for name, it in headers.items()},
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def log(self) -> str:
        return (self.path / "server.log").read_text()

    def lines(self) -> list[dict]:
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]

    @property
    def store(self):
        """The ledger's rows, as the fake store keeps them."""

        class Rows:
            pass

        from google.cloud.firestore import Client

        client = Client(project=self.project)
        found, store = Rows(), FirestoreStore(client)
        paths = [document.reference.path.split("/") for document in client.collection_group("rows").stream()]
        found.rows = store.read([Key(_decode(partition), _decode(sort)) for _, partition, _, sort in paths])
        return found


@pytest.fixture
def stage(emulator, slack, tmp_path, monkeypatch):
    stage = Stage(emulator, slack, tmp_path, monkeypatch)
    yield stage
    stage.stop()


def test_a_pushed_entry_becomes_a_message_in_slack_once(stage, slack):
    stage.start()
    for _ in range(2):
        assert stage.post("/", push(stranger(1)))[0] == 200, stage.log()
        assert stage.post("/", push(entry(2), 2))[0] == 200
        assert stage.post("/tasks/deliver", {})[0] == 200
    (message,) = slack.accepted
    assert message.text.startswith("HIGH: unexpected caller")
    assert counts(stage.store) == {"unexpected allowed": 1, "identified allowed": 1}
    assert TOKEN not in stage.log()


def test_plain_pushes_and_both_kinds_of_cloudevents_are_the_same_record(stage):
    stage.start()
    body = push(stranger(1))
    binary = {"ce_id": "1", "ce_specversion": "1.0", "ce_source": "//pubsub.googleapis.com/projects/p/topics/t"}
    kind = "google.cloud.pubsub.topic.v1.messagePublished"
    structured = {"specversion": "1.0", "id": "1", "source": binary["ce_source"], "type": kind, "data": body}
    assert stage.post("/", body)[0] == 200
    assert stage.post("/", body, ce_type=kind, **binary)[0] == 200
    assert stage.post("/", structured, Content_Type="application/cloudevents+json")[0] == 200
    assert counts(stage.store) == {"unexpected allowed": 1}


def test_what_cannot_be_decoded_is_recorded_counted_and_acknowledged(stage):
    stage.start()
    half = push(b'{"insertId": "half')
    for body in (b"no json", {}, {"message": {"data": "%%%", "messageId": "7"}}, half, push({"no": "entry"}, 9)):
        assert stage.post("/", body)[0] == 200
    assert counts(stage.store) == {"unreadable allowed": 5}
    assert len(rows(stage.store, "aside ", dict)) == 5


def test_without_its_ledger_nothing_is_acknowledged(stage):
    stage.start(FIRESTORE_EMULATOR_HOST=f"127.0.0.1:{parts.free_port()}", CALLERID_LEDGER_TIMEOUT_SECONDS="1")
    assert stage.post("/", push(stranger(1)))[0] == 500


def test_a_batch_is_one_line_of_structured_log_and_a_finding_another(stage):
    stage.start()
    stage.post("/", push(stranger(1)))
    lines = stage.lines()
    (line,) = [line for line in lines if line.get("event") == "batch"]
    assert (line["records"], line["new"], line["findings"], line["verdicts"]) == (1, 1, 1, {"unexpected": 1})
    (finding,) = [line for line in lines if line.get("event") == "finding"]
    assert finding["finding"]["reasons"] == ["subject-unlisted"]
    assert finding["severity"] == "WARNING"


def test_an_invalid_policy_keeps_the_last_good_one_even_over_a_cold_start(stage):
    stage.start()
    stage.post("/", push(stranger(1)))
    stage.stop()
    stage.policy("version: 1\ncallers: [{nmae: x}]\n")
    stage.start()
    assert stage.post("/", push(stranger(2), 2))[0] == 200
    status, answer = stage.post("/tasks/deliver", {})
    assert status == 200
    assert "last good policy" in answer
    assert any(line.get("event") == "policy_invalid" for line in stage.lines())
    assert counts(stage.store) == {"unexpected allowed": 2}


def test_a_slack_that_refuses_the_token_keeps_the_alert_and_is_told(stage, slack):
    slack.token = None
    stage.start()
    stage.post("/", push(stranger(1)))
    _, answer = stage.post("/tasks/deliver", {})
    assert json.loads(answer)["pending_alerts"] == 1
    assert "Slack refuses" in stage.log()
    (alert,) = rows(stage.store, "alert", Alert)
    assert alert.state == "pending"


def test_the_weekly_summary_is_one_message_however_often_it_is_called_for(stage, slack):
    stage.start()
    stage.post("/", push(entry(1)))
    status, answer = stage.post("/tasks/summary", {})
    assert status == 200, stage.log()
    assert stage.post("/tasks/summary", {})[1] == answer
    (message,) = slack.accepted
    assert message.text.startswith(f"Federated access, week {json.loads(answer)['week']}")
    assert message.edits == 1


def test_nothing_but_what_is_documented_is_answered(stage):
    stage.start()
    assert stage.post("/", {}, method="GET")[0] == 405
    assert stage.post("/tasks/dance", {})[0] == 404
