"""What several tests share."""

import gzip
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from callerid import delivery
from callerid.engine import Engine, unreadable
from callerid.envelope import Batch, PassedOver, Unreadable
from callerid.policy.book import Book
from callerid.policy.load import parse
from tests import parts

settings.register_profile(
    "callerid",
    deadline=None,
    suppress_health_check=list(HealthCheck),
    max_examples=150,
    derandomize="CI" in os.environ,  # a machine that only says yes or no looks at the same examples each time
)
settings.load_profile("callerid")

ROOT = Path(__file__).parent.parent
POLICY = ROOT / "examples" / "policy.yaml"


@pytest.fixture(scope="session")
def book() -> Book:
    """The example policy."""
    return Book(parse(POLICY.read_bytes(), "policy.yaml"), "sha256:example")


@pytest.fixture(scope="session")
def moto():
    """The address of moto's AWS."""
    with parts.moto() as url:
        yield url


@pytest.fixture(scope="session")
def emulator():
    """The address of Firestore's emulator: one for whoever needs it, each in a project of its own."""
    with parts.firestore() as address:
        yield address


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Policies are cached beside the test, never in the user's folder."""
    monkeypatch.setenv("CALLERID_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def without_credentials(tmp_path, monkeypatch):
    """A machine on which nobody is signed in to AWS, in a region."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


def record(number: int = 1, **fields: object) -> dict:
    """A CloudTrail record of a listed Google service account."""
    subject = "100000000000000000001"
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "WebIdentityUser",
            "principalId": f"accounts.google.com:{subject}:{subject}",
            "userName": subject,
            "identityProvider": "accounts.google.com",
        },
        "eventTime": "2026-11-02T03:04:05Z",
        "eventSource": "sts.amazonaws.com",
        "eventName": "AssumeRoleWithWebIdentity",
        "awsRegion": "us-east-1",
        "requestParameters": {
            "roleArn": "arn:aws:iam::111111111111:role/crosscloud-test",
            "roleSessionName": "nightly-export",
        },
        "responseElements": {
            "credentials": {"accessKeyId": "ASIAEXAMPLESECRET001", "sessionToken": "EXAMPLE-SECRET-TOKEN"},
            "subjectFromWebIdentityToken": subject,
            "provider": "accounts.google.com",
            "audience": subject,
        },
        "eventID": f"00000000-0000-4000-8000-{number:012d}",
        "recipientAccountId": "111111111111",
        **fields,
    }


def entry(number: int = 1, **fields: object) -> dict:
    """A Cloud Audit Log entry of a listed role's token exchange."""
    pool = "projects/123456789012/locations/global/workloadIdentityPools/crosscloud-test"
    subject = "arn:aws:sts::111111111111:assumed-role/crosscloud-test-aws-1/batch"
    return {
        "insertId": f"example{number}",
        "logName": "projects/my-gcp-project/logs/cloudaudit.googleapis.com%2Fdata_access",
        "protoPayload": {
            "authenticationInfo": {"principalSubject": subject},
            "metadata": {"mapped_principal": f"principal://iam.googleapis.com/{pool}/subject/{subject}"},
            "methodName": "google.identity.sts.v1.SecurityTokenService.ExchangeToken",
            "resourceName": f"{pool}/providers/crosscloud-test-aws",
            "serviceName": "sts.googleapis.com",
            "status": {},
        },
        "timestamp": "2026-11-02T03:04:05.123456789Z",
        **fields,
    }


def verdicts(items: object, book: Book | None = None) -> list[str]:
    """Judge whatever a delivery yields; what is passed over is told by its name in brackets."""
    found: list[str] = []
    engine = Engine(book)
    for item in items:
        match item:
            case Batch():
                found += [str(judgement.verdict) for judgement in engine.judge(item)]
            case Unreadable():
                found.append(f"{unreadable(item).verdict} {item.position} {item.reason}")
            case PassedOver():
                found.append(f"({item.what})")
    return found


def positions(items: object) -> list[str]:
    """The position of every record and of everything unreadable."""
    found: list[str] = []
    for item in items:
        if isinstance(item, Batch):
            found += [item.position(index) for index in range(len(item.records))]
        elif isinstance(item, Unreadable):
            found.append(f"!{item.position}")
    return found


def packed(*members: bytes) -> bytes:
    """Gzip data of one or more members."""
    return b"".join(gzip.compress(member, 1) for member in members)


def json_lines(*values: object) -> bytes:
    """JSON lines."""
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


__all__ = ["delivery", "entry", "json_lines", "packed", "positions", "record", "verdicts"]
