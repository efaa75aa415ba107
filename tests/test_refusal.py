"""The lines that would have refused an access do refuse it, and let in the callers whom the book lists."""

import copy
import json
import re
from fnmatch import fnmatchcase

import pytest

from callerid import delivery
from callerid.access import Access, Cloud, Kind
from callerid.advice import advise
from callerid.alerts.layout import LONGEST_SNIPPET
from callerid.alerts.text import Untrusted
from callerid.engine import Engine
from callerid.finding import rule
from callerid.judgement import FINDINGS, Judgement, Verdict
from callerid.moment import utc
from callerid.names import arn, principal
from tests.test_cases import ALL, _book

REFUSED = 237
"""Cases whose refusal is proven to refuse; more is better, fewer is a step back."""


def judged(case: dict) -> Judgement:
    (item,) = delivery.document(json.dumps(case["record"]).encode())
    return Engine(_book(case.get("policy"))).judge(item)[0]


def context(access: Access, record: dict) -> dict[str, str | None]:
    """What AWS knows of a call, under the names that conditions have for it; as far as the record shows it."""
    issuer = arn.issuer_of(access.provider)
    namespace, _, account = (access.subject or "").partition("/")
    expected = {
        f"{issuer}:sub": access.subject,
        f"{issuer}:aud": access.audience,
        "SAML:sub": access.subject,
        "SAML:aud": (access.kind is Kind.SAML and access.audience) or "https://signin.aws.amazon.com/saml",
        "SAML:sub_type": (record.get("responseElements") or {}).get("subjectType", "").rpartition(":")[2] or None,
        "aws:PrincipalTag/x509Subject/CN": access.subject,
        "aws:SourceArn": access.provider,
        "aws:RequestTag/eks-cluster-arn": access.provider,
        "aws:RequestTag/eks-cluster-name": (access.provider or "").rpartition("/")[2],
        "aws:RequestTag/kubernetes-namespace": namespace,
        "aws:RequestTag/kubernetes-service-account": account,
        "aws:PrincipalArn": arn.role_arn(access.principal) or access.principal,
        "aws:CurrentTime": utc(record.get("eventTime")),
        "aws:username": (access.principal or "").rpartition("/")[2],
        "sts:SourceIdentity": access.source_identity,
        "aws:SourceIdentity": None,
        "sts:RoleSessionName": access.session_name,
        "sts:RoleAuthorizedByIdp": "true" if access.role_claimed else None,
        "sts:IdentityTokenAudience": "\0".join(access.audiences or ()),
    }
    return {key: value for key, value in expected.items() if value}


def holds(condition: dict, known: dict[str, str]) -> bool:
    """Evaluate a condition as IAM does: every key of every operator, absent keys only where negated.

    The audience that Google's tokens were asked for is in no log: whoever made one may have asked for any.
    """
    return all(
        key.endswith(":oaud")
        or _holds(operator, known.get(key), values if isinstance(values, list) else [values], known)
        for operator, keys in condition.items()
        for key, values in keys.items()
    )


def _holds(operator: str, shown: str | None, values: list[str], known: dict[str, str]) -> bool:
    wanted = [value.replace("${aws:username}", known.get("aws:username", "")) for value in values]
    match operator:
        case "StringEquals" | "ArnEquals" | "Bool":
            return shown in wanted
        case "StringLike" | "ArnLike":
            return shown is not None and any(fnmatchcase(shown, value.replace("[", "[[]")) for value in wanted)
        case "StringNotEquals" | "StringNotLike" | "ArnNotLike":
            return shown is None or not any(fnmatchcase(shown, value.replace("[", "[[]")) for value in wanted)
        case "ForAllValues:StringEquals":
            return all(one in wanted for one in (shown or "").split("\0"))
        case "Null":
            return (shown is None) == (wanted == ["true"])
        case "DateLessThan":
            return shown is not None and shown[:19] < wanted[0][:19]
        case _:
            raise AssertionError(operator)


def is_principal(listed: dict, access: Access) -> bool:
    """Tell whether a statement is about who made a call."""
    kind, names = next(iter(listed.items()))
    names = names if isinstance(names, list) else [names]
    if kind == "Federated":
        return any(name == access.provider or arn.issuer_of(name) == access.provider for name in names)
    if kind == "Service":
        return access.kind in (Kind.POD_IDENTITY, Kind.ROLES_ANYWHERE)
    role, account = arn.role_of(access.principal), access.origin_account
    own = {access.principal, *(name for name in names if role and arn.role_of(name) == role)}
    roots = {f"arn:aws:iam::{account}:root", f"arn:aws:iam::{arn.account_of(access.principal)}:root", "*"}
    return not own.isdisjoint(names) or not roots.isdisjoint(names)


def aws_allows(policy: object, access: Access, record: dict) -> bool:
    """Tell whether a trust policy, a part of one, or a deny lets a call through."""
    statements = policy if isinstance(policy, list) else [policy]
    known = context(access, record)
    about = [one for one in statements if is_principal(one.get("Principal", {"AWS": "*"}), access)]
    met = [one for one in about if holds(one.get("Condition", {}), known)]
    if any(one.get("Effect") == "Deny" for one in statements):
        return not met
    return bool(met)


