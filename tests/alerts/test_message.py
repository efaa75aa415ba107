"""What a person reads: whole messages against golden files, and what must hold of every message whatever a log holds."""

import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from callerid import delivery
from callerid.access import Kind, Occurrence
from callerid.advice import advise
from callerid.alerts import layout, message
from callerid.alerts.blocks import Message, size
from callerid.alerts.links import Look
from callerid.alerts.steps import steps
from callerid.alerts.terminal import render
from callerid.engine import Engine
from callerid.envelope import Batch
from callerid.judgement import FINDINGS, Judgement
from callerid.ledger.alert import Advice, Alert, Tally, Told
from callerid.policy.book import Book
from callerid.reasons import REASONS
from tests import test_cases
from tests.alerts import samples
from tests.alerts.slack_limits import refusal

GOLDEN = Path(__file__).parent / "golden"
LOOK = Look(portal="example", runbooks="https://example.com/callerid/docs/reasons.md")
NASTY = "<!channel> <@U012AB3CD> `x` & *b* _i_ :skull: \u202e\u0000\n@here https://evil.example.com"


def _alert(alert: Alert, count: int = 1, **fields: object) -> Message:
    return message.alert(alert, samples.tally(alert, count, **fields), LOOK)


def goldens() -> dict[str, Message]:
    """Every layout that there is, by the name of its file."""
    known, storm = samples.web_identity(), samples.storm()
    many = replace(known, ts="1800000001.000100", shown=1_000, window=3, before=41)
    caller = {"name": "nightly-export", "owner": "data-platform@example.com"}
    elsewhere = replace(
        known, line=replace(known.line, caller=caller, reasons=("target-unexpected",)), rule="target-unexpected",
        who="nightly-export", advice=Advice("nightly-export", "target", "role/crosscloud-test", "role/deploy"),
    )  # fmt: skip
    expired = replace(
        known, line=replace(known.line, caller={"name": "contractor", "owner": "procurement@example.com"}, reasons=("caller-expired",)),
        rule="caller-expired", severity="medium", who="contractor", advice=Advice("contractor", "expires", "2026-10-31"),
    )  # fmt: skip
    last = {"last": "2026-11-03T04:59:41Z", "sessions": tuple(f"export-{number}" for number in range(5))}
    hostile = samples.hostile(known, NASTY)
    return {
        "unexpected-web-identity": _alert(known, 3, last="2026-11-03T03:14:09Z"),
        "unexpected-web-identity-simple": _alert(replace(known, rung=1), 3, last="2026-11-03T03:14:09Z"),
        "unexpected-web-identity-text": _alert(replace(known, rung=2), 3, last="2026-11-03T03:14:09Z"),
        "known-caller-elsewhere": _alert(elsewhere),
        "expired-entry": _alert(expired),
        "anonymous-token-exchange": _alert(samples.anonymous_exchange()),
        "session-without-source-identity": _alert(samples.session_use(), 2, last="2026-11-02T18:44:55Z"),
        "session-with-origin": _alert(samples.session_use(began=samples.release()), 2, traced=2),
        "session-with-origin-text": _alert(samples.session_use(began=samples.release(), rung=2), 2, traced=2),
        "session-with-several-origins": _alert(samples.session_use(began=samples.release(4)), 12, traced=9),
        "source-identity-drift": _alert(samples.drifted(), traced=1),
        "denied-attempt": _alert(samples.denied(), 12, last="2026-11-03T22:51:00Z"),
        "allowed-after-denied": _alert(replace(known, denied_before=12, severity="critical")),
        "impersonation": _alert(samples.impersonation()),
        "many-events": _alert(many, 1_284, withdrawn=2, regions=("us-east-1", "eu-west-1"), **last),
        "possible-repeat": _alert(replace(known, doubtful=1, attempt=2)),
        "settled": _alert(replace(many, settled=Told("alice@example.com", samples.HEARD, "new exporter, #421")), 1_284),
        "explained": _alert(replace(known, ts="1800000001.000100", shown=2), 2, withdrawn=2),
        "hostile": message.alert(hostile, samples.tally(hostile, 2), LOOK),
        "storm-of-500": message.storm(*storm),
        "storm-of-500-simple": message.storm(replace(storm[0], rung=1), *storm[1:]),
        "storm-of-500-text": message.storm(replace(storm[0], rung=2), *storm[1:]),
        "storm-list-page": message.storm_list(storm[2][80 : 80 + message.PAGE], 81, 500),
        "announcement": message.announcement(replace(known, severity="critical"), "Now critical, was high."),
    }


