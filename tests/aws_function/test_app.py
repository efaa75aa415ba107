"""The Lambda under the real runtime client: a message of the queue becomes a message in Slack."""

import gzip
import itertools
import json
import shutil
from urllib.parse import quote_plus

import boto3
import pytest

from callerid.ledger.dynamodb import DynamoStore, table_definition
from callerid.ledger.rows import Alert
from tests import parts
from tests.alerts.slack_server import TOKEN, SlackServer
from tests.aws_function.runtime import runtime
from tests.conftest import POLICY, ROOT, record
from tests.ledger.made import call, counts, rows
from tests.ledger.test_record import stranger

_names = (f"function-{number}" for number in itertools.count())
BUCKET, SECRET = "example-trail", "callerid/slack"


@pytest.fixture(scope="module")
def moto():
    with parts.moto() as url:
        yield url


@pytest.fixture
def slack():
    with SlackServer() as server:
        yield server


class Stage:
    """A table, a bucket, a secret, a topic with a queue behind it, and the function's folder."""

    def __init__(self, moto, slack, tmp_path) -> None:
        self.table = next(_names)
        self.path = tmp_path
        options = {
            "endpoint_url": moto,
            "region_name": "us-east-1",
            "aws_access_key_id": "testing",
            "aws_secret_access_key": "testing",
        }
        self.dynamodb = boto3.client("dynamodb", **options)
        self.dynamodb.create_table(**table_definition(self.table))
        self.s3 = boto3.client("s3", **options)
        self.s3.create_bucket(Bucket=BUCKET)
        secrets = boto3.client("secretsmanager", **options)
        arn = secrets.create_secret(Name=f"{SECRET}-{self.table}", SecretString=TOKEN)["ARN"]
        topic = boto3.client("sns", **options).create_topic(Name=self.table)["TopicArn"]
        self.sqs = boto3.client("sqs", **options)
        self.heard = self.sqs.create_queue(QueueName=self.table)["QueueUrl"]
        queue = f"arn:aws:sqs:us-east-1:123456789012:{self.table}"
        boto3.client("sns", **options).subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
        self.root = tmp_path / "task"
        shutil.copytree(ROOT / "shared/callerid", self.root / "callerid", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "aws_function", self.root / "aws_function", ignore=shutil.ignore_patterns("__pycache__"))
        self.policy(POLICY.read_text())
        self.environment = {
            "AWS_ENDPOINT_URL": moto,
            "CALLERID_POLICY": "package:policy.yaml",
            "CALLERID_LEDGER": f"dynamodb://{self.table}",
            "CALLERID_SLACK_SECRET": arn,
            "CALLERID_SLACK_API": slack.url,
            "CALLERID_CHANNEL": "C0123456789",
            "CALLERID_SECOND_WAY": f"sns:{topic}",
        }
        self._numbers = itertools.count()

    def policy(self, text: str) -> None:
        (self.root / "aws_function" / "policy.yaml").write_text(text)

    def run(self, handler: str, **environment: str):
        log = self.path / f"{handler}-{next(self._numbers)}.log"
        return runtime(f"aws_function.app.{handler}", self.root, log, {**self.environment, **environment})

    @property
    def store(self):
        """The ledger's rows, as the fake store keeps them."""

        class Rows:
            pass

        found = Rows()
        store = DynamoStore(self.dynamodb, self.table)
        keys = [
            (item["p"]["S"], item["s"]["S"])
            for page in self.dynamodb.get_paginator("scan").paginate(TableName=self.table)
            for item in page["Items"]
        ]
        from callerid.ledger.store import Key

        found.rows = store.read([Key(*key) for key in keys])
        return found

    def told(self) -> list[str]:
        """What came out at the second way."""
        messages = self.sqs.receive_message(QueueUrl=self.heard, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"])["Subject"] for message in messages]


@pytest.fixture
def stage(moto, slack, tmp_path):
    return Stage(moto, slack, tmp_path)


def event(raw: dict) -> dict:
    """A record as the bus delivers it."""
    return {
        "version": "0", "id": "00000000-0000-4000-8000-000000000000",
        "detail-type": "AWS API Call via CloudTrail", "source": "aws.sts", "account": "111111111111",
        "time": raw.get("eventTime"), "region": "us-east-1", "resources": [], "detail": raw,
    }  # fmt: skip


def batch(*bodies: object) -> dict:
    """Messages as Lambda gets them from the queue."""
    return {
        "Records": [
            {
                "messageId": f"message-{number}", "receiptHandle": "handle", "attributes": {}, "messageAttributes": {},
                "body": body if isinstance(body, str) else json.dumps(body), "md5OfBody": "",
                "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:111111111111:callerid",
                "awsRegion": "us-east-1",
            }
            for number, body in enumerate(bodies)
        ]
    }  # fmt: skip


def created(key: str) -> dict:
    """The bus's notice that an object is there."""
    detail = {"bucket": {"name": BUCKET}, "object": {"key": key}}
    return {"detail-type": "Object Created", "source": "aws.s3", "detail": detail}


def notified(key: str) -> dict:
    """The bucket's own notice, which quotes the key."""
    s3 = {"bucket": {"name": BUCKET}, "object": {"key": quote_plus(key)}}
    return {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": s3}]}


NOTHING_FAILED = {"batchItemFailures": []}


def test_a_record_on_the_queue_becomes_a_message_in_slack_once(stage, slack):
    with stage.run("judge") as judge, stage.run("tasks") as tasks:
        for _ in range(2):
            assert judge.invoke(batch(event(stranger(1)), event(record(2)))).answer == NOTHING_FAILED
            answer = tasks.invoke({"task": "deliver"}).answer
        assert answer == {"task": "deliver", "posted": 0, "edited": 0, "waiting": 0, "oldest_seconds": 0.0}
        (message,) = slack.accepted
        assert message.text.startswith("HIGH: unexpected caller")
        assert counts(stage.store) == {"unexpected allowed": 1, "identified allowed": 1}
        assert "SECRET" not in judge.log() + tasks.log()
        assert TOKEN not in judge.log() + tasks.log()


def test_a_batch_is_one_line_of_log_a_finding_another_and_metrics_beside(stage):
    with stage.run("judge") as judge:
        judge.invoke(batch(event(stranger(1)), event(record(2)), {"no": "record"}))
        lines = judge.lines()
    (line,) = [line for line in lines if line.get("message") == "batch"]
    assert (line["records"], line["new"], line["findings"]) == (3, 3, 1)
    assert line["verdicts"] == {"unexpected": 1, "identified": 1, "unreadable": 1}
    findings = [line["finding"] for line in lines if line.get("message") == "finding"]
    assert [finding["verdict"] for finding in findings] == ["unexpected", "unreadable"]
    metrics = {name: line[name] for line in lines if "_aws" in line for name in line}
    assert metrics["Records"] == [3.0]
    assert metrics["Findings"] == [1.0]
    assert metrics["Unreadable"] == [1.0]
    assert metrics["LagSeconds"][0] > 0


def test_log_files_are_read_whichever_way_their_names_come(stage):
    keys = [f"AWSLogs/111111111111/CloudTrail/us-east-1/2026/11/02/a b+{number}.json.gz" for number in range(3)]
    for number, key in enumerate(keys):
        records = [record(100 * number + one) for one in range(5)] + [call(100 * number + one) for one in range(5)]
        stage.s3.put_object(Bucket=BUCKET, Key=key, Body=gzip.compress(json.dumps({"Records": records}).encode()))
    wrapped = {"Type": "Notification", "Message": json.dumps(notified(keys[2]))}
    with stage.run("judge") as judge:
        for _ in range(2):
            assert judge.invoke(batch(created(keys[0]), notified(keys[1]), wrapped)).answer == NOTHING_FAILED
    assert counts(stage.store) == {"identified allowed": 30}


def test_a_record_that_comes_by_the_bus_and_in_a_log_file_counts_once(stage):
    records = [record(1), stranger(2), record(3)]
    stage.s3.put_object(Bucket=BUCKET, Key="log.json", Body=json.dumps({"Records": records}).encode())
    with stage.run("judge") as judge:
        judge.invoke(batch(*map(event, records[:2])))
        judge.invoke(batch(created("log.json")))
        judge.invoke(batch(*map(event, records)))
    assert counts(stage.store) == {"identified allowed": 2, "unexpected allowed": 1}


def test_only_what_failed_comes_again(stage):
    """A log file that is not there yet fails alone; what else is in the batch is recorded."""
    with stage.run("judge") as judge:
        answer = judge.invoke(batch(event(record(1)), created("missing.json.gz"), event(record(2)))).answer
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    assert counts(stage.store) == {"identified allowed": 2}


def test_one_unreadable_record_among_ten_goes_aside_and_the_rest_goes_on(stage):
    with stage.run("judge") as judge:
        answer = judge.invoke(batch("{half a rec", *(event(record(number)) for number in range(9)))).answer
    assert answer == NOTHING_FAILED
    assert counts(stage.store) == {"identified allowed": 9, "unreadable allowed": 1}
    (aside,) = rows(stage.store, "aside ", dict)
    assert aside["source"].startswith("sqs:message-0")


def test_without_its_ledger_nothing_is_acknowledged(stage):
    with stage.run("judge", CALLERID_LEDGER="dynamodb://nowhere") as judge:
        outcome = judge.invoke(batch(event(record(1)), event(record(2))))
    assert outcome.error is not None or len(outcome.answer["batchItemFailures"]) == 2


def test_an_invalid_policy_keeps_the_last_good_one_even_over_a_cold_start_and_says_so(stage, slack):
    with stage.run("judge") as judge:
        judge.invoke(batch(event(stranger(1))))
    stage.policy("version: 1\ncallers: [{nmae: x}]\n")
    with stage.run("judge") as judge, stage.run("tasks") as tasks:
        assert judge.invoke(batch(event(stranger(2)), event(record(3)))).answer == NOTHING_FAILED
        tasks.invoke({"task": "deliver"})
        metrics = {name: line[name] for line in tasks.lines() if "_aws" in line for name in line}
        assert metrics["PolicyInvalid"] == [1.0]
    assert counts(stage.store) == {"identified allowed": 1, "unexpected allowed": 2}
    assert stage.told() == ["callerid needs you"]


def test_without_any_good_policy_nothing_is_judged_and_nothing_acknowledged(stage):
    stage.policy("version: 2\n")
    with stage.run("judge") as judge:
        answer = judge.invoke(batch(event(stranger(1)))).answer
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert counts(stage.store) == {}


def test_a_process_that_is_killed_between_two_steps_loses_nothing(stage, slack):
    with stage.run("judge") as judge:
        judge.invoke(batch(event(stranger(1))))
        judge.kill()
    with stage.run("tasks") as tasks:
        tasks.kill()
    with stage.run("judge") as judge, stage.run("tasks") as tasks:
        judge.invoke(batch(event(stranger(1)), event(stranger(2))))
        tasks.invoke({"task": "deliver"})
    assert len(slack.accepted) == 1
    assert counts(stage.store) == {"unexpected allowed": 2}


def test_a_slack_that_refuses_the_token_is_heard_of_another_way_once(stage, slack):
    slack.token = None
    with stage.run("judge") as judge, stage.run("tasks") as tasks:
        judge.invoke(batch(event(stranger(1))))
        for _ in range(3):
            assert tasks.invoke({"task": "deliver"}).answer["waiting"] == 1
    assert stage.told() == ["callerid needs you"]
    (alert,) = rows(stage.store, "alert", Alert)
    assert alert.state == "pending"


def test_a_batch_of_six_megabytes_is_judged(stage):
    """The most that Lambda hands over at once."""
    padding = "x" * 580_000
    with stage.run("judge") as judge:
        bodies = [event(record(number, additionalEventData={"padding": padding})) for number in range(10)]
        assert judge.invoke(batch(*bodies)).answer == NOTHING_FAILED
    assert counts(stage.store) == {"identified allowed": 10}


def test_the_weekly_summary_is_one_message_however_often_it_is_called_for(stage, slack):
    with stage.run("judge") as judge, stage.run("tasks") as tasks:
        judge.invoke(batch(event(record(1))))
        first = tasks.invoke({"task": "summary"}).answer
        assert tasks.invoke({"task": "summary"}).answer == first
    (message,) = slack.accepted
    assert message.text.startswith(f"Federated access, week {first['week']}")
    assert message.edits == 1


def test_an_unknown_task_is_an_error_that_the_alarm_hears(stage):
    with stage.run("tasks") as tasks:
        assert tasks.invoke({"task": "dance"}).error["errorType"] == "UnknownTaskError"
