"""What the index of sessions adds: whom a session began with, and a source identity that is another along the chain."""

import json
from pathlib import Path

import msgspec
import pytest
import yaml

from callerid import delivery
from callerid.alerts import message
from callerid.alerts.clock import Clock
from callerid.alerts.deliver import Deliverer
from callerid.alerts.links import Look
from callerid.ledger import ask
from callerid.ledger.alert import Alert, Tally
from callerid.ledger.rows import Count
from callerid.ledger.traced import KEPT
from callerid.monitor import Delivery, Monitor
from callerid.policy.book import Book
from callerid.policy.load import parse
from callerid.reasons import REASONS
from callerid.summary import show, words
from callerid.summary.figures import summarize
from callerid.summary.layout import message as weekly
from callerid.summary.week import week
from callerid.trace.read import reader_of
from tests.alerts.fake import FakeClock, FakeSlack
from tests.alerts.slack_limits import refusal
from tests.ledger.made import NOW, counts
from tests.ledger.memory import CrashError, MemoryStore
from tests.trace import made
from tests.trace.stored import traced

KEY, OTHER = "ASIAEXAMPLEEXAMPLE001", "ASIAEXAMPLEEXAMPLE002"
ISSUER = "token.actions.githubusercontent.com"
SUBJECT = "repo:acme/app:environment:production"
POLICY = """version: 1
callers:
  - name: release
    owner: web@example.com
    identities: [{oidc: {issuer: token.actions.githubusercontent.com, subject: "repo:acme/app:environment:production"}}]
    may_reach: [{aws_role: "arn:aws:iam::111111111111:role/deploy"}]
requirements:
  - roles: arn:aws:iam::111111111111:role/store
    source_identity: {mode: enforce}
"""
BOOK = Book(parse(POLICY.encode(), "policy.yaml"), "sha256:chain")
BEGAN = {"web": {"id": "a1", "at": "03:00:00", "subject": SUBJECT, "issuer": ISSUER, "role": "deploy", "session": "run", "makes": KEY}}  # fmt: skip
HOP = {"assume": {"id": "a2", "at": "03:01:00", "by": "deploy/run", "key": KEY, "began": "03:00:00", "role": "store", "session": "run", "makes": OTHER}}  # fmt: skip
W45 = week("2026-W45")
"""2 to 8 November."""


def call(number: int, key: str | None = OTHER, **fields: object) -> dict:
    """A later call of the session of ``store``, without the source identity that it must have."""
    return {"call": {"id": f"c{number}", "at": "03:05:00", "by": "store/run", "key": key, "began": "03:01:00", **fields}}  # fmt: skip


class Desk:
    """A ledger that keeps sessions, and a Slack."""

    def __init__(self, store=None, *, sessions: bool = True) -> None:
        self.store = store or MemoryStore()
        self.clock, self.slack = FakeClock(NOW), FakeSlack()
        self.monitor = Monitor(BOOK, self.store, now=self.clock.now, sessions=sessions)

    def receive(self, *steps: dict, marker: str | None = None):
        data = made.lines(steps).encode()
        return self.monitor.receive([Delivery("log", delivery.Lines().read(data))], marker=marker).recorded

    def deliver(self) -> None:
        self.clock.time += 40
        clock = Clock(self.clock.now, self.clock.pause)
        Deliverer(self.store, lambda: self.slack, "C0", clock=clock, look=Look()).deliver()

    @property
    def found(self) -> list[tuple[Alert, Tally]]:
        return ask.alerts(self.store)

    def of_calls(self, rule: str = "source-identity-missing") -> tuple[Alert, Tally]:
        """The alert about the later calls."""
        ((alert, tally),) = [one for one in self.found if one[0].line.kind == "session-use" and one[0].rule == rule]
        return alert, tally

    @property
    def names(self) -> list[str]:
        return [one.name for one in self.of_calls()[0].began]


