"""History through google-cloud-logging's real client: pages, pacing, failures, and how to go on after one."""

import json
import re
from contextlib import closing
from itertools import pairwise

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import logging

from callerid import delivery, moment, scan
from callerid.alerts.clock import Clock
from callerid.cli.ledger import Keeper
from callerid.ledger.url import connect
from callerid.monitor import Delivery, Monitor
from callerid.sources import cloud, files
from tests.alerts.fake import FakeClock
from tests.conftest import ROOT, entry, positions
from tests.gcp_function.stage import push, stranger
from tests.ledger.made import NOW
from tests.sources.logging_server import LoggingServer

URL = "logging://my-gcp-project"


@pytest.fixture
def server(monkeypatch):
    """A Cloud Logging whose pages are short, found by the environment; nobody waits for real."""
    with LoggingServer(most=3) as server:
        monkeypatch.setenv("CALLERID_LOGGING_API", server.url)
        monkeypatch.setattr("google.auth.default", lambda *_, **__: (AnonymousCredentials(), None))
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        yield server


def at(number: int, **fields: object) -> dict:
    """An entry of its own second; the nanoseconds are more than the client's own entries keep."""
    return entry(number, timestamp=f"2026-11-02T03:04:{number:02}.123456789Z", **fields)


def history(server, url: str = URL, clock: FakeClock | None = None) -> cloud.History:
    clock = clock or FakeClock(NOW)
    client = logging.Client(
        project="p", credentials=AnonymousCredentials(), client_options={"api_endpoint": server.url}, _use_grpc=False
    )
    return cloud.History(cloud.Wanted.of(url), client, Clock(clock.now, clock.pause))


def test_every_page_is_read_as_it_is_oldest_first(server):
    server.entries = [at(number, receiveTimestamp="2026-11-02T03:05:00Z") for number in range(8)]
    pages = [json.loads(page) for page in history(server).pages()]
    assert [len(page) for page in pages] == [3, 3, 2]
    assert [one for page in pages for one in page] == server.entries
    assert set(server.paths) == {"/v2/entries:list?prettyPrint=false"}


def test_a_request_asks_for_one_place_for_full_pages_and_for_what_a_sink_sends(server):
    list(history(server, f"{URL}?since=2026-11-02T00:00:00Z").pages())
    (request,) = server.requests
    assert request == {
        "resourceNames": ["projects/my-gcp-project"],
        "filter": f'({cloud.FILTER}\n) AND timestamp>="2026-11-02T00:00:00Z"',
        "orderBy": "timestamp asc",
        "pageSize": 1000,
    }


def test_the_filter_is_that_of_the_log_sink_but_for_its_own_accounts():
    template = (ROOT / "terraform" / "filter.tftpl").read_text()
    template = re.sub(r"%\{ for .*?endfor ~\}\n", "", template, flags=re.DOTALL)
    assert template.startswith(cloud.FILTER + "\nAND NOT (")


def test_requests_keep_within_the_quota_of_sixty_a_minute(server):
    clock = FakeClock(NOW)
    server.entries = [at(number) for number in range(9)]
    times = [clock.now() for _ in history(server, clock=clock).pages()]
    assert len(times) == 3
    assert all(later - earlier >= 1 for earlier, later in pairwise(times))


@pytest.mark.parametrize("failure", [429, 503, b"<html>", b'{"entries": [{"insertId": "ha', b"[]", b""])
def test_a_passing_failure_is_asked_again(server, failure):
    server.entries = [at(number) for number in range(4)]
    server.plan = [200, failure, failure]
    pages = list(history(server).pages())
    assert [len(json.loads(page)) for page in pages] == [3, 1]
    assert [request.get("pageToken") for request in server.requests] == [None, "3", "3", "3"]


@pytest.mark.parametrize(("status", "requests"), [(503, 8), (429, 8), (400, 2), (403, 2)])
def test_a_lasting_failure_says_how_to_go_on(server, status, requests):
    server.entries = [at(number) for number in range(4)]
    server.plan = [200] + [status] * 20
    with pytest.raises(cloud.BrokenOffError, match=re.escape("go on with since=2026-11-02T03:04:02.123456789Z")):
        list(history(server).pages())
    assert len(server.requests) == requests


def test_the_waits_outlast_the_minute_of_the_quota(server):
    clock = FakeClock(NOW)
    server.plan = [429] * 20
    with pytest.raises(cloud.BrokenOffError, match=r"429.*nothing was taken yet"):
        list(history(server, clock=clock).pages())
    assert clock.now() - NOW > 60


