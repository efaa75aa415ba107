"""The Lambda, the Cloud Function and the command line give every case the same judgement, wherever it arrives."""

import base64
import json

import msgspec
import pytest

from aws_function import inbox as aws_inbox
from callerid import delivery
from callerid.engine import Engine, unreadable
from callerid.envelope import Batch, PassedOver, Unreadable
from callerid.judgement import line
from callerid.monitor import Received
from callerid.scan import Scanner, Select
from gcp_function import inbox as gcp_inbox
from tests.test_cases import OF_JSON, _book

PLACED = ("source",)
"""What of a judgement depends on where its record came from; of what is unreadable, its id too."""


class Engaged:
    """A service that judges what an inbox hands it, and records nothing."""

    def __init__(self, book) -> None:
        self.book, self.lines = book, []

    def receive(self, deliveries) -> Received:
        for name, items in deliveries:
            self.lines += judged(items, name, self.book)
        return Received()


def judged(items, name, book) -> list[dict]:
    engine, found = Engine(book), []
    for item in items:
        match item:
            case Batch():
                judgements = enumerate(engine.judge(item))
                found += [(judgement, item.occurrence(index, name)) for index, judgement in judgements]
            case Unreadable():
                found.append((unreadable(item), item.occurrence(name)))
            case PassedOver():
                pass
    return [plain(msgspec.json.encode(line(*one, book.digest if book else None))) for one in found]


def plain(text: bytes) -> dict:
    found = json.loads(text)
    placed = (*PLACED, "record_id", "access_id") if found["verdict"] == "unreadable" else PLACED
    return {key: value for key, value in found.items() if key not in placed}


def by_lambda(record, book) -> list[dict]:
    """As an event of EventBridge, which every record of CloudTrail is; a log entry comes as it is."""
    event = {"version": "0", "detail-type": "AWS API Call via CloudTrail", "source": "aws.sts", "detail": record}
    is_event = "eventName" in record or "eventSource" in record
    return judged(aws_inbox.event(json.dumps(event if is_event else record)), "queue:1", book)


def by_cloud_function(record, book) -> list[dict]:
    data = base64.b64encode(json.dumps(record).encode()).decode()
    service = Engaged(book)
    gcp_inbox.take(service, json.dumps({"message": {"data": data, "messageId": "1"}, "subscription": "s"}).encode())
    return service.lines


def by_command_line(record, book, path) -> list[dict]:
    path.write_bytes(json.dumps(record).encode() + b"\n")
    lines: list[bytes] = []
    Scanner(book, Select(every=True)).scan(str(path), lines.append)
    return [plain(text) for text in lines]


@pytest.mark.parametrize(("name", "case"), OF_JSON, ids=[f"{name}: {case['case']}" for name, case in OF_JSON])
def test_every_case_is_judged_alike_by_both_functions_and_the_command_line(name, case, tmp_path):
    policy = case.get("policy")
    book = None if policy == "none" else _book(policy)
    expected = judged(delivery.document(json.dumps(case["record"]).encode()), "case", book)
    assert by_lambda(case["record"], book) == expected
    assert by_cloud_function(case["record"], book) == expected
    assert by_command_line(case["record"], book, tmp_path / "log.jsonl") == expected
