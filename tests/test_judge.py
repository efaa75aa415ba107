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
