"""The caller book, ready to be asked: who is this, is the target guarded, who is meant by this name.

Built once per policy; what it answers never changes afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeVar

from callerid.access import Access, Claim, Cloud, Form, Kind
from callerid.judgement import Owner, Severity
from callerid.names import arn, glob, principal
from callerid.policy import identity as identities
from callerid.policy.channels import takes
from callerid.policy.index import Index
from callerid.policy.model import Caller, ChannelRule, Document, Identity, Reach, Requirement

K = TypeVar("K")
V = TypeVar("V")
REMEMBERED = 8192
"""Answers that a book keeps of each kind: callers and targets repeat, matching patterns costs more."""
GOOGLE = principal.ISSUER


class Entry(NamedTuple):
    """A caller, by the one of its identities that matched."""

    caller: Caller
    identity: Identity

    @property
    def owner(self) -> Owner:
        """Return what a judgement names."""
        return Owner(self.caller.name, self.caller.owner)

    @property
    def names(self) -> frozenset[str]:
        """Return the names that ``equals: caller`` accepts: the caller's, and its identities' user names."""
        of_users = (identities.user_names(identity) for identity in self.caller.identities)
        return frozenset((self.caller.name, *(name for names in of_users for name in names)))


class Memory(dict[K, V]):
    """Answers already given. What a log can ask for is without bound and memory is not, so it begins anew."""

    def keep(self, key: K, value: V) -> None:
        """Keep an answer."""
        if len(self) >= REMEMBERED:
            self.clear()
        self[key] = value


class About(NamedTuple):
    """What the policy says of a target."""

    guarded: bool
    """Whether it stands in any ``may_reach``."""
    requirements: list[Requirement]
    """Those that name it and are not off."""


class Book:
    """A policy and its indexes, with the answers that were already given."""

    def __init__(self, document: Document, digest: str) -> None:
        self.digest = digest
        self.document = document
        self.accounts = frozenset(document.aws_accounts) if document.aws_accounts is not None else None
        self.expires = any(caller.expires for caller in document.callers)
        """Whether any entry expires, so that a judgement can depend on the day."""
        self._matched: Memory[Claim, list[Entry]] = Memory()
        self.weighed: Memory[tuple[object, ...], tuple[Entry | None, str | None]] = Memory()
        """What the judge found of a caller at a target; see :func:`callerid.judge.judge`."""
        self._targets: Memory[tuple[Cloud | None, bool, str | None], About] = Memory()
        self._entries: Index[Entry] = Index()
        self._guarded: Index[Caller] = Index()
        self._required: Index[Requirement] = Index()
        self._names: dict[str, list[Entry]] = {}
        self.keys: list[tuple[identities.Key, Entry]] = []
        """Every key of the book with its entry: what a closest entry is looked for in."""
        self._providers: set[str] = set()
        self._pools: set[str] = set()
        self._provider_patterns: set[str] = set()
        for caller in document.callers:
            self._add(caller)
        self._providers.discard("")
        self._provider_patterns = {provider for provider in self._providers if glob.is_glob(provider)}
        for requirement in filter(is_on, document.requirements):
            for role in requirement.roles:
                self._required.add(*_whole(("aws_role", identities.without_path(role))), requirement)
            for account in requirement.service_accounts:
                self._required.add("service_account", account, requirement)

    def _add(self, caller: Caller) -> None:
        for identity in caller.identities:
            entry = Entry(caller, identity)
            for key in identities.keys(identity):
                self._entries.add(f"{key.form} {key.issuer}", key.value, entry)
                self.keys.append((key, entry))
                self._providers.add(key.issuer)
            for name in {caller.name, *identities.user_names(identity)}:
                self._names.setdefault(name, []).append(entry)
            self._providers.update(_own_providers(identity))
        for reach in caller.may_reach:
            for target in _target(reach):
                self._guarded.add(*_whole(target), caller)
            if reach.provider:
                self._providers.add(reach.provider)
                self._pools.add(principal.pool_of(reach.provider) or "")

    def find(self, claims: Iterable[Claim], access: Access) -> list[Entry]:
        """Return the entries that a record's claims match, the strongest claim's first."""
        found: dict[int, Entry] = {}
        for claim in claims:
            for entry in self._matches(claim):
                if _counts(entry.caller, claim, access):
                    found.setdefault(id(entry.identity), entry)
        return list(found.values())

    def _matches(self, claim: Claim) -> list[Entry]:
        entries = self._matched.get(claim)
        if entries is None:
            keys = identities.lookups(claim)
            entries = [entry for key in keys for entry in self._entries.find(f"{key.form} {key.issuer}", key.value)]
            self._matched.keep(claim, entries)
        return entries

    def named(self, name: str | None) -> list[Entry]:
        """Return the entries whose caller, or whose user, has this name; users of two accounts may share one."""
        return self._names.get(name, []) if name else []

    def caller(self, name: str) -> Caller | None:
        """Return the caller of this name."""
        return next((entry.caller for entry in self.named(name) if entry.caller.name == name), None)

    def holder(self, identity: Identity) -> Caller | None:
        """Return the caller whose identity this is already, key for key: one identity is one caller."""
        for key in identities.keys(identity):
            if key.form is not Form.SUBJECT:
                for entry in self._entries.find(f"{key.form} {key.issuer}", key.value):
                    if key in identities.keys(entry.identity):
                        return entry.caller
        return None

    def callers_of(self, access: Access) -> list[Caller]:
        """Return the callers that may reach an access's target."""
        found = (caller for target in _asked(access) for caller in self._guarded.find(*_whole(target)))
        return list({id(caller): caller for caller in found}.values())

    def channel(self, owner: str | None, account: str | None, severity: Severity) -> ChannelRule | None:
        """Return where a finding goes; None leaves it to the default channel, where the policy names none.

        ``owner`` is that of the caller's entry, ``account`` the account or project whose log it is.
        """
        rules = self.document.channels or ()
        return next((rule for rule in rules if takes(rule, owner, account, severity)), None)

    def about(self, access: Access) -> About:
        """Return what the policy says of an access's target."""
        asked = (access.cloud, access.kind is Kind.DIRECT_USE, access.target)
        about = self._targets.get(asked)
        if about is None:
            targets = list(map(_whole, _asked(access)))
            required = [requirement for target in targets for requirement in self._required.find(*target)]
            about = About(
                any(self._guarded.find(*target) for target in targets),
                list({id(requirement): requirement for requirement in required}.values()),
            )
            self._targets.keep(asked, about)
        return about

    def knows_provider(self, access: Access) -> bool:
        """Tell whether any entry comes through an access's provider: at the exchange itself, later its pool."""
        names = {access.provider or "", *(claim.issuer for claim in access.claims)} - {""}
        issuer = arn.issuer_of(access.provider)
        pool = principal.pool_of(access.provider) or ""
        if not names or (pool and pool == access.provider and pool in self._pools):
            return True
        if any(glob.matches(pattern, access.provider or "") for pattern in self._provider_patterns):
            return True
        return not self._providers.isdisjoint({*names, issuer, pool, pool.rpartition("/")[2]})


