"""Units into the ledger: each record once, however often and in whatever order it is delivered.

One write holds the ids, the counters, the pending alert and how far the delivery is. What was written is never
written again; what was not is found missing when the delivery comes anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple
from zlib import crc32

from callerid import finding, moment
from callerid.access import Occurrence
from callerid.judgement import Verdict
from callerid.ledger.fold import Briefing, Events, fold, keys_of_finding, withdraw
from callerid.ledger.part import UNDATED, Unit, merged
from callerid.ledger.piece import Piece, chunks, halves
from callerid.ledger.rows import COUNTS_KEPT, IDS_KEPT, Aside, Count, Counted, Hour, Marker, Seen, Source, tag
from callerid.ledger.store import Key, Store
from callerid.ledger.traced import Traced
from callerid.ledger.work import TooManyError, Work, settle

_END = "~"
"""Sorts behind every digest."""
_HEARD_SECONDS = 300
"""How fine the ledger knows when a source was last heard; finer would write at every batch."""


class Recorded(NamedTuple):
    """What a delivery added: a record that was counted before adds nothing."""

    records: int = 0
    findings: int = 0


class Recorder:
    """Writes what was judged. ``brief`` says what a new alert tells beside the finding itself."""

    def __init__(self, store: Store, brief: Briefing, *, pause: Callable[[float], object] | None = None) -> None:
        self._store = store
        self._brief = brief
        self._pause = {"pause": pause} if pause else {}

    def record(self, units: Sequence[Unit], *, now: float, marker: str | None = None) -> Recorded:
        """Count units once. ``marker`` is the id of the delivery that they are the whole content of.

        Without a marker every record must have been kept by its id. ``now`` is the time of receipt in seconds
        since 1970.

        Raises:
            UnavailableError: nothing is lost; deliver again.
        """
        done = self._done(marker)
        ordered = [unit for unit in merged(units) if unit.digest > done]
        total = Recorded()
        written = list(chunks(ordered, self._store.most_writes))
        for index, chunk in enumerate(written):
            end = _END if index == len(written) - 1 else ""
            added = self._write(chunk, marker, end, now)
            total = Recorded(total.records + added.records, total.findings + added.findings)
        return total

    def _done(self, marker: str | None) -> str:
        if marker is None:
            return ""
        row = Work(self._store).get(Marker.key(marker), Marker)
        return row.done if row else ""

    def _write(self, pieces: Sequence[Piece], marker: str | None, end: str, now: float) -> Recorded:
        """Write pieces in one go, or, where they are too many rows, half by half."""
        try:
            return settle(lambda attempt: self._attempt(pieces, marker, end, now, attempt), **self._pause)
        except TooManyError:
            first, second = halves(pieces)
            added = self._write(first, marker, "", now)
            more = self._write(second, marker, end, now)
            return Recorded(added.records + more.records, added.findings + more.findings)

    def _attempt(self, pieces: Sequence[Piece], marker: str | None, end: str, now: float, attempt: int) -> Recorded:
        shard = (crc32((marker or _first_id(pieces)).encode()) + attempt) % self._store.shards
        work = Work(self._store, _keys(pieces, marker, shard))
        if marker is not None:
            pieces = _advance(work, Marker.key(marker), pieces, end, now)
        if any(piece.held.issues for piece in pieces):
            from callerid.ledger import sessions  # noqa: PLC0415  # most ledgers keep none

            sessions.keep_issues(work, pieces, now=now)
        step = _Step(work, self._brief, shard, now)
        row = work.get(Marker.key(marker), Marker) if marker is not None else None
        added = [step.add(piece, row.counted if row and row.begun == piece.unit.digest else 0) for piece in pieces]
        if marker is not None:
            _note_begun(work, Marker.key(marker), pieces, added, now)
        work.commit()
        return Recorded(sum(one.records for one in added), sum(one.findings for one in added))


class _Step:
    """One write: pieces added to the rows of one unit of work."""

    def __init__(self, work: Work, brief: Briefing, shard: int, now: float) -> None:
        self._work = work
        self._brief = brief
        self._shard = shard
        self._now = now

    def add(self, piece: Piece, counted: int = 0) -> Recorded:
        """Add a piece; ``counted`` records of its unit are counted by their ids already."""
        unit = piece.unit
        fresh = [occurrence for occurrence in piece.singles if self._is_fresh(piece, occurrence)]
        mass = max(unit.count - counted, 0) if piece.is_last else 0
        if not fresh and not mass:
            return Recorded(0, self._tell_drifts(piece, fresh)) if piece.is_ahead else Recorded()
        times = [occurrence.time for occurrence in fresh if occurrence.time]
        if mass:
            times += [time for time in (unit.first, unit.last) if time]
        self._count(unit, _counted(unit, ""), len(fresh) + mass, times)
        drifts = self._keep_sessions(piece, fresh) if piece.held else 0
        if fresh and unit.is_finding:
            window = self._tell(piece, fresh)
            for occurrence in fresh:
                self._note_window(occurrence, window)
        for source, reason, detail in unit.unreadable:
            row = Aside(source, reason, detail, self._now)
            self._work.put(Aside.key(moment.at(self._now)[:10], source, reason), row, expires=self._now + COUNTS_KEPT)
        return Recorded(len(fresh) + mass, drifts + (len(fresh) if unit.is_finding else 0))

    def _tell(self, piece: Piece, fresh: Sequence[Occurrence]) -> int:
        began: Sequence[Traced] = ()
        if piece.held:
            from callerid.ledger import chained  # noqa: PLC0415

            began = chained.began_with(self._work, piece.held, fresh)
        events = Events(fresh, began)
        return fold(self._work, piece.unit.judgement, events, self._brief, shard=self._shard, now=self._now)

    def _note_window(self, occurrence: Occurrence, window: int) -> None:
        row = self._work.get(Counted.key(occurrence.access_id), Counted)
        if row is not None:
            row.window = window

    def _keep_sessions(self, piece: Piece, fresh: Sequence[Occurrence]) -> int:
        from callerid.ledger import sessions  # noqa: PLC0415

        sessions.keep_calls(self._work, piece.held, fresh, shard=self._shard, now=self._now)
        return self._tell_drifts(piece, fresh)

    def _tell_drifts(self, piece: Piece, fresh: Sequence[Occurrence]) -> int:
        """Tell of each session whose source identity is another, and return how many they are.

        They are counted beside the accesses and not among them: the verdict of the call that showed it stands, and
        the verdicts add up to the records.
        """
        from callerid.ledger import chained  # noqa: PLC0415

        unit, told = piece.unit, 0
        for judgement, events in chained.drifted(self._work, piece, fresh, now=self._now):
            self._work.fetch(keys_of_finding(judgement, self._shard))
            fold(self._work, judgement, events, self._brief, shard=self._shard, now=self._now)
            number = len(events.occurrences)
            _, hour = self._hour(_counted(unit, ""))
            word = f"{finding.rule(judgement)} {finding.key(judgement)}"
            hour.drifts[word] = hour.drifts.get(word, 0) + number
            told += number
        return told

    def _is_fresh(self, piece: Piece, occurrence: Occurrence) -> bool:
        """Keep a record's id. Tell whether it counts as an access of its own."""
        unit, key = piece.unit, Counted.key(occurrence.access_id)
        prior = self._work.get(key, Counted)
        if prior is None:
            self._work.put(key, _counted(unit, occurrence.record_id), expires=self._now + IDS_KEPT)
            return True
        if prior.record_id != occurrence.record_id and finding.detail(unit.judgement.access) > prior.detail:
            self._speak(key, prior, piece, occurrence)
        return False

    def _speak(self, key: Key, prior: Counted, piece: Piece, occurrence: Occurrence) -> None:
        """Let a fuller copy of a counted access speak: its count moves, and so does what a person is told."""
        unit = piece.unit
        counted = _counted(unit, occurrence.record_id)
        if unit.is_finding and prior.finding is not None:
            counted.finding, counted.window = prior.finding, prior.window  # it is told already
        self._add(prior, -1)
        self._count(unit, counted, 1, [occurrence.time] if occurrence.time else [])
        if unit.is_finding and prior.finding is None:
            counted.window = self._tell(piece, [occurrence])
        elif not unit.is_finding and prior.finding is not None:
            withdraw(self._work, prior.finding, prior.window, shard=self._shard, now=self._now)
        self._work.put(key, counted, expires=self._now + IDS_KEPT)

    def _count(self, unit: Unit, counted: Counted, number: int, times: list[str]) -> None:
        verdict = unit.judgement.verdict
        count = self._add(counted, number)
        count.first = min(filter(None, (count.first, *times)), default=None)
        count.last = max(filter(None, (count.last, *times)), default=None)
        if unit.hour == UNDATED or verdict is Verdict.UNREADABLE:
            return
        self._hear(unit, times)
        if verdict is not Verdict.OUT_OF_SCOPE:
            self._see(unit, times)

    def _add(self, counted: Counted, number: int) -> Count:
        """Add to the count that an access belongs to, or, where ``number`` is negative, take away."""
        count, hour = self._hour(counted)
        for counts, words in (
            (hour.counts, (tag(counted.verdict, counted.outcome),)),
            (hour.kinds, (counted.kind,)),
            (hour.reasons, tuple(tag(counted.verdict, code) for code in counted.reasons)),
            (hour.findings, (f"{tag(counted.verdict, counted.outcome)} {counted.finding}",) if counted.finding else ()),
        ):
            for word in words:
                counts[word] = counts.get(word, 0) + number
        return count

    def _hour(self, counted: Counted) -> tuple[Count, Hour]:
        """Return the count that an access belongs to, and its hour, to be changed."""
        day, _, clock = counted.hour.partition("T")
        key = Count.key(day, counted.route, self._shard)
        count = self._work.get(key, Count) or Count(day, counted.route)
        self._work.put(key, count, expires=self._now + COUNTS_KEPT)
        return count, count.hours.setdefault(clock, Hour())

    def _see(self, unit: Unit, times: list[str]) -> None:
        """Note when a route was first and last seen, once for a day."""
        key = Seen.key(unit.route)
        seen = self._work.get(key, Seen)
        first, last = min(times), max(times)
        if seen is None:
            self._work.put(key, Seen(unit.route, first, last), expires=self._now + COUNTS_KEPT)
        elif first < seen.first or last[:10] > seen.last[:10]:
            seen.first, seen.last = min(first, seen.first), max(last, seen.last)
            self._work.put(key, seen, expires=self._now + COUNTS_KEPT)

    def _hear(self, unit: Unit, times: list[str]) -> None:
        """Note in which hour a log was heard."""
        access = unit.judgement.access
        place = (access.cloud or "", access.account or "", unit.region, unit.day)
        key = Source.key(*place)
        source = self._work.get(key, Source) or Source(*place)
        hours, last = source.hours | 1 << int(unit.hour[11:13]), max(times)
        if hours != source.hours or source.last is None or _is_later(last, source.last):
            source.hours, source.last = hours, max(last, source.last or "")
            self._work.put(key, source, expires=self._now + COUNTS_KEPT)


