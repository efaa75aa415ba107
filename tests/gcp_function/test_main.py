"""The Cloud Function under the real server: an entry that Pub/Sub pushes becomes a message in Slack."""

import json

from tests import parts
from tests.alerts.slack_server import TOKEN
from tests.conftest import entry
from tests.gcp_function.stage import push, stranger
from tests.ledger.made import Alert, counts, rows


def test_a_pushed_entry_becomes_a_message_in_slack_once(stage, slack):
    stage.start()
    for _ in range(2):
        assert stage.post("/", push(stranger(1)))[0] == 200, stage.log()
        assert stage.post("/", push(entry(2), 2))[0] == 200
        assert stage.post("/tasks/deliver", {})[0] == 200
    (message,) = slack.accepted
    assert message.text.startswith("HIGH: unexpected caller")
    assert counts(stage.store) == {"unexpected allowed": 1, "identified allowed": 1}
    assert TOKEN not in stage.log()


def test_plain_pushes_and_both_kinds_of_cloudevents_are_the_same_record(stage):
    stage.start()
    body = push(stranger(1))
    binary = {"ce_id": "1", "ce_specversion": "1.0", "ce_source": "//pubsub.googleapis.com/projects/p/topics/t"}
    kind = "google.cloud.pubsub.topic.v1.messagePublished"
    structured = {"specversion": "1.0", "id": "1", "source": binary["ce_source"], "type": kind, "data": body}
    assert stage.post("/", body)[0] == 200
    assert stage.post("/", body, ce_type=kind, **binary)[0] == 200
    assert stage.post("/", structured, Content_Type="application/cloudevents+json")[0] == 200
    assert counts(stage.store) == {"unexpected allowed": 1}


def test_what_cannot_be_decoded_is_recorded_counted_and_acknowledged(stage):
    stage.start()
    half = push(b'{"insertId": "half')
    for body in (b"no json", {}, {"message": {"data": "%%%", "messageId": "7"}}, half, push({"no": "entry"}, 9)):
        assert stage.post("/", body)[0] == 200
    assert counts(stage.store) == {"unreadable allowed": 5}
    assert len(rows(stage.store, "aside ", dict)) == 5


def test_without_its_ledger_nothing_is_acknowledged(stage):
    stage.start(FIRESTORE_EMULATOR_HOST=f"127.0.0.1:{parts.free_port()}")
    assert stage.post("/", push(stranger(1)))[0] == 500


def test_a_batch_is_one_line_of_structured_log_and_a_finding_another(stage):
    stage.start()
    stage.post("/", push(stranger(1)))
    lines = stage.lines()
    (line,) = [line for line in lines if line.get("event") == "batch"]
    assert (line["records"], line["new"], line["findings"], line["verdicts"]) == (1, 1, 1, {"unexpected": 1})
    (finding,) = [line for line in lines if line.get("event") == "finding"]
    assert finding["finding"]["reasons"] == ["subject-unlisted"]
    assert finding["severity"] == "WARNING"


def test_an_invalid_policy_keeps_the_last_good_one_even_over_a_cold_start(stage):
    stage.start()
    stage.post("/", push(stranger(1)))
    stage.stop()
    stage.policy("version: 1\ncallers: [{nmae: x}]\n")
    stage.start()
    assert stage.post("/", push(stranger(2), 2))[0] == 200
    status, answer = stage.post("/tasks/deliver", {})
    assert status == 200
    assert "last good policy" in answer
    assert any(line.get("event") == "policy_invalid" for line in stage.lines())
    assert counts(stage.store) == {"unexpected allowed": 2}


def test_a_slack_that_refuses_the_token_keeps_the_alert_and_is_told(stage, slack):
    slack.token = None
    stage.start()
    stage.post("/", push(stranger(1)))
    _, answer = stage.post("/tasks/deliver", {})
    assert json.loads(answer)["pending_alerts"] == 1
    assert "Slack refuses" in stage.log()
    (alert,) = rows(stage.store, "alert", Alert)
    assert alert.state == "pending"


def test_the_weekly_summary_is_one_message_however_often_it_is_called_for(stage, slack):
    stage.start()
    stage.post("/", push(entry(1)))
    status, answer = stage.post("/tasks/summary", {})
    assert status == 200, stage.log()
    assert stage.post("/tasks/summary", {})[1] == answer
    (message,) = slack.accepted
    assert message.text.startswith(f"Federated access, week {json.loads(answer)['week']}")
    assert message.edits == 1


def test_nothing_but_what_is_documented_is_answered(stage):
    stage.start()
    assert stage.post("/", {}, method="GET")[0] == 405
    assert stage.post("/tasks/dance", {})[0] == 404
