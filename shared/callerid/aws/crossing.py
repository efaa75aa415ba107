"""The calls of CloudTrail that make a session, each with the fields that name its caller.

A reader a call; :data:`READERS` says which. Cases and field paths follow the vendor's pages:

https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
https://docs.aws.amazon.com/eks/latest/userguide/pod-identities.html
https://docs.aws.amazon.com/rolesanywhere/latest/userguide/monitoring-cloudtrail.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from callerid.access import Access, Claim, Cloud, Form, Kind, Outcome, Scope
from callerid.aws.record import (
    Additional,
    Record,
    Request,
    Response,
    ServiceDetails,
    UserIdentity,
    identity_of,
    identity_of_bytes,
)
from callerid.decode import decode
from callerid.names import arn, github

GOOGLE = "accounts.google.com"
_POD_IDENTITY = "pods.eks.amazonaws.com"
_ROLES_ANYWHERE = "rolesanywhere.amazonaws.com"
_TYPES = frozenset((
    "Root", "IAMUser", "AssumedRole", "Role", "FederatedUser", "Directory", "AWSAccount", "AWSService",
    "IdentityCenterUser", "WebIdentityUser", "SAMLUser",
))  # fmt: skip
_PUBLIC_ISSUERS = frozenset(
    (github.ISSUER, GOOGLE, "gitlab.com", "app.terraform.io", "agent.buildkite.com", "oidc.vercel.com")
)


_REFUSED = re.compile(r" on resource: (arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+)")


class _Call(Struct, frozen=True):
    """A record with its parts decoded."""

    record: Record
    identity: UserIdentity
    request: Request
    response: Response
    additional: Additional

    @property
    def account(self) -> str | None:
        return self.record.recipient or self.identity.account

    @property
    def error(self) -> str | None:
        return self.record.error_code or self.record.error_message

    @property
    def outcome(self) -> Outcome:
        return Outcome.DENIED if self.record.error_code or self.record.error_message else Outcome.ALLOWED

    @property
    def claims(self) -> tuple[Claim, ...]:
        return _claims(bytes(self.record.user_identity))

    @property
    def unknown_type(self) -> str | None:
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
    by = identity.invoked_by or ""
    if by in (_POD_IDENTITY, _ROLES_ANYWHERE):
        return False
    return identity.type == "AWSService" or (identity.type is None and by.endswith(".amazonaws.com"))


def _call(record: Record) -> _Call:
    return _Call(
        record,
        identity_of(record),
        decode(Request, record.request),
        decode(Response, record.response),
        decode(Additional, record.additional),
    )


def _found(*findings: str | None) -> tuple[str, ...]:
    """Return the findings that there are."""
    return tuple(filter(None, findings))


def _web_identity(record: Record) -> Access:
    call = _call(record)
    subject, provider = call.identity.user_name or None, call.identity.identity_provider or None
    issuer = _issuer(provider)
    crossed = call.additional.cross_partition
    audience = call.response.audience or _audience(call.identity)
    return Access(
        cloud=Cloud.AWS,
        kind=Kind.WEB_IDENTITY,
        scope=Scope.ALWAYS,
        account=call.account,
        outcome=call.outcome,
        error=call.error,
        principal=call.identity.principal_id,
        subject=subject,
        provider=provider,
        audience=audience,
        audiences=(audience,) if audience else (),
        target=call.request.role_arn,
        session_name=call.session_name,
        source_identity=call.source_identity,
        claims=_subject_claims(subject, issuer) + _arn_claims(crossed.principal if crossed else None),
        user_name=subject,
        role_claimed=call.additional.role_authorized is True,
        unlisted="subject-unlisted",
        findings=_found(
            call.unknown_type if call.identity.type else None,
            None if subject else "subject-missing",
            "subject-mismatch" if _contradicts(call, issuer) else None,
            _thumbprint(call, issuer),
        ),
    )


@lru_cache(maxsize=256)
def _issuer(provider: str | None) -> str:
    """Return the issuer without scheme: an IAM provider is an ARN that ends in it, a built-in one is bare."""
    text = provider or ""
    return (text.partition(":oidc-provider/")[2] or text).removeprefix("https://")


def _subject_claims(subject: str | None, issuer: str) -> tuple[Claim, ...]:
    if not subject or not issuer:
        return ()
    oidc = Claim(Form.OIDC, subject, issuer)
    return (Claim(Form.GOOGLE_SERVICE_ACCOUNT, subject), oidc) if issuer == GOOGLE else (oidc,)


def _audience(identity: UserIdentity) -> str | None:
    """Return the audience within ``PROVIDER:AUDIENCE:SUBJECT``; each of the three may itself hold colons."""
    before, after = f"{identity.identity_provider}:", f":{identity.user_name}"
    text = identity.principal_id or ""
    if not (text.startswith(before) and text.endswith(after)):
        return None
    return text[len(before) : -len(after)] or None


def _contradicts(call: _Call, issuer: str) -> bool:
    """Tell an answer that names another subject or another provider than the token."""
    subject, provider = call.response.web_subject, call.response.provider
    if subject is not None and call.identity.user_name and subject != call.identity.user_name:
        return True
    return bool(provider and issuer and _issuer(provider) != issuer)


def _thumbprint(call: _Call, issuer: str) -> str | None:
    by_thumbprint = call.additional.verification == "Thumbprint" and issuer in _PUBLIC_ISSUERS
    return "thumbprint-verified" if by_thumbprint else None


def _saml(record: Record) -> Access:
    """Read a SAML sign-in. Of a transient subject only the source identity says who, which the provider asserts."""
    call = _call(record)
    subject, provider = call.identity.user_name or None, call.request.principal_arn
    answered = call.response.subject
    transient = (call.response.subject_type or "").rpartition(":")[2] == "transient"
    names = (subject, call.source_identity if transient else None)
    return Access(
        cloud=Cloud.AWS,
        kind=Kind.SAML,
        scope=Scope.ALWAYS,
        account=call.account,
        outcome=call.outcome,
        error=call.error,
        principal=call.identity.principal_id,
        subject=subject,
        provider=provider,
        audience=call.response.audience,
        audiences=(call.response.audience,) if call.response.audience else (),
        target=call.request.role_arn,
        session_name=call.session_name,
        source_identity=call.source_identity,
        claims=tuple(Claim(Form.SAML, name, provider) for name in names if name) if provider else (),
        user_name=subject,
        unlisted="subject-unlisted",
        findings=_found(
            call.unknown_type if call.identity.type else None,
            None if subject else "subject-missing",
            "subject-mismatch" if subject and answered not in (None, subject) else None,
            "subject-transient" if transient and not call.source_identity else None,
        ),
    )


def _assume_role(record: Record) -> Access:
    match identity_of(record).invoked_by:
        case "pods.eks.amazonaws.com":
            return _pod_identity(record)
        case "rolesanywhere.amazonaws.com":
            return _roles_anywhere_session(record)
        case _:
            return _role_chain(record)


def _role_chain(record: Record) -> Access:
    call = _call(record)
    identity = call.identity
    v1 = identity.session.ec2_role_delivery == "1.0"
    upstream = identity.session.source_identity or None
    principal = _principal(identity)
    return Access(
        cloud=Cloud.AWS,
        kind=Kind.ASSUME_ROLE,
        scope=Scope.ALWAYS if call.unknown_type else Scope.GUARDED,
        account=call.account,
        outcome=call.outcome,
        error=call.error,
        principal=principal,
        target=call.request.role_arn or _refused_role(call),
        session_name=call.session_name,
        source_identity=call.source_identity or upstream,
        claims=call.claims,
        origin_account=identity.account or arn.account_of(identity.arn),
        user_name=_user_name(identity),
        request_withheld=call.error is not None and call.request.role_arn is None,
        unlisted="principal-unlisted" if identity.arn else "principal-id-unlisted",
        findings=_found(
            call.unknown_type,
            None if principal else "principal-missing",
            _chain(call, upstream),
            "set-source-identity-denied" if "sts:SetSourceIdentity" in (record.error_message or "") else None,
            _self_assumption(call),
            "instance-metadata-v1" if v1 else None,
        ),
    )


def _refused_role(call: _Call) -> str | None:
    """Return the role that a denial names: the record of one may leave ``requestParameters`` null."""
    found = _REFUSED.search(call.record.error_message or "")
    return found[1] if found else None


def _principal(identity: UserIdentity) -> str | None:
    """Return the ARN; another account's copy shows only an id, which is printed with its account."""
    if identity.arn or not identity.principal_id:
        return identity.arn or None
    return f"{identity.account}:{identity.principal_id}" if identity.account else identity.principal_id


