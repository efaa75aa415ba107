"""What is kept of logs, in a temporary SQLite file, found by its marks: memory does not follow the logs' size.

Of most records nobody ever asks, so putting one away must cost little: some hundred of them are one part, encoded at
once. Only when a mark is asked for in a time, the parts of that time are read and the marks in them noted: of what was
issued apart from what was used. A mark is noted as its hash, which is Python's own and holds for one process; who reads
compares the marks themselves.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import msgspec

from callerid.trace.chain import Span
from callerid.trace.link import Link, Mark, Sign
from callerid.trace.needle import Needles
from callerid.trace.query import Query
from callerid.trace.read import Kept, link_of

_HELD = 128
"""What one part holds. Twice as many take as long to put away, and one of them twice as long to read."""
_MADE, _USED = "made", "used"
_SCHEMA = """
PRAGMA page_size = 16384; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16384;
CREATE TABLE part (id INTEGER PRIMARY KEY, first TEXT, last TEXT, wanted BLOB, made INTEGER DEFAULT 0, used DEFAULT 0);
CREATE TABLE text (id INTEGER PRIMARY KEY, kept BLOB);
CREATE TABLE mark (mark INTEGER, part INTEGER, place INTEGER, PRIMARY KEY (mark, part, place)) WITHOUT ROWID;
BEGIN;
"""
"""``made`` and ``used`` say whether a part's marks of that side are noted. What is begun is never committed: nobody
else reads it, and a small file is never written at all."""
_PARTS, _LINKS = 16, 4096
"""What was read is remembered, for one record is often the next one's issue: at 100 and 4 KB each, 18 MB."""
_TOGETHER = 32
"""Parts whose marks are sorted before they are noted, which takes half the time."""
_UNNOTED = "SELECT id FROM part WHERE NOT {} AND (first IS NULL OR (last >= ? AND first <= ?))"
_FIND = """
SELECT part, place FROM mark JOIN part ON id = part
WHERE mark = ? AND (first IS NULL OR (last >= ? AND first <= ?))
"""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Kept).decode
_all = msgspec.msgpack.Decoder(list[Kept]).decode
_raws = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_places = msgspec.msgpack.Decoder(list[int]).decode


class Shelf:
    """A file of what was kept, which is gone when it is closed; it knows from the beginning what a query wants."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._needles = Needles(query)
        self._folder = tempfile.TemporaryDirectory(prefix="callerid-")
        self._db = sqlite3.connect(Path(self._folder.name) / "kept.sqlite", isolation_level=None)
        self._db.executescript(_SCHEMA)
        self._kept: list[Kept] = []
        self._part = lru_cache(_PARTS)(self._read_part)
        self._link = lru_cache(_LINKS)(self._read_link)

    def close(self) -> None:
        """Take the file away."""
        self._db.close()
        self._folder.cleanup()

    def put(self, kept: Kept) -> None:
        """Add what was kept."""
        self._kept.append(kept)
        if len(self._kept) == _HELD:
            self.write()

    def write(self) -> None:
        """Write what still waits in memory."""
        if not self._kept:
            return
        data, wanted = _encode(self._kept), None
        if self._needles.may_be_in(data, [kept.caller for kept in self._kept]):
            wanted = [place for place, kept in enumerate(self._kept) if self._query.wants(link_of(kept))]
        row = (*_times(self._kept), _encode(wanted) if wanted else None)
        self._db.execute("INSERT INTO part (first, last, wanted) VALUES (?, ?, ?)", row)
        self._db.execute("INSERT INTO text (kept) VALUES (?)", (data,))
        self._kept = []

    def wanted(self) -> Iterator[Link]:
        """Yield what the query wants, in no order."""
        for part, wanted in self._db.execute("SELECT id, wanted FROM part WHERE wanted IS NOT NULL").fetchall():
            yield from (self._link(part, place) for place in _places(wanted))

    def issues(self, mark: Mark, span: Span, /) -> Iterator[Link]:
        """Return the calls of a time that issued what bears the mark; of a shared event every copy."""
        return (link for link in self._found(mark, _MADE, span) if mark in _made(link))

    def uses(self, mark: Mark, span: Span, /) -> Iterator[Link]:
        """Return the calls of a time, or sessions' calls together, that were made with what bears the mark."""
        return (link for link in self._found(mark, _USED, span) if mark in link.uses)

    def _found(self, mark: Mark, side: str, span: Span) -> Iterator[Link]:
        first, last = span[0] or "", span[1] or "~"
        self._note(side, first, last)
        for place in self._db.execute(_FIND, (hash((side, mark)), first, last)).fetchall():
            link = self._link(*place)
            if link.time is None or (first <= (link.last or link.time) and link.time <= last):
                yield link

    def _note(self, side: str, first: str, last: str) -> None:
        """Note the marks of whatever is of a time, where that was not done before."""
        parts = self._db.execute(_UNNOTED.format(side), (first, last)).fetchall()
        for start in range(0, len(parts), _TOGETHER):
            some = parts[start : start + _TOGETHER]
            rows = sorted(row for (part,) in some for row in _marks(side, part, self._read(part)))
            self._db.executemany("INSERT OR IGNORE INTO mark VALUES (?, ?, ?)", rows)
            self._db.executemany(f"UPDATE part SET {side} = 1 WHERE id = ?", some)  # noqa: S608  # our own name

    def _read(self, part: int) -> bytes:
        ((data,),) = self._db.execute("SELECT kept FROM text WHERE id = ?", (part,))
        return bytes(data)

    def _read_part(self, part: int) -> list[msgspec.Raw]:
        return _raws(self._read(part))

    def _read_link(self, part: int, place: int) -> Link:
        return link_of(_decode(self._part(part)[place]))


def _marks(side: str, part: int, data: bytes) -> Iterator[tuple[int, int, int]]:
    for place, kept in enumerate(_all(data)):
        link = link_of(kept)
        for mark in link.uses if side == _USED else _made(link):
            yield hash((side, mark)), part, place


def _made(link: Link) -> tuple[Mark, ...]:
    """Return the marks that an issue is found by, one of two copies also by what they share."""
    if link.makes and link.access_id != link.record_id:
        return (*link.makes, Mark(Sign.EVENT, link.access_id))
    return link.makes


def _times(every: Iterable[Kept]) -> tuple[str | None, str | None]:
    """Return the first and the last time; None where a record shows none, for it is of every time."""
    times = {time for kept in every for time in (kept.time, kept.last)}
    known = [time for time in times if time is not None]
    return (min(known), max(known)) if len(known) == len(times) else (None, None)
