"""Two policies over one history: which accesses get another verdict, as a person reads them.

What a pull request that edits the caller book should show before it is merged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, assert_never

from msgspec import Struct, field

from callerid import delivery
from callerid.engine import Engine
from callerid.envelope import Batch, PassedOver, Unreadable
from callerid.group import container, origin, who
from callerid.judgement import FINDINGS, Judgement, Verdict
from callerid.policy.book import Book
from callerid.scan import Row
from callerid.sources import files


class Side(NamedTuple):
    """What one policy says of an access."""

    verdict: Verdict
    severity: str
    caller: str
    """The entry's name; empty where none matched."""
    reasons: tuple[str, ...]


class Change(NamedTuple):
    """Accesses that two policies judge differently, and in the same way. Absent is empty."""

    old: Side
    new: Side
    who: str
    """The best name that the record itself gives."""
    origin: str
    target: str
    outcome: str

    @property
    def is_verdict(self) -> bool:
        """Tell a change of the verdict from one of its reasons or caller alone."""
        return self.old.verdict is not self.new.verdict

    @property
    def is_worse(self) -> bool:
        """Tell what becomes a finding, and so would be told to people from now on."""
        return self.new.verdict in FINDINGS and self.old.verdict not in FINDINGS


class Replay(Struct):
    """What a replay found."""

    records: int = 0
    files: int = 0
    unreadable: int = 0
    rows: dict[Change, Row] = field(default_factory=dict)

    @property
    def verdicts(self) -> list[tuple[Change, Row]]:
        """Return the changes of a verdict: new findings first, then what is none any more, the commonest first."""
        return self._sorted(is_verdict=True)

    @property
    def details(self) -> list[tuple[Change, Row]]:
        """Return the changes of reasons or caller under the same verdict."""
        return self._sorted(is_verdict=False)

    def _sorted(self, *, is_verdict: bool) -> list[tuple[Change, Row]]:
        found = [(change, row) for change, row in self.rows.items() if change.is_verdict is is_verdict]
        return sorted(found, key=lambda item: (not item[0].is_worse, -item[1].count, item[0]))


def replay(paths: Sequence[str], old: Book, new: Book, *, done: Callable[[str], object] = lambda path: None) -> Replay:
    """Return what changes between two policies over the records of files; ``done`` is called after each file."""
    found, engines = Replay(), (Engine(old), Engine(new))
    for path in paths:
        lines = delivery.Lines()
        for block in files.blocks(path):
            read = lines.read if block.is_lines else delivery.document
            for item in read(block.data, block.damage, block.detail):
                match item:
                    case Batch():
                        _compare(item, engines[0].judge(item), engines[1].judge(item), found)
                    case Unreadable():
                        found.records += 1
                        found.unreadable += 1
                    case PassedOver():
                        pass
                    case _:
                        assert_never(item)
        found.files += 1
        done(path)
    return found


def _compare(batch: Batch, old: Sequence[Judgement], new: Sequence[Judgement], found: Replay) -> None:
    found.records += len(batch.records)
    changes: dict[tuple[Judgement, Judgement], Change | None] = {}
    for record, before, after in zip(batch.records, old, new, strict=True):
        pair = (before, after)
        if pair not in changes:
            changes[pair] = _change(before, after)
        change = changes[pair]
        if change is not None:
            found.rows.setdefault(change, Row()).see(batch.reader.time(record))


def _change(old: Judgement, new: Judgement) -> Change | None:
    before, after = _side(old), _side(new)
    if before == after:
        return None
    access = new.access
    return Change(
        before, after, who(access), origin(access), container(access) or (access.kind or ""), str(access.outcome)
    )


def _side(judgement: Judgement) -> Side:
    caller = judgement.caller.name if judgement.caller else ""
    return Side(judgement.verdict, str(judgement.severity), caller, judgement.reasons)
