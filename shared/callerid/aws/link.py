"""What of a CloudTrail record links it to others: the key it was made with, and the key that it issued.

Only the fields that link are declared. The secret key and the session token are not, so neither is ever decoded.

https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from msgspec import Raw, Struct, field

from callerid import moment
from callerid.access import Cloud, Kind, Outcome
from callerid.aws.record import Additional, OnBehalfOf, Record, SessionIssuer, Tag
from callerid.decode import decode
from callerid.names import arn
from callerid.trace.link import Basis, Link, Mark, Origin, Sign, Source

GOOGLE = "accounts.google.com"
_HOUR_S = 3600
_ROLE_S, _FEDERATION_S, _ROOT_S = 12 * _HOUR_S, 36 * _HOUR_S, 900
"""The longest that a session lives: of a role, of GetFederationToken and GetSessionToken, of AssumeRoot."""
_KEY = re.compile(r"[A-Z0-9_]{12,128}")
"""An id of an access key, in capitals: no secret key and no token looks like it."""


class _Attributes(Struct, frozen=True):
    created: str | None = field(name="creationDate", default=None)


class _Context(Struct, frozen=True):
    issuer: SessionIssuer | None = field(name="sessionIssuer", default=None)
    attributes: _Attributes | None = None
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


class _Credentials(Struct, frozen=True):
    """Issued credentials: their id and until when they hold, and nothing else of them."""

    key: str | None = field(name="accessKeyId", default=None)
    expiration: str | None = None


class _Session(Struct, frozen=True):
    arn: str | None = None
    assumed_id: str | None = field(name="assumedRoleId", default=None)


class _Set(Struct, frozen=True):
    """One session of IAM Roles Anywhere."""

    credentials: _Credentials | None = None
    assumed: _Session | None = field(name="assumedRoleUser", default=None)
    source_identity: str | None = field(name="sourceIdentity", default=None)


class _Response(Struct, frozen=True):
    credentials: _Credentials | None = None
    assumed: _Session | None = field(name="assumedRoleUser", default=None)
    federated: _Session | None = field(name="federatedUser", default=None)
    source_identity: str | None = field(name="sourceIdentity", default=None)
    token_id: str | None = field(name="webIdentityTokenId", default=None)
    sets: tuple[_Set, ...] = field(name="credentialSet", default=())
    switch_role: str | None = field(name="SwitchRole", default=None)


class _Request(Struct, frozen=True):
    role_arn: str | None = field(name="roleArn", default=None)
    session_name: str | None = field(name="roleSessionName", default=None)
    source_identity: str | None = field(name="sourceIdentity", default=None)
    token_id: str | None = field(name="webIdentityTokenId", default=None)
    target: str | None = field(name="targetPrincipal", default=None)
    tags: tuple[Tag, ...] = ()


_STS = "sts.amazonaws.com"
_ISSUES: dict[str, tuple[str, Kind | None, int]] = {
    "AssumeRole": (_STS, Kind.ASSUME_ROLE, _ROLE_S),
    "AssumeRoleWithWebIdentity": (_STS, Kind.WEB_IDENTITY, _ROLE_S),
    "AssumeRoleWithSAML": (_STS, Kind.SAML, _ROLE_S),
    "AssumeRoot": (_STS, Kind.ROOT_SESSION, _ROOT_S),
    "GetFederationToken": (_STS, Kind.FEDERATION_TOKEN, _FEDERATION_S),
    "GetSessionToken": (_STS, None, _FEDERATION_S),
    "GetWebIdentityToken": (_STS, Kind.OUTBOUND_TOKEN, _HOUR_S),
    "SwitchRole": ("signin.amazonaws.com", Kind.SWITCH_ROLE, _ROLE_S),
    "CreateSession": ("rolesanywhere.amazonaws.com", Kind.ROLES_ANYWHERE, _ROLE_S),
}


_NOTHING_ISSUED, _NO_SESSION, _NO_REQUEST = _Credentials(), _Session(), _Request()
_POD_IDENTITY = "pods.eks.amazonaws.com"


def issues(records: Sequence[Record]) -> list[int]:
    """Return the places of the calls that may issue credentials. Every record passes here."""
    return [index for index, record in enumerate(records) if record.event_name in _ISSUES and _is_issue(record)]


def _is_issue(record: Record) -> bool:
    """Tell a call by its service too; an abridged record of one of STS's own calls names none."""
    found = _ISSUES.get(record.event_name or "")
    return found is not None and (record.event_source == found[0] or (record.event_source is None and found[0] == _STS))


