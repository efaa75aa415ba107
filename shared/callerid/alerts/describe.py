"""An alert in words: who, from where, to what, how often, when. The words are those of the table of a scan.

What a record said leaves this module as :class:`~callerid.alerts.text.Untrusted` or as a code span; beside it
only :mod:`callerid.alerts.layout` and :mod:`callerid.alerts.links` look at a record at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from callerid import moment
from callerid.access import Cloud, Kind, Outcome
from callerid.alerts.text import NAME, Untrusted
from callerid.judgement import Line, Severity, Verdict
from callerid.ledger.alert import Alert, Tally
from callerid.names import arn

_MARKS = {"critical": "🔴", "high": "🟠", "medium": "🟡", "low": "🔵", "informational": "⚪"}
DONE = "✅"
NOBODY = "nobody named"
_ACCOUNT = "AWS account"
_NAMES_SHOWN = 3
_SHORT_NAME = 60
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII)
_POOL = re.compile(r".*/work(?:loadIdentity|force)Pools/(.+)", re.DOTALL)

_DID = {
    Kind.WEB_IDENTITY: ("assumed", "assume"),
    Kind.SAML: ("assumed", "assume"),
    Kind.ASSUME_ROLE: ("assumed", "assume"),
    Kind.POD_IDENTITY: ("assumed", "assume"),
    Kind.ROLES_ANYWHERE: ("assumed", "assume"),
    Kind.IDENTITY_CENTER: ("used", "use"),
    Kind.SWITCH_ROLE: ("switched to", "switch to"),
    Kind.SESSION_USE: ("used a session of", "use a session of"),
    Kind.FEDERATION_TOKEN: ("got a federation token for", "get a federation token for"),
    Kind.ROOT_SESSION: ("opened a session of", "open a session of"),
    Kind.OUTBOUND_TOKEN: ("got a token for other clouds", "get a token for other clouds"),
    Kind.TOKEN_EXCHANGE: ("exchanged a token", "exchange a token"),
    Kind.WORKFORCE_SIGN_IN: ("signed in", "sign in"),
    Kind.IMPERSONATION: ("impersonated", "impersonate"),
    Kind.DELEGATED_USE: ("acted as", "act as"),
    Kind.DIRECT_USE: ("reached", "reach"),
    Kind.KEY_USE: ("used a key of", "use a key of"),
}
"""What a kind of access is in a sentence, and what a denied one tried to."""
_CALLED = ("called", "call")
_UNTARGETED = (Kind.OUTBOUND_TOKEN, Kind.TOKEN_EXCHANGE, Kind.WORKFORCE_SIGN_IN)


class Name(NamedTuple):
    """A name of a log in parts: what it is in a word of ours, the name, and in which AWS account."""

    word: str
    name: Untrusted
    account: str = ""

    def code(self, limit: int = NAME) -> str:
        """Return it as mrkdwn."""
        return f"{self.word} {self.name.code(limit)}" if self.word else self.name.code(limit)

    def plain(self, limit: int) -> str:
        """Return it for a headline or a cell."""
        return f"{self.word} {self.name.plain(limit)}" if self.word else self.name.plain(limit)


def named(text: str | None) -> Name:
    """Return a name in parts: a role's, a user's, a pool's, a service account's, or as it is."""
    text = text or ""
    found, pool = arn.parse(text), _POOL.fullmatch(text)
    if found is not None and found.type == "root":
        return Name("the root user of", Untrusted(found.account))
    if found is not None:
        word = {"assumed-role": "role", "federated-user": "federated user"}.get(found.type, found.type)
        return Name(word, Untrusted(found.name), found.account)
    if pool is not None:
        return Name("provider" if "/providers/" in text else "pool", Untrusted(pool[1].replace("/providers/", "/")))
    if re.fullmatch(r"[0-9]{12}", text):
        return Name(_ACCOUNT, Untrusted(text))
    return Name("", Untrusted(text.removesuffix(".iam.gserviceaccount.com")))


def mark(severity: str) -> str:
    """Return the sign of a severity; a word that this version does not know gets one too."""
    return _MARKS.get(severity, "🟠")


def severity_of(alert: Alert) -> Severity:
    """Return how grave an alert is; a word that this version does not know is grave."""
    return Severity(alert.severity) if alert.severity in _MARKS else Severity.HIGH


def is_denied(alert: Alert) -> bool:
    """Tell an attempt from an access."""
    return alert.line.outcome == Outcome.DENIED


def is_explained(tally: Tally) -> bool:
    """Tell a finding of which the other account's copies of the calls named everyone."""
    return 0 < tally.count <= tally.withdrawn


def is_open(alert: Alert, tally: Tally) -> bool:
    """Tell what somebody still has to look at."""
    return alert.settled is None and not is_explained(tally)


def caller(alert: Alert) -> Name:
    """Return who it was, by the book where it knows the caller; without a name where the record names nobody."""
    line, subject = alert.line, alert.line.subject or ""
    if line.caller is not None:
        return Name("", Untrusted(line.caller.get("name")))
    if alert.who.endswith(":ref:") and subject.startswith(alert.who):
        return Name("", Untrusted(subject))  # the first one's branch, which the finding itself leaves out
    if line.verdict == Verdict.ANONYMOUS and alert.who == line.target:
        return Name("", Untrusted(None))  # an account that acts as itself, with nobody behind it
    if not alert.who and line.verdict == Verdict.UNEXPECTED and line.session_name:
        return Name("session", Untrusted(line.session_name))
    found = named(alert.who)
    return found._replace(word="") if found.word == _ACCOUNT else found  # a subject may be twelve digits too


