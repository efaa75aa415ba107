"""What the policy requires of an access beyond a listed caller: presence, ``equals: caller``, ``matches``.

A requirement under ``enforce`` decides the verdict where it is not met; one under ``warn`` only adds its
reason, so that a team sees what would break; one under ``off`` is as if it were not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from callerid.access import Access, Kind
from callerid.policy.book import Entry
from callerid.policy.model import Demand, Mode, Requirement

_GENERIC = re.compile(
    r"botocore-session-\d*|AWSCLI-Session.*|aws-go-sdk-.*|aws-sdk-.*|GitHubActions|CognitoIdentityCredentials"
    r"|i-[0-9a-f]{8,17}|\d{9,}",
    re.IGNORECASE,
)
"""Session names that tools make up when nobody chose one.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html and the tools' sources
"""


class Unmet(NamedTuple):
    """A requirement that an access does not meet."""

    code: str
    mode: Mode


def is_generic(session_name: str) -> bool:
    """Tell a session name that a tool made up."""
    return _GENERIC.fullmatch(session_name) is not None


class Said(NamedTuple):
    """A field of a later call that says who the caller is, and what is asked of it."""

    field: str
    """``source-identity`` or ``session-name``."""
    value: str | None
    demand: Demand


def said(requirements: list[Requirement], access: Access) -> Iterator[Said]:
    """Yield what a later call says of its caller: a source identity, which AWS keeps unchanged, before a name."""
    for field, value in (("source_identity", _source_identity(access)), ("session_name", access.session_name)):
        for requirement in requirements:
            demand = _demand(requirement, field)
            if demand is not None:
                yield Said(field.replace("_", "-"), value, demand)


def unmet(requirements: list[Requirement], access: Access, caller: Entry | None) -> Iterator[Unmet]:
    """Yield every requirement that an access does not meet. ``caller`` is its entry, where it has one."""
    for requirement in requirements:
        source_identity, session_name = _demand(requirement, "source_identity"), _demand(requirement, "session_name")
        if source_identity and access.kind is not Kind.POD_IDENTITY and not access.request_withheld:
            yield from _compare(source_identity, "source-identity", _source_identity(access), access, caller)
        if session_name and not access.request_withheld:
            yield from _compare(session_name, "session-name", access.session_name, access, caller)
        claim = requirement.role_claim
        if claim and claim.mode != "off" and access.role_claimed is False:
            yield Unmet("role-claim-missing", claim.mode)


def origin_mode(requirements: list[Requirement]) -> Mode:
    """Return how strictly a call by a service account must show its origin: the strictest of all."""
    modes = {requirement.origin.mode for requirement in requirements if requirement.origin}
    return "enforce" if "enforce" in modes else "warn" if "warn" in modes else "off"


def _demand(requirement: Requirement, field: str) -> Demand | None:
    demand: Demand | None = getattr(requirement, field)
    return demand if demand is not None and demand.mode != "off" else None


def _source_identity(access: Access) -> str | None:
    """Return the source identity; Identity Center sets none and vouches for the user in the session's name."""
    if access.source_identity is None and access.kind is Kind.IDENTITY_CENTER:
        return access.session_name or access.subject
    return access.source_identity


def _compare(demand: Demand, what: str, value: str | None, access: Access, caller: Entry | None) -> Iterator[Unmet]:
    if not value:
        forwarded = what == "source-identity" and access.forwarded
        yield Unmet("service-forwarded" if forwarded else f"{what}-missing", demand.mode)
        return
    own = value == access.user_name or (caller is not None and value in caller.names)
    if what == "session-name" and is_generic(value) and not own:
        yield Unmet("session-name-generic", demand.mode)
        return
    differs = demand.equals == "caller" and not _is_caller(value, access, caller)
    if differs or (demand.matches is not None and not _pattern(demand.matches).fullmatch(value)):
        yield Unmet(f"{what}-mismatch", demand.mode)


def _is_caller(value: str, access: Access, caller: Entry | None) -> bool:
    """Compare with the caller's names; without an entry, with the user name in the record.

    A later call of a session carries no other name than the value itself, which the judge looks up.
    """
    if caller is not None:
        return value in caller.names
    if access.kind in LATER_CALLS:
        return True
    return value == access.user_name


LATER_CALLS = (Kind.SESSION_USE, Kind.IDENTITY_CENTER)
"""The kinds whose record shows the session alone."""


@lru_cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)
