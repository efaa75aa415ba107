"""What CloudTrail records arrive in: log files, EventBridge events, the answers of LookupEvents.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-examples.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from callerid.aws.record import LogFile, Record
from callerid.decode import JSON_ERRORS, embedded, lenient
from callerid.envelope import content_id

LISTS = ("Records", "Events")
"""The keys under which a document lists its records."""
MARK = b'"eventName"'
"""What a record's JSON contains."""

_LOG_FILE = msgspec.json.Decoder(LogFile)
_RECORD = msgspec.json.Decoder(Record)
_RECORDS = msgspec.json.Decoder(tuple[Record, ...])


def log_file(data: bytes) -> tuple[Record, ...] | None:
    """Return the records of a log file, None where the fast path can't tell what it is."""
    try:
        records = _LOG_FILE.decode(data).records
    except JSON_ERRORS:
        return None
    return records if _are_plain(records) else None


def records(data: bytes) -> tuple[Record, ...] | None:
    """Return the records of a JSON array, None where the fast path can't."""
    try:
        found = _RECORDS.decode(data)
    except JSON_ERRORS:
        return None
    return found if _are_plain(found) else None


def lines(data: bytes) -> list[Record] | None:
    """Return the records of JSON lines, None where the fast path can't."""
    try:
        found = _RECORD.decode_lines(data)
    except JSON_ERRORS:
        return None
    return found if _are_plain(found) else None


def record(data: bytes | msgspec.Raw) -> Record | None:
    """Return one record, None where the fast path can't."""
    try:
        found = _RECORD.decode(data)
    except JSON_ERRORS:
        return None
    return found if _are_plain((found,)) else None


def _are_plain(records: Sequence[Record]) -> bool:
    """Tell records that need no second look: CloudTrail's, each with service and id of its own."""
    for record in records:
        source = record.event_source
        if not record.event_id or record.event_name is None or source is None or source[:4] == "aws:":
            return False
    return True


def is_whole(value: dict[str, Any]) -> bool:
    """Tell a record, whatever else stands in it: whoever sends an event could hide others beside its fields."""
    source = value.get("eventSource")
    return isinstance(value.get("eventName"), str) and isinstance(source, str) and not source.startswith("aws:")


def from_value(value: dict[str, Any]) -> Record | None:
    """Return the record that a JSON object is, however odd its fields; None where it is none."""
    found = lenient(Record, value)
    if not _is_cloudtrail(found):
        return None
    return found if found.event_id else replace(found, event_id=content_id(value))


def _is_cloudtrail(record: Record) -> bool:
    """Tell CloudTrail's records from other services' ``Records``, whose sources are spelled ``aws:s3``."""
    source = record.event_source
    if record.event_name is None or (source is None and not bytes(record.user_identity)):
        return False
    return source is None or not source.startswith("aws:")


def fault(value: dict[str, Any]) -> str | None:
    """Return what keeps an object from being the record that it seems to be; None where nothing does."""
    source = value.get("eventSource")
    if "userIdentity" not in value or (isinstance(source, str) and source.startswith("aws:")):
        return None
    return None if isinstance(value.get("eventName"), str) else "eventName: expected text"


def unwrap(value: dict[str, Any]) -> tuple[str, Any] | None:
    """Return what an envelope holds, with its key; None where the object is no envelope."""
    if "detail-type" in value and isinstance(value.get("detail"), dict):
        return "detail", value["detail"]
    if isinstance(value.get("CloudTrailEvent"), str):
        return "CloudTrailEvent", embedded(value["CloudTrailEvent"])
    return None


def passed_over(value: dict[str, Any]) -> str | None:
    """Return what a trail delivers beside its records: ``digest`` or ``insight``; None for anything else."""
    if "digestStartTime" in value and "digestS3Bucket" in value:
        return "digest"
    return "insight" if isinstance(value.get("insightDetails"), dict) else None
