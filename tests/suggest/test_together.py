"""What the records prove to be one caller becomes one, and nothing else does; it is named as its sessions are."""

import json

import pytest

from callerid.policy.load import parse
from callerid.policy.model import Document
from callerid.suggest import draft, write
from tests.conftest import entry, record
from tests.suggest.test_suggest import POOL, seen_of

GITHUB = "token.actions.githubusercontent.com"
AWS_GITHUB = f"arn:aws:iam::111111111111:oidc-provider/{GITHUB}"


def book(tmp_path, *records, base=None) -> Document:
    seen = seen_of(tmp_path, records)
    return parse(write.book(draft.draft(seen, base), seen).encode(), "suggested")


def workflow(subject: str, audience: str = "sts.amazonaws.com", **fields: object) -> dict:
    identity = {"type": "WebIdentityUser", "userName": subject, "identityProvider": AWS_GITHUB}
    answer = {"subjectFromWebIdentityToken": subject, "provider": AWS_GITHUB, "audience": audience}
    identity["principalId"] = f"{AWS_GITHUB}:{audience}:{subject}"
    return record(userIdentity=identity, responseElements=answer, **fields)


def exchange(subject: str, mapped: str | None = None, provider: str = "p") -> dict:
    value = entry()
    value["protoPayload"]["authenticationInfo"] = {"principalSubject": subject}
    name = f"principal://iam.googleapis.com/{POOL}/subject/{mapped or subject}"
    value["protoPayload"] |= {"metadata": {"mapped_principal": name}, "resourceName": f"{POOL}/providers/{provider}"}
    return value


def token(caller: str, account: str = "target@p.iam.gserviceaccount.com", **more: object) -> dict:
    """A token of an account for a principal of the pool, or an e-mail address."""
    value = entry(insertId=more.pop("insertId", "t"), resource={"labels": {"email_id": account, **more}})
    who = {"principalEmail": caller} if "@" in caller and "/" not in caller else None
    value["protoPayload"] |= {
        "authenticationInfo": who or {"principalSubject": f"principal://iam.googleapis.com/{POOL}/subject/{caller}"},
        "serviceName": "iamcredentials.googleapis.com",
        "methodName": "GenerateIdToken" if "unique_id" in more else "GenerateAccessToken",
        "resourceName": "projects/-/serviceAccounts/1",
        "request": {"audience": "crosscloud-test"} if "unique_id" in more else {},
        "metadata": {},
    }
    return value


def session(role: str, name: str) -> str:
    return f"arn:aws:sts::111111111111:assumed-role/{role}/{name}"


def test_sessions_are_their_role(tmp_path):
    names = ("i-0123456789abcdef0", "i-0123456789abcdef1")
    found = book(tmp_path, *(exchange(session("job", name)) for name in names), token(session("job", "x")))
    (caller,) = found.callers
    assert caller.name == "job"
    assert [one.aws_role for one in caller.identities] == ["arn:aws:iam::111111111111:role/job"]
    assert [(one.service_account, one.provider) for one in caller.may_reach] == [
        ("target@p.iam.gserviceaccount.com", f"{POOL}/providers/p")
    ]


def test_an_account_s_id_and_address_are_one_where_google_shows_both(tmp_path):
    label = {"unique_id": "100000000000000000001"}
    at_google = token(
        "crosscloud-test-1@p.iam.gserviceaccount.com", "crosscloud-test-1@p.iam.gserviceaccount.com", **label
    )
    (caller,) = book(tmp_path, record(), at_google).callers
    (identity,) = caller.identities
    assert identity.email == "crosscloud-test-1@p.iam.gserviceaccount.com"
    assert (caller.name, caller.may_reach[0].oaud) == ("crosscloud-test-1", "crosscloud-test")


def test_without_such_a_record_the_address_is_not_guessed(tmp_path):
    (caller,) = book(tmp_path, record()).callers
    assert caller.identities[0].email is None


def test_both_forms_of_a_workflow_are_one_caller_that_pins_its_ids(tmp_path):
    found = book(tmp_path, workflow("repo:acme/app:ref:x"), workflow("repo:acme@1/app@2:ref:x"))
    (caller,) = found.callers
    assert [one.oidc.subject for one in caller.identities] == ["repo:acme@1/app@2:ref:x"]


def test_a_recycled_name_keeps_the_ids_of_both(tmp_path):
    found = book(tmp_path, workflow("repo:acme@1/app@2:ref:x"), workflow("repo:acme@1/app@9:ref:x"))
    (caller,) = found.callers
    assert [one.oidc.subject for one in caller.identities] == ["repo:acme@1/app@2:ref:x", "repo:acme@1/app@9:ref:x"]


