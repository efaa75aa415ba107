"""The pieces that are printed: whom they let in, what they warn of, and that no name escapes from its place."""

import json
import shlex
import shutil
import subprocess
from datetime import date

import cel
import pytest

from callerid.enforce import aws, commands, gcp, terraform
from callerid.enforce.piece import Plan
from callerid.policy.book import Book
from callerid.policy.load import parse
from callerid.refusal import gcp as refusing
from tests.conftest import POLICY
from tests.test_cases import CASES

TODAY = date(2026, 11, 2)
ROLE = "arn:aws:iam::111111111111:role/target"
POOL = "projects/123456789012/locations/global/workloadIdentityPools/p"
GITHUB = {"issuer": "token.actions.githubusercontent.com", "subject": "repo:acme@1/app@2:ref:x"}


def plan(text: str) -> Plan:
    book = Book(parse(text.encode(), "policy"), "x")
    parts = (aws.plan(book, TODAY), gcp.plan(book, TODAY))
    return Plan([one for part in parts for one in part.pieces], [one for part in parts for one in part.warnings])


def of(identity: dict, *, name: str = "caller", requirement: dict | None = None, **more: object) -> Plan:
    reaches = more.pop("may_reach", [{"aws_role": ROLE, **more.pop("reach", {})}])
    caller = {"name": name, "owner": "o", "identities": [identity], "may_reach": reaches, **more}
    whole = {"version": "1", "callers": [caller]}
    if requirement:
        whole["requirements"] = [{"roles": ROLE, **requirement}]
    return plan(json.dumps(whole))


ENFORCED = {"source_identity": {"mode": "enforce", "equals": "caller"}}


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (of({"iam_user": "arn:aws:iam::222222222222:user/x"}, requirement=ENFORCED), "The console can't switch"),
        (of({"aws_role": "arn:aws:iam::222222222222:role/x"}, requirement=ENFORCED), "A chain keeps its source identity"),
        (of({"aws_role": "arn:aws:iam::222222222222:role/x"}), "lasts an hour at most"),
        (of({"google_service_account": "100000000000000000001"}, requirement=ENFORCED), "carry no source identity"),
        (of({"google_service_account": "100000000000000000001"}), "no oaud is listed"),
        (of({"oidc": GITHUB}), "no audience is listed"),
        (of({"oidc": {**GITHUB, "subject": "repo:acme/app:ref:x"}}), "without pinned ids"),
        (of({"oidc": {**GITHUB, "subject": "repo:acme/app:*"}}), "whatever follows :pull_request is refused"),
        (of({"aws_account": "333333333333"}), "everybody whom account 333333333333 permits"),
        (of({"aws_role": "arn:aws:iam::222222222222:role/x-*"}), "Principal takes no pattern"),
        (of({"google_user": "kim@example.com"}), "google_user does not show up at AWS"),
        (of({"aws_role": "arn:aws:iam::222222222222:role/x"}, expires="2026-11-01"), "expired on 2026-11-01"),
        (of({"iam_user": "arn:aws:iam::222222222222:user/TODO-AIDA1"}), "says TODO and is left out"),
        (of({"aws_role": "arn:aws-cn:iam::222222222222:role/x"}), "is of another partition"),
        (of({"aws_role": "arn:aws:iam::222222222222:role/x"}, requirement={"source_identity": {"mode": "warn"}}), "only in warn"),
        (of({"aws_role": "arn:aws:iam::222222222222:role/x"}, requirement={"session_name": {"mode": "enforce", "matches": "T-[0-9]+"}}), "no regular expressions"),
        (of({"aws_role": "arn:aws:iam::222222222222:role/" + "x" * 60}, may_reach=[{"service_account": "a@p.iam.gserviceaccount.com", "provider": f"{POOL}/providers/aws"}]), "over 127 bytes"),
        (of({"oidc": {"issuer": "i.example.com", "subject": "s" * 128}}, may_reach=[{"service_account": "a@p.iam.gserviceaccount.com", "provider": f"{POOL}/providers/x"}]), "exceeds the 127 bytes"),
        (of({"google_service_account": "100000000000000000001"}, may_reach=[{"service_account": "a@p.iam.gserviceaccount.com"}]), "give the `email`"),
        (of({"aws_role": "arn:aws:iam::222222222222:role/x"}, may_reach=[{"resource": "projects/_/buckets/b", "provider": f"{POOL}/providers/aws"}]), "ROLE stands for"),
        (of({"aws_role": "arn:aws:iam::222222222222:role/x"}, may_reach=[{"resource": "x", "audience": "https://partner.example.com"}]), "ForAllValues holds"),
        (of({"oidc": GITHUB}, reach={"audience": "a" * 2100}), "higher quota"),
        (of({"oidc": GITHUB}, reach={"audience": "a" * 4100}), "more than AWS takes"),
    ],
)  # fmt: skip
def test_what_breaks_is_warned_of(made, words):
    assert any(words in warning for piece in made.pieces for warning in piece.warnings), made


