"""Which accesses a person reads as one: the same verdict on the same caller, from where, to what, and why.

Session names, addresses and times vary from call to call and never separate two groups.
"""

from __future__ import annotations

from typing import NamedTuple

from callerid.access import Access, Kind
from callerid.judgement import Judgement, Severity, Verdict
from callerid.names import arn, principal

_CONTAINER_PARTS = 4
"""``projects/PROJECT/KIND/NAME``: Google's resource names hold one thing within another in pairs."""


class Group(NamedTuple):
    """One row of a table: all that its accesses share. Absent is empty."""

    verdict: Verdict
    severity: Severity
    who: str
    origin: str
    """From where: issuer, provider, pool or account."""
    target: str
    outcome: str
    reasons: tuple[str, ...]


def group_of(judgement: Judgement) -> Group:
    """Return the group that a judgement belongs to."""
    access = judgement.access
    return Group(
        judgement.verdict,
        judgement.severity,
        judgement.caller.name if judgement.caller else who(access),
        origin(access),
        container(access) or (access.kind or ""),
        access.outcome,
        judgement.reasons,
    )


def container(access: Access) -> str | None:
    """Return the target; of a resource reached directly what holds it, ``projects/_/buckets/NAME``, say."""
    if access.kind is not Kind.DIRECT_USE or access.target is None:
        return access.target
    return "/".join(access.target.split("/")[:_CONTAINER_PARTS])


def who(access: Access) -> str:
    """Return the best name that the record itself gives, without what varies from session to session."""
    if access.kind is Kind.SESSION_USE:
        return access.source_identity or ""
    if access.kind in (Kind.DELEGATED_USE, Kind.KEY_USE):
        return _stable(access.subject) or access.principal or ""
    return _stable(access.subject) or _stable(access.principal)


def _stable(name: str | None) -> str:
    """Return a name without its session: a role session's ARN becomes its role's."""
    if name is None:
        return ""
    found = principal.parse(name)
    return arn.role_arn(found.subject if found else name) or (found.subject if found else name)


def origin(access: Access) -> str:
    """Return where the caller comes from."""
    return (
        arn.issuer_of(access.provider)
        or access.origin_account
        or arn.account_of(access.principal)
        or access.account
        or ""
    )
