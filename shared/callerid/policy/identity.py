"""The forms of an identity: the keys under which the book keeps each, and those that a record's claim asks for.

A key is a form, a value and, for the forms that have one, an issuer. A value with ``*`` or ``?`` is a
pattern. What counts as the same identity in two spellings is decided here, by giving both one key: a role
with and without its path, GitHub's subjects with and without ids, a cluster's ARN and its name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from callerid.access import Claim, Form
from callerid.names import arn, github, glob, principal
from callerid.policy.model import FORMS, Identity


class Key(NamedTuple):
    """Where the book's index keeps an identity."""

    form: Form
    value: str
    issuer: str = ""


ISSUERLESS = ("oidc", "saml", "azure_managed_identity", "aws_role", "iam_user", "aws_account")
"""Forms whose issuer Google's logs don't show: there they count at the provider of the reach alone."""


def form_of(identity: Identity) -> str:
    """Return the name of the one form that an identity has."""
    return next(form for form in FORMS if getattr(identity, form) is not None)


def keys(identity: Identity) -> Iterator[Key]:
    """Yield the keys under which an identity is kept."""
    yield from _own_keys(identity)
    if identity.email:
        yield Key(Form.EMAIL, identity.email.lower())
    if identity.unique_id:
        yield Key(Form.UNIQUE_ID, identity.unique_id)


def _own_keys(identity: Identity) -> Iterator[Key]:
    match form_of(identity):
        case "google_service_account":
            yield Key(Form.GOOGLE_SERVICE_ACCOUNT, identity.google_service_account or "")
        case "google_user":
            yield Key(Form.EMAIL, (identity.google_user or "").lower())
        case "aws_role":
            yield Key(Form.AWS_ROLE, without_path(identity.aws_role or ""))
        case "iam_user":
            yield Key(Form.IAM_USER, without_path(identity.iam_user or ""))
        case "aws_account":
            yield Key(Form.AWS_ACCOUNT, identity.aws_account or "")
        case "azure_managed_identity":
            yield Key(Form.AZURE_MANAGED_IDENTITY, (identity.azure_managed_identity or "").lower())
        case "principal":
            yield Key(Form.PRINCIPAL, principal.canonical(identity.principal or ""))
        case "gke":
            yield Key(Form.GKE, principal.gke_of(identity.gke) or identity.gke or "")
        case _:
            yield from _issued_keys(identity)


def _issued_keys(identity: Identity) -> Iterator[Key]:
    """Yield the keys of the forms that name an issuer, and the bare subject that Google's logs show of them."""
    if identity.oidc:
        issuer = arn.issuer_of(identity.oidc.issuer)
        subject = _subject(identity.oidc.subject) if github.is_issuer(issuer) else identity.oidc.subject
        yield Key(Form.OIDC, subject, issuer)
        yield Key(Form.SUBJECT, subject)
    elif identity.saml:
        yield Key(Form.SAML, identity.saml.subject, identity.saml.provider)
        yield Key(Form.SUBJECT, identity.saml.subject)
    elif identity.roles_anywhere:
        yield Key(Form.ROLES_ANYWHERE, identity.roles_anywhere.common_name, identity.roles_anywhere.trust_anchor)
    elif identity.pod_identity:
        pod = identity.pod_identity
        yield Key(Form.POD_IDENTITY, f"{pod.namespace}/{pod.service_account}", pod.cluster)


def lookups(claim: Claim) -> Iterator[Key]:
    """Yield the keys that a record's claim asks for."""
    match claim.form:
        case Form.AWS_ROLE:
            yield Key(Form.AWS_ROLE, without_path(arn.role_arn(claim.value) or claim.value))
            yield Key(Form.AWS_ROLE, arn.role_arn(claim.value) or claim.value)
        case Form.IAM_USER:
            yield Key(Form.IAM_USER, without_path(claim.value))
            yield Key(Form.IAM_USER, claim.value)
        case Form.OIDC if github.is_issuer(claim.issuer):
            yield Key(Form.OIDC, _subject(claim.value), claim.issuer)
        case Form.SUBJECT:
            yield Key(Form.SUBJECT, claim.value)
            if _subject(claim.value) != claim.value:
                yield Key(Form.SUBJECT, _subject(claim.value))
            yield Key(Form.AZURE_MANAGED_IDENTITY, claim.value.lower())
        case Form.POD_IDENTITY:
            yield Key(Form.POD_IDENTITY, claim.value, claim.issuer)
            yield Key(Form.POD_IDENTITY, claim.value, claim.issuer.rpartition("/")[2])
        case Form.EMAIL:
            yield Key(Form.EMAIL, claim.value.lower())
        case _:
            yield Key(claim.form, claim.value, claim.issuer)


def _subject(text: str) -> str:
    """Return the form that GitHub's old and new spelling of a subject share; any other subject as it is."""
    found = github.parse(text)
    return found.name if found else text


def without_path(text: str) -> str:
    """Return a role's or user's ARN without its path, which its name does not need; a pattern as it is."""
    found = None if glob.is_glob(text) else arn.parse(text)
    if found is None or found.type not in ("role", "user"):
        return text
    return f"arn:{found.partition}:iam::{found.account}:{found.type}/{found.name}"


def subject_of(identity: Identity) -> str | None:
    """Return the subject that an identity lists: a token's, or what a pool's principal ends in."""
    found = principal.parse(identity.principal) if identity.principal else None
    return identity.oidc.subject if identity.oidc else found.subject if found else None


def is_recycled(identity: Identity, subject: github.Subject) -> bool:
    """Tell a subject whose owner or repository has another id than the entry for GitHub pins."""
    entry = github.parse(identity.oidc.subject) if identity.oidc else None
    pairs = zip(entry.ids, subject.ids, strict=True) if entry else ()
    return any(pinned and shown and not glob.matches(pinned, shown) for pinned, shown in pairs)


def user_names(identity: Identity) -> tuple[str, ...]:
    """Return the user names of an identity, which ``equals: caller`` accepts beside the caller's name.

    A certificate's common name has two: as a source identity it is printed with ``CN=`` and without.
    """
    user = arn.parse(identity.iam_user) if identity.iam_user else None
    common_name = identity.roles_anywhere.common_name if identity.roles_anywhere else None
    names = (
        user.name if user else None,
        identity.google_user,
        identity.saml.subject if identity.saml else None,
        common_name,
        f"CN={common_name}" if common_name else None,
    )
    return tuple(name for name in names if name)
