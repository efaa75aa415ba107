"""docs/aws.md is complete and true: every parameter, output and alarm, and commands that exist."""

import re

import pytest

from tests.aws_function.conftest import PARAMETERS
from tests.aws_function.events import PAGE
from tests.conftest import ROOT


@pytest.mark.parametrize("place", PARAMETERS)
def test_every_parameter_stands_in_the_documentation(place):
    assert f"`{place.split()[1]}`" in PAGE


def test_every_alarm_and_output_stands_in_the_documentation(full):
    assert [
        name
        for name in full.of("AWS::CloudWatch::Alarm")
        if f"`{name}`" not in PAGE.partition("## When callerid fails")[2]
    ] == []
    assert [name for name in full.outputs() if f"`{name}`" not in PAGE] == []


def test_the_defaults_of_the_documentation_are_the_real_ones():
    defaults = {place.split()[1]: str(parameter.get("Default", "needed")) for place, parameter in PARAMETERS.items()}
    for row in re.findall(r"^\| (`[A-Z].*?) \| (.*?) \|", PAGE.partition("| output |")[0], re.MULTILINE):
        names = re.findall(r"`(\w+)`", row[0])
        told = [value.strip("` ").replace("none", "") for value in row[1].split(", ")]
        assert told[-1:] * (len(names) - len(told)) + told == [defaults[name] for name in names], row


def test_the_costs_of_the_readme_are_those_of_the_table():
    rows = re.findall(r"^\| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$", PAGE.partition("## What it costs")[2], re.MULTILINE)
    assert [rate for rate, _, _ in rows] == ["1", "100", "10,000"]
    costs = [low if low == high else f"{low} to {high}" for _, low, high in rows]
    (told,) = re.findall(r"On AWS this costs about (.+?) dollars", (ROOT / "README.md").read_text())
    assert told == f"{costs[0]}, {costs[1]}, or {costs[2]}"


def commands() -> list[str]:
    """The AWS CLI's commands of the documentation, each on one line; those inside a command as well."""
    text = re.sub(r"\\\n\s*", "", PAGE)
    return sorted({found.strip() for found in re.findall(r"\baws ((?:[a-z0-9-]+ ){2}(?:[^\n`|&)]*))", text)})


@pytest.mark.parametrize("command", commands())
def test_every_command_of_the_documentation_exists(command):
    """Service, operation and options, as botocore's models have them; `s3 cp` and the like are the CLI's own."""
    session = pytest.importorskip("botocore.session", reason="boto3 is missing")
    names = pytest.importorskip("botocore", reason="boto3 is missing")
    service, operation, *words = command.split()
    if (service, operation) in {("s3", "cp"), ("logs", "tail"), ("cloudformation", "deploy")}:
        return
    model = session.get_session().get_service_model({"s3api": "s3"}.get(service, service))
    shape = {names.xform_name(name, "-"): name for name in model.operation_names}[operation]
    known = {names.xform_name(name, "-") for name in model.operation_model(shape).input_shape.members}
    of_the_cli = {"query", "region", "output", "cli-binary-format"}
    given = {word.removeprefix("--") for word in words if word.startswith("--")}
    assert {name for name in given if name.removeprefix("no-") not in known} <= of_the_cli
