"""The figures of a week, held to what a person counted by hand and to a recount of the judgements."""

import contextlib
import json
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callerid import delivery
from callerid.alerts.clock import Clock
from callerid.engine import Engine
from callerid.judgement import Verdict
from callerid.ledger import ask
from callerid.ledger.alert import Told
from callerid.ledger.rows import DAY
from callerid.policy.book import Book
from callerid.policy.load import parse
from callerid.summary import show, words
from callerid.summary.figures import Observed, summarize
from callerid.summary.layout import lists, message
from callerid.summary.post import NotPostedError, post
from callerid.summary.week import week
from tests.alerts.fake import FakeClock, FakeSlack
from tests.alerts.slack_limits import refusal
from tests.conftest import POLICY, entry, json_lines, record
from tests.ledger.made import NOW, call, copies, of, recorder, stranger
from tests.ledger.memory import CrashError, MemoryStore

W45 = week("2026-W45")
"""2 to 8 November."""


def at(day: int, hour: int = 3, month: int = 11) -> str:
    return f"2026-{month:02}-{day:02}T{hour:02}:00:00Z"


def filled(book, *records: dict) -> MemoryStore:
    store = MemoryStore()
    recorder(store).record(of(list(records), book), now=NOW, marker="m")
    return store


@pytest.fixture
def store(book):
    """By hand, W45: 3 identified, 2 unexpected (1 denied), 1 anonymous at AWS; 1 identified at Google. W44: 2 and 2."""
    return filled(
        book,
        record(1, eventTime=at(2, 0)), record(2, eventTime=at(8, 23)), call(3, eventTime=at(4)),
        stranger(4, eventTime=at(5)), stranger(5, eventTime=at(5), errorCode="AccessDenied", responseElements=None),
        call(6, name="", eventTime=at(6)), entry(7, timestamp=at(7)),
        record(8, eventTime=at(1, 23)), record(9, eventTime=at(9, 0)),
        record(10, eventTime=at(26, 5, 10)), stranger(11, eventTime=at(26, 5, 10)), stranger(12, eventTime=at(27, 5, 10)),
    )  # fmt: skip


def test_a_week_is_counted_as_by_hand(store, book):
    found = summarize(store, W45, book)
    assert found.totals.verdicts["aws"] == Counter(identified=3, unexpected=2, anonymous=1)
    assert found.totals.verdicts["gcp"] == Counter(identified=1)
    assert found.totals.denied == 1
    assert found.totals.judged() == 7
    assert found.totals.share() == pytest.approx(6 / 7)
    assert found.totals.share("aws") == pytest.approx(5 / 6)
    assert found.totals.share("gcp") == 1
    assert found.last_week.judged() == 4
    assert [(one.label, one.judged(), one.is_observed) for one in found.weeks[-3:]] == [
        ("2026-W43", 0, False),
        ("2026-W44", 4, True),
        ("2026-W45", 7, True),
    ]
    assert found.undelivered == 3
    assert len(found.weeks) == 8
    assert found.callers == 2
    assert summarize(store, week("2026-W44"), book).last_week is None


def test_findings_are_told_each_with_its_count_and_whether_it_is_settled(store, book):
    found = summarize(store, W45, book)
    assert [(told.verdict, told.count, told.denied, told.settled) for told in found.findings] == [
        ("unexpected", 1, 0, False),
        ("unexpected", 1, 1, False),
        ("anonymous", 1, 0, False),
    ]
    for counts in ask.alerts(store):
        ask.settle_alert(store, counts.alert.key, Told("alice", NOW))
    assert all(told.settled for told in summarize(store, W45, book).findings)


def test_one_caller_found_at_one_target_in_two_ways_is_told_apart(book):
    """A session asked for an account's token, and then the account was used."""
    exported = POLICY.parent / "logs/gcp/cloudaudit.googleapis.com/data_access/2026/11/exported.jsonl"
    found = summarize(filled(book, *map(json.loads, exported.read_text().splitlines())), W45, book)
    lines = [line for line in words.findings(found, str) if "aws-9" in line and "cc-test-target" in line]
    assert {line.split(", ")[1] for line in lines} == {"delegated-use", "impersonation"}


def test_who_was_never_seen_before_is_new_where_there_is_a_before(store, book):
    found = summarize(store, W45, book)
    assert found.has_history
    assert [seen.route.who for seen in found.new] == ["TestUserForSourceID", "", "batch"]
    first = summarize(store, week("2026-W44"), book)
    assert not first.has_history
    assert words.new(first, str) == []


