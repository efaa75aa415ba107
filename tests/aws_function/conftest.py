"""The deployment files as CloudFormation would see them: translated by SAM, with parameters filled in."""

import re
from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

import pytest
import yaml

from tests.aws_function.stage import moto, slack, stage
from tests.conftest import ROOT

ACCOUNT, REGION = "123456789012", "us-east-1"
RULE = "AWS::Events::Rule"
SECRET = f"arn:aws:secretsmanager:{REGION}:111111111111:secret:callerid/slack-AbCdEf"
WATCHED = [f"arn:aws:iam::111111111111:role/{name}" for name in ("admin_role", "path/to/TestRoleForSourceID")]
EVERYTHING = {
    "SlackSecretArn": SECRET,
    "SlackChannel": "C0123456789",
    "AlarmEmail": "ops@example.com",
    "PolicyBucketName": "my-policies",
    "PolicyKey": "callerid/policy.yaml",
    "TrailBucketName": "my-trail",
    "TrailPrefix": "org/",
    "KmsKeyArns": "arn:aws:kms:us-east-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "WatchedRoleArns": ",".join(WATCHED),
    "OrganizationId": "o-exampleorgid",
    "AccessPortal": "my-portal",
    "Backfill": "yes",
    "GoogleServiceAccountId": "100000000000000000020",
}
"""Every optional part switched on, but for a ledger on Google Cloud, which takes the table's place."""
NOTHING = {"SlackSecretArn": SECRET}
"""What cannot be left out."""


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms."""


def _short_form(loader: _Loader, name: str, node: yaml.Node) -> dict[str, Any]:
    match node:
        case yaml.ScalarNode():
            value = loader.construct_scalar(node)
        case yaml.SequenceNode():
            value = loader.construct_sequence(node, deep=True)
        case _:
            value = loader.construct_mapping(node, deep=True)
    if name == "GetAtt":
        value = value.split(".", 1)
    return {name if name in ("Ref", "Condition") else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _short_form)


@cache
def written(name: str) -> dict[str, Any]:
    """A template as it is written."""
    return yaml.load((ROOT / name).read_text(), _Loader)


@cache
def translated(name: str = "template.yaml") -> dict[str, Any]:
    """A template as SAM hands it to CloudFormation."""
    template = yaml.load((ROOT / name).read_text(), _Loader)
    if "Transform" not in template:
        return template
    transform = pytest.importorskip("samtranslator.translator.transform", reason="aws-sam-translator is missing")
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/key"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        return transform.transform(template, {}, _NoManagedPolicies())


class _NoManagedPolicies:
    """AWS's own policies by name: there is none that the template could mean."""

    def load(self) -> dict[str, str]:
        return {}


class Stack:
    """What CloudFormation would make of a template: conditions decided, parameters filled in.

    Another resource is written as ``<Name>``, its attribute as ``<Name.Attribute>``.
    """

    def __init__(self, template: dict[str, Any], parameters: dict[str, str], *, called: str = "callerid") -> None:
        self._template = template
        self._names = {
            "AWS::AccountId": ACCOUNT,
            "AWS::NoValue": None,
            "AWS::Partition": "aws",
            "AWS::Region": REGION,
            "AWS::StackName": called,
            "AWS::URLSuffix": "amazonaws.com",
        }
        for name, parameter in template["Parameters"].items():
            value = str(parameters.get(name, parameter.get("Default", "")))
            self._names[name] = value.split(",") if parameter["Type"] == "CommaDelimitedList" else value
        self._types = {}
        self.resources = {}
        for name, resource in template["Resources"].items():
            if "Condition" not in resource or self._holds(resource["Condition"]):
                self._types[name] = resource["Type"]
                self.resources[name] = self._value(resource.get("Properties", {}))

    def of(self, kind: str) -> dict[str, Any]:
        """The properties of the resources of a type, by name."""
        return {name: self.resources[name] for name, found in self._types.items() if found == kind}

    def outputs(self) -> dict[str, Any]:
        """The outputs."""
        outputs = self._template["Outputs"].items()
        return {
            name: self._value(output["Value"])
            for name, output in outputs
            if "Condition" not in output or self._holds(output["Condition"])
        }

    def _holds(self, name: str) -> bool:
        return self._value(self._template["Conditions"][name])

    def _value(self, value: Any) -> Any:
        match value:
            case dict() if len(value) == 1 and next(iter(value)) in self._functions:
                ((name, argument),) = value.items()
                return self._functions[name](argument)
            case dict():
                return {key: found for key, item in value.items() if (found := self._value(item)) is not None}
            case list():
                return [found for item in value if (found := self._value(item)) is not None]
            case _:
                return value

    @cached_property
    def _functions(self) -> dict[str, Callable[[Any], Any]]:
        value = self._value
        return {
            "Ref": lambda name: self._names.get(name, f"<{name}>"),
            "Condition": self._holds,
            "Fn::GetAtt": lambda part: f"<{part[0]}.{part[1]}>",
            "Fn::If": lambda part: value(part[1] if self._holds(part[0]) else part[2]),
            "Fn::Sub": lambda text: re.sub(r"\$\{([^}]+)\}", lambda found: value({"Ref": found[1]}), text),
            "Fn::Join": lambda part: part[0].join(value(part[1])),
            "Fn::Equals": lambda part: value(part[0]) == value(part[1]),
            "Fn::Not": lambda part: not value(part[0]),
            "Fn::And": lambda parts: all(map(value, parts)),
            "Fn::Or": lambda parts: any(map(value, parts)),
        }


PARAMETERS = {
    f"{page} {name}": parameter
    for page in ("template.yaml", "forward.yaml")
    for name, parameter in written(page)["Parameters"].items()
}
"""Each parameter of each template, by both names."""


@pytest.fixture(scope="session")
def full() -> Stack:
    """The stack with everything switched on."""
    return Stack(translated(), EVERYTHING)


@pytest.fixture(scope="session")
def bare() -> Stack:
    """The stack with nothing switched on."""
    return Stack(translated(), NOTHING)


@pytest.fixture(scope="session")
def forward() -> Stack:
    """The second template, with everything switched on."""
    bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/callerid"
    return Stack(translated("forward.yaml"), {**EVERYTHING, "CentralBusArn": bus})


__all__ = ["moto", "slack", "stage"]
