"""An index of logs: issues one by one, the calls of a session together (when, how many to which service).

Nothing is judged, and whatever can wait until somebody asks for a record waits: that is what makes reading the logs
once more affordable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Self

from msgspec import Raw, Struct, field
from zlib_ng.zlib_ng import crc32

from callerid import delivery, moment
from callerid.access import Cloud
from callerid.envelope import Batch, Unreadable
from callerid.sources import cloud, files
from callerid.trace.chain import Span, whole
from callerid.trace.link import Link, Mark, Source
from callerid.trace.query import Query
from callerid.trace.read import HOUR, Calls, LinkReader, calls_id, reader_of
from callerid.trace.shelf import Shelf, temporary

_HELD = 10_000
"""Callers whose calls are counted in memory; at about 2 KB each, 20 MB. Then they go into the file."""


class _Calls(Struct):
    """The calls of one caller: all that says the same of itself, of one session or else of one hour."""

    cloud: Cloud
    caller: Raw
    hour: str | None
    """None where the session's beginning shows, which tells it from others better than an hour."""
    at: Source
    """The earliest call; of several at one time the one whose id comes first."""
    first: str = "~"
    last: str = ""
    services: dict[str, int] = field(default_factory=dict)

    def see_first(self, time: str, at: Source) -> None:
        """Note a call that no other was before."""
        if time < self.first or at < self.at:
            self.first, self.at = time, at

    def kept(self) -> Calls:
        """Return what is kept of them."""
        times = moment.utc(self.first), moment.utc(self.last)
        return Calls(self.cloud, bytes(self.caller), self.hour, *times, self.at, self.services)


class LogIndex:
    """An index of log files for one query; a context manager, at whose end nothing is left but a shelf that is kept."""

    def __init__(self, query: Query, shelf: Shelf | None = None) -> None:
        self._query = query
        self._shelf = shelf or temporary(query)
        self._picked: list[Link] = []
        """Single calls that the query names by their id."""
        self._calls: dict[int, _Calls] = {}
        """By a checksum of the caller, which costs a third of a copy and its hash."""
        self.records = 0
        self.unreadable = 0
        """What could not be read of what was added: records, and files."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._shelf.close()

    def add(self, path: str) -> None:
        """Read one file into the index."""
        for batch, name in batches(path, self._miss):
            self.take(batch, name)

    def _miss(self, _: Unreadable) -> None:
        self.unreadable += 1

    def take(self, batch: Batch, name: str) -> None:
        """Add the records of a batch."""
        reader, records = reader_of(batch), batch.records
        self.records += len(records)
        issues = frozenset(reader.issues(records))
        for index in issues:
            self._shelf.put(reader.issue(records[index], _source(batch, index, name)))
        if self._query.records:
            self._pick(reader, batch, name, issues)
        self._count(reader, batch, name, issues)
        if len(self._calls) > _HELD:
            self._spill()

    def look(self, path: str) -> None:
        """Read one file for no more than the single calls that the query names by their id."""
        for batch, name in batches(path):
            reader = reader_of(batch)
            self._pick(reader, batch, name, frozenset(reader.issues(batch.records)))

    def _pick(self, reader: LinkReader, batch: Batch, name: str, issues: frozenset[int]) -> None:
        """Note single calls that the query names by their id."""
        ids = self._query.records
        by_key = any("/" in text for text in ids)
        for index, record in enumerate(batch.records):
            wanted = reader.record_id(record) in ids or (by_key and batch.occurrence(index, name).record_id in ids)
            if wanted and index not in issues:
                link = _link(reader, batch, index, name)
                if self._query.in_time(link):
                    self._picked.append(link)

    def _count(self, reader: LinkReader, batch: Batch, name: str, issues: frozenset[int]) -> None:
        """Count a batch's calls. Every record passes here, so each is asked for the least."""
        known = self._calls.get
        for index, (caller, time, service) in enumerate(reader.calls(batch.records)):
            if index in issues:
                continue
            checksum = crc32(caller)
            calls = known(checksum)
            if calls is None or calls.caller != caller:
                calls = self._begin(checksum, reader, caller, time, _at(reader, batch, index, name))
            if not calls.first < time <= calls.last:  # what lies between them is of their hour
                if calls.hour is not None and calls.hour != time[:HOUR]:
                    calls = self._begin(checksum, reader, caller, time, _at(reader, batch, index, name))
                if time > calls.last:  # noqa: PLR1730  # max() takes three times as long
                    calls.last = time
                if time and time <= calls.first:
                    calls.see_first(time, _at(reader, batch, index, name))
            services = calls.services
            services[service] = services.get(service, 0) + 1

    def _begin(self, checksum: int, reader: LinkReader, caller: Raw, time: str, at: Source) -> _Calls:
        """Return where a caller's calls are counted from now on, in place of whoever had the same checksum."""
        before = self._calls.get(checksum)
        if before is not None:
            self._shelf.put(before.kept())
        hour = time[:HOUR] if reader.began(caller) is None else None
        calls = self._calls[checksum] = _Calls(reader.CLOUD, caller.copy(), hour, at)
        return calls

    def _spill(self) -> None:
        for calls in self._calls.values():
            self._shelf.put(calls.kept())
        self._calls.clear()

    def finish(self) -> None:
        """Write what is still in memory."""
        self._spill()
        self._shelf.finish()

    def issues(self, mark: Mark, span: Span, /) -> Iterator[Link]:
        """Return the calls of a time that issued what bears the mark."""
        return self._shelf.issues(mark, span)

    def uses(self, mark: Mark, span: Span, /) -> Iterator[Link]:
        """Return the calls of a time, or sessions' calls together, that were made with what bears the mark."""
        return self._shelf.uses(mark, span)

    def asked(self) -> list[Link]:
        """Return the links that the query names: single calls, issues, sessions' calls."""
        return whole((*self._shelf.wanted(self._query), *self._picked), self)


