"""``callerid scan`` as a user starts it: what it prints, and how it exits."""

import json
import os
import pwd
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from callerid.cli import main
from callerid.reasons import REASONS
from tests.conftest import ROOT, entry, json_lines, packed, record

LOGS = ROOT / "examples" / "logs"
POLICY = ROOT / "examples" / "policy.yaml"


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "callerid", *map(str, arguments)]


def callerid(*arguments: object, data: bytes = b"", cwd: Path = ROOT) -> subprocess.CompletedProcess:
    run = subprocess.run(command(*arguments), input=data, capture_output=True, cwd=cwd, check=False)
    assert b"Traceback" not in run.stderr, run.stderr.decode()
    return run


def test_the_totals_add_up_to_the_records_read():
    run = callerid("scan", "--policy", POLICY, "--format", "json", LOGS)
    found = json.loads(run.stdout)
    assert set(found) == {"policy", "files", "records", "verdicts", "passed_over", "unreadable", "findings"}
    assert sum(found["verdicts"].values()) == found["records"] == 43
    assert set(found["verdicts"]) == {
        "identified", "anonymous", "unexpected", "unattributable", "out-of-scope", "unreadable", "named",
    }  # fmt: skip
    assert len(found["findings"]) == found["verdicts"]["anonymous"] + found["verdicts"]["unexpected"]
    assert found["passed_over"] == {"digest": 1}


def test_a_finding_as_json_has_every_field_in_its_order():
    run = callerid("scan", "--policy", POLICY, "--format", "jsonl", LOGS)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert list(lines[0]) == [
        "schema", "policy", "verdict", "reasons", "severity", "cloud", "kind", "time", "record_id", "access_id",
        "account", "region", "caller", "principal", "subject", "provider", "audience", "target", "session_name",
        "source_identity", "delegation", "outcome", "error", "source",
    ]  # fmt: skip
    assert {line["verdict"] for line in lines} == {"anonymous", "unexpected"}


def test_all_prints_a_line_for_every_record():
    run = callerid("scan", "--policy", POLICY, "--format", "jsonl", "--all", LOGS)
    assert run.stdout.count(b"\n") == 43


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ((), 1),
        (("--fail-on", "any"), 1),
        (("--fail-on", "medium"), 1),
        (("--fail-on", "high"), 1),
        (("--fail-on", "critical"), 0),
        (("--fail-on", "never"), 0),
    ],
)
def test_the_exit_status_says_whether_there_are_findings(arguments, status):
    assert callerid("scan", "--policy", POLICY, *arguments, LOGS).returncode == status


def test_a_clean_log_exits_with_0(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(json_lines(record(), entry()))
    assert callerid("scan", "--policy", POLICY, tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("scan",), "Missing argument 'PATH...'"),
        (("scan", "nothing-here"), "nothing-here: no such file or folder"),
        (("scan", "--format", "xml", "."), "'xml' is not one of"),
        (("scan", "--all", "."), "--all goes with --format jsonl"),
        (("scan", "--policy", "no-policy.yaml", "."), "no-policy.yaml:1:1: cannot be read"),
        (("scan", "--policy", "Makefile", "."), "Makefile:"),
        (("scan", "--policy", "", "."), "cannot be read"),
        (("report", "--policy", "", "."), "cannot be read"),
        (("summary", "--ledger", "sqlite:///x.db", "--policy", ""), "cannot be read"),
        (("trace", "x", "--policy", "", "."), "cannot be read"),
        (("scan", "Makefile"), "Makefile: not-a-log: expected JSON, an object or a list"),
        (("report", "Makefile", "-o", "-"), "nothing readable in the logs"),
        (("suggest", "Makefile"), "nothing readable in the logs"),
        (("explain", "subject-unlistd"), "did you mean subject-unlisted?"),
        (("explain", "SUBJECT-UNLISTED"), "did you mean subject-unlisted?"),
        (("check", "Makefile"), "Makefile:"),
        (("frobnicate",), "No such command"),
    ],
)
def test_wrong_usage_a_bad_policy_and_nothing_readable_exit_with_2(arguments, message):
    run = callerid(*arguments)
    assert run.returncode == 2
    assert message in run.stderr.decode()


@pytest.mark.parametrize("data", [json_lines(record()), b'{"Records": []}'], ids=["lines", "document"])
def test_a_file_that_powershell_wrote_is_told_as_that(tmp_path, data):
    (tmp_path / "a.json").write_bytes(data.decode().encode("utf-16"))
    run = callerid("scan", tmp_path)
    assert "a.json: not-a-log: expected UTF-8, got UTF-16" in run.stderr.decode()


