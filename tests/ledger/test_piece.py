"""What is written at once: no more than a store takes, however much one delivery says of sessions."""

import json

import pytest

from callerid import delivery
from callerid.engine import Engine
from callerid.ledger import sessions
from callerid.ledger.fold import Brief
from callerid.ledger.part import units
from callerid.ledger.record import Recorder
from callerid.ledger.sessions import Sessions
from callerid.trace.link import Mark, Sign
from tests.ledger.made import NOW, counts
from tests.ledger.memory import CrashError, MemoryStore

SERVICE = '{"type":"AWSService","invokedBy":"lambda.amazonaws.com"}'
USER = '{"type":"IAMUser","principalId":"AIDAEXAMPLEEXAMPLE001","arn":"arn:aws:iam::111111111111:user/alice","accountId":"111111111111"}'


def key(number: int) -> str:
    return f"ASIAEXAMPLE{number:09d}"


def issue(number: int, caller: str) -> dict:
    """An AssumeRole of one second; those of a service are counted as a mass, a person's by their ids."""
    arn = f"arn:aws:sts::111111111111:assumed-role/worker/s{number}"
    return {
        "eventTime": f"2026-11-02T03:{number // 60:02d}:{number % 60:02d}Z", "eventSource": "sts.amazonaws.com",
        "eventName": "AssumeRole", "awsRegion": "us-east-1", "userIdentity": json.loads(caller),
        "requestParameters": {"roleArn": "arn:aws:iam::111111111111:role/worker", "roleSessionName": f"s{number}"},
        "responseElements": {"credentials": {"accessKeyId": key(number)}, "assumedRoleUser": {"arn": arn, "assumedRoleId": f"AROAEXAMPLE:s{number}"}},
        "eventID": f"e{number}", "recipientAccountId": "111111111111",
    }  # fmt: skip


def recorded(store, number, caller):
    """Record so many issues, as one object that is delivered."""
    (batch,) = delivery.document(json.dumps({"Records": [issue(index, caller) for index in range(number)]}).encode())
    judgements = Engine(None).judge(batch)
    found = units(batch, judgements, "f", by_id=False)
    sessions.attach(found, batch, judgements, "f")
    return Recorder(store, lambda judgement, severity: Brief()).record(found, now=NOW, marker="object")


class Reading(MemoryStore):
    """A store that counts the rows that it is asked for."""

    asked = 0

    def read(self, keys):
        self.asked += len(keys)
        return super().read(keys)


@pytest.mark.parametrize("caller", [SERVICE, USER], ids=["a service's, counted as a mass", "a user's, each by its id"])
@pytest.mark.parametrize("number", [1, 11, 12, 300])
def test_every_session_of_an_object_is_kept_whatever_one_write_holds(caller, number):
    store = MemoryStore(most_writes=100)
    assert recorded(store, number, caller).records == number
    kept = Sessions(store)
    assert all(len(list(kept.issues(Mark(Sign.KEY, key(index)), (None, None)))) == 1 for index in range(number))
    assert recorded(store, number, caller).records == 0


@pytest.mark.parametrize("caller", [SERVICE, USER], ids=["service", "user"])
def test_rows_are_asked_for_in_proportion_to_the_records(caller):
    """Each piece of a large unit asks for its own."""
    asked = []
    for number in (100, 200):
        recorded(store := Reading(most_writes=100), number, caller)
        asked.append(store.asked)
    assert asked[1] < 2.2 * asked[0]


@pytest.mark.parametrize("caller", [SERVICE, USER], ids=["service", "user"])
def test_an_object_that_was_half_written_is_completed_and_nothing_counts_twice(caller):
    recorded(whole := MemoryStore(most_writes=30), 20, caller)
    for step in range(1, whole.steps + 1):
        store = MemoryStore(most_writes=30)
        store.crash_at = step
        with pytest.raises(CrashError):
            recorded(store, 20, caller)
        store.crash_at = None
        recorded(store, 20, caller)
        assert counts(store) == counts(whole)
        assert {at for at in store.rows if at.partition.startswith(("session", "link", "used"))} == {
            at for at in whole.rows if at.partition.startswith(("session", "link", "used"))
        }
