"""Whom the caller book allows to reach what was reached, and lines of a cloud's policy that say so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from msgspec.structs import replace

from callerid.access import Access, Kind
from callerid.names import arn, github, glob, principal
from callerid.policy.book import Book, Entry, is_provider, is_target
from callerid.policy.identity import subject_of
from callerid.policy.model import Caller, Identity, Oidc, Reach


class Refusal(NamedTuple):
    """Lines that would have refused an access."""

    where: str
    """In which of the cloud's policies they belong, in words of our own."""
    policy: object
    """JSON, or an expression as text."""


class Allowed(NamedTuple):
    """A caller of the book by one of its identities, and how it may reach the target."""

    caller: Caller
    identity: Identity
    reach: Reach


def allowed(access: Access, book: Book) -> list[Allowed]:
    """Return who may reach an access's target; where it has none, who may come through its provider."""
    if access.untargeted and access.target is None:
        return [one for caller in book.document.callers for one in _through(caller, access)]
    return [
        Allowed(caller, identity, reach)
        for caller in book.callers_of(access)
        for reach in caller.may_reach
        if is_target(reach, access)
        for identity in caller.identities
    ]


def _through(caller: Caller, access: Access) -> Iterator[Allowed]:
    """Yield a caller of an exchange, or of a token that leaves AWS, which have no target."""
    if access.kind is Kind.OUTBOUND_TOKEN:
        reaches = [reach for reach in caller.may_reach if reach.audience and reach.audience in (access.audiences or ())]
    else:
        reaches = [
            reach for reach in caller.may_reach if reach.provider and is_provider(reach.provider, access.provider)
        ]
    pool = principal.pool_of(access.provider)
    for identity in caller.identities:
        own = principal.parse(identity.principal) if identity.principal else None
        if reaches:
            yield Allowed(caller, identity, reaches[0])
        elif pool and own and own.pool == pool and any(map(_is_open, caller.may_reach)):
            yield Allowed(caller, identity, Reach(provider=pool))


def _is_open(reach: Reach) -> bool:
    """Tell a target of Google's that is reached through any provider of the identity's own pool."""
    return reach.aws_role is None and reach.provider is None


def is_workflow(identity: Identity) -> bool:
    """Tell an identity of GitHub's, whose subjects have two forms."""
    return identity.oidc is not None and github.is_issuer(arn.issuer_of(identity.oidc.issuer))


def is_wide(identity: Identity) -> bool:
    """Tell a pattern of GitHub's, or one of a pool's that GitHub's come under: no pull request's workflow must."""
    subject = subject_of(identity) or ""
    begins = glob.literal_prefix(subject)[: len(_OF_GITHUB)]
    is_github = is_workflow(identity) or (identity.principal is not None and _OF_GITHUB.startswith(begins))
    return is_github and glob.is_glob(subject)


_OF_GITHUB = "repo:"


def spelled(one: Allowed) -> list[Allowed]:
    """Return a caller under each form that its subject can have; most have one.

    The book lists a workflow by its name, in which the cloud's strings must be told with and without ids.
    """
    oidc = one.identity.oidc
    found = github.parse(oidc.subject) if oidc is not None and is_workflow(one.identity) else None
    if oidc is None or found is None:
        return [one]
    owner, rest = found.name.removeprefix("repo:").split("/", 1)
    repository, colon, context = rest.partition(":")
    ids = [pinned or "*" for pinned in found.ids]
    with_ids = f"repo:{owner}@{ids[0]}/{repository}@{ids[1]}{colon}{context}"
    return [
        Allowed(one.caller, replace(one.identity, oidc=Oidc(oidc.issuer, subject)), one.reach)
        for subject in dict.fromkeys((found.name, with_ids))
    ]


def end_of(caller: Caller) -> str | None:
    """Return the first moment at which an entry no longer holds."""
    return f"{caller.expires + timedelta(days=1)}T00:00:00Z" if caller.expires else None


def names_of(caller: Caller) -> list[str]:
    """Return the names that ``equals: caller`` accepts of a caller."""
    return sorted(name for identity in caller.identities[:1] for name in Entry(caller, identity).names)


def one_or_many(values: list[str]) -> str | list[str]:
    """Return a single value as such, several sorted and each once."""
    found = sorted(set(values))
    return found[0] if len(found) == 1 else found
