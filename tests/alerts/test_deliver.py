"""An alert is never lost, never doubled without saying so, and never ignored."""

import pytest

from callerid.alerts.clock import Clock
from callerid.alerts.deliver import Delivered, Deliverer
from callerid.alerts.links import Look
from callerid.alerts.slack import Ambiguous, Misconfigured, PayloadRefused, Retry, ThreadLost
from callerid.alerts.watch import watch
from callerid.ledger import ask, storm
from callerid.ledger.alert import Channel, Told
from callerid.ledger.fold import Brief, look_after
from callerid.ledger.outbox import Outbox
from callerid.ledger.record import Recorder
from callerid.ledger.rows import COUNTS_KEPT, DAY
from callerid.ledger.work import write
from callerid.policy.book import Book
from callerid.policy.load import parse
from tests.alerts.fake import CrashError, FakeClock, FakeSlack, FakeWay
from tests.conftest import record
from tests.ledger.made import NOW, Alert, Due, call, copies, of, recorder, rows, stranger, told
from tests.ledger.memory import MemoryStore


class Desk:
    """A ledger, a Slack and a clock, with what tests do to them."""

    def __init__(self, book, *, slack=None, store=None) -> None:
        self.book = book
        self.store = store or MemoryStore()
        self.slack = slack or FakeSlack()
        self.clock = FakeClock(NOW)
        self.way = FakeWay()

    def record(self, *records, **options):
        recorder(self.store).record(of(list(records), self.book, by_id=True), now=self.clock.time, **options)

    def deliver(self, seconds=300.0) -> Delivered:
        clock = Clock(self.clock.now, self.clock.pause)
        return Deliverer(self.store, lambda: self.slack, "C0", clock=clock, look=Look()).deliver(budget_seconds=seconds)

    def watch(self) -> list[str]:
        return watch(self.store, self.way, now=self.clock.time, pause=self.clock.pause)

    def later(self, seconds: float) -> None:
        self.clock.time += seconds

    @property
    def alerts(self) -> list[Alert]:
        return [alert for alert in rows(self.store, "alert", Alert) if not alert.members]

    @property
    def alert(self) -> Alert:
        (alert,) = self.alerts
        return alert


@pytest.fixture
def desk(book) -> Desk:
    return Desk(book)


def other(number: int, who: int) -> dict:
    """A crossing by one of many subjects that are not listed."""
    subject = f"2{who:020}"
    identity = {"type": "WebIdentityUser", "userName": subject, "identityProvider": "accounts.google.com"}
    answer = {"subjectFromWebIdentityToken": subject, "provider": "accounts.google.com", "audience": subject}
    return record(number, userIdentity=identity, responseElements=answer)


def denied(number: int) -> dict:
    """The same caller as the stranger, refused."""
    return stranger(number, errorCode="AccessDenied", responseElements=None)


def test_a_finding_is_posted_once(desk):
    desk.record(stranger(1))
    assert desk.deliver() == Delivered(1, 0, 0, 0.0)
    assert desk.deliver() == Delivered(0, 0, 0, 0.0)
    assert len(desk.slack.posts) == 1
    assert desk.alert.state == "sent"


def test_repeats_edit_the_first_message_at_most_every_half_minute(desk):
    """T9: 10,000 events of one finding are one post and few edits, and what was received adds up."""
    desk.record(stranger(1))
    desk.deliver()
    for batch in range(100):
        desk.record(*(stranger(batch * 100 + number + 2) for number in range(100)))
        desk.later(2)
        desk.deliver()
    desk.later(31)
    desk.deliver()
    assert len(desk.slack.posts) == 1
    assert len(desk.slack.edits) <= 200 / 30 + 5 + 1
    assert sum(told(desk.store).values()) == 10_001 == desk.alert.shown
    assert "10,001" in desk.slack.edits[-1][2].text
    assert "10,001 received = 1 posted + 10,000 folded" in str(desk.slack.edits[-1][2].blocks)


def test_the_outbox_is_empty_a_while_after_the_last_event(desk):
    desk.record(stranger(1))
    desk.deliver()
    assert len(rows(desk.store, "outbox", Due)) == 1
    desk.later(601)
    desk.deliver()
    assert rows(desk.store, "outbox", Due) == []


def test_an_event_that_comes_as_the_outbox_is_cleared_is_told(desk):
    """Whoever counts on a row of the outbox renews it in time."""
    desk.record(stranger(1))
    desk.deliver()
    desk.later(570)
    desk.record(stranger(2))
    desk.later(40)
    desk.deliver()
    assert desk.alert.shown == 2


def test_a_quiet_hour_closes_the_window_and_the_next_event_is_new(desk):
    """T11."""
    desk.record(stranger(1), stranger(2))
    desk.deliver()
    desk.later(700)
    desk.deliver()
    desk.later(3601)
    desk.record(stranger(3))
    desk.deliver()
    assert len(desk.slack.top) == 2
    assert (desk.alert.window, desk.alert.before, desk.alert.shown) == (2, 2, 1)
    desk.later(700)
    desk.deliver()
    desk.later(3601)
    desk.record(stranger(4))
    assert (desk.alert.window, desk.alert.before, desk.alert.previous) == (3, 3, 1)


