"""``callerid replay``: what an edit of the caller book changes, over logs that are there."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from callerid.cli.error import WrongInputError
from callerid.names.printable import inert, printable
from callerid.replay import Change, Replay, Side
from callerid.scan import Row

_ROWS_SHOWN = 100
"""Of a table: a pull request's comment holds 65,536 characters."""
_CELL = 160
"""Characters of a name in a table."""


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--old", metavar="FILE", required=True, help="The caller book as it is.")
@click.option("--new", metavar="FILE", required=True, help="The caller book as it is to be.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "jsonl", "markdown"]),
    default="table",
    show_default=True,
    help="table: for people. jsonl: a group of accesses a line. markdown: for a pull request's comment.",
)
@click.option("--reasons", is_flag=True, help="Also show what keeps its verdict for other reasons, or another caller.")
def replay(paths: tuple[str, ...], old: str, new: str, format_: str, reasons: bool) -> None:
    """Show which accesses in PATHs get another verdict under the new caller book than under the old one.

    Exit status: 0 none does, 1 some do, 2 wrong usage, a bad policy, or nothing readable.
    """
    import os

    from callerid import replay as replaying
    from callerid.policy import cache
    from callerid.policy.fault import PolicyError
    from callerid.sources import files

    try:
        folder = cache.folder(dict(os.environ))
        books = (cache.load(old, folder), cache.load(new, folder))
        found = replaying.replay(files.find(paths), *books)
    except (PolicyError, files.NoFileError) as error:
        raise WrongInputError(str(error)) from error
    rows = found.verdicts + (found.details if reasons else [])
    match format_:
        case "jsonl":
            _jsonl(rows)
        case "markdown":
            for line in _markdown(found, rows):
                click.echo(line)
        case _:
            _table(found, rows)
    if found.records == found.unreadable:
        raise WrongInputError("nothing readable in the logs")
    sys.exit(int(bool(found.verdicts)))


def _jsonl(rows: list[tuple[Change, Row]]) -> None:
    import msgspec

    for change, row in rows:
        line = {**change._asdict(), "old": change.old._asdict(), "new": change.new._asdict()}
        line |= {"count": row.count, "first": row.first, "last": row.last}
        click.echo(inert(msgspec.json.encode(line)))


def _summary(found: Replay) -> str:
    from callerid.cli.table import counted

    changed = sum(row.count for _, row in found.verdicts)
    worse = sum(row.count for change, row in found.verdicts if change.is_worse)
    other = sum(row.count for _, row in found.details)
    of = f"{counted(found.records, 'record')} in {counted(found.files, 'file')}"
    text = f"{of}: {changed:,} get{'s' * (changed == 1)} another verdict"
    text += f", {worse:,} of them become findings" if changed else ""
    return text + (f"; {other:,} keep theirs for other reasons or under another caller" if other else "")


def _table(found: Replay, rows: list[tuple[Change, Row]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from callerid.cli.table import NOBODY, STYLES, screen, short

    console = screen()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, expand=True)
    table.add_column("old → new\nhow often", no_wrap=True)
    for title in ("who\nfrom where", "to what", "why"):
        table.add_column(title, overflow="fold", ratio=1)
    for change, row in rows[:_ROWS_SHOWN]:
        verdict = Text(change.old.verdict, style=STYLES.get(change.old.verdict, ""))
        verdict.append(" →\n").append(change.new.verdict, style=STYLES.get(change.new.verdict, ""))
        verdict.append(f"\n{row.count:,} times" if row.count != 1 else "\nonce")
        name = Text(change.new.caller or change.old.caller or short(change.who) or NOBODY, style="bold")
        name.append(f"\n{short(change.origin) or '–'}", style="not bold")
        table.add_row(verdict, name, Text(short(change.target) or "–"), Text(_why(change)), end_section=True)
    if rows:
        console.print(table)
    if len(rows) > _ROWS_SHOWN:
        console.print(f"{len(rows) - _ROWS_SHOWN:,} more rows; --format jsonl has every one")
    console.print(_summary(found), soft_wrap=True)


def _why(change: Change) -> str:
    return f"{_reasons(change.old)} →\n{_reasons(change.new)}"


def _reasons(side: Side) -> str:
    return ", ".join(side.reasons) or (f"as {side.caller}" if side.caller else "–")


def _markdown(found: Replay, rows: list[tuple[Change, Row]]) -> Iterator[str]:
    """Yield Markdown. What a record holds stands in code, where it can mention nobody and format nothing."""
    yield f"**callerid replay**: {_summary(found)}."
    if not rows:
        return
    yield ""
    yield "| times | verdict | who | from | to | reasons |"
    yield "| ---: | --- | --- | --- | --- | --- |"
    for change, row in rows[:_ROWS_SHOWN]:
        mark = "⚠️ " if change.is_worse else ""
        name = change.new.caller or change.old.caller or change.who
        cells = (_code(name), _code(change.origin), _code(change.target))
        why = f"{_code(_reasons(change.old))} → {_code(_reasons(change.new))}"
        yield f"| {row.count:,} | {mark}{change.old.verdict} → {change.new.verdict} | {' | '.join(cells)} | {why} |"
    if len(rows) > _ROWS_SHOWN:
        yield ""
        yield f"{len(rows) - _ROWS_SHOWN:,} more; `--format jsonl` has every one."


def _code(text: str) -> str:
    if not text:
        return "–"
    cut = printable(text[:_CELL] + ("…" if len(text) > _CELL else ""))
    return "`" + cut.replace("`", "'").replace("|", "\\|") + "`"
