"""A URL names a store; whatever is no such URL is refused with what was expected."""

import sys
from contextlib import closing
from pathlib import Path

import pytest

from callerid.ledger.store import Key, Write
from callerid.ledger.url import FORMS, LedgerUrlError, connect


def use(url: str) -> None:
    """Write a row and read it."""
    with closing(connect(url)) as store:
        store.commit([Write(Key("p", "1"), b"{}", None)])
        assert [sort for sort, _ in store.list("p")] == ["1"]


@pytest.mark.parametrize(
    ("path", "file"), [("ledger.db", "ledger.db"), ("of%20mine.db", "of mine.db"), ("a/b.db", "a/b.db")]
)
@pytest.mark.parametrize("absolute", [False, True])
def test_sqlite_names_a_file(tmp_path, monkeypatch, path, file, absolute):
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path)
    use(f"sqlite:///{tmp_path}/{path}" if absolute else f"sqlite:///{path}")
    assert Path(tmp_path, file).is_file()


def test_dynamodb_names_a_table(table):
    use(f"dynamodb://{table}")


@pytest.mark.parametrize("database", ["", "/", "/(default)", "/other"])
def test_firestore_names_a_project_and_perhaps_a_database(project, database):
    use(f"firestore://{project}{database}")


@pytest.mark.parametrize(
    "url",
    [
        "", "ledger.db", "/var/ledger.db", "sqlite:", "sqlite://", "sqlite:///", "sqlite://ledger.db", "sqlite://host/ledger.db",
        "dynamodb:", "dynamodb://", "dynamodb:///table", "dynamodb://table/more", "firestore://", "firestore:///database", "postgres://host/db",
        "sqlite:ledger", "dynamodb://[", "dynamodb://table?region=x", "sqlite:///ledger.db#x", "firestore://p/a/b",
    ],
)  # fmt: skip
def test_any_other_url_is_refused_with_the_forms_there_are(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LedgerUrlError) as raised:
        connect(url)
    assert str(raised.value) == f"{url}: expected {FORMS}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "module", "told"),
    [
        ("dynamodb://table", "boto3", "dynamodb://table: needs `pip install callerid[aws]` (boto3 is missing)"),
        (
            "firestore://project/database",
            "google.cloud.firestore",
            "firestore://project/database: needs `pip install callerid[gcp]` (google.cloud.firestore is missing)",
        ),
    ],
)
def test_a_client_that_is_not_installed_is_asked_for(url, module, told, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, f"callerid.ledger.{url.partition(':')[0]}", raising=False)
    with pytest.raises(LedgerUrlError) as raised:
        connect(url)
    assert str(raised.value) == told
