"""The Cloud Function under the real server, on a ledger of its own."""

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

from callerid.ledger.firestore import FirestoreStore, _decode
from callerid.ledger.store import Key
from tests import parts
from tests.alerts.slack_server import TOKEN
from tests.conftest import POLICY, ROOT, entry

_names = (f"function-{number}" for number in itertools.count())


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

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

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
