"""The stack, really made as far as moto makes it: an event on a bus arrives in the queue."""

import json
import time
import warnings
import zipfile
from collections.abc import Iterator
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest

from callerid import delivery
from callerid.policy.book import Book
from tests.aws_function.conftest import EVERYTHING, REGION, translated
from tests.aws_function.events import JUDGED, PASSED_BY, canary, created
from tests.conftest import verdicts

boto3 = pytest.importorskip("boto3", reason="boto3 is missing")
moto = pytest.importorskip("moto", reason="moto is missing")
server = pytest.importorskip("moto.server", reason="moto's server is missing")


def for_moto(template: dict) -> str:
    """A template without whatever calls the functions: moto would want a container for them."""
    resources = {name: dict(resource) for name, resource in template["Resources"].items()}
    for name in ("PolicyCheck", "JudgeBatch"):
        del resources[name]
    for resource in resources.values():
        resource.pop("DependsOn", None)
    return json.dumps({**template, "Resources": resources})


def create(client: Any, name: str, template: str, **parameters: str) -> dict[str, str]:
    """Create a stack, and return its outputs. What moto leaves out is asserted on the translated template instead."""
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Tried to parse AWS::\S+ but it's not supported by moto")
        client.create_stack(StackName=name, TemplateBody=template, Parameters=given, Capabilities=["CAPABILITY_IAM"])
    (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}


def empty_package() -> bytes:
    data = BytesIO()
    zipfile.ZipFile(data, "w").close()
    return data.getvalue()


@pytest.fixture(scope="module")
def aws() -> Iterator[SimpleNamespace]:
    """A stack on moto's server: ``client`` makes clients, ``outputs`` are the stack's, by name."""
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": REGION}

    def client(service: str) -> Any:
        return boto3.client(service, endpoint_url=f"http://{host}:{port}", **keys)

    client("s3").create_bucket(Bucket="bucket")
    client("s3").put_object(Bucket="bucket", Key="key", Body=empty_package())
    yield SimpleNamespace(
        client=client, outputs=create(client("cloudformation"), "callerid", for_moto(translated()), **EVERYTHING)
    )
    running.stop()


def arrivals(aws: SimpleNamespace, sent: dict, bus: str = "default") -> list[dict]:
    """Put an event on a bus, and take what arrives in the queue."""
    entry = {"Source": sent["source"], "DetailType": sent["detail-type"], "Detail": json.dumps(sent["detail"])}
    aws.client("events").put_events(Entries=[{**entry, "EventBusName": bus}])
    sqs, url = aws.client("sqs"), aws.outputs["QueueUrl"]
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in messages]


@pytest.mark.parametrize("name", ["web identity", "a pod", "switch role"])
@pytest.mark.parametrize("bus", ["default", "callerid"])
def test_an_event_on_either_bus_arrives_whole_and_is_read(name, bus, aws, book: Book):
    (arrived,) = arrivals(aws, JUDGED[name], bus)
    assert arrived["detail"] == JUDGED[name]["detail"]
    assert verdicts(delivery.document(json.dumps(arrived).encode()), book) != ["unreadable"]


def test_the_canary_arrives_and_a_service_for_itself_does_not(aws):
    assert len(arrivals(aws, canary())) == 1
    assert arrivals(aws, PASSED_BY["ec2 for itself"]) == []


@pytest.mark.parametrize("bus", ["default", "callerid"])
def test_a_log_file_arrives_from_here_and_from_elsewhere(bus, aws):
    sent = created("org/AWSLogs/111111111111/CloudTrail/us-east-1/2026/11/02/a.json.gz")
    assert [arrived["detail"] for arrived in arrivals(aws, sent, bus)] == [sent["detail"]]


