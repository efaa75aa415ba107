"""Amazon Resource Names of principals, as CloudTrail writes them and as Google's logs repeat them.

A role has two spellings: ``arn:aws:iam::ACCOUNT:role/PATH/NAME`` names the role,
``arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION`` a session of it, without the path. A role's name is
unique within its account whatever its path, so :class:`Role` compares by partition, account and name.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_PRINCIPAL = re.compile(r"arn:(aws[a-z-]*):(iam|sts)::(\d{12}):([a-z-]+)(?:/(.+))?", re.DOTALL | re.ASCII)


class Role(NamedTuple):
    """What makes a role the same role, in both spellings."""

    partition: str
    account: str
    name: str

    @property
    def arn(self) -> str:
        """Return the role's own ARN without its path, which a session's ARN does not show."""
        return f"arn:{self.partition}:iam::{self.account}:role/{self.name}"


class Principal(NamedTuple):
    """The parts of a principal's ARN; ``session`` is set for a role session alone."""

    partition: str
    account: str
    type: str
    """``role``, ``assumed-role``, ``user``, ``federated-user`` or ``root``."""
    name: str
    """The last segment of a user or role, without its path; ``root`` for the root user."""
    session: str | None


@lru_cache(maxsize=4096)
def parse(text: str) -> Principal | None:
    """Return the parts of ``text``, or None where it is no principal's ARN.

    >>> parse("arn:aws:sts::111111111111:assumed-role/deploy/run-7").session
    'run-7'
    """
    found = _PRINCIPAL.fullmatch(text)
    if found is None:
        return None
    partition, service, account, type_, rest = found.groups()
    if type_ == "root" and service == "iam" and rest is None:
        return Principal(partition, account, type_, "root", None)
    if rest is None:
        return None
    match service, type_:
        case "sts", "assumed-role":
            name, slash, session = rest.partition("/")
            return Principal(partition, account, type_, name, session) if slash and name and session else None
        case ("iam", "role" | "user") | ("sts", "federated-user"):
            name = rest.rsplit("/", 1)[-1]
            return Principal(partition, account, type_, name, None) if name else None
        case _:
            return None


def role_of(text: str | None) -> Role | None:
    """Return the role that a role's or a role session's ARN names, else None."""
    principal = parse(text) if text else None
    if principal is None or principal.type not in ("role", "assumed-role"):
        return None
    return Role(principal.partition, principal.account, principal.name)


def role_arn(text: str | None) -> str | None:
    """Return the role's own ARN for either spelling; the path of a session's role is not known."""
    role = role_of(text)
    if role is None or text is None or ":role/" in text:
        return text if role else None
    return role.arn


def account_of(text: str | None) -> str | None:
    """Return the account that a principal's ARN names, else None."""
    principal = parse(text) if text else None
    return principal.account if principal else None


_PARTITIONS = (
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("us-isof-", "aws-iso-f"),
    ("eu-isoe-", "aws-iso-e"),
    ("eusc-", "aws-eusc"),
)


def partition_of(region: str | None) -> str:
    """Return the partition that a region is of: ``aws`` for every one that is in no other."""
    return next((partition for start, partition in _PARTITIONS if (region or "").startswith(start)), "aws")


@lru_cache(maxsize=1024)
def issuer_of(provider: str | None) -> str:
    """Return an OIDC issuer as CloudTrail writes it, without scheme and trailing slash.

    An IAM provider's ARN ends in it, a built-in provider is the bare issuer; any other name is returned as it
    is. What follows the *first* ``:oidc-provider/`` counts: an issuer's own path may repeat it.
    """
    text = provider or ""
    return (text.partition(":oidc-provider/")[2] or text).removeprefix("https://").rstrip("/")


def is_identity_center(role: str | None) -> bool:
    """Tell a role that IAM Identity Center keeps, by the path that AWS reserves for them."""
    return role is not None and ":role/aws-reserved/sso.amazonaws.com/" in role
