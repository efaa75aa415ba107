"""Units cut into pieces, and pieces into what one write of a store may hold.

How many rows a piece takes is an estimate: what turns out to be too much is written half by half.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from callerid.access import Occurrence
from callerid.ledger.part import Unit
from callerid.trace.held import Held, gathered
from callerid.trace.link import Link

_ROWS_OF_UNIT = 4
"""Count, seen, source and a share of the marker."""
_ROWS_OF_FINDING = 3
_ROWS_OF_ISSUE = 8
"""The session's own, and what points to it."""


class Piece(NamedTuple):
    """A part of a unit that is written at once."""

    unit: Unit
    singles: Sequence[Occurrence]
    is_last: bool
    """Whether the unit is complete with it."""
    held: Held
    """What these records say of sessions."""

    @property
    def is_ahead(self) -> bool:
        """Tell sessions of records that are counted with a later piece. To write them again changes nothing."""
        return not self.singles and not self.is_last

    def rows(self, most: int) -> int:
        """Return about how many rows it takes."""
        calls = min(len(self.held.singles) + len(self.held.calls), sessions_at_once(most))
        own = len(self.singles) + _ROWS_OF_UNIT + _ROWS_OF_FINDING * self.unit.is_finding
        return own + _ROWS_OF_ISSUE * len(self.held.issues) + calls


def sessions_at_once(most: int) -> int:
    """Return of how many sessions one piece writes the calls at most, where a write may have ``most`` rows."""
    return max(1, most // 6)


def chunks(units: Sequence[Unit], most: int) -> Iterator[list[Piece]]:
    """Yield what is written at once: as many units as one write takes, and large ones in pieces."""
    chunk: list[Piece] = []
    rows = 1
    for unit in units:
        for piece in _pieces(unit, most):
            size = piece.rows(most)
            if chunk and rows + size > most:
                yield chunk
                chunk, rows = [], 1
            chunk.append(piece)
            rows += size
    if chunk:
        yield chunk


def _pieces(unit: Unit, most: int) -> Iterator[Piece]:
    held = gathered(unit.sessions)
    room = most - 2 * _ROWS_OF_UNIT - (sessions_at_once(most) if held else 0)
    if not unit.singles:
        yield from _of_mass(unit, held, max(1, room // _ROWS_OF_ISSUE))
        return
    step = max(1, room // (1 + _ROWS_OF_ISSUE if held.issues else 1))
    starts = range(0, len(unit.singles), step)
    for start in starts:
        records, is_last = unit.singles[start : start + step], start == starts[-1]
        yield Piece(unit, records, is_last, held.of(records, is_last=is_last))


def _of_mass(unit: Unit, held: Held, step: int) -> Iterator[Piece]:
    """Yield a unit that is counted in one go, and before it the sessions that do not fit in beside the count."""
    issues = iter(held.issues.items())
    ahead = len(held.issues) - step
    while ahead > 0:
        yield Piece(unit, (), is_last=False, held=Held(_some(issues, min(step, ahead))))
        ahead -= step
    yield Piece(unit, (), is_last=True, held=Held(dict(issues), held.singles, held.calls))


def _some(issues: Iterator[tuple[str, Link]], number: int) -> dict[str, Link]:
    return dict(islice(issues, number))


def halves(pieces: Sequence[Piece]) -> tuple[Sequence[Piece], Sequence[Piece]]:
    """Return what is too much for one write as two."""
    middle = len(pieces) // 2
    if middle:
        return pieces[:middle], pieces[middle:]
    ((unit, singles, is_last, held),) = pieces
    if len(singles) > 1:
        some, others = singles[: len(singles) // 2], singles[len(singles) // 2 :]
        first = Piece(unit, some, is_last=False, held=held.of(some, is_last=False))
        return [first], [Piece(unit, others, is_last, held.of(others, is_last=is_last))]
    if not singles and len(held.issues) > 1:
        issues = iter(held.issues.items())
        first = Piece(unit, (), is_last=False, held=Held(_some(issues, len(held.issues) // 2)))
        return [first], [Piece(unit, (), is_last, Held(dict(issues), held.singles, held.calls))]
    raise AssertionError("one record needs more rows than a write of this store may have")
