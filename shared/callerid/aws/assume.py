"""From one principal of AWS to the next: AssumeRole, and the console's switch.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

from __future__ import annotations

from msgspec.structs import replace

from callerid.access import Access, Cloud, Kind, Outcome, Scope, findings
from callerid.aws.call import Call, arn_claims, call_of, principal_of, refused_target, user_name_of
from callerid.aws.record import Record
from callerid.names import arn


def role_chain(record: Record) -> Access:
    """Read an AssumeRole. Another account's copy of the call shows the caller's id in place of its ARN."""
    call = call_of(record)
    identity, context = call.identity, call.identity.session
    upstream, unknown_type = context.source_identity or None, call.unknown_type
    principal = principal_of(identity)
    return Access(
        cloud=Cloud.AWS,
        kind=Kind.ASSUME_ROLE,
        scope=Scope.ALWAYS if unknown_type else Scope.GUARDED,
        account=call.account,
        outcome=call.outcome,
        error=call.error,
        principal=principal,
        target=call.request.role_arn or call.role_made or refused_target(record),
        session_name=call.session_name,
        source_identity=call.source_identity or upstream,
        claims=call.claims,
        origin_account=identity.account or arn.account_of(identity.arn),
        user_name=user_name_of(identity),
        request_withheld=call.error is not None and call.request.role_arn is None,
        unlisted="principal-unlisted" if identity.arn else "principal-id-unlisted",
        findings=findings(
            unknown_type,
            None if principal else "principal-missing",
            _chain(call, upstream),
            "set-source-identity-denied" if "sts:SetSourceIdentity" in (record.error_message or "") else None,
            _self_assumption(call),
            "instance-metadata-v1" if context.ec2_role_delivery == "1.0" else None,
        ),
    )


def _chain(call: Call, upstream: str | None) -> str | None:
    """Compare the source identity before, in and after a call: AWS keeps it, so it should stay the same."""
    asked, answered = call.request.source_identity or None, call.response.source_identity or None
    names = {name for name in (upstream, asked, answered) if name}
    if call.response.assumed_role_user is not None and names and answered is None:
        return "source-identity-dropped"
    if call.identity.type != "AssumedRole":
        return None
    if len(names) > 1:
        return "source-identity-changed"
    return "source-identity-appeared" if names and upstream is None else None


def _self_assumption(call: Call) -> str | None:
    issuer = call.identity.session.issuer
    is_self = issuer is not None and issuer.arn is not None and issuer.arn == call.request.role_arn
    return "self-assumption-implicit" if is_self and call.additional.explicit_trust is False else None


def switch_role(record: Record) -> Access:
    """Read a switch of role in the console, which names the switcher outside the usual place."""
    call = call_of(record)
    switcher = call.additional.switch_from
    principal = arn.parse(switcher or "")
    own = arn.parse(call.identity.arn or "")
    denied = call.error is not None or call.response.switch_role not in (None, "Success")
    access = Access(
        cloud=Cloud.AWS,
        kind=Kind.SWITCH_ROLE,
        scope=Scope.GUARDED,
        account=call.account,
        outcome=call.outcome,
        error=call.error,
        principal=switcher,
        target=arn.role_arn(call.identity.arn),
        session_name=own.session if own else None,
        source_identity=call.identity.session.source_identity or None,
        claims=arn_claims(switcher),
        origin_account=principal.account if principal else None,
        user_name=(principal.session or principal.name) if principal else None,
        findings=findings(None if switcher else "principal-missing"),
    )
    if denied and access.outcome is Outcome.ALLOWED:
        return replace(access, outcome=Outcome.DENIED, error=call.response.switch_role)
    return access
