"""Records of both clouds from the few fields that link them, as the cases write them."""

# ruff: noqa: A002, PLR0917  # a case writes `id:`, and names every field

import json

DAY = "2026-11-02"
ACCOUNT = "111111111111"
PROJECT = "my-gcp-project"
POOL = "projects/123456789012/locations/global/workloadIdentityPools/crosscloud-test"


def records(steps):
    """The records of a story: each step is one maker's name with its fields."""
    return [record for step in steps for name, fields in step.items() for record in _listed(MAKERS[name](**fields))]


def _listed(made):
    return made if isinstance(made, list) else [made]


def lines(steps):
    """The story as JSON lines."""
    return "".join(f"{json.dumps(record)}\n" for record in records(steps))


def time(at):
    """A time of the stories' day, or a whole one."""
    return at if at is None or "T" in at else f"{DAY}T{at}Z"


def identity(by, key=None, began=None, source_identity=None, role_id=None):
    """``userIdentity`` of ``user/NAME``, ``ACCOUNT:user/NAME``, ``ROLE/SESSION``, a service or an id."""
    account, _, name = by.rpartition(":") if ":user/" in by or by[:12].isdigit() else (ACCOUNT, "", by)
    account = account or ACCOUNT
    if name.endswith(".amazonaws.com"):
        return {"type": "AWSService", "invokedBy": name}
    if name.startswith(("AIDA", "AROA")):
        return {
            "type": "AWSAccount",
            "principalId": name if account == ACCOUNT else by.partition(":")[2],
            "accountId": account,
        }
    if name.startswith("user/"):
        return _without_none({
            "type": "IAMUser", "principalId": f"AIDA{name[5:].upper()}", "arn": f"arn:aws:iam::{account}:{name}",
            "accountId": account, "accessKeyId": key or "AKIAEXAMPLEEXAMPLE001", "userName": name[5:],
        })  # fmt: skip
    role, _, session = name.partition("/")
    return _without_none({
        "type": "AssumedRole",
        "principalId": role_id or f"{id_of(role)}:{session}",
        "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
        "accountId": account,
        "accessKeyId": key,
        "sessionContext": _without_none({
            "sessionIssuer": {"type": "Role", "arn": f"arn:aws:iam::{account}:role/{role}", "userName": role},
            "attributes": {"creationDate": time(began), "mfaAuthenticated": "false"} if began else None,
            "sourceIdentity": source_identity,
        }),
    })  # fmt: skip


def id_of(role):
    """The unique id of a role."""
    return "AROA" + "".join(sign for sign in role.upper() if sign.isalnum()).ljust(16, "X")[:16]


def _without_none(fields):
    return {name: value for name, value in fields.items() if value is not None}


def call(
    id, at, by, event="ListBuckets", service="s3.amazonaws.com", key=None, began=None, source_identity=None,
    error=None, shared=None, request=None, response=None, additional=None, account=None, user=None, role_id=None,
    invoked_by=None,
):  # fmt: skip
    """A call of CloudTrail."""
    who = user or identity(by, key, began, source_identity, role_id)
    if invoked_by:
        who = {**who, "invokedBy": invoked_by}
    return _without_none({
        "userIdentity": who, "eventTime": time(at), "eventSource": service, "eventName": event,
        "awsRegion": "us-east-1", "requestParameters": request, "responseElements": response,
        "additionalEventData": additional, "errorCode": error, "eventID": id, "sharedEventID": shared,
        "recipientAccountId": account or who.get("accountId", ACCOUNT),
    })  # fmt: skip


def _issued(role, session, makes, expires, source_identity, account):
    return _without_none({
        "credentials": _without_none({"accessKeyId": makes, "sessionToken": "SECRETTOKEN", "expiration": expires}),
        "assumedRoleUser": {
            "assumedRoleId": f"{id_of(role)}:{session}", "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
        },
        "sourceIdentity": source_identity,
    })  # fmt: skip


def assume(
    id, at, by, role, session, makes=None, expires=None, source_identity=None, gives=None, to=ACCOUNT, both=None,
    event="AssumeRole", web=None, request=None, error=None, **fields,
):  # fmt: skip
    """An AssumeRole; ``both`` is the id of the other account's copy, ``gives`` the answer's source identity."""
    asked = _without_none({
        "roleArn": f"arn:aws:iam::{to}:role/{role}", "roleSessionName": session, "sourceIdentity": source_identity,
    })  # fmt: skip
    answer = None if error else _issued(role, session, makes, expires, gives or source_identity, to)
    common = {"event": event, "service": "sts.amazonaws.com", "request": {**asked, **(request or {})}, "error": error}
    if both is None:
        return call(id, at, by, response=answer, **common, **fields)
    theirs, shared = f"{fields.pop('shown', 'AIDAEXAMPLEEXAMPLE001')}", f"shared-{id}"
    own = call(id, at, by, response=answer, shared=shared, **common, **fields)
    other = {"type": "AWSAccount", "principalId": theirs, "accountId": ACCOUNT}
    return [own, call(both, at, by, response=answer, shared=shared, user=other, account=to, **common)]


