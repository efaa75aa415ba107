"""What AWS is set to, from the trail to the function: one line for each thing that has to be so.

Names are those of ``template.yaml``. Nothing is changed; docs/doctor.md lists the permissions.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct, field

from callerid.doctor import forward, rule, trail
from callerid.doctor.aws_api import Aws
from callerid.doctor.check import AbsentError, Finding, UnknownError, broken, ok, run, unknown, warning
from callerid.doctor.grant import Grant, may_send
from callerid.moment import at

_WAITING = 10_000
"""Messages in the queue: at 10,000 records a minute a minute's worth, at any other pace a sign."""
_DAY, _HOUR = 86_400, 3_600
_ADVICE = "Deploy the stack again."


class _Resource(Struct, rename="pascal"):
    logical_resource_id: str
    physical_resource_id: str = ""
    resource_status: str = ""


class _Page(Struct, rename="pascal"):
    stack_resource_summaries: list[_Resource]


class Queue(Struct, rename="pascal"):
    """A queue's attributes; SQS gives all of them as text."""

    queue_arn: str
    approximate_number_of_messages: str = "0"
    approximate_number_of_messages_not_visible: str = "0"
    policy: str = ""
    redrive_policy: str = ""

    @property
    def waiting(self) -> int:
        """Return about how many messages there are."""
        return int(self.approximate_number_of_messages) + int(self.approximate_number_of_messages_not_visible)


class _Attributes(Struct, rename="pascal"):
    attributes: Queue


class _Mapping(Struct, rename="pascal"):
    state: str = ""
    state_transition_reason: str = ""


class _Mappings(Struct, rename="pascal"):
    event_source_mappings: list[_Mapping] = []


class _Function(Struct, rename="pascal"):
    """Of a function only this: its environment is nobody's business here."""

    state: str
    state_reason: str | None = None
    last_update_status: str | None = None


class _Point(Struct, rename="pascal"):
    timestamp: Any
    total: float = field(name="Sum", default=0.0)


class _Points(Struct, rename="pascal"):
    datapoints: list[_Point] = []


def examine(aws: Aws, stack: str, *, now: float) -> list[Finding]:
    """Return everything that there is to say of a stack; ``now`` in seconds since 1970."""
    try:
        coverage = trail.coverage(aws)
    except (UnknownError, AbsentError) as error:
        to_do = getattr(error, "to_do", "Try again.")
        said = [unknown("trail", str(error), to_do)]
        coverage = trail.Coverage(said, everywhere=False, regions=frozenset(), unseen=True)
    found = list(coverage.findings)
    parts: dict[str, str] = {}
    found += run(f"stack {stack}", lambda: _installed(aws, stack, parts), absent="Deploy it, or give --stack its name.")
    if not parts:
        return found
    queue = _queue(aws, parts, found)
    if queue is not None:
        found += rule.examine(aws, stack, parts, queue.queue_arn)
        found += run("queue policy", lambda: _policy(aws, stack, parts, queue), absent=_ADVICE)
        found += _depth(queue)
    found += run("dead letters", lambda: _dead_letters(aws, parts), absent=_ADVICE)
    if queue is not None:
        found += run("event source", lambda: _mapping(aws, parts, queue), absent=_ADVICE)
    for name in ("Judge", "Tasks"):
        found += run(name, partial(_function, aws, stack, parts, name, now=now), absent=_ADVICE)
    if queue is not None:
        bus = f"{queue.queue_arn.rpartition(':')[0].replace(':sqs:', ':events:')}:event-bus/{stack}"
        found += run("other regions", lambda: forward.examine(aws, bus, coverage, now=now))
    return found


def _installed(aws: Aws, stack: str, parts: dict[str, str]) -> Iterator[Finding]:
    """Fill in the physical ids of a stack's resources."""
    for page in aws.pages("cloudformation", "ListStackResources", _Page, "NextToken", StackName=stack):
        for part in page.stack_resource_summaries:
            if part.resource_status != "DELETE_COMPLETE":
                parts[part.logical_resource_id] = part.physical_resource_id
    if parts:
        yield ok(f"stack {stack}", f"{len(parts)} resources in {aws.region}")
    else:
        yield broken(f"stack {stack}", "it has no resources", "Deploy it, or give --stack its name.")


def _queue(aws: Aws, parts: dict[str, str], found: list[Finding]) -> Queue | None:
    """Return the queue, or say why not; without it most else can't be told."""
    queues: list[Queue] = []

    def look() -> Iterator[Finding]:
        queues.append(_attributes(aws, parts, "Queue"))
        yield ok("queue", queues[0].queue_arn)

    said = run("queue", look, absent=_ADVICE)
    found += said if not queues else []
    return queues[0] if queues else None


def _attributes(aws: Aws, parts: dict[str, str], name: str) -> Queue:
    url = _part(parts, name)
    return aws.ask("sqs", "GetQueueAttributes", _Attributes, QueueUrl=url, AttributeNames=["All"]).attributes


