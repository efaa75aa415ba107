"""What a delivery adds to the ledger, grouped as it is counted: units of records that share all but their ids.

The mass of calls inside sessions becomes one unit an hour for each who calls; crossings and findings keep each
record's own id. Units have an order that depends on the records alone and not on the policy, so that a delivery
that was half counted goes on where it stopped, even if the policy has changed in between.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct, field

from callerid.access import Kind, Occurrence, Scope
from callerid.envelope import Batch, Unreadable
from callerid.group import container, origin, who
from callerid.judgement import FINDINGS, Judgement, Verdict
from callerid.ledger.rows import Route, digest, owner_of
from callerid.trace.held import Held

UNDATED = "undated"
CALLS = (Kind.SESSION_USE, Kind.DELEGATED_USE, Kind.DIRECT_USE, Kind.KEY_USE)
"""Kinds of calls within a session, which makes thousands of them; every other kind makes a session or a token."""
_HOUR = len("2026-11-02T03")
_DAY = len("2026-11-02")


class Unit(Struct):
    """Records of one judgement in one hour."""

    judgement: Judgement
    hour: str
    """``2026-11-02T03``, or ``undated``."""
    region: str
    digest: str
    """Where the unit stands in the order of its delivery."""
    count: int = 0
    """Records without an id of their own."""
    first: str | None = None
    last: str | None = None
    singles: list[Occurrence] = field(default_factory=list)
    """Records that are counted by their id."""
    unreadable: list[tuple[str, str, str]] = field(default_factory=list)
    """Of what can't be read: source, reason and detail of each."""
    sessions: list[Held] = field(default_factory=list)
    """What its records say of sessions, which goes into the same write."""

    @property
    def day(self) -> str:
        """Return the day that it is counted on."""
        return self.hour if self.hour == UNDATED else self.hour[:_DAY]

    @property
    def route(self) -> Route:
        """Return what it is counted under."""
        return route_of(self.judgement)

    @property
    def is_finding(self) -> bool:
        """Tell what a person is told."""
        return self.judgement.verdict in FINDINGS

    def see(self, time: str | None) -> None:
        """Widen the span of times."""
        if time is not None:
            self.first = time if self.first is None or time < self.first else self.first
            self.last = time if self.last is None or time > self.last else self.last


def units(batch: Batch, judgements: Sequence[Judgement], name: str, *, by_id: bool) -> list[Unit]:
    """Return the units of a batch. ``by_id`` keeps an id of every record, also of ordinary calls."""
    found: dict[tuple[Judgement, str], Unit] = {}
    time_of, records = batch.reader.time, batch.records
    has_id: dict[Judgement, bool] = {}
    for index, judgement in enumerate(judgements):
        time = time_of(records[index])
        hour = time[:_HOUR] if time else UNDATED
        unit = found.get((judgement, hour))
        if unit is None:
            region = batch.occurrence(index, name).region or ""
            unit = found[judgement, hour] = Unit(judgement, hour, region, _digest(judgement, hour, region))
            has_id[judgement] = by_id or is_kept_by_id(judgement)
        unit.see(time)
        if has_id[judgement]:
            unit.singles.append(batch.occurrence(index, name))
        else:
            unit.count += 1
    return list(found.values())


def aside(items: Iterable[tuple[Unreadable, Judgement]], name: str) -> list[Unit]:
    """Return the units of what could not be read; each is counted by where it stands."""
    found = []
    for item, judgement in items:
        occurrence = item.occurrence(name)
        unit = Unit(judgement, UNDATED, "", digest("unreadable", occurrence.record_id), singles=[occurrence])
        unit.unreadable.append((occurrence.source, item.reason, judgement.detail or ""))
        found.append(unit)
    return found


def is_kept_by_id(judgement: Judgement) -> bool:
    """Tell a record whose id the ledger keeps: a crossing, or a finding."""
    access = judgement.access
    if judgement.verdict in FINDINGS:
        return True
    return access.kind is not None and access.kind not in CALLS and access.scope not in (Scope.NEVER, Scope.REQUIRED)


def route_of(judgement: Judgement) -> Route:
    """Return what an access is counted under: nothing but its log for what is not judged."""
    access = judgement.access
    place = (access.cloud or "", access.account or "")
    if judgement.verdict in (Verdict.OUT_OF_SCOPE, Verdict.UNREADABLE):
        return Route(*place, "", "", "", "", "")
    named = judgement.caller.name if judgement.caller else who(access)
    return Route(*place, *owner_of(judgement.caller), named, origin(access), container(access) or "")


def _digest(judgement: Judgement, hour: str, region: str) -> str:
    """Return the place in the order: of what the records show, never of what the policy says about it."""
    shown = msgspec.json.encode(judgement.access)
    return hashlib.sha256(b"%d:%s%s %s" % (len(shown), shown, hour.encode(), region.encode())).hexdigest()[:32]


def merged(units: Iterable[Unit]) -> list[Unit]:
    """Return units in the order of their delivery, each place once."""
    found: dict[str, Unit] = {}
    for unit in units:
        other = found.setdefault(unit.digest, unit)
        if other is not unit:
            other.count += unit.count
            other.singles += unit.singles
            other.sessions += unit.sessions
            other.see(unit.first)
            other.see(unit.last)
    return sorted(found.values(), key=lambda unit: unit.digest)
