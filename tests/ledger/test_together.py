"""The whole way, from records to Slack, is the same on every store."""

import threading
import time

from callerid.alerts.clock import Clock
from callerid.alerts.deliver import Deliverer
from callerid.alerts.links import Look
from callerid.ledger import ask
from callerid.ledger.alert import Told
from callerid.ledger.store import UnavailableError
from tests.alerts.fake import FakeClock, FakeSlack
from tests.ledger.made import NOW, mixed, of, recorder, stranger
from tests.ledger.memory import MemoryStore


def run(store, book) -> tuple[list[str], list[tuple]]:
    """Record, deliver, record again, settle: what was posted, and what the ledger says."""
    clock, slack = FakeClock(NOW), FakeSlack()
    sender = Deliverer(store, lambda: slack, "C0", clock=Clock(clock.now, clock.pause), look=Look())
    for _ in range(2):
        recorder(store).record(of(mixed(), book), now=clock.time, marker="m")
        sender.deliver()
    recorder(store).record(of([stranger(number) for number in range(100, 140)], book, by_id=True), now=clock.time)
    clock.time += 60
    sender.deliver()
    ask.settle_alert(store, ask.alerts(store)[0].alert.key, Told("alice", clock.time))
    clock.time += 60
    sender.deliver()
    clock.time += 700
    sender.deliver()
    texts = [message.text for message in slack.top] + [message.text for *_, message in slack.edits]
    state = [(alert.key, alert.state, alert.shown, tally.count) for alert, tally in ask.alerts(store)]
    assert ask.outbox(store) == {}
    return texts, state


def test_every_store_gives_the_same_messages_and_counts(store, book):
    texts, state = run(store, book)
    assert (texts, state) == run(MemoryStore(), book)
    assert sorted(count for *_, count in state) == [4, 45]


def test_functions_at_work_at_once_count_each_record_once(store, book):
    """Four of them, each with the same hundred records in an order of its own."""
    records = [stranger(number) for number in range(100)]
    failures = []

    def work(start: int) -> None:
        turned = records[start:] + records[:start]
        for first in range(0, 100, 10):
            for _ in range(20):  # a queue delivers again what failed
                try:
                    recorder(store).record(of(turned[first : first + 10], book, by_id=True), now=NOW)
                    break
                except UnavailableError:
                    time.sleep(0.01)
            else:
                failures.append(first)

    threads = [threading.Thread(target=work, args=(25 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    ((_, tally),) = ask.alerts(store)
    assert tally.count == 100
