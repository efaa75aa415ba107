"""What a person asks for, in whichever of its names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from callerid.names import arn, principal
from callerid.names.short import short
from callerid.trace.link import Link, Mark, Sign, seconds

_KEY = re.compile(r"A[SK]IA[A-Z0-9_]{12,124}", re.ASCII)
_SHORT = re.compile(r"(?:role|user)/[^/:\s]+")
"""A role or user of whichever account, as the table of a scan prints it."""
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)


class Query(Struct, frozen=True):
    """The marks that are wanted, any of which will do, and from when to when."""

    text: str
    marks: frozenset[Mark]
    names: frozenset[str]
    """Subjects, session names, unique ids and the like, also the best name of who called and of what was made."""
    records: frozenset[str]
    since: str | None = None
    until: str | None = None
    shorts: frozenset[str] = frozenset()
    """Roles and users by their bare names."""
    roles: frozenset[str] = frozenset()
    """The ARNs of roles: another cloud's log names a session of one, and says no more of the role."""

    def wants(self, link: Link) -> bool:
        """Tell whether a link is one that was asked for. Every link passes here once."""
        if self.marks.isdisjoint(link.makes) and self.marks.isdisjoint(link.uses):
            is_named = self.names and (
                not self.names.isdisjoint(link.names) or link.who in self.names or link.made in self.names
            )
            is_named = is_named or (self.shorts and not self.shorts.isdisjoint((_short(link.who), _short(link.made))))
            is_named = is_named or (self.roles and not self.roles.isdisjoint((_role_of(link.who), _role_of(link.made))))
            if not is_named and not (self.records and not link.calls and self._names_record(link)):
                return False
        return self.in_time(link)

    def _names_record(self, link: Link) -> bool:
        """Tell whether one of the ids is the link's; Google's insert id is the end of an entry's key."""
        if link.access_id in self.records or link.access_id.rpartition("/")[2] in self.records:
            return True
        return any(at.record_id in self.records for at in link.records)

    def in_time(self, link: Link) -> bool:
        """Tell whether a link is of the time that was asked for; what shows no time is of none."""
        if self.since is None and self.until is None:
            return True
        first, last = link.time, link.last or link.time
        if first is None or last is None:
            return False
        is_since = self.since is None or seconds(last) >= seconds(self.since)
        return is_since and (self.until is None or seconds(first) < _end_of(self.until))


def _end_of(until: str) -> float:
    """Return when a time is over: of one without a fraction, as a chain shows it, the whole second is meant."""
    return seconds(until) + (1 if "." not in until else 1e-6)


def _short(name: str | None) -> str | None:
    """Return a name as a scan prints it; of one that came through a pool the subject's."""
    return short(_held(name)).name if name else None


def _role_of(name: str | None) -> str | None:
    """Return the ARN of the role that a name is of, also of one that came through a pool."""
    found = arn.role_of(_held(name)) if name else None
    return found.arn if found else None


def _held(name: str) -> str:
    held = principal.parse(name)
    return held.subject if held else name


def parse(text: str, *, names: Iterable[str] = (), since: str | None = None, until: str | None = None) -> Query:
    """Return the query that a text is. ``names`` are further names of the same caller, from the policy.

    A record's id, an access key's id, the ARN of a session or role, a principal or service account say by their
    form what they are; anything else is a name: a subject, a session name, a source identity, a unique id, or
    ``role/NAME``, which logs alone are searched for, as it leaves the account open.
    """
    text = principal.canonical(text) if principal.is_principal(text) else text
    every = [_marks(name) for name in (text, *names)]
    wanted = frozenset(mark for marks in every for mark in marks)
    named = frozenset(mark.value for mark in wanted if mark.sign is Sign.NAME)
    records = frozenset(mark.value for mark in wanted if mark.sign is Sign.RECORD)
    shorts = frozenset(filter(_SHORT.fullmatch, (text, *names)))
    roles = frozenset(mark.value for mark in wanted if mark.sign is Sign.ROLE)
    return Query(text, wanted, named, records, since, until, shorts, roles)


def together(queries: Sequence[Query]) -> Query:
    """Return the query that wants whatever one of several wants; they are of one time, and at least one."""
    return Query(
        queries[0].text,
        frozenset(mark for query in queries for mark in query.marks),
        frozenset(name for query in queries for name in query.names),
        frozenset(record for query in queries for record in query.records),
        queries[0].since,
        queries[0].until,
        frozenset(name for query in queries for name in query.shorts),
        frozenset(name for query in queries for name in query.roles),
    )


def _marks(text: str) -> tuple[Mark, ...]:
    return tuple(Mark(sign, _role(text) if sign is Sign.ROLE else text) for sign in _signs(text))


def _signs(text: str) -> tuple[Sign, ...]:
    found = arn.parse(text)
    if _KEY.fullmatch(text):
        return (Sign.KEY,)
    if found is not None and found.type == "role":
        return (Sign.ROLE, Sign.NAME)
    if found is not None and found.type in ("assumed-role", "federated-user"):
        return (Sign.SESSION, Sign.NAME)
    if principal.is_principal(text):
        return (Sign.PRINCIPAL, Sign.NAME)
    if principal.is_service_account(text):
        return (Sign.ACCOUNT, Sign.NAME)
    if _UUID.fullmatch(text):
        return (Sign.RECORD, Sign.NAME)
    return (Sign.NAME, Sign.RECORD, Sign.ROLE_ID, Sign.UNIQUE_ID)


def _role(text: str) -> str:
    found = arn.role_of(text)
    return found.arn if found else text
