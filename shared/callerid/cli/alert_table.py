"""The findings of a ledger as a table: the gravest first, with what became of each message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from callerid import moment
from callerid.access import Outcome
from callerid.alerts.describe import is_part
from callerid.cli.table import NOBODY, STEPS, STYLES, screen, short
from callerid.judgement import Verdict
from callerid.ledger.alert import Alert, Channel, Due, Tally, Trouble
from callerid.ledger.outbox import Counts
from callerid.names.printable import printable

_ID_SHOWN = 8


def render(found: Sequence[Counts], due: Mapping[str, Due]) -> None:
    """Print the findings; ``due`` is the outbox."""
    console = screen()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, expand=True)
    table.add_column("verdict\nhow often, when (UTC)", no_wrap=True)
    table.add_column("who\nfrom where", overflow="fold", ratio=1)
    table.add_column("to what\nwhy", overflow="fold", ratio=1)
    table.add_column("id\nmessage", no_wrap=True)
    for alert, tally in found:
        table.add_row(_what(alert, tally), _who(alert, tally), _target(alert), _message(alert, due), end_section=True)
    console.print(table)


def state(waiting: Sequence[Due], broken: Sequence[Channel], troubles: Sequence[Trouble]) -> str:
    """Return what waits, since when, and what keeps it."""
    lines = [
        f"Slack refuses {_channel(channel)}: {channel.broken}, since {moment.at(channel.broken_since)}"
        for channel in broken
    ]
    lines += [printable(trouble.text) for trouble in troubles if not trouble.what.startswith("channel ")]
    if waiting:
        oldest = moment.at(min(due.since for due in waiting))
        lines.append(f"{len(waiting):,} to be posted, the oldest since {oldest}; `callerid deliver` posts them")
    return "\n".join(lines or ["nothing waits to be posted"])


def _channel(channel: Channel) -> str:
    return printable(channel.name) or "the default channel"


def _what(alert: Alert, tally: Tally) -> Text:
    verdict = Verdict(alert.line.verdict)
    text = Text(f"{verdict}, {alert.severity}", style=STYLES[verdict])
    often = "once" if tally.count == 1 else f"{tally.count:,} times"
    times = [time[:16].replace("T", " ") for time in (tally.first, tally.last) if time]
    return text.append("\n".join(["", often, *dict.fromkeys(times)]), style="default not bold")


def _who(alert: Alert, tally: Tally) -> Text:
    if alert.members:
        return Text(f"storm of {len(alert.members):,} new findings", style="bold")
    text = Text(short(alert.who) or NOBODY, style="bold").append(f"\n{short(alert.origin) or '–'}", style="not bold")
    names = [short(one.name).replace("\n", " ") for one in alert.began]
    if names:
        some, several = "some " * is_part(tally), "several: " * (len(names) > 1)
        text.append(f"\n{some}began with {several}{', '.join(names)}", style="not bold")
    return text


def _target(alert: Alert) -> Text:
    if alert.members:
        return Text("–")
    line = alert.line
    text = Text(short(line.target or "") or STEPS.get(line.kind or "", "–"))
    if line.outcome == Outcome.DENIED:
        text.append("\ndenied", style="bold")
    kind = f", {line.kind}" if line.kind and line.target else ""
    return text.append(f"\n{alert.rule}{kind}", style="italic")


def _message(alert: Alert, due: Mapping[str, Due]) -> str:
    row = due.get(alert.told_in)
    return f"{alert.key[:_ID_SHOWN]}\n{_became(alert, row)}"


def _became(alert: Alert, due: Due | None) -> str:
    if alert.settled is not None:
        return f"settled by\n{printable(alert.settled.by)[:20]}"
    match alert.state:
        case "sent":
            return "posted"
        case "in-storm":
            return "posted in a storm" if due is None or due.posted else "to be posted\nin a storm"
        case "withdrawn":
            return "explained"
        case _:
            error = f"\n{printable(alert.error)[:20]}" if alert.error else ""
            return f"to be posted{error}" if due is not None else "–"
