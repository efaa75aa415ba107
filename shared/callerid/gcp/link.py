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
from typing import NamedTuple

from msgspec import Raw, Struct, field

from callerid import moment
from callerid.access import Cloud, Kind, Outcome
from callerid.decode import decode
from callerid.gcp import chain, read
from callerid.gcp.claims import email_of
from callerid.gcp.crossing import account_of, outcome_of, reader_of
from callerid.gcp.record import Authentication, Entry, Metadata, Payload, authentication_of
from callerid.names import arn, principal
from callerid.trace.link import Basis, Link, Mark, Origin, Sign, Source

_HOUR_S = 3600
_MOST_S = 12 * _HOUR_S
"""The longest that an account's token holds, where an organisation allows it; and a workforce session."""
_LIFETIME = re.compile(r"([0-9]{1,6})(?:\.[0-9]+)?s", re.ASCII)
_ROLE_SESSION = re.compile(r"AROA[A-Z0-9]+:.+", re.ASCII | re.DOTALL)
_METHODS = frozenset(
    (
        "ExchangeToken",
        "ExchangeOauthToken",
        "WebSignIn",
        "GenerateAccessToken",
        "GenerateIdToken",
        "SignBlob",
        "SignJwt",
    )
)
_SIGNS_IN = ("ExchangeOauthToken", "WebSignIn")


class _Labels(Struct, frozen=True):
    email: str | None = field(name="email_id", default=None)
    unique_id: str | None = None


class _Resource(Struct, frozen=True):
    labels: _Labels | None = None


class _Request(Struct, frozen=True):
    name: str | None = None
    lifetime: str | None = None


def _is_issue(entry: Entry) -> bool:
    """Tell a call that may issue a token."""
    payload = entry.payload
    if payload is None or payload.method is None or payload.method.rpartition(".")[2] not in _METHODS:
        return False
    return reader_of(payload) is not None


def issues(entries: Sequence[Entry]) -> list[int]:
    """Return the places of the calls that may issue a token."""
    return [index for index, entry in enumerate(entries) if _is_issue(entry)]


def calls(entries: Sequence[Entry]) -> Iterator[tuple[Raw, str, str]]:
    """Yield who made each call, as JSON, when, as the entry says it, and to which service."""
    for entry in entries:
        payload = entry.payload or _NO_PAYLOAD
        yield payload.authentication, entry.timestamp or "", payload.service or ""


_NO_PAYLOAD = Payload()


def record_id(entry: Entry) -> str:
    """Return the entry's insert id, by which a person asks for it; its key also holds log and time."""
    return entry.insert_id or ""


def link(entry: Entry, source: str) -> Link:
    """Return what links an entry. Never raises: what is odd is absent."""
    payload = entry.payload or Payload()
    method = (payload.method or "").rpartition(".")[2]
    if not _is_issue(entry):
        return _call(entry, payload, source)
    if method in ("ExchangeToken", *_SIGNS_IN):
        return _exchange(entry, payload, source, Kind.WORKFORCE_SIGN_IN if method in _SIGNS_IN else Kind.TOKEN_EXCHANGE)
    return _impersonation(entry, payload, source, method)


