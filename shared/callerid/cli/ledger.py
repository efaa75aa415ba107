"""The ledger as the command line opens it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import click

from callerid.cli.error import WrongInputError
from callerid.ledger.part import Unit
from callerid.ledger.record import Recorded, Recorder
from callerid.ledger.store import Store, UnavailableError
from callerid.ledger.url import FORMS, LedgerUrlError, connect
from callerid.monitor import briefing
from callerid.policy.book import Book

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
required: Decorator = click.option(
    "--ledger",
    metavar="URL",
    envvar="CALLERID_LEDGER",
    required=True,
    help=f"The ledger: {FORMS}. [env: CALLERID_LEDGER]",
)
"""The option of every command that cannot do without."""


def opened(url: str, *, is_new: bool = False) -> Store:
    """Return the store that a URL names, open until the command ends; one message and exit status 2 for none."""
    try:
        store = connect(url, is_new=is_new)
    except (LedgerUrlError, UnavailableError) as error:
        raise WrongInputError(str(error)) from error
    context = click.get_current_context(silent=True)
    if context is not None:  # a process of a scan has none, and lets go as it ends
        context.call_on_close(store.close)
    return store


class Keeper:
    """Records the blocks of a scan's files, each once whatever its file is called."""

    def __init__(self, store: Store, book: Book | None, *, sessions: bool) -> None:
        self._recorder = Recorder(store, briefing(book))
        self.sessions = sessions
        self.close = store.close

    def __call__(self, units: Sequence[Unit], marker: str | None, /) -> Recorded:
        """Record the units of one block."""
        return self._recorder.record(units, now=time.time(), marker=marker)


def keeper(url: str, book: Book | None, *, sessions: bool = False) -> Keeper:
    """Return what records into the ledger that a URL names; each process of a scan makes its own."""
    return Keeper(opened(url, is_new=True), book, sessions=sessions)