def _link(reader: LinkReader, batch: Batch, index: int, name: str) -> Link:
    return reader.link(batch.records[index], _source(batch, index, name))


def _at(reader: LinkReader, batch: Batch, index: int, name: str) -> Source:
    return Source(reader.record_id(batch.records[index]), _source(batch, index, name))


def _source(batch: Batch, index: int, name: str) -> str:
    """Return where a record stands, without making its key."""
    position = batch.position(index)
    return f"{name}:{position}" if position else name


def batches(path: str, miss: Callable[[Unreadable], object] = lambda item: None) -> Iterator[tuple[Batch, str]]:
    """Yield the records of a file, or of a history page by page; ``miss`` gets what can't be read of it.

    Raises:
        BrokenOffError: where a history ends early; what came before it was yielded.
    """
    if files.is_history(path):
        yield from _history(path, miss)
        return
    name = "stdin" if path == files.STANDARD_INPUT else files.printable_name(path)
    lines = delivery.Lines()
    for block in files.blocks(path):
        read: Callable[..., Iterator[Any]] = lines.read if block.is_lines else delivery.document
        for item in read(block.data, block.damage, block.detail):
            if isinstance(item, Batch):
                yield item, name
            elif isinstance(item, Unreadable):
                miss(item)


def _history(path: str, miss: Callable[[Unreadable], object]) -> Iterator[tuple[Batch, str]]:
    history = cloud.connect(path)
    for number, page in enumerate(history.pages(), 1):
        name = f"{history.name}#{number}"
        for item in delivery.document(page):
            if isinstance(item, Batch):
                yield item, name
            elif isinstance(item, Unreadable):
                miss(item)


def each(paths: Sequence[str], wanted: frozenset[str]) -> Iterator[tuple[str, Link]]:
    """Yield, in a second pass, every call of the sessions whose calls together have one of the ids ``wanted``."""
    for path in paths:
        for batch, name in batches(path):
            reader = reader_of(batch)
            issues = frozenset(reader.issues(batch.records))
            for index, (caller, time, _) in enumerate(reader.calls(batch.records)):
                if index in issues or not wanted.intersection(_ids(bytes(caller), time[:HOUR])):
                    continue
                link = _link(reader, batch, index, name)
                access_id = calls_id(bytes(caller), time[:HOUR] if link.began is None else None)
                if access_id in wanted:
                    yield access_id, link


@lru_cache(maxsize=_HELD)
def _ids(caller: bytes, hour: str) -> tuple[str, str]:
    return calls_id(caller, None), calls_id(caller, hour)
