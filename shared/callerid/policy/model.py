"""The policy's shape: what ``schema.json`` describes and :mod:`callerid.policy.load` reads.

Every field is text as the file has it. A value with ``*`` or ``?`` is a pattern; everything else is exact.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from msgspec import Struct

Mode = Literal["off", "warn", "enforce"]
Level = Literal["informational", "low", "medium", "high", "critical"]
"""The words of :class:`callerid.judgement.Severity`, as a policy writes them."""


class Oidc(Struct, frozen=True):
    """A subject of an OpenID Connect issuer; the issuer without ``https://``."""

    issuer: str
    subject: str


class Saml(Struct, frozen=True):
    """A NameID of a SAML provider: the provider's ARN, or its resource name on Google Cloud."""

    provider: str
    subject: str


class RolesAnywhere(Struct, frozen=True):
    """A certificate's common name under a trust anchor's ARN."""

    trust_anchor: str
    common_name: str


class PodIdentity(Struct, frozen=True):
    """A Kubernetes service account of an EKS cluster, which is given by its ARN or its name."""

    cluster: str
    namespace: str
    service_account: str


class Identity(Struct, frozen=True):
    """One way in which a caller shows up in a log: one form, and an id beside it where the form has one."""

    google_service_account: str | None = None
    google_user: str | None = None
    aws_role: str | None = None
    iam_user: str | None = None
    aws_account: str | None = None
    oidc: Oidc | None = None
    saml: Saml | None = None
    azure_managed_identity: str | None = None
    principal: str | None = None
    gke: str | None = None
    roles_anywhere: RolesAnywhere | None = None
    pod_identity: PodIdentity | None = None
    email: str | None = None
    unique_id: str | None = None


FORMS = Identity.__struct_fields__[:-2]
"""The names of the identity forms; of each identity exactly one is set."""


class Reach(Struct, frozen=True):
    """A target that a caller may reach, and how."""

    aws_role: str | None = None
    service_account: str | None = None
    resource: str | None = None
    provider: str | None = None
    audience: str | None = None
    oaud: str | None = None


TARGETS = Reach.__struct_fields__[:3]
"""The names of the target forms; of each reach exactly one is set."""


class Caller(Struct, frozen=True):
    """A workload or person with a name and an owner."""

    name: str
    owner: str
    identities: tuple[Identity, ...]
    expires: date | None = None
    """The last day, by the record's time in UTC."""
    may_reach: tuple[Reach, ...] = ()


class Demand(Struct, frozen=True):
    """What a source identity or a session name must be: present, and as said."""

    mode: Mode
    equals: Literal["caller"] | None = None
    matches: str | None = None


class Presence(Struct, frozen=True):
    """That something must be there."""

    mode: Mode


class Requirement(Struct, frozen=True):
    """What is required of every access to the roles or service accounts that it names."""

    roles: tuple[str, ...] = ()
    service_accounts: tuple[str, ...] = ()
    source_identity: Demand | None = None
    session_name: Demand | None = None
    role_claim: Presence | None = None
    origin: Presence | None = None


class ChannelRule(Struct, frozen=True):
    """Where findings go: a channel, and the conditions that must all hold. One that is None is not asked."""

    channel: str
    """A Slack channel's id, or its name behind ``#``."""
    at_least: Level | None = None
    owners: tuple[str, ...] | None = None
    accounts: tuple[str, ...] | None = None
    """The accounts, projects or organisations whose log it is."""
    mention: str | None = None
    """A Slack user group's id."""


class Document(Struct, frozen=True):
    """A whole policy file."""

    version: Literal["1"]
    callers: tuple[Caller, ...] = ()
    aws_accounts: tuple[str, ...] | None = None
    requirements: tuple[Requirement, ...] = ()
    channels: tuple[ChannelRule, ...] | None = None
    """The first that takes a finding is where it goes; None leaves all to the default channel."""