def shown(desk: Desk, rule: str = "source-identity-missing", **fields: object) -> str:
    alert, tally = desk.of_calls(rule)
    return json.dumps(message.alert(msgspec.structs.replace(alert, **fields), tally), ensure_ascii=False)


def test_a_call_without_its_source_identity_names_whom_its_chain_began_with(store):
    """On every store: the reason stands, for the requirement was not met, and the origin is there."""
    desk = Desk(store)
    for step in (BEGAN, HOP, call(1), call(2)):
        desk.receive(step)
    alert, tally = desk.of_calls()
    assert (alert.line.verdict, alert.line.reasons) == ("anonymous", ("source-identity-missing",))
    ((one,), traced) = alert.began, tally.traced
    assert (one.caller, one.origin.name, one.origin.issuer, one.record_id) == ("release", SUBJECT, ISSUER, "a1")
    assert (tally.count, traced) == (2, 2)
    line = f"*Began with:* `release` (OpenID Connect subject `{SUBJECT}` of `{ISSUER}`), attested, first by record `a1`"
    assert line in shown(desk)
    assert line in shown(desk, rung=1)
    assert f"Began with: `release` (OpenID Connect subject `{SUBJECT}`" in shown(desk, rung=2)
    assert message.alert(alert, tally).text.endswith(" Began with `release`.")


def test_a_session_that_two_callers_may_have_begun_names_nobody():
    """The silent twin: two calls of one minute, which both show this key's id."""
    twin = {"web": {**BEGAN["web"], "id": "b1", "at": "03:00:20", "subject": "repo:acme/other:environment:x"}}
    desk = Desk()
    for step in (BEGAN, twin, HOP, call(1)):
        desk.receive(step)
    assert desk.names == []
    assert "Began with" not in shown(desk)


def test_a_call_that_shows_no_key_names_nobody():
    """Its session's ARN is anybody's who can assume the role."""
    desk = Desk()
    for step in (BEGAN, HOP, call(1, key=None)):
        desk.receive(step)
    assert desk.names == []


def test_without_sessions_everything_is_as_before():
    desk = Desk(sessions=False)
    for step in (BEGAN, HOP, call(1), call(2, source_identity="bob")):
        desk.receive(step)
    assert desk.names == []
    assert {alert.rule for alert, _ in desk.found} == {"source-identity-missing"}


@pytest.mark.parametrize("marker", [None, "m"])
def test_what_comes_in_one_delivery_is_seen_in_the_order_of_time(marker):
    """Whatever the order of its lines: the chain stands before anybody asks for it."""
    desk = Desk()
    desk.receive(call(1), HOP, BEGAN, marker=marker)
    assert desk.names == ["release"]


def test_a_beginning_that_comes_late_is_told_with_the_next_event_of_the_alert():
    """An alert that is out without an origin gains it; until then it names nobody."""
    desk = Desk()
    desk.receive(BEGAN)
    desk.receive(call(1))
    desk.deliver()
    assert "Began with" not in str([post for post in desk.slack.top if "used a session" in post.text])
    desk.receive(HOP)
    desk.deliver()
    assert desk.names == []
    assert desk.slack.edits == []
    desk.receive(call(2))
    desk.deliver()
    ((_, _, edited),) = desk.slack.edits
    assert edited.text.endswith(" Some began with `release`.")
    assert "known of 1 of 2 events" in str(edited.blocks)
    desk.deliver()
    assert len(desk.slack.edits) == 1


def test_an_origin_that_a_sender_did_not_read_with_its_event_is_told_all_the_same():
    desk = Desk()
    for step in (BEGAN, HOP, call(1)):
        desk.receive(step)
    desk.deliver()
    from callerid.ledger.outbox import Outbox

    Outbox(desk.store, lambda seconds: None).change(
        desk.of_calls()[0].key, lambda alert: setattr(alert, "shown_began", 0)
    )
    desk.deliver()
    assert len(desk.slack.edits) == 1


