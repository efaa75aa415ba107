"""What an optional part of callerid needs to be installed, in the words in which its absence is told."""

from __future__ import annotations


def needed(extras: str, error: ImportError) -> str:
    """Return how to install what is missing; no package of callerid's name is published."""
    return f"needs `pip install '.[{extras}]'` in callerid's checkout ({error.name} is missing)"
