"""Moments, as either cloud writes them, in one spelling."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?\s*(Z|UTC|[+-]\d\d:?\d\d)?", re.ASCII)
_PLAIN = re.compile(
    r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?Z", re.ASCII
)
"""What both clouds write, on the days that every month has: nothing to convert, nothing to check."""
_MICROSECONDS = len("2026-11-02T03:00:00.123456Z")
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z")


@lru_cache(maxsize=4096)
def utc(text: str | None) -> str | None:
    """Return a moment as RFC 3339 in UTC, cut to microseconds, or None where it is none.

    A moment without a zone is UTC, as both clouds mean it. Google's nanoseconds are cut because its client
    library cuts them too, and an entry must have one key whichever way it came.

    >>> utc("2026-11-02T12:00:00.123456789+09:00")
    '2026-11-02T03:00:00.123456Z'
    """
    if text is None or _PLAIN.fullmatch(text):
        return text if text is None or len(text) <= _MICROSECONDS else f"{text[: _MICROSECONDS - 1]}Z"
    found = _MOMENT.fullmatch(_COMPACT.sub(r"\1-\2-\3T\4:\5:\6Z", text))
    if found is None:
        return None
    day, clock, fraction, zone = found.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone in (None, 'Z', 'UTC') else zone}").astimezone(
            UTC
        )
    except (ValueError, OverflowError):
        return None
    decimals = f".{fraction[:6]}" if fraction else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{decimals}Z"


def epoch(moment: str) -> float:
    """Return a moment in RFC 3339 as seconds since 1970."""
    return datetime.fromisoformat(moment).timestamp()


def at(seconds: float) -> str:
    """Return seconds since 1970 as RFC 3339 in UTC, to the second.

    >>> at(0)
    '1970-01-01T00:00:00Z'
    """
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
