"""Files in, a tally out: what ``callerid scan`` does, without a terminal.

One file is read at a time, so memory follows the largest file and not their number. With several processes
each takes whole files; their tallies add up to the same totals in whatever order they end.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol, assert_never

import msgspec
from msgspec import Struct, field

from callerid import delivery
from callerid.access import Occurrence
from callerid.engine import Engine, unreadable
from callerid.envelope import Batch, Item, PassedOver, Unreadable
from callerid.group import Group, group_of
from callerid.judgement import FINDINGS, Judgement, Severity, Verdict, line
from callerid.ledger import part as parts
from callerid.ledger.part import Unit
from callerid.names.printable import inert
from callerid.policy.book import Book
from callerid.sources import files

UNREADABLE_KEPT = 1000
"""How many unreadable records a tally names; all are counted."""


class Row(Struct):
    """How often accesses of one group occurred, and when. Times are RFC 3339 in UTC."""

    count: int = 0
    first: str | None = None
    last: str | None = None

    def see(self, time: str | None) -> None:
        """Add one access."""
        self.count += 1
        if time is None:
            return
        if self.first is None or time < self.first:
            self.first = time
        if self.last is None or time > self.last:
            self.last = time

    def add(self, count: int, first: str | None, last: str | None) -> None:
        """Add accesses to the row; a time that is None says nothing."""
        self.count += count
        self.first = min(filter(None, (self.first, first)), default=None)
        self.last = max(filter(None, (self.last, last)), default=None)


class UnreadableRecord(Struct, frozen=True):
    """Something that could not be read: file and position, the reason's code, what was expected."""

    source: str
    reason: str
    error: str | None


class Tally(Struct):
    """What a scan saw. The verdicts' counts add up to the records."""

    files: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    severities: Counter[Severity] = field(default_factory=Counter)
    """How many findings there are of each severity."""
    passed_over: Counter[str] = field(default_factory=Counter)
    rows: dict[Group, Row] = field(default_factory=dict)
    """Those of a table; none where it is not wanted."""
    unreadable: list[UnreadableRecord] = field(default_factory=list)
    broken_off: list[str] = field(default_factory=list)
    """Of histories that could not be read to their end: why, and how to go on."""

    @property
    def records(self) -> int:
        """Return how many records were judged or found unreadable."""
        return self.verdicts.total()

    def row(self, judgement: Judgement) -> Row:
        """Return the row that a judgement's accesses are counted in."""
        group = group_of(judgement)
        row = self.rows.get(group)
        if row is None:
            row = self.rows[group] = Row()
        return row

    def merge(self, other: Tally) -> None:
        """Add another tally's counts to this one."""
        self.files += other.files
        self.verdicts += other.verdicts
        self.severities += other.severities
        self.passed_over += other.passed_over
        for group, row in other.rows.items():
            self.rows.setdefault(group, Row()).add(row.count, row.first, row.last)
        self.unreadable += other.unreadable[: UNREADABLE_KEPT - len(self.unreadable)]
        self.broken_off += other.broken_off


class LostError(Exception):
    """A process of the scan was ended from outside, and what it read with it."""


class Select(msgspec.Struct, frozen=True):
    """What is wanted beside the counts: judgements one by one, and the rows of a table."""

    findings: bool = False
    every: bool = False
    groups: bool = True


Emit = Callable[[bytes], object]


class Keep(Protocol):
    """Where a scan's units go, if they go anywhere: the ledger."""

    @property
    def sessions(self) -> bool:
        """Return whether it also keeps sessions, which a trace walks along."""

    def __call__(self, units: Sequence[Unit], marker: str | None, /) -> object:
        """Keep the units of one block; ``marker`` is the digest of its content, None where each record has its id."""


class Scanner:
    """Scans one file after another with one engine, whose memo goes from file to file."""

    def __init__(self, book: Book | None, select: Select, keep: Keep | None = None) -> None:
        self._engine = Engine(book)
        self._policy = book.digest if book else None
        self._select = select
        self._keep = keep
        self._units: list[Unit] = []
        """Of the block that is being read, where they are kept."""
        self._encode = msgspec.json.Encoder().encode

    def scan(self, path: str, emit: Emit) -> Tally:
        """Return the tally of one file; ``emit`` gets each wanted judgement as a line of JSON."""
        if files.is_history(path):
            return self._history(path, emit)
        tally = Tally(files=1)
        name = "stdin" if path == files.STANDARD_INPUT else files.printable_name(path)
        lines = delivery.Lines()
        for block in files.blocks(path):
            read = lines.read if block.is_lines else delivery.document
            self._items(tally, read(block.data, block.damage, block.detail), name, emit)
            if self._keep is not None:
                self._keep(self._units, _content(block, name))
                self._units = []
        return tally

    def _history(self, path: str, emit: Emit) -> Tally:
        """Read what a cloud keeps. Its pages fall otherwise each time, so that every record is kept by its id."""
        from callerid.sources import cloud  # noqa: PLC0415  # the clients of Google Cloud

        tally = Tally(files=1)
        try:
            history = cloud.connect(path)
        except cloud.BrokenOffError as error:
            tally.broken_off.append(str(error))
            return tally
        try:
            for number, page in enumerate(history.pages(), 1):
                self._items(tally, delivery.document(page), f"{history.name}#{number}", emit, by_id=True)
                if self._keep is not None:
                    self._keep(self._units, None)
                    self._units = []
        except cloud.BrokenOffError as error:
            tally.broken_off.append(str(error))
        except BaseException as error:  # also a person's Ctrl-C
            error.add_note(f"{history.name}: {history.resume}")
            raise
        return tally

    def _items(self, tally: Tally, items: Iterable[Item], name: str, emit: Emit, *, by_id: bool = False) -> None:
        for item in items:
            match item:
                case Batch():
                    self._batch(tally, item, name, emit, by_id=by_id)
                case Unreadable():
                    self._unreadable(tally, item, name, emit)
                case PassedOver():
                    tally.passed_over[item.what] += 1
                case _:
                    assert_never(item)

    def _batch(self, tally: Tally, batch: Batch, name: str, emit: Emit, *, by_id: bool) -> None:
        judgements = self._engine.judge(batch)
        findings = _count(tally, judgements)
        if self._select.groups:
            _group(tally, batch, judgements)
        if self._keep is not None:
            units = parts.units(batch, judgements, name, by_id=by_id)
            if self._keep.sessions:
                from callerid.ledger import sessions  # noqa: PLC0415  # most ledgers keep none

                sessions.attach(units, batch, judgements, name)
            self._units += units
        wanted = range(len(judgements)) if self._select.every else findings if self._select.findings else ()
        for index in wanted:
            self._emit(judgements[index], batch.occurrence(index, name), emit)

    def _unreadable(self, tally: Tally, item: Unreadable, name: str, emit: Emit) -> None:
        judgement, occurrence = unreadable(item), item.occurrence(name)
        tally.verdicts[Verdict.UNREADABLE] += 1
        if len(tally.unreadable) < UNREADABLE_KEPT:
            tally.unreadable.append(UnreadableRecord(occurrence.source, item.reason, judgement.detail))
        if self._keep is not None:
            self._units += parts.aside([(item, judgement)], name)
        if self._select.every:
            self._emit(judgement, occurrence, emit)

    def _emit(self, judgement: Judgement, occurrence: Occurrence, emit: Emit) -> None:
        emit(inert(self._encode(line(judgement, occurrence, self._policy))) + b"\n")


