"""What Google Cloud needs to refuse an access: a provider's attribute condition, or the bindings of an account.

https://cloud.google.com/iam/docs/workload-identity-federation#conditions
https://cloud.google.com/iam/docs/principal-identifiers
"""

from __future__ import annotations

import json
import re
from typing import Any

from callerid.access import Access, Kind
from callerid.gcp.claims import email_of
from callerid.judgement import Judgement
from callerid.names import glob, principal
from callerid.policy.book import Book
from callerid.policy.identity import without_path
from callerid.policy.model import Caller, Identity
from callerid.refusal.allowed import Allowed, Refusal, allowed, end_of, is_wide, is_workflow, spelled

_EXCHANGES = (Kind.TOKEN_EXCHANGE, Kind.WORKFORCE_SIGN_IN)
_PROJECT = re.compile(r"@([a-z0-9-]+)\.iam\.gserviceaccount\.com$")
_FEDERATED = "roles/iam.workloadIdentityUser"
_GOOGLES = "roles/iam.serviceAccountTokenCreator"
_NO_PULL_REQUEST = '(!{0}.matches(":pull_request(:|$)") || {0}.matches("^repo:[^:]*:environment:pull_request(:|$)"))'


def refusal(judgement: Judgement, code: str, book: Book) -> Refusal | None:
    """Return what would have refused an access that is a finding for the reason ``code``; None where nothing does."""
    access = judgement.access
    caller = book.caller(judgement.caller.name) if judgement.caller else None
    match code:
        case "caller-expired" | "time-missing":
            return _until(caller)
        case "audience-unexpected" | "origin-missing" | "principal-missing":
            return None
        case "service-account-key":
            return _no_keys(access)
    if access.kind in _EXCHANGES:
        return _condition(access, code, book)
    return _bindings(access, book)


def _until(caller: Caller | None) -> Refusal | None:
    """Return the first moment that is too late; without the sign ``<``, which a message shows as JSON would."""
    end = end_of(caller) if caller is not None else None
    if end is None:
        return None
    return Refusal("The condition of the caller's binding:", f"timestamp('{end}') > request.time")


def _no_keys(access: Access) -> Refusal | None:
    """Return what keeps the accounts of a project from having keys."""
    found = _PROJECT.search(access.target or "")
    if found is None:
        return None
    name = f"projects/{found[1]}/policies/iam.disableServiceAccountKeyCreation"
    return Refusal("Organisation policy (existing keys stay):", {"name": name, "spec": {"rules": [{"enforce": True}]}})


def _condition(access: Access, code: str, book: Book) -> Refusal | None:
    """Return the attribute condition of the provider: those alone whom the book lets through it."""
    terms = dict.fromkeys(filter(None, map(condition, allowed(access, book))))
    if not terms:
        return None
    text = " || ".join(terms)
    mapped = principal.parse(access.principal or "")
    if code == "mapped-principal-mismatch":
        if mapped is None or mapped.subject == access.subject:  # into another pool, which no condition sees
            return None
        text = f"google.subject == assertion.arn && ({text})"
    return Refusal("The attribute condition of the provider:", text)


def condition(one: Allowed, subject: str = "google.subject") -> str | None:
    """Return the condition that a token is a caller's, in each form of its subject; None where no token shows it."""
    terms = list(filter(None, (_term(each.identity, subject) for each in spelled(one))))
    if not terms:
        return None
    text = " || ".join(terms)
    return f"(({text}) && {_NO_PULL_REQUEST.format(subject)})" if is_wide(one.identity) else text


def _term(identity: Identity, subject: str) -> str | None:
    """Return the condition of one identity; of Azure's tokens Google logs the object id, not the subject."""
    if identity.azure_managed_identity:
        return compared("assertion.oid", identity.azure_managed_identity.lower())
    text = term(identity, subject)
    return _with_ids(text) if text and is_workflow(identity) else text


def _with_ids(text: str) -> str:
    """Return a condition in which an id that nobody pinned is an id, and no part of another repository's subject.

    Where the pattern ends in the repository (``repo:OWNER/*``), what ends it stands for all that follows the id too.
    """
    text = re.sub(r"(\^repo:[^/@:]+)@\.\*/", r"\1@[^/@:]+/", text)
    return re.sub(r"(\^repo:[^/@:]+(?:@\[\^/@:\]\+|@[^/@:]+)?/[^/@:]+)@\.\*(?!\$)", r"\1@[^/@:]+", text)


