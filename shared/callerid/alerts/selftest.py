"""Every layout and what a log can do to it, as messages: for a look in one's own Slack, and what Slack answers.

What no test on a machine can show is how a workspace draws a message, and whether a name in it pings anybody.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from callerid.access import Cloud, Kind
from callerid.alerts import message
from callerid.alerts.blocks import Message
from callerid.judgement import SCHEMA, Line, Severity, Verdict
from callerid.ledger.alert import Advice, Alert, Tally, Told
from callerid.ledger.outbox import Counts
from callerid.ledger.traced import Traced
from callerid.trace.chain import Drift
from callerid.trace.link import Basis, Origin

HOSTILE = (
    "<!channel>", "<!here|here>", "<@U012AB3CD>", "<#C012AB3CD>", "@channel", "@here", "`code` *bold* _it_ ~no~",
    "evil.example.com", "https://evil.example.com", "<https://evil.example.com|console.aws.amazon.com>",
    "\u202egnp.exe", "zero\u200bwidth", "line\nbreak\ttab\x00nul", "&amp; &lt;!channel&gt;", "ａｄｍｉｎ", "x" * 10_000,
    "repo:acme/app:ref:refs/heads/<!channel>", ":rotating_light: fine", "</script><script>alert(1)</script>", "",
)  # fmt: skip
"""What a caller can put into a subject, a session name, an error: none of it may ping, link, spoof or break."""
_TIME = "2026-11-03T03:12:00Z"
_HEARD = 1_793_675_520.0
_POOL = "projects/123456789012/locations/global/workloadIdentityPools/crosscloud-test"


def messages() -> Iterator[tuple[str, Message]]:
    """Yield each message with what it shows."""
    alert, tally = _alert(), _tally(1)
    for rung, name in enumerate(("blocks", "simple blocks", "text alone")):
        yield f"a finding, as {name}", message.alert(replace(alert, rung=rung), tally)
    yield "a denied attempt", message.alert(replace(alert, line=replace(alert.line, outcome="denied")), tally)
    yield "the first success after denials", message.alert(replace(alert, denied_before=12), tally)
    yield "a storm of one finding", message.alert(alert, _tally(1284))
    yield "a possible repeat", message.alert(replace(alert, doubtful=1, attempt=2), tally)
    settled = Told("alice@example.com", _HEARD, "the subject is gone")
    yield "a settled finding", message.alert(replace(alert, settled=settled), tally)
    yield "nobody named, on Google Cloud", message.alert(_nobody(), tally)
    yield "a session of a known origin", message.alert(replace(alert, began=(_origin(),)), _tally(1))
    yield "another source identity along a chain", message.alert(_drifted(), _tally(1))
    yield "an announcement", message.announcement(alert, "Still going on after 24 hours: 1,284 events.")
    members = [
        Counts(replace(alert, key=f"{number:020x}", who=f"1{number:020}"), _tally(number)) for number in range(1, 31)
    ]
    storm = replace(alert, key="storm-selftest", rule="storm", members=tuple(member.key for member, _ in members))
    yield "a storm of new findings", message.storm(storm, _tally(465), members)
    yield "a page of its list", message.storm_list(members, 1, 30)
    for text in HOSTILE:
        yield f"hostile: {text[:30]!a}", message.alert(_hostile(alert, text), _tally(2, text))


def _alert() -> Alert:
    subject = "100000000000000000003"
    line = Line(
        schema=SCHEMA, policy="sha256:selftest", verdict=Verdict.UNEXPECTED, reasons=("subject-unlisted",),
        severity=Severity.HIGH, cloud=Cloud.AWS, kind=Kind.WEB_IDENTITY, time=_TIME,
        record_id="00000000-0000-4000-8000-000000000003", access_id="00000000-0000-4000-8000-000000000003",
        account="111111111111", region="us-east-1", caller=None, principal=f"accounts.google.com:{subject}:{subject}",
        subject=subject, provider="accounts.google.com", audience=subject,
        target="arn:aws:iam::111111111111:role/crosscloud-test", session_name="nightly-export", source_identity=None,
        delegation=(), outcome="allowed", error=None, source="selftest",
    )  # fmt: skip
    entry = f'callers:\n  - name: "new-caller"\n    identities:\n      - google_service_account: "{subject}"\n'
    advice = Advice("nightly-export", "subject", "100000000000000000001", subject, entry)
    return Alert(
        key="selftest", window=1, opened=_HEARD, heard=_HEARD, line=line, rule="subject-unlisted", who=subject,
        origin="accounts.google.com", severity=Severity.HIGH, advice=advice, attempt=1,
    )  # fmt: skip


def _nobody() -> Alert:
    alert = _alert()
    line = replace(
        alert.line, cloud=Cloud.GCP, kind=Kind.TOKEN_EXCHANGE, verdict=Verdict.ANONYMOUS, subject=None, principal=None,
        reasons=("principal-missing",), account="my-gcp-project", target=None, session_name=None, region=None,
        provider=f"{_POOL}/providers/crosscloud-test-aws", audience=None,
    )  # fmt: skip
    return replace(alert, line=line, rule="principal-missing", who="", origin=line.provider or "", advice=Advice())


def _origin(text: str = "") -> Traced:
    issuer = text or "token.actions.githubusercontent.com"
    origin = Origin(text or "repo:acme/app:environment:production", "OpenID Connect subject", issuer)
    return Traced(origin, Basis.ATTESTED, text or "release", text or "00000000-0000-4000-8000-000000000001")


def _drifted() -> Alert:
    alert, code = _alert(), "source-identity-changed"
    line = replace(alert.line, kind=Kind.SESSION_USE, reasons=(code,), subject=None, source_identity="bob")
    drift = Drift(code, "alice", "bob", "00000000-0000-4000-8000-000000000001")
    return replace(alert, line=line, rule=code, who="bob", advice=Advice(), began=(_origin(),), drift=drift)


def _hostile(alert: Alert, text: str) -> Alert:
    line = replace(
        alert.line, subject=text, principal=text, provider=text, session_name=text, source_identity=text, target=text,
        account=text, region=text, error=text, delegation=(text, text),
    )  # fmt: skip
    return replace(
        alert, line=line, who=text, origin=text, advice=Advice(text, "subject", text, text, text, text),
        began=(_origin(text),), drift=Drift("source-identity-changed", text, text, text),
    )  # fmt: skip


def _tally(count: int, session: str = "nightly-export") -> Tally:
    return Tally(1, count=count, first=_TIME, last=_TIME, sessions=(session,), regions=("us-east-1",))
