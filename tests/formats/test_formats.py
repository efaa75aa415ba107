"""Judgements as OCSF, CSV and Markdown: what other tools can take, and what a log cannot do to them."""

import csv
import io
import json
import re

import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt
from py_ocsf_models.events.findings.detection_finding import DetectionFinding

from callerid.cli.scan import scan
from callerid.formats import TONGUES, tongue
from callerid.formats.csv import FIELDS, safe
from callerid.formats.markdown import MOST
from callerid.judgement import Line
from tests.conftest import ROOT, json_lines, record
from tests.report.made import HOSTILE, named

LOGS = ROOT / "examples" / "logs"
POLICY = ROOT / "examples" / "policy.yaml"


def scanned(format_: str, *arguments: object, paths: tuple[object, ...] = (LOGS,)) -> str:
    result = CliRunner().invoke(
        scan, ["--policy", str(POLICY), "--format", format_, "--fail-on", "never", *map(str, (*arguments, *paths))]
    )
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def hostile(tmp_path):
    """A log of callers with names that were chosen to do harm."""
    path = tmp_path / "hostile.jsonl"
    path.write_bytes(json_lines(*(named(number, name) for number, name in enumerate(HOSTILE, 1))))
    return path


def judgements(*arguments: object, paths: tuple[object, ...] = (LOGS,)) -> list[dict]:
    return [json.loads(line) for line in scanned("jsonl", *arguments, paths=paths).split("\n") if line]


def held(value: object, model: object, path: str = "") -> None:
    """Hold that whatever is written is in the model, which by itself passes over what it does not know."""
    if isinstance(value, dict):
        for name, part in value.items():
            if path.endswith(("unmapped", "data")):
                continue
            assert hasattr(model, name), f"{path}.{name} is not in the model"
            held(part, getattr(model, name), f"{path}.{name}")
    elif isinstance(value, list):
        for index, part in enumerate(value):
            held(part, model[index], f"{path}[{index}]")
    else:
        assert model == value, path


@pytest.mark.parametrize("which", ["examples", "hostile"])
def test_every_finding_is_an_ocsf_detection_finding_as_published(hostile, which):
    paths = (LOGS,) if which == "examples" else (hostile,)
    lines = [json.loads(line) for line in scanned("ocsf", paths=paths).split("\n") if line]
    assert len(lines) == len(judgements(paths=paths))
    for line in lines:
        held(line, DetectionFinding.model_validate(line))
        assert (line["class_uid"], line["category_uid"], line["type_uid"]) == (2004, 2, 200401)


def test_an_ocsf_finding_says_what_the_judgement_says():
    (line,) = [
        line
        for line in map(json.loads, scanned("ocsf").splitlines())
        if line["metadata"]["event_code"] == "principal-missing"
    ]
    (said,) = [said for said in judgements() if "principal-missing" in said["reasons"]]
    assert line["severity"] == "High"
    assert line["severity_id"] == 4
    assert line["start_time"] == line["end_time"] == 1_793_712_033_123
    assert line["cloud"] == {
        "provider": "GCP",
        "account": {"name": "my-gcp-project", "uid": "my-gcp-project", "type": "GCP Account", "type_id": 5},
    }
    assert line["message"] == "Anonymous caller (token exchange): the record names no principal"
    assert line["metadata"]["uid"] == said["record_id"]
    assert line["unmapped"] == {name: said[name] for name in line["unmapped"]}
    assert "resources" not in line
    assert "null" not in json.dumps(line)


def test_a_csv_has_the_fields_of_the_json_and_a_row_a_judgement():
    rows = list(csv.DictReader(io.StringIO(scanned("csv", "--all"))))
    said = judgements("--all")
    assert tuple(rows[0]) == FIELDS
    assert set(FIELDS) == {*Line.__struct_fields__, "owner"}
    assert len(rows) == len(said) == 43
    for row, line in zip(rows, said, strict=True):
        line |= {"caller": (line["caller"] or {}).get("name"), "owner": (line["caller"] or {}).get("owner")}
        line |= {name: " ".join(line[name]) for name in ("reasons", "delegation")}
        assert row == {name: "" if line[name] is None else str(line[name]) for name in FIELDS}


