"""The fields of a CloudTrail record that callerid reads, in the vendor's layout.

Only what is declared here is ever decoded. Parts that most records don't need stay raw JSON until a reader
asks for them. Every field may be absent, null or of a wrong type; see :mod:`callerid.decode`. No credential
is declared, so none can leave.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

from __future__ import annotations

from functools import lru_cache

from msgspec import Raw, Struct, field

from callerid.decode import decode

ABSENT = Raw()
"""Raw JSON that is not there."""
POD_IDENTITY, ROLES_ANYWHERE = "pods.eks.amazonaws.com", "rolesanywhere.amazonaws.com"
"""The two services that carry a workload's identity to STS; all others act for themselves."""

# The order is that in which CloudTrail writes the fields, in which msgspec finds them fastest.


class Record(Struct, frozen=True, gc=False):
    """One CloudTrail record."""

    event_name: str | None = field(name="eventName", default=None)
    user_identity: Raw = field(name="userIdentity", default=ABSENT)
    event_time: str | None = field(name="eventTime", default=None)
    event_source: str | None = field(name="eventSource", default=None)
    region: str | None = field(name="awsRegion", default=None)
    error_code: str | None = field(name="errorCode", default=None)
    error_message: str | None = field(name="errorMessage", default=None)
    request: Raw = field(name="requestParameters", default=ABSENT)
    response: Raw = field(name="responseElements", default=ABSENT)
    additional: Raw = field(name="additionalEventData", default=ABSENT)
    event_id: str | None = field(name="eventID", default=None)
    recipient: str | None = field(name="recipientAccountId", default=None)
    shared_event_id: str | None = field(name="sharedEventID", default=None)
    service_details: Raw = field(name="serviceEventDetails", default=ABSENT)

    @property
    def error(self) -> str | None:
        """Return what AWS answered in place of a result; some events have a message and no code."""
        return self.error_code or self.error_message


class LogFile(Struct, frozen=True, gc=False):
    """A log file as CloudTrail delivers it."""

    records: tuple[Record, ...] = field(name="Records")


class SessionIssuer(Struct, frozen=True):
    """Whoever the temporary credentials were made for."""

    arn: str | None = None


class FederationData(Struct, frozen=True):
    """The provider of a session that began with a web identity; often ``{}``."""

    provider: str | None = field(name="federatedProvider", default=None)


class SessionContext(Struct, frozen=True):
    """How a session came to be."""

    issuer: SessionIssuer | None = field(name="sessionIssuer", default=None)
    federation: FederationData | None = field(name="webIdFederationData", default=None)
    source_identity: str | None = field(name="sourceIdentity", default=None)
    ec2_role_delivery: str | None = field(name="ec2RoleDelivery", default=None)


_NO_CONTEXT = SessionContext()


class OnBehalfOf(Struct, frozen=True):
    """The user of IAM Identity Center for whom the call was made."""

    user_id: str | None = field(name="userId", default=None)
    identity_store: str | None = field(name="identityStoreArn", default=None)


class UserIdentity(Struct, frozen=True):
    """Who made the call; which of the fields are there depends on the type."""

    type: str | None = None
    principal_id: str | None = field(name="principalId", default=None)
    arn: str | None = None
    account: str | None = field(name="accountId", default=None)
    user_name: str | None = field(name="userName", default=None)
    identity_provider: str | None = field(name="identityProvider", default=None)
    session_context: SessionContext | None = field(name="sessionContext", default=None)
    invoked_by: str | None = field(name="invokedBy", default=None)
    on_behalf_of: OnBehalfOf | None = field(name="onBehalfOf", default=None)
    in_scope_of: Raw = field(name="inScopeOf", default=ABSENT)

    @property
    def session(self) -> SessionContext:
        """Return the session context, an empty one where there is none."""
        return self.session_context or _NO_CONTEXT


class Tag(Struct, frozen=True):
    """A session tag, as ``AssumeRole`` lists them."""

    key: str | None = None
    value: str | None = None


class Request(Struct, frozen=True):
    """``requestParameters`` of the calls that make sessions."""

    role_arn: str | None = field(name="roleArn", default=None)
    session_name: str | None = field(name="roleSessionName", default=None)
    source_identity: str | None = field(name="sourceIdentity", default=None)
    principal_arn: str | None = field(name="principalArn", default=None)
    target_principal: str | None = field(name="targetPrincipal", default=None)
    trust_anchor: str | None = field(name="trustAnchorArn", default=None)
    name: str | None = None
    cluster_name: str | None = field(name="clusterName", default=None)
    audience: tuple[str, ...] = ()
    tags: tuple[Tag, ...] = ()


class SessionUser(Struct, frozen=True):
    """The session that a call made."""

    arn: str | None = None


class CredentialSet(Struct, frozen=True):
    """One session of IAM Roles Anywhere, without its credentials."""

    source_identity: str | None = field(name="sourceIdentity", default=None)
    role_arn: str | None = field(name="roleArn", default=None)
    assumed_role_user: SessionUser | None = field(name="assumedRoleUser", default=None)


class Response(Struct, frozen=True):
    """``responseElements`` of the calls that make sessions, without the credentials."""

    subject: str | None = None
    web_subject: str | None = field(name="subjectFromWebIdentityToken", default=None)
    subject_type: str | None = field(name="subjectType", default=None)
    provider: str | None = None
    audience: str | None = None
    source_identity: str | None = field(name="sourceIdentity", default=None)
    assumed_role_user: SessionUser | None = field(name="assumedRoleUser", default=None)
    federated_user: SessionUser | None = field(name="federatedUser", default=None)
    credential_set: tuple[CredentialSet, ...] = field(name="credentialSet", default=())
    switch_role: str | None = field(name="SwitchRole", default=None)


class CrossPartition(Struct, frozen=True):
    """Who asked, in the other partition, for the token that was used here."""

    principal: str | None = field(name="sourcePrincipalArn", default=None)


class Additional(Struct, frozen=True):
    """``additionalEventData``."""

    verification: str | None = field(name="identityProviderConnectionVerificationMethod", default=None)
    role_authorized: bool | None = field(name="RoleAuthorizedByIdp", default=None)
    switch_from: str | None = field(name="SwitchFrom", default=None)
    cross_partition: CrossPartition | None = field(name="crossPartitionData", default=None)
    explicit_trust: bool | None = field(name="explicitTrustGrant", default=None)


class ServiceDetails(Struct, frozen=True):
    """``serviceEventDetails`` of the access portal's calls."""

    role_name: str | None = None
    account_id: str | None = None


def is_service(invoked_by: str | None) -> bool:
    """Tell a service of AWS's own in ``invokedBy``, which reads ``AWS Internal`` where AWS does not say which."""
    return invoked_by is not None and (invoked_by.endswith(".amazonaws.com") or invoked_by == "AWS Internal")


@lru_cache(maxsize=8192)
def identity_of_bytes(data: bytes) -> UserIdentity:
    """Return who made a call, by the JSON of it. Sessions repeat, so the same JSON is decoded once."""
    return decode(UserIdentity, Raw(data))


def identity_of(record: Record) -> UserIdentity:
    """Return who made the call."""
    return identity_of_bytes(bytes(record.user_identity))
