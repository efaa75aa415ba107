"""What a message says beside its finding: the nearest entry and the field that differs, short whatever the log holds."""

import copy
import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from callerid import delivery
from callerid.advice import advise
from callerid.decode import Element
from callerid.engine import Engine
from callerid.envelope import Batch
from callerid.judgement import FINDINGS
from callerid.ledger.alert import Advice
from callerid.policy.book import Book
from callerid.policy.load import parse
from tests.conftest import record
from tests.test_cases import ALL, _book

POOL = "projects/123456789012/locations/global/workloadIdentityPools/crosscloud-test"
GITHUB = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com"
DEPLOY = "arn:aws:iam::111111111111:role/deploy"
POLICY = """
version: 1
aws_accounts: ["111111111111", "222222222222"]
callers:
  - name: release
    owner: web@example.com
    identities: [{oidc: {issuer: token.actions.githubusercontent.com, subject: "repo:acme/app:ref:refs/heads/main"}}]
    may_reach: [{aws_role: "arn:aws:iam::111111111111:role/deploy", audience: sts.amazonaws.com}]
  - name: nightly
    owner: data@example.com
    identities: [{google_service_account: "100000000000000000001"}]
    may_reach: [{aws_role: "arn:aws:iam::111111111111:role/export"}]
  - name: payments
    owner: pay@example.com
    identities: [{oidc: {issuer: idp.example.com, subject: "system:serviceaccount:payments:api"}}]
    may_reach: [{aws_role: "arn:aws:iam::111111111111:role/payments"}]
  - name: alice
    owner: people@example.com
    identities: [{oidc: {issuer: idp.example.com, subject: alice@example.com}}]
    may_reach: [{aws_role: "arn:aws:iam::111111111111:role/analyst"}]
"""


def advised(value: dict, policy: str | None = None) -> Advice:
    book = _book(policy)
    (item,) = delivery.document(json.dumps(value).encode())
    (judgement,) = Engine(book).judge(item)
    assert judgement.verdict in FINDINGS
    return advise(judgement, book)


def sign_in(subject: str, provider: str = GITHUB, role: str = DEPLOY, audience: str = "sts.amazonaws.com") -> dict:
    """A web identity's AssumeRole."""
    return record(
        userIdentity={
            "type": "WebIdentityUser",
            "principalId": f"{provider}:{audience}:{subject}",
            "userName": subject,
            "identityProvider": provider,
        },
        requestParameters={"roleArn": role, "roleSessionName": "run"},
        responseElements={"audience": audience, "provider": provider, "subjectFromWebIdentityToken": subject},
    )


IDP = "arn:aws:iam::111111111111:oidc-provider/idp.example.com"
EXPORT = "arn:aws:iam::111111111111:role/export"
MAIN = "repo:acme/app:ref:refs/heads/main"
CLOSE = {
    "a repository whose name goes on": (sign_in("repo:acme/app-fork:ref:refs/heads/main"), ("release", "subject", MAIN, "repo:acme/app-fork:ref:refs/heads/main")),
    "a fork": (sign_in("repo:evil/app:ref:refs/heads/main"), ("release", "subject", MAIN, "repo:evil/app:ref:refs/heads/main")),
    "an owner one letter off": (sign_in("repo:acrne/app:ref:refs/heads/main"), ("release", "subject", MAIN, "repo:acrne/app:ref:refs/heads/main")),
    "another environment of the repository": (sign_in("repo:acme/app:environment:production"), ("release", "subject", MAIN, "repo:acme/app:environment:production")),
    "somebody who has only the branch in common": (sign_in("repo:zzz/qqq:ref:refs/heads/main"), (None, None, None, None)),
    "the same subject of another issuer": (
        sign_in(MAIN, GITHUB + "/acme"),
        ("release", "issuer", "token.actions.githubusercontent.com", "token.actions.githubusercontent.com/acme"),
    ),
    "a like subject of another issuer": (sign_in(MAIN + "-2", GITHUB + "/acme"), (None, None, None, None)),
    "another account of the namespace": (
        sign_in("system:serviceaccount:payments:job", IDP),
        ("payments", "subject", "system:serviceaccount:payments:api", "system:serviceaccount:payments:job"),
    ),
    "another namespace altogether": (sign_in("system:serviceaccount:default:web", IDP), (None, None, None, None)),
    "another account at the role of one": (
        sign_in("100000000000000000007", "accounts.google.com", EXPORT),
        ("nightly", "subject", "100000000000000000001", "100000000000000000007"),
    ),
    "an id that looks alike at another role": (sign_in("100000000000000000002", "accounts.google.com"), (None, None, None, None)),
    "the name under another domain": (sign_in("alice@example.net", IDP), ("alice", "subject", "alice@example.com", "alice@example.net")),
    "another name under the domain": (sign_in("bob@example.com", IDP), (None, None, None, None)),
    "another role": (sign_in(MAIN, role=EXPORT), ("release", "target", DEPLOY, EXPORT)),
    "another audience": (sign_in(MAIN, audience="x.example.com"), ("release", "audience", "sts.amazonaws.com", "x.example.com")),
    "no role at all": (sign_in(MAIN, role=""), ("release", "target", DEPLOY, "")),
}  # fmt: skip