def test_entries_that_nobody_used_or_that_expire_are_due(store):
    text = POLICY.read_text().replace("expires: 2027-03-31", "expires: 2026-11-20")
    found = summarize(store, W45, Book(parse(text.encode(), "policy.yaml"), "d"))
    assert [gone.name for gone in found.expiring] == ["batch"]
    assert {"reporting", "release", "work_api"} <= {gone.name for gone in found.stale}
    assert {"nightly-export", "batch"}.isdisjoint(gone.name for gone in found.stale)


def test_what_only_warns_is_told_with_how_many_would_break(book):
    raw = entry(1)
    raw["protoPayload"] |= {
        "serviceName": "storage.googleapis.com", "methodName": "storage.objects.get", "metadata": {},
        "authenticationInfo": {"principalEmail": "cc-test-target@my-gcp-project.iam.gserviceaccount.com"},
        "resourceName": "projects/_/buckets/b/objects/o",
    }  # fmt: skip
    found = summarize(filled(book, raw), W45, book)
    assert found.would_break == {"origin-missing": 1}


WARNED = b"""version: 1
requirements:
  - roles: arn:aws:iam::123456789012:role/TestRoleForSourceID
    source_identity: {mode: warn}
    session_name: {mode: enforce, matches: "user[0-9]*"}
"""


def test_what_is_found_anyway_would_not_break_by_a_requirement_that_warns():
    """One session meets all but what warns; the other is told as a finding whether that is enforced or not."""
    named = call(1, name="")
    named["userIdentity"]["arn"] += "user1"
    store = filled(Book(parse(WARNED, "policy.yaml"), "d"), named, call(2, name=""))
    found = summarize(store, W45)
    assert found.totals.whole == Counter(identified=1, anonymous=1)
    assert found.would_break == {"source-identity-missing": 1}


def test_reasons_are_counted_of_what_cannot_be_attributed_or_read_and_of_nothing_else(book):
    podless = {"type": "AWSService", "invokedBy": "pods.eks.amazonaws.com"}
    withheld = record(1, eventName="AssumeRole", userIdentity=podless, responseElements={})
    found = summarize(filled(book, withheld, {"no": "record"}, stranger(2)), W45, book)
    assert found.totals.whole[Verdict.UNATTRIBUTABLE] == 1
    assert found.reasons == {"session-tags-off": 1, "not-a-log": 1}
    assert "1 access whose caller the cloud withholds: `session-tags-off` 1." in words.also(found)


def test_what_could_not_be_read_is_told_in_the_week_in_which_it_came(book):
    """It has no time of its own, and no cloud."""
    store = filled(book, {"no": "record"}, record(1))
    recorder(store).record(of([{"neither": 1}], book), now=NOW + 7 * DAY)
    found = summarize(store, W45, book)
    assert next(words.problems(found, str)) == "1 record could not be read; the ledger's `aside` rows say where."
    assert show.plain(found)["verdicts"]["unreadable"] == 1
    assert found.totals.judged() == 1
    assert summarize(store, week("2026-W44"), book).totals.whole[Verdict.UNREADABLE] == 0


def test_nothing_observed_never_reads_as_zero(book):
    found = summarize(MemoryStore(), W45, book)
    assert found.totals.share() is None
    assert "not observed" in words.answer(found)
    assert "0 %" not in show.text(found)
    assert ",0," not in show.csv(found)
    assert show.plain(found)["share_named"] is None


def test_a_log_is_observed_by_the_hours_in_which_it_is_usually_heard(book):
    """Heard at 3 and at 4 on every day of W42 to W44; in W45 at 3 alone, and on Sunday not at all."""
    records = [
        record(100 * day + hour, eventTime=f"2026-{month:02}-{day:02}T{hour:02}:30:00Z")
        for month, days in ((10, range(12, 32)), (11, [1]))
        for day in days
        for hour in (3, 4)
    ]
    records += [record(9000 + day, eventTime=at(day)) for day in range(2, 8)]
    found = summarize(filled(book, *records), W45, book)
    assert found.observed == {"aws 111111111111 us-east-1": Observed(6, 14)}
    assert any("Not wholly observed" in line and "42.9 %" in line for line in words.problems(found, str))


