"""Files are recognised by their content and read in blocks; damage is told and costs nothing else."""

import errno
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from callerid.scan import Scanner, Select, scan
from callerid.sources import files
from tests.conftest import entry, json_lines, packed, record

FILE = json.dumps({"Records": [record(1), record(2)]}).encode()
LINES = json_lines(*(record(number) for number in range(50)))


def tally(path, data: bytes):
    path.write_bytes(data)
    return Scanner(None, Select()).scan(str(path), lambda line: None)


def counted(tally) -> dict[str, int]:
    return {str(verdict): count for verdict, count in tally.verdicts.items() if count}


GOOD = {
    "plain": (FILE, 2),
    "printed over several lines": (json.dumps(json.loads(FILE), indent=2).encode(), 2),
    "a record a line within a document": (b'{"Records": [\n' + json.dumps(record()).encode() + b"\n]}\n", 1),
    "gzip": (packed(FILE), 2),
    "gzip of several members, one document": (packed(FILE[:100], FILE[100:]), 2),
    "gzip of several members, each a document": (packed(FILE, FILE, FILE), 6),
    "gzip with zeros behind it": (packed(FILE) + b"\0" * 512, 2),
    "JSON lines": (LINES, 50),
    "JSON lines of both clouds": (json_lines(record(), entry(), record()), 3),
    "JSON lines with carriage returns": (LINES.replace(b"\n", b"\r\n"), 50),
    "JSON lines with blank ones between": (LINES.replace(b"\n", b"\n\n \n"), 50),
    "JSON lines in gzip": (packed(LINES[:99], LINES[99:]), 50),
    "one line": (json_lines(record()), 1),
    "one line without its end": (json_lines(record())[:-1], 1),
    "a byte order mark": (b"\xef\xbb\xbf" + FILE, 2),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_file_is_read_whatever_it_is_called(name, tmp_path):
    data, records = GOOD[name]
    assert counted(tally(tmp_path / "anything.bin", data)) == {"named": records}


def test_a_truncated_gzip_keeps_what_came_before(tmp_path):
    many = json.dumps({"Records": [record(number) for number in range(5000)]}).encode()
    found = tally(tmp_path / "cut.json.gz", gzip.compress(many)[:-200])
    assert found.verdicts["named"] > 4000
    assert [one.reason for one in found.unreadable] == ["gzip-damaged"]


def test_a_truncated_gzip_of_lines_keeps_what_came_before(tmp_path):
    many = json_lines(*(record(number) for number in range(20_000)))
    found = tally(tmp_path / "cut.jsonl.gz", gzip.compress(many)[:-200])
    assert found.verdicts["named"] > 15_000
    assert [one.reason for one in found.unreadable] == ["gzip-damaged"]
    assert int(found.unreadable[0].source.rpartition(":")[2]) == found.verdicts["named"] + 1


def test_a_gzip_with_a_wrong_checksum_is_told(tmp_path):
    data = bytearray(packed(FILE))
    data[-6] ^= 0xFF
    found = tally(tmp_path / "x.gz", bytes(data))
    assert [one.reason for one in found.unreadable] == ["gzip-damaged"]


def test_a_half_written_first_line_does_not_hide_the_lines_behind_it(tmp_path):
    found = tally(tmp_path / "x", b'{"eventVersion": "1.1\n' + LINES)
    assert counted(found) == {"unreadable": 1, "named": 50}
    assert found.unreadable[0].source.endswith("x:1")


def test_an_empty_file_is_not_a_log(tmp_path):
    assert [one.reason for one in tally(tmp_path / "x", b"").unreadable] == ["not-a-log"]


def test_lines_keep_their_numbers_over_many_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "BLOCK_BYTES", 700)
    path = tmp_path / "x.jsonl"
    path.write_bytes(LINES + b"{\n")
    assert len(list(files.blocks(str(path)))) > 1
    assert [one.source for one in tally(path, LINES + b"{\n" + LINES).unreadable] == [f"{path}:51"]


@pytest.mark.parametrize("data", [FILE, packed(FILE), json_lines(record(), record(), record())])
def test_what_would_not_fit_is_told_and_not_unpacked(data, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "DOCUMENT_BYTES", 500)
    monkeypatch.setattr(files, "BLOCK_BYTES", 200)
    monkeypatch.setattr(files, "_READ_BYTES", 100)
    found = tally(tmp_path / "x", data)
    assert [one.reason for one in found.unreadable] == ["too-large"]


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc/self/mem").exists(), reason="needs a file nobody can read")
def test_a_file_that_cannot_be_read_is_told():
    found = Scanner(None, Select()).scan("/proc/self/mem", lambda line: None)
    assert [one.reason for one in found.unreadable] == ["file-unreadable"]


