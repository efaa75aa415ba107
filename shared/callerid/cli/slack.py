"""Slack as the command line reaches it: the token comes from the environment alone, so that no history keeps it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from callerid.alerts.links import Look
from callerid.alerts.sender import sender as made
from callerid.cli.error import WrongInputError
from callerid.cli.ledger import Decorator

if TYPE_CHECKING:
    from callerid.alerts.slack import Sender

channel: Decorator = click.option(
    "--channel",
    default="",
    envvar="CALLERID_CHANNEL",
    metavar="ID",
    help="The channel for what the policy routes nowhere else. [env: CALLERID_CHANNEL]",
)
"""The option of every command that sends."""


def look(portal: str, runbooks: str) -> Look:
    """Return where links lead."""
    try:
        return Look(portal=portal, runbooks=runbooks)
    except ValueError as error:
        raise WrongInputError(str(error)) from error


def sender(channel: str) -> Sender:
    """Return what sends under the token of the environment; one message and exit status 2 without one."""
    token = os.environ.get("CALLERID_SLACK_TOKEN", "")
    if not token:
        raise WrongInputError("CALLERID_SLACK_TOKEN is not set: a bot token (xoxb-…) or an incoming webhook's URL")
    if not token.startswith("http") and not channel:
        raise WrongInputError("a bot token needs a channel: --channel or CALLERID_CHANNEL")
    try:
        return made(token, api=os.environ.get("CALLERID_SLACK_API"))
    except ValueError as error:
        raise WrongInputError(str(error)) from error


__all__ = ["Look", "channel", "look", "sender"]
