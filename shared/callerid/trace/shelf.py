"""What is kept of logs, in a SQLite file, found by its words: memory does not follow the logs' size.

Of most records nobody ever asks, so putting one away must cost little: some hundred of them are one part, encoded at
once, calls that issued credentials apart from sessions' calls. Words lead to parts, and of a part only what holds the
text that is asked for is read. In a temporary file the words of a part are noted when something of its time is asked
for; in one that is kept, at once.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from callerid import moment
from callerid.access import Cloud
from callerid.trace import words
from callerid.trace.chain import END_S, Span
from callerid.trace.link import Link, Mark, Sign, seconds, together
from callerid.trace.query import Query
from callerid.trace.read import Kept, issuer_of, link_of, texts_of
from callerid.trace.words import PARTS, Part, Words, span_of

_HELD = 128
"""What one part holds. Twice as many take as long to put away, and one of them twice as long to read."""
SCHEMA = f"""
CREATE TABLE part (id INTEGER PRIMARY KEY, issued_by TEXT, has_escape INTEGER, first TEXT, last TEXT,
  segment INTEGER);
CREATE INDEX unnoted ON part (id) WHERE segment IS NULL;
CREATE TABLE text (id INTEGER PRIMARY KEY, kept BLOB);
{words.SCHEMA}
"""
_TEMPORARY = (
    "PRAGMA page_size = 16384; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16384;"
)
"""What is begun is never committed: nobody else reads it, and a small file is never written at all."""
_READ, _LINKS = 64, 4096
"""What was read is remembered, for one record is often the next one's issue: at 100 and 4 KB each, 23 MB."""
_ROWS = 16384
"""What a part holds of a mark is remembered, too: one account may have begun every session of a role. 6 MB."""
_MOST = 16
"""Beyond so many texts reading every record costs less than looking for each."""
_LONGEST_S, _HOUR_S = 36 * 3600, 3600
"""How far apart the calls of one session can be, and those without a session."""
_OF_SPAN = "(first IS NULL OR (last >= ? AND first <= ?))"
AWS, GOOGLE = Cloud.AWS.value, Cloud.GCP.value
OF_AWS = frozenset((Sign.KEY, Sign.TOKEN, Sign.ROLE_ID, Sign.SESSION, Sign.OUTBOUND, Sign.ROLE, Sign.EVENT))
"""Marks of what AWS issues; Google issues the others."""
USED_BY = {Sign.ROLE: GOOGLE, Sign.OUTBOUND: GOOGLE, Sign.TOKEN: AWS, Sign.UNIQUE_ID: AWS}
"""Marks that only one cloud's issues were made with: a role issues to thousands, whom nobody need ask."""
WHOLE = frozenset((Sign.KEY, Sign.TOKEN, Sign.ROLE_ID, Sign.SESSION, Sign.EVENT))
"""Marks that are texts of their record itself."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Kept).decode
_all = msgspec.msgpack.Decoder(list[Kept]).decode
_raws = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode


class _Row(NamedTuple):
    """What is known of a part without reading it."""

    issued_by: str | None
    has_escape: int
    """Whether a caller's JSON writes some sign as its number, so that words may not stand there letter by letter."""
    first: str | None
    last: str | None

    def is_of(self, span: Span) -> bool:
        """Tell whether something of it may be of a time."""
        first, last = _open(span)
        return self.first is None or self.last is None or (self.last >= first and self.first <= last)


def temporary(query: Query) -> Shelf:
    """Return a shelf for one query, of which nothing is left when it is closed."""
    folder = tempfile.TemporaryDirectory(prefix="callerid-")
    db = sqlite3.connect(Path(folder.name) / "kept.sqlite", isolation_level=None)
    db.executescript(f"{_TEMPORARY} {SCHEMA} BEGIN;")
    words.write_alphabet(db)
    return Shelf(db, folder, _pieces(query))


