"""Tokens and sessions that AWS gives on request: federation token, root session, token for the outside, portal.

https://docs.aws.amazon.com/STS/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

from callerid.access import Access, Cloud, Kind, Scope, findings
from callerid.aws.call import Call, call_of, principal_of, refused_target, user_name_of
from callerid.aws.record import Record, ServiceDetails
from callerid.decode import decode
from callerid.names import arn


def federation_token(record: Record) -> Access:
    """Read a GetFederationToken, which names its user as it likes: who asked for it counts."""
    call = call_of(record)
    identity, user = call.identity, call.response.federated_user
    by = {"Root": "federation-token-by-root", "IAMUser": "federation-token-by-user"}.get(identity.type or "")
    return Access(
        cloud=Cloud.AWS,
        kind=Kind.FEDERATION_TOKEN,
        scope=Scope.NAMED,
        account=call.account,
        outcome=call.outcome,
        error=call.error,
        principal=principal_of(identity),
        target=(user.arn if user else None) or _federated_user(call),
        claims=call.claims,
        origin_account=identity.account,
        user_name=user_name_of(identity),
        findings=findings(
            None if principal_of(identity) else "principal-missing",
            call.unknown_type or by,
        ),
    )


def _federated_user(call: Call) -> str | None:
    """Return whom a denial would have made, in the words of an answer: its record has none."""
    name, account = call.request.name, call.identity.account
    if name and account:
        return f"arn:{arn.partition_of(call.record.region)}:sts::{account}:federated-user/{name}"
    return refused_target(call.record) or name


def root_session(record: Record) -> Access:
    """Read an AssumeRoot: root of a member account, for one task."""
    call = call_of(record)
    target = call.request.target_principal
    partition = arn.partition_of(record.region)
    return Access(
        cloud=Cloud.AWS,
        kind=Kind.ROOT_SESSION,
        scope=Scope.ALWAYS,
        account=call.account,
        outcome=call.outcome,
        error=call.error,
        principal=principal_of(call.identity),
        target=f"arn:{partition}:iam::{target}:root"
        if target and target.isdigit()
        else target or refused_target(record),
        claims=call.claims,
        origin_account=call.identity.account,
        user_name=user_name_of(call.identity),
        unlisted="root-session-unlisted",
        findings=findings(call.unknown_type, None if principal_of(call.identity) else "principal-missing"),
    )


def outbound_token(record: Record) -> Access:
    """Read a GetWebIdentityToken: a token that leaves AWS, for the audiences that were asked for.

    The record of a denial may leave them out; then no token left, and there is none to compare.
    """
    call = call_of(record)
    audiences = call.request.audience
    return Access(
        cloud=Cloud.AWS,
        kind=Kind.OUTBOUND_TOKEN,
        scope=Scope.ALWAYS,
        account=call.account,
        outcome=call.outcome,
        error=call.error,
        principal=principal_of(call.identity),
        audience=" ".join(audiences) or None,
        audiences=None if call.error and not audiences else audiences,
        claims=call.claims,
        origin_account=call.identity.account,
        user_name=user_name_of(call.identity),
        untargeted=True,
        findings=findings(call.unknown_type, None if principal_of(call.identity) else "principal-missing"),
    )


def portal(record: Record) -> Access:
    """Read the access portal's own record, which names role and account outside the usual places.

    It shows the user's id and no session: what is required of a session is asked of those that follow.
    """
    call = call_of(record)
    details = decode(ServiceDetails, record.service_details)
    user = call.identity.on_behalf_of
    role = None
    if details.account_id and details.role_name:
        path = "aws-reserved/sso.amazonaws.com/AWSReservedSSO_"
        role = f"arn:{arn.partition_of(record.region)}:iam::{details.account_id}:role/{path}{details.role_name}"
    return Access(
        cloud=Cloud.AWS,
        kind=Kind.IDENTITY_CENTER,
        scope=Scope.REQUIRED,
        account=call.account,
        outcome=call.outcome,
        error=call.error,
        subject=user.user_id if user else None,
        provider=user.identity_store if user else None,
        target=role,
        user_name=user.user_id if user else None,
        request_withheld=True,
        unlisted="subject-unlisted",
        findings=findings(None if user and user.user_id else "subject-missing"),
    )
