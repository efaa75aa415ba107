"""What the ledger knows about a period, as one value: the report is drawn from this alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import NamedTuple, TypeVar

import msgspec
from msgspec import Struct, field

from callerid.access import Cloud
from callerid.judgement import JUDGED, WITH_A_NAME, Severity, Verdict
from callerid.ledger import ask
from callerid.ledger.outbox import Counts
from callerid.ledger.part import CALLS, UNDATED
from callerid.ledger.rows import Aside, Count, Route, Seen, Source
from callerid.ledger.store import Store
from callerid.policy.book import Book

DAYS_SHOWN = 91
"""Of a ledger, where no first day is asked for: thirteen weeks, a quarter."""
MOST_DAYS = 400
"""What the ledger keeps counts for; also what a log with absurd dates can stretch a period to."""
HOURS = 24

T = TypeVar("T", bound=Struct)


class Share(NamedTuple):
    """How many of the judged accesses had a name."""

    named: int = 0
    judged: int = 0

    def __add__(self, other: object) -> Share:
        if not isinstance(other, Share):
            return NotImplemented
        return Share(self.named + other.named, self.judged + other.judged)


class Flow(Struct):
    """All accesses of one route in the period."""

    route: Route
    counts: Counter[str] = field(default_factory=Counter)
    """By ``VERDICT OUTCOME``, as the ledger keeps them."""
    kinds: Counter[str] = field(default_factory=Counter)
    first: str | None = None
    last: str | None = None

    @property
    def total(self) -> int:
        """Return how many accesses these are."""
        return self.counts.total()

    @property
    def sessions(self) -> int:
        """Return how many of them are crossings: each made a session or a token."""
        return sum(number for kind, number in self.kinds.items() if kind not in CALLS)

    def verdict(self, verdict: Verdict) -> int:
        """Return how many accesses ended in a verdict, allowed and denied."""
        return of_verdict(self.counts, verdict)

    @property
    def findings(self) -> int:
        """Return how many accesses are worth telling a person."""
        return self.verdict(Verdict.ANONYMOUS) + self.verdict(Verdict.UNEXPECTED)

    @property
    def denied(self) -> int:
        """Return how many the cloud denied."""
        return sum(number for tag, number in self.counts.items() if tag.endswith(" denied"))


class Heard(Struct):
    """When one log was heard: the hours of each day, bit 0 the first."""

    cloud: str
    account: str
    region: str
    hours: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Return in how many hours of the period it was heard."""
        return sum(bits.bit_count() for bits in self.hours.values())


class Unseen(NamedTuple):
    """An entry of the caller book that nobody used in the period."""

    name: str
    owner: str


class Figures(Struct):
    """What is known about a period. Days are by the records' time, in UTC, all of them listed."""

    days: list[str] = field(default_factory=list)
    by_day: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    """By day and cloud: the accesses by ``VERDICT OUTCOME``. A day that is absent has none."""
    targets: dict[tuple[str, str], dict[str, Share]] = field(default_factory=dict)
    """By the cloud that logged it and target, and by day."""
    flows: list[Flow] = field(default_factory=list)
    """Of what was judged, the findings first, then the most frequent."""
    heard: list[Heard] = field(default_factory=list)
    findings: list[Counts] = field(default_factory=list)
    """The gravest first."""
    times: Counter[str] = field(default_factory=Counter)
    """How often each finding came in the period, by the alert's key."""
    undated: Counter[str] = field(default_factory=Counter)
    """Accesses whose records show no time: they belong to no day, and are in no other figure."""
    asides: list[Aside] = field(default_factory=list)
    """What could not be read and was received in the period, or until today."""
    unseen: list[Unseen] = field(default_factory=list)

    def counts(self, cloud: str | None = None, days: Sequence[str] | None = None) -> Counter[str]:
        """Return the accesses by ``VERDICT OUTCOME``, of one cloud or all, of some days or the period."""
        wanted = set(self.days if days is None else days)
        total: Counter[str] = Counter()
        for (day, one), counts in self.by_day.items():
            if day in wanted and cloud in (None, one):
                total.update(counts)
        return total

    def is_heard(self, cloud: str | None, days: Sequence[str]) -> bool:
        """Tell whether any log of a cloud, or of any, was heard on one of the days."""
        return any(day in source.hours for source in self.heard if cloud in (None, source.cloud) for day in days)

    @property
    def clouds(self) -> list[str]:
        """Return every cloud that this product reads: one that was not heard is told as such."""
        return [cloud.value for cloud in Cloud]


def of_verdict(counts: Counter[str], *verdicts: Verdict) -> int:
    """Return how many of the counted accesses ended in one of the verdicts."""
    return sum(number for tag, number in counts.items() if _verdict(tag) in verdicts)


def _verdict(tag: str) -> str:
    return tag.partition(" ")[0]


def share(counts: Counter[str]) -> Share:
    """Return how many had a name."""
    return Share(of_verdict(counts, *WITH_A_NAME), of_verdict(counts, *JUDGED))


