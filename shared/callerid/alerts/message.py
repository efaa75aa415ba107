"""Alerts as messages: short enough for three in the morning, with what is needed to act on them.

Each has three rungs, for a Slack that refuses a message as it stands: 0 blocks, 1 simple blocks, 2 text alone. An
alert is at most eleven blocks and 6 KB, anything else 45 and 12 KB, whatever the records hold. Everything here is
pure: the same rows of the ledger give the same message.
"""

from __future__ import annotations

from collections.abc import Sequence

from callerid.alerts import describe, layout
from callerid.alerts import storm as storms
from callerid.alerts.blocks import Block, Message, context, section, size
from callerid.alerts.links import NOWHERE, Look, links
from callerid.alerts.storm import PAGE
from callerid.alerts.text import escaped, visible
from callerid.ledger.alert import Alert, Tally
from callerid.ledger.outbox import Counts

LARGEST = 6_000
"""Bytes of an alert's blocks."""
_TEXT_ALONE = 2
"""The rung on which nothing but text is left."""
_REPEAT = " (Possible repeat.)"


def alert(alert: Alert, tally: Tally, look: Look = NOWHERE) -> Message:
    """Return a finding as a message, as plain as its ``rung``."""
    text = describe.sentence(alert, tally)
    if alert.rung < _TEXT_ALONE:
        text += describe.began(alert, tally)
    else:
        why = f"{layout.why_in_line(alert)}{layout.chain_in_line(alert, tally)}"
        text = f"{text} {why} {layout.small_print(alert, tally)}{layout.mention(alert)}"
    text = _text(alert, text, is_explained=describe.is_explained(tally))
    if alert.rung == 0:
        return Message(text, tuple(_blocks(alert, tally, look)), _ids(alert))
    return Message(text, tuple(layout.simple(alert, tally)) if alert.rung < _TEXT_ALONE else ())


def storm(storm: Alert, tally: Tally, members: Sequence[Counts]) -> Message:
    """Return a storm as a message; ``members`` are its findings, the gravest and most frequent first."""
    text = storms.sentence(storm, tally, members)
    if storm.rung >= _TEXT_ALONE:
        text = f"{text} {storms.small_print(storm, tally)}{layout.mention(storm)}"
    text = _text(storm, text)
    if storm.rung == 0:
        return Message(text, tuple(storms.full(storm, tally, members)), _ids(storm))
    return Message(text, tuple(storms.simple(storm, tally, members)) if storm.rung < _TEXT_ALONE else ())


def storm_list(members: Sequence[Counts], start: int, total: int, *, repeat: bool = False) -> Message:
    """Return a page of a storm's findings for its thread, at most :data:`PAGE`; ``start`` counts from one."""
    text = f"Findings {start:,} to {start + len(members) - 1:,} of {total:,}.{_REPEAT * repeat}"
    return Message(text, (*storms.listed(members, start), *([context(_REPEAT.strip())] if repeat else [])))


def announcement(alert: Alert, sentence: str, *, repeat: bool = False) -> Message:
    """Return why an alert has become more urgent, for its thread and the channel; ``sentence`` is ours."""
    news, about = f"{escaped(visible(sentence))}{_REPEAT * repeat}", describe.summary(alert)
    text = f"{describe.severity_of(alert).upper()}: {news} {about[:1].upper()}{about[1:]}."
    return Message(text, (section(f"{describe.mark(alert.severity)} *{news}*\n{about[:1].upper()}{about[1:]}."),))


def _text(alert: Alert, sentence: str, *, is_explained: bool = False) -> str:
    """Return what a phone shows, with what a reader must know who sees nothing else."""
    repeat = f" (Possible repeat of attempt {alert.doubtful}.)" if alert.doubtful and alert.rung < _TEXT_ALONE else ""
    return f"{'Settled. ' if alert.settled else 'Explained. ' if is_explained else ''}{sentence}{repeat}"


def _ids(alert: Alert) -> dict[str, str | int]:
    return {"alert": alert.key, "window": alert.window, "attempt": alert.attempt}


def _blocks(alert: Alert, tally: Tally, look: Look) -> list[Block]:
    """Return the blocks with as much to paste as there is room for."""
    pasted = layout.pasted(alert)
    places = links(alert.line, alert.rule, received=alert.heard, look=look)
    blocks = list(layout.full(alert, tally, pasted, places))
    while pasted and size(blocks) > LARGEST:
        pasted.pop()
        blocks = list(layout.full(alert, tally, pasted, places))
    return blocks


__all__ = ["PAGE", "Message", "alert", "announcement", "storm", "storm_list"]
