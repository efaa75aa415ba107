"""The Lambda under the real runtime client: a message of the queue becomes a message in Slack."""

import gzip
import json
import re

from callerid.ledger.alert import Alert
from tests.alerts.slack_server import TOKEN
from tests.aws_function.events import PAGE
from tests.aws_function.stage import BUCKET, NOTHING_FAILED, batch, created, event, notified
from tests.conftest import record
from tests.ledger.made import call, counts, rows, stranger


def test_a_record_on_the_queue_becomes_a_message_in_slack_once(stage, slack):
    with stage.run("judge") as judge, stage.run("tasks") as tasks:
        for _ in range(2):
            assert judge.invoke(batch(event(stranger(1)), event(record(2)))).answer == NOTHING_FAILED
            answer = tasks.invoke({"task": "deliver"}).answer
        assert answer == {"task": "deliver", "posted": 0, "edited": 0, "waiting": 0, "oldest_seconds": 0.0}
        (message,) = slack.accepted
        assert message.text.startswith("HIGH: unexpected caller")
        assert counts(stage.store) == {"unexpected allowed": 1, "identified allowed": 1}
        assert "SECRET" not in judge.log() + tasks.log()
        assert TOKEN not in judge.log() + tasks.log()


def test_a_batch_is_one_line_of_log_a_finding_another_and_metrics_beside(stage):
    with stage.run("judge") as judge:
        judge.invoke(batch(event(stranger(1)), event(record(2)), {"no": "record"}))
        lines = judge.lines()
    (line,) = [line for line in lines if line.get("message") == "batch"]
    assert (line["records"], line["new"], line["findings"]) == (3, 3, 1)
    assert line["verdicts"] == {"unexpected": 1, "identified": 1, "unreadable": 1}
    findings = [line["finding"] for line in lines if line.get("message") == "finding"]
    assert [finding["verdict"] for finding in findings] == ["unexpected", "unreadable"]
    metrics = {name: line[name] for line in lines if "_aws" in line for name in line}
    assert metrics["Records"] == [3.0]
    assert metrics["Findings"] == [1.0]
    assert metrics["Unreadable"] == [1.0]
    assert metrics["LagSeconds"][0] > 0


def test_log_files_are_read_whichever_way_their_names_come(stage):
    keys = [f"AWSLogs/111111111111/CloudTrail/us-east-1/2026/11/02/a b+{number}.json.gz" for number in range(3)]
    for number, key in enumerate(keys):
        records = [record(100 * number + one) for one in range(5)] + [call(100 * number + one) for one in range(5)]
        stage.s3.put_object(Bucket=BUCKET, Key=key, Body=gzip.compress(json.dumps({"Records": records}).encode()))
    wrapped = {"Type": "Notification", "Message": json.dumps(notified(keys[2]))}
    with stage.run("judge") as judge:
        for _ in range(2):
            assert judge.invoke(batch(created(keys[0]), notified(keys[1]), wrapped)).answer == NOTHING_FAILED
    assert counts(stage.store) == {"identified allowed": 30}


def test_a_record_that_comes_by_the_bus_and_in_a_log_file_counts_once(stage):
    records = [record(1), stranger(2), record(3)]
    stage.s3.put_object(Bucket=BUCKET, Key="log.json", Body=json.dumps({"Records": records}).encode())
    with stage.run("judge") as judge:
        judge.invoke(batch(*map(event, records[:2])))
        judge.invoke(batch(created("log.json")))
        judge.invoke(batch(*map(event, records)))
    assert counts(stage.store) == {"identified allowed": 2, "unexpected allowed": 1}


def test_only_what_failed_comes_again(stage):
    """A log file that is not there yet fails alone; what else is in the batch is recorded, and the log says why."""
    with stage.run("judge") as judge:
        answer = judge.invoke(batch(event(record(1)), created("missing.json.gz"), event(record(2)))).answer
        (line,) = [line for line in judge.lines() if line.get("level") == "ERROR"]
    (error,) = line["errors"]
    assert error.startswith(f"s3://{BUCKET}/missing.json.gz: NoSuchKey: An error occurred (NoSuchKey)")
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    assert counts(stage.store) == {"identified allowed": 2}


