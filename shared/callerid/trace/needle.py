r"""What of a query stands in the text of every record that it wants: whatever holds none of it need not be read.

A link's names are the record's own texts, or pieces of them joined by ``/``, ``:`` and brackets: of an assumed role's
ARN the role's. So of each name that is asked for the last piece stands in what is kept of a record, letter by letter.
Only a caller is kept as the JSON that it came in, where an escape such as ``\u0041`` may hide it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from callerid.trace.query import Query

_JOINED = re.compile(r"[/:\[\]]")
_MOST = 16
"""Beyond so many names reading every record costs less than looking for each."""


class Needles:
    """The last pieces of all the names that a query asks for."""

    def __init__(self, query: Query) -> None:
        texts = {mark.value for mark in query.marks} | query.names | query.records
        pieces = {_JOINED.split(text)[-1] for text in texts}
        is_plain = all(piece and piece.isascii() for piece in pieces)
        self._pieces = [piece.encode() for piece in pieces] if is_plain and len(pieces) <= _MOST else [b""]

    def may_be_in(self, kept: bytes, callers: Iterable[bytes]) -> bool:
        """Tell whether anything kept can be wanted; where it is not certain, yes."""
        return any(piece in kept for piece in self._pieces) or any(b"\\" in caller for caller in callers)
