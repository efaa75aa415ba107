"""The ledger in a Firestore database, for the Cloud Function.

A row is the document ``callerid/PARTITION/rows/SORT`` with the fields ``data`` and ``expires``; the time-to-live policy
is on ``expires`` of the collection group ``rows``. Its version is the document's update time, which a write names as
its precondition. A write that changes nothing keeps that time: what was decided on the row still holds then. See
https://firebase.google.com/docs/firestore/reference/rpc/google.firestore.v1#precondition and
https://cloud.google.com/firestore/quotas.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from google.api_core.exceptions import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    GoogleAPIError,
    InvalidArgument,
    NotFound,
)
from google.api_core.retry import Retry, if_transient_error
from google.auth.exceptions import GoogleAuthError
from google.cloud.firestore import Client, CollectionReference, DocumentReference, DocumentSnapshot, WriteBatch

from callerid.ledger.store import ConflictError, Key, RefusedError, Stored, UnavailableError, Write

if TYPE_CHECKING:
    from callerid.ledger.to_google import Account

_TIMEOUT_SECONDS = 10.0
# Not found is what an update of a deleted row is told, but also whoever names no database: the next read tells.
_CONFLICTS = (Aborted, AlreadyExists, FailedPrecondition, NotFound)
_PAGE = 300
"""Documents that are asked for at once, so that no answer takes long."""
# An id must not contain a slash, be one or two dots, nor begin and end with two underscores. Of each code the first
# character stands where the original does and none begins another, so ids sort as the texts they stand for;
# percent codes would not, for the slash would sort before the dot.
_CODES = {".": ".0", "/": ".1", "_": "_0"}
_ENCODE = str.maketrans(_CODES)


class FirestoreStore:
    """A ledger in a Firestore database. Several threads may share a store."""

    shards = 8
    """A document takes about one write a second for long; a hot caller has eight."""
    most_writes = 400
    """A commit takes 10 MiB and, in places still, 500 writes; one of this size takes well under the timeout."""

    def __init__(
        self, client: Client, *, timeout_seconds: float = _TIMEOUT_SECONDS, sign_in: Callable[[], None] | None = None
    ) -> None:
        """Use the client's database; every call ends within ``timeout_seconds``, its retries included.

        ``sign_in`` is called before each. Inside of it gRPC would try a refused sign-in again, for all of that time.
        """
        self._client = client
        self._sign_in = sign_in
        self._call: dict[str, Any] = {
            "timeout": timeout_seconds,
            "retry": Retry(if_transient_error, initial=0.1, maximum=1, timeout=timeout_seconds),
        }

    @classmethod
    def connect(cls, project: str, database: str, account: Account | None = None) -> Self:
        """Return the store of a project's database, with the credentials of the environment, or of an account.

        Raises:
            UnavailableError: where there are no credentials.
        """
        try:
            if account is None:
                return cls(Client(project=project, database=database))
            from callerid.ledger import to_google  # noqa: PLC0415  # only on AWS

            credentials = to_google.credentials(account)
            sign_in = partial(to_google.renew, credentials, timeout_seconds=_TIMEOUT_SECONDS)
            return cls(Client(project=project, database=database, credentials=credentials), sign_in=sign_in)
        except GoogleAuthError as error:
            raise UnavailableError(f"Firestore {project}/{database}: {error}") from error

    def read(self, keys: Sequence[Key], /) -> dict[Key, Stored]:
        """Return the rows that there are; see `Store.read`."""
        wanted = {self._document(key).path: key for key in keys}
        paths = list(wanted)
        return {
            wanted[found.reference.path]: _stored(found)
            for start in range(0, len(paths), _PAGE)
            for found in self._get(paths[start : start + _PAGE])
        }

    def list(self, partition: str, /, *, after: str = "") -> Iterator[tuple[str, Stored]]:
        """Yield a partition's rows in order, from behind ``after``; see `Store.list`."""
        rows = self._partition(partition)
        query = rows.order_by("__name__").limit(_PAGE)
        page = query.start_after({"__name__": rows.document(_encode(after))}) if after else query
        while True:
            with self._errors("list"):
                snapshots = page.get(**self._call)
            for found in snapshots:
                yield _decode(found.id), _stored(found)
            if len(snapshots) < _PAGE:
                return
            page = query.start_after(snapshots[-1])

    def commit(self, writes: Sequence[Write], /) -> None:
        """Write all rows or none; see `Store.commit`."""
        batch = self._client.batch()
        for write in writes:
            self._add(batch, write)
        with self._errors("commit"):
            try:
                # Where an answer is lost, the retry finds the rows at a newer version. It is a conflict then, and
                # the caller, who reads again, finds the work done.
                batch.commit(**self._call)
            except _CONFLICTS as error:
                raise ConflictError(f"{self._where}: a row is no longer what was read") from error

    def close(self) -> None:
        """Close the connection."""
        self._client.close()  # type: ignore[no-untyped-call]

    @property
    def _where(self) -> str:
        return f"Firestore {self._client.project}/{self._client._database}"  # noqa: SLF001 - it has no public name

    def _get(self, paths: Sequence[str]) -> Iterator[DocumentSnapshot[Any]]:
        references = [self._client.document(path) for path in paths]
        with self._errors("read"):
            snapshots = list(self._client.get_all(references, **self._call))
        return (found for found in snapshots if found.exists)

    def _add(self, batch: WriteBatch, write: Write) -> None:
        document = self._document(write.key)
        unchanged = None if write.version is None else self._client.write_option(last_update_time=write.version)
        if write.data is None:
            batch.delete(document, unchanged or self._client.write_option(exists=False))
            return
        expires = None if write.expires is None else datetime.fromtimestamp(write.expires, UTC)
        fields = {"data": write.data.decode(), "expires": expires}
        if unchanged:
            batch.update(document, fields, unchanged)
        else:
            batch.create(document, fields)

    def _partition(self, partition: str) -> CollectionReference:
        return self._client.collection("callerid", _encode(partition), "rows")

    def _document(self, key: Key) -> DocumentReference:
        return self._partition(key.partition).document(_encode(key.sort))

    @contextmanager
    def _errors(self, action: str) -> Iterator[None]:
        try:
            if self._sign_in:
                self._sign_in()
            yield
        except (GoogleAPIError, GoogleAuthError) as error:
            kind = RefusedError if isinstance(error, InvalidArgument) else UnavailableError
            raise kind(f"{self._where}: {action}: {error}") from error


def _stored(found: DocumentSnapshot[Any]) -> Stored:
    return Stored(found.get("data").encode(), found.update_time)


def _encode(text: str) -> str:
    return text.translate(_ENCODE)


def _decode(text: str) -> str:
    for original, code in reversed(_CODES.items()):
        text = text.replace(code, original)
    return text