def test_what_goes_on_for_a_day_is_announced_again_unless_it_is_settled(desk):
    number = 1
    desk.record(stranger(number))
    desk.deliver()
    for _ in range(49):
        desk.later(1800)
        number += 1
        desk.record(stranger(number))
        desk.deliver()
    assert [broadcast for *_, thread, broadcast in desk.slack.posts if thread] == [True]
    assert "24 hours" in desk.slack.replies[0].text
    ask.settle_alert(desk.store, desk.alert.key, Told("alice", desk.clock.time))
    for _ in range(50):
        desk.later(1800)
        number += 1
        desk.record(stranger(number))
        desk.deliver()
    assert len(desk.slack.replies) == 1
    assert sum(told(desk.store).values()) == 100


def test_a_settled_finding_says_so_in_its_message(desk):
    desk.record(stranger(1))
    desk.deliver()
    ask.settle_alert(desk.store, desk.alert.key, Told("alice", desk.clock.time, "rotated"))
    desk.later(31)
    desk.deliver()
    assert "alice" in str(desk.slack.edits[-1][2])


def test_a_settled_storm_says_so_and_all_that_it_tells_is_settled(desk):
    desk.record(*(other(number, number) for number in range(30)))
    desk.deliver()
    (key,) = (alert.key for alert in rows(desk.store, "alert", Alert) if alert.members)
    ask.settle_alert(desk.store, key, Told("alice", desk.clock.time, "a new team"))
    desk.later(31)
    desk.deliver()
    header, *_, small_print = desk.slack.edits[-1][2].blocks
    assert header["text"]["text"] == "✅ Settled: storm of 30 new findings"
    assert "settled by `alice`" in str(small_print)
    assert all(alert.settled for alert in desk.alerts)


@pytest.mark.parametrize(("more", "messages"), [(1, 1), (30, 1)])
def test_what_is_new_after_a_storm_was_settled_is_told_in_messages_of_its_own(desk, more, messages):
    """A settled message calls nobody: what it did not tell when it was settled would never be read."""
    desk.record(*(other(number, number) for number in range(30)))
    desk.deliver()
    (key,) = (alert.key for alert in rows(desk.store, "alert", Alert) if alert.members)
    ask.settle_alert(desk.store, key, Told("alice", desk.clock.time))
    desk.later(31)
    desk.record(*(other(100 + number, 100 + number) for number in range(more)))
    desk.deliver()
    desk.later(31)
    desk.deliver()
    assert len(desk.slack.top) == 1 + messages
    assert not desk.slack.top[-1].text.startswith("Settled")
    assert sum(alert.settled is None for alert in desk.alerts) == more
    assert "30 received" in str(desk.slack.edits[-1][2].blocks)


@pytest.mark.parametrize("refused", [0, 1, 2])
def test_what_was_settled_before_it_was_posted_pings_nobody(desk, refused):
    Recorder(desk.store, lambda *_: Brief(mention="S0EXAMPLE01"), pause=lambda _: None).record(
        of([stranger(1)], desk.book, by_id=True), now=NOW
    )
    ask.settle_alert(desk.store, desk.alert.key, Told("alice", NOW))
    desk.slack.plan = [PayloadRefused("invalid_blocks")] * refused
    desk.deliver()
    (text,) = desk.slack.top
    assert "subteam" not in str(text)


def test_the_first_success_after_denials_is_new_and_graver(desk):
    desk.record(denied(1), denied(2))
    desk.deliver()
    desk.record(stranger(3))
    desk.deliver()
    assert len(desk.slack.top) == 2
    allowed = next(alert for alert in desk.alerts if alert.line.outcome == "allowed")
    assert allowed.denied_before == 2
    assert allowed.severity == "critical"


def test_the_first_success_after_denials_is_one_step_graver_and_no_more(desk):
    desk.record(call(1, name="", errorCode="AccessDenied"))
    desk.record(call(2, name=""))
    allowed = next(alert for alert in desk.alerts if alert.line.outcome == "allowed")
    assert (allowed.line.severity, allowed.severity) == ("medium", "high")


NAMED_TWICE = b"""version: 1
requirements:
  - roles: arn:aws:iam::123456789012:role/TestRoleForSourceID
    source_identity: {mode: enforce}
    session_name: {mode: enforce, matches: "user[0-9]+"}
"""


def nameless(number: int, session: str) -> dict:
    """A call without a source identity, by a session of a role that asks for one and for a name of its own."""
    identity = call(number, name="")["userIdentity"]
    return call(number, userIdentity={**identity, "arn": identity["arn"] + session})


@pytest.fixture
def strict() -> Desk:
    return Desk(Book(parse(NAMED_TWICE, "policy.yaml"), "sha256:named-twice"))


def test_a_finding_that_becomes_graver_is_announced_once_and_never_falls(strict):
    strict.record(nameless(1, "user1"))
    strict.deliver()
    for number, session in enumerate(("root", "user1", "root"), start=2):
        strict.record(nameless(number, session))
        strict.later(31)
        strict.deliver()
    ((_, told_again, thread, broadcast),) = strict.slack.posts[1:]
    assert told_again.text.startswith("HIGH: Now high, was medium. Anonymous caller")
    assert (thread, broadcast) == ("1.0", True)
    assert strict.slack.edits[-1][2].text.startswith("HIGH:")


