"""Yes, no, or not known, and what it hangs on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Answer(NamedTuple):
    """Whether something holds: None where that can't be told, for want of ``doubts``."""

    truth: bool | None
    doubts: frozenset[str] = frozenset()

    @property
    def negated(self) -> Answer:
        """Return the opposite; not known stays so."""
        return self if self.truth is None else Answer(not self.truth)

    @property
    def hangs(self) -> str:
        """Return in words what one that can't be told hangs on."""
        return f"hangs on {', '.join(sorted(self.doubts))}"


YES, NO = Answer(truth=True), Answer(truth=False)


def unknown(*doubts: str) -> Answer:
    """Return that something can't be told, and why."""
    return Answer(None, frozenset(doubts))


def of(truth: object) -> Answer:
    """Return what is known."""
    return YES if truth else NO


def every(answers: Iterable[Answer]) -> Answer:
    """Return whether all hold: one that does not decides, whatever is not known of the others."""
    doubts: set[str] = set()
    is_known = True
    for one in answers:
        if one.truth is False:
            return NO
        is_known = is_known and one.truth is True
        doubts |= one.doubts
    return YES if is_known else Answer(None, frozenset(doubts))


def some(answers: Iterable[Answer]) -> Answer:
    """Return whether any holds."""
    return every(one.negated for one in answers).negated
