"""``callerid suggest``: a caller book from logs or a ledger, or what a book lacks."""

from __future__ import annotations

from pathlib import Path

import click

from callerid.cli.error import WrongInputError


@click.command()
@click.argument("paths", metavar="[PATH...]", nargs=-1)
@click.option(
    "--ledger", metavar="URL", envvar="CALLERID_LEDGER", help="Read a ledger in place of logs. [env: CALLERID_LEDGER]"
)
@click.option("--merge", metavar="FILE", help="Add to this book what it lacks; every line of it stays as it is.")
@click.option("--denied", is_flag=True, help="Also list callers whom the cloud only ever refused.")
@click.option(
    "--output", metavar="FILE", help="Write there, in place of standard output: a new file, or the merged FILE."
)
def suggest(paths: tuple[str, ...], ledger: str | None, merge: str | None, denied: bool, output: str | None) -> None:
    """Write a caller book from the history in PATHs, or in a ledger.

    One caller for each workload, exact values, with counts and times as comments. Whoever is not named, and
    whatever the cloud refused, stands there as a comment and is not allowed.

    Exit status: 0 written, 2 wrong usage, no such input, or nothing that can be written.
    """
    if not paths and not ledger:
        raise click.UsageError("give log files, or --ledger")
    if output is not None and not _is_free(Path(output), merge):
        raise WrongInputError(f"{output} is there already: --merge {output} adds to it, another name leaves it alone")
    text = _text(paths, ledger, merge, denied=denied)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        _write(Path(output), text)
    except OSError as error:
        raise WrongInputError(f"{output}: cannot be written: {error.strerror}") from error


def _text(paths: tuple[str, ...], ledger: str | None, merge: str | None, *, denied: bool) -> str:
    from callerid.policy.book import Book
    from callerid.policy.fault import PolicyError
    from callerid.policy.load import parse
    from callerid.sources import files
    from callerid.suggest import draft, history, past, write
    from callerid.suggest import merge as merging

    try:
        source = Path(merge).read_bytes() if merge else None
        base = parse(source, merge) if source is not None and merge else None
        if ledger and not paths:
            from callerid.cli.ledger import opened

            seen = past.read(opened(ledger))
        else:
            seen = history.read(files.find(paths), Book(base, "") if base else None)
            if seen.records and seen.records == seen.unreadable:
                raise WrongInputError("nothing readable in the logs; `callerid scan` says what was expected where")
    except OSError as error:
        raise WrongInputError(f"{merge}: cannot be read: {error.strerror}") from error
    except (PolicyError, files.NoFileError) as error:
        raise WrongInputError(str(error)) from error
    made = draft.draft(seen, base, denied=denied)
    if source is None:
        return write.book(made, seen)
    try:
        return merging.merged(source.decode(), made, seen)
    except merging.CannotMergeError as error:
        raise WrongInputError(f"{merge}: {error}") from error


def _is_free(path: Path, merge: str | None) -> bool:
    """Tell whether nothing is lost that a person wrote: a suggestion holds neither owners nor what was taken out."""
    try:
        return not path.stat().st_size or (merge is not None and path.samefile(merge))
    except OSError:
        return True


def _write(path: Path, text: str) -> None:
    """Write a whole file or none: what was there stays until all is written."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
