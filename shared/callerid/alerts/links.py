"""Where to look: links into the consoles of both clouds, and to what a reason means.

A link is made of a constant host and of parts that match a whole pattern each; what does not match gives no link.
Nothing that a record holds is ever a link itself. The consoles' addresses are documented nowhere, so what a
button opens is at worst a console that does not find it; the ids stand in the message.

https://docs.aws.amazon.com/singlesignon/latest/userguide/createshortcutlink.html
https://cloud.google.com/logging/docs/view/building-queries
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote

from msgspec import Struct

from callerid import moment
from callerid.access import Cloud, Kind
from callerid.judgement import Line
from callerid.names import arn
from callerid.reasons import REASONS

EVENT_HISTORY_SECONDS = 90 * 86_400
"""How long CloudTrail's Event history keeps an event: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-cloudtrail-events.html"""
LONGEST = 1_000
"""Characters of a link; Slack takes 3,000, and a message has several."""

_CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
"""The console's host of each partition that this version knows."""
_REGIONS = {
    "aws": re.compile(r"(?:af|ap|ca|eu|il|me|mx|sa|us)-(?:north|south|east|west|central)(?:east|west)?-[1-9]"),
    "aws-cn": re.compile(r"cn-(?:north|northwest)-[1-9]"),
    "aws-us-gov": re.compile(r"us-gov-(?:east|west)-[1-9]"),
}
_GOOGLE = "https://console.cloud.google.com"
_ACCOUNT = re.compile(r"[0-9]{12}", re.ASCII)
_EVENT_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_ROLE_NAME = re.compile(r"[A-Za-z0-9+=,.@_-]{1,64}")
_PROJECT = re.compile(r"(?:[a-z][a-z0-9.-]{1,60}:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII)
_LOG_ENTRY = re.compile(
    r"(?P<log>projects/(?P<project>[^/]+)/logs/[A-Za-z0-9_.%-]{1,200}|-)/(?P<time>[0-9T:.-]+Z|-)/"
    r"(?P<insert_id>[A-Za-z0-9_.~:|+=@/-]{1,200})"
)
_SERVICE_ACCOUNT = re.compile(r"[a-z0-9-]{1,63}@([a-z0-9.-]{1,100})\.iam\.gserviceaccount\.com")
_UNIQUE_ID = re.compile(r"[0-9]{15,25}", re.ASCII)
_POOL = re.compile(
    r"projects/[^/]+/locations/global/workloadIdentityPools/([a-z0-9-]{4,32})(?:/providers/[a-z0-9-]{4,32})?"
)
_MICROSECONDS = len("2026-11-02T03:00:00.123456Z")

_MAY_BE_DATA = (Kind.SESSION_USE, Kind.IDENTITY_CENTER)
"""Kinds whose calls may be data events, which Event history does not have: looked for, not opened."""


_SETTINGS = (
    ("portal", re.compile(r"[a-z0-9-]{1,63}"), "the name before .awsapps.com"),
    ("runbooks", re.compile(r"https://[A-Za-z0-9.:-]+(?:/[A-Za-z0-9._~%/-]*)?"), "an https address without ? and #"),
)


class Look(Struct, frozen=True):
    """What the one who runs callerid says about where its readers can look.

    Raises:
        ValueError: for a value that could not stand in a link.
    """

    portal: str = ""
    """The name of the AWS access portal, ``NAME.awsapps.com``: its links open the right account."""
    runbooks: str = ""
    """The address of a copy of ``docs/reasons.md``, with an anchor for each reason."""

    def __post_init__(self) -> None:
        for name, pattern, wanted in _SETTINGS:
            value = getattr(self, name)
            if value and not pattern.fullmatch(value):
                raise ValueError(f"{name}: {value!r}, expected {wanted}")


NOWHERE = Look()


class Link(NamedTuple):
    """One place to look: the button's name, and its id, which says what it opens."""

    id: str
    label: str
    url: str


def links(line: Line, rule: str, *, received: float, look: Look = NOWHERE) -> list[Link]:
    """Return where to look at a finding, the most useful first.

    ``received`` is when its latest event came, in seconds since 1970: an older event has left Event history.
    """
    found = _aws(line, received, look) if line.cloud == Cloud.AWS else _gcp(line) if line.cloud == Cloud.GCP else ()
    return [link for link in (*found, *_runbook(rule, look)) if len(link.url) <= LONGEST]


def _aws(line: Line, received: float, look: Look) -> Iterator[Link]:
    region, account, event = line.region or "", line.account or "", line.record_id
    partition = next((name for name, pattern in _REGIONS.items() if pattern.fullmatch(region)), None)
    if partition and _ACCOUNT.fullmatch(account) and _EVENT_ID.fullmatch(event) and not _is_past(line, received):
        home = f"https://{region}.{_CONSOLES[partition]}/cloudtrailv2/home?region={region}"
        may_be_data = line.kind in _MAY_BE_DATA
        url = f"{home}#/events?EventId={event}" if may_be_data else f"{home}#/events/{event}"
        yield Link("link_event", "Find event" if may_be_data else "Open event", _through(look, partition, account, url))
    role = arn.role_of(line.target)
    if role and role.partition in _CONSOLES and _ROLE_NAME.fullmatch(role.name):
        roles = f"https://{_CONSOLES[role.partition]}/iam/home#/roles/details"
        url = f"{roles}/{quote(role.name, safe='')}?section=permissions"
        yield Link("link_role", "Open role", _through(look, role.partition, role.account, url))


def _is_past(line: Line, received: float) -> bool:
    """Tell an event that Event history has no longer, or whose time nobody knows."""
    if line.time is None or not _TIME.fullmatch(line.time):
        return True
    try:
        return received - moment.epoch(line.time) > EVENT_HISTORY_SECONDS
    except ValueError:
        return True


def _through(look: Look, partition: str, account: str, url: str) -> str:
    """Return a link that opens in the account that it is about; the other partitions have portals of their own."""
    if not look.portal or partition != "aws":
        return url
    start = f"https://{look.portal}.awsapps.com/start/#/console?account_id={account}"
    return f"{start}&destination={quote(url, safe='')}"


def _gcp(line: Line) -> Iterator[Link]:
    project = line.account if line.account and _PROJECT.fullmatch(line.account) else None
    yield from _log_entry(line, project)
    yield from _account(line, project)
    pool = _POOL.fullmatch((line.provider or "").removeprefix("//iam.googleapis.com/"))
    if project and pool and line.kind == Kind.TOKEN_EXCHANGE:  # logged in the pool's own project; no other call is
        page = f"{_GOOGLE}/iam-admin/workload-identity-pools/pool"
        yield Link("link_pool", "Open pool", f"{page}/{pool[1]}?project={quote(project, safe='')}")


def _log_entry(line: Line, project: str | None) -> Iterator[Link]:
    """Yield the query that finds a log entry, by as much of its key as there is."""
    found = _LOG_ENTRY.fullmatch(line.record_id)
    time = line.time if line.time and _TIME.fullmatch(line.time) else None
    if found is None and time is None:
        return
    project = found["project"] if found and found["project"] else project
    if project is None or not _PROJECT.fullmatch(project):
        return
    filters = [f'insertId="{found["insert_id"]}"'] if found else ['logName:"cloudaudit.googleapis.com"']
    filters += [f'logName="{found["log"]}"'] if found and found["log"] != "-" else []
    filters += _at(time) if time else []
    near = f";timeRange={quote(time, safe='')}%2F{quote(time, safe='')}--PT1H" if time else ""
    query = quote("\n".join(filters), safe="")
    page = f"{_GOOGLE}/logs/query;query={query};storageScope=project{near}"
    yield Link("link_event", "Open log entry", f"{page}?project={quote(project, safe='')}")


def _at(time: str) -> list[str]:
    """Return the condition on an entry's time. A time to the microsecond may have been cut: nanoseconds follow."""
    if len(time) < _MICROSECONDS:
        return [f'timestamp="{time}"']
    return [f'timestamp>="{time}"', f'timestamp<="{time[:-1]}999Z"']


def _account(line: Line, project: str | None) -> Iterator[Link]:
    """Yield the service account's page by its unique id; by its address only the list that it is in is certain."""
    target, page = line.target or "", f"{_GOOGLE}/iam-admin/serviceaccounts"
    by_address = _SERVICE_ACCOUNT.fullmatch(target)
    if project and _UNIQUE_ID.fullmatch(target):
        yield Link("link_account", "Open service account", f"{page}/details/{target}?project={quote(project, safe='')}")
    elif by_address and _PROJECT.fullmatch(by_address[1]):
        yield Link("link_account", "Open service accounts", f"{page}?project={quote(by_address[1], safe='')}")


def _runbook(rule: str, look: Look) -> Iterator[Link]:
    if look.runbooks and rule in REASONS:
        yield Link("link_runbook", "Runbook", f"{look.runbooks}#{rule}")
