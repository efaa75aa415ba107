"""The command itself: what it takes, what it prints, how it ends."""

import json

import pytest
from click.testing import CliRunner

from callerid.cli.trace import trace
from tests.conftest import POLICY, ROOT
from tests.trace import made
from tests.trace.stored import keep

LOGS = str(ROOT / "examples" / "logs")
STORY = [
    {"web": {"id": "a1", "at": "03:00:00", "subject": "100000000000000000001", "role": "crosscloud-test", "session": "nightly-export", "makes": "ASIAEXAMPLEEXAMPLE001"}},
    {"call": {"id": "c1", "at": "03:01:00", "by": "crosscloud-test/nightly-export", "key": "ASIAEXAMPLEEXAMPLE001", "began": "03:00:00"}},
]  # fmt: skip


def run(*arguments):
    return CliRunner().invoke(trace, arguments)


@pytest.fixture
def story(tmp_path):
    path = tmp_path / "story.jsonl"
    path.write_text(made.lines(STORY))
    return str(path)


def test_the_example_logs_lead_from_an_object_in_google_cloud_back_to_a_job_on_github():
    """Each cloud proves its own steps. Google logs of an AWS session the ARN alone, so the crossing is correlated."""
    rows = [json.loads(row) for row in run("example000021", LOGS, "--format", "jsonl").stdout.splitlines()]
    assert [(row["cloud"], row["call"].rpartition(".")[2], row["basis"], row["by"]) for row in rows[1:]] == [
        ("gcp", "GenerateAccessToken", "attested", "delegation"),
        ("gcp", "ExchangeToken", "attested", "mapped principal"),
        ("aws", "AssumeRole", "correlated", "session ARN"),
        ("aws", "AssumeRoleWithWebIdentity", "attested", "access key"),
    ]
    assert rows[0]["call"] == "storage.objects.get"
    assert rows[0]["origins"] == [
        {
            "name": "repo:acme/app:environment:production",
            "what": "OpenID Connect subject",
            "issuer": "token.actions.githubusercontent.com",
            "is_end": True,
            "basis": "correlated",
        }
    ]


def test_the_aws_half_of_that_chain_is_attested():
    issue = run("00000000-0000-4000-8000-000000000022", LOGS).stdout
    assert issue.endswith("production of token.actions.githubusercontent.com, attested\n")


@pytest.mark.parametrize(
    ("number", "basis", "origin"),
    [
        ("010", "attested (access key)", "Google account 100000000000000000001 of accounts.google.com"),
        ("014", "attested (access key)", "IAM user arn:aws:iam::123456789012:user/TestUserForSourceID"),
        ("017", "attested (access key)", "IAM user arn:aws:iam::123456789012:user/TestUserForSourceID"),
        ("020", "correlated (session ARN)", "IAM user arn:aws:iam::111111111111:user/work_api"),
    ],
)
def test_every_session_of_the_example_logs_leads_to_who_began_it(number, basis, origin):
    found = run(f"00000000-0000-4000-8000-000000000{number}", LOGS).stdout.splitlines()
    assert found[1].startswith(f"└─ {basis}: ")
    assert found[2:] == [f"= {origin}, {basis.partition(' ')[0]}"]


def test_nothing_of_that_name_ends_with_1():
    found = run("nobody", LOGS)
    assert (found.exit_code, found.stdout, found.stderr) == (1, "", "callerid: nothing found for nobody\n")