def test_an_hour_is_usual_in_which_half_of_the_weeks_before_heard_the_log(book):
    """On Mondays of W41 to W44: at 3 in each, at 4 in two of them, at 6 in one; in W45 at 3, 5 and 6."""
    heard = {5: (3,), 12: (3,), 19: (3, 4), 26: (3, 4, 6)}
    times = [at(day, hour, 10) for day, hours in heard.items() for hour in hours] + [at(2, hour) for hour in (3, 5, 6)]
    found = summarize(filled(book, *(record(number, eventTime=time) for number, time in enumerate(times))), W45, book)
    assert found.coverage == Observed(1, 2)


def test_of_a_log_that_is_new_this_week_nothing_is_expected_yet(book):
    found = summarize(filled(book, record(1, eventTime=at(2))), W45, book)
    assert found.coverage == Observed(0, 0)
    assert "can't be said yet" in words.answer(found)


def test_what_the_other_copy_explained_is_no_finding_of_the_week(book):
    full, bare = copies(1)
    store = filled(book, bare)
    assert [told.count for told in summarize(store, W45, book).findings] == [1]
    recorder(store).record(of([full], book, by_id=True), now=NOW)
    assert summarize(store, W45, book).findings == []


def test_the_gravest_findings_come_first_and_of_these_the_most_frequent(book):
    from tests.alerts.test_deliver import other

    records = [stranger(1), *(call(number, name="") for number in range(10, 15)), *(other(20 + n, 1) for n in range(3))]
    found = summarize(filled(book, *records), W45, book)
    assert [(told.severity, told.count) for told in found.findings] == [("high", 3), ("high", 1), ("medium", 5)]


@pytest.mark.parametrize(
    ("label", "hours"), [("2026-W13", 167), ("2026-W14", 168), ("2026-W43", 169), ("2026-W44", 168)]
)
def test_a_log_is_wholly_observed_when_clocks_are_changed(book, label, hours):
    """One that is heard all the time, and one by a schedule in UTC, as the clouds' own are."""
    berlin = week(label, "Europe/Berlin")
    assert berlin.end - berlin.start == timedelta(hours=hours)
    times = [berlin.before(3).start + timedelta(hours=number) for number in range(3 * 168 + 2 + hours)]
    written = [f"{time:%Y-%m-%dT%H}:00:00Z" for time in times if time < berlin.end]
    always = [record(number, eventTime=time) for number, time in enumerate(written)]
    daily = [
        record(9000 + number, eventTime=time, awsRegion="eu-west-1")
        for number, time in enumerate(written)
        if time[11:13] == "03"
    ]
    store = filled(book, *always)
    recorder(store).record(of(daily, book), now=NOW, marker="n")
    found = summarize(store, berlin, book)
    assert not any("Not wholly observed" in line for line in words.problems(found, str))
    assert [one.share for one in found.observed.values()] == [1.0, 1.0]


def test_a_quiet_week_is_said(book):
    records = [
        record(number, eventTime=at(day, month=month)) for number, (month, day) in enumerate([(10, 28), (11, 4)])
    ]
    found = summarize(filled(book, *records), W45)
    assert list(words.problems(found, str)) == []
    assert "A quiet week" in show.text(found)


def test_a_week_elsewhere_has_other_hours(store, book):
    tokyo = summarize(store, week("2026-W45", "Asia/Tokyo"), book)
    assert tokyo.totals.judged() == 7
    assert tokyo.totals.verdicts["aws"][Verdict.IDENTIFIED] == 3  # gains Sunday 23:00 UTC, loses the next one's


@given(picks=st.lists(st.tuples(st.integers(0, 4), st.integers(1, 15), st.integers(0, 23)), max_size=60))
def test_the_figures_equal_a_recount_of_the_judgements(picks):
    """Whatever the records: the summary's counts are those of the JSON lines of the same week."""
    book = Book(parse(POLICY.read_bytes(), "policy.yaml"), "d")
    made = (
        lambda number, time: record(number, eventTime=time),
        lambda number, time: stranger(number, eventTime=time),
        lambda number, time: call(number, eventTime=time),
        lambda number, time: call(number, name="", eventTime=time),
        lambda number, time: entry(number, timestamp=time),
    )
    records = [made[kind](number, at(day, hour)) for number, (kind, day, hour) in enumerate(picks)]
    engine, recount = Engine(book), Counter()
    for batch in delivery.Lines().read(json_lines(*records)):
        for index, judgement in enumerate(engine.judge(batch)):
            time = batch.occurrence(index, "log").time
            if W45.has(time[:10], time[11:13]):
                recount[str(judgement.verdict)] += 1
    found = summarize(filled(book, *records), W45, book)
    assert +found.totals.whole == +recount
    assert sum(told.count for told in found.findings) == recount["anonymous"] + recount["unexpected"]


