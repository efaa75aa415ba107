"""The long texts of the reasons. They stand beside the code that judges and are read only to be shown."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib.resources import files

import msgspec


class Explanation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person needs to act on a reason."""

    means: str
    log: str
    """How it looks in the log."""
    fix: str
    refuse: str
    """The cloud's own lines that would have refused the call, or why none can."""


@lru_cache(maxsize=1)
def explanations() -> dict[str, Explanation]:
    """Return every explanation by its reason's code, in the order of the file."""
    text = files("callerid").joinpath("reasons.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), dict[str, Explanation])


def explanation(code: str) -> Explanation:
    """Return the explanation of a reason.

    Raises:
        KeyError: for a code that is no reason's.
    """
    return explanations()[code]
