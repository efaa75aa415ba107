"""``callerid doctor``: whether the monitor can see."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator
from functools import partial

import click
import msgspec

from callerid.alerts.clock import Clock
from callerid.cli.error import WrongInputError
from callerid.cli.ledger import opened
from callerid.doctor import aws_api, gcp_api
from callerid.doctor.check import Finding, State, run, unknown
from callerid.extras import needed
from callerid.ledger.store import Store
from callerid.ledger.url import FORMS

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]{0,127}")
_PROJECT = re.compile(r"[a-z][a-z0-9.:-]{4,60}")
_SCOPE = re.compile(r"(projects/[a-z][a-z0-9.:-]{4,60}|(folders|organizations)/\d+)")


@click.command()
@click.option("--aws", is_flag=True, help="Look at AWS, in the environment's region.")
@click.option("--gcp", is_flag=True, help="Look at Google Cloud; needs --project.")
@click.option(
    "--stack", metavar="NAME", default="callerid", show_default=True,
    help="What callerid is called: the stack's name, and `name` of Terraform.",
)  # fmt: skip
@click.option("--project", metavar="P", envvar="GOOGLE_CLOUD_PROJECT", help="The project that callerid runs in.")
@click.option("--scope", metavar="RESOURCE", help="Where the log sink is, if not in or above the project: projects/P.")
@click.option("--ledger", metavar="URL", envvar="CALLERID_LEDGER", help=f"{FORMS}. [env: CALLERID_LEDGER]")
@click.option("--canary", is_flag=True, help="Send a canary through, and wait for its finding; needs --ledger.")
@click.option("--format", "format_", type=click.Choice(["table", "jsonl"]), default="table", show_default=True)
def doctor(
    aws: bool,
    gcp: bool,
    stack: str,
    project: str | None,
    scope: str | None,
    ledger: str | None,
    canary: bool,
    format_: str,
) -> None:
    """Say whether the monitor can see: what was checked, what was found, what to do.

    Exit status: 0 nothing is broken, 1 something is, or could not be looked at, 2 wrong usage, no
    credentials, or no such ledger.
    """
    if not (aws or gcp):
        raise click.UsageError("give --aws, --gcp or both")
    if gcp and not project:
        raise click.UsageError("--gcp needs --project")
    if canary and not ledger:
        raise click.UsageError("--canary needs --ledger")
    for name, value, wanted in (("stack", stack, _NAME), ("project", project, _PROJECT), ("scope", scope, _SCOPE)):
        if value is not None and not wanted.fullmatch(value):
            raise click.UsageError(f"--{name}: got {value!r}, expected {wanted.pattern}")
    of_aws = _aws() if aws else None
    of_google = _google() if gcp else None
    store = opened(ledger) if ledger else None
    found = list(_findings(of_aws, of_google, stack, project or "", scope, store, canary=canary))
    if format_ == "jsonl":
        for finding in found:
            click.echo(msgspec.json.encode(finding))
    else:
        from callerid.cli.doctor_table import render

        render(found)
    raise SystemExit(1 if any(finding.state in (State.BROKEN, State.UNKNOWN) for finding in found) else 0)


def _findings(
    aws: aws_api.Aws | None, google: gcp_api.Google | None, stack: str, project: str, scope: str | None,
    store: Store | None, *, canary: bool,
) -> Iterator[Finding]:  # fmt: skip
    from callerid.doctor import aws as on_aws
    from callerid.doctor import canary as sending
    from callerid.doctor import gcp as on_google
    from callerid.doctor import ledger as kept

    if aws:
        yield from on_aws.examine(aws, stack, now=time.time())
    if google:
        yield from on_google.examine(google, project, stack, scope=scope, now=time.time())
    if store is None:
        yield unknown("last records", "the ledger was not asked", "Give --ledger.")
        return
    clock = Clock(time.time, time.sleep)
    if canary and aws:
        yield from run("canary of AWS", partial(sending.through_aws, aws, store, clock, event_id=str(uuid.uuid4())))
    if canary and google:
        sent = partial(
            sending.through_google,
            google,
            f"projects/{project}/topics/{stack}",
            store,
            clock,
            event_id=uuid.uuid4().hex,
        )
        yield from run("canary of Google Cloud", sent, absent="There is no topic: terraform apply.")
    clouds = [name for name, asked in (("aws", aws), ("gcp", google)) if asked]
    yield from run("last records", partial(kept.examine, store, clouds, now=time.time()))


def _aws() -> aws_api.Aws:
    try:
        return aws_api.connect()
    except ModuleNotFoundError as error:
        raise WrongInputError(f"--aws {needed('aws', error)}") from error
    except ValueError as error:
        raise WrongInputError(str(error)) from error


def _google() -> gcp_api.Google:
    try:
        return gcp_api.connect()
    except ModuleNotFoundError as error:
        raise WrongInputError(f"--gcp {needed('gcp', error)}") from error
    except gcp_api.NoCredentialsError as error:
        raise WrongInputError(str(error)) from error