def web(id, at, subject, role, session, issuer="accounts.google.com", **fields):
    """An AssumeRoleWithWebIdentity."""
    provider = issuer if issuer == "accounts.google.com" else f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"
    user = {
        "type": "WebIdentityUser", "principalId": f"{provider}:aud:{subject}", "userName": subject,
        "identityProvider": provider,
    }  # fmt: skip
    return assume(id, at, "-", role, session, event="AssumeRoleWithWebIdentity", user=user, account=ACCOUNT, **fields)


def saml(id, at, subject, role, session, **fields):
    """An AssumeRoleWithSAML."""
    user = {"type": "SAMLUser", "principalId": f"x:{subject}", "userName": subject, "identityProvider": "x"}
    return assume(id, at, "-", role, session, event="AssumeRoleWithSAML", user=user, account=ACCOUNT, **fields)


def switch(id, at, frm, role, session, account="222222222222"):
    """A switch of role in the console."""
    who = identity(f"{account}:{role}/{session}")
    del who["sessionContext"]
    return call(
        id, at, "-", event="SwitchRole", service="signin.amazonaws.com", user=who, account=account,
        response={"SwitchRole": "Success"}, additional={"SwitchFrom": frm},
    )  # fmt: skip


def outbound(id, at, by, token, **fields):
    """A GetWebIdentityToken."""
    return call(
        id, at, by, event="GetWebIdentityToken", service="sts.amazonaws.com", response={"webIdentityTokenId": token},
        **fields,
    )  # fmt: skip


def entry(id, at, method, service, authentication, request=None, metadata=None, labels=None, resource="-", code=None):
    """An entry of Cloud Audit Logs."""
    return {
        "insertId": id,
        "logName": f"projects/{PROJECT}/logs/cloudaudit.googleapis.com%2Fdata_access",
        "timestamp": time(at),
        "resource": {"type": "x", "labels": labels or {}},
        "protoPayload": {
            "serviceName": service, "methodName": method, "authenticationInfo": authentication,
            "request": request or {}, "metadata": metadata or {}, "resourceName": resource,
            "status": {"code": code} if code else {},
        },
    }  # fmt: skip


def principal(subject):
    """A pool's identity."""
    return subject if subject.startswith("principal:") else f"principal://iam.googleapis.com/{POOL}/subject/{subject}"


def exchange(id, at, subject, mapped=None, code=None):
    """A token exchange."""
    return entry(
        id, at, "google.identity.sts.v1.SecurityTokenService.ExchangeToken", "sts.googleapis.com",
        {"principalSubject": subject}, metadata={"mapped_principal": principal(mapped or subject)},
        resource=f"{POOL}/providers/crosscloud-test-aws", code=code,
    )  # fmt: skip


def _google(by, behind):
    who = {"principalEmail": by} if "@" in by else {"principalSubject": principal(by)}
    if behind:
        who["serviceAccountDelegationInfo"] = [
            {"firstPartyPrincipal": {"principalEmail": name}} if "@" in name else {"principalSubject": principal(name)}
            for name in behind
        ]
    return who


def token(id, at, by, account, method="GenerateAccessToken", behind=(), unique_id="100000000000000000077", **request):
    """A token for an account: ``by`` is an e-mail address or a subject of the pool."""
    return entry(
        id, at, method, "iamcredentials.googleapis.com", _google(by, behind),
        request={"name": f"projects/-/serviceAccounts/{account}", **request},
        labels={"email_id": account, "unique_id": unique_id},
    )  # fmt: skip


def google(id, at, by, behind=(), method="storage.objects.get", service="storage.googleapis.com", key=None):
    """A call at Google."""
    who = _google(by, behind)
    if key:
        who["serviceAccountKeyName"] = key
    return entry(id, at, method, service, who)


MAKERS = {
    "call": call, "assume": assume, "web": web, "saml": saml, "switch": switch, "outbound": outbound,
    "exchange": exchange, "token": token, "google": google, "raw": lambda **fields: fields,
}  # fmt: skip
