"""The doctor's report as a table: a line for each check, in the order of the way that a record takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from callerid.cli.table import screen
from callerid.doctor.check import Finding, State
from callerid.names.printable import printable

_STYLES = {State.OK: "green", State.WARNING: "yellow", State.BROKEN: "bold red", State.UNKNOWN: "bold magenta"}


def render(found: Sequence[Finding]) -> None:
    """Print the findings, and how many there are of each state."""
    console = screen()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, expand=True)
    table.add_column("state", no_wrap=True)
    table.add_column("checked", overflow="fold", ratio=2)
    table.add_column("found\n→ to do", overflow="fold", ratio=5)
    for finding in found:
        text = Text(printable(finding.found))
        if finding.to_do:
            text.append(f"\n→ {printable(finding.to_do)}", style="bold")
        table.add_row(Text(finding.state, style=_STYLES[finding.state]), printable(finding.what), text)
    console.print(table)
    counts = Counter(finding.state for finding in found)
    console.print(", ".join(f"{counts[state]} {state}" for state in State if counts[state]), soft_wrap=True)
