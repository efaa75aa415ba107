"""A week's figures, from the ledger: counts by the hour, added up.

Two shares are told and never mixed: of the judged accesses, how many had an identifiable caller; and of the hours
in which each log is usually heard, in how many it was. What was not observed is no zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, timedelta

import msgspec
from msgspec import Struct, field

from callerid import moment
from callerid.access import Outcome
from callerid.judgement import FINDINGS, JUDGED, WITH_A_NAME, Verdict
from callerid.ledger import ask
from callerid.ledger.alert import Alert
from callerid.ledger.outbox import Counts
from callerid.ledger.rows import Aside, Count, Route, Seen, Source
from callerid.ledger.store import Store
from callerid.policy.book import Book
from callerid.reasons import REASONS
from callerid.summary.week import Week

WEEKS = 8
"""How many weeks the trend has, this one among them."""
STALE_DAYS = 30
"""An entry that nobody used for so long is due to go."""
EXPIRING_DAYS = 30
_USUAL = 2
"""In one of so many earlier weeks an hour was heard: then it is one in which this log is usually heard."""


class Observed(Struct, frozen=True):
    """In how many of the hours in which logs are usually heard they were."""

    heard: int = 0
    expected: int = 0

    @property
    def share(self) -> float | None:
        """Return a share from 0 to 1, None where nothing is known to expect."""
        return self.heard / self.expected if self.expected else None


class Totals(Struct):
    """What was counted in one week."""

    label: str
    verdicts: dict[str, Counter[str]] = field(default_factory=dict)
    """By cloud: how many of each verdict; under no name what could not be read, of the latest week alone."""
    denied: int = 0
    """Findings that the cloud refused."""
    is_observed: bool = False
    """Whether any log was heard at all."""

    @property
    def whole(self) -> Counter[str]:
        """Return both clouds' verdicts."""
        return sum(self.verdicts.values(), Counter())

    def judged(self, cloud: str | None = None) -> int:
        """Return how many accesses were judged."""
        counts = self.verdicts.get(cloud, Counter()) if cloud else self.whole
        return sum(counts[verdict] for verdict in JUDGED)

    def share(self, cloud: str | None = None) -> float | None:
        """Return the share of judged accesses that name their caller; None where none was judged."""
        counts = self.verdicts.get(cloud, Counter()) if cloud else self.whole
        judged = self.judged(cloud)
        return sum(counts[verdict] for verdict in WITH_A_NAME) / judged if judged else None


class Told(Struct):
    """Accesses of one finding in the week."""

    verdict: str
    route: Route
    reasons: tuple[str, ...]
    count: int
    denied: int
    settled: bool | None
    """None where no alert is known for it."""
    severity: str = ""
    kind: str = ""
    """What sort of access it was, where that is known: one caller at one target may be found in several ways."""
    began: tuple[str, ...] = ()
    """Whom the sessions began with, where the record does not say and the ledger's sessions do; a few of them."""
    began_partly: bool = False
    """Whether that is known of some of the accesses only."""
    key: str = ""
    """The finding's; several callers, such as the branches of one repository, can be one."""


class Gone(Struct):
    """An entry of the book that is due: never seen lately, or about to expire."""

    name: str
    owner: str
    last: str | None
    expires: str | None = None


class Summary(Struct):
    """Everything that a summary says."""

    week: Week
    totals: Totals
    weeks: list[Totals]
    """The trend, the oldest first; this week is the last."""
    observed: dict[str, Observed]
    """By log: cloud, account and region in one."""
    findings: list[Told]
    """The gravest and most frequent first."""
    drifts: list[Told]
    """Sessions whose source identity is another along the chain; their accesses are counted by their own verdicts."""
    new: list[Seen]
    """Callers that were seen for the first time."""
    would_break: dict[str, int]
    """By reason: accesses that are identified and would not be if their requirement were enforced."""
    reasons: dict[str, int]
    """Of what could not be attributed or read, by reason."""
    undelivered: int
    stale: list[Gone] = field(default_factory=list)
    expiring: list[Gone] = field(default_factory=list)
    callers: int = 0
    """How many callers of the book were seen."""
    has_history: bool = False
    """Whether the ledger knows any earlier week, so that *new* and *stale* mean something."""

    @property
    def last_week(self) -> Totals | None:
        """Return the week before, None where it was not observed: a difference to it would say nothing."""
        before = self.weeks[-2] if len(self.weeks) > 1 else None
        return before if before is not None and before.is_observed else None

    @property
    def coverage(self) -> Observed:
        """Return all logs' hours."""
        parts = self.observed.values()
        return Observed(sum(part.heard for part in parts), sum(part.expected for part in parts))