def figures(store: Store, *, since: str | None, until: str, today: str, book: Book | None = None) -> Figures:
    """Return the figures of a ledger from ``since`` to ``until``, both days included.

    Without ``since`` the period is the last quarter, and begins no earlier than the ledger does. ``today`` is the
    last day on which anything can have been received.

    Raises:
        UnavailableError: where the ledger does not answer.
    """
    first = since or str(date.fromisoformat(until) - timedelta(DAYS_SHOWN - 1))
    found = Figures(days=days_between(first, until))
    flows: dict[Route, Flow] = {}
    heard: dict[tuple[str, str, str], Heard] = {}
    for day in found.days:
        _hear(heard, _rows(store, Source.partition(day), Source))
        for count in _counts(store, day):
            _count(found, flows, count)
    for count in _counts(store, UNDATED):
        found.undated.update(count.counts)
        found.times.update(_told(count))
    if since is None:
        found.days = _from_the_first_heard(found)
    _see(store, flows)
    found.flows = sorted((flow for flow in flows.values() if flow.total), key=_place)
    found.heard = [heard[place] for place in sorted(heard)]
    found.findings = _findings(store, found.times)
    found.asides = [row for day in days_between(first, max(until, today)) for row in _asides(store, day)]
    found.unseen = _unseen(found.flows, book)
    return found


def days_between(first: str, last: str) -> list[str]:
    """Return every day from the first to the last, of too many the last ones."""
    end = date.fromisoformat(last)
    number = min((end - date.fromisoformat(first)).days + 1, MOST_DAYS)
    return [str(end - timedelta(back)) for back in reversed(range(number))]


def _rows(store: Store, partition: str, kind: type[T]) -> Iterator[T]:
    decode = msgspec.json.Decoder(kind).decode
    return (decode(row.data) for _, row in store.list(partition))


def _counts(store: Store, day: str) -> Iterator[Count]:
    for shard in range(store.shards):
        yield from _rows(store, Count.partition(day, shard), Count)


def _count(found: Figures, flows: dict[Route, Flow], count: Count) -> None:
    """Add one row of the ledger. A shard alone may be below zero, of what moved to a fuller copy's route."""
    counts = Counter({tag: number for tag, number in count.counts.items() if number})
    if not counts:
        return
    found.by_day.setdefault((count.day, count.route.cloud), Counter()).update(counts)
    found.times.update(_told(count))
    route = count.route
    if not any(_verdict(tag) in JUDGED for tag in counts):
        return
    if route.target:
        by_day = found.targets.setdefault((route.cloud, route.target), {})
        by_day[count.day] = by_day.get(count.day, Share()) + share(counts)
    flow = flows.get(route)
    if flow is None:
        flow = flows[route] = Flow(route)
    flow.counts.update(counts)
    flow.kinds.update(count.kinds)
    _widen(flow, count.first, count.last)


def _widen(flow: Flow, first: str | None, last: str | None) -> None:
    flow.first = min(filter(None, (flow.first, first)), default=None)
    flow.last = max(filter(None, (flow.last, last)), default=None)


def _hear(heard: dict[tuple[str, str, str], Heard], sources: Iterator[Source]) -> None:
    for source in sources:
        place = (source.cloud, source.account, source.region)
        heard.setdefault(place, Heard(*place)).hours[source.day] = source.hours


def _from_the_first_heard(found: Figures) -> list[str]:
    """Return the days without those before the ledger began; all of them where it never did."""
    known = {day for day, _ in found.by_day}
    first = min(known, default=found.days[0])
    return [day for day in found.days if day >= first]


def _see(store: Store, flows: dict[Route, Flow]) -> None:
    """Widen first and last to when a route was ever seen, also outside of the period."""
    for partition in Seen.PARTITIONS:
        for seen in _rows(store, partition, Seen):
            if seen.route in flows:
                _widen(flows[seen.route], seen.first, seen.last)


def _place(flow: Flow) -> tuple[int, int, Route]:
    return (-flow.findings, -flow.total, flow.route)


def _told(count: Count) -> Counter[str]:
    """Return how often each finding came, by its alert's key."""
    total: Counter[str] = Counter()
    for hour in count.hours.values():
        for words, number in hour.findings.items():
            total[words.rpartition(" ")[2]] += number
    return total


def _findings(store: Store, times: Counter[str]) -> list[Counts]:
    """Return the findings that came within the period, or without a time.

    When they were received, by which the ledger orders them, is not in the report: the same logs make the same page.
    """
    found = [counts for counts in ask.alerts(store) if times[counts.alert.key] > 0]
    return sorted(
        found, key=lambda counts: (-Severity(counts.alert.severity).rank, counts.tally.first or "", counts.alert.key)
    )


def _asides(store: Store, day: str) -> Iterator[Aside]:
    return _rows(store, Aside.partition(day), Aside)


def _unseen(flows: Sequence[Flow], book: Book | None) -> list[Unseen]:
    if book is None:
        return []
    seen = {flow.route.caller for flow in flows}
    return sorted(Unseen(entry.name, entry.owner) for entry in book.document.callers if entry.name not in seen)
