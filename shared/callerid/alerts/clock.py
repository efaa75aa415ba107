"""Time as the sender sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Clock(NamedTuple):
    """The time in seconds since 1970, and how to wait between two messages."""

    now: Callable[[], float]
    pause: Callable[[float], object]
