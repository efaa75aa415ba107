"""A server that speaks as much of Google Cloud's REST APIs as the doctor asks, and an installation that it shows."""

import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import requests

from callerid.doctor.gcp_api import Google
from tests.conftest import ROOT

PROJECT = "my-gcp-project"
URL = "https://callerid-abc-ew.a.run.app"
TOPIC = f"projects/{PROJECT}/topics/callerid"
WRITER = "serviceAccount:service-org-99@gcp-sa-logging.iam.gserviceaccount.com"
CALLERS = [f"serviceAccount:callerid-{role}@{PROJECT}.iam.gserviceaccount.com" for role in ("push", "scheduler")]
FORBIDDEN = (403, {"error": {"code": 403, "message": "…", "status": "PERMISSION_DENIED"}})
MISSING = (404, {"error": {"code": 404, "message": "…", "status": "NOT_FOUND"}})
OFF = (403, {"error": {"code": 403, "status": "PERMISSION_DENIED", "details": [{"reason": "SERVICE_DISABLED"}]}})


def rendered_filter() -> str:
    """The filter as Terraform writes it."""
    text = (ROOT / "terraform" / "filter.tftpl").read_text()
    text = re.sub(r"%\{ for .*?%\{ endfor ~\}\n", "", text, flags=re.DOTALL)
    return re.sub(r"\$\{(\w+)\}", r"\1@example.iam.gserviceaccount.com", text)


def _measured(value: int) -> dict:
    return {"timeSeries": [{"metric": {"type": "…"}, "points": [{"value": {"int64Value": str(value)}}]}]}


def _healthy() -> dict[str, Any]:
    """What each path answers: a body, or a status and a body."""
    logged = [{"service": name, "auditLogConfigs": [{"logType": "ADMIN_READ"}]} for name in
              ("sts.googleapis.com", "iam.googleapis.com")]  # fmt: skip
    location = f"projects/{PROJECT}/locations/europe-west1"
    return {
        f"cloudresourcemanager/v1/projects/{PROJECT}:getAncestry": {
            "ancestor": [
                {"resourceId": {"type": "project", "id": PROJECT}},
                {"resourceId": {"type": "folder", "id": "77"}},
                {"resourceId": {"type": "organization", "id": "99"}},
            ]
        },
        "cloudresourcemanager/v3/folders/77": {"name": "folders/77", "parent": "organizations/99"},
        f"cloudresourcemanager/v3/projects/{PROJECT}:getIamPolicy": {"version": 1, "etag": "x"},
        "cloudresourcemanager/v3/folders/77:getIamPolicy": {},
        "cloudresourcemanager/v3/organizations/99:getIamPolicy": {"auditConfigs": logged, "bindings": []},
        "logging/v2/organizations/99/sinks/callerid": {
            "name": "callerid",
            "destination": f"pubsub.googleapis.com/{TOPIC}",
            "filter": rendered_filter(),
            "includeChildren": True,
            "writerIdentity": WRITER,
        },
        f"pubsub/v1/{TOPIC}:getIamPolicy": {"bindings": [{"role": "roles/pubsub.publisher", "members": [WRITER]}]},
        f"pubsub/v1/projects/{PROJECT}/subscriptions/callerid": {
            "topic": TOPIC,
            "state": "ACTIVE",
            "pushConfig": {
                "pushEndpoint": f"{URL}/",
                "oidcToken": {"serviceAccountEmail": f"callerid-push@{PROJECT}.iam.gserviceaccount.com"},
            },
            "deadLetterPolicy": {"deadLetterTopic": f"{TOPIC}-dead-letter", "maxDeliveryAttempts": 5},
        },
        f"cloudfunctions/v2/projects/{PROJECT}/locations/-/functions": {
            "functions": [
                {"name": f"{location}/functions/other", "state": "FAILED"},
                {
                    "name": f"{location}/functions/callerid",
                    "state": "ACTIVE",
                    "serviceConfig": {"uri": URL, "service": f"{location}/services/callerid"},
                },
            ]
        },
        f"run/v2/{location}/services/callerid:getIamPolicy": {
            "bindings": [{"role": "roles/run.invoker", "members": CALLERS}]
        },
        f"cloudscheduler/v1/{location}/jobs/callerid-deliver": {
            "state": "ENABLED",
            "lastAttemptTime": "2026-11-02T04:03:30.123456789Z",
            "status": {},
        },
        "oldest_unacked_message_age": _measured(12),
        "num_undelivered_messages": _measured(0),
    }


class GoogleServer:
    """The server; ``answers`` is what it says, by service and path, or by metric."""

    def __init__(self) -> None:
        self.answers = _healthy()
        self.asked: list[tuple[str, str, Any]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                parts = urlsplit(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                path = parts.path.lstrip("/")
                server.asked.append((self.command, path, body))
                if path.endswith("/timeSeries"):
                    (wanted,) = parse_qs(parts.query)["filter"]
                    path = next(name for name in server.answers if f'subscription/{name}"' in wanted)
                answer = server.answers.get(path, MISSING)
                status, said = answer if isinstance(answer, tuple) else (200, answer)
                data = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = _answer  # noqa: N815  # http.server's names

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._session = requests.Session()
        self._session.trust_env = False
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def google(self) -> Google:
        """What the doctor is given."""
        return Google(self._session, lambda service: f"http://127.0.0.1:{self._server.server_port}/{service}")

    def bend(self, ending: str, **changes: Any) -> None:
        """Change fields of the answer whose path ends so."""
        (path,) = (path for path in self.answers if path.endswith(ending))
        self.answers[path] = {**self.answers[path], **changes}

    def say(self, ending: str, answer: Any) -> None:
        """Give another answer to the path that ends so."""
        (path,) = (path for path in self.answers if path.endswith(ending))
        self.answers[path] = answer

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
