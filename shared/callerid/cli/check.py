"""``callerid check``: is this policy one that a function would start with?"""

from __future__ import annotations

from pathlib import Path

import click

from callerid.cli.error import WrongInputError
from callerid.policy.cache import digest_of
from callerid.policy.fault import PolicyError
from callerid.policy.load import parse


@click.command()
@click.argument("policy", type=click.Path(exists=True, dir_okay=False))
def check(policy: str) -> None:
    """Check a POLICY file and name every fault with line and column.

    Exit status: 0 where it can be used, 2 where it can't.
    """
    text = Path(policy).read_bytes()
    try:
        document = parse(text, policy)
    except PolicyError as error:
        raise WrongInputError(str(error)) from error
    callers, requirements = len(document.callers), len(document.requirements)
    click.echo(f"{policy}: good; {callers:,} callers, {requirements:,} requirements, digest {digest_of(text)}")
