"""Alerts to make messages from: records of both clouds, judged under a policy, as the ledger would keep them."""

from __future__ import annotations

import json

from msgspec.structs import replace

from callerid import delivery, finding, moment
from callerid.access import Occurrence
from callerid.engine import Engine
from callerid.group import origin, who
from callerid.judgement import Judgement, Line, line
from callerid.ledger.alert import Advice, Alert, Tally
from callerid.ledger.traced import Traced
from callerid.policy.book import Book
from callerid.policy.load import parse
from callerid.trace.chain import Drift
from callerid.trace.link import Basis, Origin
from tests.conftest import ROOT, entry, record

BOOK = Book(parse((ROOT / "tests/cases/policy.yaml").read_bytes(), "policy"), "sha256:example")
POOL = "projects/123456789012/locations/global/workloadIdentityPools/crosscloud-test"
TARGET = "cc-test-target@my-gcp-project.iam.gserviceaccount.com"
STRANGER = "100000000000000000003"
HEARD = moment.epoch("2026-11-03T03:20:00Z")

ENTRY = """\
# Expected after all: an item of callers. Fill in what says TODO.
- name: "google-100000000000000000003"
  owner: "TODO@example.com"
  identities:
    - google_service_account: "100000000000000000003"
  may_reach:
    - aws_role: "arn:aws:iam::111111111111:role/crosscloud-test"
"""
WORKFLOW = """\
# Expected after all: an item of callers. Fill in what says TODO.
- name: "acme-app-app-environment-production"
  owner: "TODO@example.com"
  identities:
    - oidc:
        issuer: "token.actions.githubusercontent.com"
        subject: "repo:acme-app/app:environment:production"
  may_reach:
    - aws_role: "arn:aws:iam::111111111111:role/deploy"
      audience: "sts.amazonaws.com"
"""
REFUSE = """\
The role's trust policy, as the caller book has it:
[{"Effect": "Allow",
  "Principal": {"Federated": "accounts.google.com"},
  "Action": "sts:AssumeRoleWithWebIdentity",
  "Condition": {"StringEquals": {"accounts.google.com:oaud": "crosscloud-test",
                                 "accounts.google.com:aud": "100000000000000000001",
                                 "accounts.google.com:sub": "100000000000000000001"}}}]
"""


def alert_of(raw: dict, **fields: object) -> Alert:
    """The alert of one record."""
    (batch,) = delivery.document(json.dumps(raw).encode())
    (judgement,) = Engine(BOOK).judge(batch)
    return alert_from(judgement, batch.occurrence(0, "sample"), **fields)


def alert_from(judgement: Judgement, occurrence: Occurrence, **fields: object) -> Alert:
    """The alert of a judgement, by hand: the ledger's own part is not concerned."""
    assert judgement.verdict in ("anonymous", "unexpected"), judgement.verdict
    name, came_from = finding.caller_class(judgement)
    access = judgement.access
    whole = {
        "key": finding.key(judgement), "window": 1, "opened": HEARD, "heard": HEARD,
        "line": line(judgement, occurrence, BOOK.digest), "rule": finding.rule(judgement),
        "who": name or who(access), "origin": came_from or origin(access), "severity": judgement.severity,
        "attempt": 1,
    }  # fmt: skip
    return Alert(**{**whole, **fields})


def tally(alert: Alert, count: int = 1, **fields: object) -> Tally:
    """How often an alert's finding came; once where nothing else is said."""
    at = alert.line
    names = (at.session_name,) if at.session_name else ()
    regions = (at.region,) if at.region else ()
    whole = {"window": 1, "count": count, "first": at.time, "last": at.time, "sessions": names, "regions": regions}
    return Tally(**{**whole, **fields})