def _first_id(pieces: Sequence[Piece]) -> str:
    """Return an id by which deliveries without a marker spread over the shards."""
    return next((occurrence.record_id for piece in pieces for occurrence in piece.singles), "")


def _advance(work: Work, key: Key, pieces: Sequence[Piece], end: str, now: float) -> Sequence[Piece]:
    """Move the marker, and return what is still to be written: somebody else may count the same delivery."""
    row = work.get(key, Marker) or Marker("")
    done = end or max((piece.unit.digest for piece in pieces if piece.is_last), default="")
    if done > row.done:
        work.put(key, Marker(done, row.begun, row.counted), expires=now + IDS_KEPT)
    return [piece for piece in pieces if piece.unit.digest > row.done]


def _note_begun(work: Work, key: Key, pieces: Sequence[Piece], added: Sequence[Recorded], now: float) -> None:
    """Note how many records of a unit are counted that is not complete: the last piece's, which others may follow."""
    last = pieces[-1] if pieces else None
    if last is None or last.is_last or not last.singles:
        return
    row = work.get(key, Marker) or Marker("")
    same = [one.records for piece, one in zip(pieces, added, strict=True) if piece.unit.digest == last.unit.digest]
    row.counted = sum(same) + (row.counted if row.begun == last.unit.digest else 0)
    row.begun = last.unit.digest
    work.put(key, row, expires=now + IDS_KEPT)