def test_a_condition_that_is_too_long_is_warned_of():
    callers = [
        {"name": f"c{number}", "owner": "o", "identities": [{"aws_role": f"arn:aws:iam::222222222222:role/job-{number}"}],
         "may_reach": [{"service_account": "a@p.iam.gserviceaccount.com", "provider": f"{POOL}/providers/aws"}]}
        for number in range(60)
    ]  # fmt: skip
    made = plan(json.dumps({"version": "1", "callers": callers}))
    assert "Google takes 4,096" in made.pieces[0].warnings[0]


@pytest.mark.parametrize(
    ("subject", "refuses"), [("repo:acme/app:*", True), ("repo:acme/app:pull_request", False), ("job-*", False)]
)
def test_no_pull_request_comes_under_a_wildcard_of_a_pools_principals(subject, refuses):
    reaches = [{"service_account": "a@p.iam.gserviceaccount.com", "provider": f"{POOL}/providers/x"}]
    made = of({"principal": f"principal://iam.googleapis.com/{POOL}/subject/{subject}"}, may_reach=reaches)
    assert (
        refusing._NO_PULL_REQUEST.format("google.subject") in made.pieces[0].policy["attributeCondition"]
    ) is refuses


def test_a_pattern_of_targets_has_no_policy_and_says_so():
    made = of({"oidc": GITHUB}, may_reach=[{"aws_role": "arn:aws:iam::111111111111:role/app-*"}])
    assert made.pieces == []
    assert "a pattern has no trust policy" in made.warnings[0]


def test_nobody_left_is_nobody_let_in():
    made = of({"aws_role": "arn:aws:iam::222222222222:role/x"}, expires="2026-11-01")
    assert made.pieces[0].policy["Statement"] == [{"Effect": "Deny", "Principal": "*", "Action": "sts:*"}]


def test_a_role_of_which_only_something_is_required_refuses_all_sessions_without_it():
    demand = {"mode": "enforce"}
    required = {"roles": ROLE, "source_identity": demand, "session_name": demand, "role_claim": demand}
    (piece,) = plan(json.dumps({"version": "1", "requirements": [required]})).pieces
    assert (piece.kind, piece.target, piece.account, piece.callers) == ("deny", ROLE, "111111111111", [])
    everybody = {"Effect": "Deny", "Principal": "*"}
    asked = ["sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity"]
    no_service = {"BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}
    made_up = ["botocore-session-*", "AWSCLI-Session*", "aws-go-sdk-*", "aws-sdk-*", "GitHubActions"]
    made_up += ["CognitoIdentityCredentials", "i-0*"]
    absent = {"sts:SourceIdentity": "true", "aws:SourceIdentity": "true"}
    assert piece.policy == {
        "Version": "2012-10-17",
        "Statement": [
            {**everybody, "Action": asked, "Condition": {"Null": absent, **no_service}},
            {**everybody, "Action": asked, "Condition": {"StringLike": {"sts:RoleSessionName": made_up}, **no_service}},
            {
                **everybody,
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"BoolIfExists": {"sts:RoleAuthorizedByIdp": "false"}},
            },
        ],
    }


@pytest.mark.parametrize("mode", ["warn", "off"])
def test_what_only_warns_refuses_nobody(mode):
    demand = {"mode": mode}
    required = {"roles": ROLE, "source_identity": demand, "session_name": demand, "role_claim": demand}
    assert plan(json.dumps({"version": "1", "requirements": [required]})).pieces == []


def test_each_google_account_comes_with_the_audience_that_is_listed_for_it_alone():
    """The log does not show it, so the proof against the judge can't hold it."""
    callers = [
        {"name": f"job-{number}", "owner": "o", "identities": [{"google_service_account": f"10000000000000000000{number}"}],
         "may_reach": [{"aws_role": ROLE, "oaud": f"audience-{number}"}]}
        for number in (1, 2)
    ]  # fmt: skip
    (piece,) = plan(json.dumps({"version": "1", "callers": callers})).pieces
    assert [statement["Condition"] for statement in piece.policy["Statement"]] == [
        {
            "StringEquals": {
                "accounts.google.com:aud": f"10000000000000000000{number}",
                "accounts.google.com:oaud": f"audience-{number}",
                "accounts.google.com:sub": f"10000000000000000000{number}",
            }
        }
        for number in (1, 2)
    ]