class Shelf:
    """A file of what was kept. With the folder that it lies in, it is a temporary one, for one query's pieces of text.

    Those are looked for while a part is at hand, which saves reading all of them again.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        folder: tempfile.TemporaryDirectory[str] | None = None,
        pieces: Sequence[bytes] = (),
    ) -> None:
        self._db, self._folder, self._pieces = db, folder, pieces
        self._held: list[int] = []
        """The parts that may hold one of the pieces."""
        self.is_kept = folder is None
        self.count = 0
        """How much was added since somebody set it back."""
        self._words = Words(db)
        self._waiting: dict[type, list[Kept]] = defaultdict(list)
        """By what they are; a key that is quick to make, as all that is kept passes here."""
        self._unnoted: dict[str | None, list[Part]] = {AWS: [], GOOGLE: [], None: []}
        self._part = lru_cache(_READ)(self._read_part)
        self._link = lru_cache(_LINKS)(self._read_link)
        self._row = lru_cache(_ROWS)(self._read_row)
        self._places = lru_cache(_ROWS)(self._find_places)

    def close(self) -> None:
        """Close the file, and take a temporary one away."""
        self._db.close()
        if self._folder is not None:
            self._folder.cleanup()

    def put(self, kept: Kept) -> None:
        """Add what was kept."""
        waiting = self._waiting[type(kept)]
        waiting.append(kept)
        if len(waiting) == _HELD:
            self._write(waiting)

    def finish(self) -> None:
        """Write what still waits in memory."""
        for waiting in self._waiting.values():
            self._write(waiting)
        for of, parts in self._unnoted.items():
            self._note(parts, of)

    def _write(self, every: list[Kept]) -> None:
        if not every:
            return
        has_escape = any(b"\\" in kept.caller for kept in every)
        times = span_of(time for kept in every for time in (kept.time, kept.last))
        issued_by = issuer_of(every[0])
        of = issued_by and issued_by.value
        query = "INSERT INTO part (issued_by, has_escape, first, last) VALUES (?, ?, ?, ?)"
        part = self._db.execute(query, (of, has_escape, *times)).lastrowid or 0
        data = _encode(every)
        self._db.execute("INSERT INTO text (kept) VALUES (?)", (data,))
        if has_escape or any(piece in data for piece in self._pieces):
            self._held.append(part)
        if self.is_kept:
            self._unnoted[of].append(Part(part, *times, texts_of(every)))
            if len(self._unnoted[of]) == PARTS:
                self._note(self._unnoted[of], of)
        self.count += len(every)
        every.clear()

    def wanted(self, query: Query) -> Iterator[Link]:
        """Yield what the query wants, in no order; the calls of one session together."""
        pieces = _pieces(query)
        span = _wider((query.since, query.until), _LONGEST_S)
        if self.is_kept:
            parts = set(self._noted(query, span) if all(map(words.last_word, _texts(query))) else self._every(span))
        else:
            parts = {part for part in self._held if self._row(part).is_of(span)}
        at_any_time = replace(query, since=None, until=None)
        found = (link for part in sorted(parts) for _, link in self._holding(part, pieces))
        return filter(query.in_time, _each_session_once(link for link in found if at_any_time.wants(link)))

    def _every(self, span: Span) -> Iterator[int]:
        query = f"SELECT id FROM part WHERE {_OF_SPAN}"  # noqa: S608  # our own words
        return (part for (part,) in self._db.execute(query, _open(span)).fetchall())

    def _noted(self, query: Query, span: Span) -> Iterator[int]:
        for text in _texts(query):
            yield from self._words.find(text, span, is_whole=False)

    def issues(self, mark: Mark, span: Span, /) -> Iterator[Link]:
        """Return the calls of a time that issued what bears the mark; of a shared event every copy."""
        return self._found(mark, span, AWS if mark.sign in OF_AWS else GOOGLE, is_issue=True)

    def uses(self, mark: Mark, span: Span, /) -> Iterator[Link]:
        """Return the calls of a time, or sessions' calls together, that were made with what bears the mark."""
        found = self._found(mark, _wider(span, _HOUR_S), USED_BY.get(mark.sign), is_issue=False)
        return (link for link in _each_session_once(found) if _is_of(link, span))

    def _found(self, mark: Mark, span: Span, issued_by: str | None, *, is_issue: bool) -> Iterator[Link]:
        """Yield what issued what bears a mark, or was made with it, among one cloud's issues or among everything."""
        self._note_all(span)
        is_whole = mark.sign in WHOLE
        has_word = bool(words.last_word(mark.value))
        found = self._words.find(mark.value, span, is_whole=is_whole, issued_by=issued_by)
        for part in found if has_word else self._every(span):
            row = self._row(part)
            if row.is_of(span) and issued_by in (None, row.issued_by):
                links = (self._link(part, place) for place in self._places(part, mark, is_issue))
                yield from (link for link in links if _is_of(link, span))

    def _find_places(self, part: int, mark: Mark, is_issue: bool) -> tuple[int, ...]:  # noqa: FBT001  # a cache's key
        """Return where of a part stands what issued what bears the mark, or was made with it."""
        piece = mark.value.encode(errors="replace") if mark.sign in WHOLE else words.last_word(mark.value)
        found = self._holding(part, [piece])
        return tuple(place for place, link in found if mark in (_made(link) if is_issue else link.uses))

    def _holding(self, part: int, pieces: Sequence[bytes]) -> Iterator[tuple[int, Link]]:
        """Yield the links of a part that may hold a piece of text: it stands there, or an escape may hide it."""
        every = self._part(part)
        wanted = [*pieces, b"\\"] if self._row(part).has_escape else pieces
        held = {place for piece in wanted for place, data in enumerate(every) if piece in data}
        yield from ((place, self._link(part, place)) for place in sorted(held))

    def _note_all(self, span: Span) -> None:
        """Note the words of whatever is of a time, where that was not done before."""
        query = (
            f"SELECT issued_by, id, first, last FROM part WHERE segment IS NULL AND {_OF_SPAN} ORDER BY issued_by, id"  # noqa: S608  # our own words
        )
        rows = self._db.execute(query, _open(span)).fetchall() if not self.is_kept else ()
        for issued_by, some in groupby(rows, key=itemgetter(0)):
            every = list(some)
            for start in range(0, len(every), PARTS):
                batch = every[start : start + PARTS]
                parts = [Part(part, low, high, texts_of(_all(self._read(part)))) for _, part, low, high in batch]
                self._note(parts, issued_by)

    def _note(self, parts: list[Part], issued_by: str | None) -> None:
        if parts:
            segment = self._words.note(parts, issued_by)
            rows = [(segment, part.id) for part in parts]
            self._db.executemany("UPDATE part SET segment = ? WHERE id = ?", rows)
            parts.clear()

    def _read(self, part: int) -> bytes:
        ((data,),) = self._db.execute("SELECT kept FROM text WHERE id = ?", (part,))
        return bytes(data)

    def _read_row(self, part: int) -> _Row:
        query = "SELECT issued_by, has_escape, first, last FROM part WHERE id = ?"
        return _Row(*self._db.execute(query, (part,)).fetchone())

    def _read_part(self, part: int) -> list[bytes]:
        return [bytes(raw) for raw in _raws(self._read(part))]

    def _read_link(self, part: int, place: int) -> Link:
        return link_of(_decode(self._part(part)[place]))


