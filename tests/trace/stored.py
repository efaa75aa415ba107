"""Stories in a ledger's sessions, written as the recorder writes them."""

from callerid import delivery
from callerid.engine import Engine
from callerid.envelope import Batch
from callerid.ledger import sessions
from callerid.ledger.part import units
from callerid.ledger.piece import chunks
from callerid.ledger.work import Work
from tests.ledger.memory import MemoryStore

NOW = 1_793_600_000.0


def keep(store, lines, *, by_id=True, now=NOW, book=None):
    """Write each line as a delivery of its own, or, without ids, all as one."""
    for block in lines if by_id else ["".join(lines)]:
        for item in delivery.Lines().read(block.encode()):
            if isinstance(item, Batch):
                keep_batch(store, item, by_id=by_id, now=now, book=book)


def keep_batch(store, batch, *, by_id, now=NOW, book=None):
    """Write the sessions of one batch, as one write."""
    judgements = Engine(book).judge(batch)
    found = units(batch, judgements, "f", by_id=by_id)
    sessions.attach(found, batch, judgements, "f")
    keep_pieces(store, [piece for chunk in chunks(found, store.most_writes) for piece in chunk], now=now)


def keep_pieces(store, pieces, *, now=NOW, fresh=True):
    """Write the sessions of pieces, as one write."""
    work = Work(store, [key for piece in pieces for key in sessions.keys(piece.held, 0)])
    sessions.keep_issues(work, pieces, now=now)
    for piece in pieces:
        sessions.keep_calls(work, piece.held, piece.singles if fresh else (), shard=0, now=now)
    work.commit()


def traced(store, link):
    """Who the session of a call began with, asked of a store by itself."""
    return sessions.traced_of(Work(store), link)


def sessions_of(lines):
    """The sessions of a story in a store in memory."""
    store = MemoryStore(most_writes=1000)
    keep(store, lines)
    return sessions.Sessions(store)