def test_a_finding_that_becomes_graver_after_its_storm_is_posted_by_itself(strict):
    strict.record(nameless(1, "user1"), *(other(10 + who, who) for who in range(20)))
    strict.deliver()
    strict.later(400)
    strict.record(nameless(2, "root"))
    strict.deliver()
    assert [message.text.split(",")[0] for message in strict.slack.top] == [
        "CRITICAL: storm of 21 new findings",
        "HIGH: anonymous caller used a session of role `TestRoleForSourceID` (AWS `123456789012`)",
    ]


def test_a_storm_that_becomes_graver_is_announced_once(desk):
    """Its edits call nobody, and a storm may go on for hours."""
    refused = [other(number, number) | {"errorCode": "AccessDenied", "responseElements": None} for number in range(30)]
    desk.record(*refused)
    desk.deliver()
    for number in range(30, 33):
        desk.later(31)
        desk.record(other(number, number))
        desk.deliver()
    assert len(desk.slack.top) == 1
    told_again = [(message.text, broadcast) for _, message, thread, broadcast in desk.slack.posts if broadcast]
    assert told_again == [("HIGH: Now high, was medium. Storm of 31 new findings.", True)]


def test_ten_times_as_many_as_the_time_before_is_announced_once(desk):
    desk.record(stranger(1))
    desk.deliver()
    desk.later(700)
    desk.deliver()
    desk.later(3700)
    desk.record(*(stranger(number) for number in range(2, 14)))
    desk.deliver()
    desk.later(40)
    desk.deliver()
    desk.later(40)
    desk.deliver()
    assert len(desk.slack.replies) == 1


def test_five_hundred_new_findings_in_five_minutes_are_one_message_with_the_list(desk):
    """T10: all of them are in the ledger, and in the thread."""
    desk.record(*(other(number, number) for number in range(500)))
    desk.deliver()
    desk.later(31)
    desk.deliver()
    assert len(desk.slack.top) == 1
    assert "500" in desk.slack.top[0].text
    assert len(desk.alerts) == 500
    assert {alert.state for alert in desk.alerts} == {"in-storm"}
    lists = " ".join(str(message.blocks) for message in desk.slack.replies)
    assert all(alert.key[:20] in lists for alert in desk.alerts)


def test_the_twenty_first_new_finding_begins_a_storm_which_ends_when_it_is_quiet(desk):
    for number in range(20):
        desk.record(other(number, number))
        desk.deliver()
    assert len(desk.slack.top) == 20
    for number in range(20, 30):
        desk.record(other(number, number))
        desk.deliver()
        desk.later(31)
    desk.deliver()
    assert len(desk.slack.top) == 21
    assert "10" in desk.slack.edits[-1][2].text
    desk.later(400)
    desk.record(other(31, 31))
    desk.deliver()
    assert len(desk.slack.top) == 22


def test_more_events_of_a_finding_in_a_storm_are_counted_in_the_storms_message(desk):
    desk.record(*(other(number, number) for number in range(30)))
    desk.deliver()
    desk.later(40)
    desk.record(*(other(100 + number, 3) for number in range(1000)))
    desk.later(40)
    desk.deliver()
    assert len(desk.slack.top) == 1
    assert "1,030" in desk.slack.edits[-1][2].text


def test_more_events_of_what_is_out_are_no_alert_that_waits(desk):
    """The watch would call it late, and the sender put it before what nobody has read."""
    desk.record(stranger(1), call(2, name=""))
    desk.deliver()
    desk.record(stranger(3))
    assert desk.deliver().waiting == 0
    desk.later(700)
    desk.deliver()
    desk.record(stranger(4))
    assert desk.deliver().waiting == 0
    desk.record(*(other(100 + number, number) for number in range(30)))
    desk.deliver()
    desk.record(other(200, 1))
    assert [due.posted for due in rows(desk.store, "outbox", Due)] == [True, True]


def test_a_finding_of_a_storm_that_is_not_posted_yet_waits_with_it_however_long(desk):
    desk.slack.plan = [Misconfigured("invalid_auth")]
    desk.record(*(other(number, number) for number in range(30)))
    desk.deliver()
    desk.later(2 * 3600)
    desk.record(other(100, 3))
    desk.deliver()
    (text,) = (message.text for message in desk.slack.top)
    assert text.startswith("HIGH: storm of 30 new findings, 30 of them allowed, 31 events")


def test_a_message_goes_where_the_policy_says_and_calls_whom_it_says(desk):
    brief = Brief(channel="C9", mention="S0EXAMPLE01")
    Recorder(desk.store, lambda *_: brief, pause=lambda _: None).record(
        of([stranger(1)], desk.book, by_id=True), now=NOW
    )
    desk.deliver()
    ((channel, posted, _, _),) = desk.slack.posts
    assert channel == "C9"
    assert "<!subteam^S0EXAMPLE01>" in str(posted.blocks)


def test_a_finding_that_comes_back_after_a_storm_takes_no_event_out_of_its_message(desk):
    """Hourly work: some of the findings return just behind the hour, some just within it."""
    desk.record(*(other(number, number) for number in range(30)), *(other(100 + number, 3) for number in range(70)))
    desk.deliver()
    desk.later(400)
    desk.record(*(other(200 + number, number) for number in range(15, 30)))
    desk.later(700)
    for _ in range(2):
        desk.deliver()
        desk.later(31)
    desk.later(2500)
    desk.record(*(other(300 + number, number) for number in range(15)))
    desk.deliver()
    desk.record(*(other(400 + number, number) for number in range(15, 30)))
    desk.deliver()
    desk.later(31)
    desk.deliver()
    assert "130 received = 1 posted + 129 folded" in str(desk.slack.edits[-1][2].blocks)
    assert len(desk.slack.top) == 1 + 15
    assert {alert.before for alert in desk.alerts if alert.window == 2} == {1, 71}


