"""Whom the caller book allows to reach what was reached, and lines of a cloud's policy that say so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from callerid.access import Access, Kind
from callerid.names import principal
from callerid.policy.book import Book, Entry, is_provider, is_target
from callerid.policy.model import Caller, Identity, Reach


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


def names_of(caller: Caller) -> list[str]:
    """Return the names that ``equals: caller`` accepts of a caller."""
    return sorted(name for identity in caller.identities[:1] for name in Entry(caller, identity).names)


def one_or_many(values: list[str]) -> str | list[str]:
    """Return a single value as such, several sorted and each once."""
    found = sorted(set(values))
    return found[0] if len(found) == 1 else found
