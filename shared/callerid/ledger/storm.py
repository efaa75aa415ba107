"""The breaker: more new findings in five minutes than anybody reads become one message with the list.

The findings themselves stay in the ledger as they are, each with its own count; only the telling is gathered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from callerid.judgement import Severity
from callerid.ledger.alert import Alert, Channel, Due
from callerid.ledger.fold import look_after
from callerid.ledger.outbox import REMEMBERED_SECONDS
from callerid.ledger.rows import digest
from callerid.ledger.store import Store
from callerid.ledger.work import Work, write

MOST_NEW = 20
"""New findings in one channel within five minutes that are posted one by one."""
MOST_TOLD = 2_000
"""Findings of one storm. Its row names them all, within what any store takes and a sender reads in seconds; a larger
storm is several messages."""
_AT_ONCE = 30
"""Findings that one write gathers: two rows each, within what any store takes."""
PREFIX = "storm-"
"""Of a storm's key: no finding has such a one."""


def gather(
    store: Store,
    name: str,
    keys: Sequence[str],
    *,
    now: float,
    pause: Callable[[float], object],
    has_time: Callable[[], bool],
) -> Sequence[str]:
    """Return which of the new findings of a channel are to be posted one by one.

    Where they are too many, or a storm is on, they become members of the storm, whose own row in the outbox is
    returned where the storm's message is still to be posted. What ``has_time`` leaves over waits for the next run.
    """
    keys = [key for key in keys if not key.startswith(PREFIX)]
    if not keys:
        return keys
    work = Work(store)
    channel = work.get(Channel.key(name), Channel) or Channel(name)
    is_on = now - channel.storm_heard < REMEMBERED_SECONDS and _is_open(work, channel.storm)
    recent = sum(at > now - REMEMBERED_SECONDS for at in channel.posts)
    if not is_on and recent + len(keys) <= MOST_NEW:
        return keys
    storm = channel.storm if is_on and channel.storm else _key(name, now)
    kept: list[str] = []
    for start in range(0, len(keys), _AT_ONCE):
        some = keys[start : start + _AT_ONCE]
        storm, alone = write(store, partial(_gather, name=name, storm=storm, keys=some, now=now), pause=pause)
        kept += (storm, *alone)
        if not has_time():
            break
    return list(dict.fromkeys(kept))


def _is_open(work: Work, storm: str | None) -> bool:
    """Tell a storm that more may join: one that somebody settled calls nobody any more."""
    row = work.get(Alert.row(storm), Alert) if storm else None
    return row is not None and row.settled is None


def _key(name: str, now: float, after: str = "") -> str:
    return f"{PREFIX}{digest(name, str(now), after)[:16]}"


def _gather(work: Work, *, name: str, storm: str, keys: Sequence[str], now: float) -> tuple[str, list[str]]:
    """Make findings members of a storm, or of the one after it where it is full or settled.

    Return which storm, and the findings that another storm told and that have become graver since: they stand alone.
    """
    work.fetch((*map(Alert.row, (storm, *keys)), *map(Due.key, (storm, *keys)), Channel.key(name)))
    found = [alert for key in keys if (alert := work.get(Alert.row(key), Alert)) and _is_waiting(alert, now)]
    alone = [alert.key for alert in found if alert.storm not in (None, storm)]
    members = [alert for alert in found if alert.storm in (None, storm)]
    if not members:
        return storm, alone
    row = work.get(Alert.row(storm), Alert)
    if row is not None and (row.settled is not None or len(row.members) + len(members) > MOST_TOLD):
        storm, row = _key(name, now, storm), None
    row = row or _opened(storm, name, members[0], now)
    row.members = tuple(dict.fromkeys((*row.members, *(alert.key for alert in members))))
    gravest = max((row.severity, *(alert.severity for alert in members)), key=lambda word: Severity(word).rank)
    if gravest != row.severity and row.state != "pending":
        row.announce += (f"Now {gravest}, was {row.severity}.",)  # an edit calls nobody
    row.severity = gravest
    row.mention = row.mention or next((alert.mention for alert in members if alert.mention), "")
    row.heard = now
    work.put(Alert.row(storm), row, expires=row.expires)
    for alert in members:
        alert.state, alert.storm = "in-storm", storm
        work.put(Alert.row(alert.key), alert, expires=alert.expires)
        work.delete(Due.key(alert.key))
    look_after(work, row, now)
    channel = work.get(Channel.key(name), Channel) or Channel(name)
    channel.storm, channel.storm_heard = storm, now
    work.put(Channel.key(name), channel)
    return storm, alone


def _is_waiting(alert: Alert, now: float) -> bool:
    return alert.state == "pending" or (alert.state == "sending" and alert.lease <= now)


def _opened(key: str, name: str, first: Alert, now: float) -> Alert:
    return Alert(
        key=key,
        window=1,
        opened=now,
        heard=now,
        line=first.line,
        rule="storm",
        who="",
        origin="",
        severity=first.severity,
        channel=name,
        announced=now,
    )
