"""Workloads that a service vouches for: pods under EKS Pod Identity, certificates under IAM Roles Anywhere.

https://docs.aws.amazon.com/eks/latest/userguide/pod-identities.html
https://docs.aws.amazon.com/rolesanywhere/latest/userguide/monitoring-cloudtrail.html
"""

from __future__ import annotations

from callerid.access import Access, Claim, Cloud, Form, Kind, Scope, findings
from callerid.aws.call import Call, call_of, principal_of
from callerid.aws.record import Record
from callerid.names import arn


def pod_identity(record: Record) -> Access:
    """Read the half that STS writes of a pod's session: the pod is in the session tags."""
    call = call_of(record)
    tags = {tag.key: tag.value for tag in call.request.tags}
    namespace, account = tags.get("kubernetes-namespace"), tags.get("kubernetes-service-account")
    cluster = tags.get("eks-cluster-arn") or tags.get("eks-cluster-name")
    subject = f"{namespace}/{account}" if namespace and account else None
    return Access(
        cloud=Cloud.AWS,
        kind=Kind.POD_IDENTITY,
        scope=Scope.NEVER if _is_service_linked(call) else Scope.ALWAYS,
        account=call.account,
        outcome=call.outcome,
        error=call.error,
        principal=call.identity.principal_id or call.identity.invoked_by,
        subject=subject,
        provider=cluster,
        target=call.request.role_arn,
        session_name=call.session_name,
        source_identity=call.source_identity,
        claims=(Claim(Form.POD_IDENTITY, subject, cluster),) if subject and cluster else (),
        unlisted="subject-unlisted",
        findings=findings(None if subject else "session-tags-off"),
    )


def pod_token(record: Record) -> Access:
    """Read EKS's own half: the node shows, the pod shows only in the half that STS writes."""
    call = call_of(record)
    identity = call.identity
    is_node = bool(identity.session.ec2_role_delivery)  # AWS's own mark; a session's name is its caller's choice
    return Access(
        cloud=Cloud.AWS,
        kind=Kind.POD_IDENTITY,
        scope=Scope.NEVER if identity.type == "AssumedRole" and is_node else Scope.ALWAYS,
        account=call.account,
        outcome=call.outcome,
        error=call.error,
        principal=principal_of(identity),
        provider=call.request.cluster_name,
        claims=call.claims,
        origin_account=identity.account,
        untargeted=True,
        unlisted="pod-token-off-node",
        findings=findings(None if principal_of(identity) else "principal-missing"),
    )


def roles_anywhere(record: Record) -> Access:
    """Read a CreateSession of IAM Roles Anywhere: a certificate's common name under its trust anchor."""
    call = call_of(record)
    first = call.response.credential_set[0] if call.response.credential_set else None
    named = (first.source_identity if first else None) or call.source_identity
    common_name = _common_name(named)
    anchor = call.request.trust_anchor
    user = first.assumed_role_user if first else None
    made = arn.parse(user.arn or "") if user else None
    return Access(
        cloud=Cloud.AWS,
        kind=Kind.ROLES_ANYWHERE,
        scope=Scope.ALWAYS,
        account=call.account,
        outcome=call.outcome,
        error=call.error,
        subject=common_name,
        provider=anchor,
        target=call.request.role_arn or (first.role_arn if first else None),
        session_name=call.session_name or (made.session if made else None),
        source_identity=named,
        claims=(Claim(Form.ROLES_ANYWHERE, common_name, anchor),) if common_name and anchor else (),
        user_name=common_name,
        unlisted="subject-unlisted",
        findings=findings(None if common_name else "subject-missing"),
    )


def roles_anywhere_session(record: Record) -> Access:
    """Read the half that STS writes: it shows no trust anchor, so the name alone proves nothing."""
    call = call_of(record)
    return Access(
        cloud=Cloud.AWS,
        kind=Kind.ROLES_ANYWHERE,
        scope=Scope.NEVER if _is_service_linked(call) else Scope.ALWAYS,
        account=call.account,
        outcome=call.outcome,
        error=call.error,
        principal=call.identity.invoked_by,
        subject=_common_name(call.source_identity),
        target=call.request.role_arn,
        session_name=call.session_name,
        source_identity=call.source_identity,
        unlisted="subject-unlisted",
        findings=("trust-anchor-not-logged",),
    )


def _is_service_linked(call: Call) -> bool:
    """Tell a role that only the service itself can use: it acts for itself, for no workload."""
    return ":role/aws-service-role/" in (call.request.role_arn or "")


def _common_name(text: str | None) -> str | None:
    """Return a certificate's common name, which is printed with and without ``CN=``."""
    return (text or "").removeprefix("CN=") or None
