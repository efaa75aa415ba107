"""The calls of Cloud Audit Logs that make a token, each with the fields that name its caller.

https://cloud.google.com/iam/docs/audit-logging/examples-workload-identity
https://cloud.google.com/iam/docs/audit-logging/examples-workforce-identity
https://cloud.google.com/iam/docs/audit-logging/examples-service-accounts
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from callerid.access import Access, Cloud, Kind, Outcome, Scope, findings
from callerid.decode import decode, parse
from callerid.gcp import chain
from callerid.gcp import claims as claim
from callerid.gcp.record import (
    Entry,
    Metadata,
    Payload,
    Request,
    Resource,
    authentication_of,
)
from callerid.names import arn, principal

_STS = "sts.googleapis.com"
_CREDENTIALS = ("iamcredentials.googleapis.com", "iam.googleapis.com")
_LOG_OWNER = re.compile(r"(?:projects|organizations|folders|billingAccounts)/([^/]+)/logs/")
_DURATION = re.compile(r"(-?[0-9]{1,15})(?:\.[0-9]+)?s?$")
_REDACTED = "PERMISSION_DENIED"
_EXPIRES_SOON_S = 30 * 24 * 3600

Reader = Callable[[Entry, Payload], Access]


@lru_cache(maxsize=4096)
def is_crossing(method: str | None) -> bool:
    """Tell a method that makes a token; the service decides the rest."""
    return method is not None and method.rpartition(".")[2] in _READERS


def reader_of(payload: Payload) -> Reader | None:
    """Return the reader of a crossing, None for any other call.

    The method's last segment counts: the same method is logged under its short name and under several long
    ones. An abridged entry without service name is still read where the method leaves no doubt.
    """
    method = payload.method
    if method is None:
        return None
    found = _READERS.get(method.rpartition(".")[2])
    if found is None:
        return None
    services, reader = found
    return reader if payload.service is None or payload.service in services else None


def account_of(entry: Entry) -> str | None:
    """Return the project, folder or organisation whose log an entry is of; of an abridged one, its resource's."""
    if entry.log_name is not None:
        found = _LOG_OWNER.match(entry.log_name)
        return found[1] if found else None
    labels = decode(Resource, entry.resource).labels
    return labels.project_id if labels else None


def account_name(resource: str | None) -> str | None:
    """Return what follows ``serviceAccounts/``: an e-mail address or a unique id."""
    return (resource or "").rpartition("serviceAccounts/")[2] or None


def outcome_of(payload: Payload) -> tuple[Outcome, str | None]:
    """Return whether a call was allowed, and its status code in words where it was not.

    BigQuery prints the code as text; a status without one is a success.
    """
    if bytes(payload.status) in (b"", b"{}", b"null"):
        return Outcome.ALLOWED, None
    status = parse(bytes(payload.status))
    code = status.get("code") if isinstance(status, dict) else None
    if code is None or str(code) == "0":
        return Outcome.ALLOWED, None
    return Outcome.DENIED, _CODES.get(str(code), str(code))


def missing(error: str | None) -> str:
    """Return why nobody is named: Google redacts the caller where permission is denied, and nowhere else."""
    return "caller-redacted" if error == _REDACTED else "principal-missing"


def _exchange(entry: Entry, payload: Payload) -> Access:
    return _token_exchange(entry, payload, Kind.TOKEN_EXCHANGE)


def _sign_in(entry: Entry, payload: Payload) -> Access:
    return _token_exchange(entry, payload, Kind.WORKFORCE_SIGN_IN)


def _token_exchange(entry: Entry, payload: Payload, kind: Kind) -> Access:
    """Read an exchange: the raw subject, the mapped principal, or, for X.509, the latter alone."""
    metadata = decode(Metadata, payload.metadata)
    mapped = metadata.mapped_principal or metadata.mapped_principal_camel or None
    subject = authentication_of(payload).subject or None
    if subject is not None and principal.is_principal(subject):
        mapped, subject = mapped or subject, None
    outcome, error = outcome_of(payload)
    unmapped = outcome is Outcome.ALLOWED and subject is not None and mapped is None
    return Access(
        cloud=Cloud.GCP,
        kind=kind,
        scope=Scope.ALWAYS,
        account=account_of(entry),
        principal=mapped,
        subject=subject,
        provider=_provider(payload, mapped),
        outcome=outcome,
        error=error,
        claims=tuple(dict.fromkeys((*claim.of_subject(subject), *claim.of(mapped)))),
        untargeted=True,
        unlisted="subject-unlisted",
        findings=findings(
            None if subject or mapped else missing(error),
            "principal-unmapped" if unmapped else None,
            "mapped-principal-mismatch" if _disagree(subject, mapped) or _strays(payload, mapped) else None,
            "certificate-expiring" if any(_expires_soon(key.time_until_expiration) for key in metadata.keys) else None,
        ),
    )


