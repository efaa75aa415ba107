"""An index that is kept: it answers like the logs, however it was filled, and is never half a file."""

import os
import sqlite3
import stat

import pytest
from click.testing import CliRunner

from callerid.cli.trace import trace
from callerid.trace import kept, run, words
from callerid.trace.chain import back
from callerid.trace.index import LogIndex
from callerid.trace.kept import KeptIndex
from callerid.trace.query import parse
from tests.trace import made
from tests.trace.test_command import STORY
from tests.trace.test_index import issues
from tests.trace.test_stories import CASES, named, plain
from tests.trace.test_truth import Play

KEY = "ASIAEXAMPLEEXAMPLE001"


def asked(query, *paths, index, forward=False):
    """What the command prints of an index, brought up to date with some logs."""
    result = run.in_index(str(index), [str(path) for path in paths], parse(query), forward=forward)
    return "".join(f"{line}\n" for line in run.shown(result, "tree", 20))


def command(*arguments):
    return CliRunner().invoke(trace, list(map(str, arguments)))


@pytest.fixture
def log(tmp_path):
    """The story as a file."""
    path = tmp_path / "story.jsonl"
    path.write_text(made.lines(STORY))
    return path


@pytest.fixture
def index(tmp_path):
    """Where an index goes."""
    return tmp_path / "kept.idx"


def files(folder, lines):
    """A file for each line."""
    folder.mkdir(exist_ok=True)
    for number, line in enumerate(lines):
        (folder / f"{number:03}.jsonl").write_text(line)
    return sorted(folder.iterdir())


@named
def test_a_story_gives_its_chain_from_an_index_that_is_kept(tmp_path, case):
    """With its logs for single calls, and the whole tree is compared."""
    path = tmp_path / "story.jsonl"
    path.write_text(made.lines(case["records"]))
    for _ in range(2):
        found = asked(case["trace"], path, index=tmp_path / "kept.idx", forward=case.get("forward", False))
        assert found == case["expect"]


@named
def test_it_makes_no_difference_in_how_many_runs_and_in_what_order_the_index_was_filled(tmp_path, case):
    """A run for each record's file, the last one first."""
    paths = files(tmp_path / "logs", made.lines(case["records"]).splitlines(keepends=True))
    for path in reversed(paths):
        asked(KEY, path, index=tmp_path / "kept.idx")
    found = asked(case["trace"], *paths, index=tmp_path / "kept.idx", forward=case.get("forward", False))
    assert found == case["expect"]


@pytest.mark.parametrize("seed", range(4))
def test_every_record_of_a_play_has_the_chain_that_the_logs_give(tmp_path, seed):
    """Of those that the index holds: single calls are the logs' own."""
    play = Play(seed)
    paths = files(tmp_path / "logs", play.lines())
    for part in (paths[::2], paths[1::2]):
        asked(KEY, *part, index=tmp_path / "kept.idx")
    for record_id in play.truth:
        query = parse(record_id)
        with LogIndex(query) as logs, KeptIndex(str(tmp_path / "kept.idx"), query, is_new=False) as held:
            for path in paths:
                logs.add(str(path))
            logs.finish()
            expected = [plain(back(link, logs)) for link in logs.asked()]
            held.update(list(map(str, paths)))
            assert [plain(back(link, held)) for link in held.asked()] == expected


def test_the_second_question_reads_no_logs(log, index):
    asked(KEY, log, index=index)
    log.unlink()
    assert asked("nightly-export", index=index).endswith("Google account 100000000000000000001 of accounts.google.com, attested\n")  # fmt: skip


def test_only_files_that_the_index_does_not_hold_are_read(tmp_path, index, monkeypatch):
    read = []
    monkeypatch.setattr(KeptIndex, "add", lambda self, path: read.append(path) or LogIndex.add(self, path))
    paths = files(tmp_path / "logs", made.lines(STORY).splitlines(keepends=True))
    asked(KEY, paths[0], index=index)
    asked(KEY, tmp_path / "logs", index=index)
    assert read == list(map(str, paths))


def test_without_logs_a_sessions_calls_are_counted_and_not_listed(log, index):
    asked(KEY, log, index=index)
    assert "1 call (s3.amazonaws.com 1)" in asked("a1", index=index, forward=True)


