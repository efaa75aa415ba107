"""What log entries arrive in: gcloud's output, a sink's files, Pub/Sub messages pushed and pulled.

https://cloud.google.com/pubsub/docs/push#receive_push
https://cloud.google.com/logging/docs/export/storage
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from callerid.decode import DAMAGED, JSON_ERRORS, embedded, lenient
from callerid.envelope import content_id
from callerid.gcp.record import Entry

LISTS = ("entries", "receivedMessages")
"""The keys under which a document lists its entries."""
MARK = b'"protoPayload"'
"""What an entry's JSON contains."""

_FLATTENED = ("metadata", "request", "response")
_BIGQUERY = "protopayload_auditlog"
_ENTRY = msgspec.json.Decoder(Entry)
_ENTRIES = msgspec.json.Decoder(tuple[Entry, ...])


def records(data: bytes) -> tuple[Entry, ...] | None:
    """Return the entries of a JSON array, None where the fast path can't."""
    try:
        found = _ENTRIES.decode(data)
    except JSON_ERRORS:
        return None
    return found if _are_plain(found) else None


def lines(data: bytes) -> list[Entry] | None:
    """Return the entries of JSON lines, None where the fast path can't."""
    try:
        found = _ENTRY.decode_lines(data)
    except JSON_ERRORS:
        return None
    return found if _are_plain(found) else None


def record(data: bytes | msgspec.Raw) -> Entry | None:
    """Return one entry, None where the fast path can't."""
    try:
        found = _ENTRY.decode(data)
    except JSON_ERRORS:
        return None
    return found if _are_plain((found,)) else None


def _are_plain(entries: Sequence[Entry]) -> bool:
    """Tell entries that need no second look: audit logs, each with an id of its own."""
    for entry in entries:  # noqa: SIM110  # all() takes twice as long, and every entry passes here
        if entry.payload is None or not entry.insert_id:
            return False
    return True


def from_value(value: dict[str, Any]) -> Entry | None:
    """Return the entry that a JSON object is, however odd its fields; None where it is none.

    An entry without an audit log (text, another payload) is an entry all the same: there is nothing to judge.
    """
    audit = value.get("protoPayload", value.get(_BIGQUERY))
    if not isinstance(audit, dict) and not isinstance(value.get("logName"), str):
        return None
    found = lenient(Entry, {**value, "protoPayload": _unflattened(audit)})
    return found if found.insert_id else replace(found, insert_id=content_id(value))


def _unflattened(audit: Any) -> Any:
    """Return an audit log as Logging writes it; a BigQuery export holds three of its parts as JSON text."""
    if not isinstance(audit, dict):
        return audit
    parts = {part: embedded(audit[f"{part}Json"]) for part in _FLATTENED if f"{part}Json" in audit}
    return {**audit, **{part: value for part, value in parts.items() if value is not DAMAGED}}


def fault(value: dict[str, Any]) -> str | None:
    """Return what keeps an object from being the entry that it seems to be; None where nothing does."""
    audit = value.get("protoPayload")
    return None if audit is None or isinstance(audit, dict) else "protoPayload: expected an object"


def unwrap(value: dict[str, Any]) -> tuple[str, Any] | None:
    """Return what an envelope holds, with its key; None where the object is no envelope.

    A push request and a pulled message hold a ``message``; a CloudEvent holds a push request as ``data``.
    """
    if isinstance(value.get("message"), dict) and "data" in value["message"]:
        return "message.data", _decoded(value["message"]["data"])
    if isinstance(value.get("data"), dict) and isinstance(value["data"].get("message"), dict):
        return "data", value["data"]
    if isinstance(value.get("data"), str) and ("messageId" in value or "message_id" in value):
        return "data", _decoded(value["data"])
    return None


def _decoded(data: Any) -> Any:
    try:
        return embedded(base64.b64decode(data, validate=True))
    except (TypeError, ValueError):  # binascii.Error is a ValueError
        return DAMAGED
