"""A suggested book leaves nothing to tell but the nameless, and holds nothing that nobody wrote or was seen."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callerid import delivery
from callerid.access import Outcome
from callerid.engine import Engine
from callerid.envelope import Batch
from callerid.judgement import FINDINGS, Verdict
from callerid.names import glob
from callerid.policy.book import Book
from callerid.policy.load import parse
from callerid.suggest import draft, history, write
from callerid.suggest.addition import deciding
from tests.conftest import ROOT, entry, json_lines, record
from tests.test_cases import ALL

RECORDS = [(f"{name}: {case['case']}", case["record"]) for name, case in ALL if "record" in case]
CONTRADICTIONS = {
    "subject-mismatch", "mapped-principal-mismatch", "source-identity-changed", "source-identity-appeared",
    "source-identity-dropped", "federation-token-by-root", "session-name-contradicts",
}  # fmt: skip


def seen_of(tmp_path, records, base=None):
    path = tmp_path / "log.jsonl"
    path.write_bytes(json_lines(*records))
    return history.read([str(path)], base)


def judged(records, policy: str):
    book = Book(parse(policy.encode(), "suggested"), "x")
    engine = Engine(book)
    for item in delivery.Lines().read(json_lines(*records)):
        if isinstance(item, Batch):
            yield from engine.judge(item)


def suggested(tmp_path, records, *, denied=False) -> str:
    seen = seen_of(tmp_path, records)
    return write.book(draft.draft(seen, None, denied=denied), seen)


def strays(records, policy: str) -> list:
    """The findings that a suggested book should have taken away."""
    return [
        judgement
        for judgement in judged(records, policy)
        if judgement.verdict is Verdict.UNEXPECTED
        and judgement.access.outcome is Outcome.ALLOWED
        and CONTRADICTIONS.isdisjoint(judgement.reasons)
    ]


def patterns(value) -> list[str]:
    if isinstance(value, dict):
        return [found for held in value.values() for found in patterns(held)]
    if isinstance(value, list | tuple):
        return [found for held in value for found in patterns(held)]
    return [value] if isinstance(value, str) and glob.is_glob(value) else []


INEXACT = 23
"""Cases of one record whose caller no exact entry can list."""


def test_each_case_alone_leaves_only_the_nameless_the_refused_and_what_contradicts_itself(tmp_path):
    strange = []
    for name, one in RECORDS:
        policy = suggested(tmp_path, [one])
        if strays([one], policy):
            strange.append((name, strays([one], policy)[0]))
    assert len(strange) <= INEXACT


EXPLAINED = {
    "subject-unlisted", "principal-unlisted", "provider-unlisted", "account-unlisted", "audience-unexpected",
    "target-unexpected", "root-session-unlisted", "principal-id-unlisted", "provider-unexpected",
}  # fmt: skip
SUBSETS = [RECORDS[start::17] for start in range(17)]


def check(records, tmp_path, *, allowed: int) -> str:
    """Hold a suggestion to its promises; ``allowed`` strays can't be listed exactly."""
    seen = seen_of(tmp_path, records)
    made = draft.draft(seen, None)
    policy = write.book(made, seen)
    document = parse(policy.encode(), "suggested")
    assert document == made.document
    assert patterns(document.__class__ and json.loads(json.dumps(_plain(document)))) == []
    found = list(judged(records, policy))
    left = {(one.judgement.verdict, deciding(one.judgement)) for one in made.left}
    for judgement in found:
        if judgement.verdict in FINDINGS:
            codes = set(deciding(judgement))
            assert any(verdict is judgement.verdict and codes.issuperset(told) for verdict, told in left)
    rest = strays(records, policy)
    assert len(rest) <= allowed, [(one.reasons, one.access.subject, one.access.target) for one in rest]
    assert all(set(deciding(one)) <= EXPLAINED for one in rest)
    return policy


def _plain(value):
    import msgspec

    return msgspec.to_builtins(value)


@pytest.mark.parametrize("subset", range(17))
def test_mixtures_of_cases_leave_only_what_can_not_be_listed_exactly(subset, tmp_path):
    check([one for _, one in SUBSETS[subset]], tmp_path, allowed=INEXACT)


