"""Findings as the page tells them: by the reason that decides, each with what there is to know and to do."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from callerid.access import Outcome
from callerid.alerts.text import visible_line
from callerid.explanations import Explanation, explanation
from callerid.judgement import SEVERITIES, Severity
from callerid.ledger.outbox import Counts
from callerid.reasons import REASONS
from callerid.report import names

MOST = 1_000
"""Findings told one by one; of a flood the rest is counted, and its callers stand in the table."""


class Text(NamedTuple):
    """A piece of an explanation: a paragraph, or lines to copy."""

    is_code: bool
    text: str


class Reason(NamedTuple):
    """A code and what it says."""

    code: str
    why: str


class Finding(NamedTuple):
    """One finding."""

    id: str
    verdict: str
    severity: str
    who: names.Name
    whole: str
    """The name as the log has it, every sign visible."""
    origin: str
    target: names.Name
    cloud: str
    account: str
    is_denied: bool
    times: int
    first: str
    last: str
    reasons: list[Reason]
    """Those beside the deciding one."""
    nearest: str
    entry: str
    refuse: str
    state: str
    sessions: str


class Group(NamedTuple):
    """The findings of one deciding reason."""

    code: str
    why: str
    severity: str
    means: list[Text]
    fix: list[Text]
    refuse: list[Text]
    findings: list[Finding]


def groups(found: Sequence[Counts], times: Counter[str]) -> list[Group]:
    """Return the findings by their deciding reason, the gravest first; at most ``MOST`` of them.

    ``times`` is how often each came in the period, by the alert's key.
    """
    by_rule: dict[str, list[Finding]] = {}
    for counts in found[:MOST]:
        by_rule.setdefault(counts.alert.rule, []).append(_finding(counts, times[counts.alert.key]))
    return sorted((_group(*item) for item in by_rule.items()), key=_place)


def _place(group: Group) -> tuple[int, int, str]:
    return (-_rank(group.severity), -sum(finding.times for finding in group.findings), group.code)


def _rank(severity: str) -> int:
    """Return how grave a word is; one that this version does not know is grave."""
    return Severity(severity).rank if severity in SEVERITIES else Severity.HIGH.rank


def _group(code: str, findings: list[Finding]) -> Group:
    reason = REASONS.get(code)
    texts = explanation(code) if reason else Explanation("", "", "", "")
    gravest = max((finding.severity for finding in findings), key=_rank)
    return Group(
        code,
        reason.why if reason else "",
        gravest,
        list(pieces(texts.means)),
        list(pieces(texts.fix)),
        list(pieces(texts.refuse)),
        findings,
    )


def pieces(text: str) -> Iterator[Text]:
    """Yield an explanation's paragraphs and numbered steps, each as one line, and its fenced lines as they are."""
    for index, part in enumerate(text.split("```")):
        if index % 2:
            yield Text(is_code=True, text=part.partition("\n")[2].rstrip("\n"))
        else:
            steps = re.split(r"\n\n|\n(?=[0-9]\. )", part.strip())
            yield from (Text(is_code=False, text=step.replace("\n", " ")) for step in steps if step)


def _finding(counts: Counts, times: int) -> Finding:
    alert, tally = counts
    line, advice = alert.line, alert.advice
    first, last = tally.first or line.time or "", tally.last or line.time or ""
    return Finding(
        id=alert.key,
        verdict=names.whole(line.verdict),
        severity=alert.severity,
        who=names.who(alert.who),
        whole=names.whole(line.subject or line.principal),
        origin=names.short(alert.origin).text,
        target=names.short(line.target)
        if line.target
        else names.Name(f"({(line.kind or 'a call').replace('-', ' ')})"),
        cloud=names.cloud(line.cloud or ""),
        account=names.whole(line.account),
        is_denied=line.outcome == Outcome.DENIED,
        times=times,
        first=first,
        last=last,
        reasons=[Reason(code, REASONS[code].why) for code in line.reasons if code != alert.rule and code in REASONS],
        nearest=_nearest(counts),
        entry=_lines(advice.entry),
        refuse=_lines(advice.refuse),
        state=_state(counts),
        sessions=", ".join(map(names.whole, tally.sessions)),
    )


def _nearest(counts: Counts) -> str:
    """Return what the book has that comes closest, and what differs."""
    advice = counts.alert.advice
    if not advice.nearest or not advice.field:
        return ""
    differs = f"the {advice.field.replace('_', ' ')} is {_quoted(advice.shown)} and not {_quoted(advice.listed)}"
    return f"Closest in the caller book: {names.whole(advice.nearest)}; {differs}."


def _quoted(text: str | None) -> str:
    return f"“{names.whole(text)}”" if text else "absent"


def _lines(text: str | None) -> str:
    """Return lines to copy, every sign visible."""
    return "\n".join(visible_line(line).rstrip() for line in (text or "").split("\n"))


def _state(counts: Counts) -> str:
    alert, tally = counts
    if alert.settled is not None:
        note = f": {names.whole(alert.settled.note)}" if alert.settled.note else ""
        return f"settled by {names.whole(alert.settled.by)}{note}"
    if 0 < tally.count <= tally.withdrawn:
        return "explained: the other account's copy of each call named the caller"
    return ""
