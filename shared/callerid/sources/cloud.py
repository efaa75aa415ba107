"""History from Cloud Logging: what it keeps of a project, page after page, oldest first.

``logging://PROJECT?filter=…&since=…``. The requests are google-cloud-logging's; the entries are not, because that
client cuts a time to microseconds, leaves out fields that it does not know, and ends at an entry that it cannot read.
A page is JSON like that of any log.

https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list
https://cloud.google.com/logging/quotas
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from typing import Any, NamedTuple, Self
from urllib.parse import unquote

import msgspec
from msgspec import Raw, Struct, field

from callerid import moment
from callerid.alerts.clock import Clock
from callerid.extras import needed
from callerid.sources import files

FORM = (
    "logging://PROJECT?filter=…&since=2026-11-02T00:00:00Z, or logging://folders/NUMBER, logging://organizations/NUMBER"
)
FILTER = r"""(log_id("cloudaudit.googleapis.com/data_access") OR log_id("cloudaudit.googleapis.com/activity"))
AND (
  (protoPayload.serviceName="sts.googleapis.com" AND protoPayload.methodName=~"\.(ExchangeToken|ExchangeOauthToken|WebSignIn)$")
  OR (protoPayload.serviceName="iamcredentials.googleapis.com" AND protoPayload.methodName=~"(^|\.)(GenerateAccessToken|GenerateIdToken|SignBlob|SignJwt)$")
  OR (protoPayload.serviceName="iam.googleapis.com" AND protoPayload.methodName=~"WorkloadIdentityPool|\.(SignBlob|SignJwt)$")
  OR protoPayload.authenticationInfo.principalSubject=~"^(//)?principal://|\.(svc|hub)\.id\.goog\["
  OR protoPayload.authenticationInfo.principalEmail=~"^(//)?principal://|\.(svc|hub)\.id\.goog\["
  OR protoPayload.authenticationInfo.thirdPartyPrincipal:*
  OR protoPayload.authenticationInfo.serviceAccountDelegationInfo.principalSubject=~"^(//)?principal://|\.(svc|hub)\.id\.goog\["
  OR protoPayload.authenticationInfo.serviceAccountDelegationInfo.firstPartyPrincipal.principalSubject=~"^(//)?principal://|\.(svc|hub)\.id\.goog\["
  OR protoPayload.authenticationInfo.serviceAccountDelegationInfo.firstPartyPrincipal.principalEmail=~"^(//)?principal://|\.(svc|hub)\.id\.goog\["
  OR protoPayload.authenticationInfo.serviceAccountDelegationInfo.thirdPartyPrincipal:*
)"""  # noqa: E501  # line by line as terraform/filter.tftpl has it, which a test compares
"""What is read where no filter is given: what the log sink chooses too, watched accounts aside."""
PAGE_ENTRIES = 1000
"""The most that a request returns."""
_SECONDS_APART = 1.1
"""A project has 60 read requests a minute; the rest are left to a person at the console."""
_WAITS_SECONDS = (2, 4, 8, 16, 32, 64)
"""Before each further attempt: together longer than the minute after which a used-up quota is there again."""
_RESOURCE = re.compile(
    r"((projects|folders|organizations)/[^/?#\s]+(/locations/[^/?#\s]+/buckets/[^/?#\s]+/views/[^/?#\s]+)?|[^/?#\s]+)"
)


class BrokenOffError(Exception):
    """Cloud Logging does not go on; the message says why, and how to go on from there."""


class Wanted(NamedTuple):
    """What a URL asks for."""

    resource: str
    """``projects/P``, ``folders/N``, ``organizations/N``, or one of their log views."""
    filter: str
    since: str | None

    @classmethod
    def of(cls, url: str) -> Self:
        """Read a URL. What its query holds is taken as it is but for percent codes; a ``+`` stays one.

        Raises:
            NoFileError: for any other.
        """
        place, _, query = url.removeprefix(files.HISTORY).partition("?")
        given = dict.fromkeys(("filter", "since"), "")
        for part in filter(None, query.split("&")):
            name, equals, value = part.partition("=")
            if not equals or given.get(name, "unknown"):
                raise files.NoFileError(f"{url}: {name!r}: expected {FORM}; write & as %26 within a filter")
            given[name] = unquote(value)
        since = moment.utc(given["since"]) if given["since"] else None
        if not _RESOURCE.fullmatch(place) or (given["since"] and since is None):
            raise files.NoFileError(f"{url}: expected {FORM}")
        resource = place if "/" in place else f"projects/{place}"
        return cls(resource, given["filter"] or FILTER, given["since"] or None)

    def filter_from(self, since: str | None) -> str:
        """Return the filter, from a time on. A comment at its end must not swallow what follows."""
        return f'({self.filter}\n) AND timestamp>="{since}"' if since else self.filter


class _Page(Struct):
    entries: Raw = Raw(b"[]")
    token: str = field(name="nextPageToken", default="")


class _Entry(Struct):
    timestamp: str | None = None


_PAGE = msgspec.json.Decoder(_Page)
_ENTRIES = msgspec.json.Decoder(list[Raw])
_ENTRY = msgspec.json.Decoder(_Entry)


class History:
    """Reads one URL. ``client`` is google-cloud-logging's; the clock's time may begin anywhere."""

    def __init__(self, wanted: Wanted, client: Any, clock: Clock) -> None:
        self._wanted = wanted
        self._client = client
        self._clock = clock
        self._asked: float | None = None
        self.complete = wanted.since
        """The time up to which everything was taken; what is of that very time may be missing yet."""

    @property
    def name(self) -> str:
        """Return what a scan calls it; its filter may fill a page."""
        since = f"?since={self._wanted.since}" if self._wanted.since else ""
        return f"{files.HISTORY}{self._wanted.resource}{since}"

    @property
    def resume(self) -> str:
        """Return how to go on after an interruption."""
        if self.complete is None:
            return "nothing was taken yet; begin anew"
        return f"what came before is done; go on with since={self.complete}"

    def pages(self) -> Iterator[bytes]:
        """Yield the entries of each page as a JSON list. A page counts as taken when the next one is asked for.

        Raises:
            BrokenOffError: where Cloud Logging refuses, or fails again and again.
        """
        token = ""
        while True:
            page = self._page(token)
            entries = bytes(page.entries)
            last = _last(entries)
            yield entries
            self.complete = last or self.complete
            token = page.token
            if not token:
                return

    def _page(self, token: str) -> _Page:
        """Return a page, asked for again where that can help."""
        from google.api_core import exceptions  # noqa: PLC0415  # only where Google Cloud is asked
        from google.auth.exceptions import GoogleAuthError, TransportError  # noqa: PLC0415
        from requests import RequestException  # noqa: PLC0415

        passing = (exceptions.TooManyRequests, exceptions.ServerError, TransportError, RequestException)
        for wait in (*_WAITS_SECONDS, None):
            try:
                return _PAGE.decode(self._request(token))
            except (*passing, msgspec.MsgspecError) as error:
                if wait is None:
                    raise BrokenOffError(f"{self.name}: {error}; {self.resume}") from error
                self._clock.pause(wait)
            except (exceptions.GoogleAPICallError, GoogleAuthError) as error:
                raise BrokenOffError(f"{self.name}: {error}; {self.resume}") from error
        raise AssertionError

    def _request(self, token: str) -> bytes:
        now = self._clock.now()
        if self._asked is not None and now < self._asked + _SECONDS_APART:
            self._clock.pause(self._asked + _SECONDS_APART - now)
        self._asked = self._clock.now()
        body = {
            "resourceNames": [self._wanted.resource],
            "filter": self._wanted.filter_from(self._wanted.since),
            "orderBy": "timestamp asc",
            "pageSize": PAGE_ENTRIES,
            **({"pageToken": token} if token else {}),
        }
        api = self._client.logging_api
        return bytes(api.api_request(method="POST", path="/entries:list", data=body, expect_json=False))


def _last(entries: bytes) -> str | None:
    """Return the time of the last entry that has one."""
    for entry in reversed(_ENTRIES.decode(entries)):
        try:
            found = _ENTRY.decode(entry).timestamp
        except msgspec.MsgspecError:
            continue
        if moment.utc(found):
            return found
    return None


def connect(url: str) -> History:
    """Return the history that a URL names, by the identity of the environment.

    ``CALLERID_LOGGING_API`` is another address than Google's, a private endpoint's.

    Raises:
        NoFileError: for a URL that names none.
        BrokenOffError: where the client is not installed, or nobody is signed in.
    """
    wanted = Wanted.of(url)
    endpoint = os.environ.get("CALLERID_LOGGING_API")
    try:
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415
        from google.cloud import logging  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise BrokenOffError(f"{url}: {needed('gcp', error)}") from error
    try:
        # REST: gRPC would drop the fields of an entry that its messages do not know. The project is only a default.
        options = {"api_endpoint": endpoint} if endpoint else None
        client = logging.Client(project=wanted.resource.split("/")[1], client_options=options, _use_grpc=False)  # type: ignore[no-untyped-call]
    except GoogleAuthError as error:
        raise BrokenOffError(f"{url}: {error}") from error
    return History(wanted, client, Clock(time.monotonic, time.sleep))
