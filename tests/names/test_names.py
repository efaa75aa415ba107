"""Names that the clouds write, in every spelling that occurs, and what only looks like one."""

import itertools
import json
import re

import msgspec
import pytest

from callerid.moment import utc
from callerid.names import arn, github, glob, principal
from callerid.names.printable import inert, printable

POOL = "projects/123456789012/locations/global/workloadIdentityPools/p"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("arn:aws:iam::111111111111:role/x", ("role", "111111111111", "x", None)),
        ("arn:aws:iam::111111111111:role/a/b/x", ("role", "111111111111", "x", None)),
        ("arn:aws-us-gov:sts::111111111111:assumed-role/x/s", ("assumed-role", "111111111111", "x", "s")),
        ("arn:aws:sts::111111111111:assumed-role/x/s/t", ("assumed-role", "111111111111", "x", "s/t")),
        ("arn:aws:iam::111111111111:user/team/u", ("user", "111111111111", "u", None)),
        ("arn:aws:iam::111111111111:root", ("root", "111111111111", "root", None)),
        ("arn:aws:sts::111111111111:federated-user/f", ("federated-user", "111111111111", "f", None)),
    ],
)
def test_a_principals_arn_has_its_parts(text, expected):
    found = arn.parse(text)
    assert (found.type, found.account, found.name, found.session) == expected


@pytest.mark.parametrize(
    "text",
    ["", "arn", "arn:aws:s3:::b", "arn:aws:iam::1:role/x", "arn:aws:sts::111111111111:assumed-role/x",
     "arn:aws:sts::111111111111:assumed-role//s", "arn:aws:iam::111111111111:role/", "arn:aws:sts::111111111111:role/x",
     "xarn:aws:iam::111111111111:role/x", "arn:aws:iam::١١١١١١١١١١١١:role/x", "arn:aws:iam::111111111111:rootx"],
)  # fmt: skip
def test_what_only_looks_like_one_is_none(text):
    assert arn.parse(text) is None


@pytest.mark.parametrize(
    ("region", "partition"),
    [("us-east-1", "aws"), ("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"),
     ("us-iso-east-1", "aws-iso"), ("us-isob-east-1", "aws-iso-b"), ("us-isof-south-1", "aws-iso-f"),
     ("eu-isoe-west-1", "aws-iso-e"), ("eusc-de-east-1", "aws-eusc"), ("", "aws"), (None, "aws")],
)  # fmt: skip
def test_a_region_is_of_one_partition(region, partition):
    assert arn.partition_of(region) == partition


def test_a_session_is_of_the_role_whatever_its_path():
    assert arn.role_of("arn:aws:sts::111111111111:assumed-role/x/s") == arn.role_of(
        "arn:aws:iam::111111111111:role/p/x"
    )
    assert arn.role_arn("arn:aws:sts::111111111111:assumed-role/x/s") == "arn:aws:iam::111111111111:role/x"
    assert arn.role_arn("arn:aws:iam::111111111111:role/p/x") == "arn:aws:iam::111111111111:role/p/x"
    assert arn.role_arn("arn:aws:iam::111111111111:user/x") is None


@pytest.mark.parametrize(
    ("text", "pool", "subject"),
    [
        (f"principal://iam.googleapis.com/{POOL}/subject/a", POOL, "a"),
        (f"principal://iam.googleapis.com/{POOL}/subjects/a", POOL, "a"),
        (f"//principal://iam.googleapis.com/{POOL}/subject/a/subject/b", POOL, "a/subject/b"),
        ("principal://iam.googleapis.com/locations/global/workforcePools/w/subject/a@b", "locations/global/workforcePools/w", "a@b"),
    ],
)  # fmt: skip
def test_a_pools_principal_is_split_once(text, pool, subject):
    assert principal.parse(text) == (pool, subject)


def test_a_workload_of_gke_is_one_in_both_spellings():
    pool = "projects/1/locations/global/workloadIdentityPools/prod.svc.id.goog"
    assert principal.gke_of("serviceAccount:prod.svc.id.goog[web/api]") == "prod.svc.id.goog[web/api]"
    assert (
        principal.gke_of(f"principal://iam.googleapis.com/{pool}/subject/ns/web/sa/api") == "prod.svc.id.goog[web/api]"
    )
    assert principal.gke_of("serviceAccount:x@prod.iam.gserviceaccount.com") is None


