"""A deployment asks whether its policy is good, under the real runtime client, and is always answered."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.aws_function.runtime import Runtime
from tests.local import LocalServer, Quiet

FAULTY = "version: 1\ncallers: [{nmae: x}]\n"
STACK = "arn:aws:cloudformation:us-east-1:111111111111:stack/callerid/00000000-0000-4000-8000-000000000003"


class CloudFormation(LocalServer):
    """Where CloudFormation waits for an answer."""

    def __init__(self) -> None:
        self.answers: list[tuple[str | None, bytes]] = []
        answers = self.answers

        class Handler(Quiet):
            def do_PUT(self) -> None:  # noqa: N802  # http.server's name
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answers.append((self.headers["Content-Type"], body))
                self.reply(200, b"")

        super().__init__(Handler)

    def ask(self, function: Runtime, request: str, *, known: str | None = None, **properties: str) -> dict[str, Any]:
        """Ask about the policy of the package, as of ``known``; return the answer."""
        asked = {
            "RequestType": request,
            "ResponseURL": f"{self.url}/answer",
            "StackId": STACK,
            "RequestId": "00000000-0000-4000-8000-000000000004",
            "LogicalResourceId": "PolicyCheck",
            "ResourceType": "Custom::PolicyCheck",
            "ResourceProperties": {"Policy": "package:policy.yaml", "PolicyVersion": "1", **properties},
            **({"PhysicalResourceId": known} if known else {}),
        }
        assert function.invoke(asked).error is None
        kind, body = self.answers.pop()
        answer = json.loads(body)
        assert not kind, "CloudFormation's address is signed for none"
        assert len(body) <= 4096, (
            "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html"
        )
        assert {name: answer[name] for name in ("StackId", "RequestId", "LogicalResourceId")} == {
            name: asked[name] for name in ("StackId", "RequestId", "LogicalResourceId")
        }
        return answer


@pytest.fixture
def cloudformation() -> Iterator[CloudFormation]:
    with CloudFormation() as server:
        yield server


@pytest.fixture
def function(stage) -> Iterator[Runtime]:
    """The function, told no more than template.yaml tells it."""
    del stage.environment["CALLERID_LEDGER"]
    with stage.run("check_policy") as running:
        yield running


def test_a_good_policy_is_accepted(cloudformation, function):
    assert cloudformation.ask(function, "Create")["Status"] == "SUCCESS"


def test_a_faulty_policy_fails_the_deployment_and_the_answer_names_the_fault(cloudformation, function, stage):
    stage.policy(FAULTY)
    answer = cloudformation.ask(function, "Create")
    assert answer["Status"] == "FAILED"
    assert "nmae" in answer["Reason"]
    assert cloudformation.ask(function, "Delete", known=answer["PhysicalResourceId"])["Status"] == "SUCCESS"


@pytest.mark.parametrize(
    "place", ["package:policy.yml", "s3://no-such-bucket/policy.yaml", "ssm:/no/such/name", "http"]
)
def test_a_policy_that_cannot_be_had_fails_the_deployment(place, cloudformation, function):
    answer = cloudformation.ask(function, "Create", Policy=place)
    assert (answer["Status"], bool(answer["Reason"])) == ("FAILED", True)


def test_a_refused_update_rolls_back_although_the_policy_is_still_faulty(cloudformation, function, stage):
    """Or the stack would end in UPDATE_ROLLBACK_FAILED. The next try with the same properties is refused again."""
    accepted = cloudformation.ask(function, "Create")["PhysicalResourceId"]
    stage.policy(FAULTY)
    for _ in range(2):
        refused = cloudformation.ask(function, "Update", known=accepted, PolicyVersion="2")
        assert (refused["Status"], refused["PhysicalResourceId"]) == ("FAILED", accepted)
        back = cloudformation.ask(function, "Update", known=accepted)
        assert (back["Status"], back["PhysicalResourceId"]) == ("SUCCESS", accepted)


def test_an_accepted_update_is_another_resource_whose_forerunner_goes_without_a_question(
    cloudformation, function, stage
):
    accepted = cloudformation.ask(function, "Create")["PhysicalResourceId"]
    updated = cloudformation.ask(function, "Update", known=accepted, PolicyVersion="2")
    assert updated["Status"] == "SUCCESS"
    assert updated["PhysicalResourceId"] != accepted
    stage.policy(FAULTY)
    gone = cloudformation.ask(function, "Delete", known=accepted)
    assert (gone["Status"], gone["PhysicalResourceId"]) == ("SUCCESS", accepted)


def test_many_faults_fit_into_an_answer(cloudformation, function, stage):
    """An answer that is too long is none: the deployment would wait, and end without a word on the policy."""
    stage.policy("version: 1\n" + "".join(f"ключ-{number}: 1\n" for number in range(1000)))
    answer = cloudformation.ask(function, "Create")
    assert (answer["Status"], "ключ-0" in answer["Reason"]) == ("FAILED", True)
