"""The ledger's index of sessions: what issued each, what each went on to do, kept as long as a session can live.

Written in the same transaction as the record itself, or, of more than one holds, before it: a session is there where
its record was counted, and once. A row stands where a trace or the next record looks for it: a key's session under the
key, all else under a mark and in the order of time. A session's own row also says who its chain began with, as far as
that was known when it was written: whoever asks about one record asks once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from callerid import moment
from callerid.access import Occurrence, Outcome
from callerid.envelope import Batch
from callerid.judgement import Judgement
from callerid.ledger.part import UNDATED, Unit
from callerid.ledger.piece import Piece, sessions_at_once
from callerid.ledger.rows import digest
from callerid.ledger.store import Key, Store
from callerid.ledger.traced import Traced
from callerid.ledger.work import Work
from callerid.trace.chain import Span, whole
from callerid.trace.held import Held
from callerid.trace.link import Basis, Link, Mark, Sign, basis, fits, together
from callerid.trace.query import Query
from callerid.trace.read import HOUR, calls_id, reader_of

_HOUR_S = 3600
_ROLE_S = 12 * _HOUR_S
LAG_S = 24 * _HOUR_S
"""How late a record may come: as long as EventBridge and Eventarc try again."""
_ISSUES_HELD = 4
"""Issues of one access key's id, which is used again, though years apart; copies of one call are among them."""
_USES_HELD = 48
"""Sessions, or hours of calls, under one mark: two days of an account's."""
_POINTERS = 20
"""From how many marks one issue is pointed to. A token asked for through more accounts than that is nobody's habit."""
_TIME = len("2026-11-02T03:04:05")


class Issued(Struct, frozen=True, omit_defaults=True):
    """A call that issued credentials."""

    link: Link
    traced: Traced | None = None
    told: tuple[str, ...] = ()
    """The drifts of the session that were told, by their codes: each is told once, however many calls show it."""


class Session(Struct, omit_defaults=True):
    """What stands under one access key's id, or under one issue that shows no key."""

    issued: tuple[Issued, ...] = ()
    """The latest first: ids of keys are used again."""


class Calls(Struct, omit_defaults=True):
    """What was done with a session; one of several shards that add up, for a busy session must be no hot row."""

    used: tuple[Link, ...] = ()
    """Calls together, of each session, or of each hour, one."""


class Pointer(Struct):
    """Where the session stands that bears a mark."""

    at: str


def attach(units: Sequence[Unit], batch: Batch, judgements: Sequence[Judgement], name: str) -> None:
    """Give each unit of a batch the links of its records; ``units`` are those of the same judgements."""
    reader, time_of, records = reader_of(batch), batch.reader.time, batch.records
    places = {(id(unit.judgement), unit.hour): _Place(unit) for unit in units}
    issues = frozenset(reader.issues(records))
    for index, (caller, _, service) in enumerate(reader.calls(records)):
        time = time_of(records[index])
        place = places[id(judgements[index]), time[:HOUR] if time else UNDATED]
        if index in issues or place.is_by_id:
            occurrence = batch.occurrence(index, name)
            link = reader.link(records[index], occurrence.source)
            place.one(occurrence.record_id, link if index in issues else _called(link, bytes(caller), service))
        elif not place.count(bytes(caller), service, time):
            place.begin(bytes(caller), service, reader.link(records[index], batch.occurrence(index, name).source))
    for place in places.values():
        place.finish()


class _Place:
    """One unit while the links of its records are gathered."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._held = Held()
        self._calls: dict[bytes, tuple[Link, dict[str, int], list[str]] | None] = {}
        self.is_by_id = bool(unit.singles)

    def one(self, record_id: str, link: Link) -> None:
        if link.is_issue or not link.calls:
            self._held.issues[record_id] = link
        elif _is_of_session(link):
            self._held.singles[record_id] = link

    def count(self, caller: bytes, service: str, time: str | None) -> bool:
        """Count a call of a caller that is known already."""
        known = self._calls.get(caller)
        if known is not None:
            _, services, times = known
            services[service] = services.get(service, 0) + 1
            if time is not None:
                times[:] = (min(times[0], time), max(times[1], time)) if times else (time, time)
        return caller in self._calls

    def begin(self, caller: bytes, service: str, link: Link) -> None:
        times = [link.time, link.time] if link.time else []
        self._calls[caller] = (link, {service: 1}, times) if _is_of_session(link) else None

    def finish(self) -> None:
        for caller, known in self._calls.items():
            if known is not None:
                link, services, times = known
                own = _called(link, caller, "")
                first, last = times or (None, None)
                own = replace(own, time=first, last=last, calls=tuple(sorted(services.items())))
                self._held.calls[own.access_id] = own
        if self._held.issues or self._held.singles or self._held.calls:
            self._unit.sessions.append(self._held)


def _is_of_session(link: Link) -> bool:
    """Tell a call that was made with something issued; the key of a user is for good, and begins every chain."""
    return bool(link.uses) and not link.uses[0].value.startswith("AKIA")


def _called(link: Link, caller: bytes, service: str) -> Link:
    """Return a call as one of its session's."""
    hour = (link.time or "")[:HOUR] if link.began is None else None
    own = {"call": "", "service": "", "account": None, "outcome": Outcome.ALLOWED}
    return replace(link, access_id=calls_id(caller, hour), last=link.time, calls=((service, 1),), **own)


