"""For books and accesses made at random, the judge and the printed policies agree."""

import json
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from callerid import delivery
from callerid.enforce import aws, gcp
from callerid.engine import Engine
from callerid.judgement import Verdict
from callerid.policy.book import Book
from callerid.policy.load import parse
from tests.conftest import entry, record
from tests.enforce.clouds import bindings_allow, exchange_allows, iam_allows

TODAY = date(2026, 11, 2)
ROLE = "arn:aws:iam::111111111111:role/target"
POOL = "projects/123456789012/locations/global/workloadIdentityPools/p"
ACCOUNT = "target@p.iam.gserviceaccount.com"
GITHUB = "token.actions.githubusercontent.com"
NAMES = ("acme/app", "acme/app-fork", "acme/tools", "other/app")
CONTEXTS = ("environment:production", "ref:refs/heads/main", "ref:refs/heads/x/app", "pull_request")
IDS = st.sampled_from([("1001", "2002"), ("1001", "9"), ("9", "2002")])


@st.composite
def subjects(draw, *, pattern=False):
    """A workflow's subject in one of its forms, or a pattern of some."""
    owner, repository = draw(st.sampled_from(NAMES)).split("/")
    context = draw(st.sampled_from(CONTEXTS + (("*", "ref:*") if pattern else ())))
    if draw(st.booleans()):
        ids = draw(IDS)
        return f"repo:{owner}@{ids[0]}/{repository}@{ids[1]}:{context}"
    return f"repo:{owner}/{repository}:{context}"


@st.composite
def books(draw):
    """A book of workflows, service accounts and roles, some with an end, some who must bear their name."""
    callers = []
    listed = draw(st.lists(subjects(pattern=True), max_size=3, unique_by=_bare))
    for number, subject in enumerate(listed):
        reaches = [{"aws_role": ROLE, "audience": draw(st.sampled_from(["sts.amazonaws.com", "x"]))}]
        reaches.append({"service_account": ACCOUNT, "provider": f"{POOL}/providers/github"})
        callers.append(_caller(f"workflow-{number}", {"oidc": {"issuer": GITHUB, "subject": subject}}, reaches, draw))
    for number in draw(st.sets(st.integers(1, 3))):
        identity = {"google_service_account": f"10000000000000000000{number}"}
        callers.append(_caller(f"google-{number}", identity, [{"aws_role": ROLE}], draw))
    for number in draw(st.sets(st.integers(1, 3))):
        identity = {"aws_role": f"arn:aws:iam::222222222222:role/job-{number}"}
        reaches = [{"aws_role": ROLE}, {"service_account": ACCOUNT, "provider": f"{POOL}/providers/aws"}]
        callers.append(_caller(f"job-{number}", identity, reaches, draw))
    for number in draw(st.sets(st.integers(1, 2))):
        identity = {"iam_user": f"arn:aws:iam::222222222222:user/user-{number}"}
        callers.append(_caller(f"person-{number}", identity, [{"aws_role": ROLE}], draw))
    required = [{}, {"mode": "enforce"}, {"mode": "enforce", "equals": "caller"}, {"mode": "warn", "equals": "caller"}]
    demands = {key: draw(st.sampled_from(required)) for key in ("source_identity", "session_name")}
    whole = {"version": "1", "callers": callers, "aws_accounts": ["111111111111"]}
    demands = {key: demand for key, demand in demands.items() if demand}
    if demands:
        whole["requirements"] = [{"roles": ROLE, **demands}]
    return json.dumps(whole)


def _bare(subject: str) -> str:
    from callerid.names import github

    return github.parse(subject).name


def _caller(name, identity, reaches, draw):
    made = {"name": name, "owner": "o", "identities": [identity], "may_reach": reaches}
    end = draw(st.sampled_from([None, None, None, "2026-11-01", "2026-11-02"]))
    return {**made, "expires": end} if end else made


SESSIONS = st.sampled_from(["job-1", "user-1", "person-1", "workflow-0", "google-1", "run", "botocore-session-7"])
SOURCES = st.sampled_from([None, None, "job-1", "user-1", "google-1", "workflow-0"])


