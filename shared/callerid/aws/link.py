"""What of a CloudTrail record links it to others: the key it was made with, and the key that it issued.

Only the fields that link are declared. The secret key and the session token are not, so neither is ever decoded.

https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from msgspec import Raw, Struct, field
from msgspec.structs import replace

from callerid import moment
from callerid.access import Cloud, Kind, Outcome
from callerid.aws.caller import Attributes, Caller, actor, key_id, made_with_arn, role_without_path
from callerid.aws.record import POD_IDENTITY, ROLES_ANYWHERE, Additional, Record, Tag
from callerid.decode import decode
from callerid.names import arn, principal
from callerid.trace.link import Basis, Link, Mark, Origin, Sign, Source

CLOUD = Cloud.AWS
_HOUR_S = 3600
_ROLE_S, _FEDERATION_S, _ROOT_S = 12 * _HOUR_S, 36 * _HOUR_S, 900
"""The longest that a session lives: of a role, of GetFederationToken and GetSessionToken, of AssumeRoot."""


class _Context(Struct, frozen=True):
    attributes: Attributes | None = None


class _Began(Struct, frozen=True):
    """``userIdentity``, as far as it tells one session of a name from another."""

    context: _Context | None = field(name="sessionContext", default=None)


class _Credentials(Struct, frozen=True, omit_defaults=True):
    """Issued credentials: their id and until when they hold, and nothing else of them."""

    key: str | None = field(name="accessKeyId", default=None)
    expiration: str | None = None


class _Session(Struct, frozen=True, omit_defaults=True):
    arn: str | None = None
    assumed_id: str | None = field(name="assumedRoleId", default=None)


class _Set(Struct, frozen=True, omit_defaults=True):
    """One session of IAM Roles Anywhere."""

    credentials: _Credentials | None = None
    assumed: _Session | None = field(name="assumedRoleUser", default=None)
    source_identity: str | None = field(name="sourceIdentity", default=None)


class _Response(Struct, frozen=True, omit_defaults=True):
    credentials: _Credentials | None = None
    assumed: _Session | None = field(name="assumedRoleUser", default=None)
    federated: _Session | None = field(name="federatedUser", default=None)
    source_identity: str | None = field(name="sourceIdentity", default=None)
    token_id: str | None = field(name="webIdentityTokenId", default=None)
    sets: tuple[_Set, ...] = field(name="credentialSet", default=())
    switch_role: str | None = field(name="SwitchRole", default=None)


class _Request(Struct, frozen=True, omit_defaults=True):
    role_arn: str | None = field(name="roleArn", default=None)
    session_name: str | None = field(name="roleSessionName", default=None)
    source_identity: str | None = field(name="sourceIdentity", default=None)
    token_id: str | None = field(name="webIdentityTokenId", default=None)
    target: str | None = field(name="targetPrincipal", default=None)
    trust_anchor: str | None = field(name="trustAnchorArn", default=None)
    tags: tuple[Tag, ...] = ()


class Issue(Struct, frozen=True, array_like=True, tag="aws"):
    """What is kept of a call that issued credentials until somebody asks for it; no secret, for none is declared."""

    call: str
    service: str
    time: str | None
    record_id: str
    shared_id: str | None
    recipient: str | None
    is_refused: bool
    caller: bytes
    """The JSON of it."""
    request: _Request
    response: _Response
    switched_from: str | None
    source: str

    @property
    def last(self) -> str | None:
        """Return its own time, for it is one call."""
        return self.time

    def texts(self) -> Iterator[str | None]:
        """Yield the texts, beside the caller's, that its link's names and marks are made of."""
        yield from (self.record_id, self.shared_id, self.switched_from)
        request, response = self.request, self.response
        yield from (request.role_arn, request.session_name, request.source_identity, request.token_id, request.target)
        yield from (response.source_identity, response.token_id)
        yield from _issued(response.credentials, response.assumed)
        yield from _issued(None, response.federated)
        yield from (tag.value for tag in request.tags)
        for one in response.sets[:1]:
            yield one.source_identity
            yield _common_name(one.source_identity)
            yield from _issued(one.credentials, one.assumed)


def _issued(credentials: _Credentials | None, session: _Session | None) -> Iterator[str | None]:
    if credentials is not None:
        yield credentials.key
    if session is not None:
        yield session.arn
        yield session.assumed_id


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
    "CreateSession": (ROLES_ANYWHERE, Kind.ROLES_ANYWHERE, _ROLE_S),
}


_NOTHING_ISSUED, _NO_SESSION, _NO_REQUEST = _Credentials(), _Session(), _Request()
_COMMON_NAME = "CN="


def issues(records: Sequence[Record]) -> list[int]:
    """Return the places of the calls that may issue credentials. Every record passes here."""
    return [index for index, record in enumerate(records) if record.event_name in _ISSUES and _is_issue(record)]


def _is_issue(record: Record) -> bool:
    """Tell a call by its service too; an abridged record of one of STS's own calls names none."""
    found = _ISSUES.get(record.event_name or "")
    return found is not None and (record.event_source == found[0] or (record.event_source is None and found[0] == _STS))