def test_a_finding_of_a_storm_that_goes_on_for_hours_is_in_it_once(desk):
    for step in range(20):
        desk.record(*(other(30 * step + number, 30 * step + number) for number in range(30)))
        desk.deliver()
        desk.later(240)
    desk.record(*(other(1000 + number, 0) for number in range(3)))
    desk.deliver()
    desk.later(31)
    desk.deliver()
    assert len(desk.slack.top) == 1
    assert "603 received = 1 posted + 602 folded" in str(desk.slack.edits[-1][2].blocks)


def test_a_storm_too_large_for_one_row_is_several_messages(desk, monkeypatch):
    """A row of DynamoDB holds 400 KB: a hundred thousand keys would never be written, nor anything posted."""
    monkeypatch.setattr(storm, "MOST_TOLD", 60)
    desk.record(*(other(number, number) for number in range(200)))
    desk.deliver()
    storms = [alert for alert in rows(desk.store, "alert", Alert) if alert.members]
    assert max(len(one.members) for one in storms) <= 60
    assert len(desk.slack.top) == len(storms) == 4
    assert sorted(key for one in storms for key in one.members) == sorted(alert.key for alert in desk.alerts)


def test_a_storms_long_list_is_told_in_several_runs(desk):
    desk.record(*(other(number, number) for number in range(500)))
    desk.deliver(5)
    desk.record(*(other(1000 + number, 499) for number in range(9)))  # the gravest and most frequent is another now
    for _ in range(4):
        desk.later(31)
        before = desk.clock.time
        desk.deliver(5)
        assert desk.clock.time - before < 5 + 2
    assert [message.text for message in desk.slack.replies] == [
        f"Findings {first} to {min(first + 39, 500)} of 500." for first in range(1, 500, 40)
    ]
    lists = " ".join(str(message.blocks) for message in desk.slack.replies)
    assert all(alert.key in lists for alert in desk.alerts)
    assert all(f"{number:,}. " in lists for number in range(1, 501))


def test_a_finding_that_became_graver_after_its_storm_stands_alone_in_the_next(desk):
    desk.record(*(other(number, number) for number in range(30)))
    desk.deliver()
    desk.later(400)
    desk.record(*(other(100 + number, 100 + number) for number in range(30)))
    desk.deliver()
    member = desk.alerts[0]
    first = next(alert for alert in rows(desk.store, "alert", Alert) if alert.members and member.key in alert.members)

    def graver(work):
        row = work.get(Alert.row(member.key), Alert)
        row.state = "pending"
        work.put(Alert.row(member.key), row)
        look_after(work, row, desk.clock.time)

    write(desk.store, graver)
    desk.deliver()
    assert len(desk.slack.top) == 3
    told_in = [alert.storm for alert in desk.alerts if alert.key == member.key]
    assert told_in == [first.key]


def test_the_gravest_goes_first(desk):
    desk.record(call(1, name=""), denied(2), other(3, 3))
    desk.deliver()
    severities = [message.text.split(":")[0] for message in desk.slack.top]
    assert severities == ["HIGH", "MEDIUM", "MEDIUM"]


def test_a_message_that_may_be_out_is_repeated_and_says_so(desk):
    """T1 and the promise: a repeat only ever follows an ambiguous answer."""
    desk.record(stranger(1))
    desk.slack.plan = [(True, Ambiguous("TimeoutError"))]
    assert desk.deliver().waiting == 1
    assert desk.deliver().posted == 0  # not before its time
    desk.later(60)
    assert desk.deliver().posted == 1
    first, second = desk.slack.top
    assert "repeat" not in first.text
    assert "repeat of attempt 1" in second.text


def test_a_possible_repeat_says_so_as_long_as_it_is_edited(desk):
    """The first copy stands beside it, with the count that it had."""
    desk.record(stranger(1))
    desk.slack.plan = [(True, Ambiguous("TimeoutError"))]
    desk.deliver()
    desk.later(60)
    desk.deliver()
    desk.record(stranger(2))
    desk.later(31)
    desk.deliver()
    assert "repeat of attempt 1" in desk.slack.edits[-1][2].text


def test_an_edit_that_may_be_out_is_made_again_and_is_no_repeat(desk):
    desk.record(stranger(1))
    desk.deliver()
    desk.record(stranger(2))
    desk.later(31)
    desk.slack.plan = [(True, Ambiguous("TimeoutError"))]
    for _ in range(2):
        desk.deliver()
        desk.later(31)
    assert [(channel, ts) for channel, ts, _ in desk.slack.edits] == [("C0", "1.0")] * 2
    assert not any("repeat" in message.text for *_, message in desk.slack.edits)