@pytest.mark.parametrize("name", CLOSE)
def test_the_entry_that_comes_closest_is_named_with_the_field_that_differs(name):
    value, expected = CLOSE[name]
    found = advised(value, POLICY)
    assert (found.nearest, found.field, found.listed, found.shown) == expected


OF_CASES = {
    ("caller-expired", "a contractor comes after the last day"): ("contractor", "expires", "2026-10-31", None),
    ("shapes", "no event time, and the entry expires"): ("contractor", "expires", "2026-10-31", None),
    ("matrix-aws", "A3: a recycled name under other ids"): ("pinned-release", "ids", "acme@1001/site@2002", "acme@1001/site@9999"),
    ("matrix-aws", "A3: a pull request under a wildcard"): ("nightly-builds", "subject", "repo:acme/tools:*", "repo:acme/tools:pull_request"),
    ("matrix-aws", "A10: the same name under another provider"): (
        "alice", "provider", "arn:aws:iam::111111111111:saml-provider/corporate", "arn:aws:iam::111111111111:saml-provider/other",
    ),
    ("matrix-aws", "A11: the same call without one"): ("TestUserForSourceID", "source_identity", "TestUserForSourceID", None),
    ("matrix-aws", "A11: another's source identity"): ("TestUserForSourceID", "source_identity", "TestUserForSourceID", "alice@example.com"),
    ("matrix-aws", "A15: session name and source identity name two people"): ("TestUserForSourceID", "session_name", "TestUserForSourceID", "work_api"),
    ("matrix-aws", "A20: a pod of another namespace"): ("payments-pod", "subject", "payments/api", "default/api"),
    ("matrix-gcp", "G9: a role that is not listed"): (
        "batch", "principal", "arn:aws:iam::111111111111:role/crosscloud-test-aws-1", "arn:aws:iam::111111111111:role/crosscloud-test-aws-3",
    ),
    ("matrix-gcp", "G15: the same workflow at another bucket"): (
        "app-on-google", "target", "projects/_/buckets/releases/*", "projects/_/buckets/reports/objects/2026.csv",
    ),
    ("provider-unexpected", "an impersonation from another pool of ours"): (
        "batch", "provider", f"{POOL}/providers/crosscloud-test-aws", "projects/123456789012/locations/global/workloadIdentityPools/github",
    ),
    ("subject-mismatch", "a SAML answer names somebody else"): ("alice", None, None, None),
}  # fmt: skip


@pytest.mark.parametrize("place", OF_CASES, ids=": ".join)
def test_every_sort_of_finding_names_its_field(place):
    case = next(case for name, case in ALL if (name, case["case"]) == place)
    found = advised(case["record"], case.get("policy"))
    assert (found.nearest, found.field, found.listed, found.shown) == OF_CASES[place]


def test_a_user_whose_id_alone_is_missing_is_named():
    policy = POLICY + (
        "  - name: work\n    owner: o\n    identities: [{iam_user: 'arn:aws:iam::222222222222:user/work'}]\n"
        "    may_reach: [{aws_role: 'arn:aws:iam::111111111111:role/deploy'}]\n"
    )
    identity = {"type": "AWSAccount", "principalId": "AIDAEXAMPLEEXAMPLE077", "accountId": "222222222222"}
    found = advised(
        record(eventName="AssumeRole", userIdentity=identity, requestParameters={"roleArn": DEPLOY}), policy
    )
    assert (found.nearest, found.field, found.listed, found.shown) == (
        "work",
        "unique_id",
        None,
        "AIDAEXAMPLEEXAMPLE077",
    )


def test_of_several_originators_the_one_whom_nobody_listed_is_told_about():
    place = ("matrix-gcp", "G13: two federated origins, one of them a stranger")
    case = next(case for name, case in ALL if (name, case["case"]) == place)
    (item,) = yaml.safe_load(advised(case["record"], case.get("policy")).entry)
    (identity,) = item["identities"]
    assert identity["principal"].endswith("/subject/mallory")


