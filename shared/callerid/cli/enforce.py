"""``callerid enforce``: the caller book as trust policies, attribute conditions and bindings."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from callerid.cli.error import WrongInputError


@click.command()
@click.argument("policy", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--target",
    metavar="NAME",
    help="Only this role, service account, provider, resource, AWS account or Google project.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["json", "gcloud", "terraform"]),
    default="json",
    show_default=True,
    help="json: the policies as they are. gcloud: commands of gcloud and aws. terraform: locals and bindings.",
)
def enforce(policy: str, target: str | None, format_: str) -> None:
    """Print what makes the clouds refuse what POLICY does not allow, with what each of it breaks.

    Nothing is changed anywhere: what is printed is yours to read and to apply.

    Exit status: 0 printed, 2 a bad policy, or a target that it does not name.
    """
    import msgspec

    from callerid.enforce import aws, commands, gcp, terraform
    from callerid.enforce.piece import Plan
    from callerid.policy.book import Book
    from callerid.policy.fault import PolicyError
    from callerid.policy.load import parse

    try:
        book = Book(parse(Path(policy).read_bytes(), policy), "")
    except PolicyError as error:
        raise WrongInputError(str(error)) from error
    today = datetime.now(UTC).date()
    parts = (aws.plan(book, today), gcp.plan(book, today))
    pieces = [piece for part in parts for piece in part.pieces if piece.is_about(target)]
    plan = Plan(pieces, [warning for part in parts for warning in part.warnings if target is None])
    if target is not None and not pieces:
        raise WrongInputError(f"{policy} names no such target or account: {target}")
    if format_ == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(plan), indent=2))
        return
    for line in (commands if format_ == "gcloud" else terraform).lines(plan):
        click.echo(line)
