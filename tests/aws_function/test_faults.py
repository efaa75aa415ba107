"""Whatever fails around the function, each record counts once and each finding is told."""

import itertools
import json
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from callerid import delivery
from callerid.alerts.clock import Clock
from callerid.alerts.sender import sender
from callerid.ledger.alert import Alert
from callerid.monitor import Delivery
from callerid.service import Service, Settings
from tests.alerts.slack_server import TOKEN, failing
from tests.aws_function.between import THROTTLED, Kill, between
from tests.aws_function.runtime import EndedError, Runtime
from tests.aws_function.stage import NOTHING_FAILED, batch, event
from tests.conftest import POLICY, record
from tests.ledger.made import counts, rows, stranger, told


@pytest.fixture
def way(stage):
    """What stands between the function and AWS."""
    with between(stage.environment["AWS_ENDPOINT_URL"]) as found:
        stage.environment["AWS_ENDPOINT_URL"] = found.url
        yield found


@pytest.mark.parametrize("kind", THROTTLED)
def test_what_a_throttled_ledger_does_not_take_comes_again_and_counts_once(kind, way, stage):
    """Nothing is acknowledged, and nothing is half counted, whichever of DynamoDB's limits it is."""
    sent = batch(*(event(stranger(number)) for number in range(3)))
    with stage.run("judge") as judge:
        way.refuse = lambda call: THROTTLED[kind] if kind != "a row" or call == "TransactWriteItems" else None
        refused = judge.invoke(sent).answer
        assert [item["itemIdentifier"] for item in refused["batchItemFailures"]] == [f"message-{n}" for n in range(3)]
        assert counts(stage.store) == {}
        way.refuse = lambda call: None
        for _ in range(2):
            assert judge.invoke(sent).answer == NOTHING_FAILED
    assert counts(stage.store) == {"unexpected allowed": 3}
    assert list(told(stage.store).values()) == [3]


def test_duplicates_in_any_order_to_two_functions_at_once_count_once(stage):
    """Forty records, each three times, in batches that overlap."""
    raws = [stranger(number) if number % 4 == 0 else record(number) for number in range(40)]
    copies = raws * 3
    random.Random(1).shuffle(copies)
    batches = [batch(*map(event, copies[start : start + 10])) for start in range(0, len(copies), 10)]
    with stage.run("judge") as one, stage.run("judge") as other, ThreadPoolExecutor(2) as pool:
        shares = pool.map(
            lambda run, share: [run.invoke(sent) for sent in share], (one, other), (batches, batches[::-1])
        )
        assert all(outcome.answer == NOTHING_FAILED for share in shares for outcome in share)
    assert counts(stage.store) == {"identified allowed": 30, "unexpected allowed": 10}
    assert list(told(stage.store).values()) == [10]


@pytest.mark.parametrize("is_passed_on", [False, True], ids=["before it", "after it"])
def test_judge_may_be_killed_at_any_write(is_passed_on, way, stage):
    """Whoever comes next counts what is missing and nothing else. What is between two writes leaves no trace."""
    sent = batch(event(stranger(1)), event(record(2)))
    for write in itertools.count():
        stage.anew()
        with stage.run("judge") as judge:
            way.kill(judge, Kill(write, is_passed_on))
            has_ended = ends(judge, sent)
        with stage.run("judge") as judge:
            assert judge.invoke(sent).answer == NOTHING_FAILED
        assert counts(stage.store) == {"identified allowed": 1, "unexpected allowed": 1}
        assert list(told(stage.store).values()) == [1]
        if not has_ended:
            break
    assert write == 3, "the policy, its name, and the records"


def ends(function: Runtime, sent: dict) -> bool:
    """Tell whether a process ends instead of answering."""
    try:
        function.invoke(sent)
    except EndedError:
        return True
    return False


class Later:
    """The same service in this process, whose hours pass at once."""

    def __init__(self, stage, slack, monkeypatch) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", stage.environment["AWS_ENDPOINT_URL"])
        self.now = time.time()
        settings = Settings.of({**os.environ, **stage.environment, "CALLERID_SECOND_WAY": "stderr"})
        clock = Clock(lambda: self.now, self._pass)
        self.service = Service(settings, POLICY.read_bytes, lambda: sender(TOKEN, api=slack.url), clock)

    def _pass(self, seconds: float) -> None:
        self.now += seconds

    def minute(self):
        """Do what the scheduler calls for once a minute."""
        self.now += 60
        done = self.service.deliver(budget_seconds=40)
        self.service.watch()
        return done


def test_slack_down_for_an_hour_delays_each_alert_and_loses_none(stage, slack, monkeypatch, capsys):
    """It is said once another way, and once that it is over; the alarm's figure grows meanwhile."""
    later = Later(stage, slack, monkeypatch)
    findings = [stranger(1), stranger(2, userIdentity={**stranger(2)["userIdentity"], "userName": "9"})]
    with stage.run("judge") as judge:
        judge.invoke(batch(*map(event, findings)))
    waiting = len(rows(stage.store, "alert", Alert))
    slack.plan(*[failing()] * 10_000)
    done = [later.minute() for _ in range(60)]
    assert {(minute.posted, minute.waiting) for minute in done} == {(0, waiting)}
    assert done[-1].oldest_seconds > 3500
    assert len(slack.requests) < 60, "it backs off"
    slack._planned.clear()
    done = [later.minute() for _ in range(30)]
    assert (sum(minute.posted for minute in done), done[-1].waiting) == (waiting, 0)
    assert len(slack.accepted) == waiting
    assert capsys.readouterr().err.count("callerid needs you") == 1


def test_slack_down_is_no_error_of_the_function(stage, slack):
    """The alert waits, and the metrics say so."""
    slack.plan(failing())
    with stage.run("judge") as judge, stage.run("tasks") as tasks:
        judge.invoke(batch(event(stranger(1))))
        outcome = tasks.invoke({"task": "deliver"})
        metrics = {name: line[name] for line in tasks.lines() if "_aws" in line for name in line}
    assert (outcome.error, outcome.answer["waiting"]) == (None, 1)
    assert metrics["PendingAlerts"] == [1.0]
    assert metrics["OldestPendingSeconds"][0] > 0


@pytest.mark.parametrize("is_passed_on", [False, True], ids=["before it", "after it"])
def test_tasks_may_be_killed_at_any_write_and_the_alert_is_posted(is_passed_on, way, stage, slack, monkeypatch):
    """Once; or twice, where it ended between Slack's answer and the ledger, and then the second says so."""
    posted = []
    for write in itertools.count():
        stage.anew()
        later = Later(stage, slack, monkeypatch)
        later.service.receive([Delivery("a message", list(delivery.document(json.dumps(stranger(1)).encode())))])
        slack.accepted.clear()
        with stage.run("tasks") as tasks:
            way.kill(tasks, Kill(write, is_passed_on))
            has_ended = ends(tasks, {"task": "deliver"})
        for _ in range(20):
            done = later.minute()
        assert done.waiting == 0
        posted.append(len(slack.accepted))
        assert all("repeat" in json.dumps(message.blocks) for message in slack.accepted[1:])
        if not has_ended:
            break
    assert posted.count(2) == (0 if is_passed_on else 1)
    assert set(posted) <= {1, 2}
