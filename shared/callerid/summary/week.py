"""ISO weeks, in whichever time zone their readers are: which hours, in UTC, belong to one.

https://en.wikipedia.org/wiki/ISO_week_date: a week belongs to the year that its Thursday is in.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

_LABEL = re.compile(r"(\d{4})-?W(\d{2})", re.ASCII)


class WeekError(ValueError):
    """Text that names no week, or a zone that there is none of; the message says what was expected."""


class Week(NamedTuple):
    """One ISO week in one time zone."""

    label: str
    """``2026-W47``."""
    start: datetime
    end: datetime
    """The first moment after it; both in UTC."""
    zone: str

    def has(self, day: str, clock: str) -> bool:
        """Tell whether an hour of the ledger, ``2026-11-16`` and ``03``, belongs to the week."""
        return _hour(self.start) <= f"{day}T{clock}" < _hour(self.end)

    @property
    def days(self) -> list[str]:
        """Return the UTC days that the week has hours of, eight of them where it begins within one."""
        first, last = self.start.date(), (self.end - timedelta(microseconds=1)).date()
        return [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]

    def before(self, weeks: int) -> Week:
        """Return the week so many weeks earlier."""
        monday = self.start.astimezone(ZoneInfo(self.zone)).date()
        return _week(monday - timedelta(weeks=weeks), self.zone)


def week(label: str, zone: str = "UTC") -> Week:
    """Return the week of a label, ``2026-W47``.

    Raises:
        WeekError: for anything else, or an unknown time zone.
    """
    found = _LABEL.fullmatch(label)
    try:
        if found is None:
            raise WeekError(f"{label!r}: expected an ISO week such as 2026-W47")
        return _week(date.fromisocalendar(int(found[1]), int(found[2]), 1), _known(zone))
    except ValueError as error:
        raise error if isinstance(error, WeekError) else WeekError(f"{label!r}: {error}") from error


def last_whole_week(now: float, zone: str = "UTC") -> Week:
    """Return the latest week that is over at ``now``, in seconds since 1970.

    Raises:
        WeekError: for an unknown time zone.
    """
    today = datetime.fromtimestamp(now, ZoneInfo(_known(zone))).date()
    return _week(today - timedelta(days=today.weekday() + 7), zone)


def _known(zone: str) -> str:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise WeekError(f"{zone!r}: expected a time zone such as Europe/Berlin or UTC") from error
    return zone


def _week(monday: date, zone: str) -> Week:
    year, number, _ = monday.isocalendar()
    start = datetime.combine(monday, time(), ZoneInfo(zone))
    end = datetime.combine(monday + timedelta(days=7), time(), ZoneInfo(zone))
    return Week(f"{year}-W{number:02}", start.astimezone(UTC), end.astimezone(UTC), zone)


def _hour(moment: datetime) -> str:
    """Return the first whole hour from a moment on: where zones begin within an hour, it counts to the week before."""
    whole = moment if not moment.minute else moment + timedelta(hours=1)
    return f"{whole:%Y-%m-%dT%H}"
