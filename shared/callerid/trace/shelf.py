"""Links in a temporary SQLite file, found by their marks: memory does not follow their number.

A mark is kept as its hash, which is Python's own and holds for one process; who reads compares the marks themselves.
What most links have stands in columns of their own row, which is written in a third of the time of rows apart. An
index is made when it is first asked for: few questions need them all.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from callerid.trace.chain import Span
from callerid.trace.link import Link, Mark, Sign

_HELD = 5_000
"""Rows that wait in memory to be written together."""
_COLUMNS = (Sign.KEY, Sign.ROLE_ID, Sign.SESSION, Sign.ROLE)
_NAMES = tuple(f"{side}{place}" for side in "iu" for place in range(len(_COLUMNS)))
_PLACES = {
    (sign, is_use): _NAMES[place + is_use * len(_COLUMNS)] for place, sign in enumerate(_COLUMNS) for is_use in (0, 1)
}
_SCHEMA = f"""
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536; PRAGMA page_size = 16384;
CREATE TABLE link (id INTEGER PRIMARY KEY, first TEXT, last TEXT, is_wanted INTEGER, data BLOB, {", ".join(_NAMES)});
CREATE TABLE mark (mark INTEGER, is_use INTEGER, id INTEGER);
"""
_PUT = f"INSERT INTO link VALUES (?, ?, ?, ?, ?, {', '.join('?' * len(_NAMES))})"  # noqa: S608  # our own names
_BY_MARK = "SELECT data FROM link WHERE id IN (SELECT id FROM mark WHERE mark = ? AND is_use = ?)"
_IN_TIME = " AND (first IS NULL OR (last >= ? AND first <= ?))"
_NONE = (None,) * len(_COLUMNS)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Link).decode


class Shelf:
    """A file of links, which is gone when it is closed."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="callerid-")
        self._db = sqlite3.connect(Path(self._folder.name) / "links.sqlite", isolation_level=None)
        self._db.executescript(_SCHEMA)
        self._links: list[tuple[object, ...]] = []
        self._marks: list[tuple[int, int, int]] = []
        self._number = 0
        self._indexed: set[str] = set()

    def close(self) -> None:
        """Take the file away."""
        self._db.close()
        self._folder.cleanup()

    def put(self, link: Link, *, is_wanted: bool, is_found: bool = True) -> None:
        """Add a link, to be found by its marks or not; ``is_wanted`` is what :meth:`wanted` returns it by."""
        self._number += 1
        row = (self._number, link.time, link.last or link.time, is_wanted or None, _encode(link))
        makes, uses = (link.makes, link.uses) if is_found else ((), ())
        self._links.append((*row, *self._columns(makes, 0), *self._columns(uses, 1)))
        if makes and link.access_id != link.record_id:
            self._marks.append((hash(Mark(Sign.EVENT, link.access_id)), 0, self._number))
        if len(self._links) > _HELD:
            self.write()

    def _columns(self, marks: tuple[Mark, ...], is_use: int) -> tuple[int | None, ...]:
        """Return the columns of marks; a second one of its sort, and those of rarer sorts, are rows apart."""
        if not marks:
            return _NONE
        found: list[int | None] = [None] * len(_COLUMNS)
        for mark in marks:
            place = _ORDER.get(mark.sign)
            if place is not None and found[place] is None:
                found[place] = hash(mark)
            else:
                self._marks.append((hash(mark), is_use, self._number))
        return tuple(found)

    def write(self) -> None:
        """Write what still waits in memory."""
        self._db.execute("BEGIN")
        self._db.executemany(_PUT, self._links)
        self._db.executemany("INSERT INTO mark VALUES (?, ?, ?)", self._marks)
        self._db.execute("COMMIT")
        self._links.clear()
        self._marks.clear()

    def issues(self, mark: Mark, span: Span, /) -> Iterator[Link]:
        """Return the calls of a time that issued what bears the mark; of a shared event every copy."""
        is_event = mark.sign is Sign.EVENT
        return (link for link in self._found(mark, 0, span) if is_event or mark in link.makes)

    def uses(self, mark: Mark, span: Span, /) -> Iterator[Link]:
        """Return the calls of a time, or sessions' calls together, that were made with what bears the mark."""
        return (link for link in self._found(mark, 1, span) if mark in link.uses)

    def _found(self, mark: Mark, is_use: int, span: Span) -> Iterator[Link]:
        column = _PLACES.get((mark.sign, is_use))
        first, last = span[0] or "", span[1] or "~"
        self._index("mark", "mark")
        rows = self._db.execute(_BY_MARK + _IN_TIME, (hash(mark), is_use, first, last)).fetchall()
        if column:
            self._index("link", column)
            query = f"SELECT data FROM link WHERE {column} = ?{_IN_TIME}"  # noqa: S608  # one of our own names
            rows += self._db.execute(query, (hash(mark), first, last)).fetchall()
        return (_decode(data) for (data,) in rows)

    def _index(self, table: str, column: str) -> None:
        if column not in self._indexed:
            self._db.execute(f"CREATE INDEX {table}_{column} ON {table} ({column}) WHERE {column} IS NOT NULL")
            self._indexed.add(column)

    def wanted(self) -> Iterator[Link]:
        """Yield what was put as wanted, in no order."""
        return (_decode(data) for (data,) in self._db.execute("SELECT data FROM link WHERE is_wanted"))


_ORDER = {sign: place for place, sign in enumerate(_COLUMNS)}
