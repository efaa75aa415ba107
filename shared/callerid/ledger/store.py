"""What the ledger asks of a store: rows by key, read together and written all or none.

Three implementations (SQLite, DynamoDB, Firestore) are held to one contract suite. A row is opaque bytes with
a version. Whoever writes says which version was read, and the whole write fails where any row has moved on:
that one rule makes "exactly once" hold with several functions at work, and everything above it is written once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

Version = object
"""What a store gives with a row and compares at a write; nothing else may be read from it."""


class Key(NamedTuple):
    """Where a row stands. Rows of one partition are listed together, in the order of ``sort``.

    Both are text of at most 200 characters, ASCII without control characters; neither is empty.
    """

    partition: str
    sort: str


class Stored(NamedTuple):
    """A row as it was read."""

    data: bytes
    version: Version


class Write(NamedTuple):
    """One row of a write."""

    key: Key
    data: bytes | None
    """None deletes the row."""
    version: Version | None
    """The version that was read; None where there must be no row."""
    expires: int | None = None
    """When the row may go, in seconds since 1970; None never. A store may keep it longer, and never less."""


class ConflictError(Exception):
    """A row is no longer what was read. Nothing was written; read again and decide again."""


class UnavailableError(Exception):
    """The store does not answer, or not now. Whether the write took place is not known; trying again is safe."""


class RefusedError(UnavailableError):
    """The store takes no such write, now or later: a row beyond its size. Trying again is as safe, and in vain."""


class Store(Protocol):
    """A store of rows. Reads are consistent: they show every write that was answered before."""

    @property
    def shards(self) -> int:
        """Return over how many rows a count is spread, so that a hot caller is no hot partition."""

    @property
    def most_writes(self) -> int:
        """Return how many rows one write may have."""

    def read(self, keys: Sequence[Key], /) -> dict[Key, Stored]:
        """Return the rows that there are; a key without a row is absent. Any number of keys.

        Raises:
            UnavailableError: where the store does not answer.
        """

    def list(self, partition: str, /, *, after: str = "") -> Iterator[tuple[str, Stored]]:
        """Yield ``sort`` and row of a partition in the order of ``sort``, from behind ``after``.

        Raises:
            UnavailableError: where the store does not answer.
        """

    def commit(self, writes: Sequence[Write], /) -> None:
        """Write all rows, or none. Each key occurs once; at most ``most_writes`` of them.

        Raises:
            ConflictError: where any row has another version than the one that was read.
            UnavailableError: where the store does not answer.
        """

    def close(self) -> None:
        """Let go of files and connections."""