def caller_or_origin(alert: Alert, tally: Tally) -> Name:
    """Return who it was; of nobody whom the session began with, where that is known."""
    found = caller(alert)
    if found.name or not alert.began:
        return found
    word = f"{'some ' * is_part(tally)}began with{' several, such as' * (len(alert.began) > 1)}"
    return Name(word, Untrusted(alert.began[0].name))


def target(line: Line) -> Name | None:
    """Return what was reached, None for a step that has no target."""
    if line.target is None:
        return None
    return named(line.target)


def step(line: Line) -> Name:
    """Return what stands for the target of a kind that has none."""
    return Name("", Untrusted(f"({(line.kind or 'a call').replace('-', ' ')})"))


def place(line: Line) -> str:
    """Return whose log it is, as mrkdwn."""
    word = "AWS" if line.cloud == Cloud.AWS else "project"
    return f"{word} {Untrusted(line.account).code()}"


def did(line: Line) -> str:
    """Return what was done, or tried; what stands before its target's name, where the record has one."""
    past, infinitive = _DID.get(line.kind, _CALLED) if line.kind else _CALLED
    unnamed = " what the record does not name" if line.target is None and line.kind not in _UNTARGETED else ""
    return f"{f'tried to {infinitive}' if line.outcome == Outcome.DENIED else past}{unnamed}"


def times(count: int) -> str:
    """Return a count in words."""
    return "once" if count <= 1 else f"{count:,} times"


def summary(alert: Alert) -> str:
    """Return who did what to what, and in whose log, as mrkdwn."""
    if alert.members:
        return f"storm of {len(alert.members):,} new findings"
    line, who, reached = alert.line, caller(alert), target(alert.line)
    is_known = bool(who.name)
    what = "anonymous access:" if is_known and line.verdict == Verdict.ANONYMOUS else f"{line.verdict} caller"
    action = f"{did(line)} {reached.code()}" if reached else did(line)
    return f"{what}{f' {who.code()}' if is_known else ''} {action} ({place(line)})"


def sentence(alert: Alert, tally: Tally) -> str:
    """Return the whole alert in one sentence of mrkdwn, for a phone."""
    result = "denied" if is_denied(alert) else f"allowed{after_denials(alert)}"
    first = f"{'first ' if tally.count > 1 else ''}{minute(tally.first or alert.line.time)}"
    return f"{severity_of(alert).upper()}: {summary(alert)}, {result}, {times(tally.count)}, {first}."


def after_denials(alert: Alert) -> str:
    """Return that denied attempts came before an allowed one, where some did."""
    number = alert.denied_before
    return f" after {number:,} denied attempt{'s' * (number != 1)}" if number else ""


def title(alert: Alert, tally: Tally) -> str:
    """Return the headline, as plain text: how grave, how often, who did what to what."""
    line, reached = alert.line, target(alert.line)
    number = f" ×{tally.count:,}" if tally.count > 1 else ""
    if not is_open(alert, tally):
        state = f"{DONE} {'Settled' if alert.settled else 'Explained'}{number}"
    else:
        state = f"{mark(alert.severity)} {severity_of(alert).capitalize()}{number}"
    action = f"{did(line)} {reached.plain(60)}" if reached else did(line)
    result = ", denied" if is_denied(alert) else after_denials(alert)
    return f"{state}: {line.verdict} caller {action}{result}"


def began(alert: Alert, tally: Tally) -> str:
    """Return whom the sessions began with, in a sentence of mrkdwn; nothing where that is not known."""
    words = f"{'Some began' if is_part(tally) else 'Began'} with{' several:' * (len(alert.began) > 1)}"
    return f" {words} {origins(alert)}." if alert.began else ""


def is_part(tally: Tally) -> bool:
    """Tell a finding of which it is known of some events only whom their sessions began with."""
    return 0 < tally.traced < tally.count


def origins(alert: Alert) -> str:
    """Return whom the sessions began with, by name. How many there are beside those is not known."""
    names = [one.name for one in alert.began]
    return some(names[:_NAMES_SHOWN], ", ") + " and more" * (len(names) > _NAMES_SHOWN)


def some(names: Sequence[str], between: str) -> str:
    """Return the first of some names as mrkdwn, and how many more there are."""
    shown = between.join(Untrusted(name).code(_SHORT_NAME) for name in names[:_NAMES_SHOWN])
    left = len(names) - _NAMES_SHOWN
    return f"{shown} and {left:,} more" if left > 0 else shown


def minute(time: str | None) -> str:
    """Return a moment of a record to the minute, in UTC."""
    return f"{time[:10]} {time[11:16]} UTC" if time and _TIME.fullmatch(time) else "time not logged"


def date(time: str | None) -> str:
    """Return a moment of a record in the reader's own time zone, as Slack's clients show it, with UTC behind it.

    https://docs.slack.dev/messaging/formatting-message-text#date-formatting
    """
    if time is None or not _TIME.fullmatch(time):
        return "time not logged"
    try:
        seconds = int(moment.epoch(time))
    except ValueError:
        return "time not logged"
    return f"<!date^{seconds}^{{date_short_pretty}} {{time_secs}}|{time[:10]} {time[11:19]} UTC>"


def span(first: str | None, last: str | None) -> str:
    """Return first and last time, once where both are the same."""
    return date(first or last) if not first or not last or first == last else f"{date(first)} to {date(last)}"