class Desk:
    """A Slack and a clock for summaries."""

    def __init__(self, store, book, **options) -> None:
        self.store, self.book = store, book
        self.slack = FakeSlack(**options)
        self.clock = FakeClock(NOW)

    def post(self, about=W45) -> bool:
        found = summarize(self.store, about, self.book)
        return post(self.store, self.slack, "C0", found, clock=Clock(self.clock.now, self.clock.pause))


def test_a_second_run_in_a_week_edits_the_first_message(store, book):
    """T17."""
    desk = Desk(store, book)
    assert desk.post()
    assert desk.post()
    assert len(desk.slack.top) == 1
    ((_, ts, edited),) = desk.slack.edits
    assert ts == "1.0"
    assert "revision 2" in str(edited.blocks)
    desk.post(week("2026-W46"))
    assert len(desk.slack.top) == 2


def test_a_summary_that_slack_does_not_take_is_an_error_and_posted_later(store, book):
    from callerid.alerts.slack import Ambiguous, Misconfigured, PayloadRefused, ThreadLost

    desk = Desk(store, book)
    desk.slack.plan = [Misconfigured("invalid_auth")]
    with pytest.raises(NotPostedError, match="invalid_auth"):
        desk.post()
    desk.slack.plan = [PayloadRefused("invalid_blocks"), PayloadRefused("invalid_blocks")]
    assert desk.post()
    (posted,) = desk.slack.top
    assert posted.blocks == ()
    assert "85.7 %" in posted.text
    desk.slack.plan = [ThreadLost("message_not_found")]
    assert desk.post()
    assert len(desk.slack.top) == 2
    later = Desk(store, book)
    later.slack.plan = [(True, Ambiguous("TimeoutError"))]
    with pytest.raises(NotPostedError):
        later.post(week("2026-W44"))
    later.post(week("2026-W44"))
    assert "ossible repeat" in later.slack.top[-1].text


def test_a_list_goes_on_in_the_thread_where_slack_stopped_taking_it(book):
    from callerid.alerts.slack import Ambiguous, Retry
    from tests.alerts.test_deliver import other

    store = filled(book, *(other(number, number) for number in range(60)))
    desk = Desk(store, book)
    desk.slack.plan = [None, None, Retry(30.0, "ratelimited")]
    with pytest.raises(NotPostedError, match="ratelimited"):
        desk.post()
    desk.slack.plan = [None, (True, Ambiguous("TimeoutError"))]
    with pytest.raises(NotPostedError, match="TimeoutError"):
        desk.post()
    assert desk.post()
    assert desk.post()
    heads = [message.text for message in desk.slack.replies]
    pages = int(heads[0].rpartition(" ")[2])
    marks = [(1, ""), (2, ""), (2, " (Possible repeat.)"), *((page, "") for page in range(3, pages + 1))]
    assert heads == [f"Findings, page {page} of {pages}{mark}" for page, mark in marks]
    assert len(desk.slack.top) == 1


def test_two_senders_at_once_post_one_summary(store, book):
    inner = []

    class Meanwhile(FakeSlack):
        def post(self, channel, message, /, *, thread=None, broadcast=False):
            second = Desk(store, book)
            inner.append((second.post(), second.slack.posts))
            return super().post(channel, message, thread=thread, broadcast=broadcast)

    desk = Desk(store, book)
    desk.slack = Meanwhile()
    assert desk.post()
    assert len(desk.slack.posts) == 1
    assert inner == [(False, [])]


def test_a_summary_whose_sender_ends_at_any_step_is_posted_and_says_where_it_may_be_a_repeat(book):
    """Exhaustive: the process ends before and after each write and each message."""
    from tests.alerts.test_deliver import other

    records = [other(number, number) for number in range(45)]

    def run(crash_at):
        store = filled(book, *records)
        desk = Desk(store, book)
        desk.slack.store, store.steps, store.crash_at = store, 0, crash_at
        with contextlib.suppress(CrashError):
            desk.post()
        steps = store.steps
        desk.clock.pause(61)
        assert desk.post()
        return desk, steps

    steps = run(None)[1]
    assert steps >= 20
    for step in range(1, steps + 1):
        desk, _ = run(step)
        texts = [message.text for message in desk.slack.top]
        assert ["repeat" in text for text in texts] in ([False], [True], [False, True])
        heads = [message.text for message in desk.slack.replies]
        pages = int(heads[0].rpartition(" ")[2])
        assert list(dict.fromkeys(heads)) == [f"Findings, page {page} of {pages}" for page in range(1, pages + 1)]
        assert len(heads) <= pages + 1