def test_what_failed_six_times_is_a_dead_letter_and_not_lost(aws):
    sqs, url = aws.client("sqs"), aws.outputs["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="a record")
    tries = [sqs.receive_message(QueueUrl=url, VisibilityTimeout=0).get("Messages", []) for _ in range(7)]
    assert [len(messages) for messages in tries] == [1] * 6 + [0]
    dead = sqs.receive_message(QueueUrl=aws.outputs["DeadLettersUrl"])["Messages"]
    assert [message["Body"] for message in dead] == ["a record"]


def test_the_second_template_is_made_too(aws):
    bus = aws.outputs["BusArn"]
    create(aws.client("cloudformation"), "elsewhere", json.dumps(translated("forward.yaml")), CentralBusArn=bus)
    rules = aws.client("events").list_rules(NamePrefix="elsewhere")["Rules"]
    assert [rule["State"] for rule in rules] == ["ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"]


# The backfill


PREFIX = "org/AWSLogs/111111111111/CloudTrail/us-east-1/2026/10/"
OBJECTS = [f"{PREFIX}{name}.json.gz" for name in ("judged", "refused", "unanswered")]
ANSWERS = [
    '{"batchItemFailures": []}',
    json.dumps({"batchItemFailures": [{"itemIdentifier": OBJECTS[1]}]}),
    "Task timed out",
]


def definition(**names: str) -> str:
    """The state machine with its names filled in; moto has no express children."""
    text = json.dumps(translated()["Resources"]["BackfillMachine"]["Properties"]["Definition"])
    for name, value in names.items():
        text = text.replace(f"${{{name}}}", value)
    assert "${" not in text
    return text.replace('"EXPRESS"', '"STANDARD"')


@pytest.fixture
def backfilled(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[dict]]]:
    """How a backfill of three objects ended, and what it put into the queue; Judge gives them the three answers."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    from moto.awslambda_simple.models import lambda_simple_backends

    with moto.mock_aws(config={"stepfunctions": {"execute_state_machine": True}, "lambda": {"use_docker": False}}):
        s3, sqs, states = boto3.client("s3"), boto3.client("sqs"), boto3.client("stepfunctions")
        s3.create_bucket(Bucket="my-trail")
        for key in OBJECTS:
            s3.put_object(Bucket="my-trail", Key=key, Body=b"")
        role = boto3.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        made = {"Runtime": "python3.13", "Handler": "a.b", "Code": {"ZipFile": empty_package()}}
        judge = boto3.client("lambda").create_function(FunctionName="judge", Role=role, **made)["FunctionArn"]
        lambda_simple_backends["123456789012"][REGION].lambda_simple_results_queue[:] = ANSWERS
        queue = sqs.create_queue(QueueName="queue")["QueueUrl"]
        text = definition(
            Bucket="my-trail",
            Judge=judge,
            QueueUrl=queue,
            ListObjects="arn:aws:states:::s3:listObjectsV2",
            Invoke="arn:aws:states:::lambda:invoke",
            SendMessage="arn:aws:states:::sqs:sendMessage",
        )
        machine = states.create_state_machine(name="backfill", definition=text, roleArn=role)["stateMachineArn"]
        run = states.start_execution(stateMachineArn=machine, input=json.dumps({"prefix": PREFIX}))["executionArn"]
        deadline = time.monotonic() + 120  # seconds; a machine may be busy
        while (status := states.describe_execution(executionArn=run)["status"]) == "RUNNING":
            assert time.monotonic() < deadline
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        yield status, [json.loads(message["Body"]) for message in messages]


def test_what_fails_in_a_backfill_comes_again_by_the_queue(backfilled):
    """As S3 would have sent it. Which object gets which answer is moto's affair: they run at once."""
    status, bodies = backfilled
    assert status == "SUCCEEDED"
    keys = [body["detail"]["object"]["key"] for body in bodies]
    assert len(set(keys) & set(OBJECTS)) == len(keys) == 2
    for body, key in zip(bodies, keys, strict=True):
        detail = {"bucket": {"name": "my-trail"}, "object": {"key": key}}
        assert body == {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}
