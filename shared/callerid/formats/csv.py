"""Judgements as CSV: the JSON's fields in their order, a judgement a line.

What could steer a terminal is replaced; the JSON says what it was. A spreadsheet takes a cell that begins like a
formula for one, and what a caller chose can run there: see
https://owasp.org/www-community/attacks/CSV_Injection. Such a cell begins with an apostrophe.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from callerid.judgement import Line, Verdict
from callerid.names.printable import printable

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # a wide sign is taken for its narrow one
_FIELDS = tuple(name for name in Line.__struct_fields__ if name != "caller")
_AT = _FIELDS.index("principal")
FIELDS = (*_FIELDS[:_AT], "caller", "owner", *_FIELDS[_AT:])
"""The columns: the JSON's fields, a caller's name and owner apart."""


class Csv:
    """A header, and a row for each judgement, in UTF-8."""

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(Line).decode

    def begin(self) -> bytes:
        """Return the header."""
        return _row(FIELDS)

    def take(self, line: bytes, /) -> bytes:
        """Return a judgement's row."""
        return _row(_cells(self._decode(line)))

    def end(self, verdicts: Counter[Verdict], /) -> bytes:  # noqa: ARG002  # another format's totals
        """Return nothing: a row is all that there is to a judgement."""
        return b""


def _cells(line: Line) -> Iterator[str]:
    caller = line.caller or {}
    for field in FIELDS:
        match field:
            case "caller":
                yield caller.get("name", "")
            case "owner":
                yield caller.get("owner", "")
            case "reasons" | "delegation":
                yield " ".join(getattr(line, field))
            case _:
                value = getattr(line, field)
                yield "" if value is None else str(value)


def _row(cells: Iterable[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow([safe(printable(cell)) for cell in cells])
    return text.getvalue().encode("utf-8", "replace")


def safe(cell: str) -> str:
    """Return a cell that no spreadsheet runs, also where it trims spaces or takes NUL for nothing."""
    cell = cell.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell
