"""The ledger's sessions: each once, in few questions, gone when no session can live any more."""

import json

import pytest

from callerid import delivery
from callerid.envelope import Batch
from callerid.ledger import chained, sessions
from callerid.ledger.part import units
from callerid.ledger.piece import chunks
from callerid.ledger.sessions import LAG_S, Sessions
from callerid.trace.chain import forward
from callerid.trace.held import gathered
from callerid.trace.link import Basis, Mark, Sign
from callerid.trace.query import parse
from callerid.trace.read import reader_of
from tests.ledger.memory import MemoryStore
from tests.trace import made
from tests.trace.stored import NOW, keep, keep_pieces, traced

KEYS = [f"ASIAEXAMPLEEXAMPLE00{number}" for number in range(1, 6)]
CHAIN = [
    {"web": {"id": "a1", "at": "03:00:00", "subject": "100000000000000000001", "role": "one", "session": "s", "makes": KEYS[0]}},
    {"assume": {"id": "a2", "at": "03:01:00", "by": "one/s", "key": KEYS[0], "began": "03:00:00", "role": "two", "session": "s", "makes": KEYS[1]}},
    {"assume": {"id": "a3", "at": "03:02:00", "by": "two/s", "key": KEYS[1], "began": "03:01:00", "role": "three", "session": "s", "makes": KEYS[2]}},
]  # fmt: skip
CALL = {"call": {"id": "c1", "at": "03:03:00", "by": "three/s", "key": KEYS[2], "began": "03:02:00"}}


class Counting(MemoryStore):
    """A store that counts what it is asked."""

    asked = 0

    def read(self, keys):
        self.asked += 1
        return super().read(keys)

    def list(self, partition, *, after=""):
        self.asked += 1
        return super().list(partition, after=after)


def lines(*steps):
    return made.lines(steps).splitlines(keepends=True)


def link_of(step):
    """The link of one record."""
    (batch,) = delivery.document(json.dumps(made.records([step])[0]).encode())
    return reader_of(batch).link(batch.records[0], "f")


def stored(*steps, by_id=True, book=None):
    store = Counting(most_writes=1000)
    keep(store, lines(*steps), by_id=by_id, book=book)
    store.asked = 0
    return store


def test_who_began_a_chain_is_known_by_one_question(book):
    found = traced(store := stored(*CHAIN, book=book), link_of(CALL))
    assert (found.origin.name, found.basis, found.record_id) == ("100000000000000000001", Basis.ATTESTED, "a1")
    assert store.asked == 1


def test_the_caller_that_the_policy_named_comes_with_the_origin(book):
    first = {"web": {**CHAIN[0]["web"], "role": "crosscloud-test", "session": "nightly-export"}}
    call = {
        "call": {
            "id": "c",
            "at": "03:03:00",
            "by": "crosscloud-test/nightly-export",
            "key": KEYS[0],
            "began": "03:00:00",
        }
    }
    assert traced(stored(first, book=book), link_of(call)).caller == "nightly-export"


def test_of_a_session_that_was_never_issued_nobody_is_told():
    assert traced(stored(*CHAIN[1:]), link_of(CALL)) is None


def test_a_call_without_a_key_asks_nothing():
    store = stored(*CHAIN)
    exchange = {"exchange": {"id": "g", "at": "03:05:00", "subject": "arn:aws:sts::111111111111:assumed-role/three/s"}}
    assert traced(store, link_of(exchange)) is None
    assert store.asked == 0


def test_a_recycled_key_is_two_sessions():
    again = {"assume": {**CHAIN[0]["web"], "id": "b1", "at": "2027-05-01T03:00:00Z", "by": "user/x"}}
    del again["assume"]["subject"]
    store = stored(CHAIN[0], again)
    calls = [
        {"call": {"id": "c", "at": began[:11] + "03:03:00Z", "by": "one/s", "key": KEYS[0], "began": began}}
        for began in ("2026-11-02T03:00:00Z", "2027-05-01T03:00:00Z", "2028-05-01T03:00:00Z")
    ]
    names = [found and found.record_id for found in (traced(store, link_of(call)) for call in calls)]
    assert names == ["a1", "b1", None]


