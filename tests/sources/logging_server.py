"""Cloud Logging on this machine, as far as entries.list goes: filter by time, order, pages, and what goes wrong.

https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list
"""

from __future__ import annotations

import json
import re

from tests.local import LocalServer, Quiet


class LoggingServer(LocalServer):
    """Entries of projects; a context manager. ``plan`` says how the next requests fail: a status, or a body."""

    def __init__(self, *, most: int = 1000) -> None:
        self.entries: list[dict] = []
        self.requests: list[dict] = []
        self.paths: list[str] = []
        self.plan: list[int | bytes] = []
        self.most = most
        """Entries a page; Google's most is 1000."""
        super().__init__(_handler(self))

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


def _handler(logging: LoggingServer) -> type[Quiet]:
    class Handler(Quiet):
        def do_POST(self) -> None:  # noqa: N802  # http.server's name
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.reply(*logging.answer(self.path, json.loads(data)))

    return Handler
