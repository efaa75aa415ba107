"""The judge remembers answers; what it remembers never changes what it says."""

import json
import random

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


EXPIRING = b"""
version: 1
callers:
  - name: alice
    owner: people@example.com
    expires: 2026-11-02
    identities: [{iam_user: "arn:aws:iam::111111111111:user/alice"}]
    may_reach: [{aws_role: "arn:aws:iam::111111111111:role/ops"}]
requirements:
  - roles: arn:aws:iam::111111111111:role/ops
    session_name: {mode: enforce, matches: "[a-z]+"}
"""


def test_a_later_call_after_the_last_day_takes_no_name_from_a_call_before_it():
    call = {
        "eventSource": "s3.amazonaws.com",
        "eventName": "ListBuckets",
        "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::111111111111:assumed-role/ops/alice"},
    }
    engine, owners = Engine(Book(parse(EXPIRING, "policy"), "sha256:case")), []
    for time in ("2026-11-03T00:00:01Z", "2026-11-02T23:59:59Z", "2026-11-03T00:00:02Z"):
        ((_, _, _, owner, _),) = judged(engine, {**call, "eventTime": time})
        owners.append(owner.name if owner else None)
    assert owners == [None, "alice", None]