def _part(parts: dict[str, str], name: str) -> str:
    if not parts.get(name):
        raise AbsentError(f"the stack has no {name}")
    return parts[name]


def _policy(aws: Aws, stack: str, parts: dict[str, str], queue: Queue) -> Iterator[Finding]:
    try:
        policy = msgspec.json.decode(queue.policy) if queue.policy else None
    except msgspec.DecodeError:
        policy = None
    refused, unclear = [], []
    for name, (_, bus) in rule.installed(stack, parts).items():
        arn = rule.describe(aws, parts[name], bus).arn
        match may_send(policy, arn):
            case Grant.NO:
                refused.append(name)
            case Grant.UNCLEAR:
                unclear.append(name)
            case Grant.YES:
                pass
    if refused:
        yield broken("queue policy", f"does not let {', '.join(refused)} send", _ADVICE)
    if unclear:
        found = f"has a condition or an exception that is not understood, for {', '.join(unclear)}"
        yield unknown("queue policy", found, "Read it: may events.amazonaws.com send for these rules? Or deploy again.")
    if not refused and not unclear:
        yield ok("queue policy", "lets every rule send")


def _depth(queue: Queue) -> Iterator[Finding]:
    if not queue.redrive_policy:
        yield warning("queue", "it puts nothing aside: a record that can't be judged comes for four days", _ADVICE)
    if queue.waiting > _WAITING:
        yield warning("queue", f"about {queue.waiting:,} messages wait", "Judge's log and its throttles.")
    else:
        yield ok("queue", f"about {queue.waiting:,} messages wait")


def _dead_letters(aws: Aws, parts: dict[str, str]) -> Iterator[Finding]:
    waiting = _attributes(aws, parts, "DeadLetters").waiting
    if waiting:
        to_do = "Repair what failed, then bring them back: docs/aws.md, Dead letters back."
        yield broken("dead letters", f"about {waiting:,} were not judged", to_do)
    else:
        yield ok("dead letters", "none")


def _mapping(aws: Aws, parts: dict[str, str], queue: Queue) -> Iterator[Finding]:
    given = {"FunctionName": _part(parts, "Judge"), "EventSourceArn": queue.queue_arn}
    mappings = aws.ask("lambda", "ListEventSourceMappings", _Mappings, **given).event_source_mappings
    if not mappings:
        yield broken("event source", "nothing brings the queue's messages to Judge", _ADVICE)
    for mapping in mappings:
        if mapping.state == "Enabled":
            yield ok("event source", "brings the queue's messages to Judge")
        elif mapping.state in ("Creating", "Enabling", "Updating"):
            yield warning("event source", f"is {mapping.state.lower()}", "Look again in a minute.")
        else:
            why = f": {mapping.state_transition_reason}" if mapping.state_transition_reason else ""
            yield broken("event source", f"is {mapping.state.lower() or 'without a state'}{why}", "Enable it.")


def _function(aws: Aws, stack: str, parts: dict[str, str], name: str, *, now: float) -> Iterator[Finding]:
    function = _part(parts, name)
    shown = aws.ask("lambda", "GetFunctionConfiguration", _Function, FunctionName=function)
    if shown.state not in ("Active", "Inactive"):  # the latter sleeps, and wakes when it is called
        yield broken(name, f"is {shown.state.lower()}: {shown.state_reason or 'no reason given'}", _ADVICE)
    if shown.last_update_status == "Failed":
        yield broken(name, "its last update failed", _ADVICE)
    calls, errors = (_hours(aws, function, metric, now) for metric in ("Invocations", "Errors"))
    total, failed = sum(calls.values()), sum(errors.values())
    log = f"aws logs tail /aws/lambda/{stack}-{name.lower()} --since 1d"
    if not total:
        # Tasks runs each minute. A quiet account has no record in a day.
        report = broken if name == "Tasks" else warning
        yield report(name, "was not called for a day", "Is the schedule on?" if name == "Tasks" else "Try --canary.")
    elif errors.get(max(calls), 0) >= calls[max(calls)] > 0:
        yield broken(name, f"every call failed since {at(max(calls))}", log)
    elif failed:
        last = max(hour for hour, number in errors.items() if number)
        yield warning(name, f"{failed:,} of {total:,} calls failed in a day, lately after {at(last)}", log)
    else:
        yield ok(name, f"{total:,} calls in a day, none failed")


def _hours(aws: Aws, function: str, metric: str, now: float) -> dict[float, int]:
    """Return a day's figures by the hour, without the hours that have none."""
    points = aws.ask(
        "cloudwatch", "GetMetricStatistics", _Points, Namespace="AWS/Lambda", MetricName=metric,
        Dimensions=[{"Name": "FunctionName", "Value": function}], StartTime=at(now - _DAY), EndTime=at(now),
        Period=_HOUR, Statistics=["Sum"],
    ).datapoints  # fmt: skip
    return {point.timestamp.timestamp(): int(point.total) for point in points}