def term(identity: Identity, attribute: str = "google.subject") -> str | None:
    """Return the condition that a token is an identity's; None where a token can't show it.

    ``attribute`` is where the subject is found: in a mapping, which knows the assertion alone, in that.
    """
    if identity.aws_role:
        return compared("assertion.arn", sessions(identity.aws_role) + "*")
    if identity.iam_user:
        return compared("assertion.arn", identity.iam_user)
    if identity.aws_account:
        return compared("assertion.account", identity.aws_account)
    if identity.principal:
        found = principal.parse(identity.principal)
        return compared("google.subject", found.subject) if found else None
    subject = _subject(identity)
    return compared(attribute, subject) if subject else None


def _subject(identity: Identity) -> str | None:
    """Return the subject of an identity that has an issuer of its own."""
    if identity.oidc:
        return identity.oidc.subject
    return identity.saml.subject if identity.saml else identity.azure_managed_identity


def sessions(role: str) -> str:
    """Return what the ARN of every session of a role begins with; it leaves out the role's path."""
    account, name = without_path(role).split(":")[4], role.rpartition("/")[2]
    return f"{':'.join(role.split(':')[:2])}:sts::{account}:assumed-role/{name}/"


def compared(attribute: str, pattern: str) -> str:
    """Return a comparison in CEL, whose text is quoted as JSON's is."""
    body = pattern.removesuffix("*")
    if not glob.is_glob(pattern):
        return f"{attribute} == {_quoted(pattern)}"
    if not glob.is_glob(body):
        return f"{attribute}.startsWith({_quoted(body)})"
    return f"{attribute}.matches({_quoted(f'^{glob.expression(pattern)}$')})"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _bindings(access: Access, book: Book) -> Refusal | None:
    """Return the only bindings that let anybody at the target; a resource's role is not the book's to know."""
    listed = [each for one in allowed(access, book) for each in spelled(one)]
    if any(one.identity.aws_account and principal.pool_of(one.reach.provider) for one in listed):
        return None  # no member names a whole account, and without it these would not be all
    found = [(role_of(one.identity), member(one)) for one in listed]
    members = [(role, member) for role, member in found if member]
    named = {member for _, member in members}
    if not members or any(map(glob.is_glob, named)) or not named.isdisjoint(_hops(access)):
        return None
    if access.kind is Kind.DIRECT_USE:
        policy: list[dict[str, Any]] = [{"role": "ROLE", "members": sorted(named)}]
        return Refusal("The only members of every ROLE that is bound on the resource:", {"bindings": policy})
    roles = dict.fromkeys(role for role, _ in members)
    policy = [{"role": role, "members": sorted({one for of, one in members if of == role})} for role in roles]
    return Refusal("The only bindings on the service account that let anybody use it:", {"bindings": policy})


def _hops(access: Access) -> set[str]:
    """Return the accounts that a call came through: where one of them is let in, the stranger is behind it."""
    return {f"serviceAccount:{email_of(name)}" for name in (access.principal or "", *access.delegation)}


def role_of(identity: Identity) -> str:
    """Return the role that lets an identity use a service account."""
    return _GOOGLES if identity.google_service_account or identity.google_user else _FEDERATED


def member(one: Allowed) -> str | None:
    """Return how IAM names an identity, which no pattern can stand in; None where it never counts at Google."""
    identity, pool = one.identity, principal.pool_of(one.reach.provider)
    return _of_google(identity) or (_of_pool(identity, pool) if pool else None)


def _of_google(identity: Identity) -> str | None:
    if identity.email:
        return f"serviceAccount:{identity.email}"
    if identity.google_user:
        return f"user:{identity.google_user}"
    if identity.gke:
        return f"serviceAccount:{principal.gke_of(identity.gke) or identity.gke}"
    return principal.canonical(identity.principal) if identity.principal else None


def _of_pool(identity: Identity, pool: str) -> str | None:
    """Return an identity within a pool, under the mapping that Google proposes for its sort of provider."""
    place = f"iam.googleapis.com/{pool}"
    if identity.aws_role:
        return f"principalSet://{place}/attribute.aws_role/{sessions(identity.aws_role).removesuffix('/')}"
    subject = _subject(identity) or identity.iam_user
    return f"principal://{place}/subject/{subject}" if subject else None
