"""The command line: a file a command. It wires, prints and exits; it decides nothing."""

from __future__ import annotations

from importlib import import_module

import click

from callerid import __version__

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


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="callerid")
def main() -> None:
    """Who crossed? Reads CloudTrail and Cloud Audit Logs: who came across, who had no name, who was not expected."""