def is_on(requirement: Requirement) -> bool:
    """Tell a requirement that asks for anything at all."""
    demands = (requirement.source_identity, requirement.session_name, requirement.role_claim, requirement.origin)
    return any(demand is not None and demand.mode != "off" for demand in demands)


def _counts(caller: Caller, claim: Claim, access: Access) -> bool:
    """Tell whether a claim counts for a caller, where the record does not show whose claim it is.

    Google's logs don't show a subject's issuer: it counts at the providers that the caller comes through.
    An AWS ARN says at least that it means to be AWS's, so for a caller with providers it names that caller,
    and the judge compares which provider it was.
    """
    if access.cloud is Cloud.AWS:
        return True
    match claim.form:
        case Form.SUBJECT | Form.AWS_ACCOUNT | Form.AZURE_MANAGED_IDENTITY:
            return comes_through(caller, access.provider)
        case Form.AWS_ROLE | Form.IAM_USER:
            return any(reach.provider for reach in caller.may_reach)
        case _:
            return True


def comes_through(caller: Caller, provider: str | None) -> bool:
    """Tell whether a caller reaches anything through a provider, or through the provider's pool."""
    return any(reach.provider and is_provider(reach.provider, provider) for reach in caller.may_reach)


def is_provider(listed: str, shown: str | None) -> bool:
    """Compare a listed provider with what a record shows: the provider at the exchange, its pool afterwards."""
    if shown is None:
        return False
    if glob.matches(listed, shown):
        return True
    pool = principal.pool_of(listed)
    return pool is not None and pool == principal.pool_of(shown) == shown


def is_target(reach: Reach, access: Access) -> bool:
    """Tell whether a reach names an access's target."""
    targets = _asked(access)
    return any(form == own and glob.matches(listed, value) for own, listed in _target(reach) for form, value in targets)


def _target(reach: Reach) -> list[tuple[str, str]]:
    """Return the one target of a reach, with its form."""
    if reach.aws_role:
        return [("aws_role", identities.without_path(reach.aws_role))]
    if reach.service_account:
        return [("service_account", reach.service_account)]
    return [("resource", reach.resource or "")]


def _asked(access: Access) -> list[tuple[str, str]]:
    """Return the forms in which the book may name an access's target."""
    target = access.target
    if target is None:
        return []
    if access.cloud is Cloud.AWS:
        role = [("aws_role", text) for text in dict.fromkeys((identities.without_path(target), target))]
        return role if arn.role_of(target) else [("resource", target)]
    if access.kind is Kind.DIRECT_USE:
        return [("resource", target)]
    return [("service_account", target)]


def _whole(target: tuple[str, str]) -> tuple[str, str]:
    """Return a target as it is guarded: of a role in small letters, for whoever asks for it may write it in any.

    An account has no two roles that differ in nothing else: what is listed is compared as it is written all the same.
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
    """
    form, value = target
    return (form, value.lower()) if form == "aws_role" else target


def _own_providers(identity: Identity) -> set[str]:
    """Return the providers that an identity names by itself: its pool, its cluster's pool, Google."""
    found = principal.parse(identity.principal) if identity.principal else None
    gke = (principal.gke_of(identity.gke) or "").partition("[")[0]
    return {found.pool if found else "", gke, GOOGLE if identity.google_service_account else ""}
