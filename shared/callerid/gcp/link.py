"""What of a Cloud Audit Log entry links it to others: whom it was made for, and for whom it issued a token.

Google's logs show no id of a token. What they share is the principal that a token was mapped to, the accounts that
stand between, and an account's unique id.

https://cloud.google.com/iam/docs/audit-logging/examples-workload-identity
https://cloud.google.com/iam/docs/audit-logging/examples-service-accounts
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from msgspec import Raw, Struct, field
from msgspec.structs import replace

from callerid import moment
from callerid.access import Cloud, Kind, Outcome
from callerid.decode import decode
from callerid.gcp import chain, read
from callerid.gcp.caller import actor, each_once, origin_of, origin_of_subject, subject_of
from callerid.gcp.claims import email_of
from callerid.gcp.crossing import account_name, account_of, is_crossing, outcome_of, reader_of
from callerid.gcp.record import Authentication, Entry, Metadata, Payload
from callerid.names import arn, principal
from callerid.trace.link import Link, Mark, Sign, Source

CLOUD = Cloud.GCP
_HOUR_S = 3600
_MOST_S = 12 * _HOUR_S
"""The longest that an account's token holds, where an organisation allows it; and a workforce session."""
_LIFETIME = re.compile(r"([0-9]{1,6})(?:\.[0-9]+)?s", re.ASCII)
_ROLE_SESSION = re.compile(r"AROA[A-Z0-9]+:.+", re.ASCII | re.DOTALL)
_SIGNS_IN = ("ExchangeOauthToken", "WebSignIn")


class _Labels(Struct, frozen=True, omit_defaults=True):
    email: str | None = field(name="email_id", default=None)
    unique_id: str | None = None


class _Resource(Struct, frozen=True):
    labels: _Labels | None = None


class _Request(Struct, frozen=True, omit_defaults=True):
    name: str | None = None
    lifetime: str | None = None


class Issue(Struct, frozen=True, array_like=True, tag="gcp"):
    """What is kept of a call that issued a token until somebody asks for it."""

    call: str
    service: str
    time: str | None
    record_id: str
    account: str | None
    is_refused: bool
    caller: bytes
    """The JSON of it."""
    resource_name: str | None
    labels: _Labels
    request: _Request
    metadata: Metadata
    source: str

    @property
    def last(self) -> str | None:
        """Return its own time, for it is one call."""
        return self.time

    def texts(self) -> Iterator[str | None]:
        """Yield the texts, beside the caller's, that its link's names and marks are made of."""
        yield from (self.record_id, self.resource_name, self.labels.email, self.labels.unique_id, self.request.name)
        yield from (self.metadata.mapped_principal, self.metadata.mapped_principal_camel, *self.metadata.delegation)


def issues(entries: Sequence[Entry]) -> list[int]:
    """Return the places of the calls that may issue a token. Every entry passes here."""
    return [index for index, entry in enumerate(entries) if (payload := entry.payload) and _is_issue(payload)]


def _is_issue(payload: Payload) -> bool:
    """Tell a call that may issue a token: a crossing, each of which makes one."""
    return is_crossing(payload.method) and reader_of(payload) is not None


def calls(entries: Sequence[Entry]) -> Iterator[tuple[Raw, str, str]]:
    """Yield who made each call, as JSON, when, as the entry says it, and to which service."""
    payloads = [entry.payload or _NO_PAYLOAD for entry in entries]
    return zip(
        [payload.authentication for payload in payloads],
        [entry.timestamp or "" for entry in entries],
        [payload.service or "" for payload in payloads],
        strict=True,
    )


_NO_PAYLOAD, _NO_LABELS = Payload(), _Labels()


def record_id(entry: Entry) -> str:
    """Return the entry's insert id, by which a person asks for it; its key also holds log and time."""
    return entry.insert_id or ""


def began(_caller: Raw) -> str | None:
    """Return None: no entry says when a session began."""
    return None


def link(entry: Entry, source: str) -> Link:
    """Return what links an entry. Never raises: what is odd is absent."""
    return of_issue(issue(entry, source)) if _is_issue(entry.payload or _NO_PAYLOAD) else _call(entry, source)


def _call(entry: Entry, source: str) -> Link:
    payload, record_id_ = entry.payload or _NO_PAYLOAD, read.occurrence(entry, source).record_id
    return replace(
        of_caller(bytes(payload.authentication)),
        call=payload.method or "",
        service=payload.service or "",
        time=moment.utc(entry.timestamp),
        access_id=record_id_,
        records=(Source(record_id_, source),),
        account=account_of(entry),
        outcome=outcome_of(payload)[0],
    )


@lru_cache(maxsize=8192)
def of_caller(caller: bytes) -> Link:
    """Return what links any ordinary call of a caller, by the JSON of it: all but what is of one entry alone."""
    by = actor(caller, None)
    return Link(
        cloud=CLOUD,
        kind=by.kind,
        call="",
        access_id="",
        who=by.who,
        uses=by.uses,
        names=by.names,
        origin=by.origin,
        reach_s=_HOUR_S if by.is_account else 0,
    )


