"""What people ask the ledger about its alerts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import msgspec

from callerid import moment
from callerid.judgement import Severity
from callerid.ledger.alert import Alert, Channel, Due, Tally, Told, Trouble
from callerid.ledger.fold import total
from callerid.ledger.outbox import Counts
from callerid.ledger.rows import DAY, Source
from callerid.ledger.store import Store
from callerid.ledger.work import Work, write


class UnknownAlertError(Exception):
    """An id that is no alert's, or several alerts'; the message says which."""


def alerts(store: Store) -> list[Counts]:
    """Return every alert with its count, the gravest first, and of these the latest heard."""
    found = [msgspec.json.decode(row.data, type=Alert) for _, row in store.list("alert")]
    by_key = {alert.key: alert for alert in found}
    work = Work(store, (Tally.key(alert.key, shard) for alert in found for shard in range(store.shards)))
    tallies = {alert.key: total(work, alert) for alert in found}
    for storm in found:
        told = [alert for key in storm.members if (alert := by_key.get(key)) and alert.storm == storm.key]
        tallies[storm.key].count += storm.gone + sum(tallies[alert.key].count for alert in told)
    counted = [Counts(alert, tallies[alert.key]) for alert in found]
    return sorted(counted, key=lambda counts: (-Severity(counts.alert.severity).rank, -counts.alert.heard))


def outbox(store: Store) -> dict[str, Due]:
    """Return what is to be looked after, by the alert's key."""
    return {key: msgspec.json.decode(row.data, type=Due) for key, row in store.list("outbox")}


def broken(store: Store) -> list[Channel]:
    """Return the channels that somebody must mend."""
    channels = [msgspec.json.decode(row.data, type=Channel) for _, row in store.list("channel")]
    return [channel for channel in channels if channel.broken is not None]


def troubles(store: Store) -> list[Trouble]:
    """Return what is wrong with the monitor itself."""
    return [msgspec.json.decode(row.data, type=Trouble) for _, row in store.list("trouble")]


Log = tuple[str, str, str]
"""A log by its cloud, account and region; a part that it has not is empty."""


def heard(store: Store, days: Iterable[str]) -> dict[Log, list[Source]]:
    """Return the logs that were heard on these days, each with its days."""
    found: dict[Log, list[Source]] = {}
    for day in days:
        for _, row in store.list(Source.partition(day)):
            source = msgspec.json.decode(row.data, type=Source)
            found.setdefault((source.cloud, source.account, source.region), []).append(source)
    return found


def hours_before(days: Iterable[Source], last: float) -> int:
    """Return in how many of the 24 hours up to ``last``, in seconds since 1970, a log was heard."""
    starts = [
        moment.epoch(f"{source.day}T00:00:00Z") + hour * 3600
        for source in days
        for hour in range(24)
        if source.hours >> hour & 1
    ]
    return sum(last - DAY < start <= last for start in starts)


def find(store: Store, prefix: str) -> Alert:
    """Return the alert whose id begins so.

    Raises:
        UnknownAlertError: where none does, or several do.
    """
    found = [msgspec.json.decode(row.data, type=Alert) for key, row in store.list("alert") if key.startswith(prefix)]
    if len(found) != 1:
        many = ", ".join(alert.key for alert in found[:5])
        raise UnknownAlertError(f"{prefix!r} is {f'the beginning of several: {many}' if found else 'no alert here'}")
    return found[0]


def settle_alert(store: Store, key: str, told: Told) -> None:
    """Note that somebody settled a finding: it is counted on, and announced no more in this window.

    With a storm all that it tells is settled.
    """

    def step(work: Work) -> Sequence[str]:
        alert, due = work.get(Alert.row(key), Alert), work.get(Due.key(key), Due)
        if alert is None:
            return ()
        alert.settled, alert.announce = told, ()
        work.put(Alert.row(key), alert, expires=alert.expires)
        row = due or Due(told.at, told.at, 0, alert.channel, alert.severity, posted=alert.state != "pending")
        row.at, row.until = min(row.at, told.at), max(row.until, told.at + 60)
        work.put(Due.key(key), row)
        return alert.members

    for member in write(store, step):
        write(store, partial(_settle_member, storm=key, key=member, told=told))


def _settle_member(work: Work, *, storm: str, key: str, told: Told) -> None:
    alert = work.get(Alert.row(key), Alert)
    if alert is not None and alert.state == "in-storm" and alert.storm == storm and alert.settled is None:
        alert.settled, alert.announce = told, ()
        work.put(Alert.row(key), alert, expires=alert.expires)
