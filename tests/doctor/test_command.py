"""``callerid doctor`` as a person types it: the whole output of one healthy and one sick installation."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from callerid.cli.doctor import doctor
from callerid.doctor import aws_api, gcp_api
from callerid.ledger.sqlite import SqliteStore
from tests.conftest import ROOT
from tests.doctor.google import FORBIDDEN, PROJECT
from tests.doctor.installation import NOW, STACK, always, denied, figures
from tests.doctor.test_ledger import AWS, GOOGLE, hear

GOLDEN = Path(__file__).parent / "golden"
PAGE = (ROOT / "docs" / "doctor.md").read_text()


@pytest.fixture
def url(tmp_path):
    store = SqliteStore(str(tmp_path / "ledger.db"))
    hear(store, AWS, 240)
    hear(store, GOOGLE, 26 * 3600)
    store.close()
    return f"sqlite:///{tmp_path}/ledger.db"


@pytest.fixture
def environment(aws, google, monkeypatch):
    monkeypatch.setattr(aws_api, "connect", lambda: aws.aws)
    monkeypatch.setattr(gcp_api, "connect", lambda: google.google)
    clock = SimpleNamespace(now=NOW)
    clock.sleep = lambda seconds: setattr(clock, "now", clock.now + seconds)
    monkeypatch.setattr("callerid.cli.doctor.time", SimpleNamespace(time=lambda: clock.now, sleep=clock.sleep))
    # One name serves both clouds, and the stack on moto has its own.
    google.answers = {
        re.sub(r"((?:sinks|topics|subscriptions)/)callerid", rf"\1{STACK}", path).replace("callerid-deliver", f"{STACK}-deliver")
        .replace("services/callerid", f"services/{STACK}"): json.loads(
            json.dumps(answer)
            .replace("topics/callerid", f"topics/{STACK}")
            .replace("functions/callerid", f"functions/{STACK}")
            .replace("services/callerid", f"services/{STACK}")
            .replace("serviceAccount:callerid-", f"serviceAccount:{STACK}-")
        )
        for path, answer in google.answers.items()
    }  # fmt: skip
    return SimpleNamespace(aws=aws, google=google)


def run(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(doctor, arguments)
    assert result.exit_code == status, result.output
    return result.output


def same(name: str, shown: str) -> None:
    """Compare with what is kept, but for spaces at the ends of lines."""
    lines = "\n".join(line.rstrip() for line in shown.splitlines()) + "\n"
    assert lines == (GOLDEN / name).read_text()


def test_a_healthy_installation_is_well_from_the_trail_to_the_last_record(environment, url):
    same("healthy.txt", run("--aws", "--gcp", "--stack", STACK, "--project", PROJECT, "--ledger", url))


def test_a_sick_installation_is_told_what_to_do(environment, url):
    aws, google = environment.aws, environment.google
    aws.answers |= {
        "cloudtrail:GetEventSelectors": always(EventSelectors=[{"ReadWriteType": "WriteOnly"}]),
        "lambda:ListEventSourceMappings": denied,
        "cloudwatch:GetMetricStatistics": figures(Invocations=10, Errors=10),
        "events:ListRuleNamesByTarget": always(RuleNames=[]),
        "events:PutEvents": always(FailedEntryCount=0, Entries=[{"EventId": "1"}]),
    }
    google.say("organizations/99:getIamPolicy", FORBIDDEN)
    google.bend(f"sinks/{STACK}", disabled=True, includeChildren=False)
    google.bend(f"topics/{STACK}:getIamPolicy", bindings=[])
    google.bend(f"subscriptions/{STACK}", topic="_deleted-topic_")
    google.bend(f"{STACK}-deliver", status={"code": 7})
    arguments = ("--aws", "--gcp", "--stack", STACK, "--project", PROJECT, "--ledger", url, "--canary")
    google.answers[f"pubsub/v1/projects/{PROJECT}/topics/{STACK}:publish"] = FORBIDDEN
    same("sick.txt", run(*arguments, status=1))


def test_jsonl_has_a_finding_a_line(environment, url):
    lines = run("--gcp", "--project", PROJECT, "--stack", STACK, "--ledger", url, "--format", "jsonl").splitlines()
    assert [sorted(json.loads(line)) for line in lines] == [["found", "state", "to_do", "what"]] * len(lines)
    assert json.loads(lines[0])["state"] == "ok"


def test_without_a_ledger_the_last_records_are_unknown(environment):
    assert "the ledger was not asked" in run("--aws", "--stack", STACK, status=1)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "give --aws, --gcp or both"),
        (("--gcp",), "--gcp needs --project"),
        (("--aws", "--canary"), "--canary needs --ledger"),
        (("--aws", "--stack", "../x"), "--stack: got '../x'"),
        (("--gcp", "--project", "p/../x"), "--project: got"),
        (("--gcp", "--project", PROJECT, "--scope", "billing/1"), "--scope: got"),
        (("--aws", "--ledger", "sqlite:////nowhere/at/all.db"), "there is no such file"),
        (("--aws", "--ledger", "postgres://x"), "expected sqlite:///"),
    ],
)
def test_wrong_usage_is_one_message_and_status_2(environment, monkeypatch, arguments, told):
    monkeypatch.delenv("CALLERID_LEDGER", raising=False)
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    assert told in run(*arguments, status=2)


@pytest.mark.parametrize(
    ("module", "error", "told"),
    [
        (aws_api, ValueError("no region: set AWS_REGION to the stack's"), "set AWS_REGION"),
        (aws_api, ModuleNotFoundError("boto3", name="boto3"), ".[aws]"),
        (gcp_api, ModuleNotFoundError("google", name="google"), ".[gcp]"),
        (gcp_api, gcp_api.NoCredentialsError("no credentials: gcloud"), "no credentials"),
    ],
)
def test_what_is_missing_is_one_message_and_status_2(monkeypatch, module, error, told):
    def connect():
        raise error

    monkeypatch.setattr(module, "connect", connect)
    arguments = ("--aws",) if module is aws_api else ("--gcp", "--project", PROJECT)
    assert told in run(*arguments, status=2)


@pytest.mark.parametrize("profile", [None, "nobody"])
def test_no_credentials_for_aws_are_one_message_and_status_2(monkeypatch, without_credentials, profile):
    """As for Google Cloud: nothing can be looked at, which is no finding about the installation."""
    if profile:
        monkeypatch.setenv("AWS_PROFILE", profile)
    assert "Error: no credentials: " in run("--aws", status=2)


def test_every_option_state_and_permission_stands_in_the_page(environment, url):
    from callerid.doctor.check import State
    from tests.doctor.test_aws import ALLOWED

    assert all(f"`{parameter.opts[-1]}" in PAGE for parameter in doctor.params)
    assert all(f"| {state} |" in PAGE for state in State)
    assert all(f'"{permission}"' in PAGE for permission in ALLOWED)
    environment.google.answers = dict.fromkeys(environment.google.answers, FORBIDDEN)
    for scope in ((), ("--scope", "folders/77")):
        out = run("--gcp", "--project", PROJECT, *scope, "--format", "jsonl", status=1)
        named = set(re.findall(r"no permission: ([\w.]+)", out))
        assert named
        assert all(f"`{permission}`" in PAGE for permission in named)
