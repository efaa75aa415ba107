"""What stands between the function and AWS: it passes requests on, refuses some, or ends the function's process."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.aws_function.runtime import Runtime

DynamoError = dict[str, object]
_WRITES = {"PutItem", "TransactWriteItems", "DeleteItem"}
THROTTLED: dict[str, DynamoError] = {
    "table": {
        "__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
        "message": "The level of configured provisioned throughput for the table was exceeded.",
    },
    "account": {"__type": "com.amazon.coral.availability#ThrottlingException", "message": "Rate exceeded"},
    "a row": {
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "message": "Transaction cancelled, please refer cancellation reasons for specific reasons [ThrottlingError]",
        "CancellationReasons": [{"Code": "ThrottlingError", "Message": "Throughput exceeds the current capacity."}],
    },
}
"""https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html"""


class Kill(NamedTuple):
    """Which write of a process is its last, counted from 0, and whether DynamoDB still gets it."""

    write: int
    is_passed_on: bool


class Between:
    """Asked in AWS's place; without a plan it only passes on."""

    def __init__(self, url: str) -> None:
        self._aws = urlsplit(url).netloc
        self.url = ""
        self._writes = itertools.count()
        self.refuse: Callable[[str], DynamoError | None] = lambda call: None
        self._kill: tuple[Runtime, Kill] | None = None

    def kill(self, function: Runtime, kill: Kill) -> None:
        """End a function's process at one of the writes that come from now on."""
        self._writes = itertools.count()
        self._kill = function, kill

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes] | None:
        """Return status and body of an answer, None where nobody waits for it any more."""
        call = (handler.headers.get("X-Amz-Target") or "").partition(".")[2]
        is_last = call in _WRITES and self._kill is not None and next(self._writes) == self._kill[1].write
        if self._kill and is_last and not self._kill[1].is_passed_on:
            return self._end()
        refused = self.refuse(call)
        if refused:
            return 400, json.dumps(refused).encode()
        connection = http.client.HTTPConnection(self._aws)
        connection.request(handler.command, handler.path, body, dict(handler.headers))
        found = connection.getresponse()
        answer = found.status, found.read()
        connection.close()
        return self._end() if is_last else answer

    def _end(self) -> None:
        if self._kill:
            self._kill[0].process.kill()
            self._kill = None


@contextmanager
def between(url: str) -> Iterator[Between]:
    """Yield what passes requests on to ``url``."""
    found = Between(url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            answer = found.answer(self, self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            self.close_connection = answer is None
            if answer is None:
                return
            status, body = answer
            with suppress(OSError):
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.0")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