def hostile(alert: Alert, text: str) -> Alert:
    """An alert with one text wherever a record or a person can put one."""
    names = (
        "account", "region", "principal", "subject", "provider", "audience", "target", "session_name",
        "source_identity", "error", "time", "record_id",
    )  # fmt: skip
    changed = dict.fromkeys(names, text)
    at: Line = replace(alert.line, delegation=(text,) * 5, **changed)
    advice = Advice(nearest=text, field="subject", listed=text, shown=text, entry=f'- "{text}"', refuse=f'"{text}"')
    began = tuple(Traced(Origin(text, "SAML subject", text), Basis.ATTESTED, text, text) for _ in range(4))
    drift = Drift("source-identity-changed", text, text, text)
    return replace(alert, line=at, who=text, origin=text, advice=advice, began=began, drift=drift)


def release(number: int = 1) -> tuple[Traced, ...]:
    """So many origins of a session: a workflow that the book knows, and others like it."""
    issuer = "token.actions.githubusercontent.com"
    found = [Traced(Origin("repo:acme/app:environment:production", "OpenID Connect subject", issuer), Basis.ATTESTED, "release", "a1")]  # fmt: skip
    found += [
        Traced(Origin(f"repo:acme/app-{index}:ref:refs/heads/main", "OpenID Connect subject", issuer), Basis.ATTESTED, "", f"a{index}")
        for index in range(2, number + 1)
    ]  # fmt: skip
    return tuple(found)


def web_identity(**fields: object) -> Alert:
    """A Google service account that nobody listed assumes an AWS role."""
    raw = record(3)
    identity = raw["userIdentity"] | {"principalId": f"accounts.google.com:{STRANGER}:{STRANGER}", "userName": STRANGER}
    answer = raw["responseElements"] | {"subjectFromWebIdentityToken": STRANGER, "audience": STRANGER}
    raw |= {"userIdentity": identity, "responseElements": answer, "eventTime": "2026-11-03T03:12:05Z"}
    advice = Advice(
        "nightly-export", "subject", listed="100000000000000000001", shown=STRANGER, entry=ENTRY, refuse=REFUSE
    )
    return alert_of(raw, **{"advice": advice, "mention": "S0EXAMPLE1"} | fields)


def denied(**fields: object) -> Alert:
    """A workflow whose owner only looks like ours is refused."""
    subject = "repo:acme-app/app:environment:production"
    provider = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com"
    raw = record(
        4,
        userIdentity={"type": "WebIdentityUser", "principalId": f"{provider}:sts.amazonaws.com:{subject}",
                      "userName": subject, "identityProvider": provider},
        requestParameters={"roleArn": "arn:aws:iam::111111111111:role/deploy", "roleSessionName": "GitHubActions"},
        responseElements=None, errorCode="AccessDenied", eventTime="2026-11-03T22:47:00Z",
    )  # fmt: skip
    listed = "repo:acme/app:environment:production"
    advice = Advice("release", "subject", listed=listed, shown=subject, entry=WORKFLOW, refuse=REFUSE)
    return alert_of(raw, **{"advice": advice, "heard": moment.epoch("2026-11-03T22:52:00Z")} | fields)


def session_use(**fields: object) -> Alert:
    """A session of a role that asks for a source identity, without one."""
    role = "arn:aws:iam::123456789012:role/TestRoleForSourceID"
    session = "arn:aws:sts::123456789012:assumed-role/TestRoleForSourceID/admin"
    raw = record(
        5,
        eventName="ListBuckets", eventSource="s3.amazonaws.com", recipientAccountId="123456789012",
        requestParameters=None, responseElements=None, eventTime="2026-11-02T18:42:10Z",
        userIdentity={
            "type": "AssumedRole", "arn": session, "principalId": "AROAEXAMPLEEXAMPLE002:admin",
            "accountId": "123456789012",
            "sessionContext": {"sessionIssuer": {"type": "Role", "arn": role, "userName": "TestRoleForSourceID"}},
        },
    )  # fmt: skip
    return alert_of(raw, **fields)