def test_a_single_calls_id_is_found_where_the_logs_are_given(log, index):
    """Whether they are read for the index, or it holds them already."""
    first = asked("c1", log, index=index)
    assert first.startswith("2026-11-02T03:01:00Z ListBuckets")
    assert asked("c1", log, index=index) == first
    assert not asked("c1", index=index)


def test_an_index_of_many_parts_and_segments_finds_the_same(tmp_path, index, monkeypatch):
    """Sessions' calls lie on several parts, and count once each."""
    steps = [
        {name: {"id": f"{name}{number}", "at": f"{3 + number // 60:02}:{number % 60:02}:00", **fields}}
        for number in range(900)
        for name, fields in (
            ("assume", {"by": "user/x", "role": "r", "session": f"s{number}", "makes": f"ASIAEXAMPLEEXAM{number:05}"}),
            ("call", {"by": f"r/s{number % 7}", "key": f"ASIAEXAMPLEEXAM{number % 7:05}", "began": f"03:{number % 7:02}:00"}),
        )
    ]  # fmt: skip
    paths = files(tmp_path / "logs", made.lines(steps[:1200]).splitlines(keepends=True))
    monkeypatch.setattr(kept, "_AT_ONCE", 100)
    for number in range(7):
        found = asked(f"ASIAEXAMPLEEXAM{number:05}", *paths, index=index, forward=True)
        logs = run.in_logs(list(map(str, paths)), parse(f"ASIAEXAMPLEEXAM{number:05}"), forward=True)
        assert found == "".join(f"{line}\n" for line in run.shown(logs, "tree", 20))
        assert "85 calls" in found or "86 calls" in found


def test_a_session_whose_calls_lie_on_several_parts_is_asked_for_by_time_as_a_whole(tmp_path, index):
    steps = [{"call": {**STORY[1]["call"], "id": f"c{hour}", "at": f"{hour:02}:01:00"}} for hour in (3, 5, 7)]
    for path in files(tmp_path / "logs", made.lines(steps).splitlines(keepends=True)):
        asked(KEY, path, index=index)
    found = run.in_index(str(index), [], parse(KEY, since="2026-11-02T06:00:00Z"), forward=False)
    assert [chain.back.link.calls for chain in found.chains] == [(("s3.amazonaws.com", 3),)]


def test_what_breaks_off_leaves_whole_files_and_goes_on_with_the_next(tmp_path, index, monkeypatch):
    """Ctrl-C, or a kill: the transaction is undone."""
    paths = files(tmp_path / "logs", made.lines(STORY).splitlines(keepends=True))

    def interrupted(self, path):
        LogIndex.add(self, path)
        if path == str(paths[1]):
            raise KeyboardInterrupt

    monkeypatch.setattr(kept, "_AT_ONCE", 0)
    with monkeypatch.context() as patched:
        patched.setattr(KeptIndex, "add", interrupted)
        with pytest.raises(KeyboardInterrupt):
            asked("a1", *paths, index=index)
    assert "ListBuckets" not in asked("a1", index=index, forward=True)
    with sqlite3.connect(index) as db:
        assert [row[0] for row in db.execute("SELECT path FROM file")] == [os.path.realpath(paths[0])]
    asked("a1", *paths, index=index)
    assert "1 call (s3.amazonaws.com 1)" in asked("a1", index=index, forward=True)


def test_a_log_that_has_changed_is_said_and_the_index_is_to_be_deleted(log, index):
    """What was kept of it is in parts with what was kept of others."""
    asked(KEY, log, index=index)
    log.write_text(made.lines(STORY * 2))
    found = command(KEY, log, "--index", index)
    assert found.exit_code == 2
    assert f"{log} has changed since {index} was made: delete {index}" in found.stderr


@pytest.mark.parametrize("path", ["-", "logging://my-gcp-project?since=2026-11-01T00:00:00Z"])
def test_what_can_be_read_only_once_is_not_kept(index, path):
    found = command(KEY, path, "--index", index)
    assert found.exit_code == 2
    assert "--index keeps files" in found.stderr


def test_an_index_among_the_logs_is_none_of_them(log):
    """Otherwise it would have changed with each run."""
    for _ in range(2):
        assert asked("a1", log.parent, index=log.parent / "kept.idx")


