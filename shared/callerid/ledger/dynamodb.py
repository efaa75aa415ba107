"""The ledger in one DynamoDB table, for the Lambda.

A row is an item: partition ``p``, sort ``s``, the JSON ``d``, the version ``v`` and, where the row may go, ``x`` for
the table's time to live. Several rows are one transaction; a single row is a plain conditional write, at half the
price. See https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html and
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session

from callerid.ledger.store import ConflictError, Key, RefusedError, Stored, UnavailableError, Write

if TYPE_CHECKING:
    from callerid.ledger.to_aws import Role

Item = dict[str, Any]
"""An item, a key or a request as boto3 takes it."""

# A function that waits for long is paid for waiting, and its delivery comes again anyway.
_CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 4})
_KEYS_AT_ONCE = 100
"""What BatchGetItem takes."""
_ROUNDS = 6
"""BatchGetItem leaves keys unprocessed beyond 16 MB (at most three rounds) or when throttled (1.5 s of waiting)."""

_CONFLICTS = {
    "ConditionalCheckFailed", "ConditionalCheckFailedException", "TransactionConflict", "TransactionConflictException",
}  # fmt: skip
_REFUSALS = {"ValidationException", "ValidationError"}
"""Of a request, and of one row of a transaction."""
# Others may quote what was sent: a refused signature quotes the signed headers, with the session token.
_QUOTED = {"AccessDeniedException", "ResourceNotFoundException", "ValidationException"}


class Client(Protocol):
    """What is used of boto3's DynamoDB client."""

    def batch_get_item(self, **request: Any) -> Item:
        """Read up to a hundred items."""

    def query(self, **request: Any) -> Item:
        """Read a page of a partition."""

    def put_item(self, **request: Any) -> Item:
        """Write one item."""

    def delete_item(self, **request: Any) -> Item:
        """Delete one item."""

    def transact_write_items(self, **request: Any) -> Item:
        """Write and delete up to a hundred items, or none. Boto3 adds the token that makes its retries safe."""

    def close(self) -> None:
        """Close the connections."""


