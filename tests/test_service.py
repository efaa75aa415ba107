"""What both functions do, without their clouds."""

import pytest

from callerid import delivery
from callerid.alerts.clock import Clock
from callerid.monitor import Delivery
from callerid.service import Service, Settings
from callerid.summary.post import NotPostedError
from tests.alerts.fake import CrashError, FakeClock, FakeSlack
from tests.conftest import POLICY, json_lines, record
from tests.ledger.made import NOW, stranger


@pytest.fixture
def clock():
    return FakeClock(NOW)


@pytest.fixture
def slack():
    return FakeSlack()


@pytest.fixture
def service(tmp_path, clock, slack):
    settings = Settings.of({"CALLERID_POLICY": "package:p", "CALLERID_LEDGER": f"sqlite:///{tmp_path}/l.db"})
    service = Service(settings, POLICY.read_bytes, lambda: slack, Clock(clock.now, clock.pause))
    yield service
    service.store.close()


def deliveries(*records: object) -> list[Delivery]:
    return [Delivery("queue:1", delivery.Lines().read(json_lines(*records)))]


def test_what_arrives_is_judged_recorded_and_told(service, slack):
    received = service.receive(deliveries(record(1), stranger(2), {"no": "record"}))
    assert dict(received.verdicts) == {"identified": 1, "unexpected": 1, "unreadable": 1}
    assert received.records == 3
    assert received.recorded == (3, 1)
    assert [line.source for line in received.findings] == ["queue:1:2"]
    assert [line.source for line in received.unreadable] == ["queue:1:3"]
    assert received.newest == "2026-11-02T03:04:05Z"
    assert service.deliver(budget_seconds=10).posted == 1
    assert slack.posts[0][0] == "#cloud-access"  # where the example policy sends it
    assert "Do next" in str(slack.posts[0][1].blocks)


def test_received_adds_up(service):
    total = service.receive(deliveries(record(1)))
    total.add(service.receive(deliveries(record(1), stranger(2, eventTime="2026-11-03T00:00:00Z"))))
    assert total.records == 3
    assert total.recorded == (2, 1)
    assert total.newest == "2026-11-03T00:00:00Z"


def test_a_summary_of_the_last_whole_week_is_posted(service, slack, clock):
    service.receive(deliveries(record(1)))
    clock.time += 7 * 86_400
    assert service.summary() == "2026-W45"
    assert service.summary() == "2026-W45"
    assert len(slack.posts) == len(slack.edits) == 1


def test_a_summary_whose_sender_died_is_called_for_again(service, slack, clock, monkeypatch):
    """A scheduler that is told all is well never calls again, and there would be no summary that week."""
    service.receive(deliveries(record(1)))
    clock.time += 7 * 86_400
    with monkeypatch.context() as patch:
        patch.setattr(slack, "_answer", _die)
        with pytest.raises(CrashError):
            service.summary()
    clock.time += 5
    with pytest.raises(NotPostedError, match="another sender"):
        service.summary()
    clock.time += 60
    assert service.summary() == "2026-W45"
    (message,) = slack.top
    assert "ossible repeat" in message.text


def _die(take):
    raise CrashError


def test_nothing_wrong_is_nothing_to_tell(service, capsys):
    assert service.watch() == []
    assert service.policy_trouble is None
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("missing", ["POLICY", "LEDGER"])
def test_a_setting_that_must_be_there_is_named(missing):
    given = {"CALLERID_POLICY": "package:p", "CALLERID_LEDGER": "sqlite:///l.db"}
    del given[f"CALLERID_{missing}"]
    with pytest.raises(KeyError, match=missing):
        Settings.of(given)