def _provider(payload: Payload, mapped: str | None) -> str | None:
    """Return the provider, or its pool where the entry names a subject in place of the provider."""
    name = payload.resource_name
    if name is None or "/subject" not in name:
        return name
    found = principal.parse(mapped or "") or principal.parse(f"principal://iam.googleapis.com/{name}")
    return found.pool if found else name


def _disagree(subject: str | None, mapped: str | None) -> bool:
    """Compare the two where AWS's default mapping holds, which is seen by an ARN of one type on both sides.

    A mapping to another type of ARN, a session's to its role's, say, is a custom one, and lawful.
    """
    found = principal.parse(mapped or "")
    raw, kept = arn.parse(subject or ""), arn.parse(found.subject if found else "")
    is_default = raw is not None and kept is not None and raw.type == kept.type
    return is_default and found is not None and found.subject != subject


def _strays(payload: Payload, mapped: str | None) -> bool:
    """Tell a mapped principal of another pool than the provider's, which maps into its own."""
    found, pool = principal.parse(mapped or ""), principal.pool_of(payload.resource_name)
    return found is not None and pool is not None and found.pool != pool


def _expires_soon(text: str | None) -> bool:
    """Read a duration such as ``315413092s``; a negative one has passed."""
    found = _DURATION.match(text or "")
    return found is not None and int(found[1]) < _EXPIRES_SOON_S


def _impersonation(entry: Entry, payload: Payload) -> Access:
    """Read a token made for an account. Who is behind the account that asked for it counts, as in any other call."""
    authentication = authentication_of(payload)
    labels = decode(Resource, entry.resource).labels
    request = decode(Request, payload.request)
    email = labels.email_id if labels else None
    target = email or account_name(request.name) or account_name(payload.resource_name)
    actor = authentication.subject or authentication.email or None
    behind = chain.of(authentication, besides=(actor, target))
    origin = behind.first or actor
    found = principal.parse(origin) if origin else None
    federated = chain.is_federated(origin)
    outcome, error = outcome_of(payload)
    method = (payload.method or "").rpartition(".")[2]
    return Access(
        cloud=Cloud.GCP,
        kind=Kind.IMPERSONATION,
        scope=Scope.ALWAYS if federated or not origin else Scope.GUARDED,
        account=account_of(entry),
        principal=origin if actor == target else actor,
        subject=found.subject if found else principal.gke_of(origin),
        provider=found.pool if found else None,
        audience=request.audience or None,
        audiences=None if method == "GenerateAccessToken" else tuple(filter(None, (request.audience,))),
        target=target,
        delegation=decode(Metadata, payload.metadata).delegation or behind.names,
        outcome=outcome,
        error=error,
        claims=claim.of(origin),
        origins=claim.originators(behind.origins[1:]),
        unlisted="subject-unlisted" if federated else "principal-unlisted",
        findings=findings(
            None if origin else missing(error),
            "principal-missing" if origin == chain.THIRD_PARTY else None,
            "signed-as-account" if method in ("SignBlob", "SignJwt") else None,
        ),
    )


_CODES = {
    "1": "CANCELLED", "2": "UNKNOWN", "3": "INVALID_ARGUMENT", "4": "DEADLINE_EXCEEDED", "5": "NOT_FOUND",
    "6": "ALREADY_EXISTS", "7": "PERMISSION_DENIED", "8": "RESOURCE_EXHAUSTED", "9": "FAILED_PRECONDITION",
    "10": "ABORTED", "11": "OUT_OF_RANGE", "12": "UNIMPLEMENTED", "13": "INTERNAL", "14": "UNAVAILABLE",
    "15": "DATA_LOSS", "16": "UNAUTHENTICATED",
}  # fmt: skip
"""https://cloud.google.com/apis/design/errors#handling_errors"""

_READERS: dict[str, tuple[tuple[str, ...], Reader]] = {
    "ExchangeToken": ((_STS,), _exchange),
    "ExchangeOauthToken": ((_STS,), _sign_in),
    "WebSignIn": ((_STS,), _sign_in),
    "GenerateAccessToken": (_CREDENTIALS, _impersonation),
    "GenerateIdToken": (_CREDENTIALS, _impersonation),
    "SignBlob": (_CREDENTIALS, _impersonation),
    "SignJwt": (_CREDENTIALS, _impersonation),
}