def _content(block: files.Block, name: str) -> str:
    """Return what a block is known by wherever it lies; one without content only by its name."""
    return files.content_of(block) + ("" if block.data else f" {name}")


def _count(tally: Tally, judgements: Sequence[Judgement]) -> list[int]:
    """Add judgements to the tally's counts. Return the places of the findings among them."""
    findings = set()
    for judgement, count in Counter(judgements).items():  # few differ, and to count the same is quick
        tally.verdicts[judgement.verdict] += count
        if judgement.verdict in FINDINGS:
            tally.severities[judgement.severity] += count
            findings.add(judgement)
    return [index for index, judgement in enumerate(judgements) if judgement in findings] if findings else []


def _group(tally: Tally, batch: Batch, judgements: Sequence[Judgement]) -> None:
    """Add a batch's judged accesses to the tally's rows."""
    rows: dict[Judgement, Row] = {}
    for record, judgement in zip(batch.records, judgements, strict=True):
        if judgement.verdict is Verdict.OUT_OF_SCOPE:
            continue
        row = rows.get(judgement)
        if row is None:
            row = rows[judgement] = tally.row(judgement)
        row.see(batch.reader.time(record))


def scan(
    paths: Sequence[str],
    book: Book | None,
    *,
    select: Select,
    emit: Emit,
    jobs: int = 1,
    keeper: Callable[[], Keep] | None = None,
    done: Callable[[str], object] = lambda path: None,
) -> Tally:
    """Return the tally of all files. ``emit`` gets the wanted judgements in the order of the files.

    ``keeper`` makes, in each process, what keeps the units. ``done`` is called with each file as its results are
    in. Where nobody wants the judgements one by one, the largest files go first, so that no process is left alone
    with one.
    """
    paths = list(paths)
    if not (select.findings or select.every):
        paths.sort(key=files.size_of, reverse=True)
    tally = Tally()
    if jobs > 1 and len(paths) > 1 and files.STANDARD_INPUT not in paths and not any(map(files.is_history, paths)):
        for path, part, lines in _in_processes(paths, book, select, keeper, min(jobs, len(paths))):
            tally.merge(part)
            emit(lines)
            done(path)
        return tally
    scanner = Scanner(book, select, keeper() if keeper else None)
    for path in paths:
        tally.merge(scanner.scan(path, emit))
        done(path)
    return tally


_AHEAD = 4
"""Files that each process may be ahead of the one whose results are awaited; bounds what waits in memory."""
_worker: list[Scanner] = []


def _in_processes(
    paths: Sequence[str], book: Book | None, select: Select, keeper: Callable[[], Keep] | None, jobs: int
) -> Iterator[tuple[str, Tally, bytes]]:
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415  # costs a fifth of a small scan's start
    from concurrent.futures.process import BrokenProcessPool  # noqa: PLC0415

    with ProcessPoolExecutor(jobs, initializer=_start, initargs=(book, select, keeper)) as pool:
        rest = iter(paths)
        waiting = deque((path, pool.submit(_work, path)) for path in islice(rest, jobs * _AHEAD))
        while waiting:
            path, future = waiting.popleft()
            try:
                part, lines = future.result()
            except BrokenProcessPool as error:
                why = "a process was ended from outside, as one is where memory runs out"
                raise LostError(f"{path}: {why}; what came before is not the whole. Try fewer --jobs") from error
            waiting.extend((following, pool.submit(_work, following)) for following in islice(rest, 1))
            yield path, part, lines


def _start(book: Book | None, select: Select, keeper: Callable[[], Keep] | None) -> None:
    files.settle_memory()
    _worker.append(Scanner(book, select, keeper() if keeper else None))


def _work(path: str) -> tuple[Tally, bytes]:
    lines = bytearray()
    return _worker[0].scan(path, lines.extend), bytes(lines)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
