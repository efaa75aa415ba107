"""What people ask the ledger about its alerts."""

from __future__ import annotations

import msgspec

from callerid.judgement import Severity
from callerid.ledger.fold import total
from callerid.ledger.outbox import Counts
from callerid.ledger.rows import Alert, Channel, Due, Tally, Told, Trouble
from callerid.ledger.store import Store
from callerid.ledger.work import Work, settle


class UnknownAlertError(Exception):
    """An id that is no alert's, or several alerts'; the message says which."""


def alerts(store: Store) -> list[Counts]:
    """Return every alert with its count, the gravest first, and of these the latest heard."""
    found = [msgspec.json.decode(row.data, type=Alert) for _, row in store.list("alert")]
    work = Work(store, (Tally.key(alert.key, shard) for alert in found for shard in range(store.shards)))
    counted = [Counts(alert, total(work, alert)) for alert in found]
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
    """Note that somebody settled a finding: it is counted on, and announced no more in this window."""

    def step(_: int) -> None:
        work = Work(store)
        alert, due = work.get(Alert.row(key), Alert), work.get(Due.key(key), Due)
        if alert is None:
            return
        alert.settled, alert.announce = told, ()
        work.put(Alert.row(key), alert, expires=alert.expires)
        row = due or Due(told.at, told.at, 0, alert.channel, alert.severity, posted=alert.state != "pending")
        row.at, row.until = min(row.at, told.at), max(row.until, told.at + 60)
        work.put(Due.key(key), row)
        work.commit()

    settle(step)


__all__ = ["UnknownAlertError", "alerts", "broken", "find", "outbox", "settle_alert", "troubles"]