def test_several_origins_of_one_finding_are_all_named_or_counted_as_more():
    desk = Desk()
    for number in range(6):
        key, subject = f"ASIAEXAMPLEEXAMPLE1{number:02}", f"repo:acme/app-{number}:environment:production"
        began = {"web": {**BEGAN["web"], "id": f"w{number}", "role": "store", "subject": subject, "makes": key}}
        desk.receive(began)
        desk.receive(call(number, key=key, began="03:00:00"))
    alert, tally = desk.of_calls()
    assert (len(alert.began), tally.traced, tally.count) == (KEPT, 6, 6)
    text = message.alert(alert, tally).text
    assert "Began with several: `repo:acme/app-0:environment:production`, `repo:acme/app-1" in text
    assert text.endswith("`repo:acme/app-2:environment:production` and more.")
    assert "*Began with several:*" in shown(desk)


def test_the_same_origin_of_many_sessions_is_named_once_by_its_first_record():
    desk = Desk()
    for number in range(3):
        key = f"ASIAEXAMPLEEXAMPLE1{number:02}"
        desk.receive({"web": {**BEGAN["web"], "id": f"w{number}", "role": "store", "makes": key}})
        desk.receive(call(number, key=key, began="03:00:00"))
    alert, _ = desk.of_calls()
    assert [(one.name, one.record_id) for one in alert.began] == [("release", "w0")]


def test_the_other_accounts_copy_of_a_call_completes_the_chain_whichever_comes_first():
    """The target's copy shows no key of the caller's: with it alone nobody would be known."""
    hop = {"assume": {**HOP["assume"], "both": "b2", "to": "222222222222"}}
    own, other = ({"raw": record} for record in made.records([hop]))
    for order in ([own, other], [other, own]):
        desk = Desk()
        later = call(1, by="222222222222:store/run")
        for step in (BEGAN, *order, later):
            desk.receive(step)
        (batch,) = delivery.document(json.dumps(made.records([later])[0]).encode())
        assert traced(desk.store, reader_of(batch).link(batch.records[0], "f")).caller == "release"


@pytest.mark.parametrize("name", ["<!channel>", "`x` *b* <@U012AB3CD>", "a\u202eb\n@here", "x" * 20_000])
def test_an_origin_of_any_name_is_shown_and_does_nothing(name):
    from callerid.cli import alert_table
    from tests.alerts.test_message import assert_safe

    desk = Desk()
    began = {"web": {**BEGAN["web"], "role": "store", "subject": name, "makes": OTHER, "issuer": ISSUER}}
    desk.receive(began)
    desk.receive(call(1, began="03:00:00"))
    alert, tally = desk.of_calls()
    assert len(msgspec.json.encode(alert.began)) < 5_000
    for rung in range(3):
        got = message.alert(msgspec.structs.replace(alert, rung=rung), tally)
        assert_safe(got)
        assert "Began with" in got.text
    found = summarize(desk.store, W45, BOOK)
    blocks = list(weekly(found).blocks)
    assert refusal({"text": "x", "blocks": blocks}) is None
    assert "<!channel>" not in json.dumps(blocks) + show.markdown(found)
    assert "\u202e" not in show.text(found) + alert_table._who(alert, tally).plain


def test_yesterdays_rows_are_read():
    """An alert, a tally and a count of a version that knew no origins."""
    desk = Desk()
    for step in (BEGAN, HOP, call(1)):
        desk.receive(step)
    for kind, new in ((Alert, ("began", "drift", "shown_began")), (Tally, ("traced",)), (Count, ())):
        for row in (row for key, row in desk.store.rows.items() if key.partition.startswith(kind.__name__.lower())):
            old = {name: value for name, value in json.loads(row.data).items() if name not in new}
            assert msgspec.json.decode(json.dumps(old), type=kind)


