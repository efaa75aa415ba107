"""The last record of each log, from a real ledger."""

import pytest

from callerid.doctor.check import UnknownError
from callerid.doctor.ledger import examine
from callerid.ledger.alert import Trouble
from callerid.ledger.rows import DAY, Source
from callerid.ledger.sqlite import SqliteStore
from callerid.ledger.store import UnavailableError
from callerid.ledger.work import Work
from callerid.moment import at
from tests.doctor.installation import NOW

AWS, GOOGLE = ("aws", "222222222222", "us-east-1"), ("gcp", "my-gcp-project", "")
HOUR = 3600


@pytest.fixture
def store(tmp_path):
    made = SqliteStore(str(tmp_path / "ledger.db"))
    yield made
    made.close()


def hear(store, log: tuple[str, str, str], ago: float, *, hours: int = 1) -> None:
    """Keep that a log was heard on the day of a moment, in so many of its hours."""
    last = at(NOW - ago)
    source = Source(*log, last[:10], (1 << hours) - 1, last)
    work = Work(store)
    key = Source.key(*log, source.day)
    work.get(key, Source)
    work.put(key, source)
    work.commit()


def looked(store, *clouds: str) -> list[tuple[str, str, str]]:
    return [(one.what, str(one.state), one.found) for one in examine(store, clouds, now=NOW)]


def test_each_log_is_told_with_its_last_record(store):
    hear(store, AWS, 240)
    hear(store, GOOGLE, 26 * HOUR)
    assert looked(store, "aws", "gcp") == [
        ("last record of 222222222222 us-east-1", "ok", "2026-11-02T04:00:05Z, 4 minutes ago"),
        ("last record of my-gcp-project", "ok", "2026-11-01T02:04:05Z, 1 day ago"),
    ]


def test_a_cloud_without_a_record_is_broken(store):
    hear(store, AWS, 240)
    hear(store, GOOGLE, 20 * DAY)
    assert looked(store, "gcp") == [("last record of Google Cloud", "broken", "nothing of Google Cloud for 8 days")]


def test_canaries_do_not_make_a_log_heard(store):
    hear(store, ("aws", "111111111111", "us-east-1"), 60)
    hear(store, ("gcp", "callerid-canary", ""), 60)
    assert [state for _, state, _ in looked(store, "aws", "gcp")] == ["broken", "broken"]


def test_a_busy_log_is_silent_sooner_than_a_quiet_one(store):
    hear(store, AWS, 7 * HOUR, hours=24)
    hear(store, (*AWS[:2], "eu-west-1"), 3 * DAY)
    assert looked(store, "aws") == [
        ("last record of 222222222222 eu-west-1", "warning", "2026-10-30T04:04:05Z, 3 days ago; in the day before it was heard in 1 of 24 hours"),
        ("last record of 222222222222 us-east-1", "broken", "2026-11-01T21:04:05Z, 7 hours ago; in the day before it was heard in 22 of 24 hours"),
    ]  # fmt: skip


def test_today_s_few_hours_do_not_make_a_busy_log_quiet(store):
    hear(store, AWS, 2 * HOUR, hours=3)
    hear(store, AWS, 5 * HOUR, hours=24)
    assert [state for _, state, _ in looked(store, "aws")] == ["broken"]


def test_the_monitor_s_own_troubles_are_told(store):
    hear(store, AWS, 60)
    work = Work(store)
    work.put(Trouble.key("policy"), Trouble("policy", NOW - 60, "The last good policy stays in force."))
    work.commit()
    assert looked(store, "aws")[1] == ("monitor", "broken", "The last good policy stays in force.")


def test_a_ledger_that_does_not_answer_is_unknown():
    class Silent:
        def list(self, _: str, /):
            raise UnavailableError("no answer")

    with pytest.raises(UnknownError, match="does not answer"):
        looked(Silent(), "aws")