def test_an_announcement_that_may_be_out_is_repeated_and_says_so(desk):
    desk.record(stranger(0))
    desk.deliver()
    desk.later(700)
    desk.deliver()
    desk.later(3601)
    desk.record(*(stranger(number) for number in range(1, 20)))
    desk.deliver()
    desk.later(31)
    desk.slack.plan = [(True, Ambiguous("TimeoutError"))]
    for _ in range(2):
        desk.deliver()
        desk.later(31)
    first, second = desk.slack.replies
    assert "repeat" not in first.text
    assert second.text.startswith("HIGH: 19 events this time, 1 the time before. (Possible repeat.)")


def test_a_page_of_a_storms_list_that_may_be_out_is_repeated_and_says_so(desk):
    desk.record(*(other(number, number) for number in range(30)))
    desk.deliver()
    desk.later(31)
    desk.slack.plan = [(True, Ambiguous("RemoteDisconnected"))]
    for _ in range(2):
        desk.deliver()
        desk.later(31)
    assert ["repeat" in message.text for message in desk.slack.replies] == [False, True]


def test_a_webhooks_next_message_that_may_be_out_is_repeated_and_says_so(book):
    desk = Desk(book, slack=FakeSlack(can_edit=False))
    desk.record(stranger(1))
    desk.deliver()
    desk.record(*(stranger(number) for number in range(2, 20)))
    desk.later(31)
    desk.slack.plan = [(True, Ambiguous("TimeoutError"))]
    for _ in range(2):
        desk.deliver()
        desk.later(31)
    assert ["repeat" in message.text for message in desk.slack.top] == [False, False, True]


def test_a_message_that_was_not_taken_is_posted_later_without_a_mark(desk):
    """T13: nothing waits out a Retry-After here."""
    desk.record(stranger(1))
    desk.slack.plan = [Retry(30.0, "ratelimited")]
    before = desk.clock.time
    assert desk.deliver().waiting == 1
    assert desk.clock.time == before
    desk.later(10)
    desk.deliver()
    assert desk.slack.top == []
    desk.later(21)
    desk.deliver()
    (message,) = desk.slack.top
    assert "repeat" not in message.text


def test_a_refused_message_gets_plainer_until_slack_takes_it(desk):
    """T5: one step after another, and counted once."""
    desk.record(stranger(1))
    desk.slack.plan = [PayloadRefused("invalid_blocks"), PayloadRefused("invalid_blocks")]
    assert desk.deliver().posted == 1
    (message,) = desk.slack.top
    assert message.blocks == ()
    assert (desk.alert.shown, desk.alert.attempt) == (1, 1)


def test_a_message_that_is_gone_is_posted_anew(desk):
    desk.record(stranger(1))
    desk.deliver()
    desk.record(stranger(2))
    desk.later(31)
    desk.slack.plan = [ThreadLost("message_not_found")]
    desk.deliver()
    desk.deliver()
    assert len(desk.slack.top) == 2
    assert desk.alert.shown == 2


def test_a_message_that_is_gone_waits_from_then_on(desk):
    """Somebody deletes the message of a finding that goes on for hours: nobody is called because of that."""
    for number in range(30):
        desk.record(stranger(number))
        desk.deliver()
        desk.later(60)
    desk.record(stranger(30))
    desk.slack.plan = [ThreadLost("message_not_found")]
    found = desk.deliver()
    assert (found.waiting, found.oldest_seconds) == (1, 0)
    desk.watch()
    assert desk.way.told == []


def test_a_broken_channel_is_told_once_another_way_and_flushed_gravest_first_after_recovery(desk):
    """T15: a token that is revoked for two hours."""
    desk.slack.plan = [Misconfigured("token_revoked")]
    desk.record(stranger(1))
    desk.deliver()
    for minute in range(120):
        desk.record(other(minute, minute % 15)) if minute % 10 == 0 else desk.record(stranger(200 + minute))
        desk.slack.plan = [Misconfigured("token_revoked")]
        desk.deliver()
        desk.watch()
        desk.later(60)
    broken = [text for subject, text in desk.way.told if "token_revoked" in text]
    assert len(broken) == 1
    assert desk.slack.posts == []
    desk.slack.plan = []
    desk.later(900)
    desk.record(denied(999))
    desk.deliver()
    desk.watch()
    assert desk.watch() == []
    assert "well again" in desk.way.told[-1][0]
    severities = [message.text.split(":")[0] for message in desk.slack.top]
    assert severities == sorted(severities, key=["HIGH", "MEDIUM"].index)
    assert {alert.state for alert in desk.alerts} == {"sent"}


def test_a_channel_that_takes_an_edit_is_no_longer_broken(desk):
    """There may be nothing new to post for days."""
    desk.record(stranger(1))
    desk.deliver()
    desk.record(stranger(2))
    desk.later(31)
    desk.slack.plan = [Misconfigured("token_revoked")]
    desk.deliver()
    desk.watch()
    desk.later(901)
    desk.deliver()
    desk.watch()
    assert ask.broken(desk.store) == []
    assert [subject for subject, _ in desk.way.told] == ["callerid needs you", "callerid is well again"]


def test_one_channel_that_must_wait_holds_up_no_other(book):
    policy = b"version: 1\nchannels:\n  - {channel: C0AAAAAAA, at_least: critical}\n  - {channel: C0BBBBBBB}\n"
    book = Book(parse(policy, "policy.yaml"), "sha256:two")
    desk = Desk(book)
    from callerid.monitor import briefing

    Recorder(desk.store, briefing(book)).record(of([stranger(1), denied(2)], book, by_id=True), now=NOW)
    desk.slack.plan = [Retry(600.0, "ratelimited")]
    assert desk.deliver().posted == 1
    assert [channel for channel, *_ in desk.slack.posts] == ["C0BBBBBBB"]


