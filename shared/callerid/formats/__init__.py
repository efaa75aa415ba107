"""Judgements in the tongues of other tools: OCSF for a SIEM or data lake, CSV for a spreadsheet, Markdown for a ticket.

Each takes the lines of JSON that ``scan`` makes, so that all say the same.
"""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from callerid.formats.csv import Csv
from callerid.formats.markdown import Markdown
from callerid.formats.ocsf import Ocsf
from callerid.judgement import Verdict

TONGUES = ("ocsf", "csv", "markdown")


class Tongue(Protocol):
    """One format. What it returns is written as it comes; a format that must know all keeps until the end."""

    def begin(self) -> bytes:
        """Return what stands before the first judgement."""

    def take(self, line: bytes, /) -> bytes:
        """Return what a judgement's line of JSON is, or nothing yet."""

    def end(self, verdicts: Counter[Verdict], /) -> bytes:
        """Return what stands behind the last one; ``verdicts`` counts every record."""


def tongue(name: str, now: float) -> Tongue:
    """Return the format of a name in ``TONGUES``. ``now`` is when it is made, in seconds since 1970."""
    match name:
        case "ocsf":
            return Ocsf(now)
        case "csv":
            return Csv()
        case "markdown":
            return Markdown()
        case _:
            raise ValueError(f"{name!r} is no format: expected one of {', '.join(TONGUES)}")