def test_no_cell_of_a_csv_is_a_formula(hostile):
    text = scanned("csv", paths=(hostile,))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(HOSTILE)
    assert rows[6]["subject"] == f"'{HOSTILE[6]}"
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "  @x"])
def test_a_cell_that_a_spreadsheet_would_run_begins_with_an_apostrophe(cell):
    assert safe(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "a=b", "arn:aws:iam::111111111111:role/x", "2026-11-02T03:04:05Z", "x-y"])
def test_any_other_cell_is_as_it_was(cell):
    assert safe(cell) == cell


def rendered(text: str) -> str:
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(text)


def test_markdown_is_the_totals_and_a_table_of_the_findings():
    text = scanned("markdown")
    assert text.startswith(
        "**callerid**: 6 out-of-scope, 1 unattributable, 5 anonymous, 5 unexpected, 26 identified\n\n| verdict |"
    )
    html = rendered(text)
    assert html.count("<tr>") == 1 + 8
    assert "<td><strong>anonymous</strong>, high</td>\n<td>nobody named</td>\n<td>(token exchange)</td>" in html
    assert '<td style="text-align:right">2</td>' in html


def test_hostile_names_are_code_in_markdown_and_nothing_else(tmp_path):
    names = (
        *HOSTILE,
        "a | b",
        "`` code ` end",
        "[x](https://evil.example.com)",
        "@octocat #1",
        "a\\`b",
        "line\nbreak",
        "|",
        "`",
    )
    path = tmp_path / "x.jsonl"
    path.write_bytes(json_lines(*(named(number, name) for number, name in enumerate(names, 1))))
    html = rendered(scanned("markdown", paths=(path,)))
    cells = re.findall(r"<td[^>]*>(.*?)</td>", html, re.DOTALL)
    assert len(cells) == 7 * len(names)
    for who in cells[1::7]:
        assert re.fullmatch(r"<code>[^<]*</code>", who), who
    assert not re.search(r"<(a|img|script|svg)\b", html)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\u2028]", html)


def test_what_reads_alike_is_one_row_of_markdown_and_its_first_time_is_one_that_was_logged(tmp_path):
    calls = [named(1, "x"), named(2, "x", eventTime=None), named(3, "x", eventTime="2026-11-02T01:00:00Z")]
    (tmp_path / "x.jsonl").write_bytes(json_lines(*calls))
    (row,) = scanned("markdown", paths=(tmp_path,)).splitlines()[4:]
    assert "| 3 | 2026-11-02 01:00 | " in row
    rows = scanned("markdown").splitlines()[4:]
    assert len(rows) == len(set(rows)) == 8


def test_without_findings_markdown_says_so(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(json_lines(record(1)))
    assert scanned("markdown", paths=(tmp_path,)) == "**callerid**: 1 identified\n\nNo findings.\n"


def test_a_flood_stays_a_comment(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(
        json_lines(*(named(n, f"repo:evil/{n}:ref:refs/heads/main") for n in range(MOST + 5)))
    )
    text = scanned("markdown", paths=(tmp_path,))
    assert text.endswith("\nand 5 more rows\n")
    assert len(text) < 65_536


def test_several_processes_say_what_one_says(tmp_path):
    for number in range(4):
        (tmp_path / f"{number}.jsonl").write_bytes(
            json_lines(*(named(10 * number + n, "repo:evil/x:ref:y") for n in range(3)))
        )
    for format_ in ("csv", "markdown"):
        assert scanned(format_, "--jobs", 2, paths=(tmp_path,)) == scanned(format_, "--jobs", 1, paths=(tmp_path,))


def test_a_format_that_is_none_is_named():
    with pytest.raises(ValueError, match="'xml' is no format: expected one of ocsf, csv, markdown"):
        tongue("xml", 0)
    assert all(tongue(name, 0).end({}) is not None for name in TONGUES if name != "markdown")
