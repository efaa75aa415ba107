"""Logs and figures that the tests of the report are made of."""

from pathlib import Path

from callerid.report import logs
from callerid.report.figures import Figures
from callerid.report.page import Origin
from tests.conftest import json_lines, record

NOW = 1_794_000_000.0
"""2026-11-06 21:20 UTC: when the tests read their logs."""
ORIGIN = Origin("the tests", "2026-11-06T21:20:00Z")
HOSTILE = (
    "repo:acme/app:<script>document.title='stolen'</script>",
    "</script><script>document.title='stolen'</script>",
    "<!--<script>",
    "\"'><img src=x onerror=\"document.title='stolen'\">",
    "\u202egnp.exe\u2066\u200b",
    "{{ 7 * 7 }}{% raw %}",
    '=HYPERLINK("https://evil.example.com")',
    "\u2028javascript:document.title='stolen'//",
    "x" * 10_000,
    "a" + "\u0336" * 500,
)


def named(number: int, subject: str, **fields: object) -> dict:
    """A web identity that comes from GitHub under any subject."""
    github = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com"
    identity = {
        "type": "WebIdentityUser",
        "principalId": f"{github}:sts.amazonaws.com:{subject}",
        "userName": subject,
        "identityProvider": github,
    }
    answer = {"subjectFromWebIdentityToken": subject, "provider": github, "audience": "sts.amazonaws.com"}
    return record(number, userIdentity=identity, responseElements=answer, **fields)


def of_logs(folder: Path, records: list[dict], book, **bounds: str | None) -> Figures:
    """The figures of one log file."""
    path = folder / "log.jsonl"
    path.write_bytes(json_lines(*records))
    bounds = {"since": None, "until": None, **bounds}
    return logs.read([str(path)], book, now=NOW, **bounds)[0]