def calls(records: Sequence[Record]) -> Iterator[tuple[Raw, str, str]]:
    """Yield who made each call, as JSON, when, as the record says it, and to which service."""
    return zip(
        [record.user_identity for record in records],
        [record.event_time or "" for record in records],
        [record.event_source or "" for record in records],
        strict=True,
    )


def record_id(record: Record) -> str:
    """Return the record's own id."""
    return record.event_id or ""


def began(caller: Raw) -> str | None:
    """Return when the session of a caller began, as its JSON says it."""
    context = decode(_Began, caller).context
    return moment.utc(context.attributes.created) if context and context.attributes else None


def of_caller(caller: bytes) -> Link:
    """Return what links any ordinary call of a caller, by the JSON of it: all but what is of one record alone."""
    return actor(caller).link


def link(record: Record, source: str) -> Link:
    """Return what links a record. Never raises: what is odd is absent."""
    return of_issue(issue(record, source)) if _is_issue(record) else _call(record, source)


def _call(record: Record, source: str) -> Link:
    (who, own), record_id_ = actor(bytes(record.user_identity)), record.event_id or ""
    return replace(
        own,
        call=record.event_name or "",
        service=record.event_source or "",
        time=moment.utc(record.event_time),
        access_id=record.shared_event_id or record_id_,
        records=(Source(record_id_, source),),
        account=record.recipient or who.account,
        outcome=Outcome.DENIED if record.error else Outcome.ALLOWED,
    )


def issue(record: Record, source: str) -> Issue:
    """Return what is kept of a call that issued credentials."""
    is_switch = record.event_name == "SwitchRole"
    return Issue(
        record.event_name or "",
        record.event_source or "",
        moment.utc(record.event_time),
        record.event_id or "",
        record.shared_event_id,
        record.recipient,
        record.error is not None,
        bytes(record.user_identity),
        decode(_Request, record.request),
        decode(_Response, record.response),
        decode(Additional, record.additional).switch_from if is_switch else None,
        source,
    )


