"""Those whom the caller book lists for a role, as they would come to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from callerid.drift.strangers import Providers, audiences
from callerid.drift.trust import Trust
from callerid.drift.visitors import STRANGER, Visitor, certificate, exemplars, person, pod, saml, web
from callerid.names import arn, glob
from callerid.policy.book import GOOGLE
from callerid.policy.identity import without_path
from callerid.policy.model import Identity
from callerid.refusal.allowed import Allowed, names_of, spelled
from callerid.refusal.trust import BUILT_IN


def listed(one: Allowed, role: str, trust: Trust, providers: Providers, now: datetime) -> Iterator[Visitor]:
    """Yield a caller's identity as it would come; of a pattern some who come under it. None that never comes to AWS."""
    identity, names = one.identity, names_of(one.caller)
    if identity.google_service_account or identity.oidc:
        yield from _tokens(one, role, trust, providers, now)
    elif identity.saml and identity.saml.provider in providers:
        for subject in _instances(identity.saml.subject, trust.values("saml:sub")):
            yield saml(identity.saml.provider, subject, role, trust=trust, now=now, names=names)
    elif identity.roles_anywhere:
        for name in _instances(identity.roles_anywhere.common_name, trust.values("aws:principaltag/x509subject/cn")):
            yield certificate(identity.roles_anywhere.trust_anchor, name, role, trust=trust, now=now, names=names)
    elif identity.pod_identity:
        found = identity.pod_identity
        tag = "aws:requesttag/kubernetes-"
        for namespace in _instances(found.namespace, trust.values(f"{tag}namespace")):
            for account in _instances(found.service_account, trust.values(f"{tag}service-account")):
                yield pod(found.cluster, namespace, account, role, trust=trust, now=now)
    else:
        yield from _persons(identity, role, trust, names, now)


def _tokens(one: Allowed, role: str, trust: Trust, providers: Providers, now: datetime) -> Iterator[Visitor]:
    identity, reach, names = one.identity, one.reach, names_of(one.caller)
    if identity.google_service_account:
        subject = identity.google_service_account
        taken = [reach.audience] if reach.audience else [subject]
        oauds = [reach.oaud] if reach.oaud else []
        made = web(GOOGLE, subject, role, audiences=taken, trust=trust, now=now, names=names, oauds=oauds)
        yield made._replace(free={**made.free, f"{GOOGLE}:oaud": (reach.oaud,)}) if reach.oaud else made
        return
    parts = role.split(":")
    for each in spelled(one):
        oidc = each.identity.oidc
        issuer = arn.issuer_of(oidc.issuer) if oidc else ""
        own = issuer if issuer in BUILT_IN else f"arn:{parts[1]}:iam::{parts[4]}:oidc-provider/{issuer}"
        provider = reach.provider or own
        if oidc is None or not (provider in providers or provider in BUILT_IN):
            continue
        known = audiences(provider, trust, providers)
        taken = (
            [name for name in [reach.audience] if name in known or provider in BUILT_IN] if reach.audience else known
        )
        for subject in _instances(oidc.subject, trust.values(f"{issuer}:sub".lower())) if taken else ():
            yield web(provider, subject, role, audiences=taken, trust=trust, now=now, names=names)


def _persons(identity: Identity, role: str, trust: Trust, names: list[str], now: datetime) -> Iterator[Visitor]:
    """Yield an AWS principal; of one that the policy names by a path or a session, which the book leaves out, each."""
    named = [name for form, name in trust.principals() if form == "AWS"]
    held = [*named, *exemplars(trust.values("aws:principalarn"))]
    pattern = identity.aws_role or identity.iam_user
    if identity.aws_account:
        place = f"arn:{role.split(':')[1]}:iam::{identity.aws_account}"
        own = [name for name in held if arn.account_of(name) == identity.aws_account and not glob.is_glob(name)]
        found = [*own, f"{place}:role/{STRANGER}", f"{place}:user/{STRANGER}"]
    elif pattern:
        found = _instances(pattern, held)
        exact = [name for name in held if not glob.is_glob(name)]
        found += [name for name in exact if without_path(arn.role_arn(name) or name) == without_path(pattern)]
    else:
        return
    for name in dict.fromkeys(found):
        made = person(name, role, trust=trust, now=now, unique_id=identity.unique_id, names=names)
        if made is not None:
            yield made


def _instances(listed_as: str, held: Iterable[str]) -> list[str]:
    """Return an exact value as it is; of a pattern, what comes under it and the policy's own values that do."""
    if not glob.is_glob(listed_as):
        return [listed_as]
    own = [value for value in exemplars(held) if glob.matches(listed_as, value)]
    return list(dict.fromkeys((*exemplars([listed_as]), *own)))
