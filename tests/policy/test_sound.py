"""What is doubtful in a policy that is good: each doubt at its line, and none about a sound one."""

from datetime import date, timedelta

import pytest

from callerid.policy.load import placed
from callerid.policy.sound import doubts
from tests.conftest import POLICY

TODAY = date(2026, 11, 2)
SOUND = """version: 1
callers:
  - name: release
    owner: web@example.com
    identities:
      - oidc: {issuer: token.actions.githubusercontent.com, subject: "repo:acme/app:environment:production"}
    may_reach:
      - aws_role: arn:aws:iam::111111111111:role/deploy
        audience: sts.amazonaws.com
  - name: job
    owner: data@example.com
    expires: 2027-03-31
    identities:
      - aws_role: arn:aws:iam::111111111111:role/job
    may_reach:
      - aws_role: arn:aws:iam::222222222222:role/target
requirements:
  - roles: arn:aws:iam::222222222222:role/target
    source_identity: {mode: enforce}
"""


def found(text: str) -> list[tuple[int, str]]:
    document, shape = placed(text.encode(), "policy")
    return [
        (fault.line, fault.message.partition(":")[0]) for fault in doubts(document, shape, TODAY, timedelta(days=30))
    ]


def test_a_sound_policy_has_no_doubts():
    assert found(SOUND) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("2027-03-31", "2026-11-01", [(12, "expired"), (18, "unreachable")]),
        ("2027-03-31", "2026-11-02", [(12, "expires-soon")]),
        ("2027-03-31", "2026-12-02", [(12, "expires-soon")]),
        ("2027-03-31", "2026-12-03", []),
        ("web@example.com", "TODO", [(4, "owner-missing")]),
        ("source_identity: {mode: enforce}", "source_identity: {mode: enforce, matches: '([a-z]+-?)+'}", [(19, "slow")]),
        ("web@example.com", "TODO@example.com", [(4, "owner-missing")]),
        ("web@example.com", "unknown", [(4, "owner-missing")]),
        ("web@example.com", "todor@example.com", []),
        ("    may_reach:\n      - aws_role: arn:aws:iam::222222222222:role/target\n", "", [(10, "reaches-nothing"), (16, "unreachable")]),
        ("roles: arn:aws:iam::222222222222:role/target", "roles: arn:aws:iam::222222222222:role/targett", [(18, "unreachable")]),
        ("roles: arn:aws:iam::222222222222:role/target", "roles: arn:aws:iam::222222222222:role/ta*", []),
        ("roles: arn:aws:iam::222222222222:role/target", "roles: arn:aws:iam::222222222222:role/path/target", []),
        ("        audience: sts.amazonaws.com\n", "", [(6, "wide")]),
        ("repo:acme/app:environment:production", "repo:acme/app:*", [(6, "wide")]),
        ("repo:acme/app:environment:production", "repo:acme/app*", [(6, "wide")]),
        ("repo:acme/app:environment:production", "repo:acme/*", [(6, "wide")]),
        ("repo:acme/app:environment:production", "repo:acme/app:ref:refs/tags/*", []),
        ("role/job\n", "role/*\n", [(14, "wide")]),
        ("role/job\n", "role/job*\n", [(14, "wide")]),
        ("role/job\n", "role/job-*\n", []),
        ("- aws_role: arn:aws:iam::111111111111:role/job", "- aws_account: '333333333333'", [(14, "wide")]),
        ("role/target\nrequirements", "role/*\nrequirements", [(16, "wide")]),
        ("role/job\n", "role/job\n      - aws_role: arn:aws:iam::111111111111:role/job\n", [(15, "duplicate")]),
        ("role/target\nreq", "role/target\n      - aws_role: arn:aws:iam::222222222222:role/target\nreq", [(17, "duplicate")]),
        ("role/target\nreq", "role/target\n      - aws_role: arn:aws:iam::222222222222:role/ta*\nreq", [(16, "duplicate")]),
        ("role/job\n", "role/job\n      - google_service_account: '000000000000000000000'\n", [(15, "unfilled")]),
        ("source_identity: {mode: enforce}", "source_identity: {mode: enforce}\n  - roles: arn:aws:iam::222222222222:role/target\n    source_identity: {mode: warn}", [(20, "overlap")]),
        ("source_identity: {mode: enforce}", "source_identity: {mode: enforce}\n  - roles: arn:aws:iam::222222222222:role/target\n    source_identity: {mode: enforce}", [(20, "duplicate")]),
        ("role/deploy", "role/TODO", [(8, "unfilled")]),
    ],
)  # fmt: skip
def test_each_doubt_stands_at_its_line(old, new, expected):
    assert old in SOUND
    assert found(SOUND.replace(old, new, 1)) == expected


def test_a_pattern_over_another_caller_s_identity_is_an_overlap():
    text = SOUND.replace("role/deploy", "role/job").replace(
        "requirements:", "  - name: jobs\n    owner: x@example.com\n    identities:\n"
        "      - aws_role: arn:aws:iam::111111111111:role/j*b\n    may_reach:\n      - aws_role: arn:aws:iam::222222222222:role/x\nrequirements:",
    )  # fmt: skip
    assert (14, "overlap") in found(text)


def test_a_doubt_is_no_fault():
    document, shape = placed(POLICY.read_bytes(), "policy")
    doubts(document, shape, TODAY, timedelta(days=30))
    assert shape.faults == []
