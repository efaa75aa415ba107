"""The ledger in one SQLite file: the default, for a laptop or a single machine.

In WAL mode readers don't wait for the writer, and a commit is one write to the end of the log: see
https://www.sqlite.org/wal.html. With ``synchronous=NORMAL`` a loss of power may undo the latest commits; it never
damages the file, and what was undone is read from the logs again.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from time import monotonic, sleep
from typing import Any

from callerid.ledger.store import ConflictError, Key, Stored, UnavailableError, Write

# An ordinary table beside its index, not WITHOUT ROWID: most keys are digests, so rows come in no order, and the
# index of small keys stays in memory where whole rows would not. At a million rows a write takes half the time.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS ledger (
  partition TEXT NOT NULL, sort TEXT NOT NULL, data TEXT NOT NULL, version INTEGER NOT NULL, expires INTEGER,
  PRIMARY KEY (partition, sort)
)
"""
# Text, so that a person can query the JSON. The casts copy the bytes as they are.
_PUT = """
INSERT INTO ledger VALUES (?, ?, CAST(? AS TEXT), ?, ?)
ON CONFLICT DO UPDATE SET data = excluded.data, version = excluded.version, expires = excluded.expires
"""
_DELETE = "DELETE FROM ledger WHERE partition = ? AND sort = ?"
_PAGE = """
SELECT sort, CAST(data AS BLOB), version FROM ledger WHERE partition = ? AND sort > ? ORDER BY sort LIMIT 300
"""
# Joined from the keys outwards: SQLite answers `(partition, sort) IN (VALUES …)` by reading the whole table.
_WANTED = "WITH wanted (p, s) AS (VALUES {}) SELECT {} FROM wanted CROSS JOIN ledger ON partition = p AND sort = s"
_ROW = "partition, sort, CAST(data AS BLOB), version"
_VERSION = "partition, sort, version"
_KEYS_AT_ONCE = 400
"""Two parameters each, of the 999 that every build of SQLite allows."""


class SqliteStore:
    """A ledger in a file. Several threads may share a store, and several processes the file.

    Expired rows are kept: the file belongs to a person, who may want last year's.
    """

    shards = 1
    """One writer at a time, so nothing is won by spreading."""
    most_writes = 10_000
    """No limit of SQLite's, but what others wait for: a third of a second at a million rows."""

    def __init__(self, path: str | Path, *, wait_seconds: float = 10) -> None:
        """Open the file, and make it where it is not there yet; its folder must be.

        Raises:
            UnavailableError: where that fails, or another process holds the file for ``wait_seconds``.
        """
        self._path = Path(path)
        self._turn = Lock()
        folder = self._path.absolute().parent
        if not folder.is_dir():
            raise UnavailableError(f"{self._path}: there is no folder {folder}")
        with self._errors():
            self._connection = _open(self._path, wait_seconds)

    def read(self, keys: Sequence[Key], /) -> dict[Key, Stored]:
        """Return the rows that there are; see `Store.read`."""
        with self._turn, self._errors():
            rows = list(self._wanted(_ROW, keys))
        return {Key(partition, sort): Stored(data, version) for partition, sort, data, version in rows}

    def list(self, partition: str, /, *, after: str = "") -> Iterator[tuple[str, Stored]]:
        """Yield a partition's rows in order, from behind ``after``; see `Store.list`.

        Rows are fetched by the page, so that nobody waits while the caller works on one.
        """
        while True:
            with self._turn, self._errors():
                page = self._connection.execute(_PAGE, (partition, after)).fetchall()
            if not page:
                return
            for sort, data, version in page:
                yield sort, Stored(data, version)
            after = page[-1][0]

    def commit(self, writes: Sequence[Write], /) -> None:
        """Write all rows or none; see `Store.commit`."""
        # Drawn, not counted up: a row that was deleted and made again must not look like the one that was read.
        version = secrets.randbits(62)
        with self._turn, self._errors(), self._transaction():
            self._compare(writes)
            self._connection.executemany(
                _PUT, [(*write.key, write.data, version, write.expires) for write in writes if write.data is not None]
            )
            self._connection.executemany(_DELETE, [write.key for write in writes if write.data is None])

    def close(self) -> None:
        """Close the file; the last to do so tidies the write-ahead log into it."""
        with self._turn:
            self._connection.close()

    def _compare(self, writes: Sequence[Write]) -> None:
        rows = self._wanted(_VERSION, [write.key for write in writes])
        found = {(partition, sort): version for partition, sort, version in rows}
        for key, _, version, _ in writes:
            if found.get(key) != version:
                raise ConflictError(f"{self._path}: {key.partition} {key.sort} is no longer what was read")

    def _wanted(self, columns: str, keys: Sequence[Key]) -> Iterator[tuple[Any, ...]]:
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            some = keys[start : start + _KEYS_AT_ONCE]
            query = _WANTED.format(", ".join(["(?, ?)"] * len(some)), columns)
            yield from self._connection.execute(query, [part for key in some for part in key])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        # IMMEDIATE waits for its turn at the start; a transaction that reads first would be refused in the middle.
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.rollback()
            raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise UnavailableError(f"{self._path}: {error}") from error


def _open(path: Path, wait_seconds: float) -> sqlite3.Connection:
    with suppress(OSError):  # which SQLite tells
        # A new one is its owner's alone: it says who reached what. SQLite gives the rights of the file to its log.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    # A store is shared by threads, one at a time (`_turn`). Transactions are our own, not the module's.
    connection = sqlite3.connect(path, timeout=wait_seconds, isolation_level=None, check_same_thread=False)
    try:
        _log_ahead(connection, monotonic() + wait_seconds)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA cache_size = -65536")  # 64 MB: most of the index of a million rows
        connection.execute("PRAGMA wal_autocheckpoint = 16384")  # 64 MB: pages that change often are copied less
        connection.execute(_SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _log_ahead(connection: sqlite3.Connection, deadline: float) -> None:
    # Of those who make a file at once SQLite refuses some here, for which alone its own timeout does not wait.
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or monotonic() > deadline:
                raise
            sleep(0.01)
        else:
            return