def test_the_summary_names_the_origin_and_counts_what_has_one():
    desk = Desk()
    for step in (BEGAN, HOP, call(1), call(2, key=None)):
        desk.receive(step)
    found = summarize(desk.store, W45, BOOK)
    line = next(line for line in words.findings(found, str) if "2 times" in line)
    assert "(nobody named)" in line
    assert ", some began with release (" in line
    (problem,) = [line for line in words.problems(found, str) if "anonymous" in line]
    assert problem.endswith("; of 2 it is known whom the sessions began with.")
    assert "began with `release`" in str(weekly(found).blocks)
    assert show.plain(found)["findings"][0]["began"] == ("release",)


STORIES = yaml.safe_load((Path(__file__).parent / "stories.yaml").read_text())
DRIFTS = ("source-identity-changed", "source-identity-appeared", "source-identity-dropped")
IDS = [story["story"] for story in STORIES]


def drifts(desk: Desk) -> list[tuple[Alert, Tally]]:
    return [(alert, tally) for alert, tally in desk.found if alert.drift is not None]


def told(story: dict, store=None) -> Desk:
    desk = Desk(store)
    for record in made.records(story["records"]):
        desk.receive({"raw": record})
    return desk


@pytest.mark.parametrize("story", STORIES, ids=IDS)
def test_a_chain_gets_the_finding_that_its_story_says(story):
    desk = told(story)
    found = drifts(desk)
    assert [alert.rule for alert, _ in found] == ([story["fires"]] if "fires" in story else [])
    for alert, tally in found:
        assert (alert.drift.issued, alert.drift.shown) == (story.get("issued"), story.get("shown"))
        assert (alert.drift.record_id, tally.count) == ("a1", 1)
        assert (alert.line.verdict, alert.severity) == ("unexpected", REASONS[alert.rule].severity)
        assert alert.line.outcome == "allowed"


@pytest.mark.parametrize("story", STORIES, ids=IDS)
def test_a_story_counts_the_same_accesses_with_and_without_sessions(story):
    """A drift stands beside the verdicts and in none of them."""
    without = Desk(sessions=False)
    for record in made.records(story["records"]):
        without.receive({"raw": record})
    assert counts(told(story).store) == counts(without.store)


@pytest.mark.parametrize("code", DRIFTS)
def test_every_drift_has_a_story_that_fires_a_silent_twin_and_a_hostile_one(code):
    """No single record shows it, so it stands here and not in tests/cases."""
    mine = [story for story in STORIES if story["code"] == code]
    assert {story["role"] for story in mine} == {"fires", "silent", "hostile"}
    assert all("fires" not in story for story in mine if story["role"] == "silent")
    assert all(story["fires"] == code for story in mine if story["role"] == "fires")


def for_each(desk: Desk, steps: list[dict]) -> None:
    for step in steps:
        desk.receive(step)


FIRES = next(story for story in STORIES if story["role"] == "fires")


def test_a_session_is_told_once_however_often_its_calls_come():
    desk = told(FIRES)
    call_, again = (
        made.records([{"call": {**FIRES["records"][1]["call"], "id": f"d{number}"}}])[0] for number in (1, 2)
    )
    for _ in range(3):
        for step in (*made.records(FIRES["records"]), call_, again):
            desk.receive({"raw": step})
    desk.receive({"raw": {**call_, "eventID": "d3"}}, {"raw": {**call_, "eventID": "d4"}}, marker="file")
    ((alert, tally),) = drifts(desk)
    assert (tally.count, alert.who) == (1, "bob")
    (week_,) = summarize(desk.store, W45, BOOK).drifts
    assert (week_.count, week_.reasons) == (1, ("source-identity-changed",))


def test_each_session_counts_once_in_one_alert():
    desk = Desk()
    for number in range(3):
        key = f"ASIAEXAMPLEEXAMPLE1{number:02}"
        for name, fields in (record.popitem() for record in json.loads(json.dumps(FIRES["records"]))):
            changed = {"makes": key} if name == "assume" else {"key": key}
            desk.receive({name: {**fields, "id": f"{fields['id']}{number}", **changed}})
    ((_, tally),) = drifts(desk)
    assert tally.count == 3
    assert (
        desk.receive({"call": {**FIRES["records"][1]["call"], "id": "d1", "key": "ASIAEXAMPLEEXAMPLE100"}}).findings
        == 0
    )