def gcp_allows(text: str, access: Access, record: dict) -> bool:
    """Tell whether bindings, or an attribute condition, let a call through."""
    if text.startswith("timestamp("):
        return utc(record["timestamp"])[:19] < re.findall(r"'(.*)'", text)[0][:19]
    if text.startswith("{"):
        members = {member for one in json.loads(text).get("bindings", ()) for member in one["members"]}
        own = {f"{form}:{access.principal}" for form in ("user", "serviceAccount")} | {access.principal}
        found = principal.parse(access.principal or "") or principal.parse((access.delegation or ("",))[0])
        role = arn.parse(found.subject) if found else None
        if found and role and role.type == "assumed-role":
            session = f"arn:aws:sts::{role.account}:assumed-role/{role.name}"
            own.add(f"principalSet://iam.googleapis.com/{found.pool}/attribute.aws_role/{session}")
        return not members.isdisjoint(own)
    from tests.enforce.clouds import exchange_allows  # which asks this module what AWS knows

    return exchange_allows({"attributeCondition": text}, access.provider or "", access)


FOUND = [
    (f"{name}: {case['case']}", case)
    for name, case in ALL
    if "record" in case and case.get("policy") != "none" and case["expect"].get("verdict") in FINDINGS
]
NOT_IN_THE_RECORD = ("time-missing", "source-identity-dropped", "service-account-key")
"""What the refusal is about can't be seen in the record of the call: a time, what a session carries, another call."""


def refusals() -> list[tuple[str, dict, Judgement, str]]:
    found = []
    for name, case in FOUND:
        judgement = judged(case)
        text = advise(judgement, _book(case.get("policy"))).refuse
        if text is not None:
            found.append((name, case, judgement, text))
    return found


def test_every_refusal_refuses_the_access_that_it_is_told_for():
    proven = 0
    for name, case, judgement, text in refusals():
        where, _, policy = text.partition("\n")
        assert len(text) <= 900, name
        assert where.endswith((":", ".")), name
        if rule(judgement) in NOT_IN_THE_RECORD:
            continue
        access, record = judgement.access, case["record"]
        if access.origins:  # the stranger is one of several, and the other one is let in
            continue
        is_aws = access.cloud is Cloud.AWS
        allows = aws_allows(json.loads(policy), access, record) if is_aws else gcp_allows(policy, access, record)
        assert not allows, f"{name}\n{text}\n{access}"
        proven += 1
    assert proven >= REFUSED


def test_an_expression_is_shown_as_it_is_to_be_pasted():
    """Within double quotes a sign may be written in another way, as JSON and CEL have it, and nowhere else."""
    for name, _, _, text in refusals():
        expression = text.partition("\n")[2]
        shown = Untrusted(text).raw(LONGEST_SNIPPET).partition("\n")[2]
        if not expression.startswith(("{", "[")):
            strings = re.compile(r'"(?:[^"\\]|\\.)*"')
            assert strings.sub("", shown) == strings.sub("", expression), name


def test_no_condition_ends_in_if_exists():
    assert all("IfExists" not in text for _, _, _, text in refusals())


LET_IN = {
    ("seeds", "service account 1 assumes the shared role"): ("100000000000000000002", ["100000000000000000007"]),
    ("seeds", "role 1 exchanges its token"): ("crosscloud-test-aws-2", ["crosscloud-test-aws-7"]),
}


@pytest.mark.parametrize("place", LET_IN, ids=": ".join)
def test_those_whom_the_book_lists_are_let_in(place):
    case = next(case for name, case in ALL if (name, case["case"]) == place)
    listed = judged(case)
    assert listed.verdict is Verdict.IDENTIFIED
    _, (stranger,) = LET_IN[place]
    known = "100000000000000000001" if stranger.isdigit() else "crosscloud-test-aws-1"
    strange = copy.deepcopy(case)
    strange["record"] = json.loads(json.dumps(case["record"]).replace(known, stranger))
    text = advise(judged(strange), _book(case.get("policy"))).refuse.partition("\n")[2]
    for one, expected in ((listed, True), (judged(strange), False)):
        is_aws = one.access.cloud is Cloud.AWS
        allows = aws_allows(json.loads(text), one.access, {}) if is_aws else gcp_allows(text, one.access, {})
        assert allows is expected, text


def of_case(name: str, case: str) -> dict:
    return next(found for file, found in ALL if (file, found["case"]) == (name, case))


WORKFLOW = "version: 1\ncallers:\n  - name: a\n    owner: o@example.com\n    identities: {identities}\n    may_reach: {reach}\n"
AT_AWS = "[{aws_role: 'arn:aws:iam::111111111111:role/deploy', audience: sts.amazonaws.com}]"
GITHUB = "projects/123456789012/locations/global/workloadIdentityPools/github/providers/github"
AT_GOOGLE = f"[{{service_account: cc-test-target@my-gcp-project.iam.gserviceaccount.com, provider: {GITHUB}}}]"