def test_a_summary_that_is_gone_is_posted_anew_with_its_lists(book):
    from callerid.alerts.slack import ThreadLost
    from tests.alerts.test_deliver import other

    desk = Desk(filled(book, *(other(number, number) for number in range(60))), book)
    assert desk.post()
    heads = [message.text for message in desk.slack.replies]
    desk.slack.plan = [ThreadLost("message_not_found")]
    assert desk.post()
    threads = [thread for _, _, thread, _ in desk.slack.posts if thread]
    assert threads == ["1.0"] * len(heads) + [f"{len(heads) + 2}.0"] * len(heads)
    assert [message.text for message in desk.slack.replies] == heads * 2
    assert {channel for channel, *_ in desk.slack.posts} == {"C0"}


@pytest.mark.parametrize("number", [0, 1, 1000])
def test_a_summary_of_any_size_is_one_that_slack_takes(book, number):
    """T19: nobody, one, a thousand; long lists go into the thread."""
    from tests.alerts.test_deliver import other

    store = filled(book, *(other(one, one) for one in range(number)))
    found = summarize(store, W45, book)
    for rung in range(3):
        made = message(found, rung=rung)
        assert refusal({"text": made.text, "blocks": list(made.blocks)}) is None
    pages = list(lists(found))
    assert all(refusal({"text": page.text, "blocks": list(page.blocks)}) is None for page in pages)
    assert bool(pages) == (number > 10)


def of_workflow(number: int, subject: str, issuer: str = "token.actions.githubusercontent.com") -> dict:
    """A crossing of somebody whom the book does not list, by a provider of the account's own."""
    provider = f"arn:aws:iam::111111111111:oidc-provider/{issuer}"
    answer = {"subjectFromWebIdentityToken": subject, "provider": provider, "audience": "sts.amazonaws.com"}
    who = {"type": "WebIdentityUser", "userName": subject, "identityProvider": provider}
    role = {"roleArn": f"arn:aws:iam::111111111111:role/{'long-' * 12}", "roleSessionName": "run"}
    return stranger(100 + number, userIdentity=who, responseElements=answer, requestParameters=role, eventTime=at(5))


def test_what_a_message_does_not_show_of_a_list_is_in_the_thread(book):
    """Ten lines of long names are more than one paragraph takes."""
    workflows = [f"repo:acme/{'a-long-name-' * 20}{number}:environment:{'production-' * 10}" for number in range(10)]
    found = summarize(
        filled(book, *(of_workflow(number, one, "idp." * 20 + "example.com") for number, one in enumerate(workflows))),
        W45,
        book,
    )
    (shown,) = [one["text"]["text"] for one in message(found).blocks if "*Findings*" in str(one)]
    kept = shown.count("•")
    assert 0 < kept < 10
    assert f"and {10 - kept} more, in the thread or by" in shown
    told = "".join(page.blocks[1]["text"]["text"] for page in lists(found) if page.text.startswith("Findings"))
    assert all(f"{number}. " in told for number in range(1, 11))


def test_branches_that_are_one_alert_are_one_finding(book):
    """As many findings as there are messages in the channel, whoever is listed under them."""
    branches = [of_workflow(number, f"repo:acme/other:ref:refs/heads/{number}") for number in range(3)]
    store = filled(book, *branches)
    found = summarize(store, W45, book)
    assert len(ask.alerts(store)) == 1
    assert len(words.findings(found, str)) == 3
    assert next(words.problems(found, str)) == "3 unexpected accesses, in 1 finding, 1 not settled."


def test_a_hostile_name_stays_a_name(book):
    hostile = stranger(1, userIdentity={
        "type": "WebIdentityUser", "userName": "<!channel>`*|\u202e", "identityProvider": "accounts.google.com",
    }, responseElements={"subjectFromWebIdentityToken": "<!channel>`*|\u202e"})  # fmt: skip
    found = summarize(filled(book, hostile), W45, book)
    assert "<!channel>" not in json.dumps(message(found).blocks)
    assert "<!channel>" not in show.markdown(found)
    assert "\u202e" not in show.text(found) + show.markdown(found)