@pytest.mark.parametrize("by_id", [True, False])
def test_calls_are_counted_by_service(by_id):
    calls = [
        {"call": {**CALL["call"], "id": f"c{number}", "service": service}}
        for number, service in enumerate(("s3.amazonaws.com", "s3.amazonaws.com", "ec2.amazonaws.com"))
    ]
    index = Sessions(stored(*CHAIN, *calls, by_id=by_id))
    (issue,) = index.issues(Mark(Sign.KEY, KEYS[2]), (None, None))
    ((_, _, _, step),) = forward(issue, index).edges
    assert dict(step.link.calls) == {"s3.amazonaws.com": 2, "ec2.amazonaws.com": 1}


def test_what_was_counted_before_is_not_counted_again():
    """The recorder says which records are new."""
    store = stored(*CHAIN)
    (batch,) = [
        item for item in delivery.document(json.dumps(made.records([CALL])[0]).encode()) if isinstance(item, Batch)
    ]
    for fresh in (True, False, False):
        judgements = sessions_engine(batch)
        found = units(batch, judgements, "f", by_id=True)
        sessions.attach(found, batch, judgements, "f")
        (pieces,) = chunks(found, store.most_writes)
        keep_pieces(store, pieces, now=NOW, fresh=fresh)
    (used,) = [link for link in Sessions(store).uses(Mark(Sign.KEY, KEYS[2]), (None, None)) if link.calls]
    assert used.calls == (("s3.amazonaws.com", 1),)


def unit_of(step, store):
    """The unit of one record, and the work that read its rows."""
    (batch,) = delivery.document(json.dumps(made.records([step])[0]).encode())
    judgements = sessions_engine(batch)
    (unit,) = units(batch, judgements, "f", by_id=True)
    sessions.attach([unit], batch, judgements, "f")
    held = gathered(unit.sessions)
    return unit, held, sessions.Work(store, sessions.keys(held, 0))


def test_who_records_a_call_knows_who_began_it_without_a_further_question():
    unit, held, work = unit_of(CALL, store := stored(*CHAIN))
    store.asked = 0
    assert [one.origin.name for one in chained.began_with(work, held, unit.singles)] == ["100000000000000000001"]
    assert store.asked == 0


def test_without_any_time_a_key_proves_nothing():
    """An id of a key may be one that was used before."""
    timeless = {"raw": {**made.records([CALL])[0], "eventTime": None}}
    del timeless["raw"]["userIdentity"]["sessionContext"]["attributes"]
    unit, held, work = unit_of(timeless, stored(*CHAIN))
    assert chained.began_with(work, held, unit.singles) == []


def sessions_engine(batch):
    from callerid.engine import Engine

    return Engine(None).judge(batch)


def test_rows_go_when_no_session_can_live_any_more():
    """Twelve hours for a role, 36 for a federation token, and as long as a record may be late."""
    expiries = {}

    class Store(MemoryStore):
        def commit(self, writes):
            expiries.update({write.key: write.expires for write in writes})
            super().commit(writes)

    keep(Store(most_writes=1000), lines(CHAIN[0]))
    assert set(expiries.values()) == {int(NOW) + 12 * 3600 + LAG_S}


def test_many_sessions_of_one_unit_fit_one_write():
    """The busiest are kept where a write has room for no more."""
    calls = [{"call": {**CALL["call"], "id": f"c{number}", "key": f"ASIAEXAMPLE{number:09}"}} for number in range(60)]
    busiest = {"call": {**CALL["call"], "id": "c60", "key": "ASIAEXAMPLE000000059"}}
    store = MemoryStore(most_writes=60)
    keep(store, lines(*calls, busiest), by_id=False)
    assert list(Sessions(store).uses(Mark(Sign.KEY, "ASIAEXAMPLE000000059"), (None, None)))
    assert store.writes <= 60


def test_a_name_finds_what_it_began():
    index = Sessions(stored(*CHAIN))
    asked = {text: [link.record_id for link in index.asked(parse(text))] for text in (
        "100000000000000000001", "a2", KEYS[1], "arn:aws:iam::111111111111:role/three", "nobody",
    )}  # fmt: skip
    assert asked == {
        "100000000000000000001": ["a1"],
        "a2": ["a2"],
        KEYS[1]: ["a2", "a3"],
        "arn:aws:iam::111111111111:role/three": ["a3"],
        "nobody": [],
    }
