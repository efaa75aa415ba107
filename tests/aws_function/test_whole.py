"""The whole way: an event that is put on the bus arrives as a message in Slack, once."""

import json

import pytest

from tests.aws_function.conftest import EVERYTHING, translated
from tests.aws_function.events import JUDGED, PASSED_BY, canary
from tests.aws_function.stage import event
from tests.aws_function.test_stack import create, empty_package, for_moto
from tests.conftest import POLICY, record
from tests.ledger.made import counts, stranger


class Account:
    """The stack, and what Lambda does between the queue and the function."""

    def __init__(self, stage) -> None:
        self._stage = stage
        self.s3, self.sqs = stage.client("s3"), stage.client("sqs")
        for bucket, key, body in (("bucket", "key", empty_package()), ("my-policies", "p.yaml", POLICY.read_bytes())):
            self.s3.create_bucket(Bucket=bucket)
            self.s3.put_object(Bucket=bucket, Key=key, Body=body)
        secret = stage.environment["CALLERID_SLACK_SECRET"]
        given = {**EVERYTHING, "SlackSecretArn": secret, "PolicyKey": "p.yaml"}
        self.name = stage.table
        self.outputs = create(stage.client("cloudformation"), self.name, for_moto(translated()), **given)
        stage.table = self.outputs["LedgerUrl"].removeprefix("dynamodb://")

    def environment(self, output: str) -> dict[str, str]:
        """What the stack tells a function, and where AWS and Slack are."""
        found = self._stage.client("lambda").get_function_configuration(FunctionName=self.outputs[output])
        outside = {name: self._stage.environment[name] for name in ("AWS_ENDPOINT_URL", "CALLERID_SLACK_API")}
        return {**found["Environment"]["Variables"], **outside}

    def put(self, *events: dict, bus: str = "default") -> None:
        """Put events on a bus."""
        entries = [
            {"Source": sent["source"], "DetailType": sent["detail-type"], "Detail": json.dumps(sent["detail"])}
            for sent in events
        ]
        self._stage.client("events").put_events(Entries=[{**entry, "EventBusName": bus} for entry in entries])

    def drain(self, judge) -> int:
        """Hand what is in the queue to Judge until nothing is; return how many messages it was given."""
        url, given = self.outputs["QueueUrl"], 0
        while messages := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            given += len(messages)
            outcome = judge.invoke({"Records": [self._as_lambda_has_it(message) for message in messages]})
            failed = {item["itemIdentifier"] for item in outcome.answer["batchItemFailures"]}
            for message in messages:
                if message["MessageId"] not in failed:
                    self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return given

    def _as_lambda_has_it(self, message: dict) -> dict:
        return {
            "messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"], "body": message["Body"],
            "md5OfBody": message["MD5OfBody"], "attributes": {}, "messageAttributes": {}, "eventSource": "aws:sqs",
            "eventSourceARN": self.outputs["QueueArn"], "awsRegion": "us-east-1",
        }  # fmt: skip


@pytest.fixture
def account(stage) -> Account:
    return Account(stage)


def test_an_event_on_the_bus_is_a_message_in_slack(account, stage, slack):
    """The canary of the documentation, by the command that stands there; the same event twice is no second message."""
    sent = canary()
    with (
        stage.run("judge", **account.environment("JudgeName")) as judge,
        stage.run("tasks", **account.environment("TasksName")) as tasks,
    ):
        for _ in range(2):
            account.put(sent)
            assert account.drain(judge) == 1
            assert tasks.invoke({"task": "deliver"}).answer["waiting"] == 0
    (message,) = slack.accepted
    assert "callerid-canary" in json.dumps(message.blocks)


def test_all_ways_in_end_in_one_count(account, stage, slack):
    """This account's bus, the central one, and a log file; what no rule lets in is not counted."""
    records = [stranger(1), record(2), record(3)]
    key = "org/AWSLogs/111111111111/CloudTrail/us-east-1/2026/11/02/a.json.gz"
    account.s3.create_bucket(Bucket="my-trail")
    account.s3.put_object(Bucket="my-trail", Key=key, Body=json.dumps({"Records": records}).encode())
    created = {"bucket": {"name": "my-trail"}, "object": {"key": key}}
    with stage.run("judge", **account.environment("JudgeName")) as judge:
        account.put(*map(event, records))
        account.put(*map(event, records), bus=account.name)
        account.put({"source": "aws.s3", "detail-type": "Object Created", "detail": created})
        account.put(PASSED_BY["ec2 for itself"], PASSED_BY["an object read"])
        assert account.drain(judge) == 7
    assert counts(stage.store) == {"identified allowed": 2, "unexpected allowed": 1}


def test_every_kind_of_event_that_a_rule_lets_in_is_read(account, stage):
    with stage.run("judge", **account.environment("JudgeName")) as judge:
        for number, sent in enumerate(JUDGED.values()):
            own = {"eventID": f"00000000-0000-4000-8000-{number:012d}"}
            account.put({**sent, "detail": {**sent["detail"], **own}})
        assert account.drain(judge) == len(JUDGED)
        lines = [line for line in judge.lines() if line.get("message") == "batch"]
    assert sum(line["records"] for line in lines) == len(JUDGED)
    assert not any("unreadable" in line["verdicts"] for line in lines)
