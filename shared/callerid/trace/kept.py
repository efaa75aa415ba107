"""An index of logs that is kept in a file of its own, and brought up to date with the logs that it does not hold yet.

A file of logs is held whole or not at all: what was read and the note that it was read are one transaction, so a
build that breaks off goes on with the next file. It holds names, callers and ids of keys, so its owner alone may read
it, and no secret.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

from callerid.sources import files
from callerid.trace.chain import whole
from callerid.trace.index import LogIndex
from callerid.trace.link import Link
from callerid.trace.query import Query
from callerid.trace.shelf import SCHEMA, Shelf
from callerid.trace.words import write_alphabet

_APPLICATION, _VERSION = 0x63696478, 2
"""How SQLite tells this file from any other, and what is kept in it: to be raised with every change of either."""
_SETTINGS = "PRAGMA page_size = 16384; PRAGMA cache_size = -16384; PRAGMA synchronous = NORMAL;"
_FILES = "CREATE TABLE file (path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER) WITHOUT ROWID;"
_AT_ONCE = 50_000
"""Records kept in one transaction: a second's work, which is what an interruption costs."""
_WAIT_S = 5.0


class KeptError(Exception):
    """An index that can't be used; the message says which, why, and what to do."""


class _File(NamedTuple):
    """A file of logs as it was before it was read."""

    path: str
    size: int
    mtime_ns: int


class KeptIndex(LogIndex):
    """An index in a file; a context manager, at whose end the file is closed and stays.

    What is asked of it is to be asked within :func:`told`, as another process may begin to fill the file.

    Raises:
        KeptError: where the file is no index, or of another version, or another process fills it.
    """

    def __init__(self, path: str, query: Query, *, is_new: bool) -> None:
        """Open the index in a file, and make it where it is not there yet and may be new."""
        self._path = path
        self._read_before: list[str] = []
        with told(path):
            self._db = _connect(path, is_new=is_new)
            try:
                super().__init__(query, Shelf(self._db))
            except BaseException:
                self._db.close()
                raise

    def __enter__(self) -> Self:
        return self

    def update(self, paths: Sequence[str]) -> None:
        """Read what the index does not hold yet. What it holds of files that are gone stays."""
        with told(self._path):
            own = os.path.realpath(self._path)
            # SQLite keeps a journal beside the file, which another process's end may have left there.
            paths = [path for path in paths if os.path.realpath(path) not in (own, f"{own}-journal")]
            missing = self._missing(paths)
            new = {path for path, _ in missing}
            self._read_before = [path for path in paths if path not in new]
            if missing:
                self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
                self._db.execute("BEGIN EXCLUSIVE")
                self._read(self._missing(paths))  # asked again, for now nobody else writes

    def asked(self) -> list[Link]:
        """Return the links that the query names.

        Only where the file holds none the logs that were given are read for single calls, which it never holds: so the
        same question has the same answer, whether or not some of the logs have just been read.
        """
        with told(self._path):
            found = whole(self._shelf.wanted(self._query), self)
            if found or not self._query.records:
                return found
            for path in self._read_before:
                self.look(path)
            return whole(self._picked, self)

    def _missing(self, paths: Sequence[str]) -> list[tuple[str, _File]]:
        known = {row[0]: _File(*row) for row in self._db.execute("SELECT path, size, mtime_ns FROM file")}
        every = [(path, _file(path)) for path in paths]
        for path, file in every:
            if known.get(file.path, file) != file:
                message = f"{files.printable_name(path)} has changed since {self._path} was made: delete {self._path}"
                raise KeptError(f"{message}, and it is made anew")
        return [(path, file) for path, file in every if file.path not in known]

    def _read(self, missing: Sequence[tuple[str, _File]]) -> None:
        done: list[_File] = []
        for path, file in missing:
            self.add(path)
            done.append(file)
            if self._shelf.count >= _AT_ONCE:
                self._commit(done)
                self._db.execute("BEGIN EXCLUSIVE")
        self._commit(done)

    def _commit(self, done: list[_File]) -> None:
        self.finish()
        self._db.executemany("INSERT INTO file VALUES (?, ?, ?)", done)
        self._db.execute("COMMIT")
        self._shelf.count = 0
        done.clear()


def _file(path: str) -> _File:
    """Return a file of logs as it is now.

    Raises:
        KeptError: where it can't be read again, or not at all.
    """
    if path == files.STANDARD_INPUT or files.is_history(path) or files.is_pipe(path):
        raise KeptError(f"{path}: --index keeps files; standard input, pipes and {files.HISTORY} are read without it")
    if not os.access(path, os.R_OK):
        raise KeptError(f"{files.printable_name(path)}: not readable, so the index would miss it")
    stat = Path(path).stat()
    return _File(files.printable_name(os.path.realpath(path)), stat.st_size, stat.st_mtime_ns)


def _connect(path: str, *, is_new: bool) -> sqlite3.Connection:
    """Open an index. Its owner alone may read it: SQLite gives the rights of the file to its journal."""
    if is_new:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if os.fstat(descriptor).st_size == 0:
            os.fchmod(descriptor, 0o600)  # also of one that was there already, and empty
        os.close(descriptor)
    elif not Path(path).is_file():
        raise KeptError(f"{path}: no such index; give LOGS to make it")
    db = sqlite3.connect(path, isolation_level=None, timeout=_WAIT_S)
    try:
        _check(db, path, is_new=is_new)
    except BaseException:
        db.close()
        raise
    return db


def _check(db: sqlite3.Connection, path: str, *, is_new: bool) -> None:
    db.executescript(_SETTINGS)
    if is_new and not db.execute("SELECT 1 FROM sqlite_master").fetchone():
        db.execute("BEGIN EXCLUSIVE")
        if not db.execute("SELECT 1 FROM sqlite_master").fetchone():  # nobody else made it meanwhile
            _make(db)
        db.execute("COMMIT")
    application, version = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    if application != _APPLICATION:
        raise KeptError(f"{path}: not an index of callerid trace")
    ((byte_order,),) = db.execute("SELECT byte_order FROM alphabet")
    if (version, byte_order) != (_VERSION, sys.byteorder):
        raise KeptError(f"{path}: an index of another version of callerid, or of another machine; delete it")


def _make(db: sqlite3.Connection) -> None:
    for statement in f"{SCHEMA} {_FILES}".split(";"):
        db.execute(statement)
    write_alphabet(db)
    db.execute(f"PRAGMA application_id = {_APPLICATION}")
    db.execute(f"PRAGMA user_version = {_VERSION}")


@contextmanager
def told(path: str) -> Iterator[None]:
    """Raise what of an index fails as a KeptError."""
    try:
        yield
    except OSError as error:
        raise KeptError(f"{path}: {error.strerror or error}") from error
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise KeptError(f"{path}: another process is using it; try again when it is done") from error
        raise KeptError(f"{path}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise KeptError(f"{path}: not an index of callerid trace ({error})") from error
