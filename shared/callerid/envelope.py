"""What every delivery unwraps to, whichever cloud's: records to read, what is none, what is passed over."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from msgspec import Raw

from callerid.access import Access, Occurrence


class Reader(Protocol):
    """How one cloud's records are read; the modules :mod:`callerid.aws.read` and :mod:`callerid.gcp.read`."""

    def call_keys(self, records: Sequence[Any], /) -> Sequence[tuple[Any, ...] | None]:
        """Return for each record what its access depends on, None for what is read one by one.

        Of the caller a key holds a checksum, which two may share: who remembers a record by its key compares
        the callers too.
        """

    def callers(self, records: Sequence[Any], /) -> Sequence[Raw]:
        """Return for each record the JSON that says who called."""

    def read(self, record: Any, /) -> Access:
        """Return the access that a record shows."""

    def occurrence(self, record: Any, source: str, /) -> Occurrence:
        """Return what is of this record alone."""

    def time(self, record: Any, /) -> str | None:
        """Return the record's time in RFC 3339 and UTC, None where it shows none that can be read."""


class Batch(NamedTuple):
    """Records of one cloud with the position of each in its file."""

    reader: Reader
    records: Sequence[Any]
    position: Callable[[int], str]

    def occurrence(self, index: int, name: str) -> Occurrence:
        """Return what is of one record alone; ``name`` is what its file is called."""
        return self.reader.occurrence(self.records[index], _source(name, self.position(index)))


class Unreadable(NamedTuple):
    """Something that is no record, or can't be read as one."""

    reason: str
    position: str
    detail: str

    def occurrence(self, name: str) -> Occurrence:
        """Return where it stands, which is also its only id; ``name`` is what its file is called."""
        source = _source(name, self.position)
        return Occurrence(None, source, source, None, source)


class PassedOver(NamedTuple):
    """Something that a trail delivers beside its records: a digest or an Insight event."""

    what: str


Item = Batch | Unreadable | PassedOver


def _source(name: str, position: str) -> str:
    return f"{name}:{position}" if position else name


def content_id(value: Any) -> str:
    """Return the id of a record that has none of its own: a hash of its content.

    The same content gives the same id whatever its spacing and the order of its keys.
    """
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"
