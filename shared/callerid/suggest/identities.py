"""The identities under which a book lists a workload: exact ones, each as the records write it."""

from __future__ import annotations

from typing import Any

from callerid.access import Form
from callerid.names import arn, github, principal
from callerid.policy.book import GOOGLE
from callerid.policy.identity import Key, keys
from callerid.policy.model import Identity, Oidc, PodIdentity, RolesAnywhere, Saml
from callerid.suggest.sight import Seen
from callerid.suggest.workload import Workloads

_ISSUER = "TODO.example.com"
"""Stands for an issuer that Google's logs don't show."""
_DIGITS = 21
"""Of a service account's unique id; the real ones begin with 1, those that stand for one with 0."""


class Identities:
    """Makes each workload's identities, once."""

    def __init__(self, workloads: Workloads, seen: Seen) -> None:
        self._workloads = workloads
        self._known: dict[Key, list[Identity]] = {}
        self._placeholders = 0
        self._pools = _pools(workloads, seen)

    def of(self, workload: Key) -> list[Identity]:
        """Return a workload's identities: its own names before those of others for it."""
        found = self._known.get(workload)
        if found is None:
            members = self._workloads.members(workload)
            made = [
                identity
                for key in members
                for identity in self._identities(key, members, workload)
                if _is_found(identity, key)
            ]
            found = self._known[workload] = list(dict.fromkeys(made))
        return found

    def _identities(self, key: Key, members: list[Key], workload: Key) -> list[Identity]:
        match key.form:
            case Form.GOOGLE_SERVICE_ACCOUNT:
                emails = [one.value for one in members if one.form is Form.EMAIL]
                return [Identity(google_service_account=key.value, email=emails[0] if len(emails) == 1 else None)]
            case Form.EMAIL:
                return self._of_email(key, members)
            case Form.AWS_ROLE | Form.IAM_USER:
                return self._of_aws(key, members)
            case Form.UNIQUE_ID:
                return self._of_id(key, members)
            case Form.OIDC if Key(Form.GOOGLE_SERVICE_ACCOUNT, key.value) in members and key.issuer == GOOGLE:
                return []
            case Form.OIDC:
                return [Identity(oidc=Oidc(key.issuer, subject)) for subject in self._subjects(key)]
            case Form.PRINCIPAL:
                return [] if self._is_covered(key, members, workload) else [Identity(principal=key.value)]
            case _:
                return [_plain(key)]

    def _of_email(self, key: Key, members: list[Key]) -> list[Identity]:
        """Return a person's identity, or that of a service account whose unique id no record shows."""
        if not principal.is_service_account(key.value):
            return [Identity(google_user=key.value)]
        if any(one.form is Form.GOOGLE_SERVICE_ACCOUNT for one in members):
            emails = [one for one in members if one.form is Form.EMAIL]
            if len(emails) == 1:
                return []
        self._placeholders += 1
        return [Identity(google_service_account=f"{self._placeholders - 1:0{_DIGITS}d}", email=key.value)]

    def _of_aws(self, key: Key, members: list[Key]) -> list[Identity]:
        """Return a role's or user's identity, one for each id that it had: a new one of the same name has another."""
        form, prefix = ("aws_role", "AROA") if key.form is Form.AWS_ROLE else ("iam_user", "AIDA")
        spelled = {arn.role_arn(text) or text for text in self._workloads.spellings.get(key, {key.value})}
        name = max(spelled, key=lambda text: (text.count("/"), text))
        is_first = key == next(one for one in members if one.form is key.form)
        ids = [one.value for one in members if one.form is Form.UNIQUE_ID and one.value.startswith(prefix)]
        named: dict[str, Any] = {form: name}
        return [Identity(**named, unique_id=unique_id) for unique_id in (ids if is_first and ids else [None])]

    def _of_id(self, key: Key, members: list[Key]) -> list[Identity]:
        """Return the identity of an id whose name no record shows; where one does, that is the identity."""
        form, word = ("iam_user", "user") if key.value.startswith("AIDA") else ("aws_role", "role")
        if any(one.form.value == form for one in members):
            return []
        accounts = sorted(self._workloads.accounts.get(key, ()))
        names: list[dict[str, Any]] = [
            {form: f"arn:aws:iam::{account}:{word}/TODO-{key.value}"} for account in accounts[:1]
        ]
        return [Identity(**name, unique_id=key.value) for name in names]

    def _subjects(self, key: Key) -> list[str]:
        """Return a subject as it was seen; of a workflow's the form with ids, which covers the one without."""
        spelled = self._workloads.spellings.get(key) or {key.value}
        if not github.is_issuer(key.issuer):
            return sorted(spelled)
        pinned = {text for text in spelled if (found := github.parse(text)) and any(found.ids)}
        return sorted(pinned or spelled)

    def _is_covered(self, key: Key, members: list[Key], workload: Key) -> bool:
        """Tell a principal that is a listed subject in the pool of a provider through which the workload comes."""
        found = principal.parse(key.value)
        if found is None or (workload, found.pool) not in self._pools:
            return False
        subject = github.parse(found.subject)
        names = {found.subject, found.subject.lower(), subject.name if subject else ""}
        return any(one.form in (Form.OIDC, Form.AZURE_MANAGED_IDENTITY) and one.value in names for one in members)


def _is_found(identity: Identity, key: Key) -> bool:
    """Tell whether the book would find an identity under the name that it is for: a rogue name can imitate another."""
    issuers = ("", key.issuer) if key.form is Form.SUBJECT else (key.issuer,)
    return any(own[:2] == key[:2] and own.issuer in issuers for own in keys(identity))


def _pools(workloads: Workloads, seen: Seen) -> set[tuple[Key, str]]:
    """Return in which pools each workload is known by its provider."""
    found: set[tuple[Key, str]] = set()
    for sight in seen.sights:
        pool = principal.pool_of(sight.access.provider)
        workload = workloads.of(sight.access)
        if pool and workload and sight.access.untargeted and "/providers/" in (sight.access.provider or ""):
            found.add((workload, pool))
    return found


def _plain(key: Key) -> Identity:
    match key.form:
        case Form.SAML:
            return Identity(saml=Saml(key.issuer, key.value))
        case Form.ROLES_ANYWHERE:
            return Identity(roles_anywhere=RolesAnywhere(key.issuer, key.value))
        case Form.POD_IDENTITY:
            namespace, _, account = key.value.partition("/")
            return Identity(pod_identity=PodIdentity(key.issuer, namespace, account))
        case Form.SUBJECT:
            return Identity(oidc=Oidc(_ISSUER, key.value))
        case Form.GKE:
            return Identity(gke=key.value)
        case _:
            return Identity(azure_managed_identity=key.value)
