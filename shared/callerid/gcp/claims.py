"""The names under which a caller book may list a principal of Google's logs."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from callerid.access import Claim, Form, Originator
from callerid.names import arn, principal

_PREFIXES = ("serviceAccount:", "user:")


@lru_cache(maxsize=8192)
def of(name: str | None) -> tuple[Claim, ...]:
    """Return the claims of a principal in any spelling: ``principal://``, GKE, ``user:``, an e-mail address."""
    if not name:
        return ()
    gke = principal.gke_of(name)
    found = principal.parse(name)
    if gke:
        return (Claim(Form.GKE, gke), *((Claim(Form.PRINCIPAL, principal.canonical(name)),) if found else ()))
    if found:
        return (Claim(Form.PRINCIPAL, principal.canonical(name)), *of_subject(found.subject))
    if principal.is_principal(name):  # one whose subject is empty names nobody, whatever pattern it would come under
        return () if name.endswith(("/subject/", "/subjects/")) else (Claim(Form.PRINCIPAL, principal.canonical(name)),)
    email = email_of(name)
    return (Claim(Form.EMAIL, email),) if "@" in email else ()


@lru_cache(maxsize=8192)
def of_subject(subject: str | None) -> tuple[Claim, ...]:
    """Return the claims of a raw subject. Google's logs don't show its issuer; the judge minds the provider."""
    if not subject:
        return ()
    claims = [Claim(Form.SUBJECT, subject)]
    found = arn.parse(subject)
    if found is not None:
        form = {"role": Form.AWS_ROLE, "assumed-role": Form.AWS_ROLE, "user": Form.IAM_USER}.get(found.type)
        claims += [Claim(form, subject)] if form else []
        claims.append(Claim(Form.AWS_ACCOUNT, found.account))
    elif len(subject) == 12 and subject.isdigit():
        claims.append(Claim(Form.AWS_ACCOUNT, subject))
    return tuple(claims)


def originators(names: Iterable[str]) -> tuple[Originator, ...]:
    """Return who is behind a call, each with the claims and the pool that are its own."""
    found = ((name, principal.parse(name)) for name in names)
    return tuple(Originator(of(name), pooled.pool if pooled else None) for name, pooled in found)


def email_of(name: str) -> str:
    """Return an e-mail address without the member prefix that some services write before it."""
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name
