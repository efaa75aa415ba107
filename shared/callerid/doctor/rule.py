"""EventBridge's rules: whether each is on in the right way, matches what it is for, and sends to the queue.

Whether a pattern matches is asked of EventBridge itself, by ``TestEventPattern``.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail-management.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

from msgspec import Struct

from callerid.doctor.aws_api import Aws
from callerid.doctor.check import AbsentError, Finding, broken, ok, run, warning
from callerid.doctor.sample import canary

WITH_READS = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
_AGAIN = "Deploy the stack again; its rules are not for editing."


class Kind(NamedTuple):
    """What a rule of the template is for."""

    of_records: bool
    """Whether it takes CloudTrail's records, and so needs the state that lets read events pass."""
    on_own_bus: bool = False
    always: bool = True
    """Whether every stack has it."""
    takes_sts: bool = True


KINDS = {
    "CrossingsRule": Kind(of_records=True),
    "WatchedRolesRule": Kind(of_records=True, always=False, takes_sts=False),
    "LogFilesRule": Kind(of_records=False, always=False),
    "CanaryRule": Kind(of_records=False),
    "ForwardedRule": Kind(of_records=True, on_own_bus=True),
    "ForwardedLogFilesRule": Kind(of_records=False, on_own_bus=True, always=False),
}


class Rule(Struct, rename="pascal"):
    """A rule as ``DescribeRule`` shows it."""

    arn: str
    state: str = ""
    event_pattern: str = ""


class _Target(Struct, rename="pascal"):
    arn: str


class _Targets(Struct, rename="pascal"):
    targets: list[_Target] = []


class _Matched(Struct, rename="pascal"):
    result: bool


def installed(stack: str, parts: dict[str, str]) -> dict[str, tuple[Kind, str]]:
    """Return the rules that a stack has: kind, and the bus that they are on, which is called like the stack."""
    return {name: (kind, stack if kind.on_own_bus else "default") for name, kind in KINDS.items() if parts.get(name)}


def examine(aws: Aws, stack: str, parts: dict[str, str], queue_arn: str) -> list[Finding]:
    """Return how it is with each rule of a stack."""
    found: list[Finding] = []
    rules = installed(stack, parts)
    for name, kind in KINDS.items():
        if name not in rules and kind.always:
            found.append(broken(name, "the stack has none", _AGAIN))
    for name, (_, bus) in rules.items():
        found += run(name, partial(_rule, aws, name, parts[name], bus, queue_arn), absent=_AGAIN)
    return found


def describe(aws: Aws, physical_id: str, bus: str, *, region: str = "") -> Rule:
    """Return a rule. On another bus than the default CloudFormation calls it ``BUS|RULE``.

    Raises:
        UnknownError, AbsentError: as :meth:`Aws.ask`.
    """
    name = physical_id.rpartition("|")[2]
    return aws.ask("events", "DescribeRule", Rule, region=region, Name=name, EventBusName=bus)


def _rule(aws: Aws, name: str, physical_id: str, bus: str, queue_arn: str) -> Iterator[Finding]:
    kind, shown = KINDS[name], describe(aws, physical_id, bus)
    faults = list(_faults(name, shown.state))
    short = physical_id.rpartition("|")[2]
    targets = aws.ask("events", "ListTargetsByRule", _Targets, Rule=short, EventBusName=bus).targets
    if queue_arn not in [target.arn for target in targets]:
        faults.append(broken(name, "does not send to the queue", _AGAIN))
    if name == "CanaryRule":
        missed = unmatched(aws, shown, {"canary": canary("00000000-0000-4000-8000-000000000000", 0)})
    else:
        missed = unmatched(aws, shown, SAMPLES) if kind.of_records and kind.takes_sts else []
    if missed:
        faults.append(broken(name, f"does not match {', '.join(missed)}", _AGAIN))
    yield from faults or [ok(name, "on, matches, and sends to the queue")]


def _faults(name: str, state: str) -> Iterator[Finding]:
    if state == WITH_READS or (state == "ENABLED" and not KINDS[name].of_records):
        return
    if state == "ENABLED":
        yield broken(
            name, "is ENABLED: read events such as AssumeRole may not come", f"Its State must be {WITH_READS}."
        )
    elif name == "CanaryRule":
        yield warning(name, f"is {state or 'without a state'}: no canary passes", "Enable it.")
    else:
        yield broken(name, f"is {state or 'without a state'}", "Enable it, by deploying the stack again.")


def unmatched(aws: Aws, shown: Rule, samples: dict[str, dict[str, Any]]) -> list[str]:
    """Return which samples a rule's pattern does not match.

    Raises:
        UnknownError: as :meth:`Aws.ask`.
    """
    if not shown.event_pattern:
        raise AbsentError("it has no pattern")
    return [
        name
        for name, event in samples.items()
        if not aws.ask(
            "events", "TestEventPattern", _Matched, EventPattern=shown.event_pattern, Event=json.dumps(event)
        ).result
    ]


def _sample(service: str, call: str, kind: str, caller: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": "0", "id": "00000000-0000-4000-8000-000000000000", "account": "111111111111",
        "time": "2026-11-02T03:04:05Z", "region": "us-east-1", "resources": [],
        "source": f"aws.{service}", "detail-type": f"AWS {kind} via CloudTrail",
        "detail": {"eventSource": f"{service}.amazonaws.com", "eventName": call, "userIdentity": caller},
    }  # fmt: skip


_POD = {"type": "AWSService", "invokedBy": "pods.eks.amazonaws.com"}
SAMPLES = {
    "AssumeRoleWithWebIdentity": _sample("sts", "AssumeRoleWithWebIdentity", "API Call", {"type": "WebIdentityUser"}),
    "AssumeRoleWithSAML": _sample("sts", "AssumeRoleWithSAML", "API Call", {"type": "SAMLUser"}),
    "AssumeRole of a role": _sample("sts", "AssumeRole", "API Call", {"type": "AssumedRole"}),
    "AssumeRole of a pod": _sample("sts", "AssumeRole", "API Call", _POD),
    "GetFederationToken": _sample("sts", "GetFederationToken", "API Call", {"type": "IAMUser"}),
    "SwitchRole": _sample("signin", "SwitchRole", "Console Sign In", {"type": "AssumedRole"}),
}
"""What the rules for crossings must let pass, a call for each branch that most accounts use."""
