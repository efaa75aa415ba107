"""Which names are one workload: what a record shows together belongs together.

A role is one workload whatever its sessions are called. A service account's unique id and its address, a
subject of GitHub's in its two forms, a subject before and after its mapping are one, each because a record
shows both. Where one mapped principal stands for several subjects, it proves nothing and is a caller of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from callerid.access import Access, Claim, Cloud, Form
from callerid.names import github, principal
from callerid.policy.identity import Key, lookups
from callerid.reasons import REASONS
from callerid.suggest.sight import Seen

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ENTRA = re.compile(r"sts\.windows\.net/|login\.microsoftonline\.com/")
"""Issuers of Microsoft Entra, whose object ids are unique all over."""


class Workloads:
    """Sets of names, each set one caller's."""

    def __init__(self, seen: Seen) -> None:
        self._parents: dict[Key, Key] = {}
        self.spellings: dict[Key, set[str]] = {}
        """How the records write a name, by its key."""
        self.accounts: dict[Key, set[str]] = {}
        """The AWS accounts that a unique id was seen with."""
        accesses = [part for sight in seen.sights for part in sight.parts]
        self._shared = _shared(accesses) | _ambiguous(accesses)
        for access in accesses:
            names = self.names(access)
            for apart in [names] if is_plain(access) else [[name] for name in names]:
                self._join(apart)
        for email, unique_id in sorted(seen.same):
            self._join([Key(Form.EMAIL, email), Key(Form.GOOGLE_SERVICE_ACCOUNT, unique_id)])
        self._members: dict[Key, list[Key]] = {}
        for key in sorted(self._parents):
            self._members.setdefault(self._root(key), []).append(key)

    def names(self, access: Access) -> list[Key]:
        """Return the names that an access gives its caller, the strongest first; none where it names nobody."""
        found = list(_named(access.claims, access))
        raw = _raw(access)
        if raw is not None:
            apart = {raw, *self._shared}
            found = [raw, *(key for key in found if key not in apart and key.form is not Form.SUBJECT)]
        if len(found) > 1:
            found = [key for key in found if key.form is not Form.UNIQUE_ID or key not in self._shared]
        for key, text in _spelled(access, found):
            self.spellings.setdefault(key, set()).add(text)
        accounts = {claim.value for claim in access.claims if claim.form is Form.AWS_ACCOUNT}
        for key in found:
            if key.form is Form.UNIQUE_ID:
                self.accounts.setdefault(key, set()).update(accounts)
        return found

    def of(self, access: Access) -> Key | None:
        """Return what stands for the caller of an access: the same for each of its names."""
        found = self.names(access)
        return self._root(found[0]) if found else None

    def members(self, workload: Key) -> list[Key]:
        """Return all names of a workload."""
        return self._members[workload]

    def _root(self, key: Key) -> Key:
        while self._parents[key] != key:
            self._parents[key] = self._parents[self._parents[key]]
            key = self._parents[key]
        return key

    def _join(self, keys: list[Key]) -> None:
        for key in keys:
            self._parents.setdefault(key, key)
        for key in keys[1:]:
            one, other = sorted((self._root(keys[0]), self._root(key)))
            self._parents[other] = one


def is_plain(access: Access) -> bool:
    """Tell an access whose record says by itself neither that it names nobody nor that it contradicts itself."""
    return all(REASONS[code].verdict is None for code in access.findings)


def _shared(accesses: Iterable[Access]) -> set[Key]:
    """Return the mapped principals that stand for several subjects."""
    raws: dict[Key, set[Key]] = {}
    for access in accesses:
        raw = _raw(access)
        for key in _named(access.claims, access) if raw else ():
            if key.form is Form.PRINCIPAL and raw is not None:
                raws.setdefault(key, set()).add(raw)
    return {key for key, several in raws.items() if len(several) > 1}


def _ambiguous(accesses: Iterable[Access]) -> set[Key]:
    """Return the ids that were seen with several roles: AWS gives each its own, so such a one proves nothing."""
    roles: dict[Key, set[Key]] = {}
    for access in accesses:
        found = list(_named(access.claims, access))
        for key in (one for one in found if one.form is Form.UNIQUE_ID):
            roles.setdefault(key, set()).update(one for one in found if one.form is Form.AWS_ROLE)
    return {key for key, several in roles.items() if len(several) > 1}


def _raw(access: Access) -> Key | None:
    """Return the subject that was exchanged, where its form says whose it is; Google does not log its issuer."""
    if access.cloud is not Cloud.GCP or not access.untargeted or not access.subject:
        return None
    subject = github.parse(access.subject)
    if subject is not None:
        return Key(Form.OIDC, subject.name, github.ISSUER)
    if _UUID.fullmatch(access.subject):
        return Key(Form.AZURE_MANAGED_IDENTITY, access.subject.lower())
    return next((key for key in _named(access.claims, access) if key.form in (Form.AWS_ROLE, Form.IAM_USER)), None)


def _named(claims: tuple[Claim, ...], access: Access) -> Iterable[Key]:
    """Yield the names in claims, each in the one spelling by which a book would find it."""
    of_aws = any(claim.form in (Form.AWS_ROLE, Form.IAM_USER) for claim in claims)
    for claim in claims:
        match claim.form:
            case Form.AWS_ACCOUNT:
                continue
            case Form.SUBJECT:
                if access.untargeted and len(claims) == 1:
                    yield Key(Form.SUBJECT, claim.value, access.provider or "")
            case Form.PRINCIPAL if of_aws and _is_default(claim, claims):
                continue
            case Form.OIDC if _ENTRA.match(claim.issuer) and _UUID.fullmatch(claim.value):
                yield next(iter(lookups(claim)))
                yield Key(Form.AZURE_MANAGED_IDENTITY, claim.value.lower())
            case _:
                yield next(iter(lookups(claim)))


def _is_default(claim: Claim, claims: tuple[Claim, ...]) -> bool:
    """Tell a principal whose subject is the ARN that names the caller anyway."""
    found = principal.parse(claim.value)
    return found is not None and any(found.subject == other.value for other in claims if other is not claim)


def _spelled(access: Access, keys: list[Key]) -> Iterable[tuple[Key, str]]:
    for claim in access.claims:
        if claim.form is Form.SUBJECT and access.untargeted and access.subject and _raw(access) in keys:
            raw = _raw(access)
            if raw is not None and raw.form in (Form.OIDC, Form.AZURE_MANAGED_IDENTITY):
                yield raw, access.subject
        elif claim.form is not Form.SUBJECT and claim.form is not Form.AWS_ACCOUNT:
            yield next(iter(lookups(claim))), claim.value
