"""Records in, judgements out: the product on one screen.

The engine is pure. It knows no file, clock, network or environment; the same records under the same policy
give the same judgements, in the order of the records, however they were delivered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, assert_never

from callerid.access import Access, Occurrence
from callerid.envelope import Batch, Item, PassedOver, Reader, Unreadable
from callerid.judge import judge
from callerid.judgement import Judgement, Verdict
from callerid.policy.book import Book
from callerid.reasons import REASONS

MEMO_CALLS = 16_384
"""How many sessions' judgements are remembered; at about 1 KB each, 16 MB."""


class Judged(NamedTuple):
    """A judgement with the record that it is of."""

    judgement: Judgement
    reader: Reader | None
    record: Any
    position: str

    def occurrence(self, name: str) -> Occurrence:
        """Return what is of this record alone; ``name`` is what its file is called."""
        source = f"{name}:{self.position}" if self.position else name
        if self.reader is None:
            return Occurrence(None, source, source, None, source)
        return self.reader.occurrence(self.record, source)


class Engine:
    """Judges records under one policy, or, without one, for an inventory."""

    def __init__(self, book: Book | None) -> None:
        self.book = book
        self._by_day = book is not None and book.expires
        self._memo: dict[tuple[Any, ...], Judgement] = {}

    def judge(self, items: Iterable[Item]) -> Iterator[Judged | PassedOver]:
        """Yield a judgement for every record, and for everything that should have been one."""
        for item in items:
            match item:
                case Batch():
                    yield from self._batch(item)
                case Unreadable():
                    yield Judged(_unreadable(item), None, None, item.position)
                case PassedOver():
                    yield item
                case _:
                    assert_never(item)

    def _batch(self, batch: Batch) -> Iterator[Judged]:
        reader, memo, position = batch.reader, self._memo, batch.position
        for index, record in enumerate(batch.records):
            key = reader.call_key(record)
            if key is None:
                yield Judged(self._record(reader, record), reader, record, position(index))
                continue
            if self._by_day:
                key = (*key, reader.day(record))
            judgement = memo.get(key)
            if judgement is None:
                if len(memo) >= MEMO_CALLS:
                    memo.clear()
                judgement = memo[key] = self._record(reader, record)
            yield Judged(judgement, reader, record, position(index))

    def _record(self, reader: Reader, record: Any) -> Judgement:
        day = reader.day(record) if self._by_day else None
        return judge(reader.read(record), self.book, day)


def _unreadable(item: Unreadable) -> Judgement:
    reason = REASONS[item.reason]
    return Judgement(
        Verdict.UNREADABLE, Access(cloud=None), (reason.code,), reason.severity, detail=item.detail or reason.why
    )