def summarize(store: Store, week: Week, book: Book | None = None) -> Summary:
    """Return a week's figures. The policy adds what only it knows: entries that nobody used, that expire.

    Raises:
        UnavailableError: where the ledger does not answer.
    """
    weeks = [week.before(back) for back in range(WEEKS - 1, 0, -1)] + [week]
    sources = {one.label: list(_sources(store, one)) for one in weeks}
    rows = {one.label: list(_counts(store, one)) for one in weeks}
    totals = [_totals(one.label, rows[one.label], sources[one.label]) for one in weeks]
    unread = Counter(one.reason for one in _asides(store, week))
    if unread:
        totals[-1].verdicts[""] = Counter({Verdict.UNREADABLE: unread.total()})
    alerts = {counts.alert.key: counts for counts in ask.alerts(store)}
    seen = list(_seen(store))
    first = week.start.strftime("%Y-%m-%dT%H:%M:%S")
    has_history = any(one.is_observed for one in totals[:-1])
    summary = Summary(
        week=week,
        totals=totals[-1],
        weeks=totals,
        observed=_observed(weeks, sources),
        findings=_findings(rows[week.label], alerts),
        drifts=_drifts(rows[week.label], alerts),
        new=sorted(
            (one for one in seen if one.first >= first and week.has(one.first[:10], one.first[11:13])),
            key=lambda one: one.first,
        ),
        would_break=dict(_would_break(rows[week.label])),
        reasons=dict(_withheld(rows[week.label]) + unread),
        undelivered=sum(not due.posted for due in ask.outbox(store).values()),
        callers=len({hour.route.caller for hour in rows[week.label] if hour.route.caller}),
        has_history=has_history,
    )
    if book is not None:
        summary.stale, summary.expiring = _due(book, seen, week)
    return summary


class _Hour(Struct):
    """One hour of one route."""

    route: Route
    counts: dict[str, int]
    reasons: dict[str, int]
    findings: dict[str, int]
    drifts: dict[str, int]


def _counts(store: Store, week: Week) -> Iterator[_Hour]:
    for day in week.days:
        for shard in range(store.shards):
            for _, row in store.list(Count.partition(day, shard)):
                count = msgspec.json.decode(row.data, type=Count)
                for clock, hour in count.hours.items():
                    if week.has(day, clock):
                        yield _Hour(count.route, hour.counts, hour.reasons, hour.findings, hour.drifts)


def _sources(store: Store, week: Week) -> Iterator[tuple[str, set[int]]]:
    """Yield each log with the hours of the week in which it was heard that day."""
    for day in week.days:
        for _, row in store.list(Source.partition(day)):
            source = msgspec.json.decode(row.data, type=Source)
            heard = _hours(week, day) & {_hour_of_week(day, hour) for hour in range(24) if source.hours >> hour & 1}
            if heard:
                yield " ".join(filter(None, (source.cloud, source.account, source.region))), heard


def _asides(store: Store, week: Week) -> Iterator[Aside]:
    """Yield what could not be read, which has no time of its own: that of its receipt is in the week."""
    for day in week.days:
        for _, row in store.list(Aside.partition(day)):
            aside = msgspec.json.decode(row.data, type=Aside)
            if week.has(day, moment.at(aside.at)[11:13]):
                yield aside


def _hours(week: Week, day: str) -> set[int]:
    """Return the hours of a day that belong to the week."""
    return {_hour_of_week(day, hour) for hour in range(24) if week.has(day, f"{hour:02}")}


def _hour_of_week(day: str, hour: int) -> int:
    """Return an hour from Monday's first, in UTC: clouds' schedules do not move when clocks are changed."""
    return date.fromisoformat(day).weekday() * 24 + hour


def _seen(store: Store) -> Iterator[Seen]:
    for part in Seen.PARTITIONS:
        yield from (msgspec.json.decode(row.data, type=Seen) for _, row in store.list(part))


def _totals(label: str, hours: Iterable[_Hour], sources: list[tuple[str, set[int]]]) -> Totals:
    totals = Totals(label, is_observed=bool(sources))
    for hour in hours:
        counts = totals.verdicts.setdefault(hour.route.cloud, Counter())
        for word, number in hour.counts.items():
            verdict, _, outcome = word.partition(" ")
            counts[verdict] += number
            totals.denied += number if verdict in FINDINGS and outcome == Outcome.DENIED else 0
    return totals


