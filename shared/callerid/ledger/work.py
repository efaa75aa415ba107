"""One unit of work on the ledger: rows read, changed in memory, and written together or not at all."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec
from msgspec import Struct

from callerid.ledger.store import ConflictError, Key, Store, UnavailableError, Version, Write

T = TypeVar("T", bound=Struct)
R = TypeVar("R")
_ATTEMPTS = 10
_PAUSE_SECONDS = 0.02
"""Before the second attempt; it doubles, and chance spreads those who collided."""
_encode = msgspec.json.Encoder().encode


class TooManyError(Exception):
    """More rows than one write of this store may have; nothing was written."""


class _Held:
    """A row as this unit of work knows it."""

    __slots__ = ("data", "expires", "is_changed", "row", "version")

    def __init__(self, data: bytes | None, version: Version | None) -> None:
        self.data = data
        self.version = version
        self.row: Struct | None = None
        self.is_changed = False
        self.expires: int | None = None


class Work:
    """Rows by key, read once; :meth:`commit` fails where anybody else has changed one that is written."""

    def __init__(self, store: Store, keys: Iterable[Key] = ()) -> None:
        self._store = store
        self._held: dict[Key, _Held] = {}
        self.fetch(keys)

    @property
    def shards(self) -> int:
        """Return over how many rows this store spreads a count."""
        return self._store.shards

    @property
    def most_writes(self) -> int:
        """Return how many rows one write may have."""
        return self._store.most_writes

    def fetch(self, keys: Iterable[Key]) -> None:
        """Read rows together, which costs one question where :meth:`get` alone would ask for each."""
        wanted = [key for key in dict.fromkeys(keys) if key not in self._held]
        if not wanted:
            return
        found = self._store.read(wanted)
        for key in wanted:
            stored = found.get(key)
            self._held[key] = _Held(stored.data, stored.version) if stored else _Held(None, None)

    def get(self, key: Key, kind: type[T]) -> T | None:
        """Return a row as it is now in this unit of work, None where there is none."""
        self.fetch((key,))
        held = self._held[key]
        if held.row is None and held.data is not None:
            held.row = msgspec.json.decode(held.data, type=kind)
        return held.row if isinstance(held.row, kind) else None

    def put(self, key: Key, row: Struct, *, expires: float | None = None) -> None:
        """Change a row, or add it; ``expires`` is when it may go, in seconds since 1970."""
        self.fetch((key,))
        held = self._held[key]
        held.row, held.is_changed = row, True
        held.expires = int(expires) if expires is not None else None

    def delete(self, key: Key) -> None:
        """Take a row away."""
        self.fetch((key,))
        held = self._held[key]
        held.row, held.data, held.is_changed = None, None, True

    def commit(self) -> None:
        """Write everything that changed, or nothing.

        Raises:
            ConflictError: where somebody else has changed one of the rows.
            TooManyError: where it is more than the store takes at once.
            UnavailableError: where the store does not answer.
        """
        writes = [
            Write(key, _encode(held.row) if held.row is not None else None, held.version, held.expires)
            for key, held in self._held.items()
            if held.is_changed and not (held.row is None and held.version is None)
        ]
        if len(writes) > self._store.most_writes:
            raise TooManyError(f"{len(writes)} rows at once; the store takes {self._store.most_writes}")
        if writes:
            self._store.commit(writes)


def settle(step: Callable[[int], R], *, pause: Callable[[float], object] = time.sleep) -> R:
    """Return what ``step`` returns, trying again where somebody else was faster. It gets the attempt from 0.

    Raises:
        UnavailableError: where every attempt met somebody else, or the store does not answer.
    """
    for attempt in range(_ATTEMPTS):
        try:
            return step(attempt)
        except ConflictError:
            pause(_PAUSE_SECONDS * 2**attempt * random.random())  # noqa: S311  # spreads, protects nothing
    raise UnavailableError(f"{_ATTEMPTS} attempts met others' writes to the same rows")


def write(store: Store, step: Callable[[Work], R], *, pause: Callable[[float], object] = time.sleep) -> R:
    """Return what ``step`` returns once what it changed is written, all of it in one go; as :func:`settle` tries.

    A step that changes nothing writes nothing.
    """

    def attempt(_: int) -> R:
        work = Work(store)
        result = step(work)
        work.commit()
        return result

    return settle(attempt, pause=pause)
