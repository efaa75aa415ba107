"""Log files into sights, and what their records prove of who is the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, assert_never

from msgspec import Struct

from callerid import delivery
from callerid.decode import decode
from callerid.engine import Engine
from callerid.envelope import Batch, Item, PassedOver, Unreadable
from callerid.gcp.record import Entry
from callerid.judgement import Judgement
from callerid.policy.book import Book
from callerid.sources import files
from callerid.suggest.sight import Gathering, Held, Seen, Sight


def read(paths: Sequence[str], base: Book | None, done: Callable[[str], object] = lambda path: None) -> Seen:
    """Return what files show. ``base`` is the policy that is to be added to; ``done`` is called after each file."""
    engine, gathering, seen = Engine(None), Gathering(base), Seen([])
    for path in paths:
        for item in items(path):
            match item:
                case Batch():
                    seen.records += len(item.records)
                    _batch(item, engine.judge(item), gathering, seen)
                case Unreadable():
                    seen.records += 1
                    seen.unreadable += 1
                case PassedOver():
                    pass
                case _:
                    assert_never(item)
        done(path)
    seen.sights = gathering.sights
    seen.sources = f"{len(paths):,} files" if len(paths) != 1 else "1 file"
    return seen


def items(path: str) -> Iterator[Item]:
    """Yield what a file holds, in its order: batches of records, what can't be read, what is passed over."""
    lines = delivery.Lines()
    for block in files.blocks(path):
        yield from (lines.read if block.is_lines else delivery.document)(block.data, block.damage, block.detail)


def _batch(batch: Batch, judgements: Sequence[Judgement], gathering: Gathering, seen: Seen) -> None:
    sights: dict[Judgement, Sight | None] = {}
    for record, judgement in zip(batch.records, judgements, strict=True):
        if judgement not in sights:
            sights[judgement] = gathering.of(judgement.access)
        sight = sights[judgement]
        if sight is not None:
            time = batch.reader.time(record)
            sight.see(time, time)
            sight.sessions.see(judgement.access.session_name)
            sight.sources.see(judgement.access.source_identity)
        _prove(record, judgement, seen)


class _Labels(Struct, frozen=True):
    """The labels of a service account, as the calls that make its tokens show them."""

    email_id: str | None = None
    unique_id: str | None = None


class _Resource(Struct, frozen=True):
    labels: _Labels | None = None


def _prove(record: Any, judgement: Judgement, seen: Seen) -> None:
    """Note that an address and a unique id are one account's: Google itself labels its records with both."""
    access = judgement.access
    if not isinstance(record, Entry) or b"unique_id" not in bytes(record.resource):
        return
    labels = decode(_Resource, record.resource).labels
    if labels is None or not labels.email_id or not (labels.unique_id or "").isdigit():
        return
    seen.same.add((labels.email_id.lower(), labels.unique_id or ""))
    if access.audience:
        seen.audiences.setdefault(labels.email_id.lower(), Held()).see(access.audience)
