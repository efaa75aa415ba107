"""A delivery's bytes become records, whatever they are wrapped in; what is none is named."""

import base64
import json

import pytest

from callerid import delivery
from tests.conftest import entry, json_lines, positions, record, verdicts

FILE = {"Records": [record(1), record(2)]}
AS_PUBSUB = base64.b64encode(json.dumps(entry()).encode()).decode()

WRAPPED = {
    "a log file": (FILE, ["Records[0]", "Records[1]"]),
    "a log file without records": ({"Records": []}, []),
    "an array of records": ([record(1), record(2)], ["[0]", "[1]"]),
    "an array of entries, as gcloud prints them": ([entry(1), entry(2)], ["[0]", "[1]"]),
    "an array of both clouds' records": ([record(), entry()], ["[0]", "[1]"]),
    "one record": (record(), [""]),
    "one entry": (entry(), [""]),
    "an EventBridge event": ({"detail-type": "AWS API Call via CloudTrail", "detail": record()}, ["detail"]),
    "lookup-events": (
        {"Events": [{"EventId": "x", "CloudTrailEvent": json.dumps(record())}]},
        ["Events[0].CloudTrailEvent"],
    ),
    "entries.list": ({"entries": [entry()], "nextPageToken": "x"}, ["entries[0]"]),
    "a Pub/Sub push request": ({"message": {"data": AS_PUBSUB, "messageId": "1"}}, ["message.data"]),
    "a CloudEvent of a push": ({"data": {"message": {"data": AS_PUBSUB}}, "type": "x"}, ["data.message.data"]),
    "pulled messages": (
        {"receivedMessages": [{"ackId": "x", "message": {"data": AS_PUBSUB}}]},
        ["receivedMessages[0].message.data"],
    ),
    "gcloud pubsub subscriptions pull": ([{"ackId": "x", "message": {"data": AS_PUBSUB}}], ["[0].message.data"]),
    "a bare message": ({"data": AS_PUBSUB, "messageId": "1"}, ["data"]),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_records_are_unwrapped_with_their_positions(name, book):
    value, where = WRAPPED[name]
    for text in (json.dumps(value), json.dumps(value, indent=2), "\n " + json.dumps(value) + "\n"):
        assert positions(delivery.document(text.encode())) == where
        assert verdicts(delivery.document(text.encode()), book) == ["identified"] * len(where)


@pytest.mark.parametrize("name", WRAPPED)
def test_the_same_in_json_lines(name, book):
    value, where = WRAPPED[name]
    data = json_lines(record(), value)
    assert positions(delivery.Lines().read(data))[1:] == [
        "2" + (f":{position}" if position and position[0] != "[" else position) for position in where
    ]
    assert verdicts(delivery.Lines().read(data), book)[1:] == ["identified"] * len(where)


UNREADABLE = {
    "empty": (b"", ["unreadable  not-a-log"]),
    "blank": (b" \n", ["unreadable  not-a-log"]),
    "no JSON": (b"%PDF-1.7", ["unreadable  not-a-log"]),
    "a string": (b'"hello"', ["unreadable  not-a-log"]),
    "another object": (b'{"name": "package"}', ["unreadable  not-a-log"]),
    "an array of others": (b'[1, {"a": 2}]', ["unreadable [0] not-a-log", "unreadable [1] not-a-log"]),
    "notices of S3": (
        json.dumps(
            {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "userIdentity": {}}]}
        ).encode(),
        ["unreadable Records[0] not-a-log"],
    ),
    "another EventBridge event": (
        b'{"detail-type": "EC2 Instance State-change Notification", "detail": {"state": "running"}}',
        ["unreadable detail not-a-log"],
    ),
    "a message that is no base64": (b'{"message": {"data": "%%%"}}', ["unreadable message.data json-damaged"]),
    "an event that is cut off": (
        b'{"CloudTrailEvent": "{\\"eventName\\": "}',
        ["unreadable CloudTrailEvent json-damaged"],
    ),
    "a record of a wrong shape": (b'{"userIdentity": {}, "eventName": 7}', ["unreadable  record-malformed"]),
    "an entry of a wrong shape": (b'{"logName": "x", "protoPayload": "..."}', ["unreadable  record-malformed"]),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_no_record_is_named_with_its_place(name):
    data, expected = UNREADABLE[name]
    assert verdicts(delivery.document(data)) == expected


