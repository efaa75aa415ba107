"""After a message is out: its count is brought up to date, what has become more urgent is said in its thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callerid.alerts import describe, message
from callerid.alerts.message import Message
from callerid.alerts.slack import Ambiguous, Answer, Posted, ThreadLost
from callerid.ledger.alert import Alert
from callerid.ledger.fold import EDIT_SECONDS, QUIET_SECONDS
from callerid.ledger.outbox import Counts, is_behind
from callerid.ledger.rows import DAY

if TYPE_CHECKING:
    from callerid.alerts.deliver import Line

LATE_COPY_SECONDS = 900
"""How long the other account's copy of a call may still come: CloudTrail delivers within 15 minutes."""
STEEPER = 10
"""So many times the window before, and a finding is announced once more."""


def follow(line: Line, counts: Counts) -> bool:
    """Send what has changed about a message that is out. False where the channel takes nothing more for now."""
    counts = line.outbox.with_members(counts)
    if not (_edit(line, counts) and _list(line, counts) and _announce(line, counts)):
        return False
    if not _is_unannounced(counts):
        line.outbox.drop(counts.alert.key, line.clock.now())
    return True


def _edit(line: Line, counts: Counts) -> bool:
    """Bring the count up to date, at most every half minute and at each further digit."""
    alert, tally = counts
    if not is_behind(counts):
        return True
    grew = len(str(tally.count)) > len(str(alert.shown))
    if not grew and line.clock.now() < alert.edited + EDIT_SECONDS:
        return True
    if line.slack.can_edit and alert.ts is not None:
        ts, channel = alert.ts, alert.posted_to or line.channel
        counts, answer = line.say(counts, lambda text: line.slack.update(channel, ts, text))
    elif grew:  # where nothing can be edited, a storm is one new message for each further digit
        counts, answer = line.say(counts, lambda text: line.slack.post(line.channel, text))
    else:
        return True
    return _edited(line, counts, answer)


def _edited(line: Line, counts: Counts, answer: Answer) -> bool:
    match answer:
        case Posted():
            line.outbox.edited(counts, line.clock.now())
            line.edited += 1
        case Ambiguous() if not line.slack.can_edit:
            line.outbox.change(counts.alert.key, _doubt)
            return _failed(line, counts, answer)
        case _:
            return _failed(line, counts, answer)
    return True


def _doubt(alert: Alert) -> None:
    """Have whatever a webhook posts next of an alert say that it may be a repeat."""
    alert.doubtful = alert.attempt


def _failed(line: Line, counts: Counts, answer: Answer) -> bool:
    """Have a message posted anew whose first one is gone. False where the channel takes nothing more for now."""
    if isinstance(answer, ThreadLost):
        line.outbox.reopen(counts.alert.key, answer.error, line.clock.now())
    return line.goes_on(answer)


def _list(line: Line, counts: Counts) -> bool:
    """Tell a storm's whole list in its thread, a page a message."""
    alert = counts.alert
    if alert.listed >= len(alert.members) or not line.slack.can_edit or alert.ts is None:
        return True
    members = line.outbox.members(alert)
    order = {key: place for place, key in enumerate(alert.members)}
    members.sort(key=lambda member: order[member.alert.key])
    for start in range(alert.listed, len(alert.members), message.PAGE):
        if not line.has_time:
            return False
        page, word = members[start : start + message.PAGE], f"list {start}"
        text = message.storm_list(page, start + 1, len(alert.members), repeat=word in alert.unsure)
        answer = _reply(line, alert, word, text)
        if not isinstance(answer, Posted):
            return _failed(line, counts, answer)
        line.outbox.listed(alert.key, start + len(page))
    return True


def _announce(line: Line, counts: Counts) -> bool:
    """Say in the thread, and to the channel, why a finding has become more urgent."""
    alert = counts.alert
    reasons = _escalations(counts, line.clock.now())
    for word, sentence in reasons:
        if alert.settled is None:
            text = message.announcement(alert, sentence, repeat=word in alert.unsure)
            answer = _reply(line, alert, word, text, broadcast=True)
            if not isinstance(answer, Posted):
                return _failed(line, counts, answer)
        line.outbox.announced(alert.key, word, line.clock.now())
    return True


def _reply(line: Line, alert: Alert, word: str, text: Message, *, broadcast: bool = False) -> Answer:
    """Send a message to an alert's thread; ``word`` is by what it is known to be a repeat the next time."""
    channel = alert.posted_to or line.channel
    answer = line.sent(lambda: line.slack.post(channel, text, thread=alert.ts, broadcast=broadcast))
    if isinstance(answer, Ambiguous):
        line.outbox.doubted(alert.key, word)
    return answer


def _escalations(counts: Counts, now: float) -> list[tuple[str, str]]:
    """Return what is to be announced: a word by which it is told only once, and a sentence of our own."""
    alert, tally = counts
    found = [(sentence, sentence) for sentence in alert.announce]
    if alert.previous and tally.count >= STEEPER * alert.previous:
        found.append(("steeper", f"{tally.count:,} events this time, {alert.previous:,} the time before."))
    if _is_unannounced(counts) and now - alert.reopened >= LATE_COPY_SECONDS:
        found.append((_open_word(alert), "Open again: not every call is explained by the other account's copy."))
    days = int((now - alert.opened) // DAY)
    if days and now - alert.announced >= DAY and now - alert.heard < QUIET_SECONDS:
        found.append((f"day {days}", f"Still going on after {24 * days} hours: {tally.count:,} events."))
    return [(word, sentence) for word, sentence in found if word not in alert.raised]


def _is_unannounced(counts: Counts) -> bool:
    """Tell a message that said *explained*, is open again, and has called nobody yet."""
    alert, tally = counts
    is_again = bool(alert.reopened) and alert.settled is None and not describe.is_explained(tally)
    return is_again and _open_word(alert) not in alert.raised


def _open_word(alert: Alert) -> str:
    return f"open {alert.reopened:.0f}"