def test_an_empty_page_is_not_the_end(server):
    server.entries = [at(1)]
    server.plan = [b'{"nextPageToken": "0"}']
    assert list(history(server).pages()) == [b"[]", json.dumps([at(1)]).encode()]


def test_an_entry_that_is_odd_does_not_end_the_page(server):
    server.entries = [at(1), {"timestamp": "2026-11-02T03:04:02Z", "protoPayload": 7}, at(3)]
    (page,) = history(server).pages()
    assert positions(delivery.document(page)) == ["[0]", "![1]", "[2]"]


@pytest.mark.parametrize(
    ("place", "resource"),
    [
        ("my-gcp-project", "projects/my-gcp-project"),
        ("example.com:my-gcp-project", "projects/example.com:my-gcp-project"),
        ("projects/my-gcp-project", "projects/my-gcp-project"),
        ("folders/123456789012", "folders/123456789012"),
        ("organizations/123456789012", "organizations/123456789012"),
        (
            "projects/p/locations/global/buckets/b/views/_AllLogs",
            "projects/p/locations/global/buckets/b/views/_AllLogs",
        ),
    ],
)
def test_a_url_names_a_place_of_google_cloud(place, resource):
    assert cloud.Wanted.of(f"logging://{place}").resource == resource


def test_a_filter_is_taken_as_it_is_but_for_percent_codes():
    wanted = cloud.Wanted.of(f'{URL}?filter=severity>=ERROR%20AND a=~"^x+$" -- why&since=2026-11-02T00:00:00+09:00')
    assert wanted.filter == 'severity>=ERROR AND a=~"^x+$" -- why'
    assert wanted.filter_from(wanted.since).endswith('-- why\n) AND timestamp>="2026-11-02T00:00:00+09:00"')


@pytest.mark.parametrize(
    "url",
    ["logging://", "logging://a/b", "logging://p?since=yesterday", "logging://p?until=x", "logging://p?filter",
     "logging://p?since=2026-11-02T00:00:00Z&since=2026-11-03T00:00:00Z", "logging://folders/1/x"],
)  # fmt: skip
def test_any_other_url_is_refused_with_what_was_expected(url):
    with pytest.raises(files.NoFileError, match="expected logging://PROJECT"):
        files.find([url])


class Counting(Keeper):
    """Counts what a scan adds to the ledger."""

    added = 0

    def __call__(self, units, marker, /):
        recorded = super().__call__(units, marker)
        self.added += recorded.records
        return recorded


def test_the_same_entries_by_history_and_by_push_count_once(server, book, sqlite_url):
    """Pub/Sub keeps nanoseconds and may push an entry twice; history may be read again, from another time on."""
    entries = [at(1), stranger(2), *(later_call(number) for number in range(3, 8))]
    server.entries = entries
    store = connect(sqlite_url)
    monitor = Monitor(book, store, now=lambda: NOW)

    def pushed(numbers: range) -> int:
        bodies = [json.dumps(push(entries[number], number)).encode() for number in numbers]
        found = [monitor.receive([Delivery("pubsub:1", delivery.document(body))]) for body in bodies]
        return sum(received.recorded.records for received in found)

    def read(url: str) -> int:
        with closing(Counting(connect(sqlite_url), book, sessions=False)) as keep:
            assert scan.Scanner(book, scan.Select(), keep).scan(url, lambda line: None).broken_off == []
            return keep.added

    assert pushed(range(4)) == 4
    assert read(URL) == 3
    assert read(f"{URL}?since=2026-11-02T03:04:05Z") == 0
    assert pushed(range(len(entries))) == 0
    store.close()


def later_call(number: int) -> dict:
    """A call of which sessions make thousands, so that a log file's are counted without ids."""
    payload = {
        "serviceName": "storage.googleapis.com",
        "methodName": "storage.objects.get",
        "authenticationInfo": {"principalEmail": "cc-test-target@my-gcp-project.iam.gserviceaccount.com"},
        "resourceName": "projects/_/buckets/example",
    }
    return at(number, protoPayload=payload)


@pytest.fixture
def sqlite_url(tmp_path):
    return f"sqlite:///{tmp_path}/ledger.db"


def test_an_entry_has_one_id_by_either_way(server):
    server.entries = [at(1)]
    (page,) = history(server).pages()
    (by_history,) = delivery.document(page)
    (by_push,) = delivery.document(json.dumps(push(at(1))).encode())
    assert by_history.occurrence(0, "").record_id == by_push.occurrence(0, "").record_id
    assert moment.utc(at(1)["timestamp"]) in by_history.occurrence(0, "").record_id
