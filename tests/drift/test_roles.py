"""A table of odd and hostile trust policies, with what drift says of each."""

from datetime import UTC, datetime

import pytest

from callerid.drift.compare import Sort
from callerid.drift.roles import Account, Role, compare
from callerid.policy.book import Book
from callerid.policy.load import parse

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
ROLE = "arn:aws:iam::111111111111:role/deploy"
GITHUB = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com"
SUB, AUD = "token.actions.githubusercontent.com:sub", "token.actions.githubusercontent.com:aud"
MAIN = "repo:acme/app:ref:refs/heads/main"
JOB = "arn:aws:iam::222222222222:role/job"
BOOK = f"""
version: "1"
aws_accounts: ["111111111111"]
callers:
  - name: workflow
    owner: o
    identities: [{{oidc: {{issuer: token.actions.githubusercontent.com, subject: "{MAIN}"}}}}]
    may_reach: [{{aws_role: "{ROLE}", audience: sts.amazonaws.com}}]
  - name: job
    owner: o
    identities: [{{aws_role: "{JOB}"}}]
    may_reach: [{{aws_role: "{ROLE}"}}]
"""
WEB = {"Effect": "Allow", "Principal": {"Federated": GITHUB}, "Action": "sts:AssumeRoleWithWebIdentity"}
CHAIN = {"Effect": "Allow", "Principal": {"AWS": JOB}, "Action": "sts:AssumeRole"}
EXACT = {"StringEquals": {SUB: MAIN, AUD: "sts.amazonaws.com"}}
GOOD = {**WEB, "Condition": EXACT}


def drift(*statements, book=BOOK, version="2012-10-17", policy=None, given=None, providers=None):
    """What is told of one role, as sort, caller and the beginning of the example."""
    whole = {"Version": version, "Statement": list(statements)} if policy is None else policy
    held = {GITHUB: ("sts.amazonaws.com", "other")} if providers is None else providers
    account = Account("111111111111", [Role(ROLE, whole)], held)
    return compare(account, Book(parse(book.encode(), "book"), "x"), now=NOW, given=given or {}).found


def told(found):
    return {(str(one.sort), one.caller or (one.example or "").split(",")[0]) for one in found}


def web(**condition):
    return {**WEB, "Condition": condition}


