"""Findings into alerts: repeats fold into one message, a graver one raises it, a quiet hour ends it.

Everything here happens within the one write that also keeps the records' ids: what is counted is told, and what
is told is counted, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from callerid import finding
from callerid.access import Occurrence, Outcome
from callerid.group import origin, who
from callerid.judgement import SEVERITIES, Judgement, Severity, line
from callerid.ledger.alert import Advice, Alert, Due, Tally
from callerid.ledger.rows import COUNTS_KEPT
from callerid.ledger.store import Key
from callerid.ledger.traced import Traced, gathered
from callerid.ledger.work import Work
from callerid.trace.chain import Drift

QUIET_SECONDS = 3600
"""So long after the latest event a window closes, and the next event is told anew."""
HEARD_SECONDS = 300
"""How fine an alert knows when it was last heard; finer would write its row at every batch of a storm."""
AFTERCARE_SECONDS = 600
"""So long after the latest event the sender looks whether the message still says the right count."""
MARGIN_SECONDS = 60
"""A write that takes longer than this has failed: whoever finds less aftercare left renews it."""
EDIT_SECONDS = 30
"""Between two edits of one message."""
_KEPT_NAMES = 5


class Brief(NamedTuple):
    """What a new alert tells beside the finding itself: of the policy that judged it."""

    policy: str | None = None
    advice: Advice = Advice()
    channel: str = ""
    mention: str = ""


class Events(NamedTuple):
    """Events of one finding, each counted for the first time, and what the index of sessions says of them."""

    occurrences: Sequence[Occurrence]
    began: Sequence[Traced] = ()
    """Of each event in a session of which it is known whom it began with: whom."""
    drift: Drift | None = None


Briefing = Callable[[Judgement, Severity], Brief]


def keys_of_finding(judgement: Judgement, shard: int) -> Iterator[Key]:
    """Yield the rows that a finding touches."""
    key = finding.key(judgement)
    yield Alert.row(key)
    yield Due.key(key)
    yield Tally.key(key, shard)
    if judgement.access.outcome is Outcome.ALLOWED:
        yield Alert.row(finding.key(judgement, Outcome.DENIED))


def fold(work: Work, judgement: Judgement, events: Events, brief: Briefing, *, shard: int, now: float) -> int:
    """Add findings of one judgement to their alert; open it where none is open. Return the alert's window."""
    key = finding.key(judgement)
    alert = work.get(Alert.row(key), Alert)
    due = work.get(Due.key(alert.told_in if alert else key), Due)
    if alert is None or _is_closed(alert, due, now):
        alert = _opened(work, judgement, events=events, brief=brief, past=alert, now=now)
        work.put(Alert.row(key), alert, expires=alert.expires)
    else:
        _heard(work, alert, judgement, events, now)
    _tally(work, alert, judgement.access.session_name, events, shard)
    look_after(work, alert, now)
    return alert.window


def withdraw(work: Work, key: str, window: int, *, shard: int, now: float) -> None:
    """Note that an event of a finding was named after all, by the other account's copy of the call.

    Where that copy comes hours late its window is over, and the one that is open now is about other calls.
    """
    alert = work.get(Alert.row(key), Alert)
    if alert is None or alert.window != window:
        return
    tally = _tally_of(work, alert, shard)
    tally.withdrawn += 1
    work.put(Tally.key(key, shard), tally, expires=alert.heard + COUNTS_KEPT)
    look_after(work, alert, now)


def look_after(work: Work, alert: Alert, now: float) -> None:
    """See to it that the sender looks at an alert; of a finding that a storm tells, at the storm."""
    key = alert.told_in
    due = work.get(Due.key(key), Due)
    posted = alert.state in ("sent", "in-storm", "withdrawn")
    if due is not None and due.until > now + MARGIN_SECONDS and due.posted <= posted:
        return
    at = max(now, alert.edited + EDIT_SECONDS) if posted else now
    row = due or Due(since=now, at=at, until=0, channel=alert.channel, severity=alert.severity, posted=posted)
    if row.posted and not posted:
        row.since, row.at, row.posted = now, now, False
    row.until = now + AFTERCARE_SECONDS
    work.put(Due.key(key), row)


def _is_closed(alert: Alert, due: Due | None, now: float) -> bool:
    """Tell a window that a quiet hour ended; one whose message is still looked after stays open."""
    return due is None and now - alert.heard >= QUIET_SECONDS


