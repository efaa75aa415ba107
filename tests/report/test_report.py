"""``callerid report`` as a user starts it."""

import json
import re
import subprocess
import sys

import pytest
from click.testing import CliRunner

from callerid.cli.report import report
from callerid.cli.scan import scan
from tests.conftest import ROOT, json_lines, record

LOGS = str(ROOT / "examples" / "logs")
POLICY = str(ROOT / "examples" / "policy.yaml")


def run(*arguments: object, status: int = 0, **environment: str) -> str:
    result = CliRunner(env=environment).invoke(report, list(map(str, arguments)))
    assert result.exit_code == status, result.output
    return result.output


def made(text: str) -> str:
    """A page without the minute in which it was made."""
    return re.sub(r"made [0-9: -]+ UTC", "", text)


def test_logs_become_one_page_in_one_file(tmp_path):
    path = tmp_path / "report.html"
    said = run(LOGS, "--policy", POLICY, "-o", path)
    text = path.read_text(encoding="utf-8")
    assert re.fullmatch(r".*report\.html: \d+ KB\n", said)
    assert '<p class="big" id="share">83.8 %</p>' in text
    assert "from 43 records in 10 files" in text
    assert "Passed over: 1 digest." in text
    assert list(tmp_path.glob(".*.html*")) == []


def test_days_that_the_page_has_no_room_for_are_told(tmp_path):
    """A page has 400 days, and none of the future."""
    times = ("2024-11-02T03:00:00Z", "2024-11-03T03:00:00Z", "2026-11-02T03:00:00Z", "2999-01-01T03:00:00Z")
    (tmp_path / "x.jsonl").write_bytes(json_lines(*(record(number, eventTime=at) for number, at in enumerate(times))))
    text = run(tmp_path / "x.jsonl", "-o", "-")
    assert "1 of 1 judged accesses" in text
    assert "Passed over: 3 days with records, after today or more than 400 days before the last." in text
    assert "Passed over" not in run(tmp_path / "x.jsonl", "--since", "2026-01-01", "--until", "2026-12-31", "-o", "-")


def test_the_page_says_which_copies_count_once(tmp_path):
    """A copy of a later call in another file counts again."""
    (tmp_path / "x.jsonl").write_bytes(json_lines(record(1)))
    assert "1 record in 1 file, copies of a crossing or a finding counted once" in run(tmp_path / "x.jsonl", "-o", "-")


def test_a_ledger_becomes_a_page(tmp_path):
    url = f"sqlite:///{tmp_path}/ledger.db"
    CliRunner().invoke(scan, [LOGS, "--policy", POLICY, "--ledger", url])
    text = run("--ledger", url, "--since", "2026-11-02", "--until", "2026-11-05", "-o", "-")
    assert '<p class="big" id="share">83.8 %</p>' in text
    again = run("--since", "2026-11-02", "--until", "2026-11-05", "-o", "-", CALLERID_LEDGER=url)
    assert made(again) == made(text)


def test_an_inventory_names_who_was_seen_without_a_policy(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(json_lines(record(1)))
    text = run(tmp_path / "x.jsonl", "-o", "-")
    assert '<p class="big" id="share">100 %</p>' in text
    (row,) = json.loads(text.partition('id="data">')[2].partition("</script>")[0])
    assert row[:3] == ["100000000000000000001", "accounts.google.com", False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give either LOGS or --ledger URL"),
        ((LOGS, "--ledger", "sqlite:///x.db"), "give either LOGS or --ledger URL"),
        (("nothing-here",), "nothing-here: no such file or folder"),
        (("--ledger", "mysql://x"), "expected sqlite:///PATH"),
        ((LOGS, "--since", "yesterday"), "'yesterday' is no day: expected YYYY-MM-DD"),
        ((LOGS, "--since", "2026-11-05", "--until", "2026-11-02"), "--since 2026-11-05 is after --until 2026-11-02"),
        ((LOGS, "--policy", "nothing.yaml"), "nothing.yaml"),
        ((LOGS, "-o", "/nowhere/report.html"), "/nowhere/report.html cannot be written"),
    ],
)
def test_wrong_usage_is_one_message_and_exit_status_2(arguments, message):
    assert message in run(*arguments, status=2)


def test_without_the_extra_the_message_says_what_to_install():
    code = "import sys; sys.modules['pygal'] = None; from callerid.cli.report import report; report(['x'])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert told.stderr == "Error: a report needs `pip install '.[report]'` in callerid's checkout (pygal is missing)\n"
