"""One question to Google Cloud, typed, with three ways to fail: not allowed, not there, no answer that is understood.

https://cloud.google.com/apis/design/errors
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import msgspec

from callerid.doctor.check import AbsentError, UnknownError, forbidden

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_TIMEOUT_SECONDS = 15.0

T = TypeVar("T")


class Google(NamedTuple):
    """Google Cloud, as the environment's credentials see it."""

    session: Any
    """google-auth's ``AuthorizedSession``, or any of requests'."""
    host: Callable[[str], str] = lambda service: f"https://{service}.googleapis.com"
    """Where a service answers."""

    def ask(self, service: str, path: str, kind: type[T], permission: str, *, body: Any = None, **query: str) -> T:
        """Return the answer to one question; a ``body`` makes it a POST.

        Raises:
            UnknownError: where ``permission`` is missing, nobody answers, or the answer has another shape.
            AbsentError: where there is no such thing.
        """
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415
        from requests import RequestException  # noqa: PLC0415

        try:
            response = self.session.request(
                "GET" if body is None else "POST", f"{self.host(service)}/{path}", params=query, json=body,
                timeout=_TIMEOUT_SECONDS, allow_redirects=False,
            )  # fmt: skip
        except (GoogleAuthError, RequestException) as error:
            found = f"{service}: no answer: {type(error).__name__}"
            raise UnknownError(found, "Credentials, network? gcloud auth application-default login.") from error
        if response.status_code != 200:
            raise _failure(response.status_code, bytes(response.content), service, permission)
        try:
            return msgspec.json.decode(response.content, type=kind)
        except msgspec.DecodeError as error:  # of the wrong shape, too
            raise UnknownError(f"{service}: an answer that is not understood: {error}", "Report this.") from error


class NoCredentialsError(Exception):
    """The environment has no credentials for Google Cloud."""


def connect() -> Google:
    """Return Google Cloud by the environment's credentials.

    Raises:
        ModuleNotFoundError: without the extra ``gcp``.
        NoCredentialsError: where there are none.
    """
    import google.auth  # noqa: PLC0415
    import google.auth.transport.requests  # noqa: PLC0415

    try:
        credentials, _ = google.auth.default(scopes=[_SCOPE])
    except google.auth.exceptions.GoogleAuthError as error:
        raise NoCredentialsError("no credentials: gcloud auth application-default login") from error
    return Google(google.auth.transport.requests.AuthorizedSession(credentials))  # type: ignore[no-untyped-call]


class _Reason(msgspec.Struct):
    reason: str = ""


class _Body(msgspec.Struct, frozen=True):
    status: str = ""
    details: list[_Reason] = []


class _Error(msgspec.Struct):
    error: _Body = _Body()


def _failure(status: int, content: bytes, service: str, permission: str) -> UnknownError | AbsentError:
    try:
        error = msgspec.json.decode(content, type=_Error).error
    except msgspec.DecodeError:
        error = _Body()
    reasons = [detail.reason for detail in error.details]
    if "SERVICE_DISABLED" in reasons:
        host = f"{service}.googleapis.com"
        return UnknownError(f"the API {host} is off where you ask from", f"gcloud services enable {host}")
    if status in (401, 403):
        return forbidden(permission)
    if status == 404:
        return AbsentError("not there")
    return UnknownError(f"{service}: HTTP {status} {error.status}".rstrip(), "Try again; if it stays, look it up.")
