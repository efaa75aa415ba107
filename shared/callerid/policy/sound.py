"""What is doubtful about a policy that is valid: it can be used, and it may not say what its author means.

Each doubt is recorded at its line like a fault, and starts with a word of a closed set. The day comes as an
argument, as everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from callerid.access import Access, Cloud, Form, Kind
from callerid.names import github, glob
from callerid.policy.book import Book, is_target
from callerid.policy.fault import Fault
from callerid.policy.identity import Key, keys, without_path
from callerid.policy.model import TARGETS, Caller, Document, Identity, Reach, Requirement
from callerid.policy.shape import Shape
from callerid.policy.slow import slow_part

EXPIRES_SOON_DAYS = 30
_UNFILLED = re.compile(r"\b(?:TODO|FIXME|TBD|XXX)\b|^(?:unknown|nobody|none|n/?a|\?+|-+)$", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"0\d{9,24}")
"""A service account's unique id begins with another digit; one that begins with 0 stands for one."""


def doubts(document: Document, shape: Shape, today: date, soon: timedelta) -> list[Fault]:
    """Return every doubt about a policy, in the order of the file; ``shape`` is where its parts stand."""
    before = len(shape.faults)
    book = Book(document, "")
    for caller in document.callers:
        _expiry(caller, shape, today, soon)
        _owner(caller, shape)
        _reaches(caller, shape)
        _identities(caller, shape)
        _overlaps(caller, book, shape)
    for requirement in document.requirements:
        _unreachable(requirement, book, shape, today)
        _slow(requirement, shape)
    _twice(document, shape)
    found = sorted(set(shape.faults[before:]))
    del shape.faults[before:]
    return found


def _expiry(caller: Caller, shape: Shape, today: date, soon: timedelta) -> None:
    if caller.expires is None:
        return
    if caller.expires < today:
        shape.blame(
            caller, f"expired: {caller.name} matches nobody since {caller.expires}; renew or remove it", "expires"
        )
    elif caller.expires <= today + soon:
        days = (caller.expires - today).days
        shape.blame(caller, f"expires-soon: {caller.name} ends on {caller.expires}, in {days} days", "expires")


def _owner(caller: Caller, shape: Shape) -> None:
    if _UNFILLED.search(caller.owner.strip()):
        shape.blame(caller, f"owner-missing: nobody answers for {caller.name}", "owner")


def _reaches(caller: Caller, shape: Shape) -> None:
    if not caller.may_reach:
        shape.blame(caller, f"reaches-nothing: {caller.name} may reach nothing, so wherever it turns up is a finding")
    for number, reach in enumerate(caller.may_reach):
        if _is_unfilled(reach):
            shape.blame(reach, f"unfilled: a target of {caller.name} says TODO")
        if any(reach != other and _covers(other, reach) for other in caller.may_reach):
            shape.blame(reach, f"duplicate: another target of {caller.name} covers this one already")
        elif reach in caller.may_reach[:number]:
            shape.blame(reach, f"duplicate: {caller.name} has this target twice")
        _wide_target(reach, shape)


def _wide_target(reach: Reach, shape: Shape) -> None:
    value = _value(reach)
    if not glob.is_glob(value):
        return
    rest = value.rpartition(":role/")[2] if reach.aws_role else value.partition("@")[0]
    if reach.aws_role and not glob.literal_prefix(rest):
        shape.blame(reach, f"wide: {value} is every role of the account")
    elif reach.service_account and not glob.literal_prefix(value):
        shape.blame(reach, f"wide: {value} leaves open which account it is")
    elif reach.resource and value.endswith("*") and value[-2:-1] not in ("/", ":"):
        shape.blame(reach, f"wide: {value} ends in the middle of a name, and covers every longer one")


def _identities(caller: Caller, shape: Shape) -> None:
    for number, identity in enumerate(caller.identities):
        if identity in caller.identities[:number]:
            shape.blame(identity, f"duplicate: {caller.name} has this identity twice")
        if _is_unfilled(identity) or _PLACEHOLDER.fullmatch(identity.google_service_account or ""):
            shape.blame(identity, f"unfilled: an identity of {caller.name} still stands for another")
        for message in _wide(identity):
            shape.blame(identity, f"wide: {message}")
        if identity.oidc and any(reach.aws_role and not reach.audience for reach in caller.may_reach):
            shape.blame(identity, f"wide: no audience is listed, so {caller.name} may come with a token for anybody")