def calls(records: Sequence[Record]) -> Iterator[tuple[Raw, str, str]]:
    """Yield who made each call, as JSON, when, as the record says it, and to which service."""
    return ((record.user_identity, record.event_time or "", record.event_source or "") for record in records)


def record_id(record: Record) -> str:
    """Return the record's own id."""
    return record.event_id or ""


class _Actor(NamedTuple):
    """Who made a call, and with what; the same for every call of a session."""

    caller: Caller
    who: str | None
    uses: tuple[Mark, ...]
    names: tuple[str, ...]
    began: str | None
    source_identity: str | None
    origin: Origin | None


@lru_cache(maxsize=8192)
def _actor(data: bytes) -> _Actor:
    """Return who made a call, by the JSON of it. Sessions repeat, so the same JSON is decoded once."""
    caller_ = decode(Caller, Raw(data))
    attributes = caller_.context.attributes if caller_.context else None
    return _Actor(
        caller_,
        _name(caller_),
        _made_with(caller_),
        _names(caller_),
        moment.utc(attributes.created) if attributes else None,
        (caller_.context.source_identity if caller_.context else None) or None,
        _origin(caller_),
    )


def link(record: Record, source: str) -> Link:
    """Return what links a record. Never raises: what is odd is absent."""
    actor = _actor(bytes(record.user_identity))
    return _issue(record, actor, source) if _is_issue(record) else _call(record, actor, source)


def _call(record: Record, actor: _Actor, source: str) -> Link:
    record_id_ = record.event_id or ""
    return Link(
        cloud=Cloud.AWS,
        kind=Kind.SESSION_USE if actor.caller.type == "AssumedRole" else None,
        call=record.event_name or "",
        service=record.event_source or "",
        time=moment.utc(record.event_time),
        access_id=record.shared_event_id or record_id_,
        records=(Source(record_id_, source),),
        account=record.recipient or actor.caller.account,
        outcome=Outcome.DENIED if record.error else Outcome.ALLOWED,
        who=actor.who,
        uses=actor.uses,
        names=actor.names,
        began=actor.began,
        before=actor.source_identity,
        is_forwarded=(actor.caller.invoked_by or "").endswith(".amazonaws.com"),
        origin=actor.origin,
    )


def _issue(record: Record, actor: _Actor, source: str) -> Link:
    who = actor.caller
    _, kind, most_s = _ISSUES[record.event_name or ""]
    response = decode(_Response, record.response)
    found = response.sets[0] if response.sets else None
    credentials = response.credentials or (found.credentials if found else None) or _NOTHING_ISSUED
    session = response.assumed or response.federated or (found.assumed if found else None) or _NO_SESSION
    # What an answer shows of the session is all that the request could add, but for a token and a pod's tags.
    is_told = session.arn is not None and kind is Kind.ASSUME_ROLE and who.invoked_by != _POD_IDENTITY
    request = _NO_REQUEST if is_told else decode(_Request, record.request)
    switched = decode(Additional, record.additional).switch_from if kind is Kind.SWITCH_ROLE else None
    made = session.arn or (who.arn if kind is Kind.SWITCH_ROLE else None) or request.role_arn or request.target
    after = response.source_identity or (found.source_identity if found else None) or request.source_identity
    record_id_ = record.event_id or ""
    is_denied = record.error is not None or response.switch_role not in (None, "Success")
    role = _role(request.role_arn or made)
    names = (_session_name(made), request.session_name, role, after)
    return Link(
        cloud=Cloud.AWS,
        kind=kind,
        call=record.event_name or "",
        service=record.event_source or "",
        time=moment.utc(record.event_time),
        access_id=record.shared_event_id or record_id_,
        records=(Source(record_id_, source),),
        account=record.recipient or who.account,
        outcome=Outcome.DENIED if is_denied else Outcome.ALLOWED,
        who=switched or actor.who,
        made=made,
        makes=() if is_denied else _makes(record, who, response, session, key=credentials.key, role=role),
        uses=_made_with_arn(switched) if switched else (*_token(request), *_web_subject(who), *actor.uses),
        names=actor.names + tuple(name for name in names if name),
        began=None if switched else actor.began,
        expiration=credentials.expiration,
        lasts_s=most_s,
        before=None if kind is Kind.SWITCH_ROLE else actor.source_identity,
        after=(actor.source_identity if kind is Kind.SWITCH_ROLE else after) or None,
        origin=_switch_origin(switched) if switched else _workload(request, who) or actor.origin,
    )


