"""One access across a cloud or account boundary, whichever cloud wrote it down.

An :class:`Access` holds what repeats from record to record (who, from where, to what, allowed or not); an
:class:`Occurrence` holds what is of one record alone (when, which id, which file). Both clouds' readers make
them, the judge reads nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace


class Word(StrEnum):
    """One of a closed set of words. It hashes as the text that it is, which Enum's own way takes long for."""

    __hash__ = str.__hash__


class Cloud(Word):
    """The cloud that wrote the record."""

    AWS = "aws"
    GCP = "gcp"


class Kind(Word):
    """What sort of access a record shows."""

    WEB_IDENTITY = "web-identity"
    SAML = "saml"
    ASSUME_ROLE = "assume-role"
    FEDERATION_TOKEN = "federation-token"  # noqa: S105  # a kind of access
    ROOT_SESSION = "root-session"
    SWITCH_ROLE = "switch-role"
    POD_IDENTITY = "pod-identity"
    ROLES_ANYWHERE = "roles-anywhere"
    IDENTITY_CENTER = "identity-center"
    OUTBOUND_TOKEN = "outbound-token"  # noqa: S105
    SESSION_USE = "session-use"
    TOKEN_EXCHANGE = "token-exchange"  # noqa: S105
    WORKFORCE_SIGN_IN = "workforce-sign-in"
    IMPERSONATION = "impersonation"
    DELEGATED_USE = "delegated-use"
    DIRECT_USE = "direct-use"
    KEY_USE = "key-use"


class Outcome(Word):
    """What the cloud answered, kept apart from the verdict."""

    ALLOWED = "allowed"
    DENIED = "denied"


class Scope(Word):
    """When an access is judged, by what its record shows; the policy decides the rest."""

    ALWAYS = "always"
    """Federation proper and its like: the caller must be listed."""
    NAMED = "named"
    """Judged on its own merits always, held to the book only where the book guards the target."""
    GUARDED = "guarded"
    """Judged where a ``may_reach`` or a requirement names the target."""
    REQUIRED = "required"
    """Judged where a requirement names the target."""
    NEVER = "never"
    """A service acting for itself, an ordinary call."""


class Form(Word):
    """The forms in which a record can name its caller: those of the policy, and three that it lists under them."""

    GOOGLE_SERVICE_ACCOUNT = "google_service_account"
    GOOGLE_USER = "google_user"
    AWS_ROLE = "aws_role"
    IAM_USER = "iam_user"
    AWS_ACCOUNT = "aws_account"
    OIDC = "oidc"
    SAML = "saml"
    AZURE_MANAGED_IDENTITY = "azure_managed_identity"
    PRINCIPAL = "principal"
    GKE = "gke"
    ROLES_ANYWHERE = "roles_anywhere"
    POD_IDENTITY = "pod_identity"
    EMAIL = "email"
    """A Google account's e-mail address: a service account's or a person's."""
    UNIQUE_ID = "unique_id"
    """AWS's ``AIDA…`` or ``AROA…``: all that another account's copy of a call shows."""
    SUBJECT = "subject"
    """A subject whose issuer the record does not show, as in Google's logs."""


class Claim(NamedTuple):
    """One way in which a record names its caller, in the spelling that the policy's index uses."""

    form: Form
    value: str
    issuer: str = ""
    """OIDC issuer, SAML provider, trust anchor or cluster, for the forms that have one."""


class Originator(NamedTuple):
    """One of several who are behind a call."""

    claims: tuple[Claim, ...]
    provider: str | None = None
    """The pool that this one comes from; a subject counts there, whatever pool another one is of."""


class Access(Struct, frozen=True, kw_only=True):
    """What one record, and every other like it, shows of an access. Absent is None."""

    cloud: Cloud | None
    kind: Kind | None = None
    """None for an ordinary call, which is not judged."""
    account: str | None = None
    """The AWS account, Google project or organisation whose log it is."""
    principal: str | None = None
    subject: str | None = None
    provider: str | None = None
    audience: str | None = None
    """As requested or as the token had it; several, of an outbound token, with a space between."""
    target: str | None = None
    session_name: str | None = None
    source_identity: str | None = None
    delegation: tuple[str, ...] = ()
    """The principals between originator and actor, in the record's order."""
    outcome: Outcome = Outcome.ALLOWED
    error: str | None = None
    """The cloud's error code."""

    scope: Scope = Scope.NEVER
    claims: tuple[Claim, ...] = ()
    """The caller's names, the strongest first. Every one names the same caller."""
    origins: tuple[Originator, ...] = ()
    """For a chain with several originators: each further one, which must be listed too."""
    findings: tuple[str, ...] = ()
    """Codes of reasons that the record gives by itself."""
    origin_account: str | None = None
    """The AWS account that the caller comes from."""
    user_name: str | None = None
    """The caller's user name where the record shows one; what ``equals: caller`` falls back to."""
    forwarded: bool = False
    """Whether a service passed the session's call on, which leaves out its source identity."""
    request_withheld: bool = False
    """Whether the record leaves out what was asked for, as of some denied calls and of the access portal's: nothing
    can be required of it."""
    role_claimed: bool | None = None
    """Whether the token's own ``roles`` claim authorised the role; None where the kind has no such claim."""
    audiences: tuple[str, ...] | None = None
    """Each audience, where a call of this sort has some; None where it never has one to compare."""
    untargeted: bool = False
    """Whether the kind names no target that an entry could list, so that only the caller is compared."""
    unlisted: str = "principal-unlisted"
    """The code of the reason that says that this caller is not in the book."""


def by_originator(access: Access) -> Iterator[Access]:
    """Yield an access by each of its originators alone; most have one."""
    yield replace(access, origins=()) if access.origins else access
    yield from by_others(access)


def by_others(access: Access) -> Iterator[Access]:
    """Yield an access by each of its originators but the first."""
    for origin in access.origins:
        yield replace(access, claims=origin.claims, provider=origin.provider, origins=())


def findings(*codes: str | None) -> tuple[str, ...]:
    """Return the codes that there are; None is none."""
    return tuple(filter(None, codes))


class Occurrence(NamedTuple):
    """What is of one record alone."""

    time: str | None
    """RFC 3339 in UTC, cut to microseconds; None where the record shows none that can be read."""
    record_id: str
    access_id: str
    """What both accounts' copies of one call share."""
    region: str | None
    source: str
    """File and position: ``FILE:LINE`` in JSON lines, ``FILE:Records[3]`` in a document."""