def test_a_redelivery_changes_no_row():
    desk = told(FIRES)
    before = dict(desk.store.rows)
    for record in made.records(FIRES["records"]):
        desk.receive({"raw": record})
    assert desk.store.rows == before


def test_a_crash_at_any_step_and_a_redelivery_tell_it_once():
    """Exhaustive, as for every finding: one write holds the call, its counts and the alert."""
    whole = told(FIRES)
    assert whole.store.steps >= 4
    for step in range(1, whole.store.steps + 1):
        desk = Desk()
        desk.store.crash_at = step
        with pytest.raises(CrashError):
            for_each(desk, FIRES["records"])
        for_each(desk, FIRES["records"])
        ((_, tally),) = drifts(desk)
        assert tally.count == 1
        assert counts(desk.store) == counts(whole.store)
        assert summarize(desk.store, W45, BOOK).drifts[0].count == 1


def test_a_drift_names_what_was_issued_what_is_shown_and_what_to_do():
    alert, tally = drifts(told(FIRES))[0]
    text = json.dumps(message.alert(alert, tally), ensure_ascii=False)
    assert "*Issued:* with the source identity `alice`, by record `a1`; the session now shows `bob`" in text
    assert "*Began with:* IAM user `arn:aws:iam::111111111111:user/alice`, attested, by record `a1`" in text
    assert "1. Ask whom the session began with, named above, whether this is meant." in text
    assert "Nearest entry" not in text


def test_a_record_that_says_so_itself_is_told_once():
    """A chained call that asks for another name is a finding by itself; that its session does not drift again."""
    first, second = (made.records([step])[0] for step in (
        {"assume": {**HOP["assume"], "id": "a1", "by": "user/alice", "key": None, "began": None, "makes": KEY, "role": "ops", "source_identity": "alice"}},
        {"assume": {**HOP["assume"], "by": "ops/run", "began": "03:01:00", "source_identity": "bob"}},
    ))  # fmt: skip
    second["userIdentity"]["sessionContext"]["sourceIdentity"] = "carol"
    desk = Desk()
    for record in (first, second):
        desk.receive({"raw": record})
    ((alert, tally),) = [one for one in desk.found if one[0].rule == "source-identity-changed"]
    assert (alert.drift, tally.count, tally.traced) == (None, 1, 1)


def test_the_summary_tells_of_drifts_beside_the_accesses():
    desk = told(FIRES)
    found = summarize(desk.store, W45, BOOK)
    assert "1 session with another source identity along the chain: `source-identity-changed` 1." in list(
        words.problems(found, str)
    )
    ((title, (line,)),) = [one for one in words.lists(found, str) if "source identity" in one[0]]
    assert title == "Another source identity along the chain"
    assert line == (
        "unexpected: bob from account 111111111111 → role/ops (111111111111), session-use, 1 session, began with "
        "user/alice (111111111111) (`source-identity-changed`)"
    )
    assert (
        sum(one.count for one in found.findings) == found.totals.whole["unexpected"] + found.totals.whole["anonymous"]
    )


class Counting(MemoryStore):
    """A store that counts the questions to it, and the rows asked for."""

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.asked = self.wanted = 0

    def read(self, keys):
        self.asked += 1
        self.wanted += len(keys)
        return super().read(keys)


@pytest.mark.parametrize("marker", [None, "m"])
def test_to_name_an_origin_asks_the_store_nothing_more(marker):
    """A finding that comes with its session's calls costs the questions that it costs without sessions."""
    asked = {}
    for sessions in (False, True):
        desk = Desk(Counting(), sessions=sessions)
        for step in (BEGAN, HOP):
            desk.receive(step)
        desk.store.asked = 0
        desk.receive(call(1), marker=marker)
        asked[sessions] = desk.store.asked
    assert asked[True] == asked[False] == (1 if marker is None else 2)
    assert desk.names == ["release"]


