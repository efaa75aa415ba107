"""Each record is counted once, however often, in whatever order and in however many pieces it is delivered."""

import contextlib
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callerid.judgement import FINDINGS
from callerid.ledger.fold import total
from callerid.ledger.rows import COUNTS_KEPT, IDS_KEPT, Count, Source
from callerid.ledger.work import Work
from callerid.policy.book import Book
from callerid.policy.load import parse
from tests.conftest import POLICY, record
from tests.ledger.made import NOW, Alert, Due, Seen, call, copies, counts, mixed, of, recorder, rows, stranger, told
from tests.ledger.memory import CrashError, MemoryStore

OPEN = Book(parse(b"version: 1\n", "open.yaml"), "sha256:open")


EXPECTED = Counter({"identified allowed": 17, "unexpected allowed": 5, "anonymous allowed": 4})


def test_a_delivery_is_counted_by_verdict_and_outcome(book):
    store = MemoryStore()
    assert recorder(store).record(of(mixed(), book), now=NOW, marker="m") == (26, 9)
    assert counts(store) == EXPECTED
    assert sorted(told(store).values()) == [4, 5]


def test_an_alert_knows_when_and_where_its_finding_came_whatever_the_order(book):
    store = MemoryStore()
    places = [(5, "us-east-1"), (3, "eu-west-1"), (7, "us-east-1")]
    for number, (hour, region) in enumerate(places):
        params = record()["requestParameters"] | {"roleSessionName": f"run-{hour}"}
        one = stranger(number, eventTime=f"2026-11-02T0{hour}:00:00Z", awsRegion=region, requestParameters=params)
        recorder(store).record(of([one], book), now=NOW)
    (alert,) = rows(store, "alert", Alert)
    tally = total(Work(store), alert)
    assert (tally.count, tally.first, tally.last) == (3, "2026-11-02T03:00:00Z", "2026-11-02T07:00:00Z")
    assert sorted(tally.sessions) == ["run-3", "run-5", "run-7"]
    assert sorted(tally.regions) == ["eu-west-1", "us-east-1"]
    assert alert.denied_before == 0


def test_rows_go_when_the_docs_say_and_none_of_an_alert_before_it_is_posted(book):
    store = MemoryStore()
    recorder(store).record(of([*mixed(), {"no": "record"}], book), now=NOW, marker="m")
    expires = {key.partition.split(" ")[0]: store.expires[key] for key in store.rows}
    assert expires == {
        "alert": None, "outbox": None, "tally": NOW + COUNTS_KEPT, "count": NOW + COUNTS_KEPT, "seen": NOW + COUNTS_KEPT,
        "source": NOW + COUNTS_KEPT, "aside": NOW + COUNTS_KEPT, "id": NOW + IDS_KEPT, "marker": NOW + IDS_KEPT,
    }  # fmt: skip
    (alert, _) = rows(store, "alert", Alert)
    alert.state = "sent"
    assert alert.expires == NOW + COUNTS_KEPT


def test_the_same_delivery_twice_changes_nothing(book):
    store = MemoryStore()
    recorder(store).record(of(mixed(), book), now=NOW, marker="m")
    before = dict(store.rows)
    assert recorder(store).record(of(mixed(), book), now=NOW + 60, marker="m") == (0, 0)
    assert store.rows == before


def test_crossings_and_findings_that_come_in_a_file_and_alone_count_once(book):
    store = MemoryStore()
    recorder(store).record(of(mixed(), book), now=NOW, marker="m")
    alone = [one for one in mixed() if one["eventName"] != "GetObject" or "sourceIdentity" not in str(one)]
    for one in alone:
        recorder(store).record(of([one], book, by_id=True), now=NOW)
    assert counts(store) == EXPECTED


@given(order=st.randoms(use_true_random=False), pieces=st.integers(1, 6), repeats=st.integers(1, 3))
def test_any_order_any_split_and_any_repetition_count_the_same(order, pieces, repeats):
    """Records that come one by one or in batches of any make-up."""
    book = Book(parse(POLICY.read_bytes(), "policy.yaml"), "sha256:example")
    store = MemoryStore(most_writes=order.choice((12, 25, 100)))
    records = mixed() * repeats
    order.shuffle(records)
    size = len(records) // pieces + 1
    for start in range(0, len(records), size):
        recorder(store).record(of(records[start : start + size], book, by_id=True), now=NOW)
    assert counts(store) == EXPECTED
    assert sum(told(store).values()) == 9


