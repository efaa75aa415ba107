"""Cloud Logging on this machine, as far as entries.list goes: filter by time, order, pages, and what goes wrong.

https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list
"""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class LoggingServer:
    """Entries of projects; a context manager. ``plan`` says how the next requests fail: a status, or a body."""

    def __init__(self, *, most: int = 1000) -> None:
        self.entries: list[dict] = []
        self.requests: list[dict] = []
        self.paths: list[str] = []
        self.plan: list[int | bytes] = []
        self.most = most
        """Entries a page; Google's most is 1000."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The API's address."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, path: str, wanted: dict) -> tuple[int, bytes]:
        """Answer one request."""
        self.paths.append(path)
        self.requests.append(wanted)
        planned = self.plan.pop(0) if self.plan else 200
        if isinstance(planned, bytes):
            return 200, planned
        if planned != 200:
            return planned, json.dumps({"error": {"code": planned, "message": "as planned"}}).encode()
        return 200, json.dumps(self._page(wanted)).encode()

    def _page(self, wanted: dict) -> dict:
        assert wanted["orderBy"] == "timestamp asc"
        since = re.search(r'timestamp>="([^"]+)"', wanted["filter"])
        found = sorted(self.entries, key=lambda entry: entry["timestamp"])
        found = [entry for entry in found if not since or entry["timestamp"] >= since[1]]
        start, size = int(wanted.get("pageToken", 0)), min(wanted["pageSize"], self.most)
        more = {"nextPageToken": str(start + size)} if start + size < len(found) else {}
        page = found[start : start + size]
        return {**({"entries": page} if page else {}), **more}


def _handler(logging: LoggingServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, body = logging.answer(self.path, json.loads(data))
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
