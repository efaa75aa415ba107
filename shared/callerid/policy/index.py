"""Values and patterns, found in time that does not grow with their number.

Exact values stand in a dictionary. Patterns are grouped by what every match begins with, so that of
thousands only those are tried whose beginning fits.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from callerid.names import glob

T = TypeVar("T")


class Index(Generic[T]):
    """What is kept under values and patterns, each with a qualifier that must be equal."""

    def __init__(self) -> None:
        self._exact: dict[tuple[str, str], list[T]] = {}
        self._patterns: dict[tuple[str, str], list[tuple[str, T]]] = {}
        self._lengths: dict[str, list[int]] = {}

    def add(self, qualifier: str, value: str, kept: T) -> None:
        """Keep something under an exact value or a pattern."""
        if not glob.is_glob(value):
            self._exact.setdefault((qualifier, value), []).append(kept)
            return
        prefix = glob.literal_prefix(value)
        self._patterns.setdefault((qualifier, prefix), []).append((value, kept))
        lengths = self._lengths.setdefault(qualifier, [])
        if len(prefix) not in lengths:
            lengths.append(len(prefix))
            lengths.sort(reverse=True)

    def find(self, qualifier: str, value: str) -> list[T]:
        """Return what is kept under a value, then what is kept under patterns, the most specific first."""
        found = list(self._exact.get((qualifier, value), ()))
        for length in self._lengths.get(qualifier, ()):
            begins = self._patterns.get((qualifier, value[:length]), ()) if length <= len(value) else ()
            for pattern, kept in begins:
                if glob.compiled(pattern).fullmatch(value):
                    found.append(kept)
        return found
