"""The judge remembers answers; what it remembers never changes what it says."""

import json
import random
from zlib import crc32

import pytest

from callerid import delivery
from callerid.engine import Engine
from callerid.envelope import Batch
from callerid.policy.book import Book
from callerid.policy.load import parse
from tests.test_cases import ALL, CASES

RECORDS = [case["record"] for _, case in ALL if "record" in case and "policy" not in case]


def fresh_book() -> Book:
    return Book(parse((CASES / "policy.yaml").read_bytes(), "policy"), "sha256:case")


def judged(engine: Engine, record: object) -> list[tuple]:
    found = []
    for item in delivery.document(json.dumps(record).encode()):
        if isinstance(item, Batch):
            found += [(one.verdict, one.reasons, one.severity, one.caller, one.access) for one in engine.judge(item)]
    return found


@pytest.fixture(scope="module")
def alone():
    return [judged(Engine(fresh_book()), record) for record in RECORDS]


@pytest.mark.parametrize("seed", range(5))
def test_no_record_changes_the_judgement_of_another(seed, alone):
    order = list(range(len(RECORDS)))
    random.Random(seed).shuffle(order)
    engine = Engine(fresh_book())
    for index in (*order, *order):
        assert judged(engine, RECORDS[index]) == alone[index]


def test_audiences_that_read_alike_are_not_alike():
    engine = Engine(fresh_book())
    role = {"type": "Role", "arn": "arn:aws:iam::111111111111:role/token-vendor"}
    verdicts = []
    for audience in (["https://partner.example.com"] * 2, ["https://partner.example.com https://partner.example.com"]):
        record = {
            "eventSource": "sts.amazonaws.com",
            "eventName": "GetWebIdentityToken",
            "userIdentity": {
                "type": "AssumedRole",
                "arn": "arn:aws:sts::111111111111:assumed-role/token-vendor/s",
                "sessionContext": {"sessionIssuer": role},
            },
            "requestParameters": {"audience": audience},
        }
        verdicts += [str(one[0]) for one in judged(engine, record)]
    assert verdicts == ["identified", "unexpected"]


SESSIONS = """
version: 1
callers:
  - name: alice
    owner: people@example.com
    expires: 2026-11-01
    identities: [{iam_user: "arn:aws:iam::111111111111:user/alice"}]
    may_reach: [{aws_role: "arn:aws:iam::222222222222:role/ops"}]
requirements:
  - roles: arn:aws:iam::222222222222:role/ops
    session_name: {mode: enforce, %s}
"""


def call(name: str, day: str, credential: str = "") -> dict:
    role = {"type": "Role", "arn": "arn:aws:iam::222222222222:role/ops"}
    return {
        "eventSource": "s3.amazonaws.com",
        "eventName": "PutObject",
        "eventTime": f"{day}T03:04:05Z",
        "userIdentity": {
            "type": "AssumedRole",
            "arn": f"arn:aws:sts::222222222222:assumed-role/ops/{name}",
            "sessionContext": {"sessionIssuer": role},
            "credentialId": credential,
        },
    }


def verdicts(demand: str, *records: dict) -> list[tuple[str, str | None]]:
    """The verdict and the caller of each record, judged by one engine; and no other way in one batch."""
    book = Book(parse((SESSIONS % demand).encode(), "policy"), "sha256:case")
    engine = Engine(book)
    one_by_one = [found for record in records for found in judged(engine, record)]
    assert judged(Engine(book), {"Records": list(records)}) == one_by_one
    return [(str(found[0]), found[3] and found[3].name) for found in one_by_one]


def test_two_callers_of_one_checksum_are_two():
    alice, mallory = call("alice", "2026-11-01", "fab0199120db"), call("mallory", "2026-11-01", "57b56114e6d8")
    texts = [json.dumps(one["userIdentity"]).encode() for one in (alice, mallory)]
    assert crc32(texts[0]) == crc32(texts[1])
    found = verdicts("equals: caller", alice, mallory, alice)
    assert found == [("identified", "alice"), ("unexpected", None), ("identified", "alice")]


@pytest.mark.parametrize(
    ("demand", "expired"),
    [("equals: caller", ("unexpected", "alice")), ("matches: '.+'", ("identified", None))],
)
def test_an_entry_expires_between_two_calls_of_one_session_in_whichever_order_they_come(demand, expired):
    before, after = call("alice", "2026-11-01"), call("alice", "2026-11-02")
    assert verdicts(demand, before, after, before) == [("identified", "alice"), expired, ("identified", "alice")]
    assert verdicts(demand, after, before, after) == [expired, ("identified", "alice"), expired]


def test_what_quotes_its_caller_at_length_is_not_remembered():
    account, origin = "t@my-gcp-project.iam.gserviceaccount.com", "user:somebody@example.com"
    caller = {"principalEmail": account, "serviceAccountDelegationInfo": [{"principalSubject": origin}]}
    engine = Engine(fresh_book())
    for number in range(3):
        status = {"code": 5, "message": f"{number}{'x' * 10_000}"}
        payload = {"serviceName": "storage.googleapis.com", "methodName": "storage.objects.get", "status": status}
        record = {
            "insertId": "1",
            "logName": "projects/p/logs/x",
            "protoPayload": payload | {"authenticationInfo": caller},
        }
        assert len(judged(engine, record)) == 1
    assert not engine._memo
