"""The rows of what was counted, each with its key and how long it stays. All are JSON, so that a person can look.

What is told to people is in :mod:`callerid.ledger.alert`.

Each goes in the end, ids after :data:`IDS_KEPT`, all others after :data:`COUNTS_KEPT`. Times are seconds since 1970,
but those of records, which are RFC 3339 in UTC as everywhere.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import ClassVar, NamedTuple

from msgspec import Struct, field

from callerid.judgement import Owner, Verdict
from callerid.ledger.store import Key

DAY = 86_400
IDS_KEPT = 100 * DAY
"""Longer than anything redelivers: queues keep 14 days, dead-letter queues 14 more, Event history 90."""
COUNTS_KEPT = 400 * DAY
"""A year and the weeks that it is compared with."""


@lru_cache(maxsize=1 << 15)
def digest(*parts: str) -> str:
    """Return a short key of several texts. They are quoted before they are joined: no two lists share one."""
    return hashlib.sha256(ascii(tuple(map(str, parts))).encode()).hexdigest()[:32]


class Route(NamedTuple):
    """What is counted as one: a caller, from where, to what. Absent is empty."""

    cloud: str
    account: str
    caller: str
    """The entry's name where one matched."""
    owner: str
    who: str
    """The best name that the record itself gives."""
    origin: str
    target: str

    @property
    def sort(self) -> str:
        """Return the part of a key that is this route's."""
        return digest(*self)


class Hour(Struct, omit_defaults=True):
    """What was counted in one hour."""

    counts: dict[str, int] = field(default_factory=dict)
    """By ``VERDICT OUTCOME``: ``identified allowed``, say."""
    reasons: dict[str, int] = field(default_factory=dict)
    """By ``VERDICT CODE``: an unmet requirement that only warns leaves the verdict."""
    kinds: dict[str, int] = field(default_factory=dict)
    findings: dict[str, int] = field(default_factory=dict)
    """By ``VERDICT OUTCOME KEY``, the alert's."""
    drifts: dict[str, int] = field(default_factory=dict)
    """By ``CODE KEY``: sessions whose source identity is another along the chain. They stand beside the counts and
    are in none of them: the access that showed it keeps the verdict that it was counted with."""


class Count(Struct):
    """Accesses of one route on one day, by the records' time; one of several shards that add up.

    Kept by the hour, so that a week can begin at midnight wherever its readers are.
    """

    day: str
    """``2026-11-02`` in UTC, or ``undated``."""
    route: Route
    hours: dict[str, Hour] = field(default_factory=dict)
    """By ``00`` to ``23``; what is undated by an empty one."""
    first: str | None = None
    last: str | None = None

    @property
    def counts(self) -> Counter[str]:
        """Return the whole day's counts by ``VERDICT OUTCOME``."""
        return _summed(hour.counts for hour in self.hours.values())

    @property
    def reasons(self) -> Counter[str]:
        """Return the whole day's counts by the reasons' codes."""
        total: Counter[str] = Counter()
        for hour in self.hours.values():
            for word, number in hour.reasons.items():
                total[word.partition(" ")[2]] += number
        return total

    @property
    def kinds(self) -> Counter[str]:
        """Return the whole day's counts by kind."""
        return _summed(hour.kinds for hour in self.hours.values())

    @staticmethod
    def key(day: str, route: Route, shard: int) -> Key:
        """Return where it stands: the shards of a day are partitions of their own."""
        return Key(Count.partition(day, shard), route.sort)

    @staticmethod
    def partition(day: str, shard: int) -> str:
        """Return where all of a day's shard stand."""
        return f"count {day} {shard}"


def _summed(parts: Iterable[dict[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return total


class Seen(Struct):
    """When a route was first and last seen; written at most once for a day of records."""

    route: Route
    first: str
    last: str

    PARTITIONS: ClassVar = tuple(f"seen {digit}" for digit in "0123456789abcdef")
    """All of them: sixteen, so that none is hot."""

    @staticmethod
    def key(route: Route) -> Key:
        """Return where it stands."""
        sort = route.sort
        return Key(f"seen {sort[0]}", sort)


class Source(Struct):
    """In which hours of a day a log was heard: bit 0 is the hour from midnight UTC."""

    cloud: str
    account: str
    region: str
    day: str
    hours: int = 0
    last: str | None = None
    """The latest record's time, to five minutes."""

    @staticmethod
    def key(cloud: str, account: str, region: str, day: str) -> Key:
        """Return where it stands."""
        return Key(Source.partition(day), digest(cloud, account, region))

    @staticmethod
    def partition(day: str) -> str:
        """Return where all of a day stand."""
        return f"source {day}"


class Counted(Struct):
    """That an access was counted, and as what, so that a fuller copy can speak in its place."""

    record_id: str
    detail: int
    hour: str
    """``2026-11-02T03``, or ``undated``."""
    route: Route
    verdict: str
    outcome: str
    kind: str
    reasons: tuple[str, ...] = ()
    finding: str | None = None
    """The key of the alert that it was told in."""
    window: int = 0
    """Of that alert: what is learned of this access later says nothing of the windows that follow."""

    @staticmethod
    def key(access_id: str) -> Key:
        """Return where it stands: each in a partition of its own, spread over the whole table."""
        return Key(f"id {digest(access_id)}", "-")


class Marker(Struct):
    """How far a delivery of many records was counted, in the order of what its records show."""

    done: str
    """The last digest that was counted; ``~`` where all were."""
    begun: str = ""
    """The digest of which a part was counted, by its records' ids."""
    counted: int = 0
    """How many records of that: under another policy the rest may come as one number."""

    @staticmethod
    def key(delivery: str) -> Key:
        """Return where it stands."""
        return Key(f"marker {digest(delivery)}", "-")


class Aside(Struct):
    """Something that could not be read: where it is, and why."""

    source: str
    reason: str
    detail: str
    at: float

    @staticmethod
    def key(day: str, source: str, reason: str) -> Key:
        """Return where it stands."""
        return Key(Aside.partition(day), digest(source, reason))

    @staticmethod
    def partition(day: str) -> str:
        """Return where all that came on a day stand."""
        return f"aside {day}"


def owner_of(owner: Owner | None) -> tuple[str, str]:
    """Return name and owner of a caller, both empty where there is none."""
    return (owner.name, owner.owner) if owner else ("", "")


def tag(verdict: Verdict | str, outcome: str) -> str:
    """Return the word under which a count keeps a verdict and an outcome."""
    return f"{verdict} {outcome}"
