"""A ledger's URL into its store. The cloud's client is imported only where the URL names that cloud."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from callerid.ledger.store import Store

FORMS = "sqlite:///PATH, dynamodb://TABLE or firestore://PROJECT/DATABASE"


class LedgerUrlError(Exception):
    """A URL that names no ledger; the message says what was expected."""


def connect(url: str) -> Store:
    """Return the store that a URL names.

    ``sqlite:///relative/path`` and ``sqlite:////absolute/path``, made where it is not there yet;
    ``dynamodb://TABLE`` in the region of the environment; ``firestore://PROJECT/DATABASE``, the database
    ``(default)`` where it is left out.

    Raises:
        LedgerUrlError: for any other URL, or where the cloud's client is not installed.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise LedgerUrlError(f"{url}: expected {FORMS}") from error
    if parts.query or parts.fragment:
        raise LedgerUrlError(f"{url}: expected {FORMS}")
    try:
        match parts.scheme:
            case "sqlite" if url.startswith("sqlite:///") and parts.path.strip("/"):
                from callerid.ledger.sqlite import SqliteStore  # noqa: PLC0415

                return SqliteStore(unquote(parts.path.removeprefix("/")))
            case "dynamodb" if parts.netloc and not parts.path.strip("/"):
                from callerid.ledger.dynamodb import DynamoStore  # noqa: PLC0415

                return DynamoStore.connect(parts.netloc)
            case "firestore" if parts.netloc and "/" not in parts.path.strip("/"):
                from callerid.ledger.firestore import FirestoreStore  # noqa: PLC0415

                return FirestoreStore.connect(parts.netloc, parts.path.strip("/") or "(default)")
            case _:
                raise LedgerUrlError(f"{url}: expected {FORMS}")
    except ModuleNotFoundError as error:
        extra = "aws" if parts.scheme == "dynamodb" else "gcp"
        raise LedgerUrlError(f"{url}: needs `pip install callerid[{extra}]` ({error.name} is missing)") from error