ALL = goldens()


@pytest.mark.parametrize("name", ALL)
def test_a_layout_is_the_one_that_was_looked_at(name):
    """``CALLERID_GOLDEN=write`` writes the files anew; look at them with ``python -m tests.alerts.page``."""
    got = {"text": ALL[name].text, "blocks": list(ALL[name].blocks)}
    file = GOLDEN / f"{name}.json"
    if os.environ.get("CALLERID_GOLDEN") == "write":
        file.write_text(json.dumps(got, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    assert json.loads(file.read_text(encoding="utf-8")) == got


def test_there_is_a_layout_for_every_golden_file():
    assert {file.stem for file in GOLDEN.glob("*.json")} == set(ALL)


OURS = re.compile(r"<!date\^\d+\^\{date_short_pretty\} \{time_secs\}\|[0-9: -]{19} UTC>|<!subteam\^S[A-Z0-9]+>")


def strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [text for part in inner for text in strings(part)]


def mrkdwn(value: object) -> list[dict]:
    if isinstance(value, dict):
        found = [value] if value.get("type") == "mrkdwn" else []
        return found + [part for inner in value.values() for part in mrkdwn(inner)]
    return [part for inner in value for part in mrkdwn(inner)] if isinstance(value, list | tuple) else []


def assert_safe(got: Message, limit: int = 6_000, blocks: int = 11) -> None:
    """What holds of every message: Slack takes it, it fits, and nothing in it pings, spoofs or breaks."""
    payload = {"text": got.text, **({"blocks": list(got.blocks)} if got.blocks else {})}
    assert refusal(payload, is_update=True) is None
    assert 0 < len(got.text) <= 3_000
    assert len(got.blocks) <= blocks
    assert size(got.blocks) <= limit
    for text in strings([got.text, *got.blocks]):
        assert "<" not in OURS.sub("", text)
        assert text.encode()  # no half of a surrogate pair
        assert not re.search(
            r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u2028\u2029]", text
        )
    for text in [got.text, *(part["text"] for part in mrkdwn(list(got.blocks)))]:
        assert text.count("`") % 2 == 0
        outside = OURS.sub("", "".join(text.split("`")[::2]))
        assert not re.search(r"&(?!amp;|lt;|gt;)|[<>@]|://", outside)
        assert "evil" not in outside
    assert all(part["verbatim"] is True for part in mrkdwn(list(got.blocks)))


@pytest.mark.parametrize("name", ALL)
def test_every_layout_is_one_that_slack_takes_and_fits(name):
    assert_safe(ALL[name], *((12_000, 45) if "storm" in name else (6_000, 11)))


def findings() -> dict[str, tuple[Judgement, Occurrence, Book]]:
    """Every case that is a finding."""
    found = {}
    for name, case in test_cases.OF_JSON:
        items = list(delivery.document(json.dumps(case["record"]).encode()))
        if case.get("policy") == "none" or len(items) != 1 or not isinstance(items[0], Batch):
            continue
        book = test_cases._book(case.get("policy"))
        (judgement,) = Engine(book).judge(items[0])
        if judgement.verdict in FINDINGS:
            found[f"{name}: {case['case']}"] = (judgement, items[0].occurrence(0, "case"), book)
    return found


CASES = findings()


@pytest.mark.parametrize("name", CASES)
def test_the_alert_of_every_case_is_safe_and_a_sentence(name):
    judgement, occurrence, book = CASES[name]
    alert = samples.alert_from(judgement, occurrence, advice=advise(judgement, book))
    for rung in range(3):
        assert_safe(got := _alert(replace(alert, rung=rung)))
        assert re.match(r"[A-Z]+: (unexpected|anonymous) (caller|access:) ", got.text)
        done = got.text.partition(", allowed")[0]
        assert not re.search(r"\b(assumed?|as|of|to|for|impersonated?|reach(ed)?) \(", done)


names = st.text(max_size=300) | st.sampled_from([
    "", " ", "<!channel>", "<!here|x>", "<@U012AB3CD>", "<#C1>", "@channel", "`", "```", "`a` <b>", "&amp;", "&lt;", "&",
    "\u202eevil\u202c", "\u200b", "\ud800", "\x00\x1b[31m", "a\nb\u2028c", "*", "_", "~", "é" * 400, "<" * 400, "&" * 400, "💣" * 200,
    '"' * 400, "\\" * 400, "`" * 400, "https://evil.example.com", "evil.example.com", "[bold]", "{0}", "%s", "-" * 400,
    "arn:aws:iam::111111111111:role/<!channel>", "arn:aws:sts::111111111111:assumed-role/evil/@channel",
    "projects/1/locations/global/workloadIdentityPools/<!channel>/providers/`", "<!subteam^S0EVIL0000>", "<!date^0^x|evil>",
])  # fmt: skip


@settings(deadline=None)
@given(names, names, st.integers(0, 2), st.sampled_from(list(REASONS)), st.booleans(), st.integers(0, 5_000_000))
def test_whatever_a_log_holds_the_message_is_safe_and_fits(  # noqa: PLR0917
    one, other, rung, rule, is_aws, count
):
    """T6: any text in every place where a record or a person can put one."""
    alert = samples.hostile(samples.web_identity() if is_aws else samples.impersonation(), one)
    line = replace(alert.line, reasons=tuple(REASONS)[:8], target=other, caller={"name": one, "owner": other})
    line = line if rung % 2 else replace(line, caller=None)
    alert = replace(
        alert, line=line, rung=rung, rule=rule, origin=other, mention=other, before=count, doubtful=3,
        settled=Told(one, 0.0, other) if count % 3 == 0 else None, denied_before=count,
        began=alert.began[: count % 5], drift=alert.drift if count % 2 else None,
    )  # fmt: skip
    tally = Tally(
        1, count, withdrawn=count // 2, first=one, last=other, sessions=(one, other) * 3, regions=(one, other) * 3
    )
    assert_safe(message.alert(alert, tally, LOOK))
    assert_safe(message.announcement(alert, f"Now {rule}."))
    assert render(message.alert(alert, tally, LOOK))


@settings(deadline=None)
@given(st.lists(st.tuples(names, names), min_size=1, max_size=message.PAGE), st.integers(0, 2))
def test_whatever_a_storm_is_of_its_messages_are_safe_and_fit(pairs, rung):
    alerts = [samples.hostile(samples.denied(), one) for one, _ in pairs]
    members = [
        (replace(alert, key=f"{index:020x}", origin=other), samples.tally(alert, 4_999_999))
        for index, (alert, (_, other)) in enumerate(zip(alerts, pairs, strict=True))
    ]
    row = replace(alerts[0], key="storm-0123456789abcdef", members=tuple(alert.key for alert, _ in members), rung=rung)
    total = Tally(1, 4_999_999 * len(members), first=pairs[0][0], last=pairs[0][1])
    assert_safe(message.storm(row, total, members), 12_000, 45)
    assert_safe(message.storm_list(members, 481, 500), 12_000, 45)
    assert_safe(message.announcement(row, "More of them."))


@pytest.mark.parametrize("name", ["<!channel>", "<@U123>", "`x`", "a&b", "\u202egnp.exe", "@here", "x" * 10_000_000])
def test_a_branch_or_session_of_any_name_is_shown_and_does_nothing(name):
    """T7: the named attacks."""
    got = message.alert(alert := samples.branch(name), samples.tally(alert), LOOK)
    assert_safe(got)
    assert "repo:acme/other:ref:refs/heads/" in got.text
    assert "`@channel`" in json.dumps(got.blocks)


def test_a_name_that_hides_its_middle_or_its_end_shows_that_it_does():
    got = message.alert(alert := samples.branch("main" + "\u200b" * 3_000), samples.tally(alert)).text
    assert "…" in got
    got = message.alert(alert := samples.branch("main\u200b"), samples.tally(alert)).text
    assert "refs/heads/main␣`" in got


def test_only_the_first_post_of_something_grave_pings_and_only_whom_the_policy_names():
    def pings(**fields: object) -> bool:
        alert = samples.web_identity(**fields)
        got = message.alert(alert, samples.tally(alert))
        return "<!subteam^" in json.dumps([got.text, *got.blocks])

    assert pings()
    assert pings(rung=1)
    assert pings(rung=2)
    assert not pings(mention="")
    assert not pings(mention="!channel")
    assert not pings(mention="S1><!channel>")
    assert not pings(severity="medium")
    assert not pings(ts="1800000001.000100", shown=1)
    assert not pings(shown=1)


def test_the_numbers_add_up():
    for count in (1, 2, 1_284, 4_999_999):
        got = json.dumps(_alert(samples.web_identity(), count).blocks)
        assert f"{count:,} received = 1 posted + {count - 1:,} folded" in got


def test_what_is_too_long_to_paste_is_left_out_whole_and_not_spoken_of():
    for entry, refuse, is_pasted in (
        ("- name: x\n" * 300, "x" * 5_000, False),
        ("- name: x\n" * 300, "x", True),
        (None, "x", True),
    ):
        got = json.dumps(_alert(replace(samples.web_identity(), advice=Advice(entry=entry, refuse=refuse))).blocks)
        assert ("rich_text" in got) is is_pasted
        assert "lines below" not in got
    assert "lines below" in json.dumps(_alert(samples.web_identity()).blocks)


def test_an_anonymous_access_by_a_known_caller_says_both():
    caller = {"name": "work_api", "owner": "ops@example.com"}
    alert = samples.session_use()
    alert = replace(alert, line=replace(alert.line, caller=caller), who="work_api")
    assert _alert(alert).text.startswith(
        "MEDIUM: anonymous access: `work_api` used a session of role `TestRoleForSourceID` (AWS"
    )


def test_of_nobody_named_a_storm_says_whom_the_session_began_with():
    row, total, _ = samples.storm(3)
    for number, words in ((1, "began with release"), (4, "began with several, such as release")):
        alert = samples.session_use(began=samples.release(number))
        member = (alert, samples.tally(alert, 2, traced=2))
        assert words in json.dumps(message.storm(row, total, [member]).blocks)
        assert words.replace("release", "`release`") in json.dumps(message.storm_list([member], 1, 1).blocks)


def test_a_root_session_is_told_as_one():
    line = replace(samples.web_identity().line, kind="root-session", target="arn:aws:iam::222222222222:root")
    alert = replace(samples.web_identity(), line=line, rule="root-session-unlisted", severity="critical")
    assert "opened a session of the root user of `222222222222` (AWS" in _alert(alert).text


def test_the_longest_names_beside_the_longest_links_still_fit():
    alert, long = samples.web_identity(), "<" * 400
    line = replace(
        alert.line, reasons=tuple(REASONS)[:12], delegation=(long,) * 9, source_identity=long, error=long,
        target=f"arn:aws:iam::111111111111:role/{'r' * 64}",
    )  # fmt: skip
    advice = Advice(long, "subject", long, long, "- a\n" * 300, "x" * 2_000)
    alert = replace(alert, line=line, who=long, origin=long, advice=advice, mention="S0EXAMPLE1")
    hostile = samples.hostile(alert, long)
    alert = replace(alert, began=hostile.began[:1], drift=hostile.drift)
    assert_safe(_alert(alert, sessions=(long,) * 9, regions=(long,) * 9))


def test_a_session_that_names_nobody_of_the_book_is_named_by_its_name():
    alert = samples.session_use()
    line = replace(alert.line, verdict="unexpected", reasons=("session-name-unlisted",), session_name="mallory")
    assert " unexpected caller session `mallory` used a session of" in _alert(replace(alert, line=line)).text


def test_a_day_that_there_is_not_is_no_time():
    alert = samples.web_identity()
    got = json.dumps(_alert(replace(alert, line=replace(alert.line, time="2026-02-31T25:00:00Z"))).blocks)
    assert "once, time not logged" in got
    assert "Open event" not in got


def test_a_storm_whose_findings_are_gone_is_told_all_the_same():
    row, total, _ = samples.storm(3)
    assert_safe(message.storm(row, total, ()), 12_000, 45)
    assert "3 new findings" in message.storm(row, total, ()).text


def test_a_storm_of_findings_without_a_target_says_which_step_they_are():
    row, total, _ = samples.storm(3)
    alert = samples.anonymous_exchange()
    assert "(token exchange)" in json.dumps(message.storm(row, total, [(alert, samples.tally(alert))]).blocks)


def test_a_look_alike_is_pointed_at():
    alert = samples.web_identity(advice=Advice("release", "subject", "repo:acme/app:*", "repo:аcme/app:ref:main"))
    assert "look closely" in json.dumps(_alert(alert).blocks)


def test_what_is_settled_or_explained_has_no_steps():
    for name in ("settled", "explained"):
        assert ALL[name].blocks[0]["text"]["text"].startswith("✅")
        assert "Do next" not in json.dumps(ALL[name].blocks)


FINDING = [code for code, reason in REASONS.items() if reason.verdict in FINDINGS]


@pytest.mark.parametrize("rule", FINDING)
def test_every_reason_has_steps_of_its_own(rule):
    alert = replace(samples.web_identity(), rule=rule)
    allowed, refused = steps(alert, has_entry=True), steps(replace(samples.denied(), rule=rule), has_entry=True)
    assert len(allowed) == len(refused) == 3
    assert all(len(step) <= 120 and step.endswith(".") for step in (*allowed, *refused))
    assert allowed[0] != steps(replace(alert, rule="unknown"), has_entry=True)[0] or rule in (
        "subject-unlisted",
        "principal-unlisted",
    )


@pytest.mark.parametrize(
    ("rule", "cloud", "kind", "expected", "stop"),
    [
        ("federation-token-by-root", "aws", Kind.FEDERATION_TOKEN, "no entry makes this expected", "root user's access keys"),
        ("time-missing", "aws", Kind.ASSUME_ROLE, "deliver whole records", "trust policy"),
        ("provider-unlisted", "aws", Kind.SAML, "add the lines below", "delete the provider"),
        ("provider-unlisted", "aws", Kind.POD_IDENTITY, "add the lines below", "the pod's association"),
        ("provider-unlisted", "gcp", Kind.TOKEN_EXCHANGE, "add the lines below", "the whole pool"),
        ("source-identity-unlisted", "aws", Kind.IDENTITY_CENTER, "add the lines below", "by an SCP"),
        ("source-identity-changed", "aws", Kind.ASSUME_ROLE, "leave it out", "trust policy"),
        ("source-identity-dropped", "aws", Kind.ASSUME_ROLE, "deliver whole records", "trust policy"),
    ],
)  # fmt: skip
def test_a_step_is_one_that_the_cloud_knows(rule, cloud, kind, expected, stop):
    """The root user takes no policy and no entry, and a role of Identity Center no change; see docs/reasons.md."""
    alert = samples.web_identity()
    told = steps(replace(alert, rule=rule, line=replace(alert.line, cloud=cloud, kind=kind)), has_entry=True)
    assert expected in told[1]
    assert stop in told[2]
    assert all(len(step) <= 120 for step in told)


def test_who_is_named_is_asked_and_who_is_not_is_looked_for():
    """A required name may be missing of somebody whom the record names all the same."""
    nobody, somebody = samples.session_use(who=""), samples.session_use(who="arn:aws:iam::111111111111:user/alice")
    assert [steps(alert, has_entry=False)[0].split()[0] for alert in (nobody, somebody)] == ["Find", "Ask"]


@pytest.mark.parametrize("rung", [0, 1, 2])
def test_a_row_of_a_newer_version_is_shown_all_the_same(rung):
    alert = samples.web_identity()
    newer = replace(
        alert, rule="brand-new", severity="apocalyptic", rung=rung,
        line=replace(alert.line, reasons=("brand-new",), kind=None, outcome=None, cloud="oci", verdict="odd"),
    )  # fmt: skip
    assert_safe(_alert(newer))


MAKERS = ("blocks", "describe", "layout", "links", "message", "steps", "storm", "terminal")


def test_few_modules_read_what_a_record_says():
    """A text of a record leaves them as Untrusted or as a checked part of a link: nothing else can show it as it is."""
    folder = Path(layout.__file__).parent
    readers = {
        name for name in MAKERS
        if re.search(r"line\.(principal|subject|provider|target|record_id|time)\b", (folder / f"{name}.py").read_text())
    }  # fmt: skip
    assert readers == {"describe", "layout", "links"}


def test_a_terminal_shows_the_same_and_no_more():
    shown = render(ALL["unexpected-web-identity"])
    assert "🟠 High ×3: unexpected caller assumed role crosscloud-test" in shown
    assert "Open event: https://example.awsapps.com/start/" in shown
    assert "1. Ask the target's owner whether this caller is new." in shown
    assert '    - name: "google-100000000000000000003"' in shown
    assert re.search(r"🟠 allowed +1\d+ +role deploy +4\n", render(ALL["storm-of-500"]))
    hostile = render(ALL["hostile"])
    assert "<!channel>" in hostile
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", hostile)
    assert render(ALL["unexpected-web-identity-text"]).startswith("HIGH: unexpected caller `100000000000000000003`")
