"""``callerid trace``: from a record, a key, a role, an account or a name back to who began, and forward."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import click

from callerid.cli.error import WrongInputError

if TYPE_CHECKING:
    from callerid.trace.run import Result


@click.command()
@click.argument("query")
@click.argument("paths", metavar="LOGS...", nargs=-1)
@click.option(
    "--ledger", metavar="URL", help="Trace in a ledger's sessions; sqlite:///FILE, dynamodb://…, firestore://…."
)
@click.option(
    "--index", metavar="FILE", help="Keep the index of LOGS in FILE, and read only what it does not hold yet."
)
@click.option("--forward", is_flag=True, help="Also what was done with it: each call, or from a ledger how many.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["tree", "jsonl", "dot"]),
    default="tree",
    show_default=True,
    help="tree: for people. jsonl: a step a line. dot: a graph for Graphviz.",
)
@click.option("--since", metavar="TIME", help="Only what was at or after this time (RFC 3339, UTC without a zone).")
@click.option("--until", metavar="TIME", help="Only what was at or before this time; a day is a whole one.")
@click.option(
    "--policy", metavar="FILE", envvar="CALLERID_POLICY", help="The caller book, to trace a caller by its name."
)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Chains to show.")
def trace(
    query: str,
    paths: tuple[str, ...],
    ledger: str | None,
    index: str | None,
    forward: bool,
    format_: str,
    since: str | None,
    until: str | None,
    policy: str | None,
    limit: int,
) -> None:
    """Trace QUERY back to whoever began its chain, across roles, accounts and clouds.

    QUERY is a record's id, the id of an access key, the ARN of a session or a role, a service account, a principal,
    a subject, a source identity or session name, or, with --policy, the name of a caller.

    Each link says how good it is. attested: a shared identifier that one issue fits. correlated: the same name within
    the life of the session, or several that fit. inferred: a name only.

    With --index the next question costs no reading; without LOGS the index alone is asked.

    LOGS are files, folders, patterns and logging://PROJECT?since=TIME, as `callerid scan` reads them; with --forward
    they are read twice, so of what comes through a pipe single calls are not listed.

    Exit status: 0 found, 1 nothing of that name, 2 wrong usage, nothing to read, or a history that broke off.
    """
    from callerid.sources import files  # the engine's commands need none of it
    from callerid.trace import run

    files.settle_memory()
    if bool(paths or index) == bool(ledger):
        raise click.UsageError("give either LOGS or --ledger URL; --index FILE goes with LOGS, or alone")
    try:
        wanted = run.query(query, since=since, until=until, policy=policy)
        if index:
            found = run.in_index(index, paths, wanted, forward=forward)
        elif ledger:
            found = run.in_ledger(ledger, wanted, forward=forward)
        else:
            found = run.in_logs(paths, wanted, forward=forward)
    except run.InputError as error:
        raise WrongInputError(str(error)) from error
    for line in run.shown(found, format_, limit) if found.chains else ():
        click.echo(line)
    if index and not paths and not found.chains:
        click.echo("callerid: an index holds no single calls; with LOGS their ids are looked for too", err=True)
    if format_ != "tree" and (more := run.more(found, limit)):
        click.echo(f"callerid: {more:,} more chains; --since, --until and --limit choose among them", err=True)
    _end(found)


def _end(found: Result) -> NoReturn:
    """Say what is missing. Whether there is more to a history that broke off is not known, so that is no success."""
    if found.unreadable:
        what = f"{found.unreadable:,} of the logs' records or files cannot be read, and may hold a part of the chain"
        click.echo(f"callerid: {what}; `callerid scan` names them", err=True)
    for told in found.broken_off:
        click.echo(f"callerid: {told}", err=True)
    if found.broken_off:
        click.echo("callerid: this is a trace of what was read before; one of the rest alone could miss it", err=True)
    if not found.chains:
        click.echo(f"callerid: nothing found for {found.named}", err=True)
    is_unread = found.unreadable and not found.records and not found.chains
    raise SystemExit(2 if found.broken_off or is_unread else int(not found.chains))