def test_an_index_alone_says_that_it_holds_no_single_calls(story, tmp_path):
    """The id of one is what an alert gives: with the logs beside the index it is found."""
    index = str(tmp_path / "kept.idx")
    assert run("c1", story, "--index", index).exit_code == 0
    found = run("c1", "--index", index)
    assert found.exit_code == 1
    assert found.stderr.splitlines() == [
        "callerid: an index holds no single calls; with LOGS their ids are looked for too",
        "callerid: nothing found for c1",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("x",), "give either LOGS or --ledger URL"),
        (("x", LOGS, "--ledger", "sqlite:///x"), "give either LOGS or --ledger URL"),
        (("x", "/nowhere"), "no such file or folder"),
        (("x", LOGS, "--since", "soon"), "expected a time such as"),
        (
            ("x", LOGS, "--since", "2026-11-04", "--until", "2026-11-03"),
            "--since 2026-11-04 is after --until 2026-11-03",
        ),
        (("x", "--ledger", "http://x"), "expected sqlite:///PATH"),
        (("x", LOGS, "--policy", "/nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_wrong_usage_ends_with_2_and_one_message(arguments, message):
    found = run(*arguments)
    assert found.exit_code == 2
    assert message in found.stderr


def test_a_caller_is_found_by_its_name_in_the_policy(story):
    assert run("nightly-export", story, "--policy", str(POLICY)).stdout.startswith("2026-11-02T03:0")


@pytest.mark.parametrize("name", ["batch", "reconciliation"])
def test_a_caller_that_is_a_role_is_found_where_only_google_logged_its_sessions(name, tmp_path):
    """There the session's ARN is all that the log says of the role; and so for the role's own ARN."""
    number = {"batch": 1, "reconciliation": 2}[name]
    role = f"role/crosscloud-test-aws-{number}"
    found = run(name, LOGS, "--policy", str(POLICY))
    assert (found.exit_code, "GenerateAccessToken" in found.stdout) == (0, True)
    for arn in (f"arn:aws:iam::111111111111:{role}", f"arn:aws:iam::111111111111:{role.replace('/', '/a/path/')}"):
        assert run(arn, LOGS).stdout == run(role, LOGS).stdout == found.stdout
        assert run(arn, LOGS, "--index", str(tmp_path / "index")).stdout == found.stdout
    assert run(f"arn:aws:iam::222222222222:{role}", LOGS).exit_code == 1


def test_what_cannot_be_read_is_told_and_where_that_is_all_nothing_was_asked(story, tmp_path):
    (tmp_path / "no.json").write_text("no log")
    found = run("c1", story, str(tmp_path / "no.json"))
    assert found.exit_code == 0
    assert found.stderr.startswith("callerid: 1 of the logs' records or files cannot be read")
    assert run("c1", str(tmp_path / "no.json")).exit_code == 2
    index = ("--index", str(tmp_path / "index"))
    assert "cannot be read" in run("c1", story, str(tmp_path / "no.json"), *index).stderr
    assert run("nightly-export", *index).exit_code == 0
    assert run("nobody", story, str(tmp_path / "no.json")).exit_code == 1


def test_json_lines_name_the_step_that_each_stands_under(story):
    rows = [json.loads(row) for row in run("c1", story, "--format", "jsonl", "--forward").stdout.splitlines()]
    assert [(row["direction"], row["call"], row["under"], row.get("basis")) for row in rows] == [
        ("back", "ListBuckets", None, None),
        ("back", "AssumeRoleWithWebIdentity", "c1", "attested"),
        ("forward", "AssumeRoleWithWebIdentity", None, None),
        ("forward", "", "a1", "attested"),
        ("call", "ListBuckets", rows[3]["id"], None),
    ]
    assert rows[0]["origins"] == [
        {
            "name": "100000000000000000001",
            "what": "Google account",
            "issuer": "accounts.google.com",
            "is_end": True,
            "basis": "attested",
        }
    ]


def test_a_graph_quotes_what_a_caller_chose(tmp_path):
    path = tmp_path / "log.jsonl"
    hostile = made.records([{"web": {**STORY[0]["web"], "subject": 'x"]; evil [label="\\\n'}}])
    path.write_text(json.dumps(hostile[0]) + "\n")
    found = run("a1", str(path), "--format", "dot").stdout
    assert '\\"]; evil [label=\\"\\\\' in found
    assert found.count("\n") == len(found.splitlines()) == 6


@pytest.mark.parametrize(
    ("since", "until", "is_found"),
    [
        ("2026-11-02", None, True),
        ("2026-11-02T00:00:00Z", "2026-11-02T00:00:00Z", True),
        ("2026-11-02T00:00:00.25Z", "2026-11-02T00:00:00.25Z", True),
        ("2026-11-02T00:00:00.26Z", None, False),
        (None, "2026-11-02T00:00:00.24Z", False),
        (None, "2026-11-01", False),
    ],
)
def test_google_times_have_fractions_and_are_within_the_second_that_a_chain_shows(tmp_path, since, until, is_found):
    path = tmp_path / "log.jsonl"
    path.write_text(made.lines([{"google": {"id": "g1", "at": "2026-11-02T00:00:00.25Z", "by": "worker"}}]))
    options = [*(("--since", since) if since else ()), *(("--until", until) if until else ())]
    assert run("g1", str(path), *options).exit_code == int(not is_found)


@pytest.mark.parametrize(
    ("since", "until", "count"),
    [(None, None, 3), ("2026-11-03", None, 2), ("2026-11-03", "2026-11-03T12:00", 1), (None, "2026-11-01", 0)],
)
def test_a_time_range_chooses_among_the_chains_of_a_name(since, until, count):
    options = [*(("--since", since) if since else ()), *(("--until", until) if until else ())]
    found = run("100000000000000000001", LOGS, *options, "--format", "jsonl")
    assert len({json.loads(row)["chain"] for row in found.stdout.splitlines()}) == count


def test_a_day_is_a_whole_one():
    day = ("--since", "2026-11-03", "--until", "2026-11-03")
    assert "2026-11-03T10:04:37Z AssumeRole" in run("arn:aws:iam::111111111111:role/deploy", LOGS, *day).stdout


def test_a_record_of_the_last_second_that_can_be_written_is_traced_there_and_back(tmp_path):
    path = tmp_path / "log.jsonl"
    steps = [{name: {**fields, "at": "9999-12-31T23:59:59Z"} for name, fields in step.items()} for step in STORY]
    steps[1]["call"]["began"] = "9999-12-31T23:59:59Z"
    path.write_text(made.lines(steps))
    assert "> with what AssumeRoleWithWebIdentity [a1] issued:\n└─ attested" in run("c1", str(path), "--forward").stdout


def test_chains_beyond_the_limit_are_counted():
    found = run("100000000000000000001", LOGS, "--limit", "1").stdout
    assert found.endswith("\n\n… 2 more of 100000000000000000001; --since, --until and --limit choose among them\n")


@pytest.mark.parametrize(
    ("format_", "limit", "told"), [("jsonl", "1", True), ("dot", "1", True), ("jsonl", "3", False)]
)
def test_what_a_program_reads_is_not_short_without_a_word(format_, limit, told):
    found = run("100000000000000000001", LOGS, "--format", format_, "--limit", limit)
    assert ("callerid: 2 more chains; --since" in found.stderr) is told
    assert "more chains" not in found.stdout


def test_a_ledger_is_traced_without_the_logs(tmp_path):
    from callerid.ledger.sqlite import SqliteStore

    store = SqliteStore(tmp_path / "ledger.db")
    keep(store, made.lines(STORY).splitlines(keepends=True))
    store.close()
    found = run("100000000000000000001", "--ledger", f"sqlite:///{tmp_path}/ledger.db", "--forward")
    assert found.exit_code == 0
    assert "attested (access key): 2026-11-02T03:01:00Z 1 call (s3.amazonaws.com 1)" in found.stdout


def test_the_index_of_logs_leaves_nothing_behind(tmp_path, monkeypatch, story):
    import tempfile

    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    run("c1", story)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    "query", ["role/crosscloud-test-aws-9", "arn:aws:iam::111111111111:role/crosscloud-test-aws-9"]
)
def test_a_role_is_found_by_the_name_that_a_scan_prints(query):
    """In whichever account it is, and also where it came through a pool."""
    found = run(query, LOGS)
    assert "= OpenID Connect subject repo:acme/app:environment:production" in found.stdout


def test_a_bare_name_is_not_taken_for_another_of_the_same_end():
    assert run("role/test-aws-9", LOGS).exit_code == 1
    assert run("user/crosscloud-test-aws-9", LOGS).exit_code == 1


def test_a_pipe_is_read_once_so_its_single_calls_are_not_listed(story):
    """It neither waits for a second writer nor fails."""
    import os

    reading, writing = os.pipe()
    os.write(writing, made.lines(STORY).encode())
    os.close(writing)
    found = run("a1", f"/dev/fd/{reading}", "--forward")
    os.close(reading)
    assert found.exit_code == 0
    assert found.stdout.endswith("attested (access key): 2026-11-02T03:01:00Z 1 call (s3.amazonaws.com 1) [c1]\n")
