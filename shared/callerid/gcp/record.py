"""The fields of a Cloud Audit Log entry that callerid reads, in the vendor's layout.

Plain structs, not the AuditLog message of google-cloud-audit-log: that one refuses or drops fields that
newer logs carry. Every field may be absent, null or of a wrong type; see :mod:`callerid.decode`.

https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog
https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry
"""

from __future__ import annotations

from functools import lru_cache

from msgspec import Raw, Struct, field

from callerid.decode import decode

ABSENT = Raw()
"""Raw JSON that is not there."""


class Payload(Struct, frozen=True, gc=False):
    """``protoPayload``: the audit log itself."""

    status: Raw = ABSENT
    authentication: Raw = field(name="authenticationInfo", default=ABSENT)
    service: str | None = field(name="serviceName", default=None)
    method: str | None = field(name="methodName", default=None)
    resource_name: str | None = field(name="resourceName", default=None)
    request: Raw = ABSENT
    metadata: Raw = ABSENT


class Entry(Struct, frozen=True, gc=False):
    """One log entry. Without ``protoPayload`` it is no audit log, and nothing to judge."""

    payload: Payload | None = field(name="protoPayload", default=None)
    insert_id: str | None = field(name="insertId", default=None)
    resource: Raw = ABSENT
    timestamp: str | None = None
    log_name: str | None = field(name="logName", default=None)


class Labels(Struct, frozen=True):
    """The labels of the monitored resource."""

    email_id: str | None = None
    project_id: str | None = None
    location: str | None = None


class Resource(Struct, frozen=True):
    """The monitored resource that wrote the entry."""

    labels: Labels | None = None


class FirstParty(Struct, frozen=True):
    """A Google account in a delegation chain; some entries nest the subject here."""

    email: str | None = field(name="principalEmail", default=None)
    subject: str | None = field(name="principalSubject", default=None)


class Delegation(Struct, frozen=True):
    """One hop of a delegation chain."""

    subject: str | None = field(name="principalSubject", default=None)
    first_party: FirstParty | None = field(name="firstPartyPrincipal", default=None)
    third_party: Raw = field(name="thirdPartyPrincipal", default=ABSENT)


class Authentication(Struct, frozen=True):
    """``authenticationInfo``: who made the call."""

    email: str | None = field(name="principalEmail", default=None)
    subject: str | None = field(name="principalSubject", default=None)
    key_name: str | None = field(name="serviceAccountKeyName", default=None)
    third_party: Raw = field(name="thirdPartyPrincipal", default=ABSENT)
    delegation: tuple[Delegation, ...] = field(name="serviceAccountDelegationInfo", default=())


class KeyInfo(Struct, frozen=True):
    """A certificate or key of the provider that vouched for the caller."""

    time_until_expiration: str | None = field(name="timeUntilExpiration", default=None)


class Metadata(Struct, frozen=True):
    """``metadata`` of the Security Token Service; both spellings of the mapped principal occur."""

    mapped_principal: str | None = None
    mapped_principal_camel: str | None = field(name="mappedPrincipal", default=None)
    delegation: tuple[str, ...] = field(name="identityDelegationChain", default=())
    keys: tuple[KeyInfo, ...] = field(name="keyInfo", default=())


class Request(Struct, frozen=True):
    """``request`` of the calls that make tokens."""

    name: str | None = None
    audience: str | None = None


def authentication_of(payload: Payload) -> Authentication:
    """Return who made the call. Callers repeat, so the same JSON is decoded once."""
    return _authentication(bytes(payload.authentication))


@lru_cache(maxsize=8192)
def _authentication(data: bytes) -> Authentication:
    return decode(Authentication, Raw(data))
