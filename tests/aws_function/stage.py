"""What the function runs on in tests: AWS as moto serves it, the local Slack, and the function's folder."""

import itertools
import json
import shutil
import sys
from functools import partial
from types import SimpleNamespace
from urllib.parse import quote_plus

import boto3
import pytest

from callerid.ledger.dynamodb import DynamoStore, table_definition
from callerid.ledger.store import Key
from tests import parts
from tests.alerts.slack_server import TOKEN, SlackServer
from tests.aws_function.runtime import runtime
from tests.conftest import POLICY, ROOT

_names = (f"function-{number}" for number in itertools.count())
BUCKET, SECRET = "example-trail", "callerid/slack"


@pytest.fixture(scope="module")
def moto():
    """AWS on this machine."""
    with parts.moto() as url:
        yield url


@pytest.fixture
def slack():
    """Slack on this machine."""
    with SlackServer() as server:
        yield server


class Stage:
    """A table, a bucket, a secret, a topic with a queue behind it, and the function's folder."""

    def __init__(self, moto, slack, tmp_path) -> None:
        self.table = next(_names)
        self.path = tmp_path
        self.python = sys.executable
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        self.client = partial(boto3.client, endpoint_url=moto, region_name="us-east-1", **keys)
        self.dynamodb, self.s3, self.sqs = map(self.client, ("dynamodb", "s3", "sqs"))
        self.dynamodb.create_table(**table_definition(self.table))
        self.s3.create_bucket(Bucket=BUCKET)
        secrets, sns = self.client("secretsmanager"), self.client("sns")
        arn = secrets.create_secret(Name=f"{SECRET}-{self.table}", SecretString=TOKEN)["ARN"]
        topic = sns.create_topic(Name=self.table)["TopicArn"]
        self.heard = self.sqs.create_queue(QueueName=self.table)["QueueUrl"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:123456789012:{self.table}")
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

    def anew(self) -> None:
        """Go on with an empty ledger."""
        self.table = next(_names)
        self.dynamodb.create_table(**table_definition(self.table))
        self.environment["CALLERID_LEDGER"] = f"dynamodb://{self.table}"

    def policy(self, text: str) -> None:
        """Put a policy into the package."""
        (self.root / "aws_function" / "policy.yaml").write_text(text)

    def run(self, handler: str, **environment: str):
        """Run a handler with a log of its own."""
        log = self.path / f"{handler}-{next(self._numbers)}.log"
        given = {**self.environment, **environment}
        return runtime(f"aws_function.app.{handler}", self.root, log, given, python=self.python)

    @property
    def store(self):
        """The ledger's rows, as the fake store keeps them."""
        store = DynamoStore(self.dynamodb, self.table)
        keys = [
            (item["p"]["S"], item["s"]["S"])
            for page in self.dynamodb.get_paginator("scan").paginate(TableName=self.table)
            for item in page["Items"]
        ]
        return SimpleNamespace(rows=store.read([Key(*key) for key in keys]))

    def told(self) -> list[str]:
        """What came out at the second way."""
        messages = self.sqs.receive_message(QueueUrl=self.heard, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"])["Subject"] for message in messages]


@pytest.fixture
def stage(moto, slack, tmp_path):
    """A stage of this test's own."""
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
