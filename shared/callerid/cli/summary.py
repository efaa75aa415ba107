"""``callerid summary``: the week in numbers, problems first."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click
import msgspec

from callerid.cli import slack
from callerid.cli.error import WrongInputError
from callerid.cli.ledger import opened, required
from callerid.cli.policy import given
from callerid.ledger.store import UnavailableError
from callerid.names.printable import inert

if TYPE_CHECKING:
    from callerid.summary.figures import Summary


@click.command()
@required
@click.option("--week", "label", metavar="WEEK", help="An ISO week, 2026-W47. [default: the last whole one]")
@click.option("--timezone", default="UTC", show_default=True, metavar="ZONE", help="Where the week begins at midnight.")
@click.option(
    "--policy",
    metavar="FILE",
    envvar="CALLERID_POLICY",
    help="The caller book: adds the entries that nobody used or that expire. [env: CALLERID_POLICY]",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "markdown", "csv", "json"]),
    default="text",
    show_default=True,
    help="text: for a terminal. markdown: for a ticket. csv: the trend. json: every figure.",
)
@click.option("--post", "posts", is_flag=True, help="Post it to Slack; a second time edits the first message.")
@slack.channel
def summary(
    ledger: str, label: str | None, timezone: str, policy: str | None, format_: str, posts: bool, channel: str
) -> None:
    """Sum up a week: how many accesses had an identifiable caller, and what somebody should look at.

    Exit status: 0, or 2 for wrong usage, no such ledger or policy, or a Slack that does not take it.
    """
    from callerid.summary import figures, week

    try:
        about = week.week(label, timezone) if label else week.last_whole_week(time.time(), timezone)
        book = given(policy)
        found = figures.summarize(opened(ledger), about, book)
    except (week.WeekError, UnavailableError) as error:
        raise WrongInputError(str(error)) from error
    if posts:
        _post(ledger, channel, found)
        return
    _print(found, format_)


def _print(found: Summary, format_: str) -> None:
    from callerid.summary import show

    match format_:
        case "json":
            click.echo(inert(msgspec.json.format(msgspec.json.encode(show.plain(found)))))
        case "markdown":
            click.echo(show.markdown(found))
        case "csv":
            click.echo(show.csv(found), nl=False)
        case _:
            click.echo(show.text(found))


def _post(ledger: str, channel: str, found: Summary) -> None:
    from callerid.alerts.clock import Clock
    from callerid.summary.post import NotPostedError, post

    try:
        done = post(opened(ledger), slack.sender(channel), channel, found, clock=Clock(time.time, time.sleep))
    except (NotPostedError, UnavailableError) as error:
        raise WrongInputError(str(error)) from error
    click.echo(f"{found.week.label} is posted" if done else f"{found.week.label} is being posted by somebody else")
