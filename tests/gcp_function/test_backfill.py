"""Logs that lie in a bucket: `callerid backfill` publishes their names, and the function reads them into its ledger."""

import json

import pytest
from click.testing import CliRunner
from google.auth.credentials import AnonymousCredentials

from callerid.cli.backfill import backfill
from callerid.sources import google
from tests.conftest import entry, json_lines, packed
from tests.gcp_function.queue import until
from tests.gcp_function.stage import push, stranger
from tests.ledger.made import counts
from tests.sources.storage_server import StorageServer

TOPIC = "projects/p/topics/t"


@pytest.fixture
def storage(monkeypatch):
    """A Cloud Storage whose listings come in short pages."""
    with StorageServer(most=2) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://{server.address}")
        monkeypatch.setattr("google.auth.default", lambda *_, **__: (AnonymousCredentials(), None))
        google._session.cache_clear()
        yield server
        google._session().close()
        google._session.cache_clear()


def run(*arguments: str, status: int = 0) -> tuple[str, str]:
    result = CliRunner().invoke(backfill, arguments)
    assert result.exit_code == status, result.output
    return result.stdout, result.stderr


def test_each_object_is_read_by_the_function_and_twice_changes_nothing(stage, queue, storage):
    lines = json_lines(*(entry(number) for number in range(600)), stranger(600))
    storage.objects = {
        "logs/2026/11/02/a.json": lines,
        "logs/2026/11/02/b.json.gz": packed(json_lines(stranger(601), entry(1))),
        "logs/2026/11/02/c d?#.json": json.dumps([stranger(602)]).encode(),
        "logs/2026/11/02/": b"",
        "other/x.json": b"not asked for",
    }
    stage.start(**storage.environment)
    assert stage.post("/", push(stranger(600)))[0] == 200  # came by the sink, before
    queue.push_to(stage.url)
    wanted = {"identified allowed": 600, "unexpected allowed": 3}
    for times in (1, 2):
        out, _ = run("gs://example-history/logs/", "--topic", queue.topic)
        assert out == f"3 objects of gs://example-history published to {queue.topic}\n"
        assert until(lambda: len(storage.read), 3 * times) == 3 * times, stage.log()
        assert until(lambda: counts(stage.store), wanted) == wanted, stage.log()
    batches = until(lambda: len([line for line in stage.lines() if line.get("event") == "batch"]), 7)
    assert batches == 7, stage.log()
    assert counts(stage.store) == wanted
    assert sorted(set(storage.read)) == [name for name in sorted(storage.objects) if name[-1] != "/" and "logs" in name]


def test_a_folder_made_in_the_bucket_is_no_log(stage, storage):
    """Cloud Storage tells of it like of any object; the listing leaves it out, too."""
    storage.objects = {"logs/2026/": b""}
    stage.start(**storage.environment)
    attributes = {"eventType": "OBJECT_FINALIZE", "bucketId": "example-history", "objectId": "logs/2026/"}
    assert stage.post("/", {"message": {"attributes": attributes, "messageId": "1"}})[0] == 200
    assert counts(stage.store) == {}


def test_an_object_that_is_gone_is_no_success(stage, storage):
    stage.start(**storage.environment)
    attributes = {"eventType": "OBJECT_FINALIZE", "bucketId": "example-history", "objectId": "gone"}
    assert stage.post("/", {"message": {"attributes": attributes, "messageId": "1"}})[0] == 500


def test_a_failed_listing_says_what_to_go_on_with(storage, queue):
    storage.objects = dict.fromkeys(("a", "b", "c", "it's"), b"")
    storage.plan = [200, 503]
    _, told = run("gs://example-history", "--topic", queue.topic, status=2)
    assert "HTTP 503; 2 published; go on with --start 'b'" in told
    out, _ = run("gs://example-history", "--topic", queue.topic, "--start", "b")
    assert out.startswith("3 objects ")


def test_an_interruption_says_what_to_go_on_with(storage, queue, monkeypatch):
    storage.objects = dict.fromkeys("abc", b"")

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("callerid.cli.backfill._page", interrupted)
    assert "0 published; go on with --start 'a'" in run("gs://example-history", "--topic", queue.topic, status=130)[1]


def test_a_dry_run_lists_the_objects_and_publishes_nothing(storage):
    storage.objects = dict.fromkeys(("a/", "a/1", "a/2", "a/3", "b"), b"")
    out, _ = run("gs://example-history/a", "--topic", TOPIC, "--dry-run")
    assert out.splitlines() == [f"gs://example-history/a/{number}" for number in (1, 2, 3)]
    storage.plan = [403]
    assert "HTTP 403" in run("gs://example-history/a", "--topic", TOPIC, "--dry-run", status=2)[1]


def test_without_the_clients_even_a_dry_run_says_what_brings_them(monkeypatch):
    def missing(*_, **__):
        raise ModuleNotFoundError("No module named 'google'", name="google")
        yield

    monkeypatch.setattr("callerid.sources.google.objects", missing)
    told = "needs `pip install '.[gcp]'` in callerid's checkout (google is missing)"
    assert told in run("gs://example-history/a", "--topic", TOPIC, "--dry-run", status=2)[1]


@pytest.mark.parametrize(
    ("bucket", "topic", "told"),
    [("s3://b/p", TOPIC, "expected gs://"), ("gs://", TOPIC, "expected gs://"), ("gs://b", "t", "expected projects/")],
)
def test_wrong_usage_is_one_message(bucket, topic, told):
    assert told in run(bucket, "--topic", topic, status=2)[1]
