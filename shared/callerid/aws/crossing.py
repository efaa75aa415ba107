"""Which call of CloudTrail makes a session, and who reads it."""

from __future__ import annotations

from collections.abc import Callable

from callerid.access import Access
from callerid.aws.assume import role_chain, switch_role
from callerid.aws.federation import saml, web_identity
from callerid.aws.grant import federation_token, outbound_token, portal, root_session
from callerid.aws.record import POD_IDENTITY, ROLES_ANYWHERE, Record, UserIdentity, identity_of, is_service
from callerid.aws.workload import pod_identity, pod_token, roles_anywhere, roles_anywhere_session

Reader = Callable[[Record], Access]


def reader_of(record: Record) -> Reader | None:
    """Return the reader of a crossing, None for an ordinary call or a service that acts for itself.

    STS's names are its own, so an abridged record without a service is still read; the others are not.
    """
    found = READERS.get(record.event_name or "")
    if found is None:
        return None
    source, reader = found
    if record.event_source != source and not (record.event_source is None and source == _STS):
        return None
    if reader is _assume_role and _is_service_itself(identity_of(record)):
        return None
    return reader


def _is_service_itself(identity: UserIdentity) -> bool:
    """Tell an AWS service that acts for itself. Two services carry a workload's identity and are not exempt."""
    if identity.invoked_by in (POD_IDENTITY, ROLES_ANYWHERE):
        return False
    return identity.type == "AWSService" or (identity.type is None and is_service(identity.invoked_by))


def _assume_role(record: Record) -> Access:
    by = identity_of(record).invoked_by
    if by == POD_IDENTITY:
        return pod_identity(record)
    return roles_anywhere_session(record) if by == ROLES_ANYWHERE else role_chain(record)


_STS = "sts.amazonaws.com"

READERS: dict[str, tuple[str, Reader]] = {
    "AssumeRoleWithWebIdentity": (_STS, web_identity),
    "AssumeRoleWithSAML": (_STS, saml),
    "AssumeRole": (_STS, _assume_role),
    "AssumeRoot": (_STS, root_session),
    "GetFederationToken": (_STS, federation_token),
    "GetWebIdentityToken": (_STS, outbound_token),
    "SwitchRole": ("signin.amazonaws.com", switch_role),
    "AssumeRoleForPodIdentity": ("eks-auth.amazonaws.com", pod_token),
    "CreateSession": (ROLES_ANYWHERE, roles_anywhere),
    "GetRoleCredentials": ("sso.amazonaws.com", portal),
}
"""The reader of each call, with the service that writes it: ``CreateSession`` is also S3's and CloudShell's."""