def _observed(weeks: list[Week], sources: dict[str, list[tuple[str, set[int]]]]) -> dict[str, Observed]:
    """Return for each log in how many of its usual hours it was heard.

    An hour of the week is usual where the log was heard in it in half of the earlier weeks since its first; a log
    that is new this week has none yet. A week in which clocks are put forward lacks one of the usual hours.
    """
    week = weeks[-1]
    there = set().union(*(_hours(week, day) for day in week.days))
    heard: dict[str, dict[str, set[int]]] = {}
    for label, found in sources.items():
        for log, hours in found:
            heard.setdefault(log, {}).setdefault(label, set()).update(hours)
    observed = {}
    for log, by_week in sorted(heard.items()):
        labels = [one.label for one in weeks]
        earlier = labels[labels.index(min(by_week)) : -1]
        often = Counter(hour for label in earlier for hour in by_week.get(label, ()))
        usual = {hour for hour in there if often[hour] * _USUAL >= len(earlier)} if earlier else set()
        now = by_week.get(week.label, set())
        observed[log] = Observed(len(usual & now), len(usual))
    return observed


def _findings(hours: Iterable[_Hour], alerts: dict[str, Counts]) -> list[Told]:
    found: dict[tuple[Route, str], Told] = {}
    for hour in hours:
        for word, number in hour.findings.items():
            verdict, outcome, key = word.split(" ")
            told = found.get((hour.route, word))
            if told is None:
                told = found[hour.route, word] = _told(verdict, hour, alerts.get(key))
                told.key = key
            told.count += number
            told.denied += number if outcome == Outcome.DENIED else 0
    return sorted(
        (told for told in found.values() if told.count > 0),
        key=lambda told: (-_rank(told.reasons), -told.count, told.route),
    )


def _told(verdict: str, hour: _Hour, counts: Counts | None) -> Told:
    codes = (word.partition(" ")[2] for word in hour.reasons if word.startswith(f"{verdict} "))
    if counts is None:
        return Told(verdict, hour.route, tuple(codes), 0, 0, None)
    return _of_alert(Told(verdict, hour.route, counts.alert.line.reasons, 0, 0, None), counts)


def _of_alert(told: Told, counts: Counts) -> Told:
    """Add what only the alert knows; of an origin that of its latest window."""
    alert, tally = counts
    told.settled, told.severity, told.kind = alert.settled is not None, alert.severity, alert.line.kind or ""
    told.began, told.began_partly = tuple(one.name for one in alert.began), tally.traced < tally.count
    return told


def _drifts(hours: Iterable[_Hour], alerts: dict[str, Counts]) -> list[Told]:
    """Return the sessions with another source identity, by their alerts: who they are stands only there."""
    found: dict[str, Told] = {}
    for hour in hours:
        for word, number in hour.drifts.items():
            code, _, key = word.partition(" ")
            told = found.get(word)
            if told is None:
                told = found[word] = Told(Verdict.UNEXPECTED, hour.route, (code,), 0, 0, None)
                if key in alerts:
                    told.route = _route(alerts[key].alert)
                    _of_alert(told, alerts[key])
            told.count += number
    return sorted(found.values(), key=lambda told: (-_rank(told.reasons), -told.count, told.route))


def _route(alert: Alert) -> Route:
    line, caller = alert.line, alert.line.caller or {}
    place = (line.cloud or "", line.account or "", caller.get("name", ""), caller.get("owner", ""))
    return Route(*place, alert.who, alert.origin, line.target or "")


def _rank(reasons: Iterable[str]) -> int:
    return max((REASONS[code].severity.rank for code in reasons if code in REASONS), default=0)


def _would_break(hours: Iterable[_Hour]) -> Counter[str]:
    """Count what a requirement under ``warn`` let pass: an identified access with a reason that would decide."""
    total: Counter[str] = Counter()
    for hour in hours:
        for word, number in hour.reasons.items():
            verdict, _, code = word.partition(" ")
            if verdict == Verdict.IDENTIFIED and code in REASONS and REASONS[code].verdict in FINDINGS:
                total[code] += number
    return total


def _withheld(hours: Iterable[_Hour]) -> Counter[str]:
    total: Counter[str] = Counter()
    for hour in hours:
        for word, number in hour.reasons.items():
            verdict, _, code = word.partition(" ")
            if verdict == Verdict.UNATTRIBUTABLE:
                total[code] += number
    return total


def _due(book: Book, seen: list[Seen], week: Week) -> tuple[list[Gone], list[Gone]]:
    """Return the entries that nobody used lately, and those that are about to expire."""
    last: dict[str, str] = {}
    for one in seen:
        last[one.route.caller] = max(last.get(one.route.caller, ""), one.last)
    end = week.end.date()
    since = (end - timedelta(days=STALE_DAYS)).isoformat()
    stale, expiring = [], []
    for caller in book.document.callers:
        expires = caller.expires.isoformat() if caller.expires else None
        gone = Gone(caller.name, caller.owner, last.get(caller.name), expires)
        if (gone.last or "") < since and (caller.expires is None or caller.expires >= end):
            stale.append(gone)
        if caller.expires is not None and end <= caller.expires <= end + timedelta(days=EXPIRING_DAYS):
            expiring.append(gone)
    return stale, expiring
