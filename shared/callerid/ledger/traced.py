"""Who a session began with, as far as its chain was known when it was written down."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from callerid.names.short import cut
from callerid.trace.link import Basis, Origin

KEPT = 4
"""Origins that one finding names: one more than a message shows, so that it can say that there are more."""
_LONGEST_NAME = 300
"""Characters of a name, of which both ends are kept. A log's own are longer only where somebody means harm."""


class Traced(Struct, frozen=True, omit_defaults=True):
    """Who a session began with."""

    origin: Origin
    basis: Basis
    caller: str = ""
    """The caller that the policy's entry named at the first record of the chain."""
    record_id: str = ""
    """The record that names it."""

    @property
    def name(self) -> str:
        """Return who it is, by the book where it knows the caller. A text of a log, not made safe."""
        return self.caller or self.origin.name


def gathered(kept: tuple[Traced, ...], more: Iterable[Traced]) -> tuple[Traced, ...]:
    """Return origins with further ones, each once and by its first record; beyond :data:`KEPT` they are left out."""
    found = {_who(one): one for one in kept}
    for one in more:
        name, issuer = (cut(text or "", _LONGEST_NAME) for text in (one.origin.name, one.origin.issuer))
        origin = replace(one.origin, name=name, issuer=issuer or None)
        short = replace(one, origin=origin)
        found.setdefault(_who(short), short)
    return tuple(found.values())[:KEPT]


def _who(traced: Traced) -> tuple[str, str, str | None]:
    origin = traced.origin
    return origin.name, origin.what, origin.issuer
