"""What holds for the ledger in a file alone."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from callerid.ledger import sqlite as module
from callerid.ledger.sqlite import SqliteStore
from callerid.ledger.store import Key, UnavailableError, Write

ROW = Key("p", "1")
COUNT = """
import sys
from callerid.ledger.sqlite import SqliteStore
from callerid.ledger.store import ConflictError, Key, Write

print("ready", flush=True)
sys.stdin.readline()
store = SqliteStore(sys.argv[1])
key, done = Key("p", "1"), 0
while done < 100:
    row = store.read([key]).get(key)
    try:
        store.commit([Write(key, str(int(row.data) + 1 if row else 1).encode(), row.version if row else None)])
    except ConflictError:
        continue
    done += 1
store.close()
"""


def test_what_was_written_is_there_when_the_file_is_opened_again(tmp_path):
    for number in range(3):
        with closing(SqliteStore(tmp_path / "ledger.db")) as store:
            store.commit([Write(Key("p", str(number)), b"{}", None)])
            assert [sort for sort, _ in store.list("p")] == [str(number) for number in range(number + 1)]
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.db"]


def test_the_folder_must_be_there(tmp_path):
    with pytest.raises(UnavailableError) as raised:
        SqliteStore(tmp_path / "none" / "ledger.db")
    assert str(raised.value) == f"{tmp_path}/none/ledger.db: there is no folder {tmp_path}/none"
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_kind_is_refused_and_left_alone(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text("version: 1\n" * 500)
    with pytest.raises(UnavailableError) as raised:
        SqliteStore(file)
    assert str(raised.value) == f"{file}: file is not a database"
    assert file.read_text() == "version: 1\n" * 500


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(UnavailableError) as raised:
        SqliteStore(tmp_path)
    assert str(raised.value) == f"{tmp_path}: unable to open database file"


def test_who_waits_too_long_for_the_file_is_told_and_may_read_meanwhile(tmp_path):
    with (
        closing(SqliteStore(tmp_path / "ledger.db", wait_seconds=0)) as store,
        closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other,
    ):
        store.commit([Write(ROW, b"{}", None)])
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError, match="database is locked"):
            store.commit([Write(Key("p", "2"), b"{}", None)])
        assert list(store.read([ROW])) == [ROW]
        other.execute("ROLLBACK")
        store.commit([Write(Key("p", "2"), b"{}", None)])


def test_a_file_that_another_makes_is_waited_for_but_not_without_end(tmp_path):
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UnavailableError, match=r"ledger\.db: database is locked"):
            SqliteStore(tmp_path / "ledger.db", wait_seconds=0.02)
        other.execute("ROLLBACK")
    SqliteStore(tmp_path / "ledger.db", wait_seconds=0.02).close()


def test_several_processes_share_a_file_that_is_not_there_yet(tmp_path):
    file = tmp_path / "ledger.db"
    command = [sys.executable, "-c", COUNT, str(file)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    processes = [subprocess.Popen(command, **pipes) for _ in range(4)]
    assert [process.stdout.readline() for process in processes] == [b"ready\n"] * 4
    for process in processes:
        process.stdin.write(b"go\n")
        process.stdin.flush()
    assert [process.communicate(timeout=60)[1] for process in processes] == [b""] * 4
    with closing(SqliteStore(file)) as store:
        assert store.read([ROW])[ROW].data == b"400"


def test_a_new_file_is_its_owner_s_alone_and_another_keeps_the_rights_that_it_has(tmp_path):
    shared = tmp_path / "shared.db"
    shared.touch(0o664)
    shared.chmod(0o664)
    with closing(SqliteStore(tmp_path / "new.db")) as one, closing(SqliteStore(shared)) as other:
        for store in (one, other):
            store.commit([Write(Key("p", "s"), b"{}", None, None)])
        rights = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert {rights.pop(name) for name in ("new.db", "new.db-wal", "new.db-shm")} == {0o600}
    assert set(rights.values()) == {0o664}


def test_a_person_can_query_the_json(tmp_path):
    with closing(SqliteStore(tmp_path / "ledger.db")) as store:
        store.commit([Write(ROW, json.dumps({"state": "sent"}).encode(), None, expires=5)])
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
        query = "SELECT partition, sort, json_extract(data, '$.state'), expires FROM ledger"
        assert other.execute(query).fetchall() == [("p", "1", "sent", 5)]


def test_rows_are_sought_by_key_and_the_table_is_never_read_through(sqlite):
    two = module._WANTED.format("(?, ?), (?, ?)", module._ROW)
    for query, values in ((two, "abcd"), (module._PAGE, "ab"), (module._DELETE, "ab")):
        plan = [row[3] for row in sqlite._connection.execute(f"EXPLAIN QUERY PLAN {query}", tuple(values))]
        assert [step for step in plan if "SEARCH ledger USING INDEX" in step]
        assert not [step for step in plan if "SCAN ledger" in step]
