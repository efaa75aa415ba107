"""`callerid scan logging://…` and `callerid trace QUERY logging://…`, as a person types them."""

import json
import sys

import pytest
from click.testing import CliRunner
from google.auth.exceptions import DefaultCredentialsError

from callerid.cli import main
from callerid.sources import cloud
from tests.conftest import POLICY
from tests.gcp_function.stage import stranger
from tests.sources.test_cloud import URL, at, server
from tests.trace import made

__all__ = ["server"]


def run(*arguments: str, status: int) -> tuple[str, str]:
    result = CliRunner().invoke(main, ["scan", *arguments])
    assert result.exit_code == status, result.output
    return result.stdout, result.stderr


def test_history_is_judged_like_a_file_whatever_the_number_of_processes(server, tmp_path):
    server.entries = [*(at(number) for number in range(5)), stranger(6)]
    out, _ = run(URL, URL, "--policy", str(POLICY), "--format", "json", "--jobs", "4", status=1)
    (finding,) = json.loads(out)["findings"]
    assert json.loads(out)["records"] == 6
    assert finding["source"] == "logging://projects/my-gcp-project#2:[2]"


def test_twice_into_a_ledger_changes_nothing(server, tmp_path):
    server.entries = [at(1), stranger(2), at(3), at(4)]
    ledger = f"sqlite:///{tmp_path}/ledger.db"
    summaries = []
    for since in ("", "?since=2026-11-02T03:04:03Z"):
        run(URL + since, "--policy", str(POLICY), "--ledger", ledger, "--fail-on", "never", status=0)
        arguments = ["summary", "--ledger", ledger, "--week", "2026-W45", "--format", "json"]
        summaries.append(CliRunner().invoke(main, arguments).stdout)
    assert summaries[0] == summaries[1]
    assert json.loads(summaries[0])["judged"] == 4


def test_what_was_read_before_a_failure_is_shown_and_where_to_go_on(server):
    server.entries = [at(number) for number in range(4)]
    server.plan = [200, 403]
    out, told = run(URL, "--policy", str(POLICY), status=2)
    assert "3 records" in out
    assert "403" in told
    assert "go on with since=2026-11-02T03:04:02.123456789Z" in told


def test_an_interruption_says_where_to_go_on(server, monkeypatch):
    server.entries = [at(number) for number in range(4)]
    request = cloud.History._request
    calls = []

    def interrupted(self, token):
        calls.append(token)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return request(self, token)

    monkeypatch.setattr(cloud.History, "_request", interrupted)
    _, told = run(URL, "--policy", str(POLICY), status=130)
    assert told.strip().endswith("go on with since=2026-11-02T03:04:02.123456789Z")


def test_without_credentials_or_client_it_is_one_message(server, monkeypatch):
    def nobody(*_, **__):
        raise DefaultCredentialsError("sign in")

    monkeypatch.setattr("google.auth.default", nobody)
    assert "sign in" in run(URL, status=2)[1]
    monkeypatch.setitem(sys.modules, "google.cloud.logging", None)
    monkeypatch.delattr("google.cloud.logging")
    assert "pip install '.[gcp]'" in run(URL, status=2)[1]


@pytest.mark.parametrize("url", ["logging://", "logging://p?since=x"])
def test_a_wrong_url_is_one_message(url):
    assert "expected logging://PROJECT" in run(url, status=2)[1]