@st.composite
def at_aws(draw):
    """A session of the role, asked for in one of three ways."""
    session, source = draw(SESSIONS), draw(SOURCES)
    request = {"roleArn": ROLE, "roleSessionName": session}
    way = draw(st.sampled_from(["google", "github", "role", "user"]))
    if way in ("google", "github"):
        subject = f"10000000000000000000{draw(st.integers(1, 4))}" if way == "google" else draw(subjects())
        issuer = "accounts.google.com" if way == "google" else f"arn:aws:iam::111111111111:oidc-provider/{GITHUB}"
        audience = subject if way == "google" else draw(st.sampled_from(["sts.amazonaws.com", "x"]))
        identity = {"type": "WebIdentityUser", "principalId": f"{issuer}:{audience}:{subject}", "userName": subject}
        answer = {"subjectFromWebIdentityToken": subject, "provider": issuer, "audience": audience}
        source = None if way == "google" else source
        if source:
            answer["sourceIdentity"] = source
        return record(
            userIdentity={**identity, "identityProvider": issuer}, requestParameters=request, responseElements=answer
        )
    if source:
        request["sourceIdentity"] = source
    number = draw(st.integers(1, 3))
    if way == "user":
        name = f"user-{number}"
        arn = f"arn:aws:iam::222222222222:user/{name}"
        identity = {
            "type": "IAMUser",
            "arn": arn,
            "accountId": "222222222222",
            "principalId": "AIDA1",
            "userName": name,
        }
    else:
        upstream = draw(SOURCES)
        if upstream:
            request["sourceIdentity"] = upstream
        arn = f"arn:aws:sts::222222222222:assumed-role/job-{number}/{draw(SESSIONS)}"
        issuer = {"arn": f"arn:aws:iam::222222222222:role/job-{number}", "type": "Role"}
        context = {"sessionIssuer": issuer} | ({"sourceIdentity": upstream} if upstream else {})
        identity = {"type": "AssumedRole", "arn": arn, "accountId": "222222222222", "sessionContext": context}
        identity["principalId"] = f"AROA{number}:x"
    answer = {"assumedRoleUser": {"arn": "arn:aws:sts::111111111111:assumed-role/target/x"}}
    if request.get("sourceIdentity"):
        answer["sourceIdentity"] = request["sourceIdentity"]
    return record(eventName="AssumeRole", userIdentity=identity, requestParameters=request, responseElements=answer)


@st.composite
def at_google(draw):
    """An exchange, or a token for the account, by a workflow or a role."""
    sort = draw(st.sampled_from(["github", "aws"]))
    role = f"arn:aws:sts::222222222222:assumed-role/job-{draw(st.integers(1, 4))}/{draw(SESSIONS)}"
    subject = role if sort == "aws" else draw(subjects())
    mapped = f"principal://iam.googleapis.com/{POOL}/subject/{subject}"
    value = entry()
    payload = value["protoPayload"]
    if draw(st.booleans()):
        payload["authenticationInfo"] = {"principalSubject": subject}
        payload["metadata"] = {"mapped_principal": mapped}
        payload["resourceName"] = f"{POOL}/providers/{sort}"
        return value
    payload |= {
        "serviceName": "iamcredentials.googleapis.com",
        "methodName": "GenerateAccessToken",
        "authenticationInfo": {"principalSubject": mapped},
        "resourceName": "projects/-/serviceAccounts/1",
        "metadata": {},
    }
    return {**value, "resource": {"labels": {"email_id": ACCOUNT}}}


SIGN_INS = ("https://signin.aws.amazon.com/saml", "https://eu-west-1.signin.aws.amazon.com/saml")
PEOPLE = ("kim@example.com", "lee@example.com", "eve@example.net", "people-0")
IDP = "arn:aws:iam::111111111111:saml-provider/corporate"


