"""Findings as Markdown: a table for a pull request or a ticket.

What a log holds stands in code spans, in which Markdown means nothing: no link, no image, no mention of a person,
no HTML. See https://github.github.com/gfm/#code-spans and, for the pipe that ends a cell even there, #tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from callerid.alerts.text import visible
from callerid.judgement import FINDINGS, Line, Severity, Verdict
from callerid.names.short import cut

MOST = 200
"""Rows: a comment on GitHub holds 65,536 characters."""
LONGEST = 100
"""Characters of a name; of a longer one the middle goes."""
_HEAD = "| verdict | who | to what | why | times | first (UTC) | last (UTC) |\n|---|---|---|---|--:|---|---|\n"
_Row = tuple[str, str, str, str, str, str, tuple[str, ...]]


class Markdown:
    """The totals, then the findings: those that read alike as one row, the gravest and most frequent first."""

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(Line).decode
        self._number: Counter[_Row] = Counter()
        self._span: dict[_Row, tuple[str, str]] = {}

    def begin(self) -> bytes:
        """Return nothing: the totals come first, and are known last."""
        return b""

    def take(self, line: bytes, /) -> bytes:
        """Keep a finding for the table."""
        found = self._decode(line)
        if found.verdict in FINDINGS:
            row, time = _row(found), found.time or ""
            first, last = self._span.get(row, (time, time))
            self._number[row] += 1
            self._span[row] = (min(filter(None, (first, time)), default=""), max(last, time))
        return b""

    def end(self, verdicts: Counter[Verdict], /) -> bytes:
        """Return the whole."""
        counted = [f"{verdicts[verdict]:,} {verdict}" for verdict in Verdict if verdicts[verdict]]
        return f"**callerid**: {', '.join(counted) or 'no records'}\n\n{''.join(self._table())}".encode()

    def _table(self) -> Iterator[str]:
        if not self._number:
            yield "No findings.\n"
            return
        yield _HEAD
        ordered = sorted(self._number.items(), key=lambda item: (-Severity(item[0][1]).rank, -item[1], item[0]))
        for row, number in ordered[:MOST]:
            yield _line(row, number, *self._span[row])
        if len(ordered) > MOST:
            yield f"\nand {len(ordered) - MOST:,} more rows\n"


def _row(line: Line) -> _Row:
    who = (line.caller or {}).get("name") or line.subject or line.principal or ""
    kind = "" if line.target else line.kind or ""  # it shows where there is no target
    return line.verdict, line.severity, who, kind, line.target or "", line.outcome or "", line.reasons


def _line(row: _Row, number: int, first: str, last: str) -> str:
    verdict, severity, who, kind, target, outcome, reasons = row
    denied = ", denied" if outcome == "denied" else ""
    cells = (
        f"**{verdict}**, {severity}{denied}",
        code(who) if who else "nobody named",
        code(target) if target else f"({kind.replace('-', ' ')})",
        ", ".join(f"`{reason}`" for reason in reasons),
        f"{number:,}",
        *(time[:16].replace("T", " ") or "not logged" for time in (first, last)),
    )
    return f"| {' | '.join(cells)} |\n"


def code(text: str) -> str:
    """Return a name as a code span in a cell, every sign visible.

    A backtick becomes one that is none, and a pipe one that ends no cell: neither has an escape that every
    Markdown knows.
    """
    name = cut(visible(text), LONGEST).replace("`", "ˋ").replace("|", "¦").replace("\\", "＼")
    return f"`{name}`"