@pytest.mark.parametrize("most_writes", [14, 30, 100])
@pytest.mark.parametrize("marker", [None, "m"])
def test_a_crash_at_any_step_and_a_redelivery_count_the_same(book, most_writes, marker):
    """Exhaustive: the process ends before and after each write in turn, then the delivery comes anew."""
    whole = MemoryStore(most_writes=most_writes)
    recorder(whole).record(of(mixed(), book, by_id=marker is None), now=NOW, marker=marker)
    assert whole.steps >= 2
    for step in range(1, whole.steps + 1):
        store = MemoryStore(most_writes=most_writes)
        store.crash_at = step
        with pytest.raises(CrashError):
            recorder(store).record(of(mixed(), book, by_id=marker is None), now=NOW, marker=marker)
        assert sum(counts(store).values()) <= 26
        recorder(store).record(of(mixed(), book, by_id=marker is None), now=NOW, marker=marker)
        assert counts(store) == EXPECTED
        assert sum(told(store).values()) == 9
        assert len(rows(store, "outbox", Due)) == 2


def test_a_half_counted_delivery_goes_on_under_another_policy_and_the_first_verdict_stands(book):
    """What was counted under the old policy stays, the rest is counted under the new one, nothing twice."""
    records = [call(number, name=f"user{number % 30}") for number in range(120)]
    whole = MemoryStore(most_writes=14)
    recorder(whole).record(of(records, OPEN), now=NOW, marker="m")
    for step in range(1, whole.steps + 1):
        store = MemoryStore(most_writes=14)
        store.crash_at = step
        with pytest.raises(CrashError):
            recorder(store).record(of(records, book), now=NOW, marker="m")
        before = counts(store)
        recorder(store).record(of(records, OPEN), now=NOW, marker="m")
        after = counts(store)
        assert sum(after.values()) == 120
        assert all(after[word] >= number for word, number in before.items())


@pytest.mark.parametrize("crash_at", range(2, 14))
def test_a_finding_that_was_half_counted_and_is_none_under_another_policy_counts_each_record_once(book, crash_at):
    """By their ids at first, and as one number then."""
    lax = POLICY.read_bytes().replace(b"source_identity: {mode: enforce", b"source_identity: {mode: off")
    records = [call(number, name="") for number in range(500)]
    store = MemoryStore()
    store.crash_at = crash_at
    with contextlib.suppress(CrashError):
        recorder(store).record(of(records, book), now=NOW, marker="m")
    store.crash_at = None
    other = Book(parse(lax, "lax.yaml"), "sha256:lax")
    recorder(store).record(of(records, other), now=NOW, marker="m")
    recorder(store).record(of(records, book), now=NOW, marker="m")
    assert counts(store).total() == 500


def test_ten_thousand_calls_by_fifty_callers_cost_writes_in_the_order_of_the_callers(book):
    names = [f"user{number}" for number in range(50)]
    text = "version: 1\nrequirements:\n" + "".join(
        f"  - roles: arn:aws:iam::123456789012:role/R{number}\n    source_identity: {{mode: warn}}\n"
        for number in range(50)
    )
    book = Book(parse(text.encode(), "policy.yaml"), "sha256:many")
    store = MemoryStore()
    records = [
        {
            **call(number, name=names[number % 50]),
            "userIdentity": {
                **call(number)["userIdentity"],
                "arn": f"arn:aws:sts::123456789012:assumed-role/R{number % 50}/{names[number % 50]}",
                "sessionContext": {
                    "sessionIssuer": {"type": "Role", "arn": f"arn:aws:iam::123456789012:role/R{number % 50}"},
                    "sourceIdentity": names[number % 50],
                },
            },
        }
        for number in range(10_000)
    ]
    recorder(store).record(of(records, book), now=NOW, marker="m")
    assert sum(counts(store).values()) == 10_000
    assert store.writes <= 3 * 50
    assert store.commits <= 3


def test_a_hot_caller_is_spread_over_the_shards(book):
    store = MemoryStore()
    for number in range(200):
        recorder(store).record(of([record(number)], book, by_id=True), now=NOW)
    assert len(rows(store, "count ", dict)) == store.shards


def test_days_are_by_the_records_time(book):
    store = MemoryStore()
    late = [record(1, eventTime="2026-11-02T23:59:59Z"), record(2, eventTime="2026-11-03T00:00:00Z")]
    recorder(store).record(of(late, book), now=NOW + 1e6, marker="m")
    assert {key.partition.split()[1] for key in store.rows if key.partition.startswith("count ")} == {
        "2026-11-02",
        "2026-11-03",
    }


