"""The commands that write, replay, check and enforce a caller book, as a user starts them."""

import json

import pytest
from click.testing import CliRunner

from callerid.cli.check import check
from callerid.cli.enforce import enforce
from callerid.cli.replay import replay
from callerid.cli.suggest import suggest
from callerid.policy.load import parse
from tests.conftest import POLICY, ROOT, entry, json_lines, record

LOGS = str(ROOT / "examples" / "logs")


def run(command, *arguments: object, status: int = 0) -> str:
    result = CliRunner().invoke(command, list(map(str, arguments)))
    assert result.exit_code == status, result.output + repr(result.exception)
    return result.output


def test_a_suggested_book_of_the_examples_passes_the_check(tmp_path):
    run(suggest, LOGS, "--output", tmp_path / "book.yaml")
    out = run(check, tmp_path / "book.yaml")
    assert "good; " in out
    assert {line.split(": ")[2] for line in out.splitlines()[1:]} == {"owner-missing", "unfilled"}
    run(check, tmp_path / "book.yaml", "--strict", status=1)


def test_suggest_merges_into_the_file_itself_and_has_nothing_more_to_add(tmp_path):
    book = tmp_path / "book.yaml"
    book.write_text(POLICY.read_text())
    run(suggest, LOGS, "--merge", book, "--output", book)
    merged = book.read_text()
    known = len(parse(POLICY.read_bytes(), "policy").callers)
    assert len(parse(merged.encode(), "merged").callers) == known + 2
    assert run(suggest, LOGS, "--merge", book) == merged
    assert list(tmp_path.glob(".*")) == []


def test_suggest_replaces_no_book_but_the_one_that_it_merged(tmp_path):
    """What a person wrote into it, owners above all, is in no log."""
    book, other = tmp_path / "book.yaml", tmp_path / "other.yaml"
    for path in (book, other):
        path.write_text(POLICY.read_text())
    assert "is there already: --merge" in run(suggest, LOGS, "--output", book, status=2)
    assert "is there already: --merge" in run(suggest, LOGS, "--merge", other, "--output", book, status=2)
    assert book.read_text() == POLICY.read_text()
    (tmp_path / "empty.yaml").touch()
    run(suggest, LOGS, "--output", tmp_path / "empty.yaml")


def test_suggest_reads_a_ledger(tmp_path):
    from callerid.cli.scan import scan

    url = f"sqlite:///{tmp_path}/ledger.db"
    (tmp_path / "empty.yaml").write_text("version: 1\n")
    run(scan, LOGS, "--policy", tmp_path / "empty.yaml", "--ledger", url, "--fail-on", "never")
    document = parse(run(suggest, "--ledger", url).encode(), "suggested")
    assert {"crosscloud-test-aws-1", "google-100000000000000000001"} <= {caller.name for caller in document.callers}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give log files, or --ledger"),
        (("no-such-file",), "no such file or folder"),
        ((LOGS, "--merge", "no-such-file"), "cannot be read"),
        ((LOGS, "--merge", str(ROOT / "Makefile")), "Makefile:"),
        ((LOGS, "--output", "/no/such/folder/x"), "cannot be written"),
    ],
)
def test_suggest_says_what_is_wrong_with_its_input(arguments, message):
    assert message in run(suggest, *arguments, status=2)


def edited(tmp_path):
    new = tmp_path / "new.yaml"
    new.write_text(POLICY.read_text().replace("role/crosscloud-test-aws-1", "role/crosscloud-test-aws-7"))
    return new


def test_replay_tells_what_an_edit_changes(tmp_path):
    new = edited(tmp_path)
    out = run(replay, "--old", POLICY, "--new", new, LOGS, status=1)
    assert out.splitlines()[-1].endswith(": 9 get another verdict, 9 of them become findings")
    assert "0 get another verdict" in run(replay, "--old", POLICY, "--new", POLICY, LOGS)
    lines = [
        json.loads(line)
        for line in run(replay, "--old", POLICY, "--new", new, LOGS, "--format", "jsonl", status=1).splitlines()
    ]
    assert sum(line["count"] for line in lines) == 9
    assert {(line["old"]["verdict"], line["new"]["verdict"]) for line in lines} == {("identified", "unexpected")}


def test_no_name_of_a_log_gets_out_of_its_cell(tmp_path):
    """A comment on a pull request mentions nobody and formats nothing that a caller chose."""
    value = entry()
    subject = "`@acme/security` | <img src=x> [x](http://example.net)\n# big"
    value["protoPayload"]["authenticationInfo"]["principalSubject"] = subject
    value["protoPayload"]["metadata"] = {}
    (tmp_path / "log.jsonl").write_bytes(json_lines(value, record()))
    (tmp_path / "new.yaml").write_text("version: 1\ncallers: []\n")
    out = run(
        replay,
        "--old",
        POLICY,
        "--new",
        tmp_path / "new.yaml",
        tmp_path / "log.jsonl",
        "--format",
        "markdown",
        "--reasons",
        status=1,
    )
    rows = [line for line in out.splitlines() if line.startswith("| ")]
    assert all(line.replace("\\|", "").count("|") == 7 for line in rows)
    assert all(line.count("`") % 2 == 0 for line in rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--old", POLICY, LOGS), "Missing option '--new'"),
        (("--old", POLICY, "--new", "Makefile", LOGS), "Makefile:"),
        (("--old", POLICY, "--new", POLICY, "no-such-file"), "no such file or folder"),
        (("--old", POLICY, "--new", POLICY, ROOT / "Makefile"), "nothing readable"),
    ],
)
def test_replay_says_what_is_wrong_with_its_input(arguments, message):
    assert message in run(replay, *arguments, status=2)


def test_enforce_prints_every_format_and_one_target():
    whole = json.loads(run(enforce, POLICY))
    assert {piece["kind"] for piece in whole["pieces"]} == {"trust-policy", "deny", "provider", "bindings"}
    role = "arn:aws:iam::111111111111:role/deploy"
    assert [piece["target"] for piece in json.loads(run(enforce, POLICY, "--target", role))["pieces"]] == [role]
    of_account = json.loads(run(enforce, POLICY, "--target", "222222222222"))["pieces"]
    assert [piece["account"] for piece in of_account] == ["222222222222"]
    assert "aws iam update-assume-role-policy --role-name deploy" in run(enforce, POLICY, "--format", "gcloud")
    assert 'resource "google_service_account_iam_binding"' in run(enforce, POLICY, "--format", "terraform")
    assert "names no such target" in run(enforce, POLICY, "--target", "x", status=2)
    assert "Makefile:" in run(enforce, ROOT / "Makefile", status=2)


def test_check_warns_of_what_ends_soon(tmp_path):
    out = run(check, POLICY, "--expires-within", "100000", "--strict", status=1)
    assert "expires-soon: batch ends on 2027-03-31" in out
