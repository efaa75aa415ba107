"""The words by which what was kept is found again, each a number, noted for 64 parts at a time.

A link's names and the values of its marks are the record's own texts, or pieces of them joined by signs such as ``/``
and ``:``. So the last word of each stands, whole, in what is kept of the record, and of a mark that is such a text
itself every word does. A number leads to parts, and who reads those compares the texts: words that share a number cost
time and nothing else. So that nobody who writes into logs can choose such words, each file has an alphabet of its own.
"""

from __future__ import annotations

import secrets
import sqlite3
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec
from zlib_ng.zlib_ng import crc32

from callerid.trace.chain import Span

PARTS = 64
"""Parts of one segment. With 24 bits of a word an entry has 30, which Python sorts twice as fast as longer numbers."""
SCHEMA = """
CREATE TABLE alphabet (byte_order TEXT, signs BLOB);
CREATE TABLE segment (id INTEGER PRIMARY KEY, issued_by TEXT, first TEXT, last TEXT, parts BLOB);
CREATE TABLE page (segment INTEGER, page INTEGER, entries BLOB, PRIMARY KEY (segment, page)) WITHOUT ROWID;
"""
"""New entries go behind all others, however many there are, so that a large file grows like a small one."""
_OF_SPAN = """
SELECT id, parts FROM segment
WHERE (first IS NULL OR (last >= ?1 AND first <= ?2)) AND (?3 IS NULL OR issued_by = ?3)
"""
_PLACE_BITS = 6
_WORD = (1 << 24) - 1
_PAGE_BITS = 18
"""Of an entry's word what is looked up on one page: 64 pages of about 4 KB to a segment."""
_PAGES = 2048
"""What was read is remembered: 8 MB."""
_SIGNS = [sign for sign in range(256) if sign >= 0x80 or chr(sign).isalnum() or chr(sign) in "_.@+=~-"]
"""What words are made of; whatever is no ASCII is taken for a letter."""
_PLAIN = bytes(sign if sign in _SIGNS else 0x20 for sign in range(256))
_BLANK = b" \t\n\r\x0b\x0c"


class Part(NamedTuple):
    """What is noted of a part: its number, its times, None where one shows none, and its texts, one below the other."""

    id: int
    first: str | None
    last: str | None
    texts: bytes


def span_of(every: Iterable[str | None]) -> Span:
    """Return the first and the last of some times; None where a record shows none, for it is of every time."""
    times = set(every)
    known = [time for time in times if time is not None]
    return (min(known), max(known)) if len(known) == len(times) else (None, None)


def last_word(text: str) -> bytes:
    """Return what of a text stands letter by letter in every record that it is a name of; empty where nothing does."""
    return (text.encode(errors="replace").translate(_PLAIN).split() or [b""])[-1]


def write_alphabet(db: sqlite3.Connection) -> None:
    """Give a new file its alphabet: for each sign of a word another, for all others a blank."""
    others = secrets.SystemRandom().sample([sign for sign in range(256) if sign not in _BLANK], len(_SIGNS))
    alphabet = bytearray(b" " * 256)
    for sign, other in zip(_SIGNS, others, strict=True):
        alphabet[sign] = other
    db.execute("INSERT INTO alphabet VALUES (?, ?)", (sys.byteorder, bytes(alphabet)))


class Words:
    """The words of a file's parts; the file is the caller's."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        ((self._alphabet,),) = db.execute("SELECT signs FROM alphabet")
        self._page = lru_cache(_PAGES)(self._read_page)

    def note(self, parts: Sequence[Part], issued_by: str | None) -> int:
        """Note the words of at most :data:`PARTS` parts of one sort, and return their segment's number."""
        entries = array("I", sorted(self._entries(parts)))
        span = span_of(time for part in parts for time in (part.first, part.last))
        row = (issued_by, *span, msgspec.msgpack.encode([part.id for part in parts]))
        query = "INSERT INTO segment (issued_by, first, last, parts) VALUES (?, ?, ?, ?)"
        segment = self._db.execute(query, row).lastrowid or 0
        self._db.executemany("INSERT INTO page VALUES (?, ?, ?)", _pages(segment, entries))
        return segment

    def _entries(self, parts: Sequence[Part]) -> Iterator[int]:
        for place, part in enumerate(parts):
            words = set(part.texts.translate(self._alphabet).split())
            yield from {(crc32(word) & _WORD) << _PLACE_BITS | place for word in words}

    def find(self, text: str, span: Span, *, is_whole: bool, issued_by: str | None = None) -> Iterator[int]:
        """Yield the parts, of one sort or of all, that may hold a text; of a segment all, where one is of the time.

        By its last word alone, unless ``is_whole``: then no record has put the text together, and each word counts.
        """
        numbers = self._numbers(text)
        for segment, parts in self._db.execute(_OF_SPAN, (span[0] or "", span[1] or "~", issued_by)).fetchall():
            places = self._places(segment, numbers[-1])
            for number in numbers[:-1] if is_whole else ():
                places &= self._places(segment, number)
            if places:
                ids = msgspec.msgpack.decode(parts, type=list[int])
                yield from (ids[place] for place in sorted(places))

    def _numbers(self, text: str) -> list[int]:
        return [crc32(word) & _WORD for word in text.encode(errors="replace").translate(self._alphabet).split()]

    def _places(self, segment: int, number: int) -> set[int]:
        """Return the places of a segment's parts that hold a word."""
        entries = self._page(segment, number >> _PAGE_BITS)
        start = bisect_left(entries, number << _PLACE_BITS)
        end = bisect_left(entries, number + 1 << _PLACE_BITS, start)
        return {entry & PARTS - 1 for entry in entries[start:end]}

    def _read_page(self, segment: int, page: int) -> array[int]:
        found = self._db.execute("SELECT entries FROM page WHERE segment = ? AND page = ?", (segment, page)).fetchone()
        return array("I", found[0] if found else b"")


def _pages(segment: int, entries: array[int]) -> Iterable[tuple[int, int, bytes]]:
    start = 0
    while start < len(entries):
        page = entries[start] >> _PAGE_BITS + _PLACE_BITS
        end = bisect_left(entries, page + 1 << _PAGE_BITS + _PLACE_BITS, start)
        yield segment, page, entries[start:end].tobytes()
        start = end
