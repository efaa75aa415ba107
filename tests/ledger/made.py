"""What tests of the ledger judge, record and count."""

from collections import Counter

import msgspec

from callerid import delivery
from callerid.engine import Engine, unreadable
from callerid.envelope import Batch, Unreadable
from callerid.ledger.alert import Alert, Due, Tally
from callerid.ledger.fold import Brief
from callerid.ledger.part import aside, units
from callerid.ledger.record import Recorder
from callerid.ledger.rows import Count, Seen
from tests.conftest import json_lines, record

NOW = 1_793_602_800.0
"""2026-11-02 07:00 UTC: when tests receive what they record."""
_UNLISTED = "100000000000000000009"


def call(number: int, *, name: str = "TestUserForSourceID", **fields: object) -> dict:
    """A later call of a session of a role for which the example policy asks for a source identity."""
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": f"AROAEXAMPLEEXAMPLE001:{name}",
            "arn": f"arn:aws:sts::123456789012:assumed-role/TestRoleForSourceID/{name}",
            "accountId": "123456789012",
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "arn": "arn:aws:iam::123456789012:role/TestRoleForSourceID"},
                "attributes": {"creationDate": "2026-11-02T03:00:00Z"},
                **({"sourceIdentity": name} if name else {}),
            },
        },
        "eventTime": "2026-11-02T03:04:05Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        "awsRegion": "us-east-1",
        "eventID": f"10000000-0000-4000-8000-{number:012d}",
        "recipientAccountId": "123456789012",
        **fields,
    }


def stranger(number: int, **fields: object) -> dict:
    """A crossing by a subject that the book does not list."""
    identity = {
        "type": "WebIdentityUser",
        "principalId": f"accounts.google.com:{_UNLISTED}:{_UNLISTED}",
        "userName": _UNLISTED,
        "identityProvider": "accounts.google.com",
    }
    answer = {"subjectFromWebIdentityToken": _UNLISTED, "provider": "accounts.google.com", "audience": _UNLISTED}
    return record(number, **{"userIdentity": identity, "responseElements": answer, **fields})


def mixed() -> list[dict]:
    """Crossings and calls, listed and not, of several hours."""
    return [
        *(record(number, eventTime=f"2026-11-02T0{number % 5}:00:00Z") for number in range(1, 8)),
        *(stranger(number) for number in range(20, 25)),
        *(call(number) for number in range(30, 40)),
        *(call(number, name="") for number in range(40, 44)),
    ]


def copies(number: int) -> tuple[dict, dict]:
    """One cross-account AssumeRole as both accounts log it: the target's copy shows a unique id alone."""
    shared = {
        "eventName": "AssumeRole",
        "sharedEventID": f"20000000-0000-4000-8000-{number:012d}",
        "requestParameters": {
            "roleArn": "arn:aws:iam::222222222222:role/admin_role",
            "roleSessionName": "work_api",
        },
        "responseElements": {},
    }
    full = record(
        number,
        **shared,
        userIdentity={
            "type": "IAMUser",
            "principalId": "AIDASOMEBODYELSE00001",
            "arn": "arn:aws:iam::111111111111:user/work_api",
            "accountId": "111111111111",
            "userName": "work_api",
        },
    )
    bare = record(
        number + 500,
        **shared,
        userIdentity={"type": "AWSAccount", "principalId": "AIDASOMEBODYELSE00001", "accountId": "111111111111"},
        recipientAccountId="222222222222",
    )
    return full, bare


def of(records: list[dict], book, *, by_id: bool = False) -> list:
    """The units of records that come as JSON lines."""
    engine, found = Engine(book), []
    for item in delivery.Lines().read(json_lines(*records)):
        match item:
            case Batch():
                found += units(item, engine.judge(item), "log", by_id=by_id)
            case Unreadable():
                found += aside([(item, unreadable(item))], "log")
    return found


def recorder(store) -> Recorder:
    """A recorder that does not wait and briefs nobody."""
    return Recorder(store, lambda judgement, severity: Brief(), pause=lambda seconds: None)


def rows(store, partition: str, kind: type) -> list:
    """Every row whose partition begins so."""
    found = [(key, row) for key, row in store.rows.items() if key.partition.startswith(partition)]
    return [msgspec.json.decode(row.data, type=kind) for _, row in found]


def counts(store) -> Counter:
    """All accesses by verdict and outcome."""
    total = Counter()
    for count in rows(store, "count ", Count):
        total.update(count.counts)
    return +total


def told(store) -> Counter:
    """How often each alert's finding came."""
    alerts = {alert.key: alert for alert in rows(store, "alert", Alert)}
    total = Counter()
    for key, row in store.rows.items():
        if key.partition.startswith("tally "):
            alert = alerts[key.partition.split(" ")[1]]
            tally = msgspec.json.decode(row.data, type=Tally)
            if tally.window == alert.window:
                total[alert.key] += tally.count
    return total


__all__ = [
    "NOW", "Alert", "Due", "Seen", "call", "copies", "counts", "mixed", "of", "recorder", "rows", "stranger", "told",
]  # fmt: skip
