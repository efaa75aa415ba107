"""The table of a scan: worst first, one row for what a person reads as one, and totals that add up."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from callerid.access import Kind
from callerid.group import Group
from callerid.judgement import FINDINGS, Verdict
from callerid.names import short as names
from callerid.names.printable import printable
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
STYLES = {
    Verdict.ANONYMOUS: "bold red",
    Verdict.UNEXPECTED: "bold yellow",
    Verdict.UNATTRIBUTABLE: "magenta",
    Verdict.IDENTIFIED: "green",
    Verdict.NAMED: "green",
}
STEPS = {kind.value: f"({kind.value.replace('-', ' ')})" for kind in Kind}
"""What stands for the target of kinds that have none."""
_NAMELESS = (Verdict.ANONYMOUS, Verdict.UNATTRIBUTABLE)
NOBODY = "(nobody named)"
_SESSIONS = "(sessions)"
"""Sessions that a requirement only warns about: each has its own name, which says no more than that."""


class _Screen(Console):
    """A console that leaves it to the command what to do where nobody reads on; rich would end it with 1."""

    def on_broken_pipe(self) -> None:
        """Let the error pass."""
        raise  # noqa: PLE0704  # called while it is handled


def screen() -> Console:
    """Return standard output as tables are drawn on it; nothing in a name is markup or an emoji."""
    console = _Screen(highlight=False, emoji=False, markup=False)
    return console if console.is_terminal else _Screen(highlight=False, emoji=False, markup=False, width=WIDTH)


def render(tally: Tally, *, has_policy: bool) -> None:
    """Print a tally to standard output: the findings with their reasons, everybody else, the totals."""
    console = screen()
    rows = sorted(tally.rows.items(), key=_place)
    findings = [row for row in rows if row[0].verdict in FINDINGS]
    others = [row for row in rows if row[0].verdict not in FINDINGS]
    if findings:
        console.print(_findings(findings[:ROWS_SHOWN]))
    if others:
        console.print(_others(others[:ROWS_SHOWN]))
        console.print()
    hidden = max(0, len(findings) - ROWS_SHOWN) + max(0, len(others) - ROWS_SHOWN)
    if hidden:
        console.print(f"{hidden:,} more rows; --format jsonl has every finding, with --all every record")
    console.print(_totals(tally), soft_wrap=True)
    if any(group.reasons for group, _ in rows):
        console.print("`callerid explain CODE` says what a reason means and how to fix it.")
    if not has_policy:
        console.print("No policy: an inventory. With --policy FILE callers are held to your caller book.")


def counted(count: int, what: str) -> str:
    """Return a number with its noun, of which one has no *s*."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def _place(item: tuple[Group, Row]) -> tuple[int, int, int, Group]:
    group, row = item
    return (_ORDER.index(group.verdict), -group.severity.rank, -row.count, group)


def _findings(rows: list[tuple[Group, Row]]) -> Table:
    table = _empty("verdict\nhow often, when (UTC)")
    table.add_column("why", overflow="fold", ratio=1)
    for group, row in rows:
        verdict = Text(f"{group.verdict}, {group.severity}", style=STYLES[group.verdict])
        verdict.append(f"\n{_times(row)}\n{_span(row)}", style="default not bold")
        table.add_row(verdict, _who(group), _target(group), _why(group), end_section=True)
    return table


def _others(rows: list[tuple[Group, Row]]) -> Table:
    table = _empty("verdict\nhow often")
    table.add_column("first\nlast (UTC)", no_wrap=True)
    for group, row in rows:
        verdict = Text(group.verdict, style=STYLES[group.verdict])
        verdict.append(f"\n{_times(row)}", style="default")
        who = _who(group)
        if group.reasons:
            who.append("\n" + "\n".join(group.reasons), style="italic")
        table.add_row(verdict, who, _target(group), _span(row))
    return table


def _empty(first: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, expand=True)
    table.add_column(first, no_wrap=True)
    table.add_column("who\nfrom where", overflow="fold", ratio=1)
    table.add_column("to what", overflow="fold", ratio=1)
    return table


def _times(row: Row) -> str:
    return "once" if row.count == 1 else f"{row.count:,} times"


def _who(group: Group) -> Text:
    """Return who it was over from where; an account that the name holds already is not told twice."""
    nobody = NOBODY if group.verdict in _NAMELESS else _SESSIONS
    who, origin = short(group.who) or nobody, short(group.origin) or "–"
    if origin.startswith("account "):
        who = who.removesuffix(origin.replace("account ", "\n"))
    return Text(who, style="bold").append(f"\n{origin}", style="not bold")


def _why(group: Group) -> Text:
    text = Text()
    for code in group.reasons:
        text.append("\n" if text else "").append(code, style="bold").append(f"\n{REASONS[code].why}")
    return text


def short(name: str) -> str:
    """Return a name from a log, safe to print and as short as it stays one, over its account."""
    found = names.short(printable(name))
    return f"{found.name}\n{found.account}" if found.account else found.name


def _target(group: Group) -> Text:
    """Return what was reached; where the record names no target, which step it was."""
    text = Text(STEPS.get(group.target) or short(group.target) or "–")
    return text.append("\ndenied", style="bold") if group.outcome == "denied" else text


def _span(row: Row) -> str:
    """Return first and last time to the minute, once where both are the same."""
    if row.first is None or row.last is None:
        return "time not logged"
    first, last = row.first[:16].replace("T", " "), row.last[:16].replace("T", " ")
    return first if first == last else f"{first}\n{last}"


def _totals(tally: Tally) -> str:
    counts = [
        f"{tally.verdicts[verdict]:,} {verdict}"
        for verdict in (*_ORDER, Verdict.OUT_OF_SCOPE, Verdict.UNREADABLE)
        if tally.verdicts[verdict]
    ]
    of = f"{counted(tally.records, 'record')} in {counted(tally.files, 'file')}"
    passed = ", ".join(f"{count:,} {what}" for what, count in sorted(tally.passed_over.items()))
    return f"{of}: {' + '.join(counts) or 'none'}" + (f"; passed over: {passed}" if passed else "")
