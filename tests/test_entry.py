"""The entry to paste cures its finding: merged into the policy, it makes the access an expected one."""

import json
from functools import cache

import pytest
import yaml

from callerid import delivery
from callerid.advice import advise
from callerid.engine import Engine
from callerid.entry import CURABLE
from callerid.finding import rule
from callerid.judgement import Judgement, Verdict
from callerid.policy.book import Book
from callerid.policy.load import parse
from callerid.reasons import REASONS
from tests.conftest import record
from tests.test_cases import ALL, CASES, _book

CURED = 152
"""Cases whose finding an entry takes away; more is better, fewer is a step back."""


def judged(value: dict, book: Book) -> Judgement:
    (item,) = delivery.document(json.dumps(value).encode())
    (judgement,) = Engine(book).judge(item)
    return judgement


def merged(policy: str | None, entry: str) -> str:
    """A policy with an entry pasted into it, as a person does it: a new item, or more of one that is there."""
    whole = _read(policy or (CASES / "policy.yaml").read_text())
    callers = whole.setdefault("callers", [])
    for item in _read(entry):
        known = next((caller for caller in callers if caller["name"] == item["name"]), None)
        assert (known is None) == ("owner" in item)
        if known is None:
            callers.append(item)
            continue
        for key in ("identities", "may_reach"):
            known[key] = known.get(key, []) + item.get(key, [])
    return json.dumps(whole)


def _read(text: str) -> object:
    return yaml.load(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))


def _curable() -> list[tuple[str, dict]]:
    found = []
    for name, case in ALL:
        if case["expect"].get("verdict") == "unexpected" and "record" in case and case.get("policy") != "none":
            judgement = judged(case["record"], _book(case.get("policy")))
            if rule(judgement) in CURABLE:
                found.append((name, case))
    return found


@cache
def advised() -> list[tuple[str, dict, str | None]]:
    """Every case that an entry could cure, with the entry that is given for it."""
    found = []
    for name, case in _curable():
        book = _book(case.get("policy"))
        found.append((name, case, advise(judged(case["record"], book), book).entry))
    return found


def test_an_entry_cures_every_case_that_it_is_given_for():
    cured = 0
    for name, case, entry in advised():
        if entry is None:
            continue
        before = judged(case["record"], _book(case.get("policy")))
        after = judged(case["record"], Book(parse(merged(case.get("policy"), entry).encode(), "merged"), "x"))
        assert rule(before) not in after.reasons, f"{name}: {case['case']}\n{entry}"
        assert CURABLE.isdisjoint(after.reasons), f"{name}: {case['case']}: {after.reasons}"
        decided = [code for code in after.reasons if REASONS[code].verdict is after.verdict]
        assert after.verdict is Verdict.IDENTIFIED or decided, f"{name}: {case['case']}: {after}"
        cured += 1
    assert cured >= CURED


@pytest.mark.parametrize(
    ("name", "case", "is_first"),
    [
        ("account-unlisted", "an account that is not ours at a role that nobody guards", True),
        ("account-unlisted", "the partner at another role", True),
        ("account-unlisted", "an account that is not ours assumes a role of ours", False),
        ("origin-not-logged", "an unlisted federated origin at GKE", True),
        ("matrix-gcp", "G10: somebody else", False),
        ("matrix-gcp", "G15: the same workflow at another bucket", False),
    ],
)
def test_an_entry_says_where_it_makes_findings_of_whoever_else_comes(name, case, is_first):
    """A target that stands in any entry is guarded: only those who are listed for it are expected."""
    (entry,) = (text for file, one, text in advised() if (file, one["case"]) == (name, case))
    assert ("# The first entry for this target" in entry) is is_first


