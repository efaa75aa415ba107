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
        "sqlite:ledger", "dynamodb://[", "sqlite:///ledger.db?mode=ro", "sqlite:///ledger.db#x", "firestore://p/a/b",
    ],
)  # fmt: skip
def test_any_other_url_is_refused_with_the_forms_there_are(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LedgerUrlError) as raised:
        connect(url)
    assert str(raised.value) == f"{url}: expected {FORMS}"
    assert list(tmp_path.iterdir()) == []


ROLE = "region=us-east-1&role=arn:aws:iam::111111111111:role/callerid-google&audience=callerid"
POOL = "projects/123456789012/locations/global/workloadIdentityPools/callerid-aws"
ACCOUNT = (
    f"provider={POOL}/providers/callerid-aws&service_account=callerid-lambda@my-gcp-project.iam.gserviceaccount.com"
)


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("dynamodb://table?region=us-east-1", "region, role, audience"),
        (f"dynamodb://table?{ROLE}&key=x", "region, role, audience"),
        (f"dynamodb://table?{ROLE}&role=arn:aws:iam::222222222222:role/another", "region, role, audience"),
        (f"dynamodb://table?{ACCOUNT}", "region, role, audience"),
        ("firestore://project/database?database=x", "provider, service_account"),
        (f"firestore://project/database?{ACCOUNT}&", "provider, service_account"),
        (f"firestore://project?{ROLE}", "provider, service_account"),
    ],
)
def test_the_other_cloud_is_reached_with_all_of_the_parameters_or_with_none(url, wanted):
    with pytest.raises(LedgerUrlError) as raised:
        connect(url)
    assert str(raised.value) == f"{url}: expected after the question mark {wanted}, each once, or nothing"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (f"dynamodb://table?{ROLE.replace('us-east-1', 'us-east-1.example.com/')}", "region"),
        (f"dynamodb://table?{ROLE.replace('us-east-1', '')}", "region"),
        (f"dynamodb://table?{ROLE.replace('role/callerid-google', 'user/alice')}", "role"),
        (f"dynamodb://table?{ROLE.replace('111111111111', '1')}", "role"),
        (f"dynamodb://table?{ROLE.replace('=callerid', '=a%20b')}", "audience"),
        (f"firestore://project?{ACCOUNT.replace('provider=', 'provider=//iam.googleapis.com/')}", "provider"),
        (f"firestore://project?{ACCOUNT.replace('/providers/callerid-aws', '')}", "provider"),
        (f"firestore://project?{ACCOUNT.replace('gserviceaccount.com', 'gserviceaccount.com.example.com')}", "service_account"),
        (f"firestore://project?{ACCOUNT.replace('callerid-lambda@', '..%2F..%2Fa@')}", "service_account"),
    ],
)  # fmt: skip
def test_a_parameter_that_is_none_is_named(url, name):
    """Each becomes part of an address or of a request, so nothing else may be in it."""
    with pytest.raises(LedgerUrlError, match=f": {name}: got "):
        connect(url)


def test_a_plus_in_a_roles_name_is_a_plus():
    with closing(connect(f"dynamodb://table?{ROLE.replace(':role/', ':role/path/a+b%2B')}")) as store:
        provider = store._client._request_signer._credentials._refresh_using.__self__
        assert provider._role.role == "arn:aws:iam::111111111111:role/path/a+b+callerid-google"


@pytest.mark.parametrize(
    ("url", "module", "told"),
    [
        (
            f"dynamodb://table?{ROLE}",
            "google.auth.compute_engine",
            f"dynamodb://table?{ROLE}: needs `pip install '.[gcp]'` in callerid's checkout (google.auth.compute_engine is missing)",
        ),
        (
            "dynamodb://table",
            "botocore.session",
            "dynamodb://table: needs `pip install '.[aws]'` in callerid's checkout (botocore.session is missing)",
        ),
        (
            "firestore://project/database",
            "google.cloud.firestore",
            "firestore://project/database: needs `pip install '.[gcp]'` in callerid's checkout (google.cloud.firestore is missing)",
        ),
    ],
)
def test_a_client_that_is_not_installed_is_asked_for(url, module, told, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    for name in ("to_aws", url.partition(":")[0]):
        monkeypatch.delitem(sys.modules, f"callerid.ledger.{name}", raising=False)
    with pytest.raises(LedgerUrlError) as raised:
        connect(url)
    assert str(raised.value) == told
