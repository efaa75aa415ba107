"""The command line: a file a command. It wires, prints and exits; it decides nothing."""

from __future__ import annotations

import click

from callerid import __version__
from callerid.cli.check import check
from callerid.cli.explain import explain
from callerid.cli.scan import scan


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="callerid")
def main() -> None:
    """Who crossed? Reads CloudTrail and Cloud Audit Logs: who came across, who had no name, who was not expected."""


main.add_command(scan)
main.add_command(explain)
main.add_command(check)
