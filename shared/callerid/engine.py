"""Records in, judgements out: the product on one screen.

The engine is pure. It knows no file, clock, network or environment; the same records under the same policy
give the same judgements, in the order of the records, however they were delivered.
"""

from __future__ import annotations

from typing import Any

from msgspec import Raw, Struct

from callerid.access import Access, Kind
from callerid.envelope import Batch, Reader, Unreadable
from callerid.judge import judge
from callerid.judgement import Judgement, Verdict
from callerid.policy.book import Book
from callerid.policy.requirements import LATER_CALLS
from callerid.reasons import REASONS

MEMO_CALLS = 16_384
"""How many sessions' judgements are remembered; at about 1 KB each, 16 MB."""

Key = tuple[Any, ...]


class _Known(Struct, frozen=True, eq=False):
    """A judgement that is remembered, and whose it is: a key holds no more of the caller than a checksum."""

    caller: Raw
    judgement: Judgement


class Engine:
    """Judges records under one policy, or, without one, for an inventory."""

    def __init__(self, book: Book | None) -> None:
        self._book = book
        self._by_day = book is not None and book.expires
        self._memo: dict[Key | None, _Known] = {}

    def judge(self, batch: Batch) -> list[Judgement]:
        """Return the judgement of every record of a batch, in its order."""
        reader, records = batch.reader, batch.records
        keys, callers = reader.call_keys(records), reader.callers(records)
        remembered = map(self._memo.get, keys)  # each as its record comes, so that a batch knows its own calls
        return [
            known.judgement
            if known is not None and known.caller == caller
            else self._judge(reader, record, key, caller)
            for known, record, key, caller in zip(remembered, records, keys, callers, strict=True)
        ]

    def _judge(self, reader: Reader, record: Any, key: Key | None, caller: Raw) -> Judgement:
        """Judge what is read one by one, or not remembered for every day."""
        day = (reader.time(record) or "")[:10] or None if self._by_day else None
        if key is None:
            return judge(reader.read(record), self._book, day)
        known = self._memo.get((*key, day))
        if known is not None and known.caller == caller:
            return known.judgement
        judgement = judge(reader.read(record), self._book, day)
        self._remember((*key, day) if self._depends_on_day(judgement) else key, caller, judgement)
        return judgement

    def _depends_on_day(self, judgement: Judgement) -> bool:
        """Tell whether an entry's expiry may have a say in a judgement: where it names a caller.

        A later call names one by its session, also where the entry has run out and the judgement names nobody.
        """
        access = judgement.access
        names = bool(access.claims or access.origins) or access.kind in LATER_CALLS
        return self._by_day and names and judgement.verdict is not Verdict.OUT_OF_SCOPE

    def _remember(self, key: Key, caller: Raw, judgement: Judgement) -> None:
        """Keep a judgement, but of a federated identity's own call, which reaches another resource each time."""
        if judgement.access.kind is Kind.DIRECT_USE:
            return
        if len(self._memo) >= MEMO_CALLS:
            self._memo.clear()
        self._memo[key] = _Known(caller.copy(), judgement)  # a copy, so that the file it is from can go


def unreadable(item: Unreadable) -> Judgement:
    """Return the judgement of what is no record: it is counted and named like every other."""
    reason = REASONS[item.reason]
    return Judgement(
        Verdict.UNREADABLE, Access(cloud=None), (reason.code,), reason.severity, detail=item.detail or reason.why
    )
