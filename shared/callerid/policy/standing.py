"""The policy in force: the newest good one. A bad one changes nothing but what is said about it.

The text of every policy that came into force is kept in the ledger, so that a function that starts anew beside
a bad policy still has the last good one.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from typing import NamedTuple

from msgspec import Struct

from callerid.ledger.store import Key, Store
from callerid.ledger.work import Work, write
from callerid.policy.book import Book
from callerid.policy.cache import digest_of
from callerid.policy.fault import PolicyError
from callerid.policy.load import parse
from callerid.policy.remote import Fetch

LOOKED_SECONDS = 60.0
"""Between two looks at where the policy lies: a changed one is in force a minute later."""
_PART_CHARACTERS = 256_000
"""A row of DynamoDB holds 400 KB."""


class InForce(NamedTuple):
    """The policy that judges now, and what is wrong with a newer one where there is one."""

    book: Book
    trouble: str | None = None


class NoPolicyError(Exception):
    """There is no good policy, neither where it lies nor in the ledger: nothing can be judged."""


class _Head(Struct):
    digest: str
    parts: int


class _Part(Struct):
    text: str


class Standing:
    """Looks after the policy of one function. ``now`` gives seconds since 1970."""

    def __init__(self, fetch: Fetch, store: Store, *, now: Callable[[], float]) -> None:
        self._fetch = fetch
        self._store = store
        self._now = now
        self._looked: float | None = None
        self._in_force: InForce | None = None

    def current(self) -> InForce:
        """Return the policy in force, looking for a newer one once a minute.

        Raises:
            NoPolicyError: where there is none at all.
            UnavailableError: where the ledger does not answer.
        """
        now = self._now()
        if self._in_force is None or self._looked is None or now - self._looked >= LOOKED_SECONDS:
            self._in_force, self._looked = self._newest(), now
        return self._in_force

    def _newest(self) -> InForce:
        try:
            text = self._fetch()
        except Exception as error:  # noqa: BLE001  # whatever a cloud's client raises: the policy can't be had now
            return self._last_good(f"the policy cannot be fetched: {type(error).__name__}")
        digest = digest_of(text)
        if self._in_force is not None and digest == self._in_force.book.digest:
            return InForce(self._in_force.book)
        try:
            book = Book(parse(text, "policy"), digest)
        except PolicyError as error:
            return self._last_good(f"the policy {digest} is not in force: {error}")
        self._keep(text, digest)
        return InForce(book)

    def _last_good(self, trouble: str) -> InForce:
        book = self._in_force.book if self._in_force else self._kept()
        if book is None:
            raise NoPolicyError(trouble)
        return InForce(book, trouble)

    def _keep(self, text: bytes, digest: str) -> None:
        work = Work(self._store)
        head = work.get(_HEAD, _Head)
        if head is not None and head.digest == digest:
            return
        packed = base64.b64encode(zlib.compress(text, 9)).decode()
        parts = [packed[start : start + _PART_CHARACTERS] for start in range(0, len(packed), _PART_CHARACTERS)]
        for number, part in enumerate(parts):
            self._put(_part(digest, number), _Part(part))
        self._put(_HEAD, _Head(digest, len(parts)))

    def _put(self, key: Key, row: Struct) -> None:
        write(self._store, lambda work: work.put(key, row))

    def _kept(self) -> Book | None:
        work = Work(self._store)
        head = work.get(_HEAD, _Head)
        if head is None:
            return None
        parts = [work.get(_part(head.digest, number), _Part) for number in range(head.parts)]
        text = zlib.decompress(base64.b64decode("".join(part.text for part in parts if part)))
        try:
            return Book(parse(text, "the last good policy"), head.digest)
        except PolicyError:
            return None  # good under an older version of this code


_HEAD = Key("policy", "head")


def _part(digest: str, number: int) -> Key:
    return Key(f"policy {digest}", f"{number:04}")