def test_what_is_unreadable_is_named_and_the_rest_goes_on(tmp_path):
    (tmp_path / "a.json").write_bytes(b"no log\n")
    (tmp_path / "b.jsonl").write_bytes(json_lines(record()) + b'{"half\n' + json_lines(record()))
    run = callerid("scan", "--policy", POLICY, tmp_path)
    assert run.returncode == 0
    assert f"{tmp_path}/a.json: not-a-log: expected JSON, an object or a list" in run.stderr.decode()
    assert f"{tmp_path}/b.jsonl:2: json-damaged: " in run.stderr.decode()
    assert "4 records in 2 files: 2 identified + 2 unreadable" in run.stdout.decode()


@pytest.mark.parametrize("data", [b"[]", b'{"Records": []}', b'{"Events": []}', b'{"entries": []}'])
def test_a_quiet_day_is_clean(data):
    run = callerid("scan", "-", data=data)
    assert (run.returncode, run.stderr) == (0, b"")
    assert b"0 records in 1 file: none" in run.stdout


EVERY = (
    ("scan", LOGS), ("scan", "--format", "jsonl", "--all", LOGS), ("trace", "example000021", LOGS), ("suggest", LOGS),
    ("report", LOGS, "-o", "-"), ("explain",), ("check", POLICY),
)  # fmt: skip


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("arguments", EVERY)
def test_output_that_cannot_be_written_is_no_finding(arguments):
    with Path("/dev/full").open("wb") as full:
        run = subprocess.run(command(*arguments), stdout=full, stderr=subprocess.PIPE, check=False)
    assert run.returncode == 2
    assert b"the output cannot be written" in run.stderr


@pytest.mark.parametrize("arguments", EVERY)
def test_a_reader_that_is_gone_is_no_finding(arguments):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        run = subprocess.run(command(*arguments), stdout=writer, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writer)
    assert (run.returncode, run.stderr) == (141, b"")


