"""``callerid alerts``: what was found, what was told, and what is still to be told."""

from __future__ import annotations

import getpass
import time

import click
import msgspec

from callerid.cli.error import WrongInputError
from callerid.cli.ledger import opened, required
from callerid.ledger import ask
from callerid.ledger.alert import Told
from callerid.names.printable import inert


@click.command()
@required
@click.option("--all", "every", is_flag=True, help="Settled findings too.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "jsonl"]),
    default="table",
    show_default=True,
    help="table: for people. jsonl: an alert a line, with the finding that opened it.",
)
@click.option("--settle", metavar="ID", help="Note that a finding is settled; the beginning of its id is enough.")
@click.option("--note", default="", metavar="TEXT", help="With --settle: what was done about it.")
@click.option("--by", metavar="NAME", help="With --settle: who did. [default: the user]")
def alerts(ledger: str, every: bool, format_: str, settle: str | None, note: str, by: str | None) -> None:
    """List the findings of a ledger, what waits to be posted, and what keeps it from being posted.

    Exit status: 0 nothing waits, 1 something does, 2 wrong usage or no such ledger.
    """
    store = opened(ledger)
    if settle is not None:
        try:
            alert = ask.find(store, settle)
        except ask.UnknownAlertError as error:
            raise WrongInputError(str(error)) from error
        ask.settle_alert(store, alert.key, Told(by or _user(), time.time(), note))
        click.echo(f"{alert.key} is settled")
        return
    found = [counts for counts in ask.alerts(store) if every or counts.alert.settled is None]
    due = ask.outbox(store)
    waiting = [row for row in due.values() if not row.posted]
    if format_ == "jsonl":
        for alert, tally in found:
            click.echo(inert(msgspec.json.encode({"alert": alert, "tally": tally})))
    else:
        from callerid.cli import alert_table

        if found:
            alert_table.render(found, due)
        click.echo(alert_table.state(waiting, ask.broken(store), ask.troubles(store)))
    raise SystemExit(1 if waiting else 0)


def _user() -> str:
    """Return the name of whoever is logged in; a container's user may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise click.UsageError("--settle needs --by NAME: the system has no name for this user") from error
