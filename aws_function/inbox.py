"""Messages of the queue into deliveries: an event from the bus, or the name of a log file in the trail's bucket.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_plus

from callerid import delivery
from callerid.envelope import Item

if TYPE_CHECKING:
    from callerid.sources.files import Body

_NOTICES = ("Object Created", "aws:s3")
"""What the two sorts of notices contain, of which one is in every message that names log files."""


class LogFile(NamedTuple):
    """An object of the trail's bucket that is to be read."""

    bucket: str
    key: str


def log_files(body: str) -> list[LogFile]:
    """Return the objects that a message names; none where it is an event itself.

    A notification may come by EventBridge, or from the bucket itself, and then once more wrapped by SNS.
    """
    if not any(notice in body for notice in _NOTICES):
        return []  # most messages: they are read once, and not here
    try:
        value = json.loads(body)
    except ValueError:
        return []
    if isinstance(value, dict) and value.get("Type") == "Notification" and isinstance(value.get("Message"), str):
        return log_files(value["Message"])
    return [file for file in _named(value) if file is not None] if isinstance(value, dict) else []


def _named(value: dict[str, Any]) -> Iterator[LogFile | None]:
    if value.get("detail-type") == "Object Created":
        detail = value.get("detail")
        yield _file(detail, unquoted=True) if isinstance(detail, dict) else None
    records = value.get("Records")
    for record in records if isinstance(records, list) else ():
        if isinstance(record, dict) and record.get("eventSource") == "aws:s3" and isinstance(record.get("s3"), dict):
            yield _file(record["s3"], unquoted=False)


def _file(holder: dict[str, Any], *, unquoted: bool) -> LogFile | None:
    """Return the object that bucket and object name; a bucket's own notification quotes the key."""
    try:
        bucket, key = holder["bucket"]["name"], holder["object"]["key"]
    except (KeyError, TypeError):
        return None
    if not isinstance(bucket, str) or not isinstance(key, str):
        return None
    return LogFile(bucket, key if unquoted else unquote_plus(key))


def event(body: str) -> Iterator[Item]:
    """Yield what a message itself holds."""
    return delivery.document(body.encode())


class Part(NamedTuple):
    """A piece of a log file, which always comes with the same content: what it holds, and its id."""

    items: Iterator[Item]
    marker: str


def parts(body: Body) -> Iterator[Part]:
    """Yield the pieces of a log file as they come in, each to be recorded before the next is read."""
    from callerid.sources import files  # noqa: PLC0415  # gunzip, for log files alone

    lines = delivery.Lines()
    for block in files.stream_blocks(io.BufferedReader(files.Incoming(body), files.BLOCK_BYTES)):
        read = lines.read if block.is_lines else delivery.document
        yield Part(read(block.data, block.damage, block.detail), files.content_of(block))