def _user_name(identity: UserIdentity) -> str | None:
    """Return the caller's own name, as far as AWS vouches for it."""
    if identity.type != "AssumedRole":
        return identity.user_name or None
    principal = arn.parse(identity.arn or "")
    issuer = identity.session.issuer
    if principal and issuer and arn.is_identity_center(issuer.arn):
        return principal.session
    return identity.session.source_identity or None


def _chain(call: _Call, upstream: str | None) -> str | None:
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


def _self_assumption(call: _Call) -> str | None:
    issuer = call.identity.session.issuer
    is_self = issuer is not None and issuer.arn is not None and issuer.arn == call.request.role_arn
    return "self-assumption-implicit" if is_self and call.additional.explicit_trust is False else None


@lru_cache(maxsize=8192)
def _claims(data: bytes) -> tuple[Claim, ...]:
    """Return the names under which a book may list an AWS caller, the strongest first."""
    identity = identity_of_bytes(data)
    context, unique_id = identity.session, (identity.principal_id or "").partition(":")[0]
    issuer = context.issuer.arn if context.issuer else None
    named = issuer if identity.type in ("AssumedRole", "Role") and arn.role_of(issuer) else identity.arn
    ids = (Claim(Form.UNIQUE_ID, unique_id),) if unique_id.startswith(("AIDA", "AROA")) else ()
    account = identity.account or arn.account_of(identity.arn)
    accounts = (Claim(Form.AWS_ACCOUNT, account),) if account else ()
    return tuple(dict.fromkeys((*_arn_claims(named), *ids, *accounts)))