@st.composite
def books_of_people(draw):
    """A book of people who sign in by SAML, by name or by a pattern, at one endpoint or at any.

    Nobody stands in it twice, by name and under a pattern: to the judge the name alone says who that is, while in IAM
    each statement that fits lets in, and `check` calls it an overlap.
    """
    callers = []
    whose = draw(st.sampled_from([("*@example.com", PEOPLE[2]), PEOPLE[:3]]))
    subjects = draw(st.lists(st.sampled_from(whose), min_size=1, max_size=2, unique=True))
    for number, subject in enumerate(subjects):
        audience = draw(st.sampled_from([None, *SIGN_INS]))
        reach = {"aws_role": ROLE} | ({"audience": audience} if audience else {})
        callers.append(_caller(f"people-{number}", {"saml": {"provider": IDP, "subject": subject}}, [reach], draw))
    demand = draw(st.sampled_from([{}, {"mode": "enforce"}, {"mode": "enforce", "equals": "caller"}]))
    requirements = [{"roles": ROLE, "source_identity": demand}] if demand else []
    return json.dumps({"version": "1", "callers": callers, "requirements": requirements})


@st.composite
def sign_ins(draw):
    """A session of the role by SAML, of a lasting subject or of a transient one."""
    sort, audience = draw(st.sampled_from(["persistent", "transient"])), draw(st.sampled_from(SIGN_INS))
    subject = draw(st.sampled_from(PEOPLE)) if sort == "persistent" else "_00000000-0000-4000-8000-000000000000"
    source = draw(st.sampled_from([None, *PEOPLE]))
    answer = {"subject": subject, "subjectType": sort, "issuer": "https://idp.example.com", "audience": audience}
    return record(
        eventName="AssumeRoleWithSAML",
        userIdentity={
            "type": "SAMLUser",
            "principalId": f"X=:{subject}",
            "userName": subject,
            "identityProvider": "X=",
        },
        requestParameters={"roleArn": ROLE, "roleSessionName": "run", "principalArn": IDP},
        responseElements=answer | ({"sourceIdentity": source} if source else {}),
    )


def judged(value: dict, book: Book):
    (item,) = delivery.document(json.dumps(value).encode())
    return Engine(book).judge(item)[0]


BEYOND_IAM = frozenset(("session-name-contradicts", "source-identity-appeared", "source-identity-changed"))
"""What compares two sessions, or two names, with each other."""


@given(books(), at_aws())
def test_a_trust_policy_agrees_with_the_judge(text, value):
    book = Book(parse(text.encode(), "made"), "x")
    judgement = judged(value, book)
    found = [piece for piece in aws.plan(book, TODAY).pieces if piece.target == ROLE and piece.kind == "trust-policy"]
    if not found or judgement.verdict is Verdict.OUT_OF_SCOPE or not BEYOND_IAM.isdisjoint(judgement.reasons):
        return
    allowed = iam_allows(found[0].policy, judgement.access, value)
    assert allowed is (judgement.verdict is Verdict.IDENTIFIED), (judgement.reasons, found[0].policy)


@given(books_of_people(), sign_ins())
def test_a_trust_policy_of_people_agrees_with_the_judge(text, value):
    book = Book(parse(text.encode(), "made"), "x")
    judgement = judged(value, book)
    found = [piece for piece in aws.plan(book, TODAY).pieces if piece.target == ROLE]
    if not BEYOND_IAM.isdisjoint(judgement.reasons):
        return
    allowed = iam_allows(found[0].policy, judgement.access, value)
    assert allowed is (judgement.verdict is Verdict.IDENTIFIED), (judgement.reasons, found[0].policy)


@given(books(), at_google())
def test_a_condition_and_bindings_agree_with_the_judge(text, value):
    book = Book(parse(text.encode(), "made"), "x")
    judgement = judged(value, book)
    access, pieces = judgement.access, gcp.plan(book, TODAY).pieces
    providers = [piece for piece in pieces if piece.kind == "provider"]
    if access.untargeted:
        found = [piece for piece in providers if piece.target == access.provider]
        allowed = bool(found) and exchange_allows(found[0].policy, found[0].target, access)
    else:
        found = [piece for piece in pieces if piece.kind == "bindings" and piece.target == ACCOUNT]
        mappings = [piece.policy.get("attributeMapping", {}) for piece in providers]
        allowed = bool(found) and bindings_allow(found[0].policy, mappings, access, value)
    assert allowed is (judgement.verdict is Verdict.IDENTIFIED), (judgement.reasons, pieces)
