"""What a Cloud Audit Log entry says of an access.

A *crossing* makes a token (:mod:`callerid.gcp.crossing`). Every other entry is a call: by a federated
identity itself, by an account that somebody impersonates, with a key, or an ordinary one. What most calls
show depends on :func:`call_key` alone, so the calls of one caller are read once.
"""

from __future__ import annotations

from callerid.access import Access, Cloud, Kind, Occurrence, Outcome, Scope
from callerid.decode import decode
from callerid.gcp import claims as claim
from callerid.gcp.crossing import account_of, outcome_of, reader_of
from callerid.gcp.record import Authentication, Delegation, Entry, Payload, Resource, authentication_of
from callerid.moment import utc
from callerid.names import principal

CallKey = tuple[bytes, bytes, str | None, str | None]

_SILENT_SERVICES = frozenset(("appengine.googleapis.com", "container.googleapis.com", "k8s.io"))
"""Services that don't log who made the short-lived credentials of an account.

https://cloud.google.com/iam/docs/audit-logging/examples-service-accounts
"""

THIRD_PARTY = "thirdPartyPrincipal"
"""What stands for a hop that is neither Google's nor in any pool; no record of one is published."""


def call_key(entry: Entry) -> CallKey | None:
    """Return all that an ordinary call's access depends on; None for what is read entry by entry.

    A call by a federated identity itself reaches another resource each time, so it has no key.
    """
    payload = entry.payload or Payload()
    if reader_of(payload) is not None or entry.log_name is None:
        return None
    authentication = bytes(payload.authentication)
    if b"principal://" in authentication or b"svc.id.goog" in authentication:
        return None
    return (authentication, bytes(payload.status), payload.service, entry.log_name)


def read(entry: Entry) -> Access:
    """Return the access that an entry shows. Never raises: what is odd is absent."""
    payload = entry.payload or Payload()
    reader = reader_of(payload)
    if reader is not None:
        return reader(entry, payload)
    authentication = authentication_of(payload)
    chain = tuple(hop for hop in authentication.delegation if hop_name(hop))
    if chain:
        return _delegated_use(entry, payload, authentication, chain)
    if _is_federated(authentication):
        return _direct_use(entry, payload, authentication)
    if principal.is_service_account(authentication.email):
        return _account_use(entry, payload, authentication)
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


def day(entry: Entry) -> str | None:
    """Return the UTC day of an entry, ``YYYY-MM-DD``."""
    time = utc(entry.timestamp)
    return time[:10] if time else None


def hop_name(hop: Delegation) -> str | None:
    """Return the principal of one hop, wherever the entry nests it; None for the empty hop that occurs."""
    first = hop.first_party
    name = hop.subject or (first and (first.subject or first.email))
    if name:
        return name
    return THIRD_PARTY if bytes(hop.third_party)[:1] == b"{" else None


def _is_federated(authentication: Authentication) -> bool:
    caller = authentication.subject or authentication.email
    if principal.is_principal(caller) or principal.gke_of(caller):
        return True
    nobody = not caller
    return nobody and bytes(authentication.third_party)[:1] == b"{"


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


def _delegated_use(
    entry: Entry, payload: Payload, authentication: Authentication, chain: tuple[Delegation, ...]
) -> Access:
    """Read a call by an impersonated account. Every hop is weighed: their order is not documented.

    Originators are the federated identities and the people in the chain; where there is none, the service
    accounts are. Google's own service agents are hops that mean nothing.
    """
    names = tuple(name for hop in chain if (name := hop_name(hop)))
    hops = [name for name in names if not principal.is_service_agent(claim.email_of(name))]
    federated = [name for name in hops if principal.is_principal(name) or principal.gke_of(name)]
    people = [name for name in hops if name not in federated and not principal.is_service_account(claim.email_of(name))]
    origins = federated + people or hops
    first = origins[0] if origins else None
    found = principal.parse(first) if first else None
    return _access(
        entry,
        payload,
        Kind.DELEGATED_USE,
        Scope.ALWAYS if federated or THIRD_PARTY in names else Scope.GUARDED if first else Scope.REQUIRED,
        principal=authentication.email or authentication.subject,
        subject=found.subject if found else first,
        provider=found.pool if found else None,
        target=authentication.email,
        delegation=names,
        claims=claim.of(first),
        origins=tuple(claim.of(name) for name in origins[1:]),
        unlisted="subject-unlisted" if federated else "principal-unlisted",
        findings=() if first else ("origin-missing",),
    )


def _direct_use(entry: Entry, payload: Payload, authentication: Authentication) -> Access:
    caller = authentication.subject or authentication.email
    found = principal.parse(caller) if caller else None
    outcome, _ = outcome_of(payload)
    return _access(
        entry,
        payload,
        Kind.DIRECT_USE,
        Scope.ALWAYS,
        principal=caller or None,
        subject=found.subject if found else principal.gke_of(caller),
        provider=found.pool if found else None,
        target=payload.resource_name,
        claims=claim.of(caller),
        unlisted="subject-unlisted",
        findings=() if caller else (missing(outcome),),
    )


def _account_use(entry: Entry, payload: Payload, authentication: Authentication) -> Access:
    """Read a call by a service account that shows nobody behind it: only a requirement minds."""
    key = authentication.key_name
    silent = payload.service in _SILENT_SERVICES
    return _access(
        entry,
        payload,
        Kind.KEY_USE if key else Kind.DELEGATED_USE,
        Scope.REQUIRED,
        principal=authentication.email,
        provider=key,
        target=authentication.email,
        findings=("service-account-key",) if key else ("origin-not-logged" if silent else "origin-missing",),
    )


def missing(outcome: Outcome) -> str:
    """Return why nobody is named: a denied call is redacted, an allowed one should show its caller."""
    return "caller-redacted" if outcome is Outcome.DENIED else "principal-missing"