STRANGER = "of token.actions.githubusercontent.com"
TABLE = [
    ("exact", [GOOD, CHAIN], set()),
    ("lists in place of strings", [{**GOOD, "Action": ["sts:AssumeRoleWithWebIdentity"]}, {**CHAIN, "Principal": {"AWS": [JOB]}}], set()),
    ("no condition at all", [WEB, CHAIN], {("too-wide", f"repo:stranger/repository:ref:refs/heads/main {STRANGER}")}),
    ("no subject", [web(StringEquals={AUD: "sts.amazonaws.com"}), CHAIN], {("too-wide", f"repo:stranger/repository:ref:refs/heads/main {STRANGER}")}),
    ("no audience", [web(StringEquals={SUB: MAIN}), CHAIN], {("too-wide", f"{MAIN} {STRANGER}")}),
    ("every branch", [web(StringLike={SUB: "repo:acme/app:*", AUD: "sts.amazonaws.com"}), CHAIN], {("too-wide", f"repo:acme/app:ref:refs/heads/stranger {STRANGER}")}),
    ("every repository", [web(StringLike={SUB: "repo:acme/*", AUD: "sts.amazonaws.com"}), CHAIN], {("too-wide", f"repo:acme/stranger:ref:refs/heads/main {STRANGER}")}),
    ("a name that goes on", [web(StringLike={SUB: "repo:acme/app*", AUD: "sts.amazonaws.com"}), CHAIN], {("too-wide", f"repo:acme/appstranger:ref:refs/heads/main {STRANGER}")}),
    ("a second value", [web(StringEquals={SUB: [MAIN, "repo:acme/old:ref:refs/heads/main"], AUD: "sts.amazonaws.com"}), CHAIN], {("too-wide", f"repo:acme/old:ref:refs/heads/main {STRANGER}")}),
    ("a sign is no sign in StringEquals", [web(StringEquals={SUB: ["repo:*", MAIN], AUD: "sts.amazonaws.com"}), CHAIN], set()),
    ("IfExists of a key that is there", [web(StringEqualsIfExists={SUB: MAIN, AUD: "sts.amazonaws.com"}), CHAIN], set()),
    ("ForAllValues", [web(**{"ForAllValues:StringEquals": {SUB: MAIN, AUD: "sts.amazonaws.com"}}), CHAIN], set()),
    ("ForAnyValue:StringLike", [web(**{"ForAnyValue:StringLike": {SUB: "repo:acme/app:*", AUD: "sts.amazonaws.com"}}), CHAIN], {("too-wide", f"repo:acme/app:ref:refs/heads/stranger {STRANGER}")}),
    ("Null asks only that it is there", [web(Null={SUB: "false"}, StringEquals={AUD: "sts.amazonaws.com"}), CHAIN], {("too-wide", f"repo:stranger/repository:ref:refs/heads/main {STRANGER}")}),
    ("in other letters", [web(stringequals={SUB.upper(): MAIN, AUD: "sts.amazonaws.com"}), CHAIN], set()),
    ("equal but for case", [web(StringEqualsIgnoreCase={SUB: MAIN.upper()}, StringEquals={AUD: "sts.amazonaws.com"}), CHAIN], {("too-wide", f"{MAIN.upper()} {STRANGER}")}),
    ("a denial narrows", [web(StringLike={SUB: "repo:acme/app:*", AUD: "sts.amazonaws.com"}), CHAIN, {**WEB, "Effect": "Deny", "Condition": {"StringNotEquals": {SUB: MAIN}}}], set()),
    ("a denial of everybody", [GOOD, CHAIN, {"Effect": "Deny", "Principal": "*", "Action": "*"}], {("dead", "workflow"), ("dead", "job")}),
    ("NotAction allows the rest", [{"Effect": "Allow", "Principal": {"AWS": "333333333333"}, "NotAction": "sts:TagSession"}, GOOD, CHAIN], {("too-wide", "arn:aws:iam::333333333333:role/stranger")}),
    ("NotAction allows all but this", [{"Effect": "Allow", "Principal": {"AWS": "333333333333"}, "NotAction": "sts:Assume*"}, GOOD, CHAIN], set()),
    ("a whole account", [GOOD, {**CHAIN, "Principal": {"AWS": "arn:aws:iam::222222222222:root"}}], {("too-wide", "arn:aws:iam::222222222222:role/stranger")}),
    ("an account, narrowed", [GOOD, {**CHAIN, "Principal": {"AWS": "222222222222"}, "Condition": {"ArnLike": {"aws:PrincipalArn": JOB}}}], set()),
    ("everybody", [GOOD, {**CHAIN, "Principal": "*"}], {("too-wide", "arn:aws:iam::999999999999:role/stranger")}),
    ("everybody of an organisation", [GOOD, CHAIN, {**CHAIN, "Principal": {"AWS": "*"}, "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-abc"}}}], {("too-wide", "arn:aws:iam::999999999999:role/stranger")}),
    ("whoever knows the external id", [GOOD, CHAIN, {**CHAIN, "Principal": {"AWS": "*"}, "Condition": {"StringEquals": {"sts:ExternalId": "x1"}}}], {("too-wide", "arn:aws:iam::999999999999:role/stranger")}),
    ("everybody but one", [GOOD, {"Effect": "Allow", "NotPrincipal": {"AWS": "arn:aws:iam::333333333333:role/x"}, "Action": "sts:AssumeRole"}], {("too-wide", "arn:aws:iam::999999999999:role/stranger")}),
    ("a role with its path", [GOOD, {**CHAIN, "Principal": {"AWS": "arn:aws:iam::222222222222:role/ci/job"}}], set()),
    ("one session of a role", [GOOD, {**CHAIN, "Principal": {"AWS": "arn:aws:sts::222222222222:assumed-role/job/run"}}], set()),
    ("an id of nobody any more", [GOOD, {**CHAIN, "Principal": {"AWS": "AROAEXAMPLEEXAMPLE00"}}], {("dead", "job")}),
    ("services for themselves", [GOOD, CHAIN, {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}], set()),
    ("pods of any cluster", [GOOD, CHAIN, {"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": ["sts:AssumeRole", "sts:TagSession"]}], {("too-wide", "pod stranger/stranger of stranger")}),
    ("nobody but the workflow", [GOOD], {("dead", "job")}),
    ("no statement", [], {("dead", "job"), ("dead", "workflow")}),
    ("another branch", [web(StringEquals={SUB: "repo:acme/app:ref:refs/heads/old", AUD: "sts.amazonaws.com"}), CHAIN], {("dead", "workflow"), ("too-wide", f"repo:acme/app:ref:refs/heads/old {STRANGER}")}),
    ("by a claim that the subject repeats", [web(StringEquals={"token.actions.githubusercontent.com:repository": "acme/app", SUB: MAIN, AUD: "sts.amazonaws.com"}), CHAIN], set()),
    ("by a claim that is not known", [web(StringEquals={"token.actions.githubusercontent.com:actor_id": "7", **EXACT["StringEquals"]}), CHAIN], {("unsure", "workflow")}),
    ("from a network", [GOOD, {**CHAIN, "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}], {("unsure", "job")}),
    ("an unknown operator", [GOOD, {**CHAIN, "Condition": {"StringSounds": {"aws:PrincipalArn": "x"}}}], {("unsure", "job")}),
    ("a pattern in Principal", [GOOD, CHAIN, {**CHAIN, "Principal": {"AWS": "arn:aws:iam::222222222222:role/*"}}], {("unsure", "arn:aws:iam::222222222222:role/*")}),
    ("a date that has passed", [GOOD, {**CHAIN, "Condition": {"DateLessThan": {"aws:CurrentTime": "2026-11-01T00:00:00Z"}}}], {("dead", "job")}),
]  # fmt: skip


@pytest.mark.parametrize(("statements", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_trust_policy_is_told_as_the_table_has_it(statements, expected):
    assert told(drift(*statements)) == expected


@pytest.mark.parametrize("policy", ["no JSON", [], None, {"Statement": [7]}, {"Statement": {"Effect": "allow"}}])
def test_what_is_no_policy_is_not_understood(policy):
    found = compare(Account("111111111111", [Role(ROLE, policy)], {GITHUB: ()}), Book(parse(BOOK.encode(), "b"), "x"),
                    now=NOW, given={}).found  # fmt: skip
    assert [one.sort for one in found] == [Sort.UNSURE]


def test_one_statement_need_be_no_list():
    assert told(drift(policy={"Version": "2012-10-17", "Statement": GOOD})) == {("dead", "job")}


def test_what_is_given_settles_what_is_not_known():
    narrowed = {**CHAIN, "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}
    assert drift(GOOD, narrowed, given={"aws:SourceIp": "10.1.2.3"}) == []
    assert told(drift(GOOD, narrowed, given={"aws:SourceIp": "192.0.2.1"})) == {("dead", "job")}


def test_variables_count_in_the_newer_version_alone():
    named = {
        **CHAIN,
        "Principal": {"AWS": "222222222222"},
        "Condition": {"StringEquals": {"aws:PrincipalArn": "${aws:PrincipalArn}"}},
    }
    assert ("too-wide", "arn:aws:iam::222222222222:role/stranger") in told(drift(GOOD, named))
    assert told(drift(GOOD, named, version="2008-10-17")) == {("dead", "job")}


def test_a_provider_that_does_not_exist_lets_nobody_in():
    assert told(drift(WEB, CHAIN, providers={})) == {("dead", "workflow")}


def test_an_audience_that_the_provider_does_not_take_is_dead():
    assert told(drift(GOOD, CHAIN, providers={GITHUB: ("other",)})) == {("dead", "workflow")}


def test_a_source_identity_that_is_required_and_not_asked_for_is_too_wide():
    book = BOOK + f'requirements: [{{roles: "{ROLE}", source_identity: {{mode: enforce, equals: caller}}}}]'
    assert ("too-wide", JOB) in told(drift(GOOD, CHAIN, book=book))


def test_a_role_that_the_book_does_not_name_is_unlisted():
    assert told(drift(WEB, book='version: "1"')) == {
        ("unlisted", f"repo:stranger/repository:ref:refs/heads/main {STRANGER}")
    }


def test_a_role_that_is_not_there_is_missing_and_what_nobody_names_is_unused():
    saml = "arn:aws:iam::111111111111:saml-provider/old"
    found = compare(
        Account("111111111111", [], {GITHUB: (), saml: ()}), Book(parse(BOOK.encode(), "b"), "x"), now=NOW, given={}
    )
    assert {(str(one.sort), one.target) for one in found.found} == {("missing", ROLE), ("unused", saml)}


def test_roles_that_aws_keeps_are_counted_and_those_of_services_are_in_neither():
    service = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
    }
    roles = [
        Role("arn:aws:iam::111111111111:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_x_1", WEB),
        Role("arn:aws:iam::111111111111:role/node", service),
    ]
    found = compare(Account("111111111111", roles, {}), Book(parse(b'version: "1"', "b"), "x"), now=NOW, given={})
    assert (found.found, found.compared, found.neither, found.passed_over) == ([], 1, 1, 1)