def test_a_channel_with_more_to_say_than_there_is_time_holds_up_no_other(book):
    """Each channel has its share of every run."""
    desk = Desk(book)
    busy = {"web-identity": "C1"}
    brief = lambda judgement, severity: Brief(channel=busy.get(judgement.access.kind, "C2"))  # noqa: E731
    both = Recorder(desk.store, brief, pause=lambda seconds: None)
    for batch in range(3):
        found = [other(20 * batch + number, 20 * batch + number) for number in range(20)]
        both.record(of([*found, call(90 + batch, name="")], book, by_id=True), now=desk.clock.time)
        desk.deliver(10)
        desk.later(301)
    posted = [channel for channel, _, thread, _ in desk.slack.posts if thread is None]
    assert "C2" in posted[:10]


def test_a_sender_that_dies_keeps_a_channel_for_minutes_however_long_it_meant_to_work(book, monkeypatch):
    """``callerid deliver`` on a laptop that is closed, say, with the functions' own ledger."""
    store = MemoryStore()
    desk = Desk(book, store=store, slack=FakeSlack(store=store))
    desk.record(stranger(1))
    store.crash_at = store.steps + 5
    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "release", lambda *_: None)
        with pytest.raises(CrashError):
            desk.deliver(3600)
    desk.later(181)
    assert desk.deliver().posted == 1


def test_two_senders_at_once_post_once(desk):
    """T3: while one holds the channel, and between claim and answer, the other does nothing."""
    desk.record(stranger(1))
    inner = []

    class Meanwhile(FakeSlack):
        def post(self, channel, message, /, *, thread=None, broadcast=False):
            if not inner:
                inner.append(None)
                second = Desk(desk.book, store=desk.store, slack=FakeSlack())
                second.clock = desk.clock
                inner[0] = (second.deliver(), second.slack.posts)
            return super().post(channel, message, thread=thread, broadcast=broadcast)

    desk.slack = Meanwhile()
    desk.deliver()
    assert len(desk.slack.posts) == 1
    assert inner[0][1] == []


def test_a_claim_protects_a_message_even_without_the_channels_lease(desk):
    desk.record(stranger(1))

    outbox = Outbox(desk.store, lambda seconds: None)
    assert outbox.claim(desk.alert.key, NOW) is not None
    assert outbox.claim(desk.alert.key, NOW + 1) is None
    late = outbox.claim(desk.alert.key, NOW + 61)
    assert late is not None
    assert late.alert.doubtful == 1
    outbox.posted(desk.alert.key, late, ts="1.0", channel="C0", now=NOW + 62)
    assert outbox.claim(desk.alert.key, NOW + 200) is None
    assert outbox.claim("0" * 20, NOW + 200) is None


def test_a_sender_that_comes_back_after_its_claim_ran_out_says_nothing_of_the_message(desk):
    desk.record(stranger(1))
    key = desk.alert.key
    outbox = Outbox(desk.store, lambda seconds: None)
    first = outbox.claim(key, NOW)
    second = outbox.claim(key, NOW + 61)
    outbox.posted(key, first, ts="1.0", channel="C0", now=NOW + 62)
    outbox.refused(key, first, error="ratelimited", at=NOW, doubtful=False)
    assert (desk.alert.state, desk.alert.ts, desk.alert.error) == ("sending", None, None)
    assert desk.store.expires[Alert.row(key)] is None
    outbox.posted(key, second, ts="2.0", channel="C0", now=NOW + 63)
    assert (desk.alert.state, desk.alert.ts) == ("sent", "2.0")
    assert desk.store.expires[Alert.row(key)] == NOW + COUNTS_KEPT


def test_a_channel_is_broken_since_it_first_was_and_until_it_takes_a_message(desk):
    desk.record(stranger(1))
    for answer in (Misconfigured("not_in_channel"), Misconfigured("invalid_auth"), Retry(30.0, "ratelimited")):
        desk.slack.plan = [answer]
        desk.deliver()
        desk.later(901)
    (channel,) = rows(desk.store, "channel", Channel)
    assert (channel.broken, channel.broken_since) == ("invalid_auth", NOW)
    desk.deliver()
    (channel,) = rows(desk.store, "channel", Channel)
    assert channel.broken is None
    assert len(desk.slack.posts) == 1


def test_a_channel_is_one_senders_until_it_is_given_back_or_the_lease_runs_out():
    outbox = Outbox(MemoryStore(), lambda seconds: None)

    def take(holder, now):
        return outbox.lease("C1", holder, now=now, until=now + 60)

    assert take("a", 0)
    assert not take("b", 59)
    assert take("a", 59)
    assert not take("b", 118)
    outbox.release("C1", "b")
    assert not take("b", 118)
    outbox.release("C1", "a")
    assert take("b", 118)
    assert take("a", 178)
    outbox.hold("C1", until=300, broken=None, now=178)
    assert not take("a", 299)
    assert take("a", 300)


