"""What a CloudTrail record says of an access.

A record is a *crossing*, a call that makes a session, or an ordinary call. Crossings are read one by one
(:mod:`callerid.aws.crossing`). What an ordinary call shows depends on :func:`call_keys` alone, so the calls
of one session are read once.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Raw
from zlib_ng.zlib_ng import crc32

from callerid.access import Access, Cloud, Kind, Occurrence, Scope
from callerid.aws.call import outcome_of
from callerid.aws.crossing import READERS, reader_of
from callerid.aws.record import Record, UserIdentity, identity_of, is_service
from callerid.decode import is_object
from callerid.moment import utc
from callerid.names import arn

CallKey = tuple[int, str | None, str | None, bool]
_SIGN_IN = "signin.amazonaws.com"


def call_keys(records: Sequence[Record]) -> list[CallKey | None]:
    """Return for each record all that an ordinary call's access depends on, its caller as a checksum.

    None for a crossing. Every record passes here, so each is asked for the least, in one loop: a checksum of
    half a kilobyte of JSON costs a third of what a copy and its hash do.
    """
    return [
        None
        if record.event_name in READERS and reader_of(record) is not None
        else (
            crc32(record.user_identity),
            record.error_code or record.error_message,
            record.recipient,
            record.event_source == _SIGN_IN,
        )
        for record in records
    ]


def callers(records: Sequence[Record]) -> list[Raw]:
    """Return for each record who made the call, as JSON."""
    return [record.user_identity for record in records]


def read(record: Record) -> Access:
    """Return the access that a record shows. Never raises: what is odd is absent."""
    reader = reader_of(record)
    return reader(record) if reader else _call(record, identity_of(record))


def occurrence(record: Record, source: str) -> Occurrence:
    """Return what is of this record alone."""
    record_id = record.event_id or ""
    return Occurrence(utc(record.event_time), record_id, record.shared_event_id or record_id, record.region, source)


def time(record: Record) -> str | None:
    """Return when it was, in RFC 3339 and UTC; None where the record shows no time that can be read."""
    return utc(record.event_time)


def _call(record: Record, identity: UserIdentity) -> Access:
    issuer = identity.session.issuer
    role = issuer.arn if issuer and arn.role_of(issuer.arn) else arn.role_arn(identity.arn)
    if identity.type == "AssumedRole" and role is not None:
        return _session_call(record, identity, role)
    return Access(
        cloud=Cloud.AWS,
        account=record.recipient or identity.account,
        principal=identity.arn or identity.principal_id or identity.invoked_by,
        outcome=outcome_of(record),
        error=record.error,
    )


def _session_call(record: Record, identity: UserIdentity, role: str) -> Access:
    context = identity.session
    is_person = arn.is_identity_center(role)
    on_behalf_of = identity.on_behalf_of
    session_name = session_name_of(identity)
    return Access(
        cloud=Cloud.AWS,
        kind=Kind.IDENTITY_CENTER if is_person else Kind.SESSION_USE,
        account=record.recipient or identity.account,
        principal=None if is_person else identity.arn,
        subject=((on_behalf_of and on_behalf_of.user_id) or session_name) if is_person else None,
        provider=_provider(identity, is_person=is_person),
        target=role,
        session_name=session_name,
        source_identity=context.source_identity or None,
        outcome=outcome_of(record),
        error=record.error,
        scope=Scope.NEVER if _is_service_session(identity) else Scope.REQUIRED,
        findings=_session_findings(identity, session_name, is_person=is_person),
        forwarded=is_service(identity.invoked_by) or _is_sign_in(record, identity),
    )


def _is_sign_in(record: Record, identity: UserIdentity) -> bool:
    """Tell a sign-in to the console, whose record has no session context, where a source identity would stand."""
    return record.event_source == _SIGN_IN and identity.session_context is None


def session_name_of(identity: UserIdentity) -> str | None:
    """Return the name of the session that made a call, from its ARN, else from its principal id."""
    principal = arn.parse(identity.arn or "")
    if principal is not None:
        return principal.session
    return (identity.principal_id or "").partition(":")[2] or None


def _provider(identity: UserIdentity, *, is_person: bool) -> str | None:
    if is_person:
        return identity.on_behalf_of.identity_store if identity.on_behalf_of else None
    federation = identity.session.federation
    return federation.provider if federation else None


def _is_service_session(identity: UserIdentity) -> bool:
    """Tell sessions that AWS itself gave to an instance or a function: nobody could name a source identity.

    Only marks that AWS sets count. A session *name* such as ``i-0abc…`` is the caller's own choice.
    """
    return bool(identity.session.ec2_role_delivery) or is_object(identity.in_scope_of)


def _session_findings(identity: UserIdentity, session_name: str | None, *, is_person: bool) -> tuple[str, ...]:
    findings = []
    if identity.arn is None and (session_name is None or not is_person):
        findings.append("principal-missing")
    if identity.session.ec2_role_delivery == "1.0":
        findings.append("instance-metadata-v1")
    return tuple(findings)
