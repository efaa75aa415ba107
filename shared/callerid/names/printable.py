"""Text from a log, made safe to print: what a caller chose must not steer a terminal or mislead its reader."""

from __future__ import annotations

import unicodedata

_UNPRINTABLE = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")
"""Controls, bidirectional marks and other formatting, private use, half surrogates, line separators."""


def printable(text: str) -> str:
    """Return text with every character that could move a cursor or turn a line around replaced by U+FFFD."""
    if text.isascii() and text.isprintable():
        return text
    return "".join("\ufffd" if unicodedata.category(sign) in _UNPRINTABLE else sign for sign in text)