class DynamoStore:
    """A ledger in a DynamoDB table. Several threads may share a store."""

    shards = 8
    """A partition takes 1000 writes a second, half as many in transactions; a hot caller has eight."""
    most_writes = 100
    """What TransactWriteItems takes, 4 MB together."""

    def __init__(self, client: Client, table: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Use a table that is there, made as `table_definition` says."""
        self._client = client
        self._table = table
        self._sleep = sleep

    @classmethod
    def connect(cls, table: str, role: Role | None = None) -> Self:
        """Return the store of a table in the region and with the credentials of the environment, or of a role.

        Raises:
            UnavailableError: where the environment names no region.
        """
        try:
            if role is None:
                # boto3 makes the same client, and a cold start takes half as long again to load it
                return cls(get_session().create_client("dynamodb", config=_CONFIG), table)
            from callerid.ledger import to_aws  # noqa: PLC0415  # google-auth: only on Google Cloud

            return cls(to_aws.client("dynamodb", role, _CONFIG), table)
        except BotoCoreError as error:
            raise UnavailableError(f"DynamoDB table {table}: {error}") from error

    def read(self, keys: Sequence[Key], /) -> dict[Key, Stored]:
        """Return the rows that there are; see `Store.read`."""
        wanted = list(dict.fromkeys(keys))  # a key that comes twice is refused
        return {
            Key(item["p"]["S"], item["s"]["S"]): _stored(item)
            for start in range(0, len(wanted), _KEYS_AT_ONCE)
            for item in self._batch(wanted[start : start + _KEYS_AT_ONCE])
        }

    def list(self, partition: str, /, *, after: str = "") -> Iterator[tuple[str, Stored]]:
        """Yield a partition's rows in order, from behind ``after``; see `Store.list`. Pages are of 1 MB."""
        request: Item = {
            "TableName": self._table,
            "ConsistentRead": True,
            "KeyConditionExpression": "p = :p AND s > :s" if after else "p = :p",
            "ExpressionAttributeValues": {":p": {"S": partition}} | ({":s": {"S": after}} if after else {}),
        }
        while True:
            with self._errors("Query"):
                page = self._client.query(**request)
            for item in page["Items"]:
                yield item["s"]["S"], _stored(item)
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def commit(self, writes: Sequence[Write], /) -> None:
        """Write all rows or none; see `Store.commit`."""
        # Drawn, not counted up: a row that was deleted and made again must not look like the one that was read.
        version = str(secrets.randbits(62))
        match [_change(self._table, write, version) for write in writes]:
            case []:
                return
            case [Change("Put", request)]:
                self._put(request, version)
            case [Change("Delete", request)]:
                with self._errors("DeleteItem"):
                    self._client.delete_item(**request)
            case changes:
                with self._errors("TransactWriteItems"):
                    self._client.transact_write_items(TransactItems=[{kind: request} for kind, request in changes])

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _batch(self, keys: Sequence[Key]) -> Iterator[Item]:
        wanted: Item = {self._table: {"Keys": [_key(key) for key in keys], "ConsistentRead": True}}
        for attempt in range(_ROUNDS):
            with self._errors("BatchGetItem"):
                answer = self._client.batch_get_item(RequestItems=wanted)
            yield from answer["Responses"].get(self._table, [])
            wanted = answer.get("UnprocessedKeys", {})
            if not wanted:
                return
            self._sleep(0.05 * 2**attempt)
        raise UnavailableError(f"DynamoDB table {self._table}: BatchGetItem leaves keys unprocessed")

    def _put(self, request: Item, version: str) -> None:
        with self._errors("PutItem"):
            try:
                self._client.put_item(**request, ReturnValuesOnConditionCheckFailure="ALL_OLD")
            except ClientError as error:
                # Where an answer is lost, boto3 sends the request again, and the row has moved on: to our version.
                # A lone delete can't be told apart like that; it is a conflict, and the caller finds the row gone.
                if error.response.get("Item", {}).get("v") != {"N": version}:
                    raise

    @contextmanager
    def _errors(self, action: str) -> Iterator[None]:
        where = f"DynamoDB table {self._table}: {action}"
        try:
            yield
        except ClientError as error:
            codes = _codes(error)
            if codes & _CONFLICTS:
                raise ConflictError(f"{where}: a row is no longer what was read") from None
            told = error.response["Error"].get("Message", "") if codes & _QUOTED else ""
            kind = RefusedError if codes & _REFUSALS else UnavailableError
            raise kind(": ".join(filter(None, [where, ", ".join(sorted(codes)), told]))) from None
        except BotoCoreError as error:
            raise UnavailableError(f"{where}: {error}") from error


def table_definition(name: str) -> Item:
    """Return what CreateTable takes for a ledger: paid by request, which suits a load that comes in bursts."""
    return {
        "TableName": name,
        "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in ("p", "s")],
        "BillingMode": "PAY_PER_REQUEST",
    }


def time_to_live(name: str) -> Item:
    """Return what UpdateTimeToLive takes for a ledger; without it expired rows stay, and cost storage alone."""
    return {"TableName": name, "TimeToLiveSpecification": {"AttributeName": "x", "Enabled": True}}


class Change(NamedTuple):
    """One row's part of a transaction, which is also the whole request of PutItem or DeleteItem."""

    kind: str
    request: Item


def _change(table: str, write: Write, version: str) -> Change:
    condition: Item = {"TableName": table, "ConditionExpression": "attribute_not_exists(p)"}
    if write.version is not None:
        condition["ConditionExpression"] = "v = :v"
        condition["ExpressionAttributeValues"] = {":v": {"N": write.version}}
    if write.data is None:
        return Change("Delete", condition | {"Key": _key(write.key)})
    item = _key(write.key) | {"d": {"S": write.data.decode()}, "v": {"N": version}}
    if write.expires is not None:
        item["x"] = {"N": str(write.expires)}
    return Change("Put", condition | {"Item": item})


def _key(key: Key) -> Item:
    return {"p": {"S": key.partition}, "s": {"S": key.sort}}


def _stored(item: Item) -> Stored:
    return Stored(item["d"]["S"].encode(), item["v"]["N"])


def _codes(error: ClientError) -> set[str]:
    reasons = error.response.get("CancellationReasons", [])
    return {reason["Code"] for reason in reasons if reason.get("Code", "None") != "None"} or {
        error.response["Error"]["Code"]
    }
