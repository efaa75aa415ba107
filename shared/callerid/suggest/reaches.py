"""Where an addition's caller may go, with as much of how as the history shows and the judge compares."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from callerid.access import Access, Kind
from callerid.entry import TODO_ACCOUNT
from callerid.policy.model import Reach
from callerid.suggest.addition import Addition, Span
from callerid.suggest.sight import Sight


def give(addition: Addition, parts: dict[Reach, list[tuple[Access, Sight]]], oaud: str | None) -> None:
    """Give a caller its reaches with the audiences that were compared; those of one target stand together."""
    for reach, several in sorted(parts.items(), key=lambda item: repr(item[0])):
        audiences = _audiences(access for access, _ in several)
        for audience in audiences:
            with_audience = replace(reach, audience=audience, oaud=oaud if reach.aws_role else None)
            span = addition.reaches.setdefault(with_audience, Span())
            for access, sight in several:
                if audience is None or access.audiences is None or audience in access.audiences:
                    span.see(sight)
    through = {reach.provider for reach in addition.reaches if reach.service_account != TODO_ACCOUNT}
    for reach in [one for one in addition.reaches if one.service_account == TODO_ACCOUNT]:
        if reach.provider in through:
            del addition.reaches[reach]


def _audiences(accesses: Iterable[Access]) -> list[str | None]:
    """Return each audience; None alone where one access shows none, or no more than who it is."""
    found: set[str] = set()
    for access in accesses:
        if access.audiences is None or (access.kind is Kind.OUTBOUND_TOKEN and not access.audiences):
            continue
        if not access.audiences or access.kind is Kind.SAML or access.audiences == (access.subject,):
            return [None]
        found.update(access.audiences)
    return [*sorted(found)] or [None]