def test_one_odd_record_costs_the_others_nothing(book):
    odd = {"Records": [record(1), {"eventName": 5, "userIdentity": "x"}, record(3), 7, record(5)]}
    assert verdicts(delivery.document(json.dumps(odd).encode()), book) == [
        "identified",
        "unreadable Records[1] record-malformed",
        "identified",
        "unreadable Records[3] not-a-log",
        "identified",
    ]


def test_a_document_that_ends_early_keeps_what_came_before(book):
    data = json.dumps(FILE).encode()[:-40]
    assert verdicts(delivery.document(data), book)[0] == "identified"
    assert verdicts(delivery.document(data), book)[1].startswith("unreadable Records[1] json-damaged")


def test_damage_that_the_file_told_is_told_once(book):
    data = json.dumps(FILE).encode()[:-40]
    assert verdicts(delivery.document(data, "gzip-damaged", "x"), book) == ["identified", "unreadable  gzip-damaged"]


def test_documents_one_after_the_other_are_all_read(book):
    data = json.dumps(FILE).encode() + json.dumps(FILE, indent=1).encode()
    assert verdicts(delivery.document(data), book) == ["identified"] * 4
    assert positions(delivery.document(data))[2:] == ["value 1.Records[0]", "value 1.Records[1]"]


def test_a_half_written_line_is_named_and_the_rest_goes_on(book):
    data = json_lines(record(1)) + b'{"eventVersion": "1.1\n' + b"\n" + json_lines(entry(2))
    assert verdicts(delivery.Lines().read(data), book) == ["identified", "unreadable 2 json-damaged", "identified"]
    assert positions(delivery.Lines().read(data)) == ["1", "!2", "4"]


def test_line_numbers_go_on_from_block_to_block():
    lines = delivery.Lines()
    first, second = json_lines(*(record(number) for number in range(3))), json_lines(record(9)) + b"{\n"
    assert positions(lines.read(first)) == ["1", "2", "3"]
    assert positions(lines.read(second)) == ["4", "!5"]


def test_a_last_line_without_its_end_counts(book):
    assert positions(delivery.Lines().read(json_lines(record(1), record(2))[:-1])) == ["1", "2"]


def test_half_a_surrogate_pair_costs_no_record(book):
    text = json.dumps(FILE).replace("nightly-export", "\\ud800")
    assert verdicts(delivery.document(text.encode()), book) == ["identified", "identified"]


def test_deep_nesting_is_named_and_not_followed():
    deep = b'{"Records": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}"
    assert [verdict.split()[0] for verdict in verdicts(delivery.document(deep))] == ["unreadable"]


def test_what_nests_without_end_is_looked_through_once_though_a_string_in_it_never_ends():
    deep = b'{"Records": [' + b"[" * 100_000 + b'"' + b'a\\"' * 1_000_000
    assert [verdict.split()[0] for verdict in verdicts(delivery.document(deep))] == ["unreadable", "unreadable"]


@pytest.mark.parametrize("depth", [300, 900, *range(930, 1000, 2), 1100, 50_000])
def test_a_record_that_nests_without_end_costs_the_others_nothing(depth, book):
    deep = json.dumps(record(1, eventID=None)).replace('"nightly-export"', "[" * depth + "]" * depth)
    data = f'{{"Records": [{json.dumps(record(2))}, {deep}, {json.dumps(record(3))}]}}'.encode()
    found = verdicts(delivery.document(data), book)
    assert len(found) == 3
    assert (found[0], found[2]) == ("identified", "identified")
    for alone in (deep.encode(), deep.replace('"eventID": null, ', "").encode()):
        assert len(verdicts(delivery.document(alone), book)) == 1
        assert len(verdicts(delivery.Lines().read(alone + b"\n"), book)) == 1


def test_digests_and_insights_are_passed_over_and_told():
    digest = {"digestStartTime": "x", "digestS3Bucket": "b", "logFiles": []}
    insight = {"Records": [{"eventType": "AwsCloudTrailInsight", "insightDetails": {"state": "Start"}}]}
    assert verdicts(delivery.document(json.dumps(digest).encode())) == ["(digest)"]
    assert verdicts(delivery.document(json.dumps(insight).encode())) == ["(insight)"]


def test_envelopes_within_envelopes_come_to_an_end():
    value: object = record()
    for _ in range(50):
        value = {"detail-type": "x", "detail": value}
    assert [verdict.split()[0] for verdict in verdicts(delivery.document(json.dumps(value).encode()))] == ["unreadable"]
