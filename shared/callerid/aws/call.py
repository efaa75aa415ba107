"""A call that makes a session, its parts decoded, and what every such call says of its caller."""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

from callerid.access import Claim, Form, Outcome
from callerid.aws.record import (
    Additional,
    Record,
    Request,
    Response,
    UserIdentity,
    identity_of_bytes,
)
from callerid.decode import decode
from callerid.names import arn

_TYPES = frozenset((
    "Root", "IAMUser", "AssumedRole", "Role", "FederatedUser", "Directory", "AWSAccount", "AWSService",
    "IdentityCenterUser", "WebIdentityUser", "SAMLUser",
))  # fmt: skip


_REFUSED = re.compile(
    r" on resource: (arn:aws[a-z-]*:(?:iam::[0-9]{12}:(?:role/[\w+=,.@/-]+|root)"
    r"|sts::[0-9]{12}:federated-user/[\w+=,.@-]+))"
)


class Call(Struct, frozen=True, gc=False):
    """A record with its parts decoded, and what most readers ask of it."""

    record: Record
    identity: UserIdentity
    request: Request
    response: Response
    additional: Additional
    account: str | None
    """The account whose log it is."""
    error: str | None
    """What AWS answered in place of a session."""
    outcome: Outcome
    """Whether the call was allowed."""
    session_name: str | None
    """The name that was asked for, which STS does not change; else the one in the answer's ARN."""
    source_identity: str | None
    """What the session bears: the answer's, else what was asked for."""

    @property
    def claims(self) -> tuple[Claim, ...]:
        """The names under which a book may list the caller."""
        return claims_of(bytes(self.record.user_identity))

    @property
    def role_made(self) -> str | None:
        """The role that the answer's session is of, where the record leaves out what was asked for."""
        user = self.response.assumed_role_user
        return arn.role_arn(user.arn) if user else None

    @property
    def unknown_type(self) -> str | None:
        """The finding of a caller of a type that nobody knows."""
        return None if self.identity.type in _TYPES else "identity-type-unknown"


def call_of(record: Record) -> Call:
    """Return a record with its parts decoded."""
    identity = identity_of_bytes(bytes(record.user_identity))
    request, response = decode(Request, record.request), decode(Response, record.response)
    error = record.error_code or record.error_message
    return Call(
        record,
        identity,
        request,
        response,
        decode(Additional, record.additional),
        record.recipient or identity.account,
        error,
        Outcome.DENIED if error else Outcome.ALLOWED,
        request.session_name or _name_made(response),
        response.source_identity or request.source_identity or None,
    )


def _name_made(response: Response) -> str | None:
    user = response.assumed_role_user
    made = arn.parse(user.arn) if user and user.arn else None
    return made.session if made else None


def outcome_of(record: Record) -> Outcome:
    """Return whether a call was allowed: CloudTrail names an error where it was not."""
    return Outcome.DENIED if record.error else Outcome.ALLOWED


def refused_target(record: Record) -> str | None:
    """Return the role, root or federated user that a denial names: its record may leave ``requestParameters`` null."""
    found = _REFUSED.search(record.error_message or "")
    return found[1] if found else None


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
