"""A ledger becomes a book as far as it can be said exactly, and says what it can't."""

from callerid.policy.book import Book
from callerid.policy.load import parse
from callerid.suggest import draft, past, write
from tests.conftest import record
from tests.ledger.made import NOW, of, recorder
from tests.ledger.memory import MemoryStore
from tests.suggest.test_suggest import mixture, strays
from tests.suggest.test_together import exchange, person, session, token, workflow
from tests.test_cases import ALL

EMPTY = Book(parse(b'version: 1\naws_accounts: ["111111111111"]\n', "empty"), "x")
RECORDS = [case["record"] for _, case in ALL if "record" in case]


def kept(records: list[dict], book: Book = EMPTY) -> MemoryStore:
    store = MemoryStore()
    recorder(store).record(of(records, book), now=NOW)
    return store


def suggested(store: MemoryStore) -> str:
    seen = past.read(store)
    return write.book(draft.draft(seen, None), seen)


def test_the_callers_of_a_ledger_are_those_of_its_records():
    records = [
        record(1),
        workflow("repo:acme/app:ref:x", eventID="2"),
        exchange(session("job", "x")),
        token(session("job", "y"), insertId="3"),
        person("s", None, eventID="4"),
    ]
    policy = suggested(kept(records))
    names = {caller.name for caller in parse(policy.encode(), "suggested").callers}
    assert names == {"google-100000000000000000001", "acme-app-ref-x", "job", "user-1"}
    assert strays(records, policy) == []


def test_a_busy_tenant():
    records = mixture(400)
    assert strays(records, suggested(kept(records))) == []


def test_what_is_left_out_is_said():
    policy = suggested(kept(RECORDS))
    assert "A ledger keeps no session names, source identities or audiences" in policy
    assert "resources reached directly: the ledger keeps only what holds them" in policy
    assert "# Nobody is named here" in policy
    assert "requirements:" not in policy
    assert parse(policy.encode(), "suggested").callers


def test_callers_of_the_policy_in_force_are_not_guessed_at(book):
    policy = suggested(kept([record()], book))
    assert "1 accesses were by callers of the policy in force" in policy
    assert parse(policy.encode(), "suggested").callers == ()


def test_an_empty_ledger_is_an_empty_book():
    assert parse(suggested(MemoryStore()).encode(), "suggested").callers == ()
