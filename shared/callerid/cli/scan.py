"""``callerid scan``: log files in, a table or JSON out."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO

import click
import msgspec

from callerid import scan as scanning
from callerid.cli.error import WrongInputError
from callerid.cli.policy import given
from callerid.judgement import Severity, Verdict
from callerid.names.printable import inert, printable
from callerid.policy.book import Book
from callerid.sources import files

_POOL_PAYS_BYTES = 8 << 20
"""Below this much packed input, starting processes takes longer than they save."""
_UNREADABLE_NAMED = 20
"""Lines on standard error before the rest is only counted."""
_SPOOL_BYTES = 16 << 20
_THRESHOLDS = ("any", *(severity.value for severity in Severity), "never")


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option(
    "--policy",
    metavar="FILE",
    envvar="CALLERID_POLICY",
    help="The caller book (YAML). Without one: an inventory of who was seen. [env: CALLERID_POLICY]",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "jsonl", "json", "csv", "ocsf", "markdown"]),
    default="table",
    show_default=True,
    help="table: for people. jsonl: a judgement a line. json: one object with the totals and the findings. csv: a"
    " judgement a row. ocsf: an OCSF Detection Finding a line, for a SIEM. markdown: a table for a ticket.",
)
@click.option(
    "--all", "every", is_flag=True, help="With jsonl or csv: every record's judgement, not only the findings."
)
@click.option(
    "--fail-on",
    type=click.Choice(_THRESHOLDS),
    default="any",
    show_default=True,
    help="Exit with 1 where a finding is at least this severe.",
)
@click.option("--ledger", metavar="URL", help="Also record what is found; sqlite:///FILE, dynamodb://…, firestore://….")
@click.option("--sessions", is_flag=True, help="With --ledger: also keep sessions, for `callerid trace --ledger`.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes to use. [default: one a core]")
def scan(
    paths: tuple[str, ...],
    policy: str | None,
    format_: str,
    every: bool,
    fail_on: str,
    ledger: str | None,
    sessions: bool,
    jobs: int | None,
) -> None:
    """Judge the records in files, folders and patterns; - is standard input, logging://PROJECT?since=TIME history.

    Reads CloudTrail log files, EventBridge events, `aws cloudtrail lookup-events`, Cloud Audit Logs as gcloud
    prints them or a sink writes them, and Pub/Sub messages: plain or gzip, recognised by content.

    Exit status: 0 clean, 1 findings (see --fail-on), 2 wrong usage or policy, or nothing readable.
    """
    files.settle_memory()
    if every and format_ not in ("jsonl", "csv"):
        raise click.UsageError("--all goes with --format jsonl or csv")
    if sessions and not ledger:
        raise click.UsageError("--sessions goes with --ledger")
    try:
        found = files.find(paths)
    except files.NoFileError as error:
        raise WrongInputError(str(error)) from error
    book = given(policy)
    if sys.stdout is None:
        raise WrongInputError("standard output is closed")
    try:
        with _printer(format_, sys.stdout.buffer) as (emit, finish):
            tally = _scan(
                found, book, format_, every=every, jobs=jobs, emit=emit, keeper=_keeper(ledger, book, sessions)
            )
            finish(tally, book)
        sys.stdout.flush()
    except scanning.LostError as error:
        raise WrongInputError(str(error)) from error
    gc.freeze()  # there are no cycles to look for once more as the interpreter ends
    _name_unreadable(tally)
    for told in tally.broken_off:
        click.echo(f"callerid: {told}", err=True)
    sys.exit(_status(tally, fail_on))


def _scan(
    found: list[str],
    book: Book | None,
    format_: str,
    *,
    every: bool,
    jobs: int | None,
    emit: scanning.Emit,
    keeper: Callable[[], scanning.Keep] | None,
) -> scanning.Tally:
    select = scanning.Select(findings=format_ != "table", every=every, groups=format_ == "table")
    size = sum(map(files.size_of, found))
    if jobs is None:
        jobs = scanning.cores() if size >= _POOL_PAYS_BYTES else 1
    with _progress(size) as done:
        return scanning.scan(found, book, select=select, emit=emit, jobs=jobs, keeper=keeper, done=done)


def _keeper(url: str | None, book: Book | None, sessions: bool) -> Callable[[], scanning.Keep] | None:
    """Return what makes, in each process, the way into the ledger; None where there is none."""
    if url is None:
        return None
    from callerid.cli.ledger import keeper  # a scan without a ledger needs neither it nor a database

    return partial(keeper, url, book, sessions=sessions)


@contextmanager
def _progress(size: int) -> Iterator[Callable[[str], None]]:
    """Show a bar on a terminal, by the bytes of the files that are done."""
    if sys.stderr is None or not sys.stderr.isatty() or size < _POOL_PAYS_BYTES:
        yield lambda path: None
        return
    from rich.console import Console  # here because a scan without a terminal needs none of it
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("scanning"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=size)
        yield lambda path: progress.advance(task, files.size_of(path))


_Finish = Callable[[scanning.Tally, Book | None], object]


@contextmanager
def _printer(format_: str, out: IO[bytes]) -> Iterator[tuple[scanning.Emit, _Finish]]:
    """Yield where judgements go one by one, and what prints the rest."""
    match format_:
        case "jsonl":
            yield out.write, lambda tally, book: None
        case "json":
            import tempfile

            with tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as spool:
                yield spool.write, lambda tally, book: _print_json(tally, book, spool, out)
        case "csv" | "ocsf" | "markdown":
            from callerid.formats import tongue

            said = tongue(format_, time.time())
            out.write(said.begin())
            yield (
                lambda lines: out.write(b"".join(map(said.take, lines.splitlines()))),
                lambda tally, book: out.write(said.end(tally.verdicts)),
            )
        case _:
            yield lambda line: None, _print_table


def _print_table(tally: scanning.Tally, book: Book | None) -> None:
    from callerid.cli.table import render  # rich is for people alone

    render(tally, has_policy=book is not None)


class _Summary(msgspec.Struct):
    policy: str | None
    files: int
    records: int
    verdicts: dict[str, int]
    passed_over: dict[str, int]
    unreadable: list[scanning.UnreadableRecord]


def _print_json(tally: scanning.Tally, book: Book | None, spool: IO[bytes], out: IO[bytes]) -> None:
    """Print the totals, then the findings, which may be more than memory holds."""
    summary = _Summary(
        policy=book.digest if book else None,
        files=tally.files,
        records=tally.records,
        verdicts={verdict: tally.verdicts[verdict] for verdict in Verdict},
        passed_over=dict(sorted(tally.passed_over.items())),
        unreadable=tally.unreadable,
    )
    out.write(inert(msgspec.json.encode(summary)).removesuffix(b"}") + b',"findings":[')
    spool.seek(0)
    for index, finding in enumerate(spool):
        out.write((b",\n" if index else b"\n") + finding.rstrip(b"\n"))
    out.write(b"\n]}\n")


def _name_unreadable(tally: scanning.Tally) -> None:
    for record in tally.unreadable[:_UNREADABLE_NAMED]:
        click.echo(f"callerid: {printable(record.source)}: {record.reason}: {printable(record.error or '')}", err=True)
    more = tally.verdicts[Verdict.UNREADABLE] - min(len(tally.unreadable), _UNREADABLE_NAMED)
    if more > 0:
        click.echo(f"callerid: {more:,} more unreadable; --format jsonl --all names each", err=True)


def _status(tally: scanning.Tally, fail_on: str) -> int:
    if tally.broken_off or (tally.records and tally.records == tally.verdicts[Verdict.UNREADABLE]):
        return 2
    if fail_on == "never":
        return 0
    least = 0 if fail_on == "any" else Severity(fail_on).rank
    return int(any(count for severity, count in tally.severities.items() if severity.rank >= least))
