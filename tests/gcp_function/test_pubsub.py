"""From the topic to Slack: Pub/Sub's emulator pushes to the real server, whose ledger is Firestore's emulator."""

from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from callerid.alerts.second import second_way
from tests.conftest import entry
from tests.gcp_function.queue import ATTEMPTS, losing, until
from tests.gcp_function.stage import stranger
from tests.ledger.made import counts


@pytest.fixture
def refusing():
    """The address of a Firestore that refuses every call at once."""
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


def test_a_published_entry_is_judged_recorded_and_arrives_in_slack(stage, queue, slack):
    stage.start()
    queue.push_to(stage.url)
    queue.publish(stranger(1), entry(2))
    wanted = {"unexpected allowed": 1, "identified allowed": 1}
    assert until(lambda: counts(stage.store), wanted) == wanted, stage.log()
    assert stage.post("/tasks/deliver", {})[0] == 200
    (message,) = slack.accepted
    assert message.text.startswith("HIGH: unexpected caller")


def test_duplicates_and_redeliveries_count_once(stage, queue):
    stage.start()
    with losing(lambda body: stage.post("/", body)[0], times=2) as (url, answers):
        queue.push_to(url)
        queue.publish(stranger(1), stranger(1), stranger(1))
        assert until(lambda: len(answers), 5) == 5
    assert answers == [200] * 5, stage.log()
    assert counts(stage.store) == {"unexpected allowed": 1}


def test_what_failed_five_times_is_a_dead_letter_and_comes_back(stage, queue, refusing):
    stage.start(FIRESTORE_EMULATOR_HOST=refusing)
    queue.push_to(stage.url)
    queue.publish(stranger(1))
    (letter,) = queue.dead()
    assert letter.attributes["CloudPubSubDeadLetterSourceSubscription"] == "callerid"
    assert len([line for line in stage.lines() if line.get("event") == "push_failed"]) == ATTEMPTS
    stage.stop()
    stage.start()
    assert counts(stage.store) == {}
    queue.bring_back_to(stage.url)
    assert until(lambda: counts(stage.store), {"unexpected allowed": 1}) == {"unexpected allowed": 1}


def test_what_cannot_be_read_is_no_dead_letter(stage, queue):
    stage.start()
    queue.push_to(stage.url)
    queue.publish("no entry", {"no": "entry"})
    assert until(lambda: counts(stage.store), {"unreadable allowed": 2}) == {"unreadable allowed": 2}
    assert not [line for line in stage.lines() if line.get("event") == "push_failed"]


def test_the_second_way_publishes_subject_and_text(queue):
    second_way(f"pubsub:{queue.second_way}").tell("callerid: Slack refuses", "The token was revoked.\nPut in another.")
    (message,) = queue.told()
    assert message.data == b"The token was revoked.\nPut in another."
    assert message.attributes == {"subject": "callerid: Slack refuses"}


def test_the_function_takes_the_second_way_where_slack_refuses_it(stage, queue, slack):
    slack.token = None
    stage.start(CALLERID_SECOND_WAY=f"pubsub:{queue.second_way}")
    queue.push_to(stage.url)
    queue.publish(stranger(1))
    assert until(lambda: counts(stage.store), {"unexpected allowed": 1}) == {"unexpected allowed": 1}
    assert stage.post("/tasks/deliver", {})[0] == 200
    (message,) = queue.told()
    assert "Slack refuses" in message.data.decode()
