"""``callerid slack-selftest``: every layout and the hostile corpus, posted to a channel to be looked at."""

from __future__ import annotations

import time

import click

from callerid.cli import slack

_PACE_SECONDS = 1.0


@click.command("slack-selftest")
@slack.channel
@click.option("--dry-run", is_flag=True, help="Print the messages instead.")
def slack_selftest(channel: str, dry_run: bool) -> None:
    """Post every layout, and whatever a log could do to it, and print what Slack answers to each.

    Look at the channel afterwards: nobody may have been pinged, nothing may be a link that is not a button.

    Exit status: 0 Slack took all of them, 1 it refused some, 2 wrong usage.
    """
    from callerid.alerts.selftest import messages
    from callerid.alerts.slack import Posted
    from callerid.alerts.terminal import render

    if dry_run:
        for name, message in messages():
            click.echo(f"== {name}\n{render(message)}")
        return
    sender, refused = slack.sender(channel), 0
    answer = sender.check()
    click.echo(f"{answer or 'ok'}: auth.test")
    for name, message in messages():
        posted = sender.post(channel, message)
        refused += not isinstance(posted, Posted)
        click.echo(f"{'ok' if isinstance(posted, Posted) else posted}: {name}")
        time.sleep(_PACE_SECONDS)
    raise SystemExit(1 if refused else 0)
