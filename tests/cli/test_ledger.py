"""The ledger's commands, as a person types them."""

import getpass
import json
import re
import time

import pytest
from click.testing import CliRunner

from callerid.cli import main
from callerid.ledger import storm
from callerid.ledger.url import connect
from tests.alerts.slack_server import TOKEN, SlackServer
from tests.alerts.test_deliver import other
from tests.conftest import POLICY, ROOT
from tests.ledger.made import NOW, of, recorder

LOGS = str(ROOT / "examples" / "logs")


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/ledger.db"


@pytest.fixture
def slack(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with SlackServer() as server:
        monkeypatch.setenv("CALLERID_SLACK_TOKEN", TOKEN)
        monkeypatch.setenv("CALLERID_SLACK_API", server.url)
        yield server


def run(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == status, result.output
    assert TOKEN not in result.output
    return result.output


@pytest.fixture
def filled(url):
    run("scan", "--policy", str(POLICY), "--ledger", url, "--fail-on", "never", LOGS)
    return url


def test_scanning_the_same_files_twice_changes_nothing(filled):
    before = run("alerts", "--ledger", filled, "--format", "jsonl", status=1)
    summary = run("summary", "--ledger", filled, "--week", "2026-W45", "--format", "json")
    run("scan", "--policy", str(POLICY), "--ledger", filled, "--fail-on", "never", "--jobs", "2", LOGS)
    assert run("alerts", "--ledger", filled, "--format", "jsonl", status=1) == before
    assert run("summary", "--ledger", filled, "--week", "2026-W45", "--format", "json") == summary
    assert json.loads(summary)["judged"] == 37


def test_several_processes_fill_one_ledger(url, filled, tmp_path):
    other = f"sqlite:///{tmp_path}/other.db"
    run("scan", "--policy", str(POLICY), "--ledger", other, "--fail-on", "never", "--jobs", "2", LOGS)
    figures = [
        json.loads(run("summary", "--ledger", one, "--week", "2026-W45", "--format", "json")) for one in (url, other)
    ]
    for seen in (one for figure in figures for one in figure["new"]):
        seen["last"] = seen["last"][:10]  # it is written once a day, by whichever record came first
    assert figures[0] == figures[1]


def test_alerts_lists_what_was_found_and_what_waits(filled):
    out = run("alerts", "--ledger", filled, status=1)
    assert "9 to be posted" in out
    assert len(re.findall("subject-unlisted", out)) == 5


@pytest.mark.parametrize("command", ["alerts", "summary", "deliver --dry-run", "report -o -", "suggest", "trace x"])
def test_a_ledger_that_is_not_there_is_not_an_empty_one(command, url, tmp_path):
    assert "there is no such file" in run(*command.split(), "--ledger", url, status=2)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "command",
    ["scan LOGS", "scan --jobs 2 LOGS", "alerts", "alerts --settle x", "deliver --dry-run", "suggest", "summary"],
)
def test_a_ledger_that_does_not_answer_is_one_message_and_no_finding(command, without_credentials):
    """Without credentials DynamoDB is asked for nothing; the same goes for one that is down or refuses."""
    out = run(*command.replace("LOGS", LOGS).split(), "--ledger", "dynamodb://ledger", status=2)
    (line,) = [line for line in out.splitlines() if line.startswith("Error: ")]
    assert line.startswith("Error: DynamoDB table ledger: ")
    assert line.endswith("Unable to locate credentials")


def test_a_settled_finding_is_listed_no_more(filled):
    keys = [
        json.loads(line)["alert"]["key"]
        for line in run("alerts", "--ledger", filled, "--format", "jsonl", status=1).splitlines()
    ]
    assert "is settled" in run(
        "alerts", "--ledger", filled, "--settle", keys[0][:8], "--note", "mended", "--by", "alice"
    )
    assert keys[0][:8] not in run("alerts", "--ledger", filled, status=1)
    assert "settled by" in run("alerts", "--ledger", filled, "--all", status=1)
    assert "no alert here" in run("alerts", "--ledger", filled, "--settle", "nothing", status=2)
    assert "several" in run("alerts", "--ledger", filled, "--settle", "", status=2)


def test_who_settles_is_asked_for_where_the_system_does_not_know(filled, monkeypatch):
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 4242")

    line, *_ = run("alerts", "--ledger", filled, "--format", "jsonl", status=1).splitlines()
    monkeypatch.setattr(getpass, "getuser", nobody)
    key = json.loads(line)["alert"]["key"]
    assert "needs --by NAME" in run("alerts", "--ledger", filled, "--settle", key, status=2)


def test_a_dry_run_prints_every_message_and_sends_nothing(filled):
    out = run("deliver", "--ledger", filled, "--dry-run")
    assert out.count("Do next") == 9
    assert "nothing was sent" in out
    assert "9 to be posted" in run("alerts", "--ledger", filled, status=1)


def test_a_dry_run_says_where_each_message_goes(url, tmp_path):
    """Whoever writes the policy's channels sees what takes which, before anything is posted."""
    run("scan", "--policy", str(POLICY), "--ledger", url, "--fail-on", "never", LOGS)
    out = run("deliver", "--ledger", url, "--dry-run")
    assert [out.count(f", to {name} ──") for name in ("#web-access", "#security", "#cloud-access")] == [0, 4, 5]
    unrouted = tmp_path / "policy.yaml"
    unrouted.write_text(POLICY.read_text().partition("\nchannels:")[0])
    other = f"sqlite:///{tmp_path}/unrouted.db"
    run("scan", "--policy", str(unrouted), "--ledger", other, "--fail-on", "never", LOGS)
    assert run("deliver", "--ledger", other, "--dry-run").count(", to the default channel ──") == 9
    assert run("deliver", "--ledger", other, "--dry-run", "--channel", "C0EXAMPLE1").count(", to C0EXAMPLE1 ──") == 9


def test_a_dry_run_of_a_storm_counts_what_it_tells(book, tmp_path):
    url = f"sqlite:///{tmp_path}/storm.db"
    store = connect(url)
    recorder(store).record(of([other(number, number) for number in range(30)], book, by_id=True), now=NOW)
    keys = [key for key, _ in store.list("outbox")]
    storm.gather(store, "", keys, now=NOW, pause=time.sleep, has_time=lambda: True)
    store.close()
    out = run("deliver", "--ledger", url, "--dry-run")
    assert "30 received = 1 posted + 29 folded" in out
    listed = run("alerts", "--ledger", url, status=1)
    assert "30 times" in listed
    assert "posted in a storm" not in listed


def test_deliver_posts_what_waits_once(filled, slack):
    assert "9 posted, 0 edited, 0 still waiting" in run("deliver", "--ledger", filled, "--channel", "C0123456789")
    assert "0 posted" in run("deliver", "--ledger", filled, "--channel", "C0123456789")
    assert len(slack.accepted) == 9
    assert "nothing waits" in run("alerts", "--ledger", filled)


def test_what_slack_refuses_still_waits_and_the_terminal_says_why(filled, slack):
    slack.token = None
    out = run("deliver", "--ledger", filled, "--channel", "C0123456789", status=1)
    assert "9 still waiting" in out
    assert "Slack refuses" in run("alerts", "--ledger", filled, status=1)


def test_the_summary_is_posted_once_and_then_edited(filled, slack):
    for _ in range(2):
        assert "is posted" in run(
            "summary", "--ledger", filled, "--week", "2026-W45", "--post", "--channel", "C0123456789"
        )
    (message,) = slack.accepted
    assert message.edits == 1
    slack.plan("invalid_auth")
    assert "invalid_auth" in run(
        "summary", "--ledger", filled, "--week", "2026-W44", "--post", "--channel", "C0123456789", status=2
    )


@pytest.mark.parametrize("format_", ["text", "markdown", "csv"])
def test_the_summary_is_shown_in_each_form(filled, format_):
    out = run("summary", "--ledger", filled, "--policy", str(POLICY), "--week", "2026-W45", "--format", format_)
    assert "2026-W45" in out


@pytest.mark.parametrize("arguments", [("--week", "2026"), ("--timezone", "Mars"), ("--policy", "/nowhere.yaml")])
def test_a_wrong_option_of_the_summary_is_one_message(filled, arguments):
    assert "Error: " in run("summary", "--ledger", filled, *arguments, status=2)


def test_the_self_test_posts_every_layout_and_slack_takes_all_of_them(slack):
    out = run("slack-selftest", "--channel", "C0123456789")
    assert len(slack.accepted) == out.count("\nok: ") > 25
    assert all("<!channel>" not in json.dumps(message.blocks) + message.text for message in slack.accepted)


def test_the_self_test_says_what_slack_refuses(slack):
    slack.plan("ok", "invalid_blocks")
    assert "invalid_blocks" in run("slack-selftest", "--channel", "C0123456789", status=1)


def test_the_self_test_can_be_looked_at_without_slack():
    assert "== a finding, as blocks" in run("slack-selftest", "--dry-run")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("deliver", "--channel", "C0123456789"), "CALLERID_SLACK_TOKEN is not set"),
        (("deliver", "--portal", "not a name", "--dry-run"), "portal"),
        (("alerts", "--ledger", "postgres://x"), "expected sqlite:///"),
        (("alerts", "--ledger", "sqlite:////nowhere/at/all.db"), "no such file"),
    ],
)
def test_what_is_missing_is_one_message_and_status_2(filled, monkeypatch, arguments, told):
    monkeypatch.delenv("CALLERID_SLACK_TOKEN", raising=False)
    monkeypatch.setenv("CALLERID_LEDGER", filled)
    assert told in run(*arguments, status=2)


def test_a_bot_token_needs_a_channel(filled, slack):
    assert "needs a channel" in run("deliver", "--ledger", filled, status=2)