def test_what_another_process_begins_meanwhile_is_said(log, index, monkeypatch):
    """Between two questions of one trace nothing is held."""
    monkeypatch.setattr(kept, "_WAIT_S", 0.01)
    asked(KEY, log, index=index)
    other = sqlite3.connect(index, isolation_level=None)
    monkeypatch.setattr(KeptIndex, "asked", lambda self: other.execute("BEGIN EXCLUSIVE") and LogIndex.asked(self))
    found = command(KEY, "--index", index)
    other.close()
    assert found.exit_code == 2
    assert "another process is using it" in found.stderr


def test_a_file_that_is_no_index_is_left_as_it_is(tmp_path, log):
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE ledger (x)")
    for path in (other, log):
        before = path.read_bytes()
        found = command(KEY, log, "--index", path)
        assert (found.exit_code, path.read_bytes()) == (2, before)
        assert "not an index of callerid trace" in found.stderr


def test_an_index_of_another_version_is_said(log, index):
    asked(KEY, log, index=index)
    with sqlite3.connect(index) as db:
        db.execute("PRAGMA user_version = 99")
    found = command(KEY, "--index", index)
    assert found.exit_code == 2
    assert "another version of callerid" in found.stderr


def test_an_index_that_is_not_there_is_not_made_without_logs(index):
    found = command(KEY, "--index", index)
    assert (found.exit_code, index.exists()) == (2, False)
    assert "give LOGS to make it" in found.stderr


@pytest.mark.parametrize("is_there", [False, True], ids=["made", "there before, and empty"])
def test_only_its_owner_may_read_it(log, index, is_there):
    if is_there:
        index.touch(mode=0o644)
    asked(KEY, log, index=index)
    assert stat.S_IMODE(index.stat().st_mode) == 0o600


def test_while_one_process_fills_it_another_is_told_so(log, index, monkeypatch):
    monkeypatch.setattr(kept, "_WAIT_S", 0.01)
    asked(KEY, log, index=index)
    with sqlite3.connect(index, isolation_level=None) as db:
        db.execute("BEGIN EXCLUSIVE")
        found = command(KEY, "--index", index)
    assert found.exit_code == 2
    assert "another process is using it" in found.stderr


def test_each_file_has_an_alphabet_of_its_own():
    """So that nobody can choose words for their logs that share a number with somebody else's."""
    alphabets = set()
    for _ in range(2):
        db = sqlite3.connect(":memory:")
        db.executescript(words.SCHEMA)
        words.write_alphabet(db)
        alphabets.add(db.execute("SELECT signs FROM alphabet").fetchone()[0])
    assert len(alphabets) == 2


def test_whoever_changes_what_is_kept_changes_the_version():
    """An index of before would be read wrongly; then this list and the version are to be changed."""
    from callerid.aws.link import Issue as AwsIssue
    from callerid.gcp.link import Issue as GoogleIssue
    from callerid.trace.read import Calls

    assert kept._VERSION == 2
    assert [" ".join(one.__struct_fields__) for one in (AwsIssue, GoogleIssue, Calls)] == [
        "call service time record_id shared_id recipient is_refused caller request response switched_from source",
        "call service time record_id account is_refused caller resource_name labels request metadata source",
        "cloud caller hour time last at services",
    ]


def test_of_all_stories_together_every_question_has_the_same_answer(tmp_path, index):
    """The same ids occur in several stories, so there is ambiguity enough."""
    path = tmp_path / "all.jsonl"
    path.write_text("".join(made.lines(case["records"]) for case in CASES))
    links = [link for case in CASES for record in made.records(case["records"]) for _, link in issues(record)]
    names = {name for link in links for name in (*link.names, *(mark.value for mark in link.makes))}
    for query in sorted(names):
        logs = run.in_logs([str(path)], parse(query), forward=False)
        assert asked(query, path, index=index) == "".join(f"{line}\n" for line in run.shown(logs, "tree", 20))


def test_the_journal_of_an_index_among_its_logs_is_no_log(log, tmp_path):
    """Whether its process was ended or is still at work: nothing unreadable is told, and it is missed by no later one."""
    index, journal = tmp_path / "kept.idx", tmp_path / "kept.idx-journal"
    journal.write_text("x" * 1000)
    assert [command("a1", tmp_path, "--index", index).stderr for _ in range(2)] == ["", ""]
    journal.write_text("another")
    assert command("a1", tmp_path, "--index", index).exit_code == 0
