"""A call that makes a session, its parts decoded, and what every such call says of its caller."""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct

from callerid.access import Claim, Form, Outcome
from callerid.aws.record import (
    Additional,
    Record,
    Request,
    Response,
    UserIdentity,
    identity_of,
    identity_of_bytes,
)
from callerid.decode import decode
from callerid.names import arn

_TYPES = frozenset((
    "Root", "IAMUser", "AssumedRole", "Role", "FederatedUser", "Directory", "AWSAccount", "AWSService",
    "IdentityCenterUser", "WebIdentityUser", "SAMLUser",
))  # fmt: skip


class Call(Struct, frozen=True):
    """A record with its parts decoded."""

    record: Record
    identity: UserIdentity
    request: Request
    response: Response
    additional: Additional

    @property
    def account(self) -> str | None:
        """The account whose log it is."""
        return self.record.recipient or self.identity.account

    @property
    def error(self) -> str | None:
        """What AWS answered in place of a session."""
        return self.record.error

    @property
    def outcome(self) -> Outcome:
        """Whether the call was allowed."""
        return outcome_of(self.record)

    @property
    def claims(self) -> tuple[Claim, ...]:
        """The names under which a book may list the caller."""
        return claims_of(bytes(self.record.user_identity))

    @property
    def unknown_type(self) -> str | None:
        """The finding of a caller of a type that nobody knows."""
        return None if self.identity.type in _TYPES else "identity-type-unknown"

    @property
    def session_name(self) -> str | None:
        """The name that was asked for, which STS does not change; else the one in the answer's ARN."""
        user = self.response.assumed_role_user
        if self.request.session_name or user is None:
            return self.request.session_name
        made = arn.parse(user.arn or "")
        return made.session if made else None

    @property
    def source_identity(self) -> str | None:
        """What the session bears: the answer's, else what was asked for."""
        return self.response.source_identity or self.request.source_identity or None


def call_of(record: Record) -> Call:
    """Return a record with its parts decoded."""
    return Call(
        record,
        identity_of(record),
        decode(Request, record.request),
        decode(Response, record.response),
        decode(Additional, record.additional),
    )


def outcome_of(record: Record) -> Outcome:
    """Return whether a call was allowed: CloudTrail names an error where it was not."""
    return Outcome.DENIED if record.error else Outcome.ALLOWED


def principal_of(identity: UserIdentity) -> str | None:
    """Return the ARN; another account's copy shows only an id, which is printed with its account."""
    if identity.arn or not identity.principal_id:
        return identity.arn or None
    return f"{identity.account}:{identity.principal_id}" if identity.account else identity.principal_id


def user_name_of(identity: UserIdentity) -> str | None:
    """Return the caller's own name, as far as AWS vouches for it."""
    if identity.type != "AssumedRole":
        return identity.user_name or None
    principal = arn.parse(identity.arn or "")
    issuer = identity.session.issuer
    if principal and issuer and arn.is_identity_center(issuer.arn):
        return principal.session
    return identity.session.source_identity or None


@lru_cache(maxsize=8192)
def claims_of(data: bytes) -> tuple[Claim, ...]:
    """Return the names under which a book may list an AWS caller, the strongest first."""
    identity = identity_of_bytes(data)
    context, unique_id = identity.session, (identity.principal_id or "").partition(":")[0]
    issuer = context.issuer.arn if context.issuer else None
    named = issuer if identity.type in ("AssumedRole", "Role") and arn.role_of(issuer) else identity.arn
    ids = (Claim(Form.UNIQUE_ID, unique_id),) if unique_id.startswith(("AIDA", "AROA")) else ()
    account = identity.account or arn.account_of(identity.arn)
    accounts = (Claim(Form.AWS_ACCOUNT, account),) if account else ()
    return tuple(dict.fromkeys((*arn_claims(named), *ids, *accounts)))


@lru_cache(maxsize=8192)
def arn_claims(text: str | None) -> tuple[Claim, ...]:
    """Return the names under which a book may list the principal of an ARN."""
    principal = arn.parse(text) if text else None
    if principal is None or text is None:
        return ()
    account = Claim(Form.AWS_ACCOUNT, principal.account)
    match principal.type:
        case "role" | "assumed-role":
            return (Claim(Form.AWS_ROLE, text), account)
        case "user":
            return (Claim(Form.IAM_USER, text), account)
        case _:
            return (account,)
