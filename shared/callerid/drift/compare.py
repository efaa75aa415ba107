"""What differs between a cloud's own policies and the caller book, and what the book says as a cloud could say it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from callerid.access import Access
from callerid.judge import judge
from callerid.judgement import Verdict
from callerid.policy.book import Book
from callerid.policy.model import Demand, Presence, Requirement
from callerid.reasons import REASONS


class Sort(StrEnum):
    """What sort of difference it is."""

    TOO_WIDE = "too-wide"
    """The cloud admits somebody whom the book does not."""
    UNLISTED = "unlisted"
    """As too wide, of a target that the book does not name at all."""
    DEAD = "dead"
    """The book allows a caller whom the cloud refuses."""
    MISSING = "missing"
    """The book names a target that the cloud has not."""
    UNSURE = "unsure"
    """It hangs on something that is not known, or not understood."""
    UNUSED = "unused"
    """In neither: a provider that no target trusts and no caller comes through. No drift."""


class Drift(Struct, frozen=True):
    """One difference."""

    sort: Sort
    cloud: str
    target: str
    why: str
    example: str | None = None
    """Somebody who could come; for what is unsure, perhaps."""
    caller: str | None = None
    """The book's caller, where one is refused."""


class Comparison(Struct):
    """All differences, and of how much."""

    found: list[Drift]
    compared: int = 0
    neither: int = 0
    """Targets that the book does not name and that nobody from outside can come to."""
    passed_over: int = 0
    """Targets whose policy the cloud keeps itself."""

    @property
    def is_drift(self) -> bool:
        """Tell whether anything differs, or may: what can't be told is no agreement."""
        return any(one.sort is not Sort.UNUSED for one in self.found)


def strict(book: Book, accounts: Iterable[str]) -> Book:
    """Return the book as a cloud could say it: demands in force, without regular expressions; our accounts are known.

    Without ``aws_accounts`` only those that are compared are ours.
    """
    document = book.document
    own = document.aws_accounts if document.aws_accounts is not None else tuple(accounts)
    requirements = tuple(map(_in_force, document.requirements))
    return Book(replace(document, aws_accounts=own, requirements=requirements), book.digest)


def _in_force(requirement: Requirement) -> Requirement:
    return replace(
        requirement,
        source_identity=_demand(requirement.source_identity),
        session_name=_demand(requirement.session_name),
        role_claim=_presence(requirement.role_claim),
        origin=None,
    )


def _demand(demand: Demand | None) -> Demand | None:
    return replace(demand, matches=None) if demand is not None and demand.mode == "enforce" else None


def _presence(demand: Presence | None) -> Presence | None:
    return demand if demand is not None and demand.mode == "enforce" else None


_INEXPRESSIBLE = frozenset(("session-name-contradicts", "source-identity-appeared", "source-identity-changed"))
"""What compares two sessions, or two names, with each other."""
_NAMES = frozenset(("source-identity-mismatch", "session-name-mismatch"))
"""What compares with a caller's own name: no policy can where the book lists nobody, or two entries for one caller."""


def complaint(access: Access, book: Book, day: str) -> str | None:
    """Return why the book does not admit an access; None where it does, or where no cloud's policy could say it."""
    judgement = judge(access, book, day)
    if judgement.verdict in (Verdict.IDENTIFIED, Verdict.OUT_OF_SCOPE):
        return None
    overlap = len({entry.caller.name for entry in book.find(access.claims, access)}) > 1
    beyond = _INEXPRESSIBLE if book.about(access).guarded and not overlap else _INEXPRESSIBLE | _NAMES
    codes = [code for code in judgement.reasons if REASONS[code].verdict is not None and code not in beyond]
    return REASONS[codes[0]].why if codes else None