def test_a_storm_names_the_gravest_and_most_frequent_first_and_its_whole_span(desk):
    refused = {"errorCode": "AccessDenied", "responseElements": None}
    desk.record(
        *(other(who, who) | refused | {"eventTime": f"2026-11-02T03:{who:02}:00Z"} for who in range(10, 40)),
        other(100, 20) | refused | {"eventTime": "2026-11-02T02:00:00Z"},
        other(101, 1) | {"eventTime": "2026-11-02T06:00:00Z"},
    )
    desk.deliver()
    (row,) = (alert for alert in rows(desk.store, "alert", Alert) if alert.members)
    outbox = Outbox(desk.store, lambda seconds: None)
    members = outbox.members(row)
    assert [(member.alert.severity, member.tally.count) for member in members[:3]] == [
        ("high", 1),
        ("medium", 2),
        ("medium", 1),
    ]
    tally = outbox.with_members(outbox.read(row.key)).tally
    assert (tally.first, tally.last) == ("2026-11-02T02:00:00Z", "2026-11-02T06:00:00Z")


def test_a_crash_at_any_step_of_recording_and_sending_loses_nothing(book):
    """T2, exhaustive: posted at least once, counted exactly once, posted twice only where that was in doubt."""
    records = [stranger(1), stranger(2), call(3, name=""), denied(4)]

    def run(crash_at):
        store = MemoryStore()
        desk = Desk(book, store=store, slack=FakeSlack(store=store))
        store.crash_at = crash_at
        crashes = 0
        for _ in range(4):
            try:
                desk.record(*records)
                desk.deliver()
            except CrashError:
                crashes += 1
            desk.later(121)  # every claim has run out
        return desk, crashes

    whole, _ = run(None)
    steps = whole.store.steps
    assert steps > 20
    for step in range(1, steps + 1):
        desk, crashes = run(step)
        assert sorted(told(desk.store).values()) == [1, 1, 2]
        assert {alert.state for alert in desk.alerts} == {"sent"}
        texts = [message.text for message in desk.slack.top]
        assert 3 <= len(texts) <= 3 + crashes
        assert sum("repeat" in text for text in texts) >= len(texts) - 3


def test_a_webhook_posts_anew_for_each_further_digit_and_never_edits(book):
    desk = Desk(book, slack=FakeSlack(can_edit=False))
    desk.record(stranger(1))
    desk.deliver()
    for number in range(2, 120):
        desk.record(stranger(number))
        desk.later(31)
        desk.deliver()
    assert len(desk.slack.posts) == 3
    assert desk.slack.edits == []


def test_what_a_webhook_did_not_show_counts_among_the_earlier_windows(book):
    desk = Desk(book, slack=FakeSlack(can_edit=False))
    for number in range(8):
        desk.record(stranger(number))
        desk.deliver()
    desk.later(700)
    desk.deliver()
    desk.later(3601)
    desk.record(stranger(9))
    desk.deliver()
    assert (desk.alert.before, desk.alert.previous) == (8, 8)


def test_an_alert_that_is_explained_before_it_is_posted_is_not_posted(book):
    desk = Desk(book)
    full, bare = copies(1)
    desk.record(bare)
    desk.record(full)
    assert desk.deliver() == Delivered(0, 0, 0, 0.0)
    assert desk.alert.state == "withdrawn"
    desk.record(copies(2)[1])
    desk.deliver()
    assert len(desk.slack.posts) == 1


def test_a_posted_alert_that_is_explained_says_so(book):
    desk = Desk(book)
    full, bare = copies(1)
    desk.record(bare)
    desk.deliver()
    desk.record(full)
    desk.later(31)
    desk.deliver()
    assert "xplained" in str(desk.slack.edits[-1][2])


@pytest.mark.parametrize("is_late", [False, True])
def test_a_call_that_nobody_explains_after_others_were_is_announced(book, is_late):
    """The message said that nothing is to be done, and an edit calls nobody; a copy that is late is waited for."""
    desk = Desk(book)
    desk.record(copies(1)[1])
    desk.deliver()
    desk.record(copies(1)[0])
    desk.later(31)
    desk.deliver()
    assert desk.slack.edits[-1][2].text.startswith("Explained.")
    desk.later(100)
    desk.record(copies(2)[1])
    for minute in range(30):
        desk.deliver()
        desk.later(60)
        if is_late and minute == 5:
            desk.record(copies(2)[0])
    told_again = [message.text for message in desk.slack.replies]
    if is_late:
        assert told_again == []
    else:
        (text,) = told_again
        assert text.startswith("HIGH: Open again: not every call is explained")
    desk.deliver()
    assert desk.store.rows.keys().isdisjoint({Due.key(desk.alert.key)})


def test_a_copy_that_comes_hours_late_explains_nothing_of_a_later_window(book):
    """The call that opened the later window has no other copy: its alert is posted."""
    desk = Desk(book)
    full, bare = copies(1)
    desk.record(bare)
    desk.deliver()
    desk.later(700)
    desk.deliver()
    desk.later(3601)
    desk.record(copies(2)[1])
    desk.record(full)
    desk.deliver()
    assert len(desk.slack.top) == 2
    assert "xplained" not in str(desk.slack.top[-1])


def test_an_alert_that_is_explained_long_after_says_so_too(book):
    """Logs of two accounts come hours apart; by then nobody looked after the message any more."""
    desk = Desk(book)
    full, bare = copies(1)
    desk.record(bare)
    desk.deliver()
    desk.later(601)
    desk.deliver()
    assert rows(desk.store, "outbox", Due) == []
    desk.record(full)
    desk.deliver()
    assert "xplained" in str(desk.slack.edits[-1][2])


