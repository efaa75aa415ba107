"""The links that one unit of the ledger brings with it."""

from __future__ import annotations

from msgspec import Struct, field

from callerid.trace.link import Link


class Held(Struct):
    """What of a delivery goes into the ledger's sessions, in the same write as the unit that it is of."""

    issues: dict[str, Link] = field(default_factory=dict)
    """Calls that issued credentials, by the record's id."""
    singles: dict[str, Link] = field(default_factory=dict)
    """Calls that the ledger counts by their id."""
    calls: dict[str, Link] = field(default_factory=dict)
    """Calls that it counts as a mass: a session's together, by their own id."""