def _texts(query: Query) -> set[str]:
    return {mark.value for mark in query.marks} | query.names | query.records


def _pieces(query: Query) -> list[bytes]:
    """Return pieces of text of which one stands in whatever is wanted; of too many names, or odd ones, an empty one."""
    pieces = [words.last_word(text) for text in _texts(query)]
    return pieces if all(pieces) and len(pieces) <= _MOST else [b""]


def _each_session_once(links: Iterable[Link]) -> Iterator[Link]:
    """Yield links, and the calls of one session, which may be on several parts, as one."""
    calls: dict[str, list[Link]] = {}
    for link in links:
        if link.calls:
            calls.setdefault(link.access_id, []).append(link)
        else:
            yield link
    yield from map(together, calls.values())


def _made(link: Link) -> tuple[Mark, ...]:
    """Return the marks that an issue is found by, one of two copies also by what they share."""
    if link.makes and link.access_id != link.record_id:
        return (*link.makes, Mark(Sign.EVENT, link.access_id))
    return link.makes


def _is_of(link: Link, span: Span) -> bool:
    """Tell whether a link is of a time; what shows none may be of any."""
    first, last = _open(span)
    return link.time is None or (first <= (link.last or link.time) and link.time <= last)


def _open(span: Span) -> tuple[str, str]:
    return span[0] or "", span[1] or "~"


def _wider(span: Span, by_s: int) -> Span:
    first, last = span
    return first and moment.at(max(0.0, seconds(first) - by_s)), last and moment.at(min(END_S, seconds(last) + by_s))
