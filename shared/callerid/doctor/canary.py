"""A canary through each cloud's way in, and the wait for its finding in the ledger.

What is waited for is this canary's own record, known by its id: an older one's alert is no proof.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct, field

from callerid import delivery
from callerid.alerts.clock import Clock
from callerid.doctor.aws_api import Aws
from callerid.doctor.check import Finding, UnknownError, broken, ok
from callerid.doctor.gcp_api import Google
from callerid.doctor.sample import canary, canary_entry
from callerid.envelope import Batch
from callerid.ledger.rows import Counted
from callerid.ledger.store import Store, UnavailableError

WAIT_SECONDS = 180
"""Batch window, cold start and one retry after a minute fit twice."""
PAUSE_SECONDS = 3


class _Put(Struct, rename="pascal"):
    class Entry(Struct, rename="pascal"):
        """Of one event: whether it was refused."""

        error_code: str | None = None

    failed_entry_count: int = 0
    entries: list[Entry] = []


class _Published(Struct, rename="camel"):
    message_ids: list[str] = field(default_factory=list)


def through_aws(aws: Aws, store: Store, clock: Clock, *, event_id: str) -> Iterator[Finding]:
    """Put a canary on the default bus, and wait for it.

    Raises:
        UnknownError, AbsentError: as :meth:`Aws.ask`; the former also where the ledger does not answer.
    """
    event = canary(event_id, clock.now())
    entry = {
        "Source": event["source"], "DetailType": event["detail-type"], "Detail": json.dumps(event["detail"]),
    }  # fmt: skip
    put = aws.ask("events", "PutEvents", _Put, Entries=[entry])
    if put.failed_entry_count:
        refused = next((one.error_code for one in put.entries if one.error_code), "no code")
        raise UnknownError(f"EventBridge refused it: {refused}", "Try again; if it stays, look the code up.")
    yield _wait(
        store, "canary of AWS", _access_id(event["detail"]), clock, "aws logs tail of Judge; docs/aws.md, step 6."
    )


def through_google(google: Google, topic: str, store: Store, clock: Clock, *, event_id: str) -> Iterator[Finding]:
    """Publish a canary to the topic, and wait for it. The sink is not on its way: ``canary.sh`` goes through it.

    Raises:
        UnknownError, AbsentError: as :meth:`Google.ask`; the former also where the ledger does not answer.
    """
    entry = canary_entry(event_id, clock.now())
    data = base64.b64encode(json.dumps(entry).encode()).decode()
    body = {"messages": [{"data": data}]}
    google.ask("pubsub", f"v1/{topic}:publish", _Published, f"pubsub.topics.publish on {topic}", body=body)
    yield _wait(store, "canary of Google Cloud", _access_id(entry), clock, "The function's log; docs/gcp.md, step 6.")


def _access_id(record: dict[str, Any]) -> str:
    """Return the id that the ledger keeps a record under."""
    for item in delivery.document(json.dumps(record).encode()):
        if isinstance(item, Batch):
            return item.occurrence(0, "canary").access_id
    raise AssertionError("a canary is a record")


def _wait(store: Store, what: str, access_id: str, clock: Clock, to_do: str) -> Finding:
    key, started = Counted.key(access_id), clock.now()
    while True:
        try:
            row = store.read([key]).get(key)
        except UnavailableError as error:
            raise UnknownError(f"sent, and the ledger does not answer: {error}", "Try again.") from error
        waited = int(clock.now() - started)
        if row is not None:
            counted = msgspec.json.decode(row.data, type=Counted)
            if counted.finding is None:
                found = f"judged after {waited} s as {counted.verdict}, which is no finding"
                return broken(what, found, "Who named callerid-canary in the policy? Take it out.")
            return ok(what, f"a finding after {waited} s: {counted.verdict}, {', '.join(counted.reasons)}")
        if waited >= WAIT_SECONDS:
            return broken(what, f"sent, and not in the ledger after {waited} s", f"Is it this ledger? {to_do}")
        clock.pause(PAUSE_SECONDS)
