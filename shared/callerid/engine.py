"""Records in, judgements out: the product on one screen.

The engine is pure. It knows no file, clock, network or environment; the same records under the same policy
give the same judgements, in the order of the records, however they were delivered.
"""

from __future__ import annotations

from typing import Any

from callerid.access import Access, Kind
from callerid.envelope import Batch, Reader, Unreadable
from callerid.judge import judge
from callerid.judgement import Judgement, Verdict
from callerid.policy.book import Book
from callerid.reasons import REASONS

MEMO_CALLS = 16_384
"""How many sessions' judgements are remembered; at about 1 KB each, 16 MB."""


class Engine:
    """Judges records under one policy, or, without one, for an inventory."""

    def __init__(self, book: Book | None) -> None:
        self._book = book
        self._by_day = book is not None and book.expires
        self._memo: dict[tuple[Any, ...] | None, Judgement] = {}

    def judge(self, batch: Batch) -> list[Judgement]:
        """Return the judgement of every record of a batch, in its order."""
        keys = batch.reader.call_keys(batch.records)
        remembered = list(map(self._memo.get, keys))
        return [
            judgement or self._judge(batch.reader, record, key)
            for judgement, record, key in zip(remembered, batch.records, keys, strict=True)
        ]

    def _judge(self, reader: Reader, record: Any, key: tuple[Any, ...] | None) -> Judgement:
        """Judge a crossing, or a call that was not remembered when its batch began."""
        day = (reader.time(record) or "")[:10] or None if self._by_day else None
        if key is None:
            return judge(reader.read(record), self._book, day)
        judgement = self._memo.get(key) or self._memo.get((*key, day))
        if judgement is None:
            judgement = judge(reader.read(record), self._book, day)
            self._remember(key, day, judgement)
        return judgement

    def _remember(self, key: tuple[Any, ...], day: str | None, judgement: Judgement) -> None:
        """Keep a call's judgement, by the day where an entry's expiry has a say in it.

        A call by a federated identity itself reaches another resource each time and is not kept.
        """
        if judgement.access.kind is Kind.DIRECT_USE:
            return
        if len(self._memo) >= MEMO_CALLS:
            self._memo.clear()
        named = bool(judgement.access.claims) or judgement.caller is not None
        depends = self._by_day and named and judgement.verdict is not Verdict.OUT_OF_SCOPE
        self._memo[(*key, day) if depends else key] = judgement


def unreadable(item: Unreadable) -> Judgement:
    """Return the judgement of what is no record: it is counted and named like every other."""
    reason = REASONS[item.reason]
    return Judgement(
        Verdict.UNREADABLE, Access(cloud=None), (reason.code,), reason.severity, detail=item.detail or reason.why
    )
