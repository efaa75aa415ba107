"""Regular expressions that a name of 64 signs can keep busy for years: whoever chooses the name chooses that.

What is repeated without end must not itself fall into several repetitions, as ``([a-z]+-?)+`` does: Python tries each
way to divide a name. Found by trying: short words that one repetition matches, and two or more as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

_SKIPPED = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|(\()(?:\?(?:P<\w+>|[a-z]*:|[=!]|<[=!]))?|(\))([+*]|\{\d*,\d*\})?", re.DOTALL
)
_SIGNS, _LONGEST = "aA1_.-@", 4


def slow_part(pattern: str) -> str | None:
    """Return the first repeated group of a valid expression that a name can be divided into in many ways."""
    for body in _repeated(pattern):
        try:
            once, twice = re.compile(body), re.compile(f"(?:{body}){{2,}}")
        except re.error:  # it refers to a group outside
            continue
        words = ("".join(signs) for length in range(2, _LONGEST + 1) for signs in product(_SIGNS, repeat=length))
        if any(once.fullmatch(word) and twice.fullmatch(word) for word in words):
            return body
    return None


def _repeated(pattern: str) -> Iterator[str]:
    """Yield what stands in each group that is repeated, the innermost first."""
    begins: list[int] = []
    for found in _SKIPPED.finditer(pattern):
        if found[1]:
            begins.append(found.end())
        elif found[2] and begins:
            body = pattern[begins.pop() : found.start()]
            if found[3]:
                yield body
