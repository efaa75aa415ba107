"""Deliveries → judgements → ledger: what both functions do with what arrives.

A delivery may be acknowledged once :meth:`Monitor.receive` returned: everything in it is in the ledger then, or
was before. Where it raises, nothing is lost; the delivery comes again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple, assert_never

from msgspec import Struct, field

from callerid.engine import Engine, unreadable
from callerid.envelope import Batch, Item, PassedOver, Unreadable
from callerid.judgement import FINDINGS, Judgement, Line, Severity, Verdict, line
from callerid.ledger.fold import Brief, Briefing
from callerid.ledger.part import Unit, aside, units
from callerid.ledger.record import Recorded, Recorder
from callerid.ledger.store import Store
from callerid.policy.book import Book


class Delivery(NamedTuple):
    """What a delivery is called, and what it holds."""

    name: str
    items: Iterable[Item]


class Received(Struct):
    """What one delivery held. The verdicts add up to its records, counted before or not."""

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    findings: list[Line] = field(default_factory=list)
    unreadable: list[Line] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    recorded: Recorded = Recorded()
    """How many of them are new to the ledger."""
    newest: str | None = None
    """The latest record's time."""

    @property
    def records(self) -> int:
        """Return how many records were judged or found unreadable."""
        return self.verdicts.total()

    def add(self, other: Received) -> None:
        """Add what another delivery held."""
        self.verdicts += other.verdicts
        self.findings += other.findings
        self.unreadable += other.unreadable
        self.passed_over += other.passed_over
        self.recorded = Recorded(*map(sum, zip(self.recorded, other.recorded, strict=True)))
        self.newest = max(filter(None, (self.newest, other.newest)), default=None)


def briefing(book: Book | None) -> Briefing:
    """Return what tells of a new alert what the policy has to say: where it goes, what comes closest, what to do."""
    if book is None:
        return lambda judgement, severity: Brief()

    def brief(judgement: Judgement, severity: Severity) -> Brief:
        from callerid.advice import advise  # noqa: PLC0415  # most deliveries open no alert

        owner = judgement.caller.owner if judgement.caller else None
        rule = book.channel(owner, judgement.access.account, severity)
        channel, mention = (rule.channel, rule.mention or "") if rule else ("", "")
        return Brief(book.digest, advise(judgement, book), channel, mention)

    return brief


class Monitor:
    """Judges and records what arrives. ``now`` gives the time of receipt in seconds since 1970.

    ``sessions`` keeps what ``trace`` walks along, at some seven more rows for each crossing.
    """

    def __init__(self, book: Book, store: Store, *, now: Callable[[], float], sessions: bool = False) -> None:
        self._sessions = sessions
        self._book = book
        self._engine = Engine(book)
        self._recorder = Recorder(store, briefing(book))
        self._now = now

    def receive(self, deliveries: Iterable[Delivery], *, marker: str | None = None) -> Received:
        """Judge what deliveries hold and record it, each record once.

        ``marker`` is the id of a delivery of many records that always comes as a whole, a log file or a block of
        one; without it each record is kept by its own id.

        Raises:
            UnavailableError: where the ledger does not answer: deliver again.
        """
        received, found = Received(), list[Unit]()
        for name, items in deliveries:
            for item in items:
                match item:
                    case Batch():
                        found += self._batch(received, item, name, by_id=marker is None)
                    case Unreadable():
                        found += self._unreadable(received, item, name)
                    case PassedOver():
                        received.passed_over[item.what] += 1
                    case _:
                        assert_never(item)
        received.recorded = self._recorder.record(found, now=self._now(), marker=marker)
        return received

    def _batch(self, received: Received, batch: Batch, name: str, *, by_id: bool) -> list[Unit]:
        judgements = self._engine.judge(batch)
        received.verdicts.update(judgement.verdict for judgement in judgements)
        for index, judgement in enumerate(judgements):
            if judgement.verdict in FINDINGS:
                received.findings.append(line(judgement, batch.occurrence(index, name), self._book.digest))
        found = units(batch, judgements, name, by_id=by_id)
        if self._sessions:
            from callerid.ledger import sessions  # noqa: PLC0415  # most ledgers keep none

            sessions.attach(found, batch, judgements, name)
        received.newest = max(filter(None, (received.newest, *(unit.last for unit in found))), default=None)
        return found

    def _unreadable(self, received: Received, item: Unreadable, name: str) -> list[Unit]:
        judgement = unreadable(item)
        received.verdicts[Verdict.UNREADABLE] += 1
        received.unreadable.append(line(judgement, item.occurrence(name), self._book.digest))
        return aside([(item, judgement)], name)
