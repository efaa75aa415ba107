"""Under which identity the policy would list the caller that a record shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from callerid.access import Access, Claim, Cloud, Form
from callerid.names import arn, github, principal
from callerid.policy.book import Book
from callerid.policy.model import Identity, Oidc, PodIdentity, RolesAnywhere, Saml

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_UNIQUE_ID = re.compile(r"(AIDA|AROA)[A-Z0-9]+")
_ISSUER = "TODO.example.com"
"""Stands for an issuer that Google's logs don't show."""


def identities_of(access: Access, book: Book) -> Iterator[Identity]:
    """Yield the identities under which a book could list a caller, the best one first.

    None is wider than what the record shows: an account stands for its caller only where nothing else shows, and
    never one of our own.
    """
    if access.cloud is Cloud.AWS:
        yield from _at_aws(access, book)
    else:
        yield from _at_google(access, book)


def _at_aws(access: Access, book: Book) -> Iterator[Identity]:
    claims = access.claims
    account = next((claim.value for claim in claims if claim.form is Form.AWS_ACCOUNT), None)
    unique_id = next((claim.value for claim in claims if claim.form is Form.UNIQUE_ID), "")
    for claim in claims:
        match claim.form:
            case Form.AWS_ACCOUNT if len(claims) > 1 or book.accounts is None or claim.value in book.accounts:
                continue
            case Form.UNIQUE_ID:
                yield from _by_id(claim.value, account, access)
            case _:
                yield _identity(claim, unique_id)


def _by_id(unique_id: str, account: str | None, access: Access) -> Iterator[Identity]:
    """Yield the identity of an id, whose name another account's copy of a call does not show."""
    target = arn.parse(access.target or "")
    if account is None or target is None or not _UNIQUE_ID.fullmatch(unique_id):
        return
    form, word = ("iam_user", "user") if unique_id.startswith("AIDA") else ("aws_role", "role")
    arn_of_it: dict[str, Any] = {form: f"arn:{target.partition}:iam::{account}:{word}/TODO-{unique_id}"}
    yield Identity(**arn_of_it, unique_id=unique_id)


def _at_google(access: Access, book: Book) -> Iterator[Identity]:
    """Yield the identities of a principal of Google's logs, which don't show a subject's issuer.

    An AWS session belongs to its role. Any other subject is listed as such where its provider shows, as at the
    exchange; afterwards only the pool shows, and the principal within it is the exacter name.
    """
    by_form = {claim.form: claim for claim in reversed(access.claims)}
    subject, mapped = by_form.get(Form.SUBJECT), by_form.get(Form.PRINCIPAL)
    of_aws = by_form.get(Form.AWS_ROLE) or by_form.get(Form.IAM_USER)
    if of_aws is not None:
        yield _identity(of_aws)
        return
    yield from (_identity(by_form[form]) for form in (Form.GKE,) if form in by_form)
    if Form.EMAIL in by_form:
        yield _of_email(by_form[Form.EMAIL].value, book)
    if subject is not None and (access.untargeted or mapped is None):
        yield from _of_subject(subject.value)
    if mapped is not None:
        yield _identity(mapped)
    if subject is not None:
        yield Identity(oidc=Oidc(_ISSUER, subject.value))


def _of_subject(subject: str) -> Iterator[Identity]:
    """Yield the identity of a subject whose form says whose it is."""
    if github.parse(subject):
        yield Identity(oidc=Oidc(github.ISSUER, subject))
    if _UUID.fullmatch(subject):
        yield Identity(azure_managed_identity=subject)


def _of_email(email: str, book: Book) -> Identity:
    """Return the identity of a Google account. A service account's unique id does not show: zeros stand for it."""
    if not principal.is_service_account(email):
        return Identity(google_user=email)
    ids = (Identity(google_service_account="0" * digits) for digits in range(21, 10, -1))
    free = next((identity for identity in ids if book.holder(identity) is None), None)
    return Identity(google_service_account=free.google_service_account if free else "0" * 10, email=email)


def _identity(claim: Claim, unique_id: str = "") -> Identity:
    """Return the identity that lists a claim; ``unique_id`` stands beside the form that it is of."""
    match claim.form:
        case Form.AWS_ROLE:
            beside = unique_id if re.fullmatch(r"AROA[A-Z0-9]+", unique_id) else None
            return Identity(aws_role=arn.role_arn(claim.value) or claim.value, unique_id=beside)
        case Form.IAM_USER:
            beside = unique_id if re.fullmatch(r"AIDA[A-Z0-9]+", unique_id) else None
            return Identity(iam_user=claim.value, unique_id=beside)
        case Form.OIDC:
            return Identity(oidc=Oidc(claim.issuer, claim.value))
        case Form.SAML:
            return Identity(saml=Saml(claim.issuer, claim.value))
        case Form.ROLES_ANYWHERE:
            return Identity(roles_anywhere=RolesAnywhere(claim.issuer, claim.value))
        case Form.POD_IDENTITY:
            namespace, _, account = claim.value.partition("/")
            return Identity(pod_identity=PodIdentity(claim.issuer, namespace, account))
        case _:
            only: dict[str, Any] = {claim.form.value: claim.value}
            return Identity(**only)
