"""The other regions: whether what happens there is forwarded, and whether anything happens there.

A region counts as used where Event history of the last week has a call that would be judged.
https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from callerid.aws.record import POD_IDENTITY, ROLES_ANYWHERE
from callerid.doctor.aws_api import Aws
from callerid.doctor.check import AbsentError, Finding, UnknownError, broken, ok, unknown, warning
from callerid.doctor.rule import SAMPLES, WITH_READS, describe, unmatched
from callerid.doctor.trail import Coverage
from callerid.moment import at

_WEEK = 7 * 86_400
_CALLS = ("AssumeRoleWithWebIdentity", "AssumeRoleWithSAML", "AssumeRole")
_CARRIERS = (POD_IDENTITY, ROLES_ANYWHERE)
"""Services that carry a workload's identity; all others assume roles for themselves, everywhere and always."""
_DEPLOY = "Deploy forward.yaml there: docs/aws.md, Everywhere else."


class _Region(Struct, rename="pascal"):
    region_name: str


class _Regions(Struct, rename="pascal"):
    regions: list[_Region]


class _Names(Struct, rename="pascal"):
    rule_names: list[str] = []


class _Event(Struct, rename="pascal"):
    cloud_trail_event: str = "{}"


class _Events(Struct, rename="pascal"):
    events: list[_Event] = []


class _Caller(Struct, rename="camel", frozen=True):
    type: str = ""
    invoked_by: str = ""


class _Record(Struct, rename="camel"):
    user_identity: _Caller = _Caller()


def examine(aws: Aws, bus_arn: str, coverage: Coverage, *, now: float) -> Iterator[Finding]:
    """Yield how it is with every region that the account may use, the stack's own left out.

    Raises:
        UnknownError: where the regions can't be listed.
    """
    regions = sorted(found.region_name for found in aws.ask("ec2", "DescribeRegions", _Regions).regions)
    forwarded, idle = [], []
    for region in regions:
        if region == aws.region:
            continue
        try:
            fault = _fault(aws, bus_arn, region)
            if fault is None and coverage.covers(region):
                forwarded.append(region)
            elif fault is None:
                yield _unlogged(region, coverage)
            elif used := _used(aws, region, now):
                yield broken(f"region {region}", f"{fault}, and {used} was called in the last week", _DEPLOY)
            else:
                idle.append(region)
        except UnknownError as error:
            yield unknown(f"region {region}", str(error), error.to_do)
    if forwarded:
        yield ok("other regions", f"forwarded: {', '.join(forwarded)}")
    if idle:
        found = f"nobody called STS for a week, and who does is not seen: {', '.join(idle)}"
        yield warning("other regions", found, f"{_DEPLOY} Or forbid the regions.")
    if not forwarded and not idle and regions == [aws.region]:
        yield ok("other regions", "the account may use none")


def _unlogged(region: str, coverage: Coverage) -> Finding:
    """Return that no trail is known to log for a region that forwards."""
    if coverage.unseen:
        found = "has a rule; whether a trail logs for it could not be seen"
        return unknown(f"region {region}", found, "See the lines of the trails.")
    return broken(f"region {region}", "has a rule, and no trail that logs for it", "docs/aws.md, step 1.")


def _fault(aws: Aws, bus_arn: str, region: str) -> str | None:
    """Return what keeps a region's records from being forwarded."""
    fault = "has no rule that forwards"
    for name in aws.ask("events", "ListRuleNamesByTarget", _Names, region=region, TargetArn=bus_arn).rule_names:
        try:
            shown = describe(aws, name, "default", region=region)
            if not shown.event_pattern or unmatched(aws, shown, SAMPLES):
                continue  # the rule for log files, or for watched roles
        except AbsentError:
            continue
        if shown.state == WITH_READS:
            return None
        fault = f"has a rule that is {shown.state or 'without a state'} in place of {WITH_READS}"
    return fault


def _used(aws: Aws, region: str, now: float) -> str | None:
    """Return a call that a region saw in the last week and that would be judged.

    Of AssumeRole the latest 50 are looked at: where all of them are services', others before go unnoticed.
    """
    for call in _CALLS:
        events = aws.ask(
            "cloudtrail", "LookupEvents", _Events, region=region, StartTime=at(now - _WEEK), EndTime=at(now),
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": call}], MaxResults=50,
        ).events  # fmt: skip
        if any(map(_is_judged, events)):
            return call
    return None


def _is_judged(event: _Event) -> bool:
    try:
        caller = msgspec.json.decode(event.cloud_trail_event, type=_Record).user_identity
    except msgspec.DecodeError:
        return True  # what can't be read may be anybody
    return caller.type != "AWSService" or caller.invoked_by in _CARRIERS
