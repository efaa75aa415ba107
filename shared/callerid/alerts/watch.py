"""When the monitor is what is broken: each trouble is told once, another way, and once more when it is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from callerid import moment
from callerid.alerts.second import SecondWay
from callerid.ledger import ask
from callerid.ledger.alert import Due, Trouble
from callerid.ledger.rows import DAY, Source
from callerid.ledger.store import Store
from callerid.ledger.work import Work, write

WAITING_SECONDS = 600
"""An alert that waits longer than this is late, whatever the reason."""
MOST_WAITING = 1000
SILENT_SECONDS = 5400
"""How long a busy log may be silent. CloudTrail delivers within 15 minutes, a log sink within one."""
BUSY_HOURS = 20
"""In so many of the last 24 hours a log must have been heard to count as busy."""
QUIET_LOG_SECONDS = 2 * DAY
"""How long a log that is heard every day may be silent."""
_REGULAR_DAYS = 5
_LOOK_BACK_DAYS = 8


class Ill(NamedTuple):
    """One thing that is wrong: what it is called, and what a person reads."""

    what: str
    text: str


def watch(
    store: Store, second: SecondWay, *, now: float, pause: Callable[[float], object], policy: str | None = None
) -> list[str]:
    """Tell what is wrong that was not told yet, and what is mended; return what is wrong now.

    ``policy`` is what is wrong with the newest policy, where something is.

    Raises:
        UnavailableError: where the ledger does not answer. Whatever ``second`` raises: it is told again next time.
    """
    heard = ask.heard(store, [moment.at(now - back * DAY)[:10] for back in range(_LOOK_BACK_DAYS)])
    ills = [Ill("policy", f"The last good policy stays in force: {policy}")] if policy else []
    waiting = [due for due in ask.outbox(store).values() if not due.posted]
    ills += [*_channels(store, waiting), *_outbox(waiting, now), *_silent(heard, now)]
    known = {sort: msgspec.json.decode(row.data, type=Trouble) for sort, row in store.list("trouble")}
    for ill in ills:
        if Trouble.key(ill.what).sort not in known:
            second.tell("callerid needs you", ill.text)
            trouble = Trouble(ill.what, now, ill.text)
            write(store, partial(Work.put, key=Trouble.key(ill.what), row=trouble), pause=pause)
    current = {ill.what for ill in ills}
    last = {_silence(*log): _last(days) for log, days in heard.items()}
    for sort, trouble in known.items():
        is_silent = trouble.what.startswith(_SILENCE) and last.get(trouble.what, 0) < trouble.since - SILENT_SECONDS
        if trouble.what in current or is_silent:  # a log is heard again when it is, not when it is forgotten
            continue
        minutes = int((now - trouble.since) // 60)
        second.tell("callerid is well again", f"Over after {minutes:,} minutes: {trouble.text}")
        write(store, partial(Work.delete, key=Trouble.key("")._replace(sort=sort)), pause=pause)
    return [ill.text for ill in ills]


def _channels(store: Store, waiting: Sequence[Due]) -> Iterator[Ill]:
    for channel in ask.broken(store):
        behind = sum(due.channel == channel.name for due in waiting)
        name = channel.name or "the default channel"
        text = (
            f"Slack refuses {name}: {channel.broken}, since {moment.at(channel.broken_since)}. "
            f"{behind:,} {'alert waits' if behind == 1 else 'alerts wait'} in the ledger until it is mended; "
            "`callerid alerts` lists what waits."
        )
        yield Ill(f"channel {channel.name} {channel.broken}", text)


def _outbox(waiting: Sequence[Due], now: float) -> Iterator[Ill]:
    since = [due.since for due in waiting]
    if since and (now - min(since) > WAITING_SECONDS or len(since) > MOST_WAITING):
        oldest = moment.at(min(since))
        many = "1 alert is" if len(since) == 1 else f"{len(since):,} alerts are"
        yield Ill("outbox", f"{many} not posted, the oldest since {oldest}. What waits, waits in the ledger.")


_SILENCE = "silent "


def _silence(cloud: str, account: str, region: str) -> str:
    return f"{_SILENCE}{cloud} {account} {region}"


def _silent(heard: dict[tuple[str, str, str], list[Source]], now: float) -> Iterator[Ill]:
    """Yield the logs that used to be heard and are silent."""
    for log, days in sorted(heard.items()):
        last = _last(days)
        hours = ask.hours_before(days, last)
        limit = SILENT_SECONDS if hours >= BUSY_HOURS else QUIET_LOG_SECONDS if len(days) >= _REGULAR_DAYS else None
        if limit is not None and now - last > limit:
            usual = f"in {hours} of 24 hours" if hours >= BUSY_HOURS else "every day"
            name = " ".join(filter(None, log))
            text = f"The watcher is blind: nothing from {name} since {moment.at(last)}, a log that was heard {usual}."
            yield Ill(_silence(*log), text)


def _last(days: Sequence[Source]) -> float:
    return max(moment.epoch(source.last) for source in days if source.last)