def keys(held: Held, shard: int) -> Iterator[Key]:
    """Yield the rows that are read or written of sessions, to be read together with what counts their records."""
    for link in held.issues.values():
        yield _issue_row(link)
        yield from _pointers(link)
        yield from (_row_of(mark) for mark in _of_key(link.uses))
    for link in (*held.singles.values(), *held.calls.values()):
        yield _calls_row(link.uses[0], shard)
        yield from (_row_of(mark) for mark in _of_key(link.uses))


def keep_issues(work: Work, pieces: Iterable[Piece], *, now: float) -> None:
    """Add the issues of pieces to the sessions, all that go into one write at once.

    In order of time, for the order of units says nothing: who uses what was issued finds it. Both copies of a call are
    kept, though it counts once, for each shows what the other leaves out; what is known is not written again.
    """
    found = [
        (link, piece.unit.judgement.caller.name if piece.unit.judgement.caller else "")
        for piece in pieces
        for link in piece.held.issues.values()
    ]
    for link, caller in sorted(found, key=lambda pair: (pair[0].time or "", pair[0].record_id)):
        _keep_issue(work, link, caller, now)


def keep_calls(work: Work, held: Held, fresh: Iterable[Occurrence], *, shard: int, now: float) -> None:
    """Add calls to the sessions that they were made in, in the unit of work that counts them.

    ``fresh`` are the records that were not counted before. Sessions' calls beyond a sixth of what one write may hold
    are not kept: those of the most calls are.
    """
    calls: dict[str, list[Link]] = {}
    for link in new_calls(held, fresh):
        calls.setdefault(link.access_id, []).append(link)
    sums = sorted(
        map(together, calls.values()), key=lambda link: (-sum(count for _, count in link.calls), link.access_id)
    )
    for link in sums[: sessions_at_once(work.most_writes)]:
        _keep_calls(work, link, shard, now)


def new_calls(held: Held, fresh: Iterable[Occurrence]) -> list[Link]:
    """Return the sessions' calls that were not counted before, as :func:`keep_calls` is told."""
    ids = {occurrence.record_id for occurrence in fresh}
    return [*(link for record_id, link in held.singles.items() if record_id in ids), *held.calls.values()]


def _keep_issue(work: Work, link: Link, caller: str, now: float) -> None:
    place = _issue_row(link)
    known = work.get(place, Session) or Session()
    trace = _trace(work, link, caller)
    same = [one for one in known.issued if (one.link.record_id, one.link.time) == (link.record_id, link.time)]
    if same and (trace is None or same[0].traced is not None):
        return
    others = [one for one in known.issued if one not in same]
    row = Issued(link, trace, same[0].told if same else ())
    known.issued = tuple(sorted((row, *others), key=_latest, reverse=True)[:_ISSUES_HELD])
    expires = _expires(known, now)
    work.put(place, known, expires=expires)
    for key in _pointers(link):
        work.put(key, Pointer(place.partition), expires=expires)


def _expires(session: Session, now: float) -> float:
    """Return when no session of a key can live any more, nor a record of it come late."""
    return now + max(_HOUR_S, *(one.link.lasts_s for one in session.issued)) + LAG_S


def note_told(work: Work, link: Link, code: str, now: float) -> None:
    """Note that a drift of the session that a call was made with is told."""
    issued = made_with(work, link)
    for mark in _of_key(link.uses)[:1]:
        known = work.get(_row_of(mark), Session)
        if known is not None:
            known.issued = tuple(replace(one, told=(*one.told, code)) if one in issued else one for one in known.issued)
            work.put(_row_of(mark), known, expires=_expires(known, now))


def _latest(issued: Issued) -> tuple[str, str]:
    return issued.link.time or "", issued.link.record_id


def _trace(work: Work, link: Link, caller: str) -> Traced | None:
    """Return who a new session began with: whoever the session began with that it was asked for by.

    One that is known by its own record alone is the beginning itself. Only an access key's id is looked for: it is
    the one identifier that is exact and costs no further question.
    """
    if made_with(work, link):
        return traced_of(work, link)
    if link.origin is None or not link.origin.is_end:
        return None
    return Traced(link.origin, link.origin.basis, caller, link.record_id)


def _keep_calls(work: Work, link: Link, shard: int, now: float) -> None:
    place = _calls_row(link.uses[0], shard)
    known = work.get(place, Calls) or Calls()
    same = [one for one in known.used if one.access_id == link.access_id]
    others = [one for one in known.used if one.access_id != link.access_id]
    latest = sorted((together((*same, link)), *others), key=lambda one: (one.last or "", one.access_id), reverse=True)
    known.used = tuple(latest[:_USES_HELD])
    work.put(place, known, expires=now + _ROLE_S + LAG_S)