@pytest.mark.parametrize(
    ("listed", "subject", "is_let_in"),
    [
        (["repo:acme/app:environment:production"], "repo:acme/app:environment:production", True),
        (["repo:acme/app:environment:production"], "repo:acme@11/app@22:environment:production", True),
        (["repo:acme@11/app@22:environment:production"], "repo:acme/app:environment:production", True),
        (["repo:acme@11/app@22:environment:production"], "repo:acme@11/app@23:environment:production", False),
        (["repo:acme/app:*"], "repo:acme/app:ref:refs/heads/main", True),
        (["repo:acme/app:*"], "repo:acme/app:pull_request", False),
        (["repo:acme/app:*", "repo:acme/app:pull_request"], "repo:acme/app:pull_request", True),
    ],
)
@pytest.mark.parametrize("at", [AT_AWS, AT_GOOGLE], ids=["aws", "gcp"])
def test_a_listed_workflow_is_let_in_in_either_form_and_a_wildcard_lets_in_no_pull_request(
    at, listed, subject, is_let_in
):
    """What is pasted at three in the morning must not stop the deployments that the book lists."""
    issuer = "token.actions.githubusercontent.com"
    identities = json.dumps([{"oidc": {"issuer": issuer, "subject": one}} for one in listed])
    book = _book(WORKFLOW.format(identities=identities, reach=at))

    def of(whose: str) -> Judgement:
        if at == AT_AWS:
            case = of_case("audience-unexpected", "a token that was made for somebody else opens a role")
            text = json.dumps(case["record"]).replace("https://github.com/acme", "sts.amazonaws.com")
        else:
            case = of_case("matrix-gcp", "G1: a recycled repository name")
            text = json.dumps(case["record"])
        record = json.loads(re.sub(r"repo:[a-z@0-9/]+:[a-z:/]+", whose, text))
        (item,) = delivery.document(json.dumps(record).encode())
        return Engine(book).judge(item)[0]

    stranger = of("repo:mallory/app:environment:production")
    assert stranger.verdict is Verdict.UNEXPECTED
    text = (advise(stranger, book).refuse or "").partition("\n")[2]
    if at == AT_AWS and len(listed) > 1:
        assert not text, "as long as it is not too long, take this away"
        return
    allows = aws_allows if at == AT_AWS else gcp_allows
    policy = json.loads(text) if at == AT_AWS else text
    access = of(subject)
    assert (access.verdict is Verdict.IDENTIFIED) is is_let_in
    assert allows(policy, access.access, {}) is is_let_in, text
    assert not allows(policy, stranger.access, {})


def test_a_listed_person_is_let_in_by_the_source_identity_that_names_a_transient_subject():
    listed = of_case("subject-transient", "a transient name of no meaning with a listed source identity beside it")
    stranger = of_case("matrix-aws", "A10: a transient subject without a source identity")
    policy = json.loads(advise(judged(stranger), _book(stranger.get("policy"))).refuse.partition("\n")[2])
    assert aws_allows(policy, judged(listed).access, listed["record"])
    assert all(
        "sts:SetSourceIdentity" in one["Action"]
        for one in policy
        if "transient" in str(one["Condition"].get("StringEquals"))
    )
    assert not aws_allows(policy, judged(stranger).access, stranger["record"])


def test_where_a_source_identity_is_asked_for_the_listed_may_set_one():
    """Without the action AWS refuses everybody who does as the book asks."""
    role, user = "arn:aws:iam::123456789012:role/TestRoleForSourceID", "arn:aws:iam::123456789012:user/mallory"
    case = of_case("matrix-aws", "A11: another's source identity")
    text = json.dumps(case["record"]).replace("user/TestUserForSourceID", "user/mallory")
    text = text.replace("AIDAEXAMPLEEXAMPLE", "AIDAOTHEROTHERXXXX").replace(
        '"userName": "TestUserForSourceID"', '"userName": "mallory"'
    )
    stranger = judged({**case, "record": json.loads(text)})
    assert (stranger.access.principal, stranger.access.target) == (user, role)
    found = advise(stranger, _book(case.get("policy")))
    assert rule(stranger) == "principal-unlisted", stranger.reasons
    assert json.loads(found.refuse.partition("\n")[2])["Action"] == ["sts:AssumeRole", "sts:SetSourceIdentity"]


def test_bindings_that_would_leave_out_a_listed_account_are_not_said_to_be_all():
    case = of_case("seeds", "a bare account id that nobody listed")
    assert advise(judged(case), _book(case.get("policy"))).refuse is None


def test_the_variable_of_a_users_own_name_is_the_only_one():
    policy = (
        "version: 1\ncallers:\n  - name: a\n    owner: o\n"
        "    identities: [{oidc: {issuer: idp.example.com, subject: 'x${aws:userid}'}}]\n"
        "    may_reach: [{aws_role: 'arn:aws:iam::111111111111:role/crosscloud-test'}]\n"
    )
    case = next(
        case for name, case in ALL if (name, case["case"]) == ("seeds", "service account 1 assumes the shared role")
    )
    assert advise(judged({**case, "policy": policy}), _book(policy)).refuse is None
