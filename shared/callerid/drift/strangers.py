"""Those whom a trust policy could let in, made up from the policy itself: whatever it lets in comes under its values.

The narrowest test of a pattern is a text that comes under it. So each value of the policy becomes somebody, and beside
them stand others of the same issuer, provider and account.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import product

from callerid.aws.record import POD_IDENTITY, ROLES_ANYWHERE
from callerid.drift.trust import Trust
from callerid.drift.visitors import (
    STRANGER,
    Visitor,
    certificate,
    exemplars,
    person,
    pod,
    saml,
    web,
)  # fmt: skip
from callerid.names import arn, github
from callerid.policy.book import GOOGLE
from callerid.refusal.trust import BUILT_IN

_NOBODYS = "999999999999"
_NOT_GOOGLES = "999999999999999999999"
_ORGANISATION = ("aws:principalorgid", "aws:principalorgpaths")
_POD_TAGS = ("eks-cluster-arn", "kubernetes-namespace", "kubernetes-service-account")

Providers = Mapping[str, tuple[str, ...]]
"""The providers of an account by ARN, with the audiences that each takes; none of a SAML provider."""


def strangers(role: str, trust: Trust, providers: Providers, now: datetime) -> Iterator[Visitor]:
    """Yield who could come to a role, each whom its policy could let in and those beside."""
    for form, name in trust.principals():
        if name == "*":
            yield from _anybody(role, trust, now)
        if form == "*" or (form, name) == ("Federated", "*"):
            for provider in (*providers, *BUILT_IN):
                yield from _federated(provider, role, trust, providers, now)
        elif form == "Federated":
            yield from _federated(name, role, trust, providers, now)
        elif form == "AWS":
            yield from _named(name, role, trust, now)
        elif name == POD_IDENTITY:
            yield from _pods(role, trust, now)
        elif name == ROLES_ANYWHERE:
            yield from _certificates(role, trust, now)


def audiences(provider: str, trust: Trust, providers: Providers) -> list[str]:
    """Return the audiences that a token of a provider can have; Google's and the like take any."""
    asked = exemplars(trust.values(f"{arn.issuer_of(provider)}:aud".lower()))
    if provider in BUILT_IN:
        return [*asked, STRANGER]
    return list(providers.get(provider, ()))


def _federated(provider: str, role: str, trust: Trust, providers: Providers, now: datetime) -> Iterator[Visitor]:
    if provider not in providers and provider not in BUILT_IN:
        return  # it does not exist, so nobody has a token that it vouches for
    if ":saml-provider/" in provider:
        for subject in (*exemplars(trust.values("saml:sub")), f"{STRANGER}@example.com"):
            yield saml(provider, subject, role, trust=trust, now=now)
        return
    issuer = arn.issuer_of(provider)
    for subject in dict.fromkeys((*exemplars(trust.values(f"{issuer}:sub".lower())), _subject(issuer))):
        taken = audiences(provider, trust, providers)
        own = [subject, *taken] if issuer == GOOGLE else taken
        visitor = web(provider, subject, role, audiences=own, trust=trust, now=now)
        yield visitor._replace(free={**visitor.free, **_claims(issuer, visitor, trust)})


def _claims(issuer: str, visitor: Visitor, trust: Trust) -> dict[str, tuple[str | None, ...]]:
    """Return the other claims of an issuer that a policy asks for: somebody has each value that it names."""
    own = [key for key in sorted(trust.keys()) if key.startswith(f"{issuer.lower()}:")]
    missing = [key for key in own if key not in visitor.known and key not in visitor.free]
    return {key: (None, *exemplars(trust.values(key))) for key in missing}


def _subject(issuer: str) -> str:
    if github.is_issuer(issuer):
        return f"repo:{STRANGER}/repository:ref:refs/heads/main"
    return _NOT_GOOGLES if issuer == GOOGLE else STRANGER


def _anybody(role: str, trust: Trust, now: datetime) -> Iterator[Visitor]:
    yield from _within("*", _NOBODYS, role, trust, now)
    for account in exemplars(trust.values("aws:principalaccount")):
        yield from _within("*", account, role, trust, now)
    yield from _conditioned("*", role, trust, now)


def _named(name: str, role: str, trust: Trust, now: datetime) -> Iterator[Visitor]:
    """Yield whom an AWS principal stands for; an id stands for somebody who is no more."""
    found = arn.parse(name)
    account = name if name.isdigit() else found.account if found and found.type == "root" else None
    if account is not None:
        yield from _within(name, account, role, trust, now)
        yield from _conditioned(name, role, trust, now)
        return
    made = person(name, role, trust=trust, now=now, via=name, others=_organisation(trust))
    if made is not None:
        yield made


def _within(via: str, account: str, role: str, trust: Trust, now: datetime) -> Iterator[Visitor]:
    partition = role.split(":")[1]
    for rest in (f"role/{STRANGER}", f"user/{STRANGER}"):
        name = f"arn:{partition}:iam::{account}:{rest}"
        made = person(name, role, trust=trust, now=now, via=via, others=_organisation(trust))
        if made is not None:
            yield made


def _conditioned(via: str, role: str, trust: Trust, now: datetime) -> Iterator[Visitor]:
    """Yield those whom ``aws:PrincipalArn`` is compared with."""
    for name in exemplars(trust.values("aws:principalarn")):
        made = person(name, role, trust=trust, now=now, via=via, others=_organisation(trust))
        if made is not None:
            yield made


def _organisation(trust: Trust) -> dict[str, tuple[str, ...]]:
    """Return the organisation that a policy asks for: its other accounts are somebody."""
    found = {key: exemplars(trust.values(key)) for key in _ORGANISATION}
    return {key: tuple(values[:1]) for key, values in found.items() if values}


def _pods(role: str, trust: Trust, now: datetime) -> Iterator[Visitor]:
    asked = [exemplars(trust.values(f"aws:requesttag/{tag}")) for tag in _POD_TAGS]
    clusters = [*asked[0], *exemplars(trust.values("aws:requesttag/eks-cluster-name")), STRANGER]
    for cluster, namespace, account in product(clusters, [*asked[1], STRANGER], [*asked[2], STRANGER]):
        yield pod(cluster, namespace, account, role, trust=trust, now=now)


def _certificates(role: str, trust: Trust, now: datetime) -> Iterator[Visitor]:
    account, partition = arn.account_of(role) or "", role.split(":")[1]
    other = f"arn:{partition}:rolesanywhere:us-east-1:{account}:trust-anchor/{STRANGER}"
    anchors = dict.fromkeys((*exemplars(trust.values("aws:sourcearn")), other))
    names = (*exemplars(trust.values("aws:principaltag/x509subject/cn")), STRANGER)
    for anchor, name in product(anchors, dict.fromkeys(names)):
        yield certificate(anchor, name, role, trust=trust, now=now)