PEOPLE = {"saml": {"provider": "arn:aws:iam::111111111111:saml-provider/x", "subject": "*@example.com"}}


@pytest.mark.parametrize("demand", [{"mode": "enforce"}, {"mode": "enforce", "equals": "caller"}])
def test_a_required_source_identity_does_not_replace_the_one_that_names_a_transient_subject(demand):
    _, transient = of(PEOPLE, requirement={"source_identity": demand}).pieces[0].policy["Statement"]
    assert transient["Condition"]["StringEquals"]["SAML:sub_type"] == "transient"
    assert transient["Condition"]["StringLike"]["sts:SourceIdentity"] == "*@example.com"


def test_an_entry_that_expires_ends_in_every_policy_of_aws():
    role, end = {"aws_role": "arn:aws:iam::222222222222:role/x"}, "2027-04-01T00:00:00Z"
    reaches = [{"resource": "x", "audience": "y"}, {"resource": "arn:aws:iam::222222222222:root"}, {"aws_role": ROLE}]
    made = of(role, may_reach=reaches, expires="2027-03-31")
    kinds = {piece.kind: json.dumps(piece.policy) for piece in made.pieces if piece.cloud == "aws"}
    assert kinds.keys() == {"trust-policy", "permissions", "service-control-policy"}
    assert all(end in policy for policy in kinds.values())


def test_who_may_start_root_sessions_may_until_the_end_of_the_entry():
    callers = [
        {"name": name, "owner": "o", "identities": [{"aws_role": f"arn:aws:iam::222222222222:role/{name}"}],
         "may_reach": [{"resource": "arn:aws:iam::333333333333:root"}], **more}
        for name, more in (("a", {"expires": "2027-03-31"}), ("b", {}))
    ]  # fmt: skip
    others, late = plan(json.dumps({"version": "1", "callers": callers})).pieces[0].policy["Statement"]
    assert others["Condition"] == {
        "ArnNotLike": {"aws:PrincipalArn": [f"arn:aws:iam::222222222222:role/{n}" for n in "ab"]}
    }
    assert late == {**others, "Condition": {
        "ArnLike": {"aws:PrincipalArn": "arn:aws:iam::222222222222:role/a"},
        "ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::222222222222:role/b"},
        "DateGreaterThanEquals": {"aws:CurrentTime": "2027-04-01T00:00:00Z"},
    }}  # fmt: skip


def test_both_forms_of_googles_accounts_are_let_in_on_one_role():
    callers = [
        {"name": name, "owner": "o", "identities": [identity], "may_reach": [{"aws_role": ROLE, "oaud": "x"}]}
        for name, identity in (
            ("a", {"google_service_account": "100000000000000000001"}),
            ("b", {"oidc": {"issuer": "accounts.google.com", "subject": "100000000000000000002"}}),
        )
    ]
    statements = plan(json.dumps({"version": "1", "callers": callers})).pieces[0].policy["Statement"]
    found = {
        one["Condition"]["StringEquals"]["accounts.google.com:sub"]: one["Condition"]["StringEquals"]
        for one in statements
    }
    assert found["100000000000000000001"]["accounts.google.com:aud"] == "100000000000000000001"
    assert "accounts.google.com:aud" not in found["100000000000000000002"]


def test_no_allowed_condition_holds_where_its_key_is_absent():
    for path in (POLICY, CASES / "policy.yaml"):
        for piece in plan(path.read_text()).pieces:
            for statement in piece.policy.get("Statement", ()):
                assert statement["Effect"] == "Deny" or "IfExists" not in json.dumps(statement)


@pytest.mark.parametrize(
    "value", ["${aws:userid}", "x${*}", "'; touch /tmp/x; '", '"}]} ${file("/etc/passwd")}', "%{ if true }", "a\u202eb"]
)
def test_no_value_becomes_a_variable_a_command_or_a_template(value, tmp_path):
    made = of({"oidc": {"issuer": "i.example.com", "subject": f"s{value}".replace("*", "x")}}, reach={"audience": "a"})
    shown = json.dumps(made.pieces[0].policy)
    assert "${a" not in shown
    assert "${f" not in shown
    words = [shlex.split(line, comments=True) for line in commands.lines(made)]
    assert [word[:3] for word in words if word] == [["aws", "iam", "update-assume-role-policy"]]
    text = "\n".join(terraform.lines(made))
    assert "${a" not in text.replace("$${", "")
    assert "%{" not in text.replace("%%{", "")


