"""Cloud Storage on this machine, as far as listing and reading go, and the metadata server whose token it takes.

https://cloud.google.com/storage/docs/json_api/v1/objects/list
https://cloud.google.com/compute/docs/metadata/overview
"""

from __future__ import annotations

import json
import os
from urllib.parse import parse_qs, unquote, urlsplit

from tests.local import LocalServer, Quiet

_ACCOUNT = {"aliases": ["default"], "email": "callerid-function@my-gcp-project.iam.gserviceaccount.com", "scopes": []}
_TOKEN = {"access_token": "example", "expires_in": 3600, "token_type": "Bearer"}


class StorageServer(LocalServer):
    """The objects of one bucket; a context manager."""

    bucket = "example-history"

    def __init__(self, *, most: int = 1000) -> None:
        self.objects: dict[str, bytes] = {}
        self.most = most
        """Names a page; Google's most is 1000."""
        self.plan: list[int] = []
        """How the next listings fail."""
        self.read: list[str] = []
        """The objects that were read."""
        super().__init__(_handler(self))

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to find it, and an identity; no developer's own is looked for."""
        return {
            "STORAGE_EMULATOR_HOST": f"http://{self.address}",
            "GCE_METADATA_HOST": self.address,
            "GCE_METADATA_IP": self.address,
            "CLOUDSDK_CONFIG": os.devnull,
        }

    def answer(self, target: str) -> tuple[int, bytes]:
        """Answer one request."""
        url = urlsplit(target)
        if url.path.startswith("/computeMetadata/v1/project/"):
            return 200, b"my-gcp-project"
        if not url.path.startswith("/storage/"):
            return 200, json.dumps(_TOKEN if url.path.endswith("/token") else _ACCOUNT).encode()
        prefix = f"/storage/v1/b/{self.bucket}/o"
        if url.path == prefix:
            planned = self.plan.pop(0) if self.plan else 200
            wanted = {name: values[0] for name, values in parse_qs(url.query).items()}
            return planned, json.dumps(self._page(wanted)).encode()
        name = unquote(url.path.removeprefix(f"{prefix}/"))
        self.read.append(name)
        return (200, self.objects[name]) if name in self.objects else (404, b"")

    def _page(self, wanted: dict[str, str]) -> dict:
        names = sorted(name for name in self.objects if name.startswith(wanted.get("prefix", "")))
        names = [name for name in names if name >= wanted.get("startOffset", "")]
        start = int(wanted.get("pageToken", 0))
        more = {"nextPageToken": str(start + self.most)} if start + self.most < len(names) else {}
        found = [{"name": name} for name in names[start : start + self.most]]
        return {**({"items": found} if found else {}), **more}


def _handler(storage: StorageServer) -> type[Quiet]:
    class Handler(Quiet):
        def do_GET(self) -> None:  # noqa: N802  # http.server's name
            self.reply(*storage.answer(self.path), Metadata_Flavor="Google", Content_Type="application/json")

    return Handler
