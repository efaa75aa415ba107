"""A ledger's URL into its store. The cloud's client is imported only where the URL names that cloud."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from callerid.extras import needed
from callerid.ledger.store import Store

FORMS = "sqlite:///PATH, dynamodb://TABLE or firestore://PROJECT/DATABASE"

# What a function of the other cloud needs to get there without a key; see to_aws.py and to_google.py.
_ROLE = {
    "region": r"[a-z]{2}(-[a-z]+)+-\d",
    "role": r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+",
    "audience": r"[\w.:/-]{1,200}",
}
_ACCOUNT = {
    "provider": r"projects/\d+/locations/global/workloadIdentityPools/[a-z0-9-]+/providers/[a-z0-9-]+",
    "service_account": r"[a-z0-9-]+@[a-z0-9.:-]+\.gserviceaccount\.com",
}


class LedgerUrlError(Exception):
    """A URL that names no ledger; the message says what was expected."""


def connect(url: str, *, is_new: bool = True) -> Store:
    """Return the store that a URL names.

    ``sqlite:///relative/path`` and ``sqlite:////absolute/path``, made where it is not there yet and may be
    (``is_new``): who asks a ledger must not read "nothing" from one that a slip of the pen has made;
    ``dynamodb://TABLE`` in the region of the environment; ``firestore://PROJECT/DATABASE``, the database
    ``(default)`` where it is left out. From the other cloud ``?region=…&role=…&audience=…`` names the AWS role to
    assume, ``?provider=…&service_account=…`` the provider to sign in at and the account to act as.

    Raises:
        LedgerUrlError: for any other URL, a file that is not there, or where the cloud's client is not installed.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise LedgerUrlError(f"{url}: expected {FORMS}") from error
    if parts.fragment:
        raise LedgerUrlError(f"{url}: expected {FORMS}")
    try:
        match parts.scheme:
            case "sqlite" if url.startswith("sqlite:///") and parts.path.strip("/") and not parts.query:
                from callerid.ledger.sqlite import SqliteStore  # noqa: PLC0415

                path = unquote(parts.path.removeprefix("/"))
                if not is_new and not Path(path).exists():
                    raise LedgerUrlError(f"{url}: there is no such file; `callerid scan --ledger` makes it")
                return SqliteStore(path)
            case "dynamodb" if parts.netloc and not parts.path.strip("/"):
                return _dynamodb(parts.netloc, _parameters(url, parts.query, _ROLE))
            case "firestore" if parts.netloc and "/" not in parts.path.strip("/"):
                database = parts.path.strip("/") or "(default)"
                return _firestore(parts.netloc, database, _parameters(url, parts.query, _ACCOUNT))
            case _:
                raise LedgerUrlError(f"{url}: expected {FORMS}")
    except ModuleNotFoundError as error:
        extra = "gcp" if (error.name or "").startswith("google") else "aws"
        raise LedgerUrlError(f"{url}: {needed(extra, error)}") from error


def _dynamodb(table: str, parameters: dict[str, str]) -> Store:
    from callerid.ledger.dynamodb import DynamoStore  # noqa: PLC0415

    if not parameters:
        return DynamoStore.connect(table)
    from callerid.ledger.to_aws import Role  # noqa: PLC0415

    return DynamoStore.connect(table, Role(**parameters))


def _firestore(project: str, database: str, parameters: dict[str, str]) -> Store:
    from callerid.ledger.firestore import FirestoreStore  # noqa: PLC0415

    if not parameters:
        return FirestoreStore.connect(project, database)
    from callerid.ledger.to_google import Account  # noqa: PLC0415

    return FirestoreStore.connect(project, database, Account(**parameters))


def _parameters(url: str, query: str, wanted: dict[str, str]) -> dict[str, str]:
    """Return all of the wanted parameters, or none where the URL has none."""
    if not query:
        return {}
    given = [part.partition("=")[::2] for part in query.split("&")]  # a plus is a plus, as a role's name may have it
    if sorted(name for name, _ in given) != sorted(wanted):
        raise LedgerUrlError(f"{url}: expected after the question mark {', '.join(wanted)}, each once, or nothing")
    parameters = {name: unquote(value) for name, value in given}
    for name, value in parameters.items():
        if not re.fullmatch(wanted[name], value, re.ASCII):
            raise LedgerUrlError(f"{url}: {name}: got {value!r}, expected {wanted[name]}")
    return parameters