@pytest.mark.parametrize(
    "listed", ["repo:acme/app:environment:x", "repo:acme@1/app:environment:x", "repo:acme@*/app@*:environment:x"]
)
def test_no_other_repository_is_let_in_at_google_by_what_it_puts_into_its_subject(listed):
    reached = [{"service_account": "a@p.iam.gserviceaccount.com", "provider": f"{POOL}/providers/github"}]
    provider = of({"oidc": {**GITHUB, "subject": listed}}, may_reach=reached).pieces[0].policy
    customised = "repo:acme@1/other@3:ref:refs/heads/x/app@2:environment:x"
    for subject, expected in (("repo:acme@1/app@2:environment:x", True), (customised, False)):
        known = {"google": {"subject": subject}, "assertion": {"sub": subject}}
        assert cel.evaluate(provider["attributeCondition"], known) is expected
        assert (cel.evaluate(provider["attributeMapping"]["attribute.caller"], known) == "caller") is expected


@pytest.mark.parametrize("listed", ["repo:acme/*", "repo:acme/ap*", "repo:acme@1/*", "repo:acme/app:*"])
def test_every_repository_under_a_pattern_is_let_in_at_google_with_and_without_ids(listed):
    reached = [{"service_account": "a@p.iam.gserviceaccount.com", "provider": f"{POOL}/providers/github"}]
    provider = of({"oidc": {**GITHUB, "subject": listed}}, may_reach=reached).pieces[0].policy
    for owner, repository, expected in (
        ("acme", "app", True),
        ("acme@1", "app@2", True),
        ("other", "app", False),
        ("other@1", "app@2", False),
    ):
        subject = f"repo:{owner}/{repository}:ref:refs/heads/main"
        known = {"google": {"subject": subject}, "assertion": {"sub": subject}}
        assert cel.evaluate(provider["attributeCondition"], known) is expected
        assert (cel.evaluate(provider["attributeMapping"]["attribute.caller"], known) == "caller") is expected


def test_a_command_that_replaces_a_trust_policy_says_whose_and_how_to_keep_the_old_one():
    """The command names no account, and a role of this name may be in each."""
    role = "arn:aws:iam::222222222222:role/path/deploy"
    lines = list(commands.lines(of({"oidc": GITHUB}, may_reach=[{"aws_role": role, "audience": "a"}])))
    at = next(index for index, line in enumerate(lines) if line.startswith("aws iam update-assume-role-policy"))
    assert lines[at - 2].startswith("# in account 222222222222, in place of all that the role trusts now")
    assert lines[at - 1] == (
        "#   aws iam get-role --role-name deploy --query Role.AssumeRolePolicyDocument --output json"
    )


def test_no_pool_becomes_a_command():
    provider = "projects/1/locations/global/workloadIdentityPools/p;touch x $(id)/providers/q"
    made = of({"oidc": GITHUB}, may_reach=[{"service_account": "a@p.iam.gserviceaccount.com", "provider": provider}])
    assert "--workload-identity-pool='p;touch x $(id)'" in "\n".join(commands.lines(made))


@pytest.mark.skipif(not shutil.which("terraform"), reason="needs terraform")
@pytest.mark.parametrize("path", [POLICY, CASES / "policy.yaml"], ids=["example", "cases"])
def test_terraform_takes_what_it_is_given(path, tmp_path):
    """Only the values: the binding's provider would have to be downloaded."""
    made = plan(path.read_text())
    made.pieces = [piece for piece in made.pieces if piece.kind != "bindings"]
    (tmp_path / "main.tf").write_text("\n".join(terraform.lines(made)) + "\n")
    for command in (["init", "-backend=false"], ["validate"]):
        run = subprocess.run(["terraform", *command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr


def test_commands_of_both_clouds_are_whole_lines():
    for path in (POLICY, CASES / "policy.yaml"):
        text = "\n".join(commands.lines(plan(path.read_text()))).replace(" \\\n", " ")
        tools = {words[0] for words in (shlex.split(line, comments=True) for line in text.splitlines()) if words}
        assert tools == {"aws", "gcloud"}