@pytest.mark.parametrize("arguments", [("scan", "PIPE"), ("trace", "x", "PIPE"), ("suggest", "PIPE")])
def test_an_interrupt_is_no_finding(arguments, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    at_pipe = (tmp_path / "pipe" if argument == "PIPE" else argument for argument in arguments)
    run = subprocess.Popen(command(*at_pipe), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with (tmp_path / "pipe").open("wb"):  # opens once the command reads
        run.send_signal(signal.SIGINT)
        run.communicate()
    assert run.returncode == 130


def test_a_process_that_is_lost_is_no_finding(tmp_path):
    for name in ("a", "b"):
        os.mkfifo(tmp_path / name)
    paths = [tmp_path / "a", tmp_path / "b"]
    run = subprocess.Popen(command("scan", "--jobs", 2, *paths), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with paths[0].open("wb"), paths[1].open("wb"):  # opened once each process reads
        children = Path(f"/proc/{run.pid}/task/{run.pid}/children")
        if not children.exists():
            run.kill()
            pytest.skip("needs a kernel that tells a process's children")
        os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
        _, err = run.communicate()
    assert run.returncode == 2
    assert b"a process was ended from outside" in err
    assert b"Traceback" not in err


@pytest.mark.parametrize("closed", ["<&-", "2>&-"])
def test_a_closed_stream_is_no_finding(closed):
    path = "-" if "<" in closed else str(LOGS)
    line = f"{shlex.join(map(str, command('scan', '--fail-on', 'never', path)))} {closed}"
    run = subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=False)
    assert run.returncode == (2 if "<" in closed else 0)
    assert b"Traceback" not in run.stderr
    assert b" in 1 file" in run.stdout or b" in 10 files" in run.stdout


@pytest.mark.parametrize(
    "arguments", [("scan", "--fail-on", "never", "LOG"), ("trace", "\u4ebaname", "LOG"), ("report", "LOG", "-o", "-")]
)
def test_a_name_that_the_terminal_cannot_write_ends_nothing(arguments, tmp_path):
    call = record()
    call["userIdentity"] |= {"userName": "\u4ebaname"}
    (tmp_path / "log").write_bytes(json_lines(call))
    at_log = (tmp_path / "log" if argument == "LOG" else argument for argument in arguments)
    latin = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    run = subprocess.run(command(*at_log), capture_output=True, env=latin, check=False)
    assert (run.returncode, b"name" in run.stdout) == (0, True), run.stderr.decode()


def test_many_unreadable_lines_are_counted_and_the_first_named(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(json_lines(record()) + b"{\n" * 5000)
    run = callerid("scan", tmp_path)
    assert len(run.stderr.splitlines()) == 21
    assert "4,980 more unreadable" in run.stderr.decode()


def test_standard_input_is_judged_too():
    run = callerid("scan", "--policy", POLICY, "--format", "jsonl", "-", data=packed(json_lines(record(eventID=None))))
    assert run.returncode == 0
    run = callerid("scan", "-", "--format", "jsonl", "--all", data=json_lines(entry()))
    assert json.loads(run.stdout)["source"] == "stdin:1" or json.loads(run.stdout)["source"] == "stdin"


def test_without_a_policy_it_is_an_inventory(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(json_lines(record(), entry(), record(userIdentity={"type": "WebIdentityUser"})))
    run = callerid("scan", tmp_path)
    assert run.returncode == 1
    assert "3 records in 1 file: 1 anonymous + 2 named" in run.stdout.decode()
    assert "No policy: an inventory." in run.stdout.decode()


@pytest.mark.parametrize("format_", ["jsonl", "json", "csv", "ocsf", "markdown"])
def test_nor_does_it_in_another_format(tmp_path, format_):
    identity = {
        "type": "WebIdentityUser",
        "userName": "e\x1b[2J\x9b31m\x7f\u202evil",
        "identityProvider": "accounts.google.com",
    }
    (tmp_path / "x.jsonl").write_bytes(json_lines(record(userIdentity=identity)))
    out = callerid("scan", "--policy", POLICY, "--format", format_, tmp_path).stdout.decode()
    assert "vil" in out
    assert not set("\x1b\x9b\x7f\u202e") & set(out)


def test_nothing_that_a_log_contains_steers_the_terminal(tmp_path):
    evil = "\x1b[2J\u202eevil [bold]x[/bold] :smile:\n\r"
    identity = {"type": "WebIdentityUser", "userName": evil, "identityProvider": "accounts.google.com"}
    (tmp_path / "x.jsonl").write_bytes(json_lines(record(userIdentity=identity), record()))
    out = callerid("scan", "--policy", POLICY, tmp_path).stdout.decode()
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "[bold]x[/bold]" in out.replace("\n", "").replace(" ", "") or "[bold]" in out


def test_a_policy_is_read_once_per_digest(tmp_path, monkeypatch):
    monkeypatch.setenv("CALLERID_CACHE", str(tmp_path / "kept"))
    for _ in range(2):
        assert callerid("scan", "--policy", POLICY, "--fail-on", "never", LOGS).returncode == 0
    (kept,) = (tmp_path / "kept").iterdir()
    kept.write_bytes(b"damaged")
    assert callerid("scan", "--policy", POLICY, "--fail-on", "never", LOGS).returncode == 0


def given_away(kept: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can hand a file to another")
    os.chown(kept, 65534, -1)


@pytest.mark.parametrize("foreign", [lambda kept: kept.chmod(0o622), given_away])
def test_what_another_could_have_kept_of_a_policy_is_not_believed(foreign, tmp_path, monkeypatch):
    monkeypatch.setenv("CALLERID_CACHE", str(tmp_path / "kept"))
    empty, kept = tmp_path / "empty.yaml", tmp_path / "kept"
    empty.write_text("version: 1\ncallers: []\n")
    callerid("scan", "--policy", empty, LOGS)
    (wrong,) = kept.iterdir()
    callerid("scan", "--policy", POLICY, LOGS)
    (right,) = set(kept.iterdir()) - {wrong}
    wrong.replace(right)
    foreign(right)
    found = json.loads(callerid("scan", "--policy", POLICY, "--format", "json", LOGS).stdout)
    assert found["verdicts"]["identified"] > 0


def test_a_cache_that_cannot_be_written_is_no_error(monkeypatch):
    monkeypatch.setenv("CALLERID_CACHE", "/dev/null/nowhere")
    assert callerid("scan", "--policy", POLICY, "--fail-on", "never", LOGS).returncode == 0


def test_a_user_without_a_home_scans_too(monkeypatch):
    def nobody(_: object) -> None:
        raise KeyError("uid not found")

    for name in ("HOME", "XDG_CACHE_HOME", "CALLERID_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    result = CliRunner().invoke(main, ["scan", "--policy", str(POLICY), "--fail-on", "never", str(LOGS)])
    assert (result.exit_code, result.exception) == (0, None)


def test_check_tells_a_good_policy():
    run = callerid("check", "examples/policy.yaml")
    assert run.returncode == 0
    assert run.stdout.decode().startswith("examples/policy.yaml: good; 8 callers, 3 requirements, digest sha256:")


@pytest.mark.parametrize("code", REASONS)
def test_explain_says_what_a_reason_means_and_how_to_fix_it(code):
    out = CliRunner().invoke(main, ["explain", code]).output
    assert out.startswith(f"{code}: {REASONS[code].why}\n")
    assert all(title in out for title in ("In the log:", "Fix:", "What refuses it:"))


def test_explain_without_a_code_lists_them_all():
    out = CliRunner().invoke(main, ["explain"]).output
    assert [line.split()[0] for line in out.splitlines()] == list(REASONS)


def test_judging_imports_neither_the_command_line_nor_a_cloud():
    program = (
        "import sys\n"
        "before = set(sys.modules)\n"  # Google's packages leave an empty one there at every start
        "import callerid.engine, callerid.delivery, callerid.policy.book, callerid.scan\n"
        "heavy = {'click', 'rich', 'yaml', 'pydantic', 'boto3', 'google', 'slack_sdk', 'multiprocessing', 'sqlite3'}\n"
        "print(sorted(heavy & (sys.modules.keys() - before)))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert run.stdout.decode().strip() == "[]"
