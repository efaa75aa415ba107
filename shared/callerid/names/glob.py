"""Patterns of the policy: ``*`` for any run of characters, ``?`` for one; everything else is literal.

The same two signs as in an IAM policy's StringLike, crossing ``/`` and ``:`` as there. Brackets are literal:
a GKE identity is ``PROJECT.svc.id.goog[NAMESPACE/ACCOUNT]``.
"""

from __future__ import annotations

import re
from functools import lru_cache

_SIGNS = re.compile(r"[*?]")


def is_glob(text: str) -> bool:
    """Tell a pattern from an exact value."""
    return _SIGNS.search(text) is not None


def literal_prefix(text: str) -> str:
    """Return what every match of a pattern begins with."""
    return _SIGNS.split(text, maxsplit=1)[0]


def expression(pattern: str) -> str:
    """Return the pattern as a regular expression of RE2's, too, which knows no atomic groups and needs none."""
    return "".join({"*": ".*", "?": "."}.get(sign) or re.escape(sign) for sign in re.sub(r"\*+", "*", pattern))


@lru_cache(maxsize=8192)
def compiled(pattern: str) -> re.Pattern[str]:
    """Return the pattern as a regular expression for ``fullmatch``, compiled once.

    What stands between two stars is taken where it first occurs and never sought again (``(?>…)``): else whoever
    chooses a name could choose one that keeps a pattern of several stars busy for hours.
    """
    first, *rest = map(expression, pattern.split("*"))
    between = (f"(?>.*?{part})" for part in rest[:-1] if part)
    return re.compile("".join((first, *between, f".*{rest[-1]}" if rest else "")), re.DOTALL)


def matches(pattern: str, text: str) -> bool:
    """Tell whether the whole of ``text`` matches ``pattern``."""
    return pattern == text or (is_glob(pattern) and compiled(pattern).fullmatch(text) is not None)
