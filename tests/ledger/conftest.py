"""The three stores, each on the real part: a file, moto's DynamoDB, Firestore's emulator."""

import sqlite3
from contextlib import closing
from itertools import count

import boto3
import pytest
from botocore.config import Config
from google.cloud.firestore import Client

from callerid.ledger.dynamodb import DynamoStore, table_definition, time_to_live
from callerid.ledger.firestore import FirestoreStore
from callerid.ledger.sqlite import SqliteStore
from tests import parts
from tests.ledger.memory import MemoryStore

_names = (f"ledger-{number}" for number in count())


@pytest.fixture
def aws(moto, monkeypatch, tmp_path):
    """An environment in which boto3 finds moto's AWS, and no account of the developer's."""
    for name, value in {
        "AWS_ENDPOINT_URL": moto,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@pytest.fixture
def table(aws):
    """The name of a table of the test's own."""
    name = next(_names)
    client = boto3.client("dynamodb")
    client.create_table(**table_definition(name))
    client.update_time_to_live(**time_to_live(name))
    client.close()
    return name


@pytest.fixture
def project(emulator, monkeypatch):
    """The name of a project whose Firestore is the test's own."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", emulator)
    return next(_names)


@pytest.fixture
def sqlite(tmp_path):
    """A store in a file."""
    store = SqliteStore(tmp_path / "ledger.db")
    yield store
    store.close()


@pytest.fixture
def dynamodb(table):
    """A store in a table."""
    store = DynamoStore.connect(table)
    yield store
    store.close()


@pytest.fixture
def firestore(project):
    """A store in a Firestore database."""
    store = FirestoreStore.connect(project, "(default)")
    yield store
    store.close()


@pytest.fixture
def memory():
    """The tests' own fake."""
    return MemoryStore()


@pytest.fixture(params=["sqlite", "dynamodb", "firestore", "memory"])
def store(request):
    """Each of the three, and the fake that stands in for them where a process is to end at any step."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def broken_sqlite(tmp_path):
    """A file whose table somebody took away, and its name."""
    store = SqliteStore(tmp_path / "ledger.db")
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
        other.execute("DROP TABLE ledger")
    yield store, "ledger.db"
    store.close()


@pytest.fixture
def broken_dynamodb(aws):
    """A table in a region where nobody listens, and its name."""
    once = Config(retries={"total_max_attempts": 1})
    store = DynamoStore(
        boto3.client("dynamodb", endpoint_url=f"http://127.0.0.1:{parts.free_port()}", config=once), "tab"
    )
    yield store, "DynamoDB table tab"
    store.close()


@pytest.fixture
def broken_firestore(monkeypatch):
    """A database where nobody listens, and its name."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", f"127.0.0.1:{parts.free_port()}")
    store = FirestoreStore(Client(project="proj", database="base"), timeout_seconds=0.3)
    yield store, "Firestore proj/base"
    store.close()


@pytest.fixture(params=["sqlite", "dynamodb", "firestore"])
def broken(request):
    """Each of the three, at a loss, and how it is to be named."""
    return request.getfixturevalue(f"broken_{request.param}")
