"""A push of Pub/Sub into a delivery: a log entry, or the name of an object that holds many.

https://cloud.google.com/pubsub/docs/push#receive_push
https://cloud.google.com/storage/docs/pubsub-notifications
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import time
from typing import Any

import msgspec

from callerid import delivery, moment
from callerid.monitor import Delivery, Received
from callerid.service import Service


def take(service: Service, body: bytes) -> Received:
    """Judge and record what a request holds.

    Raises:
        Exception: whatever failed around the engine; the message is to come again.
    """
    message = _message(body)
    attributes = message.get("attributes")
    if isinstance(attributes, dict) and attributes.get("eventType") == "OBJECT_FINALIZE":
        return _object(service, str(attributes.get("bucketId")), str(attributes.get("objectId")))
    name = f"pubsub:{message.get('messageId') or hashlib.sha256(body).hexdigest()[:16]}"
    return service.receive([Delivery(name, delivery.document(body))])


def _message(body: bytes) -> dict[str, Any]:
    """Return the message of a push, plain or within a CloudEvent; an empty one where there is none."""
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    for _ in range(2):
        if isinstance(value, dict) and isinstance(value.get("message"), dict):
            message: dict[str, Any] = value["message"]
            return message
        value = value.get("data") if isinstance(value, dict) else None
    return {}


def _object(service: Service, bucket: str, name: str) -> Received:
    """Read an object as it comes in, each block recorded before the next is read.

    Each record is kept by its id, as if it had been pushed: the sink may have sent some of them before.
    """
    from callerid.sources import files, google  # noqa: PLC0415  # the second way in alone

    received, lines = Received(), delivery.Lines()
    if name.endswith("/"):  # a folder, which holds nothing
        return received
    stream = io.BufferedReader(files.Incoming(google.object_stream(bucket, name)), files.BLOCK_BYTES)
    for block in files.stream_blocks(stream):
        read = lines.read if block.is_lines else delivery.document
        items = read(block.data, block.damage, block.detail)
        received.add(service.receive([Delivery(f"gs://{bucket}/{name}", items)]))
    return received


def report(log: logging.Logger, received: Received) -> None:
    """Log one line for the batch and the JSON of each finding; never a raw record."""
    for finding in (*received.findings, *received.unreadable):
        log.warning("finding", extra={"json_fields": {"event": "finding", "finding": msgspec.to_builtins(finding)}})
    lag = time.time() - moment.epoch(received.newest) if received.newest else None
    fields = {
        "event": "batch",
        "records": received.records,
        "new": received.recorded.records,
        "findings": received.recorded.findings,
        "unreadable": len(received.unreadable),
        "verdicts": {str(verdict): count for verdict, count in received.verdicts.items()},
        "lag_seconds": lag,
    }
    log.info("batch", extra={"json_fields": fields})
