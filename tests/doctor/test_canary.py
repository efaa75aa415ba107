"""The canary: through a real bus into a queue, judged by a real monitor, found in a real ledger; nothing sleeps."""

import base64
import json

import pytest

from callerid import delivery
from callerid.alerts.clock import Clock
from callerid.doctor.canary import WAIT_SECONDS, through_aws, through_google
from callerid.doctor.check import State, run
from callerid.doctor.ledger import examine
from callerid.doctor.sample import canary
from callerid.ledger.sqlite import SqliteStore
from callerid.ledger.store import UnavailableError
from callerid.monitor import Delivery, Monitor
from callerid.policy.book import Book
from callerid.policy.load import parse
from tests.aws_function.events import canary as documented
from tests.doctor.google import FORBIDDEN, TOPIC
from tests.doctor.installation import NOW, always, denied

ID = "00000000-0000-4000-8000-00000000abcd"
NAMED = b"""
version: 1
callers:
  - name: canary
    owner: somebody
    identities:
      - oidc: {issuer: canary.example.com, subject: callerid-canary}
    may_reach:
      - aws_role: arn:aws:iam::111111111111:role/callerid-canary
"""


class Time:
    """A clock that goes on only where somebody waits; ``at_pause`` is what happens meanwhile."""

    def __init__(self, at_pause=lambda: None) -> None:
        self.seconds, self._at_pause = NOW, at_pause

    def pause(self, seconds: float) -> None:
        self.seconds += seconds
        self._at_pause()

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.seconds, self.pause)


@pytest.fixture
def store(tmp_path):
    made = SqliteStore(str(tmp_path / "ledger.db"))
    yield made
    made.close()


@pytest.fixture
def monitor(store, book):
    return Monitor(book, store, now=lambda: NOW)


@pytest.fixture
def deaf(aws):
    """An installation whose bus takes a canary and brings it nowhere, so that the next test's queue is empty."""
    aws.answers["events:PutEvents"] = always(FailedEntryCount=0, Entries=[{"EventId": "1"}])
    return aws


def told(found) -> tuple[str, State, str]:
    (finding,) = found
    return finding.what, finding.state, finding.found


def test_aws_s_canary_goes_by_the_bus_and_the_queue_and_becomes_a_finding(aws, store, monitor):
    def judge() -> None:
        sqs = aws.client("sqs")
        for message in sqs.receive_message(QueueUrl=aws.parts["Queue"]).get("Messages", []):
            monitor.receive([Delivery("queue", delivery.document(message["Body"].encode()))])
            sqs.delete_message(QueueUrl=aws.parts["Queue"], ReceiptHandle=message["ReceiptHandle"])

    what, state, found = told(through_aws(aws.aws, store, Time(judge).clock, event_id=ID))
    assert (what, state) == ("canary of AWS", State.OK)
    assert [one.state for one in examine(store, ["aws"], now=NOW)] == [State.BROKEN]  # no log was heard
    assert len(list(store.list("source 2026-11-02"))) == 1
    assert found.startswith("a finding after 3 s: unexpected, ")


def test_google_s_canary_is_published_to_the_topic_and_becomes_a_finding(google, store, monitor):
    google.answers[f"pubsub/v1/{TOPIC}:publish"] = {"messageIds": ["1"]}

    def judge() -> None:
        for _, path, body in google.asked:
            if path.endswith(":publish"):
                data = base64.b64decode(body["messages"][0]["data"])
                monitor.receive([Delivery("topic", delivery.document(data))])

    what, state, found = told(through_google(google.google, TOPIC, store, Time(judge).clock, event_id=ID))
    assert (what, state) == ("canary of Google Cloud", State.OK)
    assert [one.state for one in examine(store, ["gcp"], now=NOW)] == [State.BROKEN]
    assert found.startswith("a finding after 3 s: unexpected, ")


def test_a_canary_that_does_not_arrive_is_waited_for_so_long_and_no_longer(deaf, store):
    time = Time()
    what, state, found = told(through_aws(deaf.aws, store, time.clock, event_id=ID))
    assert (what, state) == ("canary of AWS", State.BROKEN)
    assert found == f"sent, and not in the ledger after {WAIT_SECONDS} s"
    assert time.seconds == NOW + WAIT_SECONDS


def test_another_canary_s_finding_is_no_proof(deaf, store, monitor):
    other = canary("00000000-0000-4000-8000-000000000001", NOW)
    monitor.receive([Delivery("queue", delivery.document(json.dumps(other).encode()))])
    assert told(through_aws(deaf.aws, store, Time().clock, event_id=ID))[1] is State.BROKEN


def test_a_canary_that_somebody_named_is_no_finding(deaf, store):
    monitor = Monitor(Book(parse(NAMED, "policy.yaml"), "sha256:x"), store, now=lambda: NOW)
    event = json.dumps(canary(ID, NOW)).encode()
    time = Time(lambda: monitor.receive([Delivery("queue", delivery.document(event))]))
    what, state, found = told(through_aws(deaf.aws, store, time.clock, event_id=ID))
    assert (what, state) == ("canary of AWS", State.BROKEN)
    assert "is no finding" in found


def test_what_keeps_a_canary_from_being_sent_is_unknown(aws, google, store):
    aws.answers["events:PutEvents"] = denied
    found = run("canary", lambda: through_aws(aws.aws, store, Time().clock, event_id=ID))
    assert told(found) == ("canary", State.UNKNOWN, "no permission: events:PutEvents")
    aws.answers["events:PutEvents"] = always(FailedEntryCount=1, Entries=[{"ErrorCode": "InternalFailure"}])
    found = run("canary", lambda: through_aws(aws.aws, store, Time().clock, event_id=ID))
    assert told(found) == ("canary", State.UNKNOWN, "EventBridge refused it: InternalFailure")
    google.answers[f"pubsub/v1/{TOPIC}:publish"] = FORBIDDEN
    found = run("canary", lambda: through_google(google.google, TOPIC, store, Time().clock, event_id=ID))
    assert told(found) == ("canary", State.UNKNOWN, f"no permission: pubsub.topics.publish on {TOPIC}")


def test_a_ledger_that_does_not_answer_is_unknown(deaf):
    class Silent:
        def read(self, _: object, /):
            raise UnavailableError("no answer")

    found = run("canary", lambda: through_aws(deaf.aws, Silent(), Time().clock, event_id=ID))
    assert told(found)[1] is State.UNKNOWN


def test_the_canary_is_the_documentation_s_but_for_id_and_time():
    shown, ours = documented(), canary(ID, NOW)
    for event in (shown, ours):
        event["detail"] |= {"eventID": "", "eventTime": ""}
    assert {name: ours[name] for name in shown} == shown
