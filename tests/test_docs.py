"""The documentation is complete and true: every command, option, key and exit code stands in it."""

import json
import os
import re
import subprocess
import sys

import click
import pytest
import yaml
from click.testing import CliRunner

from callerid.access import Kind
from callerid.cli import main
from callerid.judgement import Verdict
from callerid.policy.load import parse
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()
POLICY = (ROOT / "docs" / "policy.md").read_text()
SCHEMA = json.loads((ROOT / "shared/callerid/policy/schema.json").read_text())


def commands() -> dict[str, click.Command]:
    context = click.Context(main)
    return {name: main.get_command(context, name) for name in main.list_commands(context)}


@pytest.mark.parametrize("name", commands())
def test_every_command_and_option_stands_in_the_readme(name):
    assert f"`callerid {name}" in README
    for parameter in commands()[name].params:
        if isinstance(parameter, click.Option):
            assert f"`{parameter.opts[-1]}" in README


def shown(page: str, command: str) -> list[str]:
    """The lines that a page shows below a command."""
    return [line.rstrip() for line in page.partition(f"$ {command}\n")[2].partition("```")[0].splitlines()]


def test_make_demo_prints_what_the_readme_shows_and_nothing_else(tmp_path):
    """The recipe runs as it stands; only the environment that it would set up is this one."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "installed").touch()
    command = tmp_path / "bin" / "callerid"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -W error -m callerid "$@"\n')
    command.chmod(0o755)
    own = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # of `make test`
    run = subprocess.run(
        ["make", "demo", f"VENV={tmp_path}"], cwd=ROOT, env=own, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert [line.rstrip() for line in run.stdout.splitlines()] == shown(README, "make demo")


def test_the_chain_that_the_page_on_trace_explains_is_the_one_that_is_printed():
    page = (ROOT / "docs" / "trace.md").read_text()
    (command,) = re.findall(r"^\$ callerid (.*)", page, re.MULTILINE)
    words = [str(ROOT / word) if word.startswith("examples/") else word for word in command.split()]
    assert CliRunner().invoke(main, words).stdout.splitlines() == shown(page, f"callerid {command}")


def test_every_verdict_and_exit_status_stands_in_the_readme():
    assert all(f"| {verdict} |" in README for verdict in Verdict)
    assert all(f"**{status}** " in README for status in (0, 1, 2))


def test_every_key_of_the_policy_stands_in_its_page():
    def keys(part: object) -> set[str]:
        if isinstance(part, list):
            return set().union(*map(keys, part))
        if not isinstance(part, dict):
            return set()
        return set(part.get("properties", ())) | set().union(*map(keys, part.values()))

    assert {key for key in keys(SCHEMA) if f"`{key}`" not in POLICY and f"`{key}:" not in POLICY} == set()


def test_the_policy_that_the_readme_shows_is_good():
    (text,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    parse(text.encode(), "README.md")


def test_every_file_that_a_page_links_to_is_there():
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "CONTRIBUTING.md"]:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_every_kind_has_a_case_that_is_judged():
    kinds = set()
    for path in (ROOT / "tests" / "cases").glob("*.yaml"):
        if path.name != "policy.yaml":
            kinds |= {case["expect"].get("kind") for case in yaml.safe_load(path.read_text())}
    assert set(Kind) <= kinds


def test_no_file_names_a_registry_or_a_machine():
    words = re.compile(
        "py" + r"pi\.org|python" + r"hosted|registry\.npm" + r"js|deb\." + r"debian|/ro" + "ot/|/ho" + "me/"
    )
    for path in ROOT.rglob("*"):
        hidden = any(part.startswith(".") and part != ".ci" for part in path.relative_to(ROOT).parts)
        if path.is_file() and not hidden and "data" not in path.parts and path.suffix not in (".pyc", ".gz"):
            assert not words.search(path.read_text(errors="ignore")), path
