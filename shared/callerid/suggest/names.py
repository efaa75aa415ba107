"""What a suggested caller is called: what its sessions or its address already call it, where that is one name.

``equals: caller`` compares with the name, so the name that every session of a caller bears is the best one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from callerid.access import Outcome
from callerid.entry import name_of
from callerid.names import principal
from callerid.policy.identity import Key
from callerid.policy.model import Identity
from callerid.policy.requirements import is_generic
from callerid.suggest.sight import Held, Sight

_NAME = re.compile(r"[A-Za-z][\w+=,.@-]{1,63}", re.ASCII)
"""A name that a session may bear, and that needs no quotes."""
_DIGIT = re.compile(r"[0-9]{3}|-[0-9]+$")
"""A number of a run or a day: what is called so today is called otherwise tomorrow."""


class Names:
    """Names for workloads, each given once, and none that another one already goes by."""

    def __init__(self, sights: Iterable[tuple[Key, Sight]], taken: set[str], users: dict[str, set[Key]]) -> None:
        self._taken = taken
        self._users = users
        """Whose user names are whose: a caller may be called like its own user, and like no other's."""
        self._sources: dict[Key, Held] = {}
        self._sessions: dict[Key, Held] = {}
        for workload, sight in sights:
            if sight.access.outcome is Outcome.ALLOWED:
                _merge(self._sources.setdefault(workload, Held()), sight.sources)
                _merge(self._sessions.setdefault(workload, Held()), sight.sessions)
        self._common = _common(self._sessions.values())

    def name(self, workload: Key, identities: list[Identity]) -> str:
        """Return the name of a workload and keep it from all others."""
        for candidate in self._candidates(workload, identities):
            if not self._is_taken(candidate, workload):
                self._taken.add(candidate)
                return candidate
        made = name_of(identities[0], lambda name: self._is_taken(name, workload))
        self._taken.add(made)
        return made

    def _is_taken(self, name: str, workload: Key) -> bool:
        return name in self._taken or bool(self._users.get(name, set()) - {workload})

    def _candidates(self, workload: Key, identities: list[Identity]) -> Iterator[str]:
        source = _constant(self._sources.get(workload))
        if source:
            yield source
        for identity in identities:
            if identity.email and principal.is_service_account(identity.email):
                yield identity.email.partition("@")[0]
        is_named = any(identity.aws_role or identity.iam_user for identity in identities)
        session = _constant(self._sessions.get(workload))
        if session and not is_named and session not in self._common and not _DIGIT.search(session):
            yield session


def _merge(whole: Held, part: Held) -> None:
    for value in part.values:
        whole.see(value)
    whole.missing += part.missing
    whole.is_more = whole.is_more or part.is_more


def _constant(held: Held | None) -> str | None:
    """Return the one name that every session had, if somebody chose it."""
    if held is None or not held.is_whole or len(held.values) != 1:
        return None
    (value,) = held.values
    return value if _NAME.fullmatch(value) and not is_generic(value) else None


def _common(sessions: Iterable[Held]) -> set[str]:
    """Return the session names that several workloads use: they are no one's name."""
    seen: set[str] = set()
    twice: set[str] = set()
    for held in sessions:
        twice |= seen & held.values
        seen |= held.values
    return twice