def _exchange(entry: Entry, payload: Payload, source: str, kind: Kind) -> Link:
    metadata, subject = decode(Metadata, payload.metadata), authentication_of(payload).subject or None
    mapped = metadata.mapped_principal or metadata.mapped_principal_camel or None
    if subject is not None and principal.is_principal(subject):
        mapped, subject = mapped or subject, None
    mapped = principal.canonical(mapped) if mapped else None
    who = subject or mapped
    lasts_s = _MOST_S if kind is Kind.WORKFORCE_SIGN_IN or "/workforcePools/" in (mapped or "") else _HOUR_S
    return _link(
        entry,
        payload,
        source,
        kind=kind,
        who=who,
        made=mapped,
        makes=(Mark(Sign.PRINCIPAL, mapped),) if mapped else (),
        uses=_of_subject(subject),
        names=tuple(filter(None, (subject, mapped, _subject_of(mapped)))),
        lasts_s=lasts_s,
        origin=_origin_of_subject(subject, payload.resource_name) if subject else _origin_of(mapped),
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
    if found.type == "role":
        role = f"arn:{found.partition}:iam::{found.account}:role/{found.name}"
        return (Mark(Sign.OUTBOUND, subject), Mark(Sign.ROLE, role))
    return (Mark(Sign.SESSION, subject),)


def _impersonation(entry: Entry, payload: Payload, source: str, method: str) -> Link:
    labels = decode(_Resource, entry.resource).labels or _Labels()
    request, metadata = decode(_Request, payload.request), decode(Metadata, payload.metadata)
    named = [_account_name(text) for text in (request.name, payload.resource_name)]
    email = labels.email or next((name for name in named if name and "@" in name), None)
    unique_id = labels.unique_id or next((name for name in named if name and name.isdigit()), None)
    actor = _actor(bytes(payload.authentication), email)
    between = tuple(dict.fromkeys((*map(_account_name_or_email, metadata.delegation), *actor.behind)))
    return _link(
        entry,
        payload,
        source,
        kind=Kind.IMPERSONATION,
        who=actor.who,
        made=email or unique_id,
        makes=_token_for(method, email, unique_id, between),
        uses=actor.uses,
        names=tuple(filter(None, (email, unique_id, *actor.names))),
        lasts_s=_lifetime(request.lifetime) if method == "GenerateAccessToken" else _HOUR_S,
        origin=actor.origin,
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


def _call(entry: Entry, payload: Payload, source: str) -> Link:
    actor = _actor(bytes(payload.authentication), None)
    return _link(
        entry,
        payload,
        source,
        kind=actor.kind,
        who=actor.who,
        uses=actor.uses,
        names=actor.names,
        origin=actor.origin,
        reach_s=_HOUR_S if actor.is_account else 0,
    )


class _Actor(NamedTuple):
    """Who made a call, and with what."""

    who: str | None
    is_account: bool
    behind: tuple[str, ...]
    """Who asked for a token, the nearest first: the caller, then whoever stands behind it."""
    uses: tuple[Mark, ...]
    names: tuple[str, ...]
    origin: Origin | None
    kind: Kind | None


@lru_cache(maxsize=8192)
def _actor(data: bytes, target: str | None) -> _Actor:
    """Return who made a call, by the JSON of it; ``target`` is the account that a token was asked for."""
    authentication = decode(Authentication, Raw(data))
    name = authentication.email or authentication.subject or ""
    if name == target and authentication.subject:
        name = authentication.subject  # some entries name the account that is reached in place of who reaches it
    name = _canonical(name)
    email = name if principal.is_service_account(name) and name != target else ""
    origins = chain.of(authentication, besides=(email, target)).origins
    others = [_canonical(one) for one in origins]
    if chain.is_federated(authentication.subject) and authentication.subject:
        others.append(_canonical(authentication.subject))
    behind = tuple(dict.fromkeys(one for one in (name, *others) if one and one != target))
    has_key = bool(authentication.key_name)
    of_account = Kind.KEY_USE if has_key else Kind.DELEGATED_USE
    return _Actor(
        who=name or None,
        is_account=bool(email),
        behind=behind,
        uses=_made_with(email, behind, has_key=has_key),
        names=tuple(dict.fromkeys(filter(None, (*behind, *map(_subject_of, behind))))),
        origin=_origin(authentication, name, origins),
        kind=of_account if email else Kind.DIRECT_USE if chain.is_federated(name) else None,
    )


def _made_with(email: str, behind: tuple[str, ...], *, has_key: bool) -> tuple[Mark, ...]:
    """Return the marks of the token that a call was made with, the strongest first.

    An account's call names who is behind it, and then the token is one that they asked for. Where it names nobody
    any token of the account will do, and of a call with a key none.
    """
    others = [name for name in behind if name != email]
    marks = [Mark(Sign.ON_BEHALF, f"{email} {name}") for name in others if email]
    marks += [Mark(Sign.PRINCIPAL, name) for name in others if chain.is_federated(name)]
    if email and not others and not has_key:
        marks.append(Mark(Sign.ACCOUNT, email))
    return tuple(marks)


def _origin(authentication: Authentication, name: str, origins: tuple[str, ...]) -> Origin | None:
    """Return who a call leads to when nothing more is known: of everybody behind it the first."""
    if origins:
        return _origin_of(_canonical(origins[0]))
    if authentication.subject and chain.is_federated(authentication.subject):
        return _origin_of(_canonical(authentication.subject))
    if authentication.key_name and name:
        return Origin(authentication.key_name, "service account key", name)
    return _origin_of(name)


@lru_cache(maxsize=8192)
def _origin_of(name: str | None) -> Origin | None:
    if not name:
        return None
    found = principal.parse(name)
    if found is not None:
        return _origin_of_subject(found.subject, found.pool)
    if principal.gke_of(name) is not None:
        return Origin(name, "GKE workload")
    if principal.is_service_account(name):
        return Origin(name, "service account", is_end=False, basis=Basis.INFERRED)
    return Origin(name, "Google account")


def _origin_of_subject(subject: str, provider: str | None) -> Origin:
    """Return the subject of another identity provider; behind an AWS session stands somebody else."""
    found = arn.parse(subject)
    if found is not None and found.type != "user":
        return Origin(subject, "session of unknown beginning", provider, is_end=False, basis=Basis.INFERRED)
    return Origin(subject, "IAM user" if found else "subject of an identity provider", provider)


def _subject_of(name: str | None) -> str | None:
    found = principal.parse(name) if name else None
    return found.subject if found else None


@lru_cache(maxsize=8192)
def _canonical(name: str) -> str:
    """Return the one spelling of a principal; of an account its e-mail address alone."""
    gke = principal.gke_of(name)
    if gke is not None:
        return gke
    return principal.canonical(name) if principal.is_principal(name) else email_of(name)


def _account_name(resource: str | None) -> str | None:
    """Return what follows ``serviceAccounts/``: an e-mail address or a unique id."""
    return (resource or "").rpartition("serviceAccounts/")[2] or None


def _account_name_or_email(hop: str) -> str:
    return _account_name(hop) or email_of(hop)


def _lifetime(text: str | None) -> int:
    found = _LIFETIME.fullmatch(text or "")
    return min(int(found[1]), _MOST_S) if found else _HOUR_S


def _link(
    entry: Entry,
    payload: Payload,
    source: str,
    *,
    kind: Kind | None,
    who: str | None,
    uses: tuple[Mark, ...],
    names: tuple[str, ...],
    origin: Origin | None,
    made: str | None = None,
    makes: tuple[Mark, ...] = (),
    lasts_s: int = 0,
    reach_s: int = 0,
) -> Link:
    record_id_ = read.occurrence(entry, source).record_id
    outcome, time = outcome_of(payload)[0], moment.utc(entry.timestamp)
    return Link(
        cloud=Cloud.GCP,
        kind=kind,
        call=payload.method or "",
        service=payload.service or "",
        time=time,
        access_id=record_id_,
        records=(Source(record_id_, source),),
        account=account_of(entry),
        outcome=outcome,
        who=who,
        made=made,
        makes=() if outcome is Outcome.DENIED else makes,
        uses=uses,
        names=tuple(dict.fromkeys(names)),
        lasts_s=lasts_s,
        origin=origin,
        reach_s=reach_s,
    )
