"""Google Cloud's objects and secrets over HTTP, by the identity of the environment.

The three requests that are needed, by google-auth, which Firestore's client brings anyway: the clients of Cloud
Storage and Secret Manager would be ten more packages and a second of cold start.

https://cloud.google.com/storage/docs/json_api/v1/objects/get
https://cloud.google.com/storage/docs/json_api/v1/objects/list
https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/access
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import quote

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_STORAGE = "https://storage.googleapis.com"
_SECRETS = "https://secretmanager.googleapis.com"
_TIMEOUT_SECONDS = 10.0


class GoogleError(Exception):
    """An answer that is no success; the message says which, and quotes nothing else."""


class Body:
    """An object's content as it comes in."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def read(self, amt: int | None = None, /) -> bytes:
        """Return at most so many bytes, all without a number, none at the end."""
        return bytes(self._raw.read(amt, decode_content=False))


def object_stream(bucket: str, name: str) -> Body:
    """Return the content of an object, gzip as it is stored.

    Raises:
        GoogleError: where it can't be read.
    """
    host = os.environ.get("STORAGE_EMULATOR_HOST", _STORAGE)
    url = f"{host}/storage/v1/b/{quote(bucket, safe='')}/o/{quote(name, safe='')}?alt=media"
    response = _session().get(url, stream=True, timeout=_TIMEOUT_SECONDS, headers={"Accept-Encoding": "gzip"})
    if response.status_code != 200:
        raise GoogleError(f"gs://{bucket}/{name}: HTTP {response.status_code}")
    return Body(response.raw)


def objects(bucket: str, prefix: str, *, start: str = "") -> Iterator[list[str]]:
    """Yield the names of a bucket's objects that begin so, a page at a time, in their order, from ``start`` on.

    Names that end in a slash are left out: they stand for folders, and hold nothing.

    Raises:
        GoogleError: where they can't be listed.
    """
    url = f"{os.environ.get('STORAGE_EMULATOR_HOST', _STORAGE)}/storage/v1/b/{quote(bucket, safe='')}/o"
    wanted = {"prefix": prefix, "startOffset": start, "fields": "items/name,nextPageToken"}
    while True:
        response = _session().get(url, params=wanted, timeout=_TIMEOUT_SECONDS)
        if response.status_code != 200:
            raise GoogleError(f"gs://{bucket}: HTTP {response.status_code}")
        page = response.json()
        yield [item["name"] for item in page.get("items", ()) if not item["name"].endswith("/")]
        if not page.get("nextPageToken"):
            return
        wanted["pageToken"] = page["nextPageToken"]


def secret(version: str) -> bytes:
    """Return a secret version's content.

    Raises:
        GoogleError: where it can't be read.
    """
    host = os.environ.get("CALLERID_SECRET_MANAGER_API", _SECRETS)
    response = _session().get(f"{host}/v1/{quote(version)}:access", timeout=_TIMEOUT_SECONDS)
    if response.status_code != 200:
        raise GoogleError(f"{version}: HTTP {response.status_code}")
    return base64.b64decode(response.json()["payload"]["data"])


@lru_cache(maxsize=1)
def _session() -> Any:
    import google.auth  # noqa: PLC0415  # only where Google Cloud is asked
    import google.auth.transport.requests  # noqa: PLC0415

    credentials, _ = google.auth.default(scopes=[_SCOPE])
    return google.auth.transport.requests.AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
