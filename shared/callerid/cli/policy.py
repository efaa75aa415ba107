"""The caller book that a command may be given; without one it is an inventory."""

from __future__ import annotations

import os

from callerid.cli.error import WrongInputError
from callerid.policy import cache
from callerid.policy.book import Book
from callerid.policy.fault import PolicyError


def given(path: str | None) -> Book | None:
    """Return the book at a path, None without one. An empty path, as an unset variable leaves it, is a wrong one."""
    try:
        return cache.load(path, cache.folder(dict(os.environ))) if path is not None else None
    except PolicyError as error:
        raise WrongInputError(str(error)) from error
