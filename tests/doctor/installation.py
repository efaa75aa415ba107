"""An installation on AWS, as moto's server has it, whose answers a test can bend."""

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
from moto.events.models import EventPattern

from callerid.doctor.aws_api import Aws
from tests.aws_function.conftest import ACCOUNT, EVERYTHING, translated
from tests.aws_function.test_stack import create, empty_package, for_moto
from tests.parts import moto

NOW = 1_793_592_245.0  # 2026-11-02T04:04:05Z
STACK, REGION, OTHER = "doctor", "eu-west-2", "eu-central-1"
"""A stack and regions of its own: moto's state is the process's, and other tests have a stack, too."""
Answer = Callable[[dict], dict | None]


def denied(_: dict) -> dict:
    """An answer to whoever may not ask."""
    return {"Error": {"Code": "AccessDeniedException", "Message": "User: arn:… is not authorized"}}


def failing(code: str) -> Answer:
    """An answer that is an error."""
    return lambda _: {"Error": {"Code": code, "Message": "…"}}


def always(**answer: Any) -> Answer:
    """The same answer whatever is asked."""
    return lambda _: answer


def matched(given: dict) -> dict:
    """What ``TestEventPattern`` would say; moto matches events and has no such call."""
    pattern = EventPattern.load(given["EventPattern"])
    return {"Result": bool(pattern.matches_event(json.loads(given["Event"])))}


class Installation:
    """What the doctor is given, and what a test changes of it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.answers: dict[str, Answer] = {}
        """By ``service:Operation``, or ``service:Operation region``: said in place of moto's answer."""
        self.parts: dict[str, str] = {}
        """The stack's resources."""
        self.asked: set[str] = set()
        self.client = cache(self._client)
        self.aws = Aws(self.client, REGION)

    def _client(self, service: str, region: str = REGION) -> Any:
        """A client whose calls the answers may take."""
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        made = boto3.client(service, endpoint_url=self._url, region_name=region, **keys)

        def answer(model: Any, context: Any, params: Any, **_: Any) -> Any:
            name = f"{service}:{model.name}"
            self.asked.add(name)
            said = self.answers.get(f"{name} {region}") or self.answers.get(name)
            if said is None:
                return None
            parsed = said(context["given"])
            if parsed is None:
                return None
            return type("Http", (), {"status_code": 400 if "Error" in parsed else 200})(), parsed

        def remember(params: Any, context: Any, **_: Any) -> None:
            context["given"] = params

        made.meta.events.register("provide-client-params.*.*", remember)
        made.meta.events.register(f"before-call.{made.meta.service_model.service_id.hyphenize()}.*", answer)
        return made

    def remember_stack(self) -> None:
        """Keep what moto says of the stack: it reads the whole template each time, and warns of what it lacks."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"Tried to parse AWS::\S+ but it's not supported by moto")
            listed = self.client("cloudformation").list_stack_resources(StackName=STACK)
        self.answers["cloudformation:ListStackResources"] = lambda given: (
            listed if given["StackName"] == STACK else None
        )
        found = listed["StackResourceSummaries"]
        self.parts = {part["LogicalResourceId"]: part["PhysicalResourceId"] for part in found}


@contextmanager
def served() -> Iterator[Installation]:
    """An installation that is still to be made, on moto's server."""
    with moto() as url:
        yield Installation(url)


def install(made: Installation) -> None:
    """A stack of the template, a trail, a region that forwards, a day of calls; again where moto forgot them.

    Moto's state is the process's, and another test's server may clear it.
    """
    if made.client("cloudtrail").describe_trails()["trailList"]:
        return
    made.answers.clear()
    s3 = made.client("s3", "us-east-1")  # where a bucket may be made twice
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="key", Body=empty_package())
    create(made.client("cloudformation"), STACK, for_moto(translated()), **EVERYTHING)
    made.remember_stack()
    _let_send(made)
    _forward(made)
    # The mapping is another queue's: to what comes into one that has a mapping, moto starts a container.
    other = made.client("sqs").create_queue(QueueName="other")["QueueUrl"]
    arn = made.client("sqs").get_queue_attributes(QueueUrl=other, AttributeNames=["QueueArn"])["Attributes"]
    functions = made.client("lambda")
    functions.create_event_source_mapping(EventSourceArn=arn["QueueArn"], FunctionName=made.parts["Judge"])
    mappings = functions.list_event_source_mappings(FunctionName=made.parts["Judge"])
    made.answers |= {
        "events:TestEventPattern": matched,
        "lambda:ListEventSourceMappings": always(**mappings),
        "ec2:DescribeRegions": always(Regions=[{"RegionName": name} for name in (REGION, OTHER)]),
        "cloudtrail:LookupEvents": always(Events=[]),
        "cloudwatch:GetMetricStatistics": figures(Invocations=1440, Errors=0),
    }
    _let_log(made)


def figures(**total: int) -> Answer:
    """One hour's figures, by the metric's name."""
    return lambda given: {
        "Datapoints": [{"Timestamp": datetime(2026, 11, 2, 3, tzinfo=UTC), "Sum": float(total[given["MetricName"]])}]
    }


def _let_log(made: Installation) -> None:
    """The trail, and its bucket."""
    trail = made.client("cloudtrail")
    made.client("s3", "us-east-1").create_bucket(Bucket="my-trail")
    trail.create_trail(Name="example-trail", S3BucketName="my-trail", IsMultiRegionTrail=True)
    trail.start_logging(Name="example-trail")
    selected = {"ReadWriteType": "All", "IncludeManagementEvents": True}
    trail.put_event_selectors(TrailName="example-trail", EventSelectors=[selected])


def _let_send(made: Installation) -> None:
    """The queue's policy, which moto makes none of."""
    parts = made.parts
    arn = f"arn:aws:events:{REGION}:{ACCOUNT}:rule"
    rules = [
        f"{arn}/{f'{STACK}/' if name.startswith('Forwarded') else ''}{parts[name]}"
        for name in parts
        if name.endswith("Rule")
    ]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": "*",
        "Condition": {"ArnEquals": {"aws:SourceArn": rules}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    made.client("sqs").set_queue_attributes(QueueUrl=parts["Queue"], Attributes={"Policy": policy})


def _forward(made: Installation) -> None:
    """The rule of forward.yaml, in another region."""
    crossings = translated("forward.yaml")["Resources"]["CrossingsRule"]["Properties"]
    events = made.client("events", OTHER)
    pattern = json.dumps(crossings["EventPattern"])
    events.put_rule(Name="forward", State=crossings["State"], EventPattern=pattern)
    bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{STACK}"
    events.put_targets(
        Rule="forward", Targets=[{"Id": "central", "Arn": bus, "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/x"}]
    )