@lru_cache(maxsize=8192)
def _arn_claims(text: str | None) -> tuple[Claim, ...]:
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


def _switch_role(record: Record) -> Access:
    call = _call(record)
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
        claims=_arn_claims(switcher),
        origin_account=principal.account if principal else None,
        user_name=(principal.session or principal.name) if principal else None,
        findings=_found(None if switcher else "principal-missing"),
    )
    if denied and access.outcome is Outcome.ALLOWED:
        return replace(access, outcome=Outcome.DENIED, error=call.response.switch_role)
    return access


def _federation_token(record: Record) -> Access:
    call = _call(record)
    identity, user = call.identity, call.response.federated_user
    by = {"Root": "federation-token-by-root", "IAMUser": "federation-token-by-user"}.get(identity.type or "")
    return Access(
        cloud=Cloud.AWS,
        kind=Kind.FEDERATION_TOKEN,
        scope=Scope.NAMED,
        account=call.account,
        outcome=call.outcome,
        error=call.error,
        principal=_principal(identity),
        target=(user.arn if user else None) or call.request.name,
        claims=call.claims,
        origin_account=identity.account,
        user_name=_user_name(identity),
        untargeted=True,
        findings=_found(
            None if _principal(identity) else "principal-missing",
            call.unknown_type or by,
        ),
    )


def _root_session(record: Record) -> Access:
    call = _call(record)
    target = call.request.target_principal
    return Access(
        cloud=Cloud.AWS,
        kind=Kind.ROOT_SESSION,
        scope=Scope.ALWAYS,
        account=call.account,
        outcome=call.outcome,
        error=call.error,
        principal=_principal(call.identity),
        target=f"arn:aws:iam::{target}:root" if target and target.isdigit() else target,
        claims=call.claims,
        origin_account=call.identity.account,
        user_name=_user_name(call.identity),
        unlisted="root-session-unlisted",
        findings=_found(call.unknown_type, None if _principal(call.identity) else "principal-missing"),
    )


