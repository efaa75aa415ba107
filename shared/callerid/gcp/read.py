"""What a Cloud Audit Log entry says of an access.

A *crossing* makes a token (:mod:`callerid.gcp.crossing`). Every other entry is a call: by a federated
identity itself, by an account that somebody impersonates, with a key, or an ordinary one. What most calls
show depends on :func:`call_keys` alone, so the calls of one caller are read once; so are the tokens that one
caller asks for again and again.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Raw
from zlib_ng.zlib_ng import crc32

from callerid.access import Access, Cloud, Kind, Occurrence, Scope
from callerid.decode import decode, is_object
from callerid.gcp import chain
from callerid.gcp import claims as claim
from callerid.gcp.crossing import account_of, is_crossing, missing, outcome_of, reader_of
from callerid.gcp.record import ABSENT, Authentication, Entry, Payload, Resource, authentication_of
from callerid.moment import utc
from callerid.names import principal

CallKey = tuple[int | bytes | bool | str | None, ...]

_REMEMBERED_BYTES = 4096
"""The longest parts by which a record is remembered: several times the usual, and memory has an end. A status can quote
what the caller sent, and be another each time."""

_SILENT_SERVICES = frozenset(("appengine.googleapis.com", "container.googleapis.com", "k8s.io"))
"""Services that don't log who made the short-lived credentials of an account.

https://cloud.google.com/iam/docs/audit-logging/examples-service-accounts
"""


def call_keys(entries: Sequence[Entry]) -> list[CallKey | None]:
    """Return for each entry all that its access depends on, its caller as a checksum; None where that is rare.

    The resource of an ordinary call is in no key, though a call by a federated identity itself shows it: the
    engine remembers none of those.
    """
    return [
        None
        if (payload := entry.payload) is None or entry.log_name is None or len(payload.status) > _REMEMBERED_BYTES
        else _crossing_key(entry, payload)
        if is_crossing(payload.method) and reader_of(payload) is not None
        else (
            crc32(payload.authentication),
            bytes(payload.status),
            payload.service in _SILENT_SERVICES,
            entry.log_name,
        )
        for entry in entries
    ]


def _crossing_key(entry: Entry, payload: Payload) -> CallKey | None:
    parts = (payload.status, payload.request, payload.metadata, entry.resource)
    if sum(map(len, parts)) > _REMEMBERED_BYTES:
        return None
    names = (payload.service, payload.method, payload.resource_name, entry.log_name)
    return (crc32(payload.authentication), *names, *map(bytes, parts))


def callers(entries: Sequence[Entry]) -> list[Raw]:
    """Return for each entry who made the call, as JSON."""
    return [entry.payload.authentication if entry.payload else ABSENT for entry in entries]


def read(entry: Entry) -> Access:
    """Return the access that an entry shows. Never raises: what is odd is absent."""
    payload = entry.payload or Payload()
    reader = reader_of(payload)
    if reader is not None:
        return reader(entry, payload)
    authentication = authentication_of(payload)
    email = claim.email_of(authentication.email or authentication.subject or "")
    behind = chain.of(authentication, besides=(email,))
    acts_as_account = principal.is_service_account(authentication.email)
    if _is_federated(authentication) and not (acts_as_account and behind.origins):
        return _direct_use(entry, payload, authentication, behind)
    if behind.origins:
        return _delegated_use(entry, payload, email or None, behind)
    if principal.is_service_account(email):
        return _account_use(entry, payload, email, authentication.key_name or None, behind)
    return _access(entry, payload, None, Scope.NEVER, principal=authentication.email or authentication.subject)


def occurrence(entry: Entry, source: str) -> Occurrence:
    """Return what is of this entry alone."""
    record_id = _key(entry)
    labels = decode(Resource, entry.resource).labels
    return Occurrence(utc(entry.timestamp), record_id, record_id, labels.location if labels else None, source)


def _key(entry: Entry) -> str:
    """Return an entry's key: log name, time and insert id; a hash of its content where it has no insert id.

    The time is cut to microseconds: a client library cuts it too, and history and stream must agree.
    """
    insert_id = entry.insert_id or ""
    if insert_id.startswith("sha256:"):
        return insert_id
    return f"{entry.log_name or '-'}/{utc(entry.timestamp) or '-'}/{insert_id}"


def time(entry: Entry) -> str | None:
    """Return when it was, in RFC 3339 and UTC; None where the entry shows no time that can be read."""
    return utc(entry.timestamp)


def _is_federated(authentication: Authentication) -> bool:
    caller = authentication.subject or authentication.email
    return chain.is_federated(caller) or (not caller and is_object(authentication.third_party))


def _access(entry: Entry, payload: Payload, kind: Kind | None, scope: Scope, **fields: object) -> Access:
    outcome, error = outcome_of(payload)
    return Access(
        cloud=Cloud.GCP,
        kind=kind,
        scope=scope,
        account=account_of(entry),
        outcome=outcome,
        error=error,
        **fields,  # type: ignore[arg-type]  # each reader names fields of Access
    )


def _delegated_use(entry: Entry, payload: Payload, email: str | None, behind: chain.Chain) -> Access:
    """Read a call by an impersonated account, whose chain shows who is behind it."""
    first = behind.first or ""
    found = principal.parse(first)
    third_party = first == chain.THIRD_PARTY
    return _access(
        entry,
        payload,
        Kind.DELEGATED_USE,
        Scope.ALWAYS if behind.federated else Scope.GUARDED,
        principal=email,
        subject=found.subject if found else None if third_party else first,
        provider=found.pool if found else None,
        target=email,
        delegation=behind.names,
        claims=claim.of(first),
        origins=claim.originators(behind.origins[1:]),
        unlisted="subject-unlisted" if behind.federated else "principal-unlisted",
        findings=("principal-missing",) if third_party else (),
    )


def _direct_use(entry: Entry, payload: Payload, authentication: Authentication, behind: chain.Chain) -> Access:
    caller = authentication.subject or authentication.email
    found = principal.parse(caller) if caller else None
    _, error = outcome_of(payload)
    return _access(
        entry,
        payload,
        Kind.DIRECT_USE,
        Scope.ALWAYS,
        principal=caller or None,
        subject=found.subject if found else principal.gke_of(caller),
        provider=found.pool if found else None,
        target=payload.resource_name,
        delegation=behind.names,
        claims=claim.of(caller),
        origins=claim.originators(name for name in behind.origins if name != caller),
        unlisted="subject-unlisted",
        findings=() if caller else (missing(error),),
    )


def _account_use(entry: Entry, payload: Payload, email: str, key: str | None, behind: chain.Chain) -> Access:
    """Read a call by a service account that shows nobody behind it: only a requirement minds."""
    silent = payload.service in _SILENT_SERVICES
    return _access(
        entry,
        payload,
        Kind.KEY_USE if key else Kind.DELEGATED_USE,
        Scope.REQUIRED,
        principal=email,
        provider=key,
        target=email,
        delegation=behind.names,
        findings=("service-account-key" if key else "origin-not-logged" if silent else "origin-missing",),
    )