def _wide(identity: Identity) -> Iterator[str]:
    """Yield in what way an identity covers more than it looks like."""
    if identity.aws_account:
        yield f"everybody from account {identity.aws_account} is this caller"
    for key in keys(identity):
        if not glob.is_glob(key.value) or key.form is Form.SUBJECT:
            continue
        prefix = glob.literal_prefix(key.value)
        if identity.oidc and github.is_issuer(key.issuer):
            yield from _wide_workflow(key.value, prefix)
        elif key.form in (Form.AWS_ROLE, Form.IAM_USER) and prefix.endswith((":role/", ":user/")):
            yield f"{key.value} is everybody of that account"
        elif prefix and prefix[-1] not in _ENDS:
            yield f"{key.value} ends in the middle of a name, and covers every longer one"


_ENDS = ":/@[-_."
"""Signs at which a part of a name ends."""


def _wide_workflow(value: str, prefix: str) -> Iterator[str]:
    parts = prefix.count(":")
    if parts < 2:
        where = "of the owner" if "/" not in prefix or prefix.endswith("/") else "whose name begins so"
        yield f"{value} is every repository {where}, with every branch"
    elif parts < 3:
        yield f"{value} is every branch, tag and environment of the repository; whoever can push is this caller"


def _overlaps(caller: Caller, book: Book, shape: Shape) -> None:
    """Tell identities that another caller's pattern covers: which of the two an access is depends on the order."""
    for identity in caller.identities:
        others = {
            entry.caller.name
            for own in keys(identity)
            for other, entry in book.keys
            if entry.caller is not caller and _is_under(own, other)
        }
        for name in sorted(others):
            shape.blame(identity, f"overlap: a pattern of {name} covers this identity of {caller.name}")


def _is_under(own: Key, other: Key) -> bool:
    same = own.form is other.form and own.issuer == other.issuer and own.form is not Form.SUBJECT
    return same and own.value != other.value and glob.is_glob(other.value) and glob.matches(other.value, own.value)


def _unreachable(requirement: Requirement, book: Book, shape: Shape, today: date) -> None:
    """Tell targets that something is required of and that nobody may reach: a slip, or an entry that is missing."""
    for form, cloud, values in (
        ("roles", Cloud.AWS, requirement.roles),
        ("service_accounts", Cloud.GCP, requirement.service_accounts),
    ):
        for value in values:
            callers = [caller for caller in book.document.callers if _may_reach(caller, value, cloud)]
            if not callers:
                shape.blame(requirement, f"unreachable: nobody of the book may reach {value}", form)
            elif all(caller.expires and caller.expires < today for caller in callers):
                shape.blame(requirement, f"unreachable: all who may reach {value} have expired", form)


def _slow(requirement: Requirement, shape: Shape) -> None:
    for demand in (requirement.source_identity, requirement.session_name):
        part = slow_part(demand.matches) if demand is not None and demand.matches else None
        if part is not None:
            message = f"slow: a name falls into repetitions of ({part}) in many ways, and each is tried"
            shape.blame(demand, f"{message}; end each with a sign of its own", "matches")


def _may_reach(caller: Caller, value: str, cloud: Cloud) -> bool:
    """Tell whether a caller may reach a target, or one that a requirement's pattern covers."""
    access = Access(cloud=cloud, kind=Kind.ASSUME_ROLE if cloud is Cloud.AWS else Kind.IMPERSONATION, target=value)
    listed = [reach.aws_role if cloud is Cloud.AWS else reach.service_account for reach in caller.may_reach]
    return any(is_target(reach, access) for reach in caller.may_reach) or any(
        glob.matches(value, one) or glob.matches(without_path(value), without_path(one)) for one in listed if one
    )


def _twice(document: Document, shape: Shape) -> None:
    """Tell targets of which two requirements ask the same in different ways: each is held to for itself."""
    seen: dict[tuple[str, str], Any] = {}
    for requirement in document.requirements:
        for target in (*map(without_path, requirement.roles), *requirement.service_accounts):
            for field in ("source_identity", "session_name", "role_claim", "origin"):
                demand = getattr(requirement, field)
                if demand is None:
                    continue
                other = seen.setdefault((target, field), demand)
                if other is not demand:
                    word = "duplicate" if other == demand else "overlap"
                    shape.blame(requirement, f"{word}: {field} of {target} is required in another place too")


def _covers(one: Reach, other: Reach) -> bool:
    """Tell a target that another one, as open in everything else, covers."""
    same = all(
        getattr(one, name) in (None, getattr(other, name)) for name in ("provider", "audience", "oaud")
    ) and _form(one) == _form(other)
    return same and glob.matches(_exact(one), _exact(other))


def _exact(reach: Reach) -> str:
    return without_path(_value(reach)) if reach.aws_role else _value(reach)


def _form(reach: Reach) -> str:
    return next(form for form in TARGETS if getattr(reach, form) is not None)


def _value(reach: Reach) -> str:
    return str(getattr(reach, _form(reach)))


def _is_unfilled(value: Identity | Reach) -> bool:
    return "TODO" in repr(value)