def test_all_cases_together_leave_only_what_can_not_be_listed_exactly(tmp_path):
    check([one for _, one in RECORDS], tmp_path, allowed=INEXACT)


@settings(max_examples=40)
@given(st.lists(st.sampled_from([one for _, one in RECORDS]), max_size=12))
def test_any_mixture_of_cases(tmp_path_factory, records):
    check(records, tmp_path_factory.mktemp("mixture"), allowed=len(records))


def test_a_suggestion_does_not_depend_on_the_order_of_the_records(tmp_path):
    records = [one for _, one in RECORDS]
    first = suggested(tmp_path, records)
    random.Random(8).shuffle(records)
    assert suggested(tmp_path, records) == first


def test_the_examples_leave_one_without_a_name_and_one_that_the_cloud_refused(tmp_path):
    seen = history.read(sorted(map(str, (ROOT / "examples/logs").rglob("*.json*"))), None)
    made = draft.draft(seen, None)
    assert {(one.judgement.verdict, one.judgement.access.outcome) for one in made.left} == {
        ("anonymous", "allowed"),
        ("unexpected", "denied"),
    }


def test_what_the_cloud_refused_is_listed_where_it_is_asked_for(tmp_path):
    denied = record(errorCode="AccessDenied", responseElements=None)
    assert "100000000000000000001" not in suggested(tmp_path, [denied]).partition("# The cloud")[0]
    assert "100000000000000000001" in suggested(tmp_path, [denied], denied=True).partition("# The cloud")[0]


POOL = "projects/123456789012/locations/global/workloadIdentityPools/crosscloud-test"


def mixture(size: int) -> list[dict]:
    """Records of many callers on both clouds, with sessions of all names, as a busy tenant has them."""
    made, chance = [], random.Random(3)
    for number in range(size):
        who = chance.randrange(20)
        if chance.random() < 0.5:
            made.append(_google_at_aws(number, f"1000000000000000000{who:02d}", chance))
        elif chance.random() < 0.5:
            made.append(_role_at_google(number, f"job-{who}", chance))
        else:
            made.append(_impersonation(number, f"job-{who}", chance))
    return made


def _google_at_aws(number, subject, chance):
    identity = {
        "type": "WebIdentityUser",
        "principalId": f"accounts.google.com:{subject}:{subject}",
        "userName": subject,
        "identityProvider": "accounts.google.com",
    }
    role = f"arn:aws:iam::111111111111:role/target-{chance.randrange(3)}"
    return record(
        number,
        userIdentity=identity,
        requestParameters={"roleArn": role, "roleSessionName": f"run-{number}"},
        responseElements={"subjectFromWebIdentityToken": subject, "audience": subject},
    )


def _role_at_google(number, role, chance):
    subject = f"arn:aws:sts::111111111111:assumed-role/{role}/i-{chance.randrange(16**8):08x}"
    value = entry(number)
    value["protoPayload"]["authenticationInfo"] = {"principalSubject": subject}
    value["protoPayload"]["metadata"] = {"mapped_principal": f"principal://iam.googleapis.com/{POOL}/subject/{subject}"}
    return value


def _impersonation(number, role, chance):
    subject = f"arn:aws:sts::111111111111:assumed-role/{role}/i-{chance.randrange(16**8):08x}"
    value = entry(number, resource={"labels": {"email_id": f"t{chance.randrange(3)}@p.iam.gserviceaccount.com"}})
    value["protoPayload"] |= {
        "serviceName": "iamcredentials.googleapis.com",
        "methodName": "GenerateAccessToken",
        "resourceName": "projects/-/serviceAccounts/1",
        "authenticationInfo": {"principalSubject": f"principal://iam.googleapis.com/{POOL}/subject/{subject}"},
    }
    return value


def test_a_busy_tenant_becomes_a_caller_for_each_workload(tmp_path):
    records = mixture(2000)
    policy = check(records, tmp_path, allowed=0)
    document = parse(policy.encode(), "suggested")
    assert len(document.callers) == 40
    assert all(judgement.verdict not in FINDINGS for judgement in judged(records, policy))
    assert sum(policy.count(f"assumed-role/{part}") for part in ("", "i-")) == 0
