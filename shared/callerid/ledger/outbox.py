"""The outbox: every step that a message takes, each one write of the ledger.

pending → sending (claimed) → sent, and back to pending where Slack did not take it. Whoever dies between two
steps leaves a claim that runs out. A step that met somebody else's write is decided anew on what is there now.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import msgspec

from callerid.judgement import Severity
from callerid.ledger.alert import Alert, Channel, Due, Tally
from callerid.ledger.fold import AFTERCARE_SECONDS, EDIT_SECONDS, total
from callerid.ledger.store import Store
from callerid.ledger.work import Work, write

CLAIM_SECONDS = 60.0
"""Longer than the slowest answer that is waited for; then another sender may take a message over."""
REMEMBERED_SECONDS = 300.0
"""How far back a channel remembers what was newly posted: the breaker's five minutes."""

R = TypeVar("R")


class Counts(NamedTuple):
    """An alert, and how often its finding came."""

    alert: Alert
    tally: Tally


class Outbox:
    """The steps of sending; ``pause`` waits between two attempts at one write."""

    def __init__(self, store: Store, pause: Callable[[float], object]) -> None:
        self._store = store
        self._pause = pause

    def due(self) -> list[tuple[str, Due]]:
        """Return every row of the outbox with the key of its alert."""
        return [(key, msgspec.json.decode(row.data, type=Due)) for key, row in self._store.list("outbox")]

    def read(self, key: str) -> Counts | None:
        """Return an alert with its count, None where there is none."""
        work = Work(self._store)
        alert = work.get(Alert.row(key), Alert)
        return Counts(alert, total(work, alert)) if alert else None

    def members(self, storm: Alert) -> list[Counts]:
        """Return the findings that a storm tells, the gravest and most frequent first.

        One that came back after the storm was over is told anew, and no longer here.
        """
        work = Work(self._store, map(Alert.row, storm.members))
        found = (work.get(Alert.row(key), Alert) for key in storm.members)
        alerts = [alert for alert in found if alert is not None and alert.storm == storm.key]
        work.fetch(Tally.key(alert.key, shard) for alert in alerts for shard in range(work.shards))
        counted = [Counts(alert, total(work, alert)) for alert in alerts]
        return sorted(counted, key=lambda counts: (-_rank(counts.alert), -counts.tally.count, counts.alert.key))

    def with_members(self, counts: Counts) -> Counts:
        """Return the count of a storm: that of all its findings."""
        if not counts.alert.members:
            return counts
        tallies = [member.tally for member in self.members(counts.alert)]
        tally = counts.tally
        tally.count = counts.alert.gone + sum(member.count for member in tallies)
        tally.withdrawn = counts.alert.gone_withdrawn + sum(member.withdrawn for member in tallies)
        tally.first = min((member.first for member in tallies if member.first), default=None)
        tally.last = max((member.last for member in tallies if member.last), default=None)
        return Counts(counts.alert, tally)

    def lease(self, name: str, holder: str, *, now: float, until: float) -> bool:
        """Take a channel for one sender; False where another has it or Slack asked to wait."""

        def step(work: Work) -> bool:
            channel = work.get(Channel.key(name), Channel) or Channel(name)
            if channel.not_before > now or (channel.lease > now and channel.holder != holder):
                return False
            channel.holder, channel.lease = holder, until
            work.put(Channel.key(name), channel)
            return True

        return self._step(step)

    def release(self, name: str, holder: str) -> None:
        """Give a channel back."""

        def step(work: Work) -> None:
            channel = work.get(Channel.key(name), Channel)
            if channel is not None and channel.holder == holder:
                channel.holder, channel.lease = "", 0.0
                work.put(Channel.key(name), channel)

        self._step(step)

    def hold(self, name: str, *, until: float, broken: str | None, now: float) -> None:
        """Send nothing to a channel before ``until``; ``broken`` is the error where somebody must mend it."""

        def step(work: Work) -> None:
            channel = work.get(Channel.key(name), Channel) or Channel(name)
            channel.not_before = until
            if broken is not None:
                channel.broken_since = channel.broken_since if channel.broken else now
                channel.broken = broken
            work.put(Channel.key(name), channel)

        self._step(step)

    def mended(self, name: str) -> None:
        """Note that a channel takes messages."""

        def step(work: Work) -> None:
            channel = work.get(Channel.key(name), Channel)
            if channel is not None and channel.broken is not None:
                channel.broken = None
                work.put(Channel.key(name), channel)

        self._step(step)

    def claim(self, key: str, now: float) -> Counts | None:
        """Take a message that waits to be posted; None where there is nothing to post, or another posts it."""

        def step(work: Work) -> Counts | None:
            alert = work.get(Alert.row(key), Alert)
            if alert is None or alert.state not in ("pending", "sending"):
                return None
            if alert.state == "sending":
                if alert.lease > now:
                    return None
                alert.doubtful = alert.attempt
            tally = total(work, alert)
            if tally.count and tally.withdrawn >= tally.count and not alert.doubtful:
                alert.state = "withdrawn"
                work.put(Alert.row(key), alert, expires=alert.expires)
                _is_out(work, key, now)
                return None
            alert.state, alert.lease, alert.attempt = "sending", now + CLAIM_SECONDS, alert.attempt + 1
            work.put(Alert.row(key), alert, expires=alert.expires)
            return Counts(alert, tally)

        return self._step(step)

    def posted(self, key: str, claim: Counts, *, ts: str | None, channel: str | None, now: float) -> None:
        """Note that a message is out."""

        def step(work: Work) -> None:
            alert = work.get(Alert.row(key), Alert)
            if alert is None or alert.attempt != claim.alert.attempt:
                return  # another sender took it over after the claim ran out, and speaks for it now
            alert.state, alert.ts, alert.posted_to = "sent", ts, channel
            alert.error, alert.rung = None, claim.alert.rung  # `doubtful` stays: the edits say it too
            _shown(alert, claim, now)
            work.put(Alert.row(key), alert, expires=alert.expires)
            _is_out(work, key, now)
            name = alert.channel
            row = work.get(Channel.key(name), Channel) or Channel(name)
            recent = tuple(at for at in row.posts if at > now - REMEMBERED_SECONDS)
            row.posts = recent if alert.members else (*recent, now)
            work.put(Channel.key(name), row)

        self._step(step)

    def refused(self, key: str, claim: Counts, *, error: str, at: float, doubtful: bool) -> None:
        """Put a message back that Slack did not take, or may have: ``doubtful``."""

        def step(work: Work) -> None:
            alert = work.get(Alert.row(key), Alert)
            if alert is None or alert.attempt != claim.alert.attempt:
                return
            alert.state, alert.error, alert.rung = "pending", error, claim.alert.rung
            alert.doubtful = alert.attempt if doubtful else alert.doubtful
            work.put(Alert.row(key), alert, expires=alert.expires)
            due = work.get(Due.key(key), Due)
            if due is not None:
                due.at = at
                work.put(Due.key(key), due)

        self._step(step)

    def edited(self, counts: Counts, now: float) -> None:
        """Note what a message says after its edit."""

        def change(alert: Alert) -> None:
            alert.error, alert.rung = None, counts.alert.rung
            _shown(alert, counts, now)

        self.change(counts.alert.key, change)

    def announced(self, key: str, word: str, now: float) -> None:
        """Note that something was announced, so that it is not again."""

        def change(alert: Alert) -> None:
            alert.announce = tuple(sentence for sentence in alert.announce if sentence != word)
            alert.raised, alert.announced = (*alert.raised, word), now

        self.change(key, change)

    def doubted(self, key: str, word: str) -> None:
        """Note that a reply may be out although no answer came; the next attempt says that it may be a repeat."""

        def change(alert: Alert) -> None:
            alert.unsure = tuple(dict.fromkeys((*alert.unsure, word)))

        self.change(key, change)

    def listed(self, key: str, number: int) -> None:
        """Note how many findings of a storm its thread lists."""

        def change(alert: Alert) -> None:
            alert.listed = number

        self.change(key, change)

    def reopen(self, key: str, error: str, now: float) -> None:
        """Have a message posted anew: the one that stood for it can't be edited any more."""

        def step(work: Work) -> None:
            alert, due = work.get(Alert.row(key), Alert), work.get(Due.key(key), Due)
            if alert is None or due is None:
                return
            alert.state, alert.ts, alert.error = "pending", None, error
            due.posted, due.since = False, now
            work.put(Alert.row(key), alert, expires=alert.expires)
            work.put(Due.key(key), due)

        self._step(step)

    def change(self, key: str, change: Callable[[Alert], object]) -> None:
        """Change an alert's row as it is now."""

        def step(work: Work) -> None:
            alert = work.get(Alert.row(key), Alert)
            if alert is not None:
                change(alert)
                work.put(Alert.row(key), alert, expires=alert.expires)

        self._step(step)

    def drop(self, key: str, now: float) -> None:
        """Take an alert's row out of the outbox, whose time for it has come and who says all that there is."""

        def step(work: Work) -> None:
            due, alert = work.get(Due.key(key), Due), work.get(Alert.row(key), Alert)
            if due is None or (alert is not None and (now < due.until or alert.state in ("pending", "sending"))):
                return
            work.delete(Due.key(key))

        self._step(step)

    def _step(self, step: Callable[[Work], R]) -> R:
        return write(self._store, step, pause=self._pause)


def is_behind(counts: Counts) -> bool:
    """Tell a message that no longer says what the ledger knows.

    An origin comes with an event, but a sender may have read the one just before the other.
    """
    alert, tally = counts
    return (tally.count, tally.withdrawn, alert.settled is not None, len(alert.began)) != (
        alert.shown,
        alert.shown_withdrawn,
        alert.shown_settled,
        alert.shown_began,
    )


def _shown(alert: Alert, said: Counts, now: float) -> None:
    alert.shown, alert.shown_withdrawn, alert.edited = said.tally.count, said.tally.withdrawn, now
    alert.shown_settled, alert.shown_began = said.alert.settled is not None, len(said.alert.began)
    if 0 < alert.shown <= alert.shown_withdrawn:
        alert.reopened = 0.0


def _is_out(work: Work, key: str, now: float) -> None:
    due = work.get(Due.key(key), Due)
    if due is not None:
        due.posted, due.at, due.until = True, now + EDIT_SECONDS, max(due.until, now + AFTERCARE_SECONDS)
        work.put(Due.key(key), due)


def _rank(alert: Alert) -> int:
    return Severity(alert.severity).rank
