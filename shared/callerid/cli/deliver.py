"""``callerid deliver``: what waits in a ledger goes to Slack."""

from __future__ import annotations

import time

import click

from callerid.cli import slack
from callerid.cli.error import WrongInputError
from callerid.cli.ledger import opened, required
from callerid.ledger.store import Store, UnavailableError
from callerid.names.printable import printable


@click.command()
@required
@slack.channel
@click.option("--portal", default="", metavar="NAME", help="Your access portal, NAME.awsapps.com, for links.")
@click.option("--runbooks", default="", metavar="URL", help="Where docs/reasons.md is served, for links.")
@click.option("--dry-run", is_flag=True, help="Print the messages as they would look; send and change nothing.")
def deliver(ledger: str, channel: str, portal: str, runbooks: str, dry_run: bool) -> None:
    """Post what waits, and bring the counts of what is out up to date.

    The token is read from CALLERID_SLACK_TOKEN: a bot token (xoxb-…), or an incoming webhook's URL, which can
    neither edit nor thread. Without any trouble it ends when nothing waits any more.

    Exit status: 0 nothing waits, 1 something still does, 2 wrong usage, no such ledger.
    """
    store, look = opened(ledger), slack.look(portal, runbooks)
    if dry_run:
        _show(store, look, channel)
        return
    from callerid.alerts.clock import Clock
    from callerid.alerts.deliver import Deliverer
    from callerid.alerts.second import StandardError
    from callerid.alerts.watch import watch

    sender = slack.sender(channel)
    clock = Clock(time.time, time.sleep)
    try:
        done = Deliverer(store, lambda: sender, channel, clock=clock, look=look).deliver(budget_seconds=3600)
        watch(store, StandardError(), now=time.time(), pause=time.sleep)
    except UnavailableError as error:
        raise WrongInputError(str(error)) from error
    click.echo(f"{done.posted:,} posted, {done.edited:,} edited, {done.waiting:,} still waiting")
    raise SystemExit(1 if done.waiting else 0)


def _show(store: Store, look: slack.Look, default: str) -> None:
    from callerid.alerts.deliver import written
    from callerid.alerts.terminal import render
    from callerid.ledger.outbox import Outbox

    outbox = Outbox(store, time.sleep)
    waiting = [(key, due.channel or default or "the default channel") for key, due in outbox.due() if not due.posted]
    for number, (key, to) in enumerate(waiting, 1):
        counts = outbox.read(key)
        if counts is not None:
            click.echo(f"{'' if number == 1 else chr(10)}── {number:,} of {len(waiting):,}, to {printable(to)} ──\n")
            click.echo(render(written(outbox.with_members(counts), outbox.members(counts.alert), look)))
    click.echo(f"\n{len(waiting):,} to be posted; nothing was sent")