def _outbound_token(record: Record) -> Access:
    call = _call(record)
    return Access(
        cloud=Cloud.AWS,
        kind=Kind.OUTBOUND_TOKEN,
        scope=Scope.ALWAYS,
        account=call.account,
        outcome=call.outcome,
        error=call.error,
        principal=_principal(call.identity),
        audience=" ".join(call.request.audience) or None,
        audiences=call.request.audience,
        claims=call.claims,
        origin_account=call.identity.account,
        user_name=_user_name(call.identity),
        untargeted=True,
        findings=_found(call.unknown_type, None if _principal(call.identity) else "principal-missing"),
    )


def _pod_identity(record: Record) -> Access:
    call = _call(record)
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
        findings=_found(None if subject else "session-tags-off"),
    )


def _pod_token(record: Record) -> Access:
    """Read EKS's own half: the node shows, the pod shows only in the half that STS writes."""
    call = _call(record)
    identity = call.identity
    is_node = bool(identity.session.ec2_role_delivery)  # AWS's own mark; a session's name is its caller's choice
    return Access(
        cloud=Cloud.AWS,
        kind=Kind.POD_IDENTITY,
        scope=Scope.NEVER if identity.type == "AssumedRole" and is_node else Scope.ALWAYS,
        account=call.account,
        outcome=call.outcome,
        error=call.error,
        principal=_principal(identity),
        provider=call.request.cluster_name,
        claims=call.claims,
        origin_account=identity.account,
        untargeted=True,
        unlisted="pod-token-off-node",
        findings=_found(None if _principal(identity) else "principal-missing"),
    )


def _roles_anywhere(record: Record) -> Access:
    call = _call(record)
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
        findings=_found(None if common_name else "subject-missing"),
    )


def _roles_anywhere_session(record: Record) -> Access:
    """Read the half that STS writes: it shows no trust anchor, so the name alone proves nothing."""
    call = _call(record)
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


def _is_service_linked(call: _Call) -> bool:
    """Tell a role that only the service itself can use: it acts for itself, for no workload."""
    return ":role/aws-service-role/" in (call.request.role_arn or "")


def _common_name(text: str | None) -> str | None:
    """Return a certificate's common name, which is printed with and without ``CN=``."""
    return (text or "").removeprefix("CN=") or None


def _portal(record: Record) -> Access:
    """Read the access portal's own record, which names role and account outside the usual places."""
    call = _call(record)
    details = decode(ServiceDetails, record.service_details)
    user = call.identity.on_behalf_of
    role = None
    if details.account_id and details.role_name:
        path = "aws-reserved/sso.amazonaws.com/AWSReservedSSO_"
        role = f"arn:aws:iam::{details.account_id}:role/{path}{details.role_name}"
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
        unlisted="subject-unlisted",
        findings=_found(None if user and user.user_id else "subject-missing"),
    )


_STS = "sts.amazonaws.com"

READERS: dict[str, tuple[str, Reader]] = {
    "AssumeRoleWithWebIdentity": (_STS, _web_identity),
    "AssumeRoleWithSAML": (_STS, _saml),
    "AssumeRole": (_STS, _assume_role),
    "AssumeRoot": (_STS, _root_session),
    "GetFederationToken": (_STS, _federation_token),
    "GetWebIdentityToken": (_STS, _outbound_token),
    "SwitchRole": ("signin.amazonaws.com", _switch_role),
    "AssumeRoleForPodIdentity": ("eks-auth.amazonaws.com", _pod_token),
    "CreateSession": (_ROLES_ANYWHERE, _roles_anywhere),
    "GetRoleCredentials": ("sso.amazonaws.com", _portal),
}
"""The reader of each call, with the service that writes it: ``CreateSession`` is also S3's and CloudShell's."""
