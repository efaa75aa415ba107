"""What a caller chose, made safe to show: it can neither ping, nor spoof, nor break a message.

A session name may be ``@channel``, a branch ``<!channel>``, a user agent ten megabytes of bidirectional marks.
Such text is :class:`Untrusted` from the moment that a message is made from it, and comes out in three ways, one
for each sort of place that Slack has. It is no ``str``: mypy refuses it where a ``str`` is wanted, joining it to
one raises, and so does formatting it.

https://docs.slack.dev/messaging/formatting-message-text#escaping
"""

from __future__ import annotations

import unicodedata
from typing import NoReturn

from callerid.names.printable import UNSEEN

NAME = 160
"""Bytes that a name may take in a message: a GitHub subject or a role's ARN fits whole."""
NOTHING = "–"
"""What stands where there is nothing: Slack refuses an empty text."""

_NEVER = "untrusted text is shown by code(), plain() or raw(), never as it is"
_CUT = "…"
_BLANK = "␣"
_READ = 1_000
"""Characters that are looked at from either end: NFC takes the square of a run of combining marks."""
_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Controls, bidirectional and zero-width marks, halves of surrogates, private, unassigned, line separators."""
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_LOOK_ALIKES = str.maketrans("<>", "‹›")
_COSTS = {"&": 5, "<": 4, ">": 4, '"': 2, "\\": 2}
"""Bytes of a sign in the JSON of a message, where they are more than its own."""


class Untrusted:
    """Text from a log, or from anybody who is not callerid. None is nothing."""

    __slots__ = ("_text",)

    def __init__(self, text: str | None) -> None:
        self._text = text or ""

    def __bool__(self) -> bool:
        return bool(self._text)

    @property
    def is_ascii(self) -> bool:
        """Tell text without a sign that can look like another one, but for the mark of what was cut."""
        return self._text.replace(_CUT, "").isascii()

    def code(self, limit: int = NAME) -> str:
        """Return it as a code span of mrkdwn, ``limit`` bytes long at most between its backticks."""
        text = _shortened(visible(self._text).replace("`", "ˋ"), limit)
        return f"`{escaped(text)}`" if text else NOTHING

    def plain(self, limit: int = NAME) -> str:
        """Return it for a ``plain_text`` object or a ``raw_text`` cell, which know no escapes."""
        return _shortened(visible(self._text), limit).translate(_LOOK_ALIKES) or NOTHING

    def raw(self, limit: int) -> str | None:
        r"""Return lines to copy, for preformatted text, whole or not at all.

        A ``<`` becomes ``\u003c``: YAML and JSON read it back from between double quotes, and Slack finds no
        mention even where it should look for one.
        """
        if len(self._text) > limit:
            return None
        lines = [visible_line(line).rstrip() for line in self._text.strip("\n").split("\n")]
        text = "\n".join(lines).replace("<", "\\u003c")
        return text if text.strip() and size(text) <= limit else None

    def __str__(self) -> NoReturn:
        raise TypeError(_NEVER)

    def __format__(self, spec: str) -> NoReturn:
        raise TypeError(_NEVER)

    def __repr__(self) -> str:
        return "<Untrusted>"


def visible(text: str) -> str:
    """Return text as one line of which every sign shows: what shows nothing becomes a space, at an end ``␣``."""
    if len(text) > 2 * _READ:
        text = f"{text[:_READ]}{_CUT}{text[-_READ:]}"
    line = visible_line(text)
    core = line.strip()
    if core == line:
        return line
    if not core:
        return _BLANK
    return f"{_BLANK if line[0] != core[0] else ''}{core}{_BLANK if line[-1] != core[-1] else ''}"


def visible_line(text: str) -> str:
    """Return text in NFC with a space for every sign that moves, hides or turns others around."""
    if text.isascii() and text.isprintable():
        return text
    signs = unicodedata.normalize("NFC", text)
    return "".join(" " if unicodedata.category(sign) in _INVISIBLE or sign in UNSEEN else sign for sign in signs)


def escaped(text: str) -> str:
    """Return text with the three signs escaped that mrkdwn gives a meaning to; for our own sentences too."""
    return "".join(_ENTITIES.get(sign, sign) for sign in text)


def size(text: str) -> int:
    """Return how many bytes of a message's JSON a text takes, once it is escaped."""
    return sum(map(_cost, text))


def _cost(sign: str) -> int:
    return _COSTS.get(sign) or len(sign.encode())


def _shortened(text: str, limit: int) -> str:
    """Return text without as much of its middle as does not fit: both ends of a name tell names apart."""
    costs = [_cost(sign) for sign in text]
    if sum(costs) <= limit:
        return text
    left, head, tail = limit - _cost(_CUT), 0, len(text)
    while True:
        from_head = head <= len(text) - tail
        cost = costs[head] if from_head else costs[tail - 1]
        if cost > left:
            return f"{text[:head]}{_CUT}{text[tail:]}"
        left -= cost
        head, tail = (head + 1, tail) if from_head else (head, tail - 1)
