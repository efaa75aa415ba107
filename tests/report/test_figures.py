"""The figures of a report: counted by hand, and the same whether they come from logs or from a ledger."""

from collections import Counter
from contextlib import closing

from callerid import scan
from callerid.access import Cloud
from callerid.cli.ledger import keeper
from callerid.judgement import Verdict
from callerid.ledger.rows import Count
from callerid.ledger.sqlite import SqliteStore
from callerid.report import logs
from callerid.report.figures import Share, figures, share
from callerid.report.page import page
from callerid.sources import files
from callerid.summary.figures import Totals
from tests.conftest import ROOT, entry, record
from tests.ledger import made
from tests.ledger.memory import MemoryStore
from tests.report.made import NOW, ORIGIN, named, of_logs

ROLE = "arn:aws:iam::111111111111:role/crosscloud-test"


def by_hand() -> list[dict]:
    """Ten records of three days: 2 November heard by both clouds, 3 November by none, 4 November by AWS.

    identified: 1, 2 (a copy of it: 3), 9 (Google); unexpected: 4, 5 (denied); anonymous: 6; no time: 7;
    out of scope: 8; unreadable: a number.
    """
    nobody = {"type": "WebIdentityUser", "identityProvider": "accounts.google.com", "userName": ""}
    return [
        record(1, eventTime="2026-11-02T03:00:00Z"),
        record(2, eventTime="2026-11-02T04:30:00Z", sharedEventID="shared"),
        record(3, eventTime="2026-11-02T04:30:00Z", sharedEventID="shared"),
        named(4, "repo:evil/app:ref:refs/heads/main", eventTime="2026-11-02T05:00:00Z"),
        named(5, "repo:evil/app:ref:refs/heads/main", eventTime="2026-11-04T05:00:00Z", errorCode="AccessDenied"),
        record(6, eventTime="2026-11-04T06:00:00Z", userIdentity=nobody, responseElements=None),
        record(7, eventTime="not a time"),
        record(8, eventTime="2026-11-02T23:59:59Z", eventSource="s3.amazonaws.com", eventName="GetObject",
               userIdentity={"type": "IAMUser", "arn": "arn:aws:iam::111111111111:user/x"}),
        entry(9, timestamp="2026-11-02T12:00:00Z"),
        7,
    ]  # fmt: skip


def test_every_figure_is_the_one_that_was_counted_by_hand(tmp_path, book):
    found = of_logs(tmp_path, by_hand(), book)
    assert found.days == ["2026-11-02", "2026-11-03", "2026-11-04"]
    assert found.counts() == {
        "identified allowed": 3, "unexpected allowed": 1, "unexpected denied": 1, "anonymous allowed": 1, "out-of-scope allowed": 1,
    }  # fmt: skip
    assert share(found.counts()) == Share(named=5, judged=6)
    assert share(found.counts("aws")) == Share(4, 5)
    assert share(found.counts("gcp")) == Share(1, 1)
    assert share(found.counts(None, ["2026-11-04"])) == Share(1, 2)
    assert found.targets == {("aws", ROLE): {"2026-11-02": Share(3, 3), "2026-11-04": Share(1, 2)}}
    assert found.undated == Counter({"identified allowed": 1, "unreadable allowed": 1})
    assert len(found.asides) == 1


def test_what_was_not_heard_is_no_day_without_accesses(tmp_path, book):
    found = of_logs(tmp_path, by_hand(), book)
    heard = {cloud.value: [found.is_heard(cloud, [day]) for day in found.days] for cloud in Cloud}
    assert heard == {"aws": [True, False, True], "gcp": [True, False, False]}
    assert {(source.cloud, source.total) for source in found.heard} == {("aws", 6), ("gcp", 1)}
    aws = next(source for source in found.heard if source.cloud == "aws")
    assert aws.hours == {"2026-11-02": 1 << 3 | 1 << 4 | 1 << 5 | 1 << 23, "2026-11-04": 1 << 5 | 1 << 6}


def test_a_caller_has_counts_sessions_and_when_it_was_seen(tmp_path, book):
    found = of_logs(tmp_path, by_hand(), book)
    flows = {flow.route.who: flow for flow in found.flows}
    known, evil, nobody = flows["nightly-export"], flows["repo:evil/app:ref:refs/heads/main"], flows[""]
    assert (known.total, known.sessions, known.findings, known.denied) == (2, 2, 0, 0)
    assert (known.first, known.last) == ("2026-11-02T03:00:00Z", "2026-11-02T04:30:00Z")
    assert (evil.total, evil.sessions, evil.findings, evil.denied) == (2, 2, 2, 1)
    assert (evil.first, evil.last) == ("2026-11-02T05:00:00Z", "2026-11-04T05:00:00Z")
    assert nobody.verdict(Verdict.ANONYMOUS) == 1
    assert {counts.alert.line.outcome for counts in found.findings if counts.alert.rule == "subject-unlisted"} == {
        "allowed",
        "denied",
    }


