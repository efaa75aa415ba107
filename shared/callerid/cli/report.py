"""``callerid report``: a ledger or log files in, one page of HTML out."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from callerid import moment
from callerid.cli.error import WrongInputError
from callerid.cli.policy import given
from callerid.extras import needed
from callerid.ledger.url import FORMS
from callerid.policy.book import Book

if TYPE_CHECKING:
    from callerid.report.figures import Figures
    from callerid.report.page import Origin
    from callerid.trace.query import Query
    from callerid.trace.run import Result


def _day(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Return a day as ``2026-11-02``, or say what was expected."""
    try:
        return str(date.fromisoformat(value)) if value else None
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no day: expected YYYY-MM-DD", ctx, param) from error


@click.command()
@click.argument("logs", metavar="[LOGS...]", nargs=-1)
@click.option("--ledger", metavar="URL", help=f"Report on a ledger: {FORMS}. [env: CALLERID_LEDGER, without LOGS]")
@click.option(
    "--policy",
    metavar="FILE",
    envvar="CALLERID_POLICY",
    help="The caller book (YAML): judges LOGS; of a ledger, names the entries that nobody used. [env: CALLERID_POLICY]",
)
@click.option(
    "--since",
    metavar="DAY",
    callback=_day,
    help="The first day, by the records' time in UTC. [default: a quarter; all of LOGS]",
)
@click.option("--until", metavar="DAY", callback=_day, help="The last day. [default: today; the last of LOGS]")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    default="report.html",
    show_default=True,
    help="Where the page goes; - is standard output.",
)
@click.option(
    "--trace",
    "queries",
    metavar="QUERY",
    multiple=True,
    help="Also the chains of this record, key, session, role or name, as `callerid trace --forward` finds them; again"
    " for another. LOGS are read twice more, however many there are.",
)
def report(
    logs: tuple[str, ...],
    ledger: str | None,
    policy: str | None,
    since: str | None,
    until: str | None,
    output: str,
    queries: tuple[str, ...],
) -> None:
    """Write a page for an auditor: the share with a name, who reaches what, every finding, what was not observed.

    One file that needs no network. From a ledger, or from log files, as `callerid scan` reads them.

    Exit status: 0 written, 1 written, but nothing was found of what a --trace asks for, 2 wrong usage or policy, or no
    such ledger or logs: nothing is written.
    """
    if since and until and since > until:
        raise click.UsageError(f"--since {since} is after --until {until}")
    ledger = ledger or (None if logs else os.environ.get("CALLERID_LEDGER"))
    if bool(logs) == bool(ledger):
        raise click.UsageError("give either LOGS or --ledger URL")
    try:
        from callerid.report.page import page
    except ModuleNotFoundError as error:
        raise WrongInputError(f"a report {needed('report', error)}") from error
    now = time.time()
    book = given(policy)
    wanted = _wanted(queries, logs, since, until, policy)
    if ledger:
        found, origin = _of_ledger(ledger, book, since, until, now)
    else:
        found, origin = _of_logs(logs, book, since, until, now)
    traced = _traced(wanted, logs, ledger)
    broken_off = (*origin.broken_off, *(told for result in traced[:1] for told in result.broken_off))
    _write(page(found, origin._replace(broken_off=tuple(dict.fromkeys(broken_off))), traced), output)
    missed = [result.named for result in traced if not result.chains]
    for name in missed:
        click.echo(f"callerid: nothing found for {name}", err=True)
    if missed:
        sys.exit(1)


def _wanted(
    queries: tuple[str, ...], logs: tuple[str, ...], since: str | None, until: str | None, policy: str | None
) -> list[Query]:
    """Return what is to be traced, before anything is read."""
    from callerid.trace import run

    if queries and any(map(run.is_read_once, logs)):
        raise click.UsageError("--trace reads LOGS again, which standard input and pipes cannot be")
    last = f"{until}T23:59:59Z" if until else None
    try:
        return [run.query(text, since=since, until=last, policy=policy) for text in dict.fromkeys(queries)]
    except run.InputError as error:
        raise WrongInputError(str(error)) from error


def _traced(wanted: list[Query], logs: tuple[str, ...], ledger: str | None) -> list[Result]:
    from callerid.sources import files
    from callerid.trace import run

    if not wanted:
        return []
    try:
        if ledger:
            return [run.in_ledger(ledger, query, forward=True) for query in wanted]
        files.settle_memory()
        return run.each_in_logs(logs, wanted, forward=True)
    except run.InputError as error:
        raise WrongInputError(str(error)) from error


def _of_ledger(url: str, book: Book | None, since: str | None, until: str | None, now: float) -> tuple[Figures, Origin]:
    from callerid.cli.ledger import opened
    from callerid.ledger.store import UnavailableError
    from callerid.report.figures import figures
    from callerid.report.page import Origin

    store, today = opened(url), moment.at(now)[:10]
    try:
        found = figures(store, since=since, until=until or max(today, since or today), today=today, book=book)
    except UnavailableError as error:
        raise WrongInputError(str(error)) from error
    finally:
        store.close()
    return found, Origin(f"the ledger {url}", moment.at(now))


def _of_logs(
    paths: tuple[str, ...], book: Book | None, since: str | None, until: str | None, now: float
) -> tuple[Figures, Origin]:
    from callerid.cli.table import counted
    from callerid.judgement import Verdict
    from callerid.report.logs import read
    from callerid.report.page import Origin
    from callerid.sources import files

    try:
        found_files = files.find(paths)
    except files.NoFileError as error:
        raise WrongInputError(str(error)) from error
    files.settle_memory()
    with _progress(sum(map(files.size_of, found_files))) as done:
        found, tally = read(
            found_files, book, since=since, until=until, now=now, done=lambda path: done(files.size_of(path))
        )
    gc.enable()
    if tally.records and tally.records == tally.verdicts[Verdict.UNREADABLE]:
        raise WrongInputError("nothing readable in the logs; `callerid scan` says what was expected where")
    number = f"{counted(tally.records, 'record')} in {counted(tally.files, 'file')}"
    number += ", copies of a crossing or a finding counted once"
    passed = ", ".join(f"{count:,} {what}" for what, count in sorted(tally.passed_over.items()))
    return found, Origin(number, moment.at(now), book.digest if book else None, passed, tuple(tally.broken_off))


@contextmanager
def _progress(size: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal, by the bytes of the files that are done."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda done: None
        return
    with click.progressbar(length=size, label="reading", file=sys.stderr) as bar:
        yield bar.update


def _write(text: str, output: str) -> None:
    """Write the page beside its place first: a report is there as a whole or not at all."""
    if output == "-":
        click.echo(text.encode(), nl=False)  # as the page says of itself, whatever the terminal's encoding
        return
    path = Path(output)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise WrongInputError(f"{output} cannot be written: {error.strerror}") from error
    click.echo(f"{output}: {len(text.encode()) / 1024:,.0f} KB", err=True)
