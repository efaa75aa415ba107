"""How a command ends where it cannot do what was asked."""

from __future__ import annotations

import click


class WrongInputError(click.ClickException):
    """Wrong usage, a bad policy, output that cannot be written: one message, exit status 2."""

    exit_code = 2
