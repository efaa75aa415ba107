"""Who made a call of CloudTrail's, as far as that links it to others: ``userIdentity``.

The same for every call of a session, so by the JSON of it the link of a whole session's calls is known.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from msgspec import Raw, Struct, field

from callerid import moment
from callerid.access import Cloud, Kind
from callerid.aws.record import OnBehalfOf, SessionIssuer, is_service
from callerid.decode import decode
from callerid.names import arn, principal
from callerid.trace.link import Basis, Link, Mark, Origin, Sign

_KEY = re.compile(r"[A-Z0-9_]{12,128}")
"""An id of an access key, in capitals: no secret key and no token looks like it."""


class Attributes(Struct, frozen=True):
    """When a session began."""

    created: str | None = field(name="creationDate", default=None)


class _Context(Struct, frozen=True):
    issuer: SessionIssuer | None = field(name="sessionIssuer", default=None)
    attributes: Attributes | None = None
    source_identity: str | None = field(name="sourceIdentity", default=None)


class Caller(Struct, frozen=True):
    """``userIdentity``, as far as it links."""

    type: str | None = None
    principal_id: str | None = field(name="principalId", default=None)
    arn: str | None = None
    account: str | None = field(name="accountId", default=None)
    key: str | None = field(name="accessKeyId", default=None)
    user_name: str | None = field(name="userName", default=None)
    identity_provider: str | None = field(name="identityProvider", default=None)
    context: _Context | None = field(name="sessionContext", default=None)
    invoked_by: str | None = field(name="invokedBy", default=None)
    on_behalf_of: OnBehalfOf | None = field(name="onBehalfOf", default=None)


_NO_CONTEXT = _Context()


class Actor(NamedTuple):
    """Who made a call; the same for every call of a session."""

    caller: Caller
    link: Link


@lru_cache(maxsize=8192)
def actor(data: bytes) -> Actor:
    """Return who made a call. Sessions repeat, so the same JSON is decoded once."""
    caller = decode(Caller, Raw(data))
    context = caller.context or _NO_CONTEXT
    link_ = Link(
        cloud=Cloud.AWS,
        kind=Kind.SESSION_USE if caller.type == "AssumedRole" else None,
        call="",
        access_id="",
        who=_name(caller),
        uses=_made_with(caller),
        names=_names(caller),
        began=moment.utc(context.attributes.created) if context.attributes else None,
        before=context.source_identity or None,
        is_forwarded=is_service(caller.invoked_by),
        origin=_origin(caller),
    )
    return Actor(caller, link_)


def _made_with(who: Caller) -> tuple[Mark, ...]:
    """Return the marks of the credentials that a call was made with, the strongest first."""
    marks = []
    if key := key_id(who.key):
        marks.append(Mark(Sign.KEY, key))
    if who.principal_id and who.principal_id.startswith("AROA") and ":" in who.principal_id:
        marks.append(Mark(Sign.ROLE_ID, who.principal_id))
    return (*marks, *made_with_arn(who.arn))


@lru_cache(maxsize=8192)
def made_with_arn(text: str | None) -> tuple[Mark, ...]:
    """Return the mark of a session by its ARN; of anybody else's ARN none."""
    found = arn.parse(text) if text else None
    if text is None or found is None or found.type not in ("assumed-role", "federated-user"):
        return ()
    return (Mark(Sign.SESSION, text),)


def key_id(text: str | None) -> str | None:
    """Return the id of an access key; none of what only stands in the place of one."""
    return text if text and _KEY.fullmatch(text) else None


def _name(who: Caller) -> str | None:
    """Return the best name of a caller."""
    if who.type in ("WebIdentityUser", "SAMLUser"):
        return who.user_name or who.principal_id
    if who.arn or not who.principal_id:
        return who.arn or who.invoked_by or (who.on_behalf_of and who.on_behalf_of.user_id) or who.user_name or None
    return f"{who.account}:{who.principal_id}" if who.account else who.principal_id


def _names(who: Caller) -> tuple[str, ...]:
    """Return the names by which a person may ask for a caller, beside its marks."""
    found = arn.parse(who.arn or "")
    issuer = who.context.issuer.arn if who.context and who.context.issuer else None
    unique_id = (who.principal_id or "").partition(":")[0]
    names = (
        who.arn,
        who.user_name,
        who.principal_id,
        unique_id,
        role_without_path(issuer) or role_without_path(who.arn),
        found.session if found else None,
        who.context.source_identity if who.context else None,
        who.invoked_by,
        who.on_behalf_of.user_id if who.on_behalf_of else None,
    )
    return tuple(dict.fromkeys(filter(None, names)))


def _origin(who: Caller) -> Origin | None:
    """Return who a call leads to when nothing more is known of its session."""
    name = _name(who)
    match who.type:
        case "WebIdentityUser":
            issuer = arn.issuer_of(who.identity_provider)
            what = "Google account" if issuer == principal.ISSUER else "OpenID Connect subject"
            return Origin(who.user_name, what, issuer or None) if who.user_name else None
        case "SAMLUser":
            return Origin(who.user_name, "SAML subject", who.identity_provider) if who.user_name else None
        case "IAMUser":  # also by a temporary key: GetSessionToken and the console give a user their own alone
            return Origin(name, "IAM user") if name else None
        case "Root" if not _is_temporary(who):  # AssumeRoot's sessions say that they are root
            return Origin(name, "root user") if name else None
        case "AWSService":
            return Origin(who.invoked_by, "AWS service") if who.invoked_by else None
        case "IdentityCenterUser":
            return Origin(name, "Identity Center user") if name else None
        case "AWSAccount":
            return Origin(name, "principal of another account", is_end=False) if name else None
    return _origin_of_session(who, name)


def _is_temporary(who: Caller) -> bool:
    return bool(who.key and who.key.startswith("ASIA"))


def _origin_of_session(who: Caller, name: str | None) -> Origin | None:
    """Return what a session without a beginning says of who began it: its source identity, or its name alone."""
    context = who.context or _NO_CONTEXT
    found = arn.parse(who.arn or "")
    if context.issuer and arn.is_identity_center(context.issuer.arn) and found and found.session:
        return Origin(found.session, "Identity Center user", context.issuer.arn)
    if context.source_identity:
        return Origin(context.source_identity, "source identity", name, is_end=False)
    return Origin(name, "session of unknown beginning", is_end=False, basis=Basis.INFERRED) if name else None


@lru_cache(maxsize=8192)
def role_without_path(text: str | None) -> str | None:
    """Return a role's ARN without its path, which a session's ARN does not show."""
    found = arn.role_of(text)
    return found.arn if found else None
