"""Sessions for somebody whom another identity provider vouches for: web identity and SAML.

https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
"""

from __future__ import annotations

from functools import lru_cache

from callerid.access import Access, Claim, Cloud, Form, Kind, Scope, findings
from callerid.aws.call import Call, arn_claims, call_of
from callerid.aws.record import Record, UserIdentity
from callerid.names import arn, github, principal

_PUBLIC_ISSUERS = frozenset(
    (github.ISSUER, principal.ISSUER, "gitlab.com", "app.terraform.io", "agent.buildkite.com", "oidc.vercel.com")
)


def web_identity(record: Record) -> Access:
    """Read a sign-in by an OpenID Connect token: its subject says who, under its issuer alone."""
    call = call_of(record)
    subject, provider = call.identity.user_name or None, call.identity.identity_provider or None
    issuer = arn.issuer_of(provider)
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
        claims=_subject_claims(subject, issuer) + arn_claims(crossed.principal if crossed else None),
        user_name=subject,
        role_claimed=call.additional.role_authorized is True,
        unlisted="subject-unlisted",
        findings=findings(
            call.unknown_type if call.identity.type else None,
            None if subject else "subject-missing",
            "subject-mismatch" if _contradicts(call, issuer) else None,
            _thumbprint(call, issuer),
        ),
    )


@lru_cache(maxsize=8192)
def _subject_claims(subject: str | None, issuer: str) -> tuple[Claim, ...]:
    if not subject or not issuer:
        return ()
    oidc = Claim(Form.OIDC, subject, issuer)
    return (Claim(Form.GOOGLE_SERVICE_ACCOUNT, subject), oidc) if issuer == principal.ISSUER else (oidc,)


def _audience(identity: UserIdentity) -> str | None:
    """Return the audience within ``PROVIDER:AUDIENCE:SUBJECT``; each of the three may itself hold colons."""
    before, after = f"{identity.identity_provider}:", f":{identity.user_name}"
    text = identity.principal_id or ""
    if not (text.startswith(before) and text.endswith(after)):
        return None
    return text[len(before) : -len(after)] or None


def _contradicts(call: Call, issuer: str) -> bool:
    """Tell an answer that names another subject or another provider than the token."""
    subject, provider = call.response.web_subject, call.response.provider
    if subject is not None and call.identity.user_name and subject != call.identity.user_name:
        return True
    return bool(provider and issuer and arn.issuer_of(provider) != issuer)


def _thumbprint(call: Call, issuer: str) -> str | None:
    by_thumbprint = call.additional.verification == "Thumbprint" and issuer in _PUBLIC_ISSUERS
    return "thumbprint-verified" if by_thumbprint else None


def saml(record: Record) -> Access:
    """Read a SAML sign-in. Of a transient subject only the source identity says who, which the provider asserts."""
    call = call_of(record)
    subject, provider = call.identity.user_name or None, call.request.principal_arn
    answered = call.response.subject
    transient = (call.response.subject_type or "").rpartition(":")[2] == "transient"
    name = (call.source_identity if transient else None) or subject
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
        claims=(Claim(Form.SAML, name, provider),) if name and provider else (),
        user_name=name,
        unlisted="subject-unlisted",
        findings=findings(
            call.unknown_type if call.identity.type else None,
            None if subject else "subject-missing",
            "subject-mismatch" if subject and answered not in (None, subject) else None,
            "subject-transient" if transient and not call.source_identity else None,
        ),
    )
