"""Log files into figures: through a ledger of their own, so that they count exactly as the real one does.

Two copies of one call count once, repeats fold into one finding, whatever the ledger's rules are: they are not
written a second time here. The ledger is a file that goes away afterwards, so memory does not follow the logs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from callerid import moment, scan
from callerid.ledger.part import UNDATED, Unit
from callerid.ledger.record import Recorder
from callerid.ledger.sqlite import SqliteStore
from callerid.ledger.store import Store
from callerid.monitor import briefing
from callerid.policy.book import Book
from callerid.report.figures import MOST_DAYS, Figures, figures

_LEFT_OUT = f"days with records, after today or more than {MOST_DAYS} days before the last"


class _Keep:
    """Records the blocks of a scan's files, and notes their days."""

    sessions = False
    """The page shows counts."""

    def __init__(self, store: Store, book: Book | None, now: float) -> None:
        self._recorder = Recorder(store, briefing(book))
        self._now = now
        self.days: set[str] = set()

    def __call__(self, units: Sequence[Unit], marker: str | None, /) -> None:
        """Record the units of one block."""
        self.days.update(unit.day for unit in units)
        self._recorder.record(units, now=self._now, marker=marker)


def read(
    paths: Sequence[str],
    book: Book | None,
    *,
    since: str | None,
    until: str | None,
    now: float,
    done: Callable[[str], object] = lambda path: None,
) -> tuple[Figures, scan.Tally]:
    """Return the figures of log files, and what a scan counts of them. Without bounds the period is that of the logs.

    ``now`` is the time of day in seconds since 1970: a record from the future does not stretch the period.
    ``done`` is called with each file that was read.
    """
    today = moment.at(now)[:10]
    with TemporaryDirectory(prefix="callerid-") as folder:
        store = SqliteStore(Path(folder) / "ledger.db")
        try:
            keep = _Keep(store, book, now)
            nothing = scan.Select(groups=False)
            tally = scan.scan(paths, book, select=nothing, emit=lambda line: None, keeper=lambda: keep, done=done)
            first, last = _bounds(keep.days, today)
            first, last = since or min(first, until or last), until or max(last, since or first)
            found = figures(store, since=first, until=last, today=today, book=book)
            asked = {day for day in keep.days - {UNDATED} if (since or day) <= day <= (until or day)}
            if left_out := len(asked.difference(found.days)):
                tally.passed_over[_LEFT_OUT] = left_out
        finally:
            store.close()
    return found, tally


def _bounds(days: set[str], today: str) -> tuple[str, str]:
    """Return the first and last day of the logs; where there is none, the day it is."""
    known = sorted(day for day in days if day != UNDATED and day <= today)
    return (known[0], known[-1]) if known else (today, today)
