"""Whether a trail logs what is judged. Without one EventBridge delivers nothing, whatever the rules say.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-management-events-with-cloudtrail.html
https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct, field

from callerid.doctor.aws_api import Aws
from callerid.doctor.check import AbsentError, Finding, State, UnknownError, broken, ok, unknown, warning

_STS = "sts.amazonaws.com"
READ = {"eventCategory": "Management", "readOnly": "true", "eventSource": _STS, "eventType": "AwsApiCall"}
"""``AssumeRole…``, as advanced selectors see it."""
WRITE = {**READ, "readOnly": "false"}
"""``GetFederationToken``, ``AssumeRoot``."""
_READS = ("AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML")
_WRITES = ("GetFederationToken", "AssumeRoot")
_SELECT_ALL = "Select all management events, read and write, of every source."


class Trail(Struct, rename="pascal"):
    """A trail as ``DescribeTrails`` lists it."""

    name: str
    arn: str = field(name="TrailARN")
    home_region: str = ""
    is_multi_region_trail: bool = False
    is_organization_trail: bool = False


class Trails(Struct):
    """All of them that cover this region or account."""

    trails: list[Trail] = field(name="trailList", default_factory=list)


class Status(Struct, rename="pascal"):
    """Whether a trail is on."""

    is_logging: bool
    latest_delivery_error: str | None = None


class Selector(Struct, rename="pascal"):
    """A basic selector, with CloudTrail's defaults."""

    read_write_type: str = "All"
    include_management_events: bool = True
    exclude_management_event_sources: list[str] = []


class FieldSelector(Struct, rename="pascal"):
    """A condition on one field: every operator that it has must hold, and of each operator any value."""

    field: str
    equals: list[str] = []
    starts_with: list[str] = []
    ends_with: list[str] = []
    not_equals: list[str] = []
    not_starts_with: list[str] = []
    not_ends_with: list[str] = []

    def holds(self, value: str) -> bool:
        """Tell whether a value passes."""
        return all((
            not self.equals or value in self.equals,
            not self.starts_with or value.startswith(tuple(self.starts_with)),
            not self.ends_with or value.endswith(tuple(self.ends_with)),
            value not in self.not_equals,
            not value.startswith(tuple(self.not_starts_with)),
            not value.endswith(tuple(self.not_ends_with)),
        ))  # fmt: skip


class AdvancedSelector(Struct, rename="pascal"):
    """Conditions that must all hold."""

    field_selectors: list[FieldSelector]


class Selectors(Struct, rename="pascal"):
    """What a trail selects: by either kind, never both."""

    event_selectors: list[Selector] | None = None
    advanced_event_selectors: list[AdvancedSelector] | None = None

    def lacks(self, names: Iterable[str], event: dict[str, str]) -> list[str]:
        """Return which of these calls are not selected."""
        return [name for name in names if not self._selects({**event, "eventName": name})]

    def _selects(self, event: dict[str, str]) -> bool:
        kind = "ReadOnly" if event["readOnly"] == "true" else "WriteOnly"
        return any(
            selector.include_management_events
            and selector.read_write_type in ("All", kind)
            and _STS not in selector.exclude_management_event_sources
            for selector in self.event_selectors or ()
        ) or any(
            # A field that says nothing of these calls (a resource's ARN, who called) selects some of them at best.
            all(part.field in event and part.holds(event[part.field]) for part in selector.field_selectors)
            for selector in self.advanced_event_selectors or ()
        )


class Coverage(NamedTuple):
    """Where trails log what is judged."""

    findings: list[Finding]
    everywhere: bool
    regions: frozenset[str]
    unseen: bool = False
    """Whether a trail could not be looked at, which may log what no other does."""

    def covers(self, region: str) -> bool:
        """Tell whether a trail logs what is judged in a region."""
        return self.everywhere or region in self.regions


def coverage(aws: Aws) -> Coverage:
    """Return how it is with the trails. Where one is whole, what the others lack does not matter.

    Raises:
        UnknownError: where they can't be listed.
    """
    trails = aws.ask("cloudtrail", "DescribeTrails", Trails, includeShadowTrails=True).trails
    if not trails:
        found = broken(
            "trail", "there is none, and Event history alone sends nothing", "Make one: docs/aws.md, step 1."
        )
        return Coverage([found], everywhere=False, regions=frozenset())
    faults = [(trail, list(_faults(aws, trail))) for trail in trails]
    seeing = [trail for trail, found in faults if all(fault.state is State.WARNING for fault in found)]
    whole = [(trail, found) for trail, found in faults if trail in seeing and trail.is_multi_region_trail]
    best = min(whole, key=lambda pair: len(pair[1]), default=None)
    return Coverage(
        (best[1] or [_whole(best[0])]) if best else _partly(faults, aws.region),
        everywhere=best is not None,
        regions=frozenset(trail.home_region for trail in seeing),
        unseen=any(map(_is_unseen, (found for _, found in faults))),
    )


def _is_unseen(faults: Sequence[Finding]) -> bool:
    """Tell a trail that may be whole for all that is known of it."""
    states = {fault.state for fault in faults}
    return State.UNKNOWN in states and State.BROKEN not in states


def _whole(trail: Trail) -> Finding:
    whose = "the organization's" if trail.is_organization_trail else "multi-region"
    return ok("trail", f"{trail.name}, {whose}, logs read and write events")


def _partly(faults: Sequence[tuple[Trail, list[Finding]]], region: str) -> list[Finding]:
    """Return what every trail lacks, where none is whole."""
    found = [fault for _, listed in faults for fault in listed]
    for trail, listed in faults:
        if not trail.is_multi_region_trail and all(fault.state is State.WARNING for fault in listed):
            to_do = "Make it a multi-region trail: aws cloudtrail update-trail --is-multi-region-trail."
            report = warning if trail.home_region == region else broken
            found.append(report("trail", f"{trail.name} logs {trail.home_region} alone", to_do))
    return found


def _faults(aws: Aws, trail: Trail) -> Iterator[Finding]:
    what, at = f"trail {trail.name}", trail.home_region or aws.region
    try:
        status = aws.ask("cloudtrail", "GetTrailStatus", Status, region=at, Name=trail.arn)
        if not status.is_logging:
            yield broken(what, "it is switched off", f"aws cloudtrail start-logging --region {at} --name {trail.name}")
        if status.latest_delivery_error:
            yield warning(
                what, f"log files can't be written: {status.latest_delivery_error}", "Mend the bucket's policy."
            )
        selectors = aws.ask("cloudtrail", "GetEventSelectors", Selectors, region=at, TrailName=trail.arn)
        if lacking := selectors.lacks(_READS, READ):
            yield broken(what, f"it does not log {', '.join(lacking)} (read events)", _SELECT_ALL)
        if lacking := selectors.lacks(_WRITES, WRITE):
            yield warning(what, f"it does not log {', '.join(lacking)} (write events)", _SELECT_ALL)
    except UnknownError as error:
        yield unknown(what, str(error), error.to_do)
    except AbsentError as error:
        yield unknown(what, str(error), "It was listed a moment ago: try again.")
