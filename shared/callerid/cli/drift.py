"""``callerid drift``: do the clouds' own policies and the caller book say the same?"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from callerid.cli.error import WrongInputError
from callerid.extras import needed
from callerid.names.printable import inert, printable

if TYPE_CHECKING:
    from callerid.drift.compare import Comparison


@click.command()
@click.argument("policy", type=click.Path(exists=True, dir_okay=False))
@click.option("--aws", "is_aws", is_flag=True, help="Compare the roles of the AWS account of these credentials.")
@click.option("--gcp", "is_gcp", is_flag=True, help="Compare the providers and service accounts of --project.")
@click.option("--roles", metavar="PATTERN", default="*", help="Only AWS roles with such a name or ARN.")
@click.option("--region", metavar="NAME", help="The AWS region to ask; IAM is the same in all of a partition.")
@click.option("--project", metavar="ID", multiple=True, help="A Google Cloud project by its id; may be repeated.")
@click.option(
    "--given",
    metavar="KEY=VALUE",
    multiple=True,
    help="What holds of the book's callers and no log shows, as aws:PrincipalOrgID=o-abc; may be repeated.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "jsonl"]),
    default="text",
    show_default=True,
    help="text: a line a difference. jsonl: an object a difference.",
)
def drift(
    policy: str,
    is_aws: bool,
    is_gcp: bool,
    roles: str,
    region: str | None,
    project: tuple[str, ...],
    given: tuple[str, ...],
    format_: str,
) -> None:
    """Compare POLICY with the clouds' own policies, both ways. Nothing is changed anywhere.

    Exit status: 0 no drift, 1 drift, or something that can't be told, 2 a bad policy, wrong usage or no access.
    """
    from callerid.drift.denied import NoAccessError
    from callerid.policy.book import Book
    from callerid.policy.fault import PolicyError
    from callerid.policy.load import parse

    if not (is_aws or is_gcp):
        raise WrongInputError("say --aws, --gcp or both")
    if is_gcp != bool(project):
        raise WrongInputError("--gcp and --project ID go together")
    if not all("=" in one for one in given):
        raise WrongInputError("--given takes KEY=VALUE")
    now = datetime.now(UTC)
    found: list[Comparison] = []
    try:
        book = Book(parse(Path(policy).read_bytes(), policy), "")
        if is_aws:
            from callerid.drift import aws
            from callerid.drift import roles as of_roles

            known = dict(one.split("=", 1) for one in given)
            found.append(of_roles.compare(aws.read(region), book, now=now, given=known, pattern=roles))
        if is_gcp:
            from callerid.drift import gcp, providers

            found += [providers.compare(gcp.read(name), book, now=now) for name in project]
    except (PolicyError, NoAccessError) as error:
        raise WrongInputError(str(error)) from error
    except ImportError as error:
        raise WrongInputError(needed("aws,drift", error)) from error
    for line in _lines(found) if format_ == "text" else _rows(found):
        click.echo(line)
    sys.exit(int(any(part.is_drift for part in found)))


def _lines(found: list[Comparison]) -> Iterator[str]:
    for one in (drift for part in found for drift in part.found):
        who = f" {one.caller}:" if one.caller else ""
        example = f" (for example {one.example})" if one.example else ""
        yield printable(f"{one.sort} {one.target}:{who} {one.why}{example}")
    compared, neither = sum(part.compared for part in found), sum(part.neither for part in found)
    kept = sum(part.passed_over for part in found)
    yield f"{compared} compared, {neither} of them in neither, {kept} kept by AWS itself"


def _rows(found: list[Comparison]) -> Iterator[bytes]:
    import msgspec

    return (inert(msgspec.json.encode(one)) for part in found for one in part.found)