def _issue_row(link: Link) -> Key:
    """Return where an issue stands: under the key that it issued, else under its own id."""
    marks = _of_key(link.makes)
    return _row_of(marks[0]) if marks else Key(f"session {digest('link', link.record_id)}", "-")


def _calls_row(mark: Mark, shard: int) -> Key:
    """Return where the calls stand that were made with what bears a mark."""
    return Key(f"calls {digest(*mark)} {shard}", "-")


def _row_of(mark: Mark) -> Key:
    """Return where the sessions of an access key's id stand."""
    return Key(f"session {digest(*mark)}", "-")


def _pointers(link: Link) -> list[Key]:
    """Return where an issue is pointed to from. Those of services for themselves are the mass, and only led to."""
    marks = [mark for mark in link.makes if mark.sign is not Sign.KEY]
    if link.origin is not None and link.origin.what == "AWS service":
        return [_pointer("link", mark, link) for mark in marks if mark.sign is not Sign.ROLE]
    if link.makes and link.access_id != link.record_id:
        marks.append(Mark(Sign.EVENT, link.access_id))
    if link.origin is not None and link.origin.is_end:
        marks.append(Mark(Sign.NAME, link.origin.name))
    marks.append(Mark(Sign.RECORD, link.record_id.rpartition("/")[2]))  # Google's insert id is the end of a key
    used = [_pointer("used", mark, link) for mark in link.uses[:1]]
    return [_pointer("link", mark, link) for mark in marks[-_POINTERS:]] + used


def _pointer(side: str, mark: Mark, link: Link) -> Key:
    return Key(f"{side} {digest(*mark)}", f"{(link.time or '-')[:_TIME]} {digest(link.record_id)}")


def _of_key(marks: Iterable[Mark]) -> list[Mark]:
    return [mark for mark in marks if mark.sign is Sign.KEY]


class Sessions:
    """The sessions of a ledger, as a trace asks for them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def issues(self, mark: Mark, span: Span, /) -> Iterator[Link]:
        """Return the calls of a time that issued what bears the mark; of a shared event every copy."""
        places = [_row_of(mark)] if mark.sign is Sign.KEY else self._pointed("link", mark, span)
        for session in self._read(places):
            yield from (one.link for one in session.issued if _bears(one.link, mark))

    def uses(self, mark: Mark, span: Span, /) -> Iterator[Link]:
        """Return the calls of a time, or sessions' calls together, that were made with what bears the mark."""
        for session in self._read(self._pointed("used", mark, span)):
            yield from (one.link for one in session.issued if mark in one.link.uses)
        rows = self._store.read([_calls_row(mark, shard) for shard in range(self._store.shards)])
        for stored in rows.values():
            yield from msgspec.json.decode(stored.data, type=Calls).used

    def _pointed(self, side: str, mark: Mark, span: Span) -> list[Key]:
        first, last = span
        found = []
        for sort, stored in self._store.list(f"{side} {digest(*mark)}", after=first[:HOUR] if first else ""):
            if last is not None and sort[:_TIME] > last:
                break
            found.append(Key(msgspec.json.decode(stored.data, type=Pointer).at, "-"))
        return found

    def _read(self, places: Iterable[Key]) -> Iterator[Session]:
        wanted = list(dict.fromkeys(places))
        rows = self._store.read(wanted) if wanted else {}
        return (msgspec.json.decode(rows[key].data, type=Session) for key in wanted if key in rows)

    def asked(self, query: Query) -> list[Link]:
        """Return the links that a query names: issues, and sessions' calls."""
        span = (query.since and _earlier(query.since), query.until)
        records = {Mark(Sign.RECORD, text.rpartition("/")[2]) for text in query.records}
        every = sorted({*query.marks, *records})
        found = [link for mark in every for link in (*self.issues(mark, span), *self.uses(mark, span))]
        return [link for link in whole(found, self) if query.wants(link)]


def _bears(link: Link, mark: Mark) -> bool:
    return mark.sign in (Sign.EVENT, Sign.RECORD, Sign.NAME) or mark in link.makes


def _earlier(time: str) -> str:
    """Return a time by as much earlier as a session that reaches into it can have begun."""
    return moment.at(max(0.0, moment.epoch(time) - _ROLE_S))


def traced_of(work: Work, link: Link) -> Traced | None:
    """Return who the session of a call began with; None where that is not certain.

    Of a unit whose :func:`keys` were read it asks nothing more.
    """
    return next((one.traced for one in made_with(work, link) if one.traced), None)


def made_with(work: Work, link: Link) -> tuple[Issued, ...]:
    """Return the one issue of the key that a call was made with, in each copy that is known of it.

    Nothing where none is known, where several fit, or where no time says that it is this one: a key's id may be one
    that was used before.
    """
    for mark in _of_key(link.uses)[:1]:
        known = work.get(_row_of(mark), Session)
        found = tuple(one for one in known.issued if fits(link, one.link, mark)) if known else ()
        is_one = len({one.link.access_id for one in found}) == 1
        return found if is_one and basis(link, mark, 1) is Basis.ATTESTED else ()
    return ()