def of_issue(issue: Issue) -> Link:
    """Return what links a call that issued credentials."""
    who, own = actor(issue.caller)
    _, kind, most_s = _ISSUES[issue.call]
    response, switched = issue.response, issue.switched_from
    found = response.sets[0] if response.sets else None
    credentials = response.credentials or (found.credentials if found else None) or _NOTHING_ISSUED
    session = response.assumed or response.federated or (found.assumed if found else None) or _NO_SESSION
    # What an answer shows of the session is all that the request could add, but for a token and a pod's tags.
    is_told = session.arn is not None and kind is Kind.ASSUME_ROLE and who.invoked_by != POD_IDENTITY
    request = _NO_REQUEST if is_told else issue.request
    made = session.arn or (who.arn if kind is Kind.SWITCH_ROLE else None) or request.role_arn or request.target
    after = response.source_identity or (found.source_identity if found else None) or request.source_identity
    is_denied = issue.is_refused or response.switch_role not in (None, "Success")
    role = role_without_path(request.role_arn or made)
    workload = _certificate(request, after) if kind is Kind.ROLES_ANYWHERE else _pod(request, who)
    names = (_session_name(made), request.session_name, role, after, workload.name if workload else None)
    return Link(
        cloud=CLOUD,
        kind=kind,
        call=issue.call,
        service=issue.service,
        time=issue.time,
        access_id=issue.shared_id or issue.record_id,
        records=(Source(issue.record_id, issue.source),),
        account=issue.recipient or who.account,
        outcome=Outcome.DENIED if is_denied else Outcome.ALLOWED,
        who=switched or own.who,
        made=made,
        makes=() if is_denied else _makes(kind, who, response, session, key=credentials.key, role=role),
        uses=made_with_arn(switched) if switched else (*_token(request), *_web_subject(who), *own.uses),
        names=own.names + tuple(filter(None, names)),
        began=None if switched else own.began,
        expiration=credentials.expiration,
        lasts_s=most_s,
        before=None if kind is Kind.SWITCH_ROLE else own.before,
        after=(own.before if kind is Kind.SWITCH_ROLE else after) or None,
        origin=_switch_origin(switched) if switched else workload or own.origin,
    )


def _makes(
    kind: Kind | None, who: Caller, response: _Response, session: _Session, *, key: str | None, role: str | None
) -> tuple[Mark, ...]:
    if kind is Kind.OUTBOUND_TOKEN:
        asked = (who.context and who.context.issuer and who.context.issuer.arn) or arn.role_arn(who.arn) or who.arn
        return _marks((Sign.TOKEN, response.token_id), (Sign.OUTBOUND, asked))
    return _marks(
        (Sign.KEY, key_id(key)),
        (Sign.ROLE_ID, session.assumed_id if session.assumed_id and ":" in session.assumed_id else None),
        (Sign.SESSION, session.arn or (who.arn if kind is Kind.SWITCH_ROLE else None)),
        (Sign.ROLE, role),
    )


def _marks(*found: tuple[Sign, str | None]) -> tuple[Mark, ...]:
    return tuple(Mark(sign, value) for sign, value in found if value)


@lru_cache(maxsize=8192)
def _session_name(text: str | None) -> str | None:
    found = arn.parse(text) if text else None
    return found.session if found else None


def _token(request: _Request) -> tuple[Mark, ...]:
    return (Mark(Sign.TOKEN, request.token_id),) if request.token_id else ()


def _web_subject(who: Caller) -> tuple[Mark, ...]:
    """Return the mark of a Google account's token: its unique id, which arrives as the subject."""
    is_google = who.identity_provider is not None and arn.issuer_of(who.identity_provider) == principal.ISSUER
    return (Mark(Sign.UNIQUE_ID, who.user_name),) if is_google and who.user_name else ()


def _switch_origin(switcher: str) -> Origin:
    found = arn.parse(switcher)
    if found is not None and found.type == "user":
        return Origin(switcher, "IAM user")
    return Origin(switcher, "session of unknown beginning", is_end=False, basis=Basis.INFERRED)


def _pod(request: _Request, who: Caller) -> Origin | None:
    """Return the pod that a session of EKS Pod Identity is for, which only its tags name."""
    if who.invoked_by != POD_IDENTITY:
        return None
    tags = {tag.key: tag.value for tag in request.tags}
    namespace, account = tags.get("kubernetes-namespace"), tags.get("kubernetes-service-account")
    return Origin(f"{namespace}/{account}", "pod", tags.get("eks-cluster-arn")) if namespace and account else None


def _certificate(request: _Request, source_identity: str | None) -> Origin | None:
    """Return the certificate that a session of IAM Roles Anywhere is for, by its common name under its trust anchor."""
    name = _common_name(source_identity)
    return Origin(name, "certificate", request.trust_anchor) if name else None


def _common_name(text: str | None) -> str | None:
    """Return a certificate's common name, which is printed with and without ``CN=``."""
    return (text or "").removeprefix(_COMMON_NAME) or None
