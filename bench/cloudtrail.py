"""CloudTrail log files of an invented tenant, in the layout and with the mix of a real one.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

import tenant
from calls import CALLS, SERVICES, Call
from fields import Fields, address, lower_id, opaque, upper_id, uuid

DAYS = 5
SESSION_COUNT = 4_000
_ACTIVE_COUNT = 160
"""How many sessions are at work while one file is written."""
_SESSION_EVERY_S = DAYS * 86_400 // (SESSION_COUNT - _ACTIVE_COUNT)
_DENIED = 0.025
_AGENTS = (
    "Boto3/1.40.21 md/Botocore#1.40.21 ua/2.1 os/linux#6.8.0-1031-aws md/arch#x86_64 lang/python#3.12.7"
    " md/pyimpl#CPython m/Z,b cfg/retry-mode#standard Botocore/1.40.21",
    "aws-sdk-go-v2/1.36.3 ua/2.1 os/linux lang/go#1.24.2 md/GOOS#linux md/GOARCH#arm64 api/sts#1.33.19 m/E,g",
    "aws-sdk-java/2.31.45 md/io#async md/http#NettyNio ua/2.1 os/Linux#6.1.134 lang/java#21.0.7"
    " md/OpenJDK_64-Bit_Server_VM#21.0.7+6-LTS md/en cfg/retry-mode#legacy",
    "APN/1.0 HashiCorp/1.0 Terraform/1.12.2 (+https://www.terraform.io)"
    " terraform-provider-aws/6.4.0 aws-sdk-go-v2/1.36.5"
    " ua/2.1 os/linux lang/go#1.24.4",
    "aws-cli/2.28.14 md/awscrt#0.27.2 ua/2.1 os/linux#6.8.0-79-generic md/arch#x86_64 lang/python#3.13.7"
    " cfg/retry-mode#standard md/installer#exe md/prompt#off md/command#sts.assume-role",
)
_CALLS_OF_SERVICES = tuple(call for call in CALLS if call.source in ("s3.amazonaws.com", "kms.amazonaws.com"))
_AWS_SERVICES = ("lambda", "ec2", "ecs-tasks", "autoscaling", "config", "rds", "guardduty", "ssm", "backup", "eks")


class Sender(NamedTuple):
    """Where a call comes from: the JSON of ``userIdentity``, the address and the program."""

    identity: str
    ip: str
    agent: str


class Session(NamedTuple):
    """A role's session, and what stays the same while it works."""

    sender: Sender
    role: str
    name: str
    calls: tuple[Call, ...]