def test_a_drift_asks_one_question_for_its_alert_and_the_next_call_none():
    desk = Desk(Counting())
    asked = []
    for step in (
        *FIRES["records"],
        *({"call": {**FIRES["records"][1]["call"], "id": f"d{number}"}} for number in (1, 2)),
    ):
        desk.store.asked = 0
        desk.receive(step)
        asked.append(desk.store.asked)
    assert asked == [1, 2, 1, 1]


def test_many_drifts_at_once_fit_one_write_and_the_others_are_told_later():
    """A file whose every session drifts, in a store of small writes: what has no room comes with the next call."""
    keys = [f"ASIAEXAMPLEEXAMPLE{number:03}" for number in range(40)]
    issues = [{"assume": {**FIRES["records"][0]["assume"], "id": f"a{key}", "makes": key}} for key in keys]
    calls = [{"call": {**FIRES["records"][1]["call"], "id": f"c{key}", "key": key}} for key in keys]
    desk = Desk(MemoryStore(most_writes=60))
    for step in issues:
        desk.receive(step)
    desk.receive(*calls, marker="one")
    assert drifts(desk)[0][1].count == 10
    for number in range(3):
        desk.receive(*({"call": {**step["call"], "id": f"{step['call']['id']}-{number}"}} for step in calls), marker=f"more {number}")  # fmt: skip
    assert drifts(desk)[0][1].count == 40


def test_no_credential_comes_with_an_origin():
    desk = told(FIRES)
    assert not any(b"SECRET" in row.data for row in desk.store.rows.values())


def test_a_scan_with_sessions_tells_origins_and_drifts_and_one_without_tells_neither(tmp_path):
    """As a person types it: scan, alerts, the messages as they would be posted, the week."""
    from click.testing import CliRunner

    from callerid.cli import main

    drift = [{name: {**fields, "id": f"d-{fields['id']}", "at": "04:00:00"}} for name, fields in (next(iter(step.items())) for step in FIRES["records"])]  # fmt: skip
    drift[1]["call"]["began"] = "04:00:00"
    (tmp_path / "log.jsonl").write_text(made.lines([call(1), *drift, HOP, BEGAN]))
    (tmp_path / "policy.yaml").write_text(POLICY)

    def run(name: str, *arguments: str) -> str:
        return CliRunner().invoke(main, [*arguments, "--ledger", f"sqlite:///{tmp_path}/{name}.db"]).output

    told = {}
    for name, options in (("with", ["--sessions"]), ("without", [])):
        policy, log = str(tmp_path / "policy.yaml"), str(tmp_path / "log.jsonl")
        run(name, "scan", "--policy", policy, *options, log)
        assert run(name, "scan", "--policy", policy, *options, log)  # the same again tells nothing twice
        table, messages = run(name, "alerts"), run(name, "deliver", "--dry-run", "--channel", "C0EXAMPLE1")
        told[name] = "".join((table, messages, run(name, "summary", "--week", "2026-W45")))
    for words_ in (
        "began with release",
        "Began with: `release` (OpenID",
        "source-identity-changed",
        "1 session with another",
    ):
        assert words_ in told["with"]
        assert words_ not in told["without"]
    assert "1 received = 1 posted + 0 folded" in told["with"]
    assert "received = 1 posted + 1" not in told["with"]


def test_an_alert_is_routed_and_advised_like_every_other():
    text = b"version: 1\nchannels: [{channel: C0EXAMPLE1}]\n"
    book = Book(parse(text, "policy.yaml"), "sha256:routed")
    desk = Desk()
    desk.monitor = Monitor(book, desk.store, now=desk.clock.now, sessions=True)
    dropped = next(story for story in STORIES if story.get("fires") == "source-identity-dropped")
    for step in dropped["records"]:
        desk.receive(step)
    ((alert, _),) = drifts(desk)
    assert alert.channel == "C0EXAMPLE1"
    assert "SourceIdentity" in alert.advice.refuse
