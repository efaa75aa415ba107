"""Requirements that sessions meet already, so that a team sees when one no longer does. All in ``warn``."""

from __future__ import annotations

from collections.abc import Iterable

from callerid.access import Access, Kind, Outcome
from callerid.judge import judge
from callerid.judgement import Verdict
from callerid.names import arn
from callerid.policy.book import Book
from callerid.policy.identity import without_path
from callerid.policy.model import Demand, Document, Requirement
from callerid.policy.requirements import LATER_CALLS
from callerid.refusal.allowed import names_of
from callerid.suggest.sight import Held, Sight

_MAKING = (Kind.ASSUME_ROLE, Kind.WEB_IDENTITY, Kind.SAML, Kind.SWITCH_ROLE, Kind.ROLES_ANYWHERE)
"""Kinds that make a session, for which a caller can choose a name."""


def required(roles: Iterable[str], sights: list[Sight], document: Document) -> list[Requirement]:
    """Return a requirement for each role whose every session bears a source identity, or its caller's name."""
    book = Book(document, "")
    by_role: dict[str, list[Sight]] = {}
    for sight in sights:
        if sight.access.outcome is Outcome.ALLOWED and arn.role_of(sight.access.target):
            by_role.setdefault(without_path(sight.access.target or ""), []).append(sight)
    found = [_requirement(role, by_role.get(without_path(role), []), book) for role in roles]
    return [requirement for requirement in found if requirement is not None]


def _requirement(role: str, sights: list[Sight], book: Book) -> Requirement | None:
    if any(book.about(sight.access).requirements for sight in sights):
        return None
    made = [sight for sight in sights if sight.access.kind not in LATER_CALLS]
    if not made or any(sight.access.kind not in _MAKING for sight in made):
        return None
    named = [(sight, _names(sight, book)) for sight in made]
    by_source = _demand([(sight.sources, names) for sight, names in named], presence=True)
    by_name = _demand([(sight.sessions, names) for sight, names in named], presence=False)
    if by_source is None and by_name is None:
        return None
    return Requirement(roles=(role,), source_identity=by_source, session_name=by_name)


def _names(sight: Sight, book: Book) -> list[str]:
    """Return the names that a session of this caller may bear; none where the caller is not identified."""
    access: Access = sight.access
    judgement = judge(access, book, sight.day)
    caller = book.caller(judgement.caller.name) if judgement.caller else None
    return names_of(caller) if caller and judgement.verdict is Verdict.IDENTIFIED else []


def _demand(held: list[tuple[Held, list[str]]], *, presence: bool) -> Demand | None:
    """Return what every session meets: its caller's name, else, where that alone says something, any value."""
    if not all(one.is_whole for one, _ in held):
        return None
    if all(one.values <= set(names) for one, names in held):
        return Demand(mode="warn", equals="caller")
    return Demand(mode="warn") if presence else None