def test_folders_and_patterns_give_each_file_once_and_in_order(tmp_path):
    for name in ("b/2.json", "b/1.json", "a.json", ".hidden", "b/.git/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(FILE)
    found = files.find([str(tmp_path), str(tmp_path / "b" / "*.json"), str(tmp_path / ".hidden")])
    assert [str(os.path.relpath(path, tmp_path)) for path in found] == ["a.json", "b/1.json", "b/2.json", ".hidden"]


def test_a_file_under_two_names_is_read_once(tmp_path):
    (tmp_path / "a.json").write_bytes(FILE)
    (tmp_path / "b.json").symlink_to(tmp_path / "a.json")
    assert len(files.find([str(tmp_path / "a.json"), str(tmp_path), f"{tmp_path}/./a.json"])) == 1


def test_linked_folders_are_followed_and_loops_are_not(tmp_path):
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "real" / "deep" / "a.json").write_bytes(FILE)
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "deep" / "loop").symlink_to(tmp_path / "real")
    assert len(files.find([str(tmp_path / "top")])) == 1


def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a.json").write_bytes(FILE)
    assert files.find([str(tmp_path)]) == [str(tmp_path / "a.json")]


def test_a_name_of_odd_bytes_is_printed_as_text(tmp_path, book):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/od\xffd.json")
    Path(path).write_bytes(FILE)
    lines: list[bytes] = []
    scan(files.find([str(tmp_path)]), book, select=Select(every=True), emit=lines.append)
    assert all(json.loads(line)["source"].startswith(f"{tmp_path}/od\\xffd.json") for line in lines)


def test_a_path_that_names_nothing_is_an_error(tmp_path):
    with pytest.raises(files.NoFileError, match="no such file or folder"):
        files.find([str(tmp_path / "nothing*")])


@pytest.mark.parametrize("path", ["", "x" * 300])
def test_a_path_that_cannot_be_one_names_nothing(path):
    with pytest.raises(files.NoFileError, match="no such file or folder"):
        files.find([path])


def test_a_folder_without_a_file_is_told_as_that(tmp_path):
    with pytest.raises(files.NoFileError, match="holds no file"):
        files.find([str(tmp_path)])


@pytest.mark.parametrize("path", ["shut", "shut/a.json", "shut/*.json", "s*/a.json"])
def test_a_file_that_nobody_may_look_at_is_found_so_that_it_is_told(tmp_path, monkeypatch, path):
    (tmp_path / "shut").mkdir()
    (tmp_path / "shut" / "a.json").write_bytes(FILE)
    look = os.stat

    def refuse(name, *arguments, **named):
        if isinstance(name, str) and "shut/" in name:
            raise PermissionError(errno.EACCES, "Permission denied", name)
        return look(name, *arguments, **named)

    monkeypatch.setattr(os, "stat", refuse)
    assert len(files.find([str(tmp_path / path)])) == 1


def test_standard_input_is_read_as_a_file_is():
    program = "from callerid.scan import *; print(Scanner(None, Select()).scan('-', len).records)"
    for data, records in ((packed(FILE), "2"), (LINES, "50")):
        run = subprocess.run([sys.executable, "-c", program], input=data, capture_output=True, check=True)
        assert run.stdout.decode().strip() == records


def test_several_processes_count_what_one_counts(tmp_path, book):
    for number in range(12):
        data = json_lines(record(number), entry(number), {"no": "log"}, record(number, userIdentity={}))
        (tmp_path / f"{number:02}.jsonl").write_bytes(data * (number + 1))
    paths = files.find([str(tmp_path)])
    select = Select(findings=True)
    runs = []
    for jobs in (1, 3):
        lines: list[bytes] = []
        found = scan(paths, book, select=select, emit=lines.append, jobs=jobs)
        runs.append((found, b"".join(lines)))
    (one, lines), (three, same_lines) = runs
    assert same_lines == lines
    assert lines.count(b"\n") == one.verdicts["anonymous"]
    assert (three.files, three.verdicts, three.severities, three.rows) == (
        one.files,
        one.verdicts,
        one.severities,
        one.rows,
    )
    assert sorted(x.source for x in three.unreadable) == sorted(x.source for x in one.unreadable)
    assert one.records == sum(one.verdicts.values()) == 4 * sum(range(1, 13))