def test_a_route_is_seen_first_and_last_whatever_the_order(book):
    store = MemoryStore()
    for day in ("03", "01", "05", "02"):
        recorder(store).record(of([record(int(day), eventTime=f"2026-11-{day}T01:00:00Z")], book), now=NOW)
    (seen,) = rows(store, "seen ", Seen)
    assert (seen.first, seen.last) == ("2026-11-01T01:00:00Z", "2026-11-05T01:00:00Z")


def test_a_source_is_heard_by_the_hour(book):
    store = MemoryStore()
    records = [record(hour, eventTime=f"2026-11-02T{hour:02}:10:00Z") for hour in (0, 3, 23)]
    recorder(store).record(of(records, book), now=NOW, marker="m")
    (source,) = rows(store, "source ", Source)
    assert (source.cloud, source.account, source.region) == ("aws", "111111111111", "us-east-1")
    assert source.hours == 1 | 1 << 3 | 1 << 23


def test_two_copies_of_one_call_count_once_and_the_fuller_one_speaks(book):
    full, bare = copies(1)
    for order in ([full, bare], [bare, full]):
        store = MemoryStore()
        for one in order:
            recorder(store).record(of([one], book, by_id=True), now=NOW)
        assert counts(store) == Counter({"identified allowed": 1})
        apart = MemoryStore()
        recorder(apart).record(of(order, book, by_id=True), now=NOW)
        assert counts(apart) == Counter({"identified allowed": 1})


def test_an_alert_whose_every_event_the_fuller_copy_named_is_not_posted(book):
    full, bare = copies(1)
    store = MemoryStore()
    recorder(store).record(of([bare], book, by_id=True), now=NOW)
    (alert,) = rows(store, "alert", Alert)
    assert alert.state == "pending"
    recorder(store).record(of([full], book, by_id=True), now=NOW)
    assert sum(tally["withdrawn"] for tally in rows(store, f"tally {alert.key}", dict)) == 1


def test_a_finding_that_the_fuller_copy_calls_otherwise_is_counted_under_the_alert_that_told_it(book):
    """However many copies come, each fuller than the one before: no count is left behind, and none is below zero."""
    full, bare = copies(1)
    name = "arn:aws:iam::111111111111:user/stranger"
    full["userIdentity"] |= {"principalId": "AIDASTRANGER000000001", "arn": name, "userName": "stranger"}
    bare["userIdentity"] |= {"principalId": "AIDASTRANGER000000001"}
    fullest = {**full, "eventID": "10000000-0000-4000-8000-000000000901"}
    fullest["userIdentity"] = {**full["userIdentity"], "sessionContext": {"sourceIdentity": "stranger"}}
    store = MemoryStore()
    for one in (bare, full, fullest):
        recorder(store).record(of([one], book, by_id=True), now=NOW)
    (alert,) = rows(store, "alert", Alert)
    total = Counter()
    for count in rows(store, "count ", Count):
        for hour in count.hours.values():
            for word, number in hour.findings.items():
                total[word] += number
    assert {word: number for word, number in total.items() if number} == {f"unexpected allowed {alert.key}": 1}


def test_what_cannot_be_read_is_counted_and_kept_aside_once(book):
    store = MemoryStore()
    for _ in range(2):
        recorder(store).record(of([{"no": "record"}, record(1)], book, by_id=True), now=NOW)
    assert counts(store) == Counter({"unreadable allowed": 1, "identified allowed": 1})
    (aside,) = rows(store, "aside ", dict)
    assert aside["source"] == "log:1"
    assert aside["reason"] == "not-a-log"


def test_no_credential_comes_into_the_ledger(book):
    store = MemoryStore()
    recorder(store).record(of(mixed(), book), now=NOW, marker="m")
    assert not any(b"SECRET" in row.data for row in store.rows.values())


def test_a_thousand_deliveries_add_up(book):
    """Random records in random deliveries, each delivered up to three times, in two interleaved orders."""
    chance = random.Random(7)
    records = [chance.choice((record, stranger, call))(number) for number in range(1000)]
    store = MemoryStore()
    queue = [records[start : start + 10] for start in range(0, 1000, 10)] * 3
    chance.shuffle(queue)
    for part in queue:
        recorder(store).record(of(part, book, by_id=True), now=NOW)
    assert sum(counts(store).values()) == 1000
    findings = sum(number for word, number in counts(store).items() if word.split()[0] in FINDINGS)
    assert sum(told(store).values()) == findings
