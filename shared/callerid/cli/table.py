"""The table of a scan: worst first, one row for what a person reads as one, and totals that add up."""

from __future__ import annotations

import re

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from callerid.cli.text import printable
from callerid.group import Group
from callerid.judgement import Verdict
from callerid.names import arn
from callerid.reasons import REASONS
from callerid.scan import Row, Tally

ROWS_SHOWN = 200
"""Rows of a table before the rest is only counted; ``--format jsonl`` has every one."""
WIDTH = 118
"""Columns where the output is no terminal: what a review or a ticket shows without wrapping."""
_ORDER = (
    Verdict.ANONYMOUS,
    Verdict.UNEXPECTED,
    Verdict.UNATTRIBUTABLE,
    Verdict.IDENTIFIED,
    Verdict.NAMED,
)
_STYLES = {
    Verdict.ANONYMOUS: "bold red",
    Verdict.UNEXPECTED: "bold yellow",
    Verdict.UNATTRIBUTABLE: "magenta",
    Verdict.IDENTIFIED: "green",
    Verdict.NAMED: "green",
}
_NOBODY = "(nobody named)"


def render(tally: Tally, *, has_policy: bool) -> None:
    """Print a tally to standard output."""
    console = Console(highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, emoji=False, markup=False, width=WIDTH)
    rows = sorted(tally.rows.items(), key=_place)
    if rows:
        console.print(_table(rows[:ROWS_SHOWN]))
    if len(rows) > ROWS_SHOWN:
        console.print(f"{len(rows) - ROWS_SHOWN:,} more rows; --format jsonl has every finding")
    console.print(_totals(tally))
    if not has_policy:
        console.print("No policy: an inventory. With --policy FILE callers are held to your caller book.")


def _place(item: tuple[Group, Row]) -> tuple[int, int, int, Group]:
    group, row = item
    return (_ORDER.index(group.verdict), -group.severity.rank, -row.count, group)


def _table(rows: list[tuple[Group, Row]]) -> Table:
    told = any(group.reasons for group, _ in rows)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, expand=told)
    table.add_column("verdict", no_wrap=True)
    table.add_column("who\nfrom where", overflow="fold", ratio=6)
    table.add_column("to what", overflow="fold", ratio=5)
    table.add_column("times", justify="right", no_wrap=True)
    table.add_column("first\nlast (UTC)", no_wrap=True)
    if told:
        table.add_column("why", overflow="fold", ratio=6)
    for group, row in rows:
        who = _text(_short(group.who) or _NOBODY)
        who.append(f"\n{printable(_short(group.origin)) or '–'}", style="dim")
        cells = (_verdict(group), who, _text(_target(group)), f"{row.count:,}", _span(row))
        table.add_row(*cells, *([_text(_why(group))] if told else []))
    return table


def _verdict(group: Group) -> Text:
    text = Text(group.verdict, style=_STYLES[group.verdict])
    if group.verdict in (Verdict.ANONYMOUS, Verdict.UNEXPECTED):
        text.append(f"\n{group.severity}", style="default")
    return text


def _text(text: str) -> Text:
    """Return text from a log as it is: no markup, no control."""
    return Text(printable(text))


def _short(name: str) -> str:
    """Return a name as short as it stays one: an ARN as ``role/NAME (ACCOUNT)``, a provider by pool and id."""
    found = arn.parse(name)
    if found is not None:
        return f"{'role' if found.type == 'assumed-role' else found.type}/{found.name} ({found.account})"
    in_pool = re.search(r"/work(?:loadIdentity|force)Pools/(.+)", name)
    if in_pool:
        pool, _, provider = in_pool[1].partition("/providers/")
        return f"pool {pool}" + (f", provider {provider}" if provider else "")
    return f"account {name}" if len(name) == 12 and name.isdigit() else name


def _target(group: Group) -> str:
    text = _short(group.target) or "–"
    return f"{text} (denied)" if group.outcome == "denied" else text


def _span(row: Row) -> str:
    """Return first and last time to the minute, once where both are the same."""
    if row.first is None or row.last is None:
        return "time not logged"
    first, last = row.first[:16].replace("T", " "), row.last[:16].replace("T", " ")
    return first if first == last else f"{first}\n{last}"


def _why(group: Group) -> str:
    return "\n".join(f"{code}: {REASONS[code].why}" for code in group.reasons)


def _totals(tally: Tally) -> str:
    counts = [
        f"{tally.verdicts[verdict]:,} {verdict}"
        for verdict in (*_ORDER, Verdict.OUT_OF_SCOPE, Verdict.UNREADABLE)
        if tally.verdicts[verdict]
    ]
    of = f"{tally.records:,} records in {_files(tally.files)}"
    passed = ", ".join(f"{count:,} {what}" for what, count in sorted(tally.passed_over.items()))
    return f"{of}: {' + '.join(counts) or 'none'}" + (f"; passed over: {passed}" if passed else "")


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"
