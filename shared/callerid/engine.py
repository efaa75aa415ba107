"""Records in, judgements out: the product on one screen.

The engine is pure. It knows no file, clock, network or environment; the same records under the same policy
give the same judgements, in the order of the records, however they were delivered.
"""

from __future__ import annotations

from typing import Any

from callerid.access import Access
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
        self._memo: dict[tuple[Any, ...], Judgement] = {}

    def judge(self, batch: Batch) -> list[Judgement]:
        """Return the judgement of every record of a batch, in its order."""
        call_key, remembered = batch.reader.call_key, self._memo.get
        judgements = []
        for record in batch.records:
            key = call_key(record)
            judgement = None if key is None else remembered(key)
            judgements.append(judgement or self._judge(batch.reader, record, key))
        return judgements

    def _judge(self, reader: Reader, record: Any, key: tuple[Any, ...] | None) -> Judgement:
        """Judge a crossing, or a call that is not remembered. Only what is judged at all can depend on the day."""
        day = reader.day(record) if self._by_day else None
        if key is None:
            return judge(reader.read(record), self._book, day)
        judgement = self._memo.get((*key, day))
        if judgement is None:
            if len(self._memo) >= MEMO_CALLS:
                self._memo.clear()
            judgement = judge(reader.read(record), self._book, day)
            depends = self._by_day and judgement.verdict is not Verdict.OUT_OF_SCOPE
            self._memo[(*key, day) if depends else key] = judgement
        return judgement


def unreadable(item: Unreadable) -> Judgement:
    """Return the judgement of what is no record: it is counted and named like every other."""
    reason = REASONS[item.reason]
    return Judgement(
        Verdict.UNREADABLE, Access(cloud=None), (reason.code,), reason.severity, detail=item.detail or reason.why
    )
