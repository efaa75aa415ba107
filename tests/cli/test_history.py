"""`callerid scan logging://…`, as a person types it."""

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
    assert "pip install callerid[gcp]" in run(URL, status=2)[1]


@pytest.mark.parametrize("url", ["logging://", "logging://p?since=x"])
def test_a_wrong_url_is_one_message(url):
    assert "expected logging://PROJECT" in run(url, status=2)[1]
