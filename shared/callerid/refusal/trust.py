"""A role's trust policy that lets in whom the caller book lists, one statement for each way in.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html
https://docs.aws.amazon.com/rolesanywhere/latest/userguide/trust-model.html
https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from msgspec.structs import replace

from callerid.aws.record import POD_IDENTITY, ROLES_ANYWHERE
from callerid.names import arn, glob
from callerid.policy.book import GOOGLE
from callerid.policy.model import Identity, Reach
from callerid.refusal.allowed import Allowed, one_or_many

Statement = dict[str, Any]

_SIGN_IN = {
    "aws": "https://signin.aws.amazon.com/saml",
    "aws-cn": "https://signin.amazonaws.cn/saml",
    "aws-us-gov": "https://signin.amazonaws-us-gov.com/saml",
}
"""The endpoint that a SAML response is sent to, which is its audience, by partition.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_saml_assertions.html
"""
BUILT_IN = (GOOGLE, "cognito-identity.amazonaws.com", "graph.facebook.com", "www.amazon.com")
"""Issuers that AWS knows by themselves, without a provider of the account's own."""


def statements(found: list[Allowed], target: str | None) -> list[Statement]:
    """Return the statements for those who may reach a role; none where the target is no role."""
    role = arn.parse(target or "")
    if role is None or role.type != "role":
        return []
    ways: dict[Way, list[Allowed]] = {}
    for one in found:
        ways.setdefault(_way(one), []).append(one)
    return [made for way, allowed in ways.items() for made in _statements(way, allowed, role)]


class Way(NamedTuple):
    """Through what and on what terms callers come in, who share a statement."""

    kind: str
    name: str = ""
    """The issuer, provider, trust anchor or cluster."""
    reach: Reach = Reach()


def _way(one: Allowed) -> Way:
    identity = one.identity
    if identity.google_service_account:
        return Way("google", GOOGLE, replace(one.reach, audience=None))
    if identity.oidc:
        return Way("oidc", arn.issuer_of(identity.oidc.issuer), one.reach)
    if identity.saml:
        return Way("saml", identity.saml.provider, Reach(audience=one.reach.audience))
    if identity.roles_anywhere:
        return Way("certificate", identity.roles_anywhere.trust_anchor)
    if identity.pod_identity:
        return Way("pod", f"{identity.pod_identity.cluster} {identity.pod_identity.namespace}")
    return Way("aws")


def _statements(way: Way, found: list[Allowed], role: arn.Principal) -> Iterator[Statement]:
    match way.kind:
        case "oidc" | "google":
            yield _oidc(way.name, way.reach, found, role)
        case "saml":
            names = [one.identity.saml.subject for one in found if one.identity.saml]
            audiences = [way.reach.audience] if way.reach.audience else _endpoints(role.partition)
            condition = _joined(_strings("SAML:aud", audiences), _strings("SAML:sub", names))
            yield _allow({"Federated": way.name}, "sts:AssumeRoleWithSAML", condition)
        case "certificate":
            names = [one.identity.roles_anywhere.common_name for one in found if one.identity.roles_anywhere]
            condition = _strings("aws:PrincipalTag/x509Subject/CN", names)
            actions = ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"]
            anchor = {"ArnEquals": {"aws:SourceArn": way.name}}
            yield _allow({"Service": ROLES_ANYWHERE}, actions, _joined(condition, anchor))
        case "pod":
            yield _pods(found)
        case _:
            yield from _principals(found, role)


def _endpoints(partition: str) -> list[str]:
    """Return the audience where the book lists none: any endpoint, a region's too, and that of encrypted responses."""
    one = _SIGN_IN.get(partition)
    return [f"{one}*", one.replace("signin.", "*.signin.") + "*"] if one else []


def _oidc(issuer: str, reach: Reach, found: list[Allowed], role: arn.Principal) -> Statement:
    """Return the statement of an issuer. Google's audience of a service account's token is its own id."""
    ids = [one.identity.google_service_account for one in found if one.identity.google_service_account]
    subjects = [one.identity.oidc.subject for one in found if one.identity.oidc]
    condition = _strings(f"{issuer}:sub", ids + subjects)
    for key, values in (("aud", [reach.audience] if reach.audience else ids), ("oaud", [reach.oaud])):
        condition = _joined(_strings(f"{issuer}:{key}", [value for value in values if value]), condition)
    own = issuer if issuer in BUILT_IN else f"arn:{role.partition}:iam::{role.account}:oidc-provider/{issuer}"
    return _allow({"Federated": reach.provider or own}, "sts:AssumeRoleWithWebIdentity", condition)


def _pods(found: list[Allowed]) -> Statement:
    pods = [one.identity.pod_identity for one in found if one.identity.pod_identity]
    cluster, tag = pods[0].cluster, "aws:RequestTag/"
    key = "eks-cluster-arn" if cluster.startswith("arn:") else "eks-cluster-name"
    condition = _joined(
        {"StringEquals": {f"{tag}{key}": cluster}}, _strings(f"{tag}kubernetes-namespace", [pods[0].namespace])
    )
    condition = _joined(condition, _strings(f"{tag}kubernetes-service-account", [pod.service_account for pod in pods]))
    return _allow({"Service": POD_IDENTITY}, ["sts:AssumeRole", "sts:TagSession"], condition)


def _principals(found: list[Allowed], role: arn.Principal) -> Iterator[Statement]:
    """Yield the statement of AWS's own principals. A pattern can't stand in Principal: its account does, narrowed."""
    names = [name for one in found for name in arns(one.identity, role.partition)]
    if not names:
        return
    if not any(map(glob.is_glob, names)):
        yield _allow({"AWS": one_or_many(names)}, "sts:AssumeRole", {})
        return
    accounts = [":".join((*name.split(":")[:5], "root")) for name in names]
    condition = {"ArnLike": {"aws:PrincipalArn": one_or_many(within(names))}}
    yield _allow({"AWS": one_or_many(accounts)}, "sts:AssumeRole", condition)


def arns(identity: Identity, partition: str) -> list[str]:
    """Return the ARN by which IAM names an AWS identity; none for any other."""
    account = f"arn:{partition}:iam::{identity.aws_account}:root" if identity.aws_account else None
    return [name for name in (identity.aws_role, identity.iam_user, account) if name]


def within(names: list[str]) -> list[str]:
    """Return ARNs as patterns for who acts: an account's root stands for everybody in it in ``Principal`` alone."""
    return [f"{name.removesuffix('root')}*" if name.endswith(":root") else name for name in names]


def _allow(principal: dict[str, Any], action: str | list[str], condition: dict[str, Any]) -> Statement:
    statement = {"Effect": "Allow", "Principal": principal, "Action": action}
    return {**statement, "Condition": condition} if condition else statement


def _strings(key: str, values: list[str]) -> dict[str, Any]:
    """Return the condition that a key is one of some values, none for no values; StringLike has the book's patterns."""
    if not values:
        return {}
    operator = "StringLike" if any(map(glob.is_glob, values)) else "StringEquals"
    return {operator: {key: one_or_many(values)}}


def _joined(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return both conditions: AWS asks for every key of every operator."""
    operators = [*one, *(operator for operator in other if operator not in one)]
    return {operator: {**one.get(operator, {}), **other.get(operator, {})} for operator in operators}