def issue(entry: Entry, source: str) -> Issue:
    """Return what is kept of a call that issued a token."""
    payload = entry.payload or _NO_PAYLOAD
    return Issue(
        payload.method or "",
        payload.service or "",
        moment.utc(entry.timestamp),
        read.occurrence(entry, source).record_id,
        account_of(entry),
        outcome_of(payload)[0] is Outcome.DENIED,
        bytes(payload.authentication),
        payload.resource_name,
        decode(_Resource, entry.resource).labels or _NO_LABELS,
        decode(_Request, payload.request),
        decode(Metadata, payload.metadata),
        source,
    )


def of_issue(issue: Issue) -> Link:
    """Return what links a call that issued a token; what was refused issued nothing."""
    method = issue.call.rpartition(".")[2]
    if method in ("ExchangeToken", *_SIGNS_IN):
        own = _exchange(issue, Kind.WORKFORCE_SIGN_IN if method in _SIGNS_IN else Kind.TOKEN_EXCHANGE)
    else:
        own = _impersonation(issue, method)
    return replace(
        own,
        time=issue.time,
        records=(Source(issue.record_id, issue.source),),
        account=issue.account,
        outcome=Outcome.DENIED if issue.is_refused else Outcome.ALLOWED,
        makes=() if issue.is_refused else own.makes,
    )


def _exchange(issue: Issue, kind: Kind) -> Link:
    metadata, subject = issue.metadata, decode(Authentication, Raw(issue.caller)).subject or None
    mapped = metadata.mapped_principal or metadata.mapped_principal_camel or None
    if subject is not None and principal.is_principal(subject):
        mapped, subject = mapped or subject, None
    mapped = principal.canonical(mapped) if mapped else None
    lasts_s = _MOST_S if kind is Kind.WORKFORCE_SIGN_IN or "/workforcePools/" in (mapped or "") else _HOUR_S
    return Link(
        cloud=CLOUD,
        kind=kind,
        call=issue.call,
        service=issue.service,
        access_id=issue.record_id,
        who=subject or mapped,
        made=mapped,
        makes=(Mark(Sign.PRINCIPAL, mapped),) if mapped else (),
        uses=_of_subject(subject),
        names=each_once(subject, mapped, subject_of(mapped)),
        lasts_s=lasts_s,
        origin=origin_of_subject(subject, issue.resource_name) if subject else origin_of(mapped),
    )


@lru_cache(maxsize=8192)
def _of_subject(subject: str | None) -> tuple[Mark, ...]:
    """Return the marks of an AWS principal, by whatever of it the pool maps; of any other subject none."""
    if subject is None:
        return ()
    if _ROLE_SESSION.fullmatch(subject):
        return (Mark(Sign.ROLE_ID, subject),)
    found = arn.parse(subject)
    if found is None or found.type not in ("role", "assumed-role", "federated-user"):
        return ()
    role = arn.role_of(subject)
    if found.type == "role" and role is not None:
        return (Mark(Sign.OUTBOUND, subject), Mark(Sign.ROLE, role.arn))
    return (Mark(Sign.SESSION, subject),)


def _impersonation(issue: Issue, method: str) -> Link:
    labels, request = issue.labels, issue.request
    named = [account_name(text) for text in (request.name, issue.resource_name)]
    email = labels.email or next((name for name in named if name and "@" in name), None)
    unique_id = labels.unique_id or next((name for name in named if name and name.isdigit()), None)
    by = actor(issue.caller, email)
    hops = (*map(_account_name_or_email, issue.metadata.delegation), *by.behind)
    between = tuple(dict.fromkeys(name for name in hops if name != chain.THIRD_PARTY))
    return Link(
        cloud=CLOUD,
        kind=Kind.IMPERSONATION,
        call=issue.call,
        service=issue.service,
        access_id=issue.record_id,
        who=by.who,
        made=email or unique_id,
        makes=_token_for(method, email, unique_id, between),
        uses=by.uses,
        names=each_once(email, unique_id, *by.names),
        lasts_s=_lifetime(request.lifetime) if method == "GenerateAccessToken" else _HOUR_S,
        origin=by.origin,
    )


def _token_for(method: str, email: str | None, unique_id: str | None, between: tuple[str, ...]) -> tuple[Mark, ...]:
    """Return the marks of a token for an account. What is signed may become a token of either sort."""
    marks = []
    if email and method == "GenerateAccessToken":
        marks += [Mark(Sign.ON_BEHALF, f"{email} {name}") for name in between if name != email]
    if email and method != "GenerateIdToken":
        marks.append(Mark(Sign.ACCOUNT, email))
    if unique_id and method != "GenerateAccessToken":
        marks.append(Mark(Sign.UNIQUE_ID, unique_id))
    return tuple(marks)


def _account_name_or_email(hop: str) -> str:
    return account_name(hop) or email_of(hop)


def _lifetime(text: str | None) -> int:
    found = _LIFETIME.fullmatch(text or "")
    return min(int(found[1]), _MOST_S) if found else _HOUR_S