def records(seed: int, file: int, start_s: int) -> Iterator[str]:
    """Yield the records of a log file, without end; the same for the same seed and file."""
    rng = random.Random(f"{seed}/cloudtrail/{file}")
    first = min(start_s // _SESSION_EVERY_S, SESSION_COUNT - _ACTIVE_COUNT)
    active = sessions(seed)[first : first + _ACTIVE_COUNT]
    weights = [1 / (1 + index % 40) for index in range(_ACTIVE_COUNT)]
    totals = [sum(weights[: index + 1]) for index in range(_ACTIVE_COUNT)]
    kinds, shares = zip(*_MIX, strict=True)
    while True:
        for kind in rng.choices(kinds, shares, k=256):
            session = rng.choices(active, cum_weights=totals)[0]
            yield kind(rng, session, _time(start_s + rng.randrange(300)))


def _time(second: int) -> str:
    day, rest = divmod(second, 86_400)
    return f"2026-11-{2 + day:02d}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}Z"


@functools.cache
def sessions(seed: int) -> tuple[Session, ...]:
    """Return the sessions of the whole corpus."""
    rng = random.Random(f"{seed}/sessions")
    roles = _roles(rng)
    names = rng.choices(list(roles), [weight for weight, _ in roles.values()], k=SESSION_COUNT)
    return tuple(
        _session(rng, name, *roles[name][1], _time((number - _ACTIVE_COUNT) * _SESSION_EVERY_S))
        for number, name in enumerate(names)
    )


def _roles(rng: random.Random) -> dict[str, tuple[float, tuple[str, tuple[Call, ...]]]]:
    """Return each role's share of the sessions, its id and the calls that it makes: few services each."""
    named = {"tenant-data": 0.08, "ops": 0.04, "batch": 0.04, "loader": 0.04, "crosscloud-export": 0.05}
    others = {f"svc-{rng.choice(('api', 'worker', 'sync', 'etl', 'ci'))}-{index:02d}": 0.012 for index in range(48)}
    people = {f"aws-reserved/sso.amazonaws.com/AWSReservedSSO_{name}_{lower_id(rng, 16)}": 0.06 for name in _SETS}
    return {
        name: (share, ("AROA" + upper_id(rng, 17), _calls_of(rng))) for name, share in (named | others | people).items()
    }


_SETS = ("Developer", "ReadOnly", "Admin")


def _calls_of(rng: random.Random) -> tuple[Call, ...]:
    services = rng.sample(SERVICES, k=rng.choice((2, 2, 3, 4)))
    return tuple(call for call in CALLS if call.source.partition(".")[0] in services)


def _session(rng: random.Random, role: str, role_id: str, calls: tuple[Call, ...], created: str) -> Session:
    short = role.rpartition("/")[2]
    source_identity = _source_identity(rng, role)
    name = _session_name(rng, role, source_identity)
    extra = f',"sourceIdentity":"{source_identity}"' if source_identity else ""
    extra += ',"ec2RoleDelivery":"2.0"' if name.startswith("i-") else ""
    federation = '"webIdFederationData":{},' if rng.random() < 0.6 else ""
    identity = (
        f'{{"type":"AssumedRole","principalId":"{role_id}:{name}"'
        f',"arn":"arn:aws:sts::{tenant.ACCOUNT}:assumed-role/{short}/{name}","accountId":"{tenant.ACCOUNT}"'
        f',"accessKeyId":"ASIA{upper_id(rng, 16)}","sessionContext":{{"sessionIssuer":{{"type":"Role"'
        f',"principalId":"{role_id}","arn":"{tenant.role(role)}","accountId":"{tenant.ACCOUNT}","userName":"{short}"}}'
        f',{federation}"attributes":{{"creationDate":"{created}","mfaAuthenticated":"false"}}{extra}}}}}'
    )
    return Session(Sender(identity, address(rng), rng.choice(_AGENTS)), role, name, calls)


def _source_identity(rng: random.Random, role: str) -> str | None:
    if role == "tenant-data":
        return rng.choice(tenant.SOURCE_IDENTITIES) if rng.random() < 0.95 else None
    return f"user{rng.randrange(200)}@example.com" if role.startswith("svc-") and rng.random() < 0.1 else None


def _session_name(rng: random.Random, role: str, source_identity: str | None) -> str:
    if role == "tenant-data" and source_identity:
        return source_identity
    if "AWSReservedSSO" in role:
        return f"user{rng.randrange(200)}@example.com"
    if role == "tenant-data":
        return f"botocore-session-{rng.randrange(10**9, 2 * 10**9)}"
    if role == "ops":
        return rng.choice(("work_api", "batch", f"user{rng.randrange(50)}"))
    return rng.choice((f"botocore-session-{rng.randrange(10**9, 2 * 10**9)}", f"i-{rng.getrandbits(68):017x}", role))


def _record(
    rng: random.Random,
    call: Call,
    fields: Fields,
    sender: Sender,
    *,
    error: tuple[str, str] | None = None,
    shared: bool = False,
) -> str:
    denied = f'"errorCode":"{error[0]}","errorMessage":"{error[1]}",' if error else ""
    response = "null" if error else call.response % fields
    additional = f'"additionalEventData":{call.additional % fields},' if call.additional else ""
    resources = f'"resources":[{call.resources % fields}],' if call.resources else ""
    both = f'"sharedEventID":"{uuid(rng)}",' if shared else ""
    tls = (
        ""
        if sender.ip.endswith(".com")
        else ',"tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256"'
        f',"clientProvidedHostHeader":"{call.source.partition(".")[0]}.us-east-1.amazonaws.com"}}'
    )
    return (
        f'{{"eventVersion":"1.11","userIdentity":{sender.identity},"eventTime":"{fields["time"]}","eventSource":"{call.source}"'
        f',"eventName":"{call.name}","awsRegion":"us-east-1","sourceIPAddress":"{sender.ip}"'
        f',"userAgent":"{sender.agent}",{denied}'
        f'"requestParameters":{call.request % fields},"responseElements":{response},{additional}'
        f'"requestID":"{uuid(rng)}","eventID":"{uuid(rng)}","readOnly":{call.read_only},{resources}'
        f'"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"{tenant.ACCOUNT}",{both}'
        f'"eventCategory":"Management"{tls}}}'
    )


def _session_call(rng: random.Random, session: Session, time: str) -> str:
    call = rng.choice(session.calls)
    fields = Fields(rng, account=tenant.ACCOUNT, time=time)
    error = None
    if rng.random() < _DENIED:
        action = f"{call.source.partition('.')[0]}:{call.name}"
        who = f"arn:aws:sts::{tenant.ACCOUNT}:assumed-role/{session.role.rpartition('/')[2]}/{session.name}"
        message = (
            f"User: {who} is not authorized to perform: {action} because no identity-based policy allows the action"
        )
        error = ("AccessDenied", message)
    return _record(rng, call, fields, session.sender, error=error)


def _user(rng: random.Random) -> tuple[str, str]:
    """Return an IAM user's name and the JSON of its ``userIdentity``."""
    number = rng.randrange(40)
    name = f"deploy-{number}" if number else "work_api"
    user_id = f"AIDAEXAMPLEEXAMPLE{number + 1:03d}"
    return name, (
        f'{{"type":"IAMUser","principalId":"{user_id}","arn":"arn:aws:iam::{tenant.ACCOUNT}:user/{name}"'
        f',"accountId":"{tenant.ACCOUNT}","accessKeyId":"AKIAEXAMPLEEXAMPL{number:03d}","userName":"{name}"}}'
    )


def _user_call(rng: random.Random, session: Session, time: str) -> str:
    fields = Fields(rng, account=tenant.ACCOUNT, time=time)
    sender = session.sender._replace(identity=_user(rng)[1])
    return _record(rng, rng.choice(session.calls), fields, sender)


def _service_call(rng: random.Random, _session: Session, time: str) -> str:
    by = f"{rng.choice(_AWS_SERVICES)}.amazonaws.com"
    fields = Fields(rng, account=tenant.ACCOUNT, time=time)
    identity = f'{{"type":"AWSService","invokedBy":"{by}"}}'
    return _record(rng, rng.choice(_CALLS_OF_SERVICES), fields, Sender(identity, by, by), shared=True)


def _assume(
    rng: random.Random,
    name: str,
    role: str,
    session_name: str,
    *,
    request: str = "",
    response: str = "",
    additional: str = "",
) -> Call:
    """Return a call of STS that makes a session; ``request`` and ``response`` are what else it shows."""
    account, short = role.split(":")[4], role.rpartition("/")[2]
    credentials = (
        f'{{"accessKeyId":"ASIA{upper_id(rng, 16)}","sessionToken":"{opaque(rng, 300)}"'
        ',"expiration":"Nov 2, 2026, 11:59:59 PM"}'
    )
    return Call(
        "sts.amazonaws.com",
        name,
        "true",
        f'{{"roleArn":"{role}","roleSessionName":"{session_name}"{request}}}',
        f'{{"credentials":{credentials},"assumedRoleUser":{{"assumedRoleId":"AROA{upper_id(rng, 17)}:{session_name}"'
        f',"arn":"arn:aws:sts::{account}:assumed-role/{short}/{session_name}"}}{response}}}',
        additional,
        f'{{"accountId":"{account}","type":"AWS::IAM::Role","ARN":"{role}"}}',
    )


def _sts(rng: random.Random, call: Call, time: str, sender: Sender, error: str = "") -> str:
    """Write a record of STS; where two accounts or a service take part, both copies share an id."""
    shared = "AWSService" in sender.identity or "AWSAccount" in sender.identity or tenant.OTHER_ACCOUNT in call.request
    escaped = Call(*(part.replace("%", "%%") for part in call))
    denied = ("AccessDenied", error) if error else None
    return _record(rng, escaped, Fields(rng, time=time), sender, error=denied, shared=shared)


def _service_assume(rng: random.Random, _session: Session, time: str) -> str:
    service = rng.choice(_AWS_SERVICES)
    by = f"{service}.amazonaws.com"
    if service in ("lambda", "ec2", "ecs-tasks"):
        role = tenant.role(f"svc-worker-{rng.randrange(40):02d}")
    else:
        role = tenant.role(f"aws-service-role/{by}/AWSServiceRoleFor{service.title()}")
    name = f"i-{rng.getrandbits(68):017x}" if service == "ec2" else f"{service}-session"
    call = _assume(rng, "AssumeRole", role, name, request=',"durationSeconds":3600')
    return _sts(rng, call, time, Sender(f'{{"type":"AWSService","invokedBy":"{by}"}}', by, by))


def _web_identity(rng: random.Random, session: Session, time: str) -> str:
    subject, role = _web_caller(rng)
    issuer, audience = ("accounts.google.com", subject) if subject.isdigit() else (tenant.GITHUB, tenant.STS_AUDIENCE)
    provider = issuer if subject.isdigit() else f"arn:aws:iam::{tenant.ACCOUNT}:oidc-provider/{issuer}"
    name = "GitHubActions" if issuer == tenant.GITHUB else f"job-{rng.randrange(10**6)}"
    nobody = rng.random() < 0.004
    user = "" if nobody else f',"userName":"{subject}"'
    shown = "" if nobody else f'"subjectFromWebIdentityToken":"{subject}",'
    identity = (
        f'{{"type":"WebIdentityUser","principalId":"{provider}:{audience}:{"" if nobody else subject}"{user}'
        f',"identityProvider":"{provider}"}}'
    )
    response = f',{shown}"provider":"{provider}","audience":"{audience}"'
    additional = '{"RequestDetails":{"endpointType":"regional","awsServingRegion":"us-east-1"}}'
    if issuer == tenant.GITHUB:
        additional = '{"identityProviderConnectionVerificationMethod":"IAMTrustStore",' + additional[1:]
    call = _assume(rng, "AssumeRoleWithWebIdentity", role, name, response=response, additional=additional)
    error = "Not authorized to perform sts:AssumeRoleWithWebIdentity" if rng.random() < 0.03 else ""
    return _sts(rng, call, time, session.sender._replace(identity=identity), error)


def _web_caller(rng: random.Random) -> tuple[str, str]:
    """Return the subject of a web identity's token and the role that it asks for; one in sixteen is unlisted."""
    callers = (
        (tenant.EXPORT_ID, tenant.EXPORT_ROLE),
        (tenant.MIRROR_ID, tenant.EXPORT_ROLE),
        (tenant.CATALOG_ID, tenant.CATALOG_ROLE),
        (tenant.RELEASE_SUBJECT, tenant.DEPLOY_ROLE),
        (tenant.BUILD_SUBJECTS.replace("*", f"v{rng.randrange(4)}.{rng.randrange(60)}"), tenant.DEPLOY_ROLE),
        (tenant.DOCS_SUBJECT, tenant.DOCS_ROLE),
        (rng.choice(tenant.UNLISTED_IDS), tenant.EXPORT_ROLE),
        (rng.choice(tenant.UNLISTED_SUBJECTS), tenant.DEPLOY_ROLE),
        (tenant.CATALOG_ID, tenant.EXPORT_ROLE),
    )
    return rng.choices(callers, (36, 20, 12, 12, 8, 6, 3, 2, 1))[0]


def _role_assume(rng: random.Random, session: Session, time: str) -> str:
    """Write an AssumeRole within our accounts; those of the required role name the caller, but for a few."""
    if session.role in ("batch", "loader"):
        identity, source_identity, role = session.sender.identity, session.role, tenant.SOURCE_IDENTITY_ROLE
    elif rng.random() < 0.3:
        name, identity = _user(rng)
        role = tenant.SOURCE_IDENTITY_ROLE if name == "work_api" else tenant.role("readers", tenant.OTHER_ACCOUNT)
        source_identity = name
    else:
        identity, source_identity = session.sender.identity, ""
        role = tenant.role(f"readers-{rng.randrange(20)}", tenant.OTHER_ACCOUNT)
    if rng.random() < 0.02:
        source_identity = ""
    extra = f',"sourceIdentity":"{source_identity}"' if source_identity else ""
    name = source_identity or session.name
    call = _assume(rng, "AssumeRole", role, name, request=f'{extra},"durationSeconds":3600', response=extra)
    error = "User is not authorized to perform: sts:AssumeRole" if rng.random() < 0.03 else ""
    return _sts(rng, call, time, session.sender._replace(identity=identity), error)


def _account_assume(rng: random.Random, session: Session, time: str) -> str:
    """Write the target's copy of an AssumeRole from another account; a few are from one that is not ours."""
    account = tenant.FOREIGN_ACCOUNT if rng.random() < 0.1 else tenant.OTHER_ACCOUNT
    identity = f'{{"type":"AWSAccount","principalId":"AROA{upper_id(rng, 17)}:{session.name}","accountId":"{account}"}}'
    call = _assume(rng, "AssumeRole", tenant.role("svc-sync-01"), session.name)
    return _sts(rng, call, time, session.sender._replace(identity=identity))


def _saml(rng: random.Random, session: Session, time: str) -> str:
    subject = tenant.ANALYST if rng.random() < 0.9 else "temp@example.com"
    identity = (
        f'{{"type":"SAMLUser","principalId":"kQhXr0yDp1aEm4Gd7sYq2Zr5Wc8=:{subject}","userName":"{subject}"'
        ',"identityProvider":"kQhXr0yDp1aEm4Gd7sYq2Zr5Wc8="}'
    )
    request = f',"sAMLAssertionID":"_{uuid(rng)}","principalArn":"{tenant.SAML_PROVIDER}","durationSeconds":3600'
    response = (
        f',"subject":"{subject}","subjectType":"persistent","issuer":"https://idp.example.com/saml"'
        ',"audience":"https://signin.aws.amazon.com/saml","nameQualifier":"kQhXr0yDp1aEm4Gd7sYq2Zr5Wc8="'
    )
    call = _assume(rng, "AssumeRoleWithSAML", tenant.ANALYST_ROLE, subject, request=request, response=response)
    return _sts(rng, call, time, session.sender._replace(identity=identity))


_MIX: tuple[tuple[Callable[[random.Random, Session, str], str], float], ...] = (
    (_session_call, 74.5),
    (_service_assume, 10),
    (_user_call, 6),
    (_web_identity, 4),
    (_role_assume, 3),
    (_service_call, 2),
    (_account_assume, 0.2),
    (_saml, 0.3),
)