def test_a_workflow_on_both_clouds_is_one_caller(tmp_path):
    subject = "repo:acme/app:environment:production"
    found = book(tmp_path, workflow(subject), exchange(subject, provider="github"), token(subject))
    (caller,) = found.callers
    assert len(caller.identities) == 1
    assert {one.aws_role or one.service_account for one in caller.may_reach} == {
        "arn:aws:iam::111111111111:role/crosscloud-test",
        "target@p.iam.gserviceaccount.com",
    }


def test_a_mapped_principal_of_several_subjects_is_a_caller_of_its_own(tmp_path):
    """Who is behind it later shows nowhere, so it is nobody's."""
    records = [exchange(session(role, "x"), mapped="111111111111") for role in ("one", "two")]
    found = book(tmp_path, *records, token("111111111111"))
    assert sorted(caller.name for caller in found.callers) == ["111111111111", "one", "two"] or len(found.callers) == 3
    assert all(len(caller.identities) == 1 for caller in found.callers)


def test_a_record_that_contradicts_itself_proves_nothing(tmp_path):
    found = book(tmp_path, exchange(session("one", "x"), session("two", "x")), exchange(session("one", "y")))
    assert [caller.name for caller in found.callers] == ["one"]


def test_a_subject_under_two_issuers_is_two_callers(tmp_path):
    other = workflow("repo:acme/app:ref:x")
    rogue = json.loads(json.dumps(other).replace(GITHUB, "issuer.example.net"))
    assert len(book(tmp_path, other, rogue).callers) == 2


def test_each_audience_is_listed(tmp_path):
    found = book(tmp_path, workflow("repo:acme/app:ref:x"), workflow("repo:acme/app:ref:x", "other"))
    assert [one.audience for one in found.callers[0].may_reach] == ["other", "sts.amazonaws.com"]


def person(session_name: str, source: str | None, number: int = 1, **fields: object) -> dict:
    """A user of another account, who assumes a role."""
    user = f"user-{number}"
    identity = {"type": "IAMUser", "userName": user, "accountId": "222222222222", "principalId": f"AIDAEXAMPLE{number}"}
    request = {"roleArn": "arn:aws:iam::111111111111:role/admin", "roleSessionName": session_name}
    return record(
        number,
        eventName="AssumeRole",
        userIdentity={**identity, "arn": f"arn:aws:iam::222222222222:user/{user}"},
        requestParameters=request | ({"sourceIdentity": source} if source else {}),
        responseElements={"sourceIdentity": source} if source else {},
        **fields,
    )


@pytest.mark.parametrize(
    ("records", "source", "session_name"),
    [
        ([("user-1", "user-1"), ("user-2", "user-2")], ("warn", "caller"), ("warn", "caller")),
        ([("x", "user-1"), ("y", "user-2")], ("warn", "caller"), None),
        ([("user-1", None), ("user-2", None)], None, ("warn", "caller")),
        ([("user-1", "user-1"), ("user-2", None)], None, ("warn", "caller")),
        ([("botocore-session-1", "case-1"), ("botocore-session-2", "case-2")], ("warn", "caller"), None),
        ([("a", None), ("b", None)], None, None),
        ([("user-2", None), ("user-1", None)], None, None),
    ],
)
def test_what_every_session_meets_is_required_in_warn(records, source, session_name, tmp_path):
    """A constant source identity names its caller, so even a foreign one says who it is."""
    found = book(tmp_path, *(person(name, held, number) for number, (name, held) in enumerate(records, 1)))
    shown = [
        tuple(demand and (demand.mode, demand.equals) for demand in (one.source_identity, one.session_name))
        for one in found.requirements
    ]
    assert shown == ([(source, session_name)] if source or session_name else [])


def test_a_constant_session_name_names_a_caller_without_a_better_name(tmp_path):
    (caller,) = book(tmp_path, record()).callers
    assert caller.name == "nightly-export"


def test_a_name_that_several_callers_use_is_nobody_s(tmp_path):
    other = json.loads(json.dumps(record(2)).replace("100000000000000000001", "100000000000000000002"))
    assert "nightly-export" not in {caller.name for caller in book(tmp_path, record(), other).callers}


def test_an_invented_name_never_makes_a_session_contradict_itself(tmp_path):
    """A session that is called like another caller and says by its source identity who it is stays expected."""
    named = record()
    mixed = person("nightly-export", "user-1")
    seen = seen_of(tmp_path, [named, mixed])
    made = draft.draft(seen, None)
    assert made.left == []


def test_roles_within_an_account_are_not_listed_unless_they_bear_a_source_identity(tmp_path):
    own = person("x", None)
    own["userIdentity"] |= {"accountId": "111111111111", "arn": "arn:aws:iam::111111111111:user/user-1"}
    assert book(tmp_path, own).callers == ()
    own["requestParameters"]["sourceIdentity"] = own["responseElements"]["sourceIdentity"] = "user-1"
    assert [caller.name for caller in book(tmp_path, own).callers] == ["user-1"]