def test_what_a_storm_told_is_counted_there_also_after_a_while(desk):
    """Nobody looks after a storm that is quiet; an event of one of its findings has it looked after again."""
    desk.record(*(other(number, number) for number in range(1, 22)))
    desk.deliver()
    desk.later(601)
    desk.deliver()
    assert rows(desk.store, "outbox", Due) == []
    posted = len(desk.slack.posts)
    desk.record(other(50, 21))
    desk.later(31)
    desk.deliver()
    assert len(desk.slack.posts) == posted
    assert sum(told(desk.store).values()) == 22
    assert "22" in str(desk.slack.edits[-1][2])


def test_a_silent_log_is_told_once_however_long_it_is_silent(book):
    """T16: a log that was heard every hour for a day."""
    desk = Desk(book)
    for hour in range(24):
        desk.clock.time = NOW + hour * 3600
        day, clock = divmod(7 + hour, 24)
        desk.record(record(hour, eventTime=f"2026-11-{2 + day:02}T{clock:02}:00:00Z"))
    assert desk.watch() == []
    desk.later(6000)
    (ill,) = desk.watch()
    assert "aws 111111111111 us-east-1" in ill
    desk.watch()
    assert len(desk.way.told) == 1
    for _ in range(40):
        desk.later(DAY / 4)
        desk.watch()
    assert len(desk.way.told) == 1


def heard_daily(desk, days: int) -> None:
    """A log that is heard in one hour of each day."""
    for day in range(days):
        desk.clock.time = NOW + day * DAY
        desk.record(record(day, eventTime=f"2026-11-{2 + day:02}T06:50:00Z"))


def test_a_log_that_is_heard_every_day_is_silent_after_two_days_and_stays_so_until_it_is_heard(desk):
    heard_daily(desk, 9)
    desk.later(2 * DAY - 700)
    assert desk.watch() == []
    for _ in range(40):
        desk.later(DAY / 4)
        desk.watch()
    ((subject, text),) = desk.way.told
    assert (subject, "heard every day" in text) == ("callerid needs you", True)
    desk.record(record(100, eventTime="2026-11-22T06:50:00Z"))
    desk.clock.time = NOW + 20 * DAY
    desk.watch()
    assert [subject for subject, _ in desk.way.told] == ["callerid needs you", "callerid is well again"]


@pytest.mark.parametrize(("days", "is_told"), [(4, False), (5, True)])
def test_a_log_that_was_heard_on_few_days_may_be_silent(desk, days, is_told):
    heard_daily(desk, days)
    desk.later(2 * DAY + 60)
    assert bool(desk.watch()) is is_told


def test_a_busy_log_that_is_heard_again_is_well(desk):
    for hour in range(24):
        desk.clock.time = NOW + hour * 3600
        day, clock = divmod(7 + hour, 24)
        desk.record(record(hour, eventTime=f"2026-11-{2 + day:02}T{clock:02}:00:00Z"))
    desk.later(6000)
    desk.watch()
    desk.record(record(100, eventTime="2026-11-03T07:39:00Z"))
    desk.watch()
    (_, blind), (subject, over) = desk.way.told
    assert (subject, over) == ("callerid is well again", f"Over after 0 minutes: {blind}")


def test_a_policy_that_is_refused_is_told_once_and_when_it_is_mended(desk):
    for trouble in ("policy:3: unknown key", "policy:3: unknown key", None, None):
        watch(desk.store, desk.way, now=desk.clock.time, pause=desk.clock.pause, policy=trouble)
        desk.later(600)
    assert desk.way.told == [
        ("callerid needs you", "The last good policy stays in force: policy:3: unknown key"),
        (
            "callerid is well again",
            "Over after 20 minutes: The last good policy stays in force: policy:3: unknown key",
        ),
    ]


def test_too_many_waiting_alerts_are_told_before_they_are_late(desk, monkeypatch):
    monkeypatch.setattr("callerid.alerts.watch.MOST_WAITING", 2)
    desk.record(other(1, 1), other(2, 2))
    assert desk.watch() == []
    desk.record(other(3, 3))
    assert desk.watch() == [
        "3 alerts are not posted, the oldest since 2026-11-02T07:00:00Z. What waits, waits in the ledger."
    ]


def test_what_could_not_be_told_another_way_is_told_again(desk):
    desk.slack.plan = [Misconfigured("invalid_auth")]
    desk.record(stranger(1))
    desk.deliver()
    desk.way.is_broken = True
    with pytest.raises(OSError, match="no way out"):
        desk.watch()
    desk.way.is_broken = False
    desk.watch()
    assert len(desk.way.told) == 1


def test_a_late_outbox_is_told(desk):
    desk.slack.plan = [Retry(900.0, "ratelimited")]
    desk.record(stranger(1))
    desk.deliver()
    desk.later(700)
    (ill,) = desk.watch()
    assert "1 alerts are not posted" in ill or "1 alert" in ill


def test_a_channel_is_given_back_whatever_happens(desk):
    desk.record(stranger(1))
    desk.deliver()
    (channel,) = rows(desk.store, "channel", Channel)
    assert channel.holder == ""
