"""The command line: a file a command. It wires, prints and exits; it decides nothing."""

from __future__ import annotations

import errno
import io
import os
import sys
from importlib import import_module
from typing import Any

import click

from callerid import __version__
from callerid.cli.error import WrongInputError
from callerid.ledger.store import UnavailableError

_STOPPED, _INTERRUPTED = 141, 130
"""What a shell calls a program that SIGPIPE and SIGINT ended: neither clean, nor findings, nor wrong usage."""

_COMMANDS = (
    "scan",
    "report",
    "trace",
    "explain",
    "suggest",
    "check",
    "replay",
    "enforce",
    "drift",
    "alerts",
    "deliver",
    "summary",
    "slack-selftest",
    "backfill",
    "doctor",
)
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class _Commands(click.Group):
    """Commands that are imported when they are called: starting is most of a small scan."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"callerid.cli.{cmd_name.rpartition('-')[2]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. What ends it from outside is not its answer, and click would end it with 1, as findings do."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # a name that the terminal's encoding lacks ends nothing
                stream.reconfigure(errors="backslashreplace")
        try:
            try:
                return super().invoke(ctx)
            finally:
                if sys.stdout is not None:
                    sys.stdout.flush()
        except BrokenPipeError:
            _discard_output()
            sys.exit(_STOPPED)
        except KeyboardInterrupt as interrupt:
            for note in getattr(interrupt, "__notes__", ()):
                click.echo(f"callerid: {note}", err=True)
            sys.exit(_INTERRUPTED)
        except UnavailableError as error:  # the ledger's, whichever question it was: no credentials, down, throttled
            raise WrongInputError(str(error)) from error
        except OSError as error:
            if error.errno not in _UNWRITABLE:
                raise
            _discard_output()
            raise WrongInputError(f"the output cannot be written: {error.strerror}") from error


def _discard_output() -> None:
    """Send what is still buffered nowhere, so that ending the program does not fail at it once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="callerid")
def main() -> None:
    """Who crossed? Reads CloudTrail and Cloud Audit Logs: who came across, who had no name, who was not expected."""
