"""Lambda's Runtime API on this machine, and the real runtime client beside it.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

_STARTS_SECONDS = 30


class EndedError(AssertionError):
    """The function's process ended instead of answering."""


class Outcome(NamedTuple):
    """What one invocation ended with."""

    answer: Any = None
    error: dict[str, Any] | None = None


class Runtime:
    """One function's process, fed with events one after another."""

    def __init__(self, url: str, process: subprocess.Popen[bytes], api: _Api, log: Path) -> None:
        self.url = url
        self.process = process
        self._api = api
        self._log = log

    def invoke(self, event: Any, *, timeout_seconds: float = 60) -> Outcome:
        """Return what the function answers to an event; an error is an answer too."""
        self._api.events.put((event, timeout_seconds))
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            try:
                return self._api.outcomes.get(timeout=0.2)
            except queue.Empty:
                if self.process.poll() is not None:
                    raise EndedError(f"the function's process ended: {self.log()}") from None
        raise AssertionError(f"no answer within {timeout_seconds} s: {self.log()}")

    def log(self) -> str:
        """Return what the function has printed."""
        return self._log.read_text()

    def lines(self) -> list[dict[str, Any]]:
        """Return the JSON lines that the function has printed."""
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]

    def kill(self) -> None:
        """End the process as a machine that fails does."""
        self.process.kill()
        self.process.wait()


class _Api:
    def __init__(self) -> None:
        self.events: queue.Queue[tuple[Any, float]] = queue.Queue()
        self.outcomes: queue.Queue[Outcome] = queue.Queue()


@contextmanager
def runtime(
    handler: str, root: Path, log: Path, environment: Mapping[str, str], *, python: str = sys.executable
) -> Iterator[Runtime]:
    """Run a handler of the artefact in ``root`` under ``python``'s awslambdaric."""
    api = _Api()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(api))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    address = f"127.0.0.1:{server.server_port}"
    given = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(root),
        "AWS_LAMBDA_RUNTIME_API": address,
        "LAMBDA_TASK_ROOT": str(root),
        "_HANDLER": handler,
        "AWS_LAMBDA_FUNCTION_NAME": "callerid",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/callerid",
        "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "POWERTOOLS_SERVICE_NAME": "callerid",
        "POWERTOOLS_METRICS_NAMESPACE": "callerid",
        **environment,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [python, "-m", "awslambdaric", handler],
            cwd=root, env=given, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            yield Runtime(address, process, api, log)
        finally:
            process.kill()
            process.wait()
            server.shutdown()
            server.server_close()


def _handler(api: _Api) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def handle(self) -> None:
            with suppress(ConnectionError):  # the function's process is ended while it waits for an event
                super().handle()

        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # a call takes 44 ms with it

        def do_GET(self) -> None:  # http.server's name
            event, seconds = api.events.get()
            body = json.dumps(event).encode()
            self.send_response(200)
            headers = {
                "Lambda-Runtime-Aws-Request-Id": "00000000-0000-4000-8000-00000000aaaa",
                "Lambda-Runtime-Deadline-Ms": str(int((time.time() + seconds) * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:111111111111:function:callerid",
                "Lambda-Runtime-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793",
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
            }
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            body = _body(self)
            if self.path.endswith("/response"):
                api.outcomes.put(Outcome(answer=json.loads(body or b"null")))
            elif self.path.endswith("/error"):
                api.outcomes.put(Outcome(error=json.loads(body)))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    return Handler


def _body(handler: BaseHTTPRequestHandler) -> bytes:
    if handler.headers.get("Transfer-Encoding") != "chunked":
        return handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    parts = []
    while size := int(handler.rfile.readline(), 16):
        parts.append(handler.rfile.read(size))
        handler.rfile.readline()
    handler.rfile.readline()
    return b"".join(parts)