def _makes(
    record: Record, who: Caller, response: _Response, session: _Session, *, key: str | None, role: str | None
) -> tuple[Mark, ...]:
    found: list[Mark] = []
    if record.event_name == "GetWebIdentityToken":
        if response.token_id:
            found.append(Mark(Sign.TOKEN, response.token_id))
        asked = (who.context and who.context.issuer and who.context.issuer.arn) or arn.role_arn(who.arn) or who.arn
        if asked:
            found.append(Mark(Sign.OUTBOUND, asked))
        return tuple(found)
    if key and _KEY.fullmatch(key):
        found.append(Mark(Sign.KEY, key))
    if session.assumed_id and ":" in session.assumed_id:
        found.append(Mark(Sign.ROLE_ID, session.assumed_id))
    made = session.arn or (who.arn if record.event_name == "SwitchRole" else None)
    if made:
        found.append(Mark(Sign.SESSION, made))
    if role:
        found.append(Mark(Sign.ROLE, role))
    return tuple(found)


@lru_cache(maxsize=8192)
def _role(text: str | None) -> str | None:
    """Return a role's ARN without its path, which a session's ARN does not show."""
    found = arn.role_of(text)
    return f"arn:{found.partition}:iam::{found.account}:role/{found.name}" if found else None


@lru_cache(maxsize=8192)
def _session_name(text: str | None) -> str | None:
    found = arn.parse(text) if text else None
    return found.session if found else None


def _made_with(who: Caller) -> tuple[Mark, ...]:
    """Return the marks of the credentials that a call was made with, the strongest first."""
    marks = []
    if who.key and _KEY.fullmatch(who.key):
        marks.append(Mark(Sign.KEY, who.key))
    if who.principal_id and who.principal_id.startswith("AROA") and ":" in who.principal_id:
        marks.append(Mark(Sign.ROLE_ID, who.principal_id))
    return (*marks, *_made_with_arn(who.arn))


@lru_cache(maxsize=8192)
def _made_with_arn(text: str | None) -> tuple[Mark, ...]:
    found = arn.parse(text) if text else None
    if text is None or found is None or found.type not in ("assumed-role", "federated-user"):
        return ()
    return (Mark(Sign.SESSION, text),)


def _token(request: _Request) -> tuple[Mark, ...]:
    return (Mark(Sign.TOKEN, request.token_id),) if request.token_id else ()


def _web_subject(who: Caller) -> tuple[Mark, ...]:
    """Return the mark of a Google account's token: its unique id, which arrives as the subject."""
    is_google = who.identity_provider is not None and arn.issuer_of(who.identity_provider) == GOOGLE
    return (Mark(Sign.UNIQUE_ID, who.user_name),) if is_google and who.user_name else ()


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
        _role(issuer) or _role(who.arn),
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
            what = "Google account" if issuer == GOOGLE else "OpenID Connect subject"
            return Origin(who.user_name, what, issuer or None) if who.user_name else None
        case "SAMLUser":
            return Origin(who.user_name, "SAML subject", who.identity_provider) if who.user_name else None
        case "IAMUser" | "Root" if not _is_temporary(who):
            return Origin(name, "IAM user" if who.type == "IAMUser" else "root user") if name else None
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
    context = who.context or _Context()
    found = arn.parse(who.arn or "")
    if context.issuer and arn.is_identity_center(context.issuer.arn) and found and found.session:
        return Origin(found.session, "Identity Center user", context.issuer.arn)
    if context.source_identity:
        return Origin(context.source_identity, "source identity", name, is_end=False)
    return Origin(name, "session of unknown beginning", is_end=False, basis=Basis.INFERRED) if name else None


def _switch_origin(switcher: str) -> Origin:
    found = arn.parse(switcher)
    if found is not None and found.type == "user":
        return Origin(switcher, "IAM user")
    return Origin(switcher, "session of unknown beginning", is_end=False, basis=Basis.INFERRED)


def _workload(request: _Request, who: Caller) -> Origin | None:
    """Return the pod that a session of EKS Pod Identity is for, which only its tags name."""
    if who.invoked_by != _POD_IDENTITY:
        return None
    tags = {tag.key: tag.value for tag in request.tags}
    namespace, account = tags.get("kubernetes-namespace"), tags.get("kubernetes-service-account")
    return Origin(f"{namespace}/{account}", "pod", tags.get("eks-cluster-arn")) if namespace and account else None