def drifted() -> Alert:
    """A session that was issued for one person and shows another."""
    alert = session_use(
        began=release(), drift=Drift("source-identity-changed", "alice", "bob", "00000000-0000-4000-8000-000000000002")
    )
    code = "source-identity-changed"
    line = replace(alert.line, verdict="unexpected", reasons=(code,), severity="high", source_identity="bob")
    return replace(alert, line=line, rule=code, who="bob", severity="high")


def anonymous_exchange() -> Alert:
    """A token exchange whose record names nobody."""
    raw = entry(6, timestamp="2026-11-03T13:20:31.987654321Z")
    raw["protoPayload"] |= {"authenticationInfo": {}, "metadata": {}}
    return alert_of(raw)


def impersonation() -> Alert:
    """A role that is in no entry impersonates a service account."""
    subject = "arn:aws:sts::111111111111:assumed-role/crosscloud-test-aws-9/i-0123456789abcdef0"
    raw = entry(7, timestamp="2026-11-03T02:17:44.120000000Z")
    raw["protoPayload"] = {
        "serviceName": "iamcredentials.googleapis.com", "methodName": "GenerateAccessToken",
        "resourceName": "projects/-/serviceAccounts/100000000000000000007", "status": {},
        "authenticationInfo": {"principalSubject": f"principal://iam.googleapis.com/{POOL}/subject/{subject}"},
    }  # fmt: skip
    raw["resource"] = {"type": "service_account", "labels": {"email_id": TARGET, "project_id": "my-gcp-project"}}
    advice = Advice(
        "batch", "subject", listed="arn:aws:iam::111111111111:role/crosscloud-test-aws-1",
        shown="arn:aws:iam::111111111111:role/crosscloud-test-aws-9",
    )  # fmt: skip
    return alert_of(raw, advice=advice)


def branch(name: str) -> Alert:
    """A workflow of a branch with any name assumes a role."""
    subject = f"repo:acme/other:ref:refs/heads/{name}"
    provider = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com"
    raw = record(
        8,
        userIdentity={"type": "WebIdentityUser", "principalId": f"{provider}:sts.amazonaws.com:{subject}",
                      "userName": subject, "identityProvider": provider},
        requestParameters={"roleArn": "arn:aws:iam::111111111111:role/deploy", "roleSessionName": "@channel"},
    )  # fmt: skip
    raw["responseElements"] |= {"subjectFromWebIdentityToken": subject, "audience": "sts.amazonaws.com"}
    entry_text = f'- oidc: {{issuer: token.actions.githubusercontent.com, subject: "{subject}"}}'
    return alert_of(raw, advice=Advice("release", "subject", listed="repo:acme/app:*", shown=subject, entry=entry_text))


def storm(number: int = 500) -> tuple[Alert, Tally, list[tuple[Alert, Tally]]]:
    """So many findings at once: a provider whose trust is open, and somebody who tries every role."""
    one, other = web_identity(), denied()
    members = []
    for index in range(number):
        base = other if index % 25 else one
        role = f"arn:aws:iam::111111111111:role/{('deploy', 'build', 'crosscloud-test', 'admin_role', 'export')[index % 5]}"
        subject = f"repo:acme-app/app-{index}:environment:production" if index % 25 else f"1000000000000000{index:05}"
        at = replace(base.line, target=role, subject=subject, time=f"2026-11-03T22:{index % 60:02}:00Z")
        members.append(
            (replace(base, key=f"{index:020x}", line=at, who=subject), tally(replace(base, line=at), 1 + index % 4))
        )
    members.sort(key=lambda member: (member[0].line.outcome, -member[1].count, member[0].key))
    total = Tally(
        window=1, count=sum(count.count for _, count in members), first="2026-11-03T22:00:00Z", last="2026-11-03T22:59:00Z"
    )  # fmt: skip
    keys = tuple(alert.key for alert, _ in members)
    row = replace(one, key="storm-0123456789abcdef", rule="storm", who="", origin="", members=keys, severity="high")
    return row, total, members
