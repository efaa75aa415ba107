"""Who made a call of Cloud Audit Logs, as far as that links it to others: ``authenticationInfo``.

https://cloud.google.com/iam/docs/audit-logging/examples-service-accounts
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from msgspec import Raw

from callerid.access import Kind
from callerid.decode import decode
from callerid.gcp import chain
from callerid.gcp.claims import email_of
from callerid.gcp.record import Authentication
from callerid.names import arn, principal
from callerid.trace.link import Basis, Mark, Origin, Sign


class Actor(NamedTuple):
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
def actor(data: bytes, target: str | None) -> Actor:
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
    return Actor(
        who=name or None,
        is_account=bool(email),
        behind=behind,
        uses=_made_with(email, behind, has_key=has_key),
        names=each_once(*behind, *map(subject_of, behind)),
        origin=_origin(authentication, name, origins),
        kind=of_account if email else Kind.DIRECT_USE if chain.is_federated(name) else None,
    )


def _made_with(email: str, behind: tuple[str, ...], *, has_key: bool) -> tuple[Mark, ...]:
    """Return the marks of the token that a call was made with, the strongest first.

    An account's call names who is behind it, and then the token is one that they asked for. Where it names nobody
    any token of the account will do, and of a call with a key none. A third party that the entry does not name is
    nobody: two of them would bear the same mark.
    """
    others = [name for name in behind if name not in (email, chain.THIRD_PARTY)]
    marks = [Mark(Sign.ON_BEHALF, f"{email} {name}") for name in others if email]
    marks += [Mark(Sign.PRINCIPAL, name) for name in others if chain.is_federated(name)]
    if email and not others and not has_key:
        marks.append(Mark(Sign.ACCOUNT, email))
    return tuple(marks)


def _origin(authentication: Authentication, name: str, origins: tuple[str, ...]) -> Origin | None:
    """Return who a call leads to when nothing more is known: of everybody behind it the first."""
    if origins:
        return origin_of(_canonical(origins[0]))
    if authentication.subject and chain.is_federated(authentication.subject):
        return origin_of(_canonical(authentication.subject))
    if authentication.key_name and name:
        return Origin(authentication.key_name, "service account key", name)
    return origin_of(name)


@lru_cache(maxsize=8192)
def origin_of(name: str | None) -> Origin | None:
    """Return who a call by a name leads to when nothing more is known."""
    if not name:
        return None
    if name == chain.THIRD_PARTY:
        return Origin(name, "third party that the entry does not name", is_end=False, basis=Basis.INFERRED)
    found = principal.parse(name)
    if found is not None:
        return origin_of_subject(found.subject, found.pool)
    if principal.gke_of(name) is not None:
        return Origin(name, "GKE workload")
    if principal.is_service_account(name):
        return Origin(name, "service account", is_end=False, basis=Basis.INFERRED)
    return Origin(name, "Google account")


def origin_of_subject(subject: str, provider: str | None) -> Origin:
    """Return the subject of another identity provider; behind an AWS session stands somebody else."""
    found = arn.parse(subject)
    if found is not None and found.type != "user":
        return Origin(subject, "session of unknown beginning", provider, is_end=False, basis=Basis.INFERRED)
    return Origin(subject, "IAM user" if found else "subject of an identity provider", provider)


def subject_of(name: str | None) -> str | None:
    """Return the subject of a pool's principal, None for any other name."""
    found = principal.parse(name) if name else None
    return found.subject if found else None


@lru_cache(maxsize=8192)
def _canonical(name: str) -> str:
    """Return the one spelling of a principal; of an account its e-mail address alone."""
    gke = principal.gke_of(name)
    if gke is not None:
        return gke
    return principal.canonical(name) if principal.is_principal(name) else email_of(name)


def each_once(*names: str | None) -> tuple[str, ...]:
    """Return those names that there are, in their order."""
    return tuple(dict.fromkeys(filter(None, names)))