CHAIN = made.records([
    {"exchange": {"id": "g1", "at": "03:01:00", "subject": "worker"}},
    {"token": {"id": "g2", "at": "03:01:01", "by": "worker", "account": "a@my-gcp-project.iam.gserviceaccount.com"}},
    {"google": {"id": "g3", "at": "03:02:00", "by": "a@my-gcp-project.iam.gserviceaccount.com", "behind": ["worker"]}},
    {"google": {"id": "g4", "at": "03:03:00", "by": "a@my-gcp-project.iam.gserviceaccount.com", "behind": ["worker"]}},
])  # fmt: skip
BACK = """\
2026-11-02T03:02:00Z storage.objects.get by a@my-gcp-project.iam.gserviceaccount.com [g3]
└─ attested (delegation): 2026-11-02T03:01:01Z GenerateAccessToken by worker (pool crosscloud-test) [g2]
   └─ attested (mapped principal): 2026-11-02T03:01:00Z SecurityTokenService.ExchangeToken by worker [g1]
= subject of an identity provider worker of projects/123456789012/locations/global/workloadIdentityPools/crosscloud-test/providers/crosscloud-test-aws, attested
"""
FORWARD = """\
2026-11-02T03:01:01Z GenerateAccessToken for a@my-gcp-project.iam.gserviceaccount.com by worker (pool crosscloud-test) [g2]
└─ attested (mapped principal): 2026-11-02T03:01:00Z SecurityTokenService.ExchangeToken by worker [g1]
= subject of an identity provider worker of projects/123456789012/locations/global/workloadIdentityPools/crosscloud-test/providers/crosscloud-test-aws, attested
> with what GenerateAccessToken [g2] issued:
└─ attested (delegation): 2026-11-02T03:02:00Z to 2026-11-02T03:03:00Z 2 calls (storage.googleapis.com 2) [g3]
   ├─ 2026-11-02T03:02:00Z storage.objects.get [g3]
   └─ 2026-11-02T03:03:00Z storage.objects.get [g4]
"""


def traced(*arguments: str, status: int) -> tuple[str, str]:
    result = CliRunner().invoke(main, ["trace", *arguments])
    assert result.exit_code == status, result.output
    return result.stdout, result.stderr


def test_a_chain_is_traced_across_the_pages_of_a_history(server):
    server.entries = CHAIN
    assert traced("g3", URL, status=0) == (BACK, "")
    assert len(server.requests) == 2


def test_a_history_is_asked_twice_for_the_single_calls_of_what_followed(server):
    server.entries = CHAIN
    assert traced("g2", URL, "--forward", status=0) == (FORWARD, "")
    assert len(server.requests) == 4


def test_records_of_a_history_name_their_page(server):
    server.entries = CHAIN
    first = json.loads(traced("g4", URL, "--format", "jsonl", status=0)[0].splitlines()[0])
    assert [record["source"] for record in first["records"]] == ["logging://projects/my-gcp-project#2:[0]"]


def test_a_history_and_files_are_one_trace(server, tmp_path):
    """The exchange at Google, the session at AWS."""
    (aws,) = made.records([{"web": {"id": "a1", "at": "03:00:00", "subject": "s", "role": "r", "session": "x"}}])
    server.entries = made.records(
        [{"exchange": {"id": "g1", "at": "03:01:00", "subject": made.identity("r/x")["arn"]}}]
    )
    (tmp_path / "aws.json").write_text(json.dumps(aws))
    assert "correlated (session ARN)" in traced("g1", URL, str(tmp_path / "aws.json"), status=0)[0]


@pytest.mark.parametrize("plan", [[200, 403], [200, 200, 403]])
def test_a_history_that_breaks_off_is_traced_as_far_as_it_went_and_is_no_success(server, plan):
    """In the first reading, or in the second, for the single calls."""
    server.entries, server.plan = CHAIN, plan
    out, told = traced("g2", URL, "--forward", status=2)
    assert out.startswith("2026-11-02T03:01:01Z GenerateAccessToken")
    assert told.count("403") == 1
    assert told.endswith("callerid: this is a trace of what was read before; one of the rest alone could miss it\n")


def test_nothing_found_before_a_history_broke_off_is_not_nothing_of_that_name(server):
    server.plan = [403]
    out, told = traced("g3", URL, status=2)
    assert out == ""
    assert told.endswith("callerid: nothing found for g3\n")


def test_a_trace_without_a_client_or_with_a_wrong_url_is_one_message(server, monkeypatch):
    assert "expected logging://PROJECT" in traced("g3", "logging://", status=2)[1]
    monkeypatch.setitem(sys.modules, "google.cloud.logging", None)
    monkeypatch.delattr("google.cloud.logging")
    assert "pip install '.[gcp]'" in traced("g3", URL, status=2)[1]