def test_what_the_ledger_never_takes_comes_again_alone(stage):
    """A record beyond DynamoDB's size of a key brings back nothing that came with it."""
    long = {**stranger(1), "eventID": "x" * 450_000}
    with stage.run("judge") as judge:
        answer = judge.invoke(batch(event(record(1)), event(long), event(record(2)))).answer
        (line,) = [line for line in judge.lines() if line.get("level") == "ERROR"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    assert [error.partition(": ")[0] for error in line["errors"]] == ["sqs:message-1"]
    assert counts(stage.store) == {"identified allowed": 2}


def test_one_unreadable_record_among_ten_goes_aside_and_the_rest_goes_on(stage):
    with stage.run("judge") as judge:
        answer = judge.invoke(batch("{half a rec", *(event(record(number)) for number in range(9)))).answer
    assert answer == NOTHING_FAILED
    assert counts(stage.store) == {"identified allowed": 9, "unreadable allowed": 1}
    (aside,) = rows(stage.store, "aside ", dict)
    assert aside["source"].startswith("sqs:message-0")


def test_without_its_ledger_nothing_is_acknowledged(stage):
    with stage.run("judge", CALLERID_LEDGER="dynamodb://nowhere") as judge:
        outcome = judge.invoke(batch(event(record(1)), event(record(2))))
    assert outcome.error is not None or len(outcome.answer["batchItemFailures"]) == 2


def test_an_invalid_policy_keeps_the_last_good_one_even_over_a_cold_start_and_says_so(stage, slack):
    with stage.run("judge") as judge:
        judge.invoke(batch(event(stranger(1))))
    stage.policy("version: 1\ncallers: [{nmae: x}]\n")
    with stage.run("judge") as judge, stage.run("tasks") as tasks:
        assert judge.invoke(batch(event(stranger(2)), event(record(3)))).answer == NOTHING_FAILED
        tasks.invoke({"task": "deliver"})
        metrics = {name: line[name] for line in tasks.lines() if "_aws" in line for name in line}
        assert metrics["PolicyInvalid"] == [1.0]
    assert counts(stage.store) == {"identified allowed": 1, "unexpected allowed": 2}
    assert stage.told() == ["callerid needs you"]


def test_without_any_good_policy_nothing_is_judged_and_nothing_acknowledged(stage):
    stage.policy("version: 2\n")
    with stage.run("judge") as judge:
        answer = judge.invoke(batch(event(stranger(1)))).answer
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert counts(stage.store) == {}


def test_a_process_that_is_killed_between_two_steps_loses_nothing(stage, slack):
    with stage.run("judge") as judge:
        judge.invoke(batch(event(stranger(1))))
        judge.kill()
    with stage.run("tasks") as tasks:
        tasks.kill()
    with stage.run("judge") as judge, stage.run("tasks") as tasks:
        judge.invoke(batch(event(stranger(1)), event(stranger(2))))
        tasks.invoke({"task": "deliver"})
    assert len(slack.accepted) == 1
    assert counts(stage.store) == {"unexpected allowed": 2}


def test_a_slack_that_refuses_the_token_is_heard_of_another_way_once(stage, slack):
    slack.token = None
    with stage.run("judge") as judge, stage.run("tasks") as tasks:
        judge.invoke(batch(event(stranger(1))))
        for _ in range(3):
            assert tasks.invoke({"task": "deliver"}).answer["waiting"] == 1
    assert stage.told() == ["callerid needs you"]
    (alert,) = rows(stage.store, "alert", Alert)
    assert alert.state == "pending"


def test_a_batch_of_six_megabytes_is_judged(stage):
    """The most that Lambda hands over at once."""
    padding = "x" * 580_000
    with stage.run("judge") as judge:
        bodies = [event(record(number, additionalEventData={"padding": padding})) for number in range(10)]
        assert judge.invoke(batch(*bodies)).answer == NOTHING_FAILED
    assert counts(stage.store) == {"identified allowed": 10}


def test_the_weekly_summary_is_one_message_however_often_it_is_called_for(stage, slack):
    with stage.run("judge") as judge, stage.run("tasks") as tasks:
        judge.invoke(batch(event(record(1))))
        first = tasks.invoke({"task": "summary"}).answer
        assert tasks.invoke({"task": "summary"}).answer == first
    (message,) = slack.accepted
    assert message.text.startswith(f"Federated access, week {first['week']}")
    assert message.edits == 1


def test_an_unknown_task_is_an_error_that_the_alarm_hears(stage):
    with stage.run("tasks") as tasks:
        assert tasks.invoke({"task": "dance"}).error["errorType"] == "UnknownTaskError"


def test_every_metric_that_an_alarm_watches_is_emitted_as_the_alarm_asks_for_it(stage, slack, full):
    """Under the stack's name alone. The documentation lists all of them and no other."""
    slack.token = None
    with stage.run("judge") as judge, stage.run("tasks") as tasks:
        judge.invoke(batch(event(stranger(1))))
        tasks.invoke({"task": "deliver"})
        assert tasks.invoke({"task": "summary"}).error
        lines = [line for line in judge.lines() + tasks.lines() if "_aws" in line]
    emitted = {
        metric["Name"]: (found["Namespace"], [{"Name": name, "Value": line[name]} for name in found["Dimensions"][0]])
        for line in lines
        for found in line["_aws"]["CloudWatchMetrics"]
        for metric in found["Metrics"]
    }
    watched = [
        alarm for alarm in full.of("AWS::CloudWatch::Alarm").values() if alarm["Namespace"] == "callerid"
    ]  # fmt: skip
    assert {alarm["MetricName"]: ("callerid", alarm["Dimensions"]) for alarm in watched}.items() <= emitted.items()
    told = PAGE.partition("The metrics are in the namespace")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([A-Z]\w+)`", told)) == emitted.keys()


def test_lambda_s_own_log_format_changes_nothing_of_what_is_logged(stage):
    """Every line is JSON, a finding has a line of its own, and no line holds a raw record, even at the finest level."""
    own = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "DEBUG", "LOG_LEVEL": "DEBUG"}
    with stage.run("judge", **own) as judge, stage.run("tasks", **own) as tasks:
        judge.invoke(batch(event(stranger(1)), event(record(2)), "{half a rec"))
        tasks.invoke({"task": "deliver"})
        log, lines = judge.log() + tasks.log(), judge.lines() + tasks.lines()
    assert len(log.splitlines()) == len(lines)
    assert [line["finding"]["verdict"] for line in lines if line.get("message") == "finding"] == [
        "unexpected",
        "unreadable",
    ]
    for raw in ("responseElements", "roleSessionName", "eventVersion", "SECRET", "half a rec", TOKEN):
        assert raw not in log
