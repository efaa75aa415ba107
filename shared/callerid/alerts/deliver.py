"""The sender: what the outbox holds goes to Slack, gravest first, each channel by one sender at a time.

A message is claimed, posted, and noted as sent. A sender that dies in between leaves its claim behind; when that
runs out the message is posted again, and says that it may be a repeat. Nothing here takes away an alert that was
not posted.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import NamedTuple

from callerid.alerts import message
from callerid.alerts.clock import Clock
from callerid.alerts.follow import follow
from callerid.alerts.links import Look
from callerid.alerts.message import Message
from callerid.alerts.slack import Ambiguous, Answer, Misconfigured, PayloadRefused, Posted, Retry, Sender, ThreadLost
from callerid.judgement import Severity
from callerid.ledger import storm
from callerid.ledger.alert import Due
from callerid.ledger.outbox import CLAIM_SECONDS, Counts, Outbox
from callerid.ledger.store import Store

PACE_SECONDS = 1.0
"""Slack takes about a message a second in one channel."""
LEASE_SECONDS = 180.0
"""How long a channel is taken at once; a sender at work takes it anew, and one that died gives it back so soon."""
BROKEN_SECONDS = 900.0
"""Between two tries of a channel that somebody must mend."""
BACKOFF_SECONDS = 5.0
LONGEST_BACKOFF_SECONDS = 900.0
_LAST_RUNG = 2


class Delivered(NamedTuple):
    """What one run of the sender did, and what is left."""

    posted: int = 0
    edited: int = 0
    waiting: int = 0
    """Alerts that are not posted yet."""
    oldest_seconds: float = 0.0
    """How long the oldest of them has been waiting."""


class Deliverer:
    """Sends what is due. ``default_channel`` takes the alerts that the policy routes nowhere else."""

    def __init__(
        self, store: Store, slack: Callable[[], Sender], default_channel: str, *, clock: Clock, look: Look
    ) -> None:
        self._store = store
        self._outbox = Outbox(store, clock.pause)
        self._make_slack = slack
        self._default = default_channel
        self._clock = clock
        self._look = look
        self._holder = secrets.token_hex(8)

    @cached_property
    def _slack(self) -> Sender:
        """Return the sender, made when something is first to be sent: it needs a secret and a library."""
        return self._make_slack()

    def deliver(self, *, budget_seconds: float = 20.0) -> Delivered:
        """Send what is due, no longer than ``budget_seconds`` and the message that is under way.

        Raises:
            UnavailableError: where the ledger does not answer; nothing is lost.
        """
        ends = self._clock.now() + budget_seconds
        rows = self._outbox.due()
        runs = list(self._channels(rows, ends))
        now = self._clock.now()
        waiting = [now - due.since for _, due in self._outbox.due() if not due.posted]
        return Delivered(
            sum(run.posted for run in runs),
            sum(run.edited for run in runs),
            len(waiting),
            max(waiting, default=0.0),
        )

    def _channels(self, rows: list[tuple[str, Due]], ends: float) -> Iterator[Line]:
        """Send what is due, each channel in its share of the time that is left: a busy one holds up no other."""
        now = self._clock.now()
        due = [row for row in sorted(rows, key=_urgency) if row[1].at <= now]
        names = sorted({row.channel for _, row in due})
        for left, name in zip(range(len(names), 0, -1), names, strict=True):
            now = self._clock.now()
            yield self._channel(name, [row for row in due if row[1].channel == name], now + (ends - now) / left)

    def _channel(self, name: str, rows: list[tuple[str, Due]], ends: float) -> Line:
        """Send what is due in one channel, unless another sender is at it or Slack asked to wait."""
        line = Line(
            self._outbox,
            self._slack,
            name,
            name or self._default,
            clock=self._clock,
            look=self._look,
            holder=self._holder,
            ends=ends,
        )
        if not line.lease():
            return line
        try:
            for key in self._order(name, rows, ends):
                if not line.has_time or not line.look_after(key):
                    break
        finally:
            self._outbox.release(name, self._holder)
        return line

    def _order(self, name: str, rows: list[tuple[str, Due]], ends: float) -> Iterator[str]:
        """Yield what is to be looked after: what nobody has read yet before the counts of what is out."""
        fresh = [key for key, due in rows if not due.posted]
        kept = storm.gather(
            self._store,
            name,
            fresh,
            now=self._clock.now(),
            pause=self._clock.pause,
            has_time=lambda: self._clock.now() < ends,
        )
        yield from dict.fromkeys((*kept, *(key for key in fresh if key.startswith(storm.PREFIX))))
        yield from (key for key, due in rows if due.posted and key not in kept)


class Line:
    """One channel while one sender has it: what is sent goes out a message a second."""

    def __init__(
        self,
        outbox: Outbox,
        slack: Sender,
        name: str,
        channel: str,
        *,
        clock: Clock,
        look: Look,
        holder: str,
        ends: float,
    ) -> None:
        self.outbox = outbox
        self.slack = slack
        self.name = name
        """What the ledger calls the channel; empty for the default one."""
        self.channel = channel
        self.clock = clock
        self.look = look
        self.posted = self.edited = 0
        self._holder = holder
        self._ends = ends
        self._leased = 0.0
        self._last_sent: float | None = None
        self._is_well = False
        """Whether it has taken a message in this run."""

    @property
    def has_time(self) -> bool:
        """Tell whether anything more is to be begun."""
        return self.clock.now() < self._ends

    def lease(self) -> bool:
        """Take the channel, or keep it; False where another sender has it or Slack asked to wait."""
        now = self.clock.now()
        self._leased = now + min(LEASE_SECONDS, self._ends - now + CLAIM_SECONDS)
        return self.outbox.lease(self.name, self._holder, now=now, until=self._leased)

    def look_after(self, key: str) -> bool:
        """Send what an alert has to say. False where the channel takes nothing more for now."""
        counts = self.outbox.read(key)
        if counts is not None and counts.alert.state in ("pending", "sending"):
            return self._post(key)
        if counts is not None and counts.alert.state == "sent":
            return follow(self, counts)
        self.outbox.drop(key, self.clock.now())
        return True

    def _post(self, key: str) -> bool:
        claim = self.outbox.claim(key, self.clock.now())
        if claim is None:
            return True
        claim, answer = self.say(self.outbox.with_members(claim), lambda text: self.slack.post(self.channel, text))
        now = self.clock.now()
        match answer:
            case Posted(ts=ts, channel=channel):
                self.outbox.posted(key, claim, ts=ts, channel=channel, now=now)
                self.posted += 1
                return True
            case Ambiguous() | PayloadRefused() | ThreadLost():
                at = now + min(BACKOFF_SECONDS * 2**claim.alert.attempt, LONGEST_BACKOFF_SECONDS)
                self.outbox.refused(key, claim, error=answer.error, at=at, doubtful=isinstance(answer, Ambiguous))
            case _:
                self.outbox.refused(key, claim, error=answer.error, at=now, doubtful=False)
        return self.goes_on(answer)

    def say(self, counts: Counts, send: Callable[[Message], Answer]) -> tuple[Counts, Answer]:
        """Send what counts say, plainer each time that Slack refuses it as it stands."""
        while True:
            members = self.outbox.members(counts.alert) if counts.alert.members else []
            answer = self.sent(lambda: send(written(counts, members, self.look)))  # noqa: B023  # called at once
            if not isinstance(answer, PayloadRefused) or counts.alert.rung >= _LAST_RUNG:
                return counts, answer
            counts.alert.rung += 1

    def sent(self, send: Callable[[], Answer]) -> Answer:
        """Send one message, no sooner than Slack takes it."""
        if self._last_sent is not None:
            self.clock.pause(max(0.0, self._last_sent + PACE_SECONDS - self.clock.now()))
        if self.has_time and self._leased - self.clock.now() < LEASE_SECONDS / 2:
            self.lease()
        answer = send()
        if not self._is_well and isinstance(answer, Posted):
            self.outbox.mended(self.name)  # be it by an edit: there may be nothing new to post for days
            self._is_well = True
        self._last_sent = self.clock.now()
        return answer

    def goes_on(self, answer: Answer) -> bool:
        """Note what an answer means for the channel. False where it takes nothing more for now."""
        now = self.clock.now()
        match answer:
            case Retry(after_seconds=seconds):
                self.outbox.hold(self.name, until=now + seconds, broken=None, now=now)
                return False
            case Misconfigured(error=error):
                self.outbox.hold(self.name, until=now + BROKEN_SECONDS, broken=error, now=now)
                return False
            case Ambiguous():
                return False
            case _:
                return True


def written(counts: Counts, members: list[Counts], look: Look) -> Message:
    """Return what an alert says; of a storm what its members are."""
    if counts.alert.members:
        return message.storm(counts.alert, counts.tally, members)
    return message.alert(counts.alert, counts.tally, look)


def _urgency(row: tuple[str, Due]) -> tuple[int, float, str]:
    key, due = row
    return (-Severity(due.severity).rank, due.since, key)
