"""Text from a log, made safe to print: what a caller chose must not steer a terminal or mislead its reader."""

from __future__ import annotations

import json
import unicodedata

_UNPRINTABLE = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")
"""Controls, bidirectional marks and other formatting, private use, half surrogates, line separators."""


def printable(text: str) -> str:
    """Return text with every character that could move a cursor or turn a line around replaced by U+FFFD."""
    if text.isascii() and text.isprintable():
        return text
    return "".join("\ufffd" if unicodedata.category(sign) in _UNPRINTABLE else sign for sign in text)


def inert(data: bytes) -> bytes:
    """Return JSON with every such character as its number, which reads as the same and does nothing to a terminal.

    JSON itself asks that only of the controls below the space; a terminal takes U+009B for the beginning of a command.
    """
    if data.isascii() and b"\x7f" not in data:
        return data
    return "".join(map(_number, data.decode())).encode()


def _number(sign: str) -> str:
    if sign < "\x7f" or unicodedata.category(sign) not in _UNPRINTABLE:
        return sign
    return "\\u007f" if sign == "\x7f" else json.dumps(sign)[1:-1]
