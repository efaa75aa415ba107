"""Which cloud's reader tells what links a record, and what is kept of records until somebody asks for them.

Of most records nobody ever asks, so what is kept is less than a :class:`~callerid.trace.link.Link`, and quick to make.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Any, Protocol, assert_never

from msgspec import Raw, Struct
from msgspec.structs import replace

from callerid.access import Cloud
from callerid.aws import link as aws_link
from callerid.aws import read as aws_read
from callerid.envelope import Batch
from callerid.gcp import link as gcp_link
from callerid.trace.link import Link, Source

HOUR = len("2026-11-02T03")


class LinkReader(Protocol):
    """How one cloud's records link; the modules :mod:`callerid.aws.link` and :mod:`callerid.gcp.link`."""

    CLOUD: Cloud

    def issues(self, records: Sequence[Any], /) -> list[int]:
        """Return the places of the calls that may issue credentials."""

    def calls(self, records: Sequence[Any], /) -> Iterator[tuple[Raw, str, str]]:
        """Yield who made each call, as JSON, when, as the record says it, and to which service."""

    def began(self, caller: Raw, /) -> str | None:
        """Return when the session of a caller began, where its JSON says so."""

    def link(self, record: Any, source: str, /) -> Link:
        """Return what links a record."""

    def issue(self, record: Any, source: str, /) -> aws_link.Issue | gcp_link.Issue:
        """Return what is kept of a call that issued credentials."""

    def record_id(self, record: Any, /) -> str:
        """Return the id by which a person asks for the record."""


class Calls(Struct, frozen=True, array_like=True, tag="calls"):
    """What is kept of the calls of one caller: of one session, or else of one hour."""

    cloud: Cloud
    caller: bytes
    """The JSON of it."""
    hour: str | None
    time: str | None
    last: str | None
    at: Source
    services: dict[str, int]

    def texts(self) -> tuple[str | None, ...]:
        """Return nothing: by all that their link is asked for the caller is."""
        return ()


Kept = aws_link.Issue | gcp_link.Issue | Calls


def link_of(kept: Kept) -> Link:
    """Return what links a record, or a session's calls together, of which the least was kept."""
    match kept:
        case aws_link.Issue():
            return aws_link.of_issue(kept)
        case gcp_link.Issue():
            return gcp_link.of_issue(kept)
        case Calls():
            return _of_calls(kept)
        case _:
            assert_never(kept)


def issuer_of(kept: Kept) -> Cloud | None:
    """Return which cloud issued something; calls did not."""
    if isinstance(kept, aws_link.Issue):
        return Cloud.AWS
    return Cloud.GCP if isinstance(kept, gcp_link.Issue) else None


def texts_of(every: Iterable[Kept]) -> bytes:
    """Return the texts that links' names and marks are made of, one below the other."""
    callers: set[bytes] = set()
    others: list[str | None] = []
    for kept in every:
        if b"\\" in kept.caller:  # an escape such as \u0041 may hide a letter
            others += _shown(link_of(kept))
        callers.add(kept.caller)
        others += kept.texts()
    return b"\n".join((*callers, "\n".join(filter(None, others)).encode(errors="replace")))


def _shown(link: Link) -> Iterator[str | None]:
    yield from (link.who, link.made, *link.names)
    yield from (mark.value for mark in (*link.makes, *link.uses))


def _of_calls(calls: Calls) -> Link:
    of_caller = aws_link.of_caller if calls.cloud is Cloud.AWS else gcp_link.of_caller
    return replace(
        of_caller(calls.caller),
        records=(calls.at,),
        access_id=calls_id(calls.caller, calls.hour),
        time=calls.time,
        last=calls.last,
        calls=tuple(sorted(calls.services.items())),
    )


def reader_of(batch: Batch) -> LinkReader:
    """Return the reader of a batch's links."""
    return aws_link if batch.reader is aws_read else gcp_link


def calls_id(caller: bytes, hour: str | None) -> str:
    """Return the id of the calls of one caller: of one session, or, where its beginning does not show, of one hour."""
    return f"calls {blake2b(caller, digest_size=16, person=(hour or '').encode()[:HOUR]).hexdigest()}"
