"""The blocks of a storm: many new findings as one message. What they share comes first, then the gravest.

Where there are threads the whole list goes into this one's, forty findings a page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from callerid.alerts import describe
from callerid.alerts.blocks import Block, context, header, section, table
from callerid.alerts.layout import mention, received, settled
from callerid.ledger.alert import Alert, Tally
from callerid.ledger.outbox import Counts
from callerid.reasons import REASONS

PAGE = 40
"""Findings of one page of the list: well within 12 KB however long the names are."""
_SHOWN = 15
_SHARED = 3
_NAME = 48
_LINES = 10
"""Findings of one section: a line is at most 250 bytes, a section 3,000."""


def full(storm: Alert, tally: Tally, members: Sequence[Counts]) -> Iterator[Block]:
    """Yield every block; ``members`` are the findings, the gravest and most frequent first."""
    sign, severity = describe.mark(storm.severity), describe.severity_of(storm).capitalize()
    state = f"{describe.DONE} Settled" if storm.settled else f"{sign} {severity}"
    yield header(f"{state}: storm of {_findings(_number(storm, members))}")
    yield section("\n".join(_shared(storm, tally, members)))
    if members:
        yield table([("Result", "Caller", "To what", "Events"), *map(_row, members[:_SHOWN])], right=(3,))
    yield context(f"{_shown(storm, members)}{small_print(storm, tally)}")


def simple(storm: Alert, tally: Tally, members: Sequence[Counts]) -> Iterator[Block]:
    """Yield the same in paragraphs alone."""
    yield section(sentence(storm, tally, members))
    yield section("\n".join(_shared(storm, tally, members)))
    yield from listed(members[:_SHOWN], 1)
    yield context(f"{_shown(storm, members)}{small_print(storm, tally)}")


def sentence(storm: Alert, tally: Tally, members: Sequence[Counts]) -> str:
    """Return the whole storm in one sentence."""
    severity = describe.severity_of(storm).upper()
    allowed = sum(not describe.is_denied(alert) for alert, _ in members)
    result = f"{allowed:,} of them allowed, " if members else ""
    first = describe.minute(tally.first)
    return f"{severity}: storm of {_findings(_number(storm, members))}, {result}{_events(tally)}, first {first}."


def listed(members: Sequence[Counts], start: int) -> Iterator[Block]:
    """Yield findings a line each, numbered from ``start``."""
    lines = [_line(number, *member) for number, member in enumerate(members, start)]
    for first in range(0, len(lines), _LINES):
        yield section("\n".join(lines[first : first + _LINES]))


def small_print(storm: Alert, tally: Tally) -> str:
    """Return what the numbers are made of."""
    repeat = f" · possible repeat of attempt {storm.doubtful}" if storm.doubtful else ""
    return " · ".join((f"{received(tally)} · alert `{storm.key}`{repeat}", *settled(storm)))


def _shown(storm: Alert, members: Sequence[Counts]) -> str:
    number = _number(storm, members)
    return f"the gravest {_SHOWN} of {number:,}; `callerid alerts` has them all · " if number > _SHOWN else ""


def _number(storm: Alert, members: Sequence[Counts]) -> int:
    return max(len(storm.members), len(members))


def _findings(number: int) -> str:
    return "1 new finding" if number == 1 else f"{number:,} new findings"


def _events(tally: Tally) -> str:
    return "1 event" if tally.count == 1 else f"{tally.count:,} events"


def _shared(storm: Alert, tally: Tally, members: Sequence[Counts]) -> Iterator[str]:
    """Yield what the findings have in common: one role, one provider, one reason is where to begin."""
    alerts = [alert for alert, _ in members]
    denied = sum(map(describe.is_denied, alerts))
    yield f"*{_events(tally)}*, {describe.span(tally.first, tally.last)}{mention(storm)}"
    if not alerts:
        return
    first = " Begin with what was allowed." if 0 < denied < len(alerts) else ""
    yield f"*Result:* {len(alerts) - denied:,} allowed, {denied:,} denied.{first}"
    yield f"*Why:* {_most(Counter(_why(alert) for alert in alerts))}"
    yield f"*To what:* {_most(Counter(_target(alert).code(_NAME) for alert in alerts))}"
    yield f"*From where:* {_most(Counter(describe.named(alert.origin).code(_NAME) for alert in alerts))}"


def _most(counts: Counter[str]) -> str:
    shown = ", ".join(f"{name} ×{count:,}" for name, count in counts.most_common(_SHARED))
    left = len(counts) - _SHARED
    return f"{shown} and {left:,} more" if left > 0 else shown


def _why(alert: Alert) -> str:
    return REASONS[alert.rule].why if alert.rule in REASONS else "a reason that this version does not know"


def _target(alert: Alert) -> describe.Name:
    return describe.target(alert.line) or describe.step(alert.line)


def _row(member: Counts) -> tuple[str, ...]:
    alert, tally = member
    who, reached = describe.caller_or_origin(alert, tally).plain(_NAME), _target(alert).plain(_NAME)
    return f"{describe.mark(alert.severity)} {_result(alert)}", who, reached, f"{tally.count:,}"


def _result(alert: Alert) -> str:
    return "denied" if describe.is_denied(alert) else "allowed"


def _line(number: int, alert: Alert, tally: Tally) -> str:
    who, reached = describe.caller_or_origin(alert, tally).code(_NAME), _target(alert).code(_NAME)
    what = f"{who} → {reached}, {_result(alert)}, ×{tally.count:,}"
    return f"{number:,}. {describe.mark(alert.severity)} {what}, `{alert.key}`"