def test_bounds_cut_the_counts_and_not_when_a_caller_was_first_seen(tmp_path, book):
    found = of_logs(tmp_path, by_hand(), book, since="2026-11-03")
    assert found.days == ["2026-11-03", "2026-11-04"]
    assert share(found.counts()) == Share(1, 2)
    evil = next(flow for flow in found.flows if flow.route.who.startswith("repo:evil"))
    assert (evil.total, evil.first) == (1, "2026-11-02T05:00:00Z")


def test_a_bound_beyond_the_logs_is_a_period_of_which_nothing_was_heard(tmp_path, book):
    for bounds, days in (({"since": "2026-11-20"}, ["2026-11-20"]), ({"until": "2026-10-01"}, ["2026-10-01"])):
        found = of_logs(tmp_path, by_hand(), book, **bounds)
        assert found.days == days
        assert not found.is_heard(None, found.days)


def test_entries_that_nobody_used_are_named(tmp_path, book):
    seen = {entry.name for entry in of_logs(tmp_path, by_hand(), book).unseen}
    assert "nightly-export" not in seen
    assert "batch" not in seen
    assert {entry.name for entry in book.document.callers} - seen == {"nightly-export", "batch"}


def test_logs_and_a_ledger_that_was_filled_from_them_make_the_same_page(tmp_path, book):
    paths = files.find([str(ROOT / "examples" / "logs")])
    from_logs, tally = logs.read(paths, book, since=None, until=None, now=NOW)
    url = f"sqlite:///{tmp_path}/ledger.db"
    for _ in range(2):  # the second time adds nothing
        with closing(keeper(url, book)) as keep:
            scan.scan(paths, book, select=scan.Select(), emit=lambda line: None, keeper=lambda keep=keep: keep)
    store = SqliteStore(tmp_path / "ledger.db")
    from_ledger = figures(store, since=None, until=from_logs.days[-1], today="2026-11-06", book=book)
    store.close()
    assert page(from_logs, ORIGIN) == page(from_ledger, ORIGIN)
    assert from_logs.counts().total() == tally.records - tally.verdicts[Verdict.UNREADABLE] == 43


def test_a_ledger_that_never_heard_anything_says_nothing_of_callers(tmp_path):
    store = SqliteStore(tmp_path / "ledger.db")
    found = figures(store, since="2026-11-01", until="2026-11-05", today="2026-11-05")
    store.close()
    assert (len(found.days), found.flows, found.heard) == (5, [], [])
    assert not found.is_heard(None, found.days)


def test_a_record_from_far_away_does_not_stretch_the_period(tmp_path, book):
    records = [record(1), record(2, eventTime="1970-01-01T00:00:00Z"), record(3, eventTime="9999-12-31T00:00:00Z")]
    found = of_logs(tmp_path, records, book)
    assert len(found.days) == 400
    assert found.days[-1] == "2026-11-02"


def test_a_count_that_is_spread_over_shards_adds_up_though_one_is_below_zero(book):
    """A fuller copy takes its access off the first one's count, in its own shard."""
    store, full, number = MemoryStore(shards=8), record(2, sharedEventID="s"), 0
    bare = record(1, sharedEventID="s", userIdentity={"type": "WebIdentityUser", "userName": ""}, responseElements=None)
    for number, one in enumerate((bare, full)):
        made.recorder(store).record(made.of([one], book, by_id=True), now=NOW + number)
    rows = [row.counts for row in made.rows(store, "count ", Count)]
    found = figures(store, since="2026-11-02", until="2026-11-02", today="2026-11-02", book=book)
    assert {number for row in rows for number in row.values()} == {1, -1}
    assert +found.counts() == {"identified allowed": 1}
    assert [(flow.route.caller, flow.total) for flow in found.flows] == [("nightly-export", 1)]
    assert found.findings == []


def test_what_moved_to_a_fuller_copy_stands_once(tmp_path, book):
    """The other account's copy shows no name; the fuller one speaks, in whatever shard it is counted."""
    bare = record(
        1,
        sharedEventID="s",
        userIdentity={"type": "AWSAccount", "accountId": "333333333333", "principalId": "AROAX:y"},
        eventName="AssumeRole",
        responseElements=None,
    )
    full = record(2, sharedEventID="s")
    found = of_logs(tmp_path, [bare, full], book)
    assert found.counts().total() == 1
    assert sum(flow.total for flow in found.flows) == 1


def test_the_share_is_the_one_of_the_weekly_summary(tmp_path, book):
    found = of_logs(tmp_path, by_hand(), book)
    for cloud in (None, "aws", "gcp"):
        verdicts = {one: Counter() for one in ("aws", "gcp")}
        for (_, one), counts in found.by_day.items():
            for tag, number in counts.items():
                verdicts[one][tag.partition(" ")[0]] += number
        named, judged = share(found.counts(cloud))
        assert Totals("week", verdicts).share(cloud) == named / judged