def _opened(
    work: Work, judgement: Judgement, *, events: Events, brief: Briefing, past: Alert | None, now: float
) -> Alert:
    name, came_from = finding.caller_class(judgement)
    severity, denied = _after_denials(work, judgement)
    told = brief(judgement, severity)
    came = _leave(work, past) if past else 0
    return Alert(
        key=finding.key(judgement),
        window=past.window + 1 if past else 1,
        opened=now,
        heard=now,
        line=line(judgement, events.occurrences[0], told.policy),
        rule=finding.rule(judgement),
        who=judgement.caller.name if judgement.caller else name or who(judgement.access),
        origin=came_from or origin(judgement.access),
        severity=severity,
        advice=told.advice,
        channel=told.channel,
        mention=told.mention,
        began=gathered((), events.began),
        drift=events.drift,
        denied_before=denied,
        before=past.before + came if past else 0,
        previous=came,
        announced=now,
    )


def _leave(work: Work, past: Alert) -> int:
    """Return how many events a closed window had. A storm that told it keeps them: the tally begins anew."""
    tally = total(work, past)
    storm = work.get(Alert.row(past.storm), Alert) if past.storm else None
    if storm is not None:
        storm.gone, storm.gone_withdrawn = storm.gone + tally.count, storm.gone_withdrawn + tally.withdrawn
        work.put(Alert.row(storm.key), storm, expires=storm.expires)
    return tally.count


def _after_denials(work: Work, judgement: Judgement) -> tuple[Severity, int]:
    """Return how grave a new alert is: the first success after denials is one step graver; and the denials."""
    severity = judgement.severity
    if judgement.access.outcome is not Outcome.ALLOWED:
        return severity, 0
    denied = work.get(Alert.row(finding.key(judgement, Outcome.DENIED)), Alert)
    if denied is None:
        return severity, 0
    return SEVERITIES[min(severity.rank + 1, Severity.CRITICAL.rank)], total(work, denied).count


def _heard(work: Work, alert: Alert, judgement: Judgement, events: Events, now: float) -> None:
    """Note another event of an open alert: its row is written only where that changes what it says."""
    changed = now - alert.heard >= HEARD_SECONDS
    if changed:
        alert.heard = now
    if judgement.severity.rank > Severity(alert.severity).rank:
        alert.announce += (f"Now {judgement.severity}, was {alert.severity}.",)
        alert.severity = judgement.severity
        alert.state = "pending" if alert.state == "in-storm" else alert.state  # a storm's list would hide it
        changed = True
    began = gathered(alert.began, events.began)
    if began != alert.began:
        alert.began, changed = began, True
    if alert.state == "withdrawn":
        alert.state = "pending"
        changed = True
    if alert.state == "sent" and 0 < alert.shown <= alert.shown_withdrawn and not alert.reopened:
        alert.reopened, changed = now, True
    if changed:
        work.put(Alert.row(alert.key), alert, expires=alert.expires)


def _tally(work: Work, alert: Alert, session: str | None, events: Events, shard: int) -> None:
    tally = _tally_of(work, alert, shard)
    times = [occurrence.time for occurrence in events.occurrences if occurrence.time]
    tally.count += len(events.occurrences)
    tally.traced += len(events.began)
    tally.first = min(filter(None, (tally.first, *times)), default=None)
    tally.last = max(filter(None, (tally.last, *times)), default=None)
    tally.sessions = _names(tally.sessions, (session,))
    tally.regions = _names(tally.regions, (occurrence.region for occurrence in events.occurrences))
    work.put(Tally.key(alert.key, shard), tally, expires=alert.heard + COUNTS_KEPT)


def total(work: Work, alert: Alert) -> Tally:
    """Return how often an alert's finding came in its window, all shards added up."""
    keys = [Tally.key(alert.key, shard) for shard in range(work.shards)]
    work.fetch(keys)
    found = [tally for key in keys if (tally := work.get(key, Tally)) and tally.window == alert.window]
    return Tally(
        window=alert.window,
        count=sum(tally.count for tally in found),
        withdrawn=sum(tally.withdrawn for tally in found),
        traced=sum(tally.traced for tally in found),
        first=min(filter(None, (tally.first for tally in found)), default=None),
        last=max(filter(None, (tally.last for tally in found)), default=None),
        sessions=_names((), (name for tally in found for name in tally.sessions)),
        regions=_names((), (name for tally in found for name in tally.regions)),
    )


def _tally_of(work: Work, alert: Alert, shard: int) -> Tally:
    """Return the shard's tally of this window; what it holds of an earlier one is past."""
    tally = work.get(Tally.key(alert.key, shard), Tally)
    return tally if tally is not None and tally.window == alert.window else Tally(alert.window)


def _names(kept: tuple[str, ...], more: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*kept, *filter(None, more))))[:_KEPT_NAMES]
