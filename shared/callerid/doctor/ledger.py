"""What the ledger heard: the last record of each log, and what the monitor itself says is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from callerid import moment
from callerid.alerts.watch import BUSY_HOURS, QUIET_LOG_SECONDS, SILENT_SECONDS
from callerid.doctor.check import Finding, UnknownError, broken, ok, warning
from callerid.doctor.sample import ACCOUNT, PROJECT
from callerid.ledger import ask
from callerid.ledger.rows import DAY, Source
from callerid.ledger.store import Store, UnavailableError

LOOK_BACK_DAYS = 8
_CLOUDS = {"aws": "AWS", "gcp": "Google Cloud"}


def examine(store: Store, clouds: Sequence[str], *, now: float) -> Iterator[Finding]:
    """Yield a line for each log that was heard lately, one for each cloud that was not, and the monitor's troubles.

    Canaries are no log: a monitor that hears nothing else is blind.

    Raises:
        UnknownError: where the ledger does not answer.
    """
    try:
        dates = [moment.at(now - back * DAY)[:10] for back in range(-1, LOOK_BACK_DAYS)]  # a clock may be ahead
        heard = ask.heard(store, dates)
        troubles = ask.troubles(store)
    except UnavailableError as error:
        raise UnknownError(f"the ledger does not answer: {error}", "Credentials, region, network?") from error
    for cloud in clouds:
        logs = {log: days for log, days in heard.items() if log[0] == cloud and log[1] not in (ACCOUNT, PROJECT)}
        if not logs:
            found = f"nothing of {_CLOUDS[cloud]} for {LOOK_BACK_DAYS} days"
            yield broken(f"last record of {_CLOUDS[cloud]}", found, "See the lines above; then --canary.")
        for log, days in sorted(logs.items()):
            yield _log(" ".join(filter(None, log[1:])) or _CLOUDS[cloud], days, now)
    for trouble in troubles:
        yield broken(
            "monitor", trouble.text, f"It says so since {moment.at(trouble.since)}; docs, When callerid fails."
        )


def _log(name: str, days: Sequence[Source], now: float) -> Finding:
    """Return how long ago a log was heard, held to how often it usually is."""
    what = f"last record of {name}"
    times = [moment.epoch(source.last) for source in days if source.last]
    if not times:
        return warning(what, "heard, at a time that is not kept", "Look again after the next record.")
    last = max(times)
    found = f"{moment.at(last)}, {_ago(now - last)}"
    hours = ask.hours_before(days, last)
    limit = SILENT_SECONDS if hours >= BUSY_HOURS else QUIET_LOG_SECONDS
    if now - last <= limit:
        return ok(what, found)
    found = f"{found}; in the day before it was heard in {hours} of 24 hours"
    if limit == SILENT_SECONDS:
        return broken(what, found, "See the lines above; then --canary.")
    return warning(what, found, "Quiet, or blind: --canary tells.")


def _ago(seconds: float) -> str:
    minutes = max(0, int(seconds // 60))
    for size, word in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size:
            number = minutes // size
            return f"{number} {word}{'s' if number > 1 else ''} ago"
    return "just now"
