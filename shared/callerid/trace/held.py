"""The links that one unit of the ledger brings with it."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field

from callerid.access import Occurrence
from callerid.trace.link import Link, together


class Held(Struct):
    """What of a delivery goes into the ledger's sessions, in the same write as the records that it is of."""

    issues: dict[str, Link] = field(default_factory=dict)
    """Calls that issued credentials, by the record's id."""
    singles: dict[str, Link] = field(default_factory=dict)
    """Calls that the ledger counts by their id."""
    calls: dict[str, Link] = field(default_factory=dict)
    """Calls that it counts as a mass: a session's together, by their own id."""

    def __bool__(self) -> bool:
        """Tell whether there is anything."""
        return bool(self.issues or self.singles or self.calls)

    def of(self, records: Iterable[Occurrence], *, is_last: bool) -> Held:
        """Return what is of some records alone; the mass goes with the last of them."""
        ids = {record.record_id for record in records}
        return Held(
            {record_id: link for record_id, link in self.issues.items() if record_id in ids},
            {record_id: link for record_id, link in self.singles.items() if record_id in ids},
            self.calls if is_last else {},
        )


def gathered(every: Iterable[Held]) -> Held:
    """Return what several parts of a delivery hold, as one; calls of one session add up."""
    found = Held()
    for held in every:
        found.issues |= held.issues
        found.singles |= held.singles
        for access_id, link in held.calls.items():
            same = found.calls.get(access_id)
            found.calls[access_id] = together((same, link)) if same else link
    return found
