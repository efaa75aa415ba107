"""What a well-shaped policy must still hold: forms that can match, patterns that don't match everybody."""

from __future__ import annotations

import re

from callerid.names import glob
from callerid.policy import strangers
from callerid.policy.channels import takes_all
from callerid.policy.identity import form_of, keys
from callerid.policy.model import (
    FORMS,
    TARGETS,
    Caller,
    ChannelRule,
    Demand,
    Document,
    Identity,
    Reach,
    Requirement,
)
from callerid.policy.shape import Shape

_ACCOUNT = re.compile(r"[0-9]{12}")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/.+")
_USER = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:user/.+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_FORMATS = {
    "google_service_account": (re.compile(r"[0-9]{10,25}"), "the unique id, digits alone (its address is `email`)"),
    "google_user": (_EMAIL, "an e-mail address"),
    "aws_role": (_ROLE, "arn:aws:iam::ACCOUNT:role/NAME, the account in digits"),
    "iam_user": (_USER, "arn:aws:iam::ACCOUNT:user/NAME, the account in digits"),
    "aws_account": (_ACCOUNT, "twelve digits"),
    "azure_managed_identity": (re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"), "a UUID"),
    "principal": (
        re.compile(r"principal://(iam\.googleapis\.com/.+/subject/.+|[a-z0-9.-]+\.system\.id\.goog/resources/.+)"),
        "principal://…/subject/…, or an agent's principal://….system.id.goog/resources/…",
    ),
    "gke": (
        re.compile(r"[^/\[\]]+\.(svc|hub)\.id\.goog\[[^/\[\]]+/[^/\[\]]+\]"),
        "PROJECT.svc.id.goog[NAMESPACE/ACCOUNT]",
    ),
    "email": (_EMAIL, "an e-mail address"),
    "unique_id": (re.compile(r"(AIDA|AROA)[A-Z0-9]+"), "AIDA… or AROA…"),
}  # fmt: skip
_SERVICE_ACCOUNT = re.compile(r"\S+@\S+|[0-9]{10,25}")
_PROVIDER = re.compile(
    r"(projects/[0-9]+/locations/global/workloadIdentityPools/[^/]+|locations/global/workforcePools/[^/]+)"
    r"(/providers/[^/]+)?"
)
"""A provider of Google Cloud as its logs spell it, or the pool where they show no more."""


def document(document: Document, shape: Shape) -> None:
    """Record every fault of a policy that has the right shape."""
    for account in document.aws_accounts or ():
        if not _ACCOUNT.fullmatch(account):
            shape.blame(document, f"aws_accounts: expected twelve digits, got {account!r}", "aws_accounts")
    owners: dict[tuple[str, ...], str] = {}
    names: set[str] = set()
    for caller in document.callers:
        if caller.name in names:
            shape.blame(caller, f"the name {caller.name!r} is another entry's already", "name")
        names.add(caller.name)
        _caller(caller, shape, owners)
    for requirement in document.requirements:
        _requirement(requirement, shape)
    if document.channels is not None:
        _channels(document, document.channels, shape)


def _caller(caller: Caller, shape: Shape, owners: dict[tuple[str, ...], str]) -> None:
    if not caller.identities:
        shape.blame(caller, f"{caller.name}: expected at least one identity", "identities")
    for reach in caller.may_reach:
        _reach(reach, shape)
    for identity in caller.identities:
        if not _has_one_form(identity, shape):
            continue
        _formats(identity, shape)
        strangers.refuse(caller, identity, shape)
        _issuer_shown(caller, identity, shape)
        for key in keys(identity):
            other = owners.setdefault(key, caller.name)
            if other != caller.name and key.form != "subject":
                shape.blame(identity, f"this identity is {other!r}'s already; one identity is one caller")


def _has_one_form(identity: Identity, shape: Shape) -> bool:
    given = [form for form in FORMS if getattr(identity, form) is not None]
    if len(given) != 1:
        got = " and ".join(given) or "none"
        shape.blame(identity, f"expected exactly one of {', '.join(FORMS)}; got {got}")
        return False
    if identity.email and given != ["google_service_account"]:
        shape.blame(identity, "email stands only beside google_service_account", "email")
    if identity.unique_id and given[0] not in ("aws_role", "iam_user"):
        shape.blame(identity, "unique_id stands only beside aws_role or iam_user", "unique_id")
    return True


def _formats(identity: Identity, shape: Shape) -> None:
    for name, (pattern, expected) in _FORMATS.items():
        value = getattr(identity, name)
        if value is not None and not pattern.fullmatch(value):
            shape.blame(identity, f"{name}: expected {expected}; got {value!r}", name)


def _issuer_shown(caller: Caller, identity: Identity, shape: Shape) -> None:
    """Refuse a subject that could never count: Google's logs don't show its issuer, the provider stands in."""
    if form_of(identity) not in ("oidc", "saml", "azure_managed_identity"):
        return
    google = [reach for reach in caller.may_reach if reach.service_account or reach.resource]
    if google and not any(reach.provider for reach in google):
        shape.blame(
            caller,
            f"{caller.name}: Google's logs don't show the issuer of a subject; give the `provider` of its may_reach",
            "may_reach",
        )


def _reach(reach: Reach, shape: Shape) -> None:
    given = [form for form in TARGETS if getattr(reach, form) is not None]
    if len(given) != 1:
        shape.blame(reach, f"expected exactly one of {', '.join(TARGETS)}; got {' and '.join(given) or 'none'}")
        return
    if reach.aws_role and not _ROLE.fullmatch(reach.aws_role):
        shape.blame(reach, f"aws_role: expected {_FORMATS['aws_role'][1]}; got {reach.aws_role!r}", "aws_role")
    if reach.service_account and not _SERVICE_ACCOUNT.fullmatch(reach.service_account):
        expected = "the account's e-mail address"
        shape.blame(reach, f"service_account: expected {expected}; got {reach.service_account!r}", "service_account")
    if reach.provider and glob.is_glob(reach.provider) and "/providers/" not in glob.literal_prefix(reach.provider):
        shape.blame(
            reach, "provider: a pattern can stand for the provider's own id alone, not for its pool", "provider"
        )
    elif reach.provider and _is_at_google(reach) and not _PROVIDER.fullmatch(reach.provider):
        pool = "projects/NUMBER/locations/global/workloadIdentityPools/POOL or locations/global/workforcePools/POOL"
        message = f"provider: expected {pool}, then /providers/PROVIDER, as Google's logs spell it"
        shape.blame(reach, f"{message}; got {reach.provider!r}", "provider")
    if reach.audience and glob.is_glob(reach.audience):
        shape.blame(reach, "audience: compared as it stands; a pattern can't stand here", "audience")
    if reach.oaud and not reach.aws_role:
        shape.blame(reach, "oaud stands only beside aws_role", "oaud")


def _is_at_google(reach: Reach) -> bool:
    return reach.aws_role is None and not (reach.resource or "").startswith("arn:")


def _requirement(requirement: Requirement, shape: Shape) -> None:
    if bool(requirement.roles) == bool(requirement.service_accounts):
        shape.blame(requirement, "expected exactly one of roles, service_accounts")
        return
    of_roles = (requirement.source_identity, requirement.session_name, requirement.role_claim)
    if requirement.roles and not any(of_roles):
        shape.blame(requirement, "expected source_identity, session_name or role_claim: what is required of the roles?")
    if requirement.service_accounts and not requirement.origin:
        shape.blame(requirement, "expected origin: what is required of the service accounts?")
    if (requirement.roles and requirement.origin) or (requirement.service_accounts and any(of_roles)):
        shape.blame(requirement, "origin goes with service_accounts; the other requirements go with roles")
    _named(requirement, shape)
    for demand in (requirement.source_identity, requirement.session_name):
        if demand is not None:
            _demand(demand, shape)


def _named(requirement: Requirement, shape: Shape) -> None:
    for role in requirement.roles:
        if not _ROLE.fullmatch(role):
            shape.blame(requirement, f"roles: expected {_FORMATS['aws_role'][1]}; got {role!r}", "roles")
    for account in requirement.service_accounts:
        if not _SERVICE_ACCOUNT.fullmatch(account):
            expected = "the account's e-mail address"
            shape.blame(requirement, f"service_accounts: expected {expected}; got {account!r}", "service_accounts")


def _demand(demand: Demand, shape: Shape) -> None:
    if demand.matches is None:
        return
    try:
        re.compile(demand.matches)
    except re.error as error:
        shape.blame(demand, f"matches: not a regular expression: {error}", "matches")


_CHANNEL = re.compile(r"[CG][A-Z0-9]{7,20}|#[^\sA-Z#@&<>|,.:]{1,80}")
_USER_GROUP = re.compile(r"S[A-Z0-9]{7,20}")
_LOG_OWNER = re.compile(r"[0-9]+|([a-z0-9.-]+:)?[a-z][a-z0-9-]*")
"""An AWS account, or a Google project by id or number; the ids of old ones have a domain before them."""


def _channels(document: Document, rules: tuple[ChannelRule, ...], shape: Shape) -> None:
    """Nothing may be left over: a finding that goes nowhere is one that nobody hears of."""
    for rule in rules:
        _channel(rule, shape)
    if not rules:
        shape.blame(document, "channels: expected at least one entry", "channels")
        return
    for rule in filter(takes_all, rules[:-1]):
        shape.blame(rule, f"{rule.channel} takes every finding, so no entry after it is reached")
    if not takes_all(rules[-1]):
        shape.blame(rules[-1], "the last entry must have no conditions: it takes what is left over")


def _channel(rule: ChannelRule, shape: Shape) -> None:
    if not _CHANNEL.fullmatch(rule.channel):
        expected = 'a channel\'s id (C…, G…) or its name ("#name", in lower case)'
        shape.blame(rule, f"channel: expected {expected}; got {rule.channel!r}", "channel")
    if rule.mention is not None and not _USER_GROUP.fullmatch(rule.mention):
        shape.blame(rule, f"mention: expected a user group's id (S…); got {rule.mention!r}", "mention")
    for name, values in (("owners", rule.owners), ("accounts", rule.accounts)):
        if values == ():
            shape.blame(rule, f"{name}: expected at least one; leave it out where it is no condition", name)
    for account in rule.accounts or ():
        if not _LOG_OWNER.fullmatch(account):
            shape.blame(rule, f"accounts: expected an AWS account or a Google project; got {account!r}", "accounts")
