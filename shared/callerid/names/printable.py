"""Text from a log, made safe to print: what a caller chose must not steer a terminal or mislead its reader."""

from __future__ import annotations

import json
import unicodedata

_UNPRINTABLE = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")
"""Controls, bidirectional marks and other formatting, private use, half surrogates, line separators."""
UNSEEN = frozenset(
    map(
        chr,
        (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x2800, 0x3164, *range(0xFE00, 0xFE10), 0xFFA0,
         *range(0xE0100, 0xE01F0)),
    )
)  # fmt: skip
"""Letters, marks and a symbol that show nothing, or nothing of their own: fillers, joiners, selectors, the blank of
Braille. A name with one looks like the name without. See https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point
"""


def printable(text: str) -> str:
    """Return text with every character that could move a cursor, turn a line around or hide replaced by U+FFFD."""
    if text.isascii() and text.isprintable():
        return text
    return "".join("\ufffd" if _is_hidden(sign) else sign for sign in text)


def inert(data: bytes) -> bytes:
    """Return JSON with every such character as its number, which reads as the same and does nothing to a terminal.

    JSON itself asks that only of the controls below the space; a terminal takes U+009B for the beginning of a command.
    """
    if data.isascii() and b"\x7f" not in data:
        return data
    return "".join(map(_number, data.decode())).encode()


def _number(sign: str) -> str:
    if sign < "\x7f" or not _is_hidden(sign):
        return sign
    return "\\u007f" if sign == "\x7f" else json.dumps(sign)[1:-1]


def _is_hidden(sign: str) -> bool:
    return unicodedata.category(sign) in _UNPRINTABLE or sign in UNSEEN
