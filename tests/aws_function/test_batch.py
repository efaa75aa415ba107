"""What fails is told apart: a record that nothing can be made of comes again alone, a ledger that is away takes none."""

from collections.abc import Iterable

import pytest

from aws_function.batch import Batch
from callerid.ledger.store import RefusedError, UnavailableError
from callerid.monitor import Delivery, Received
from callerid.policy.standing import NoPolicyError
from tests.aws_function.stage import batch, event
from tests.conftest import record


class FakeService:
    """Takes deliveries of one message or more, but never the one that is named."""

    def __init__(self, bad: str, error: Exception) -> None:
        self.bad = f"sqs:{bad}"
        self.error = error
        self.asked: list[list[str]] = []

    def receive(self, deliveries: Iterable[Delivery]) -> Received:
        names = [delivery.name for delivery in deliveries]
        self.asked.append(names)
        if self.bad in names:
            raise self.error
        return Received()


def failed(service: FakeService) -> list[str]:
    return Batch(service, deadline=0).process(batch(*(event(record(number)) for number in range(3))), None)


@pytest.mark.parametrize("error", [RefusedError("too large"), KeyError("a shape that nobody foresaw")], ids=repr)
def test_what_one_message_is_to_blame_for_brings_back_that_message(error):
    assert failed(FakeService("message-1", error)) == ["message-1"]


@pytest.mark.parametrize("error", [UnavailableError("throttled"), NoPolicyError("none yet")], ids=repr)
def test_what_no_message_is_to_blame_for_brings_back_all_and_is_not_asked_again(error):
    service = FakeService("message-1", error)
    assert failed(service) == ["message-0", "message-1", "message-2"]
    assert len(service.asked) == 1