def test_what_has_no_entry_can_not_be_said_exactly_or_names_too_many():
    without = {f"{name}: {case['case']}" for name, case, entry in advised() if entry is None}
    assert len(without) < len(advised()) / 6
    assert without >= {
        "subject-missing: the subject is a space",
        "shapes: a subject that is half a character",
        "target-unexpected: a line's end behind its own role",
        "target-unexpected: no role at all",
        "principal-id-unlisted: a masked id",
        "account-unlisted: the account is a number",
        "audience-unexpected: no audience anywhere",
        "provider-unexpected: an exchange without its provider",
        "root-session-unlisted: the root user of the management account itself",
    }


@pytest.mark.parametrize("code", sorted(REASONS.keys() - CURABLE))
def test_a_contradiction_a_requirement_and_nobody_have_no_entry(code):
    for name, case in ALL:
        if name == code and "record" in case and case.get("policy") != "none":
            book = _book(case.get("policy"))
            for item in delivery.document(json.dumps(case["record"]).encode()):
                judgement = Engine(book).judge(item)[0] if hasattr(item, "records") else None
                if judgement is not None and rule(judgement) == code:
                    assert advise(judgement, book).entry is None


@pytest.mark.parametrize("sign", ["*", "?", "build-*", "?x"])
def test_a_value_that_would_be_a_pattern_has_no_entry(sign):
    value = record()
    value["userIdentity"]["userName"] = value["responseElements"]["subjectFromWebIdentityToken"] = sign
    book = _book(None)
    assert advise(judged(value, book), book).entry is None


def test_nobody_of_our_own_account_is_listed_by_the_account():
    root = {"type": "Root", "arn": "arn:aws:iam::111111111111:root", "accountId": "111111111111", "principalId": "1"}
    value = record(
        eventName="AssumeRole",
        userIdentity=root,
        requestParameters={"roleArn": "arn:aws:iam::222222222222:role/admin_role", "roleSessionName": "x"},
    )
    book = _book(None)
    judgement = judged(value, book)
    assert rule(judgement) == "principal-unlisted"
    assert advise(judgement, book).entry is None


NAMES = {
    "of a name that is taken": ("release", "release-2", "release-3"),
    "of nothing that a name can hold": ("\u202e", "caller", "caller-2"),
    "of a sentence": ("<!channel> rm /; `id`", "channel-rm-id", "channel-rm-id-2"),
    "of a workflow": ("repo:acme/app-fork:ref:refs/heads/main", "acme-app-fork-main", "acme-app-fork-main-2"),
    "of a long one": ("y" * 500, "y" * 40, "y" * 40 + "-2"),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_made_of_plain_signs_and_is_nobodys_yet(name):
    subject, *expected = NAMES[name]
    policy = (CASES / "policy.yaml").read_text()
    for number, wanted in enumerate(expected):
        value = record(requestParameters={"roleArn": "arn:aws:iam::111111111111:role/new"}, responseElements=None)
        value["userIdentity"] |= {"userName": subject, "identityProvider": f"idp-{number}.example.com"}
        book = Book(parse(policy.encode(), "policy"), "x")
        entry = advise(judged(value, book), book).entry
        assert yaml.safe_load(entry)[0]["name"] == wanted
        policy = merged(policy, entry)


def test_an_identity_that_is_listed_elsewhere_is_listed_once():
    policy = (
        "version: 1\ncallers:\n  - name: batch\n    owner: o\n"
        "    identities: [{aws_role: 'arn:aws:iam::111111111111:role/crosscloud-test-aws-1'}]\n"
        "    may_reach: [{aws_role: 'arn:aws:iam::222222222222:role/x'}]\n"
    )
    case = next(case for name, case in ALL if (name, case["case"]) == ("seeds", "role 1 exchanges its token"))
    book = _book(policy)
    judgement = judged(case["record"], book)
    entry = advise(judgement, book).entry
    assert yaml.safe_load(entry)[0].keys() == {"name", "may_reach"}
    assert judged(case["record"], _book(merged(policy, entry))).verdict is Verdict.IDENTIFIED
