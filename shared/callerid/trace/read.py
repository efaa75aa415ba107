"""Which cloud's reader tells what links a record, and by what a caller's calls are known together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any, Protocol

from msgspec import Raw

from callerid.aws import link as aws_link
from callerid.aws import read as aws_read
from callerid.envelope import Batch
from callerid.gcp import link as gcp_link
from callerid.trace.link import Link

HOUR = len("2026-11-02T03")


class LinkReader(Protocol):
    """How one cloud's records link; the modules :mod:`callerid.aws.link` and :mod:`callerid.gcp.link`."""

    def issues(self, records: Sequence[Any], /) -> list[int]:
        """Return the places of the calls that may issue credentials."""

    def calls(self, records: Sequence[Any], /) -> Iterator[tuple[Raw, str, str]]:
        """Yield who made each call, as JSON, when, as the record says it, and to which service."""

    def link(self, record: Any, source: str, /) -> Link:
        """Return what links a record."""

    def record_id(self, record: Any, /) -> str:
        """Return the id by which a person asks for the record."""


def reader_of(batch: Batch) -> LinkReader:
    """Return the reader of a batch's links."""
    return aws_link if batch.reader is aws_read else gcp_link


def calls_id(caller: bytes, hour: str | None) -> str:
    """Return the id of the calls of one caller: of one session, or, where its beginning does not show, of one hour."""
    return f"calls {blake2b(caller, digest_size=16, person=(hour or '').encode()[:HOUR]).hexdigest()}"