@pytest.mark.parametrize(
    ("email", "is_agent"),
    [
        ("service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com", True),
        ("123456789012@cloudservices.gserviceaccount.com", True),
        ("service-org-123456789012@gcp-sa-logging.iam.gserviceaccount.com", True),
        ("service-123456789012@gae-api-prod.google.com.iam.gserviceaccount.com", True),
        ("project-123456789012@storage-transfer-service.iam.gserviceaccount.com", True),
        ("project-123456789012@my-gcp-project.iam.gserviceaccount.com", False),
        ("service-123456789012@gae-api-prod.iam.gserviceaccount.com", False),
        ("123456789012@cloudbuild.gserviceaccount.com", False),
        ("service-123456789012@my-gcp-project.iam.gserviceaccount.com", False),
        ("service-123456789012@gcp-sa-x.example.com", False),
    ],
)
def test_only_googles_own_projects_hold_service_agents(email, is_agent):
    assert principal.is_service_agent(email) is is_agent


def test_githubs_two_forms_share_a_name():
    old, new = github.parse("repo:acme/app:ref:refs/heads/main"), github.parse("repo:acme@1/app@2:ref:refs/heads/main")
    assert old.name == new.name
    assert (old.ids, new.ids) == ((None, None), ("1", "2"))
    assert github.parse("project_path:acme/app:ref_type:branch") is None


@pytest.mark.parametrize(
    ("subject", "is_one"),
    [
        ("repo:a/b:pull_request", True),
        ("repo:a@1/b@2:pull_request:job_workflow_ref:x", True),
        ("repo:a/b:environment:pull_request", False),
        ("repo:a/b:ref:refs/heads/pull_request", False),
    ],
)
def test_a_pull_request_is_told_by_its_context(subject, is_one):
    assert github.is_pull_request(subject) is is_one


def test_a_pattern_knows_two_signs_and_brackets_are_literal():
    assert glob.matches("p.svc.id.goog[ns/*]", "p.svc.id.goog[ns/a]")
    assert not glob.matches("[a-z]*", "abc")
    assert not glob.matches("a?c", "ac")
    assert glob.matches("**", "")
    assert not glob.matches("abc", "abc\n")
    assert not glob.matches("ab*c", "abc\n")


@pytest.mark.parametrize(
    "pattern", ["*", "a*", "*a", "*a*", "a*a", "*a*b*", "a?*?b", "*ab*ab", "*?a", "**a**b", "a*b*", "?*?"]
)
def test_a_pattern_matches_what_its_plain_expression_matches(pattern):
    texts = ["".join(signs) for length in range(7) for signs in itertools.product("ab\n", repeat=length)]
    plain = re.compile(glob.expression(pattern), re.DOTALL)
    assert [text for text in texts if glob.matches(pattern, text)] == [text for text in texts if plain.fullmatch(text)]


def test_no_name_keeps_a_pattern_of_several_stars_busy():
    assert not glob.matches("*/*/*/*/*.csv", "/" * 20_000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-02T03:04:05Z", "2026-11-02T03:04:05Z"),
        ("2026-11-02T03:04:05.123456789Z", "2026-11-02T03:04:05.123456Z"),
        ("2026-11-02T03:04:05.1Z", "2026-11-02T03:04:05.1Z"),
        ("2026-11-02T12:00:00+09:00", "2026-11-02T03:00:00Z"),
        ("2026-11-02 03:04:05.123456 UTC", "2026-11-02T03:04:05.123456Z"),
        ("2026-11-02 03:04:05", "2026-11-02T03:04:05Z"),
        ("20261102T030405Z", "2026-11-02T03:04:05Z"),
        ("2026-01-31T03:04:05Z", "2026-01-31T03:04:05Z"),
        ("2026-02-30T03:04:05Z", None),
        ("2026-13-01T03:04:05Z", None),
        ("٢٠٢٦-11-02T03:04:05Z", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_moments_have_one_spelling(text, expected):
    assert utc(text) == expected


@pytest.mark.parametrize("text", ["a\x7fb\x9b31m", "\u202egnp", "\U000e0041", "テスト\u2028", "plain", '"\\\n'])
def test_json_on_a_terminal_moves_no_cursor_and_says_the_same(text):
    data = inert(msgspec.json.encode([text]))
    assert json.loads(data) == [text]
    assert printable(data.decode()) == data.decode()
    assert ("テスト" in text) == ("テスト" in data.decode())


def test_what_is_printed_can_move_no_cursor_and_turn_no_line():
    assert printable("a\x1b[2J\u202eb\u2028c\ud800d") == "a\ufffd[2J\ufffdb\ufffdc\ufffdd"
    assert printable("crosscloud-テスト") == "crosscloud-テスト"
