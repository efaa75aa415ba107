"""What holds for the ledger in Firestore alone: its documents, and what its refusals mean."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event

import grpc
import pytest
from google.cloud.firestore import Client
from hypothesis import given
from hypothesis import strategies as st

from callerid.ledger.firestore import FirestoreStore, _decode, _encode
from callerid.ledger.store import ConflictError, Key, RefusedError, UnavailableError, Write

ONE = Key("p", "1")
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=200)
HARD = st.text("./_0123a ", min_size=1, max_size=8)


@given(TEXT | HARD)
def test_an_id_is_one_that_firestore_takes_and_stands_for_one_text(text):
    encoded = _encode(text)
    assert "/" not in encoded
    assert encoded not in (".", "..")
    assert not re.fullmatch("__.*__", encoded)
    assert len(encoded) <= 1500
    assert _decode(encoded) == text


@given(TEXT | HARD, TEXT | HARD)
def test_ids_sort_as_the_texts_they_stand_for(one, other):
    assert (_encode(one) < _encode(other)) == (one < other)


def test_a_document_has_data_and_expires_and_stands_at_its_path(firestore, project):
    client = Client(project=project)
    document = client.document("callerid/count 2026-11-02 3/rows/a.0b")
    key = Key("count 2026-11-02 3", "a.b")
    firestore.commit([Write(key, b'{"a": 1}', None, expires=2_000_000_000)])
    assert document.get().to_dict() == {"data": '{"a": 1}', "expires": datetime(2033, 5, 18, 3, 33, 20, tzinfo=UTC)}
    firestore.commit([Write(key, b"{}", firestore.read([key])[key].version)])
    assert document.get().to_dict() == {"data": "{}", "expires": None}
    client.close()


def test_without_credentials_there_is_no_database(monkeypatch, tmp_path):
    monkeypatch.delenv("FIRESTORE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(UnavailableError, match=r"Firestore proj/base: File .*none\.json was not found"):
        FirestoreStore.connect("proj", "base")


class Refusing(grpc.GenericRpcHandler):
    """A Firestore that answers each call with the next status of a plan, and is empty after that."""

    def __init__(self):
        self.plan = []
        self.over = Event()

    def service(self, details):
        """Answer a commit with a message of no fields, anything else with none."""
        if details.method.endswith("/Commit"):
            return grpc.unary_unary_rpc_method_handler(lambda _, context: self.act(context) or b"")
        return grpc.unary_stream_rpc_method_handler(lambda _, context: iter(self.act(context) or ()))

    def act(self, context):
        """Refuse where the plan says so; keep silent for ``None``."""
        if not self.plan:
            return
        if status := self.plan.pop(0):
            context.abort(status, "because")
        self.over.wait()


@pytest.fixture
def refusing(monkeypatch):
    """A server without a plan yet."""
    handler = Refusing()
    server = grpc.server(ThreadPoolExecutor(4), handlers=[handler])
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
    server.start()
    yield handler
    handler.over.set()
    server.stop(None).wait()


@pytest.fixture
def refused(refusing):
    """A store on that server."""
    store = FirestoreStore(Client(project="proj", database="base"), timeout_seconds=0.5)
    yield store
    store.close()


@pytest.mark.parametrize("status", ["ABORTED", "ALREADY_EXISTS", "FAILED_PRECONDITION", "NOT_FOUND"])
def test_a_failed_precondition_is_a_conflict(refusing, refused, status):
    refusing.plan += [grpc.StatusCode[status]]
    with pytest.raises(ConflictError):
        refused.commit([Write(ONE, b"{}", None)])


READS = [lambda store: store.read([ONE]), lambda store: list(store.list("p"))]
ALL = [*READS, lambda store: store.commit([Write(ONE, b"{}", None)])]


@pytest.mark.parametrize("use", ALL, ids=["read", "list", "commit"])
@pytest.mark.parametrize("status", ["PERMISSION_DENIED", "UNAUTHENTICATED", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED"])
def test_any_other_refusal_is_told_at_once_with_the_database(refusing, refused, status, use):
    refusing.plan += [grpc.StatusCode[status]]
    with pytest.raises(UnavailableError, match=r"Firestore proj/base: (read|list|commit): .* because"):
        use(refused)
    assert refusing.plan == []


@pytest.mark.parametrize(
    ("status", "kind"), [("INVALID_ARGUMENT", RefusedError), ("PERMISSION_DENIED", UnavailableError)]
)
def test_what_the_database_never_takes_is_told_from_what_it_does_not_take_now(refusing, refused, status, kind):
    """A document beyond its size, as a table's row is: whoever delivers several at once must know."""
    refusing.plan += [grpc.StatusCode[status]]
    with pytest.raises(UnavailableError) as raised:
        refused.commit([Write(ONE, b"{}", None)])
    assert raised.type is kind


@pytest.mark.parametrize("use", READS, ids=["read", "list"])
def test_a_database_that_is_not_there_is_told_at_the_first_read(refusing, refused, use):
    refusing.plan += [grpc.StatusCode.NOT_FOUND]
    with pytest.raises(UnavailableError, match="because"):
        use(refused)


@pytest.mark.parametrize("use", ALL, ids=["read", "list", "commit"])
@pytest.mark.parametrize("status", ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "INTERNAL"])
def test_what_passes_is_tried_again(refusing, refused, status, use):
    refusing.plan += [grpc.StatusCode[status]] * 2
    use(refused)
    assert refusing.plan == []


@pytest.mark.parametrize("use", ALL, ids=["read", "list", "commit"])
@pytest.mark.parametrize("status", ["UNAVAILABLE", "RESOURCE_EXHAUSTED"])
def test_what_does_not_pass_is_given_up(refusing, refused, status, use):
    refusing.plan += [grpc.StatusCode[status]] * 99
    with pytest.raises(UnavailableError, match="because"):
        use(refused)


@pytest.mark.parametrize("use", ALL, ids=["read", "list", "commit"])
def test_silence_is_not_waited_for_without_end(refusing, refused, use):
    refusing.plan += [None] * 4
    with pytest.raises(UnavailableError, match="Firestore proj/base"):
        use(refused)