def test_what_is_long_keeps_both_ends():
    found = advised(sign_in("repo:acme/app:" + "x" * 10_000 + "end"), POLICY)
    assert found.nearest == "release"
    assert len(found.shown) == 300
    assert found.shown.startswith("repo:acme/app:xx")
    assert found.shown.endswith("xxend")
    assert found.entry is None


HOSTILE = ("\n", "\r\n- name: x", '"', "'", "`", "```", "# x", "\\", "\x00", "\x85", "\u2028", "\u202e", "é", "😀", "{", "- a: b",
           "<!channel>", "${aws:username}", "*", "?", "&a", "!!str", "%", "@", ":", "[x]", "\ud800", "\t", " ", "x" * 3000, "\nx", "\x85x", "\u2028x", "\tx", " x")  # fmt: skip
UNSAYABLE = ("*", "?", "\ud800", "x" * 3000, "\n", "\x85", "\u2028", "\t", " ")
"""What would be a pattern, what is no character, what is too long to be read, what no value may end in."""


@pytest.mark.parametrize("sign", HOSTILE)
@pytest.mark.parametrize("place", ["subject", "issuer", "role", "audience"])
def test_no_value_breaks_out_of_the_quotes_that_it_stands_in(sign, place):
    subject, issuer, role, audience = "build", "idp.example.org", "arn:aws:iam::111111111111:role/other", "aud"
    match place:
        case "subject":
            subject += sign
        case "issuer":
            issuer += sign
        case "role":
            role += sign
        case _:
            audience += sign
    found = advised(sign_in(subject, f"arn:aws:iam::111111111111:oidc-provider/{issuer}", role, audience), POLICY)
    assert_safe(found)
    is_role_of_two_lines = place == "role" and "\n" in sign
    assert (found.entry is None) == (sign in UNSAYABLE or is_role_of_two_lines)
    if found.entry is None:
        return
    (item,) = yaml.safe_load(found.entry)
    (identity,), (reach,) = item["identities"], item["may_reach"]
    assert identity == {"oidc": {"issuer": issuer, "subject": subject}}
    assert reach == {"aws_role": role, "audience": audience}


def assert_safe(found: Advice) -> None:
    """Hold what is to be pasted to its limits: whole, in ASCII, without what ends a block of code."""
    assert len(found.entry or "") <= 2000
    assert len(found.refuse or "") < 900 + 1
    assert all(len(text or "") <= 300 for text in (found.nearest, found.listed, found.shown))
    assert "`" not in (found.entry or "") + (found.refuse or "")
    if found.entry:
        assert found.entry.isascii()
        assert all(isinstance(item, dict) and item["name"] for item in yaml.safe_load(found.entry))


VALUES = st.sampled_from([*HOSTILE, "", None, 7, [], {}, ["a"], {"a": "b"}]) | st.text(max_size=20)
FOUND = [case for _, case in ALL if "record" in case and case["expect"].get("verdict") in FINDINGS]


def leaves(value: object, prefix: tuple = ()) -> list[tuple]:
    held = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [prefix] * (not held) + [path for key, inner in held for path in leaves(inner, (*prefix, key))]


@given(st.data(), st.sampled_from(FOUND), VALUES)
def test_advice_never_raises_and_stays_safe_whatever_a_record_holds(data, case, value):
    changed = copy.deepcopy(case["record"])
    *parents, last = data.draw(st.sampled_from([path for path in leaves(changed) if path]))
    place = changed
    for key in parents:
        place = place[key]
    old = place[last]
    place[last] = old + value if isinstance(old, str) and isinstance(value, str) and data.draw(st.booleans()) else value
    policy = case.get("policy")
    book = _book(None if policy == "none" else policy)
    for item in delivery.leaves(Element("", changed)):
        for judgement in Engine(book).judge(item) if isinstance(item, Batch) else ():
            if judgement.verdict in FINDINGS:
                assert_safe(advise(judgement, book))


def test_an_empty_book_has_no_nearest_entry_and_still_an_entry_to_add():
    book = Book(parse(b"version: 1\n", "policy"), "x")
    (item,) = delivery.document(json.dumps(record()).encode())
    (judgement,) = Engine(book).judge(item)
    found = advise(judgement, book)
    assert (found.nearest, found.field, found.refuse) == (None, None, None)
    assert found.entry == (
        "# Expected after all: an item of callers. Fill in what says TODO.\n"
        "# The first entry for this target: whoever else comes there is a finding from then on.\n"
        '- name: "google-100000000000000000001"\n'
        '  owner: "TODO@example.com"\n'
        "  identities:\n"
        '    - google_service_account: "100000000000000000001"\n'
        "  may_reach:\n"
        '    - aws_role: "arn:aws:iam::111111111111:role/crosscloud-test"\n'
    )
