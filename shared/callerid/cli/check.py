"""``callerid check``: is this policy one that a function would start with, and does it say what is meant?"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from callerid.cli.error import WrongInputError
from callerid.policy.cache import digest_of
from callerid.policy.fault import PolicyError
from callerid.policy.load import placed
from callerid.policy.sound import EXPIRES_SOON_DAYS, doubts


@click.command()
@click.argument("policy", type=click.Path(exists=True, dir_okay=False))
@click.option("--strict", is_flag=True, help="Exit with 1 where there are warnings.")
@click.option(
    "--expires-within",
    metavar="DAYS",
    type=click.IntRange(min=0),
    default=EXPIRES_SOON_DAYS,
    show_default=True,
    help="Warn of entries that expire so soon.",
)
def check(policy: str, strict: bool, expires_within: int) -> None:
    """Check a POLICY file: name every fault, and what is doubtful, with line and column.

    Warnings are about what can be used and may not be meant: entries that expired or will soon, callers that reach
    nothing, requirements of what nobody may reach, entries wider than they look, duplicates, owners missing.

    Exit status: 0 where it can be used, 1 with --strict where there are warnings, 2 where it can't be used.
    """
    text = Path(policy).read_bytes()
    try:
        document, shape = placed(text, policy)
    except PolicyError as error:
        raise WrongInputError(str(error)) from error
    callers, requirements = len(document.callers), len(document.requirements)
    click.echo(f"{policy}: good; {callers:,} callers, {requirements:,} requirements, digest {digest_of(text)}")
    found = doubts(document, shape, datetime.now(UTC).date(), timedelta(days=expires_within))
    for fault in found:
        click.echo(f"{policy}:{fault.line}:{fault.column}: warning: {fault.message}")
    sys.exit(int(strict and bool(found)))