def _counted(unit: Unit, record_id: str) -> Counted:
    """Return what an access of a unit is counted as."""
    judgement = unit.judgement
    return Counted(
        record_id=record_id,
        detail=finding.detail(judgement.access),
        hour=unit.hour,
        route=unit.route,
        verdict=judgement.verdict,
        outcome=judgement.access.outcome,
        kind=judgement.access.kind or "",
        reasons=judgement.reasons,
        finding=finding.key(judgement) if unit.is_finding else None,
    )


def _is_later(time: str, heard: str) -> bool:
    return moment.epoch(time) - moment.epoch(heard) >= _HEARD_SECONDS


def _keys(pieces: Sequence[Piece], marker: str | None, shard: int) -> Iterator[Key]:
    """Yield the rows that pieces touch, to be read together."""
    if marker is not None:
        yield Marker.key(marker)
    for unit, singles, _, held in pieces:
        yield from (Counted.key(occurrence.access_id) for occurrence in singles)
        yield Count.key(unit.day, unit.route, shard)
        if unit.hour != UNDATED and unit.judgement.verdict is not Verdict.UNREADABLE:
            access = unit.judgement.access
            yield Source.key(access.cloud or "", access.account or "", unit.region, unit.day)
            if unit.judgement.verdict is not Verdict.OUT_OF_SCOPE:
                yield Seen.key(unit.route)
        if held:
            from callerid.ledger import sessions  # noqa: PLC0415

            yield from sessions.keys(held, shard)
        if unit.is_finding:
            yield from keys_of_finding(unit.judgement, shard)
