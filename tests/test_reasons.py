"""The reasons are a closed set: each explained, each documented, each with what it decides."""

import re
import tomllib

import pytest
import yaml

from callerid.explanations import explanations
from callerid.policy.load import parse
from callerid.reasons import REASONS
from tests.conftest import ROOT

FENCE = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def test_every_reason_is_explained_and_nothing_else_is():
    assert list(explanations()) == list(REASONS)


@pytest.mark.parametrize("code", REASONS)
def test_the_documentation_shows_every_reason(code):
    assert f"\n### {code}\n" in (ROOT / "docs" / "reasons.md").read_text()


@pytest.mark.parametrize("code", REASONS)
def test_the_policy_lines_of_a_fix_are_a_policy_that_is_good(code):
    for language, text in FENCE.findall(explanations()[code].fix):
        if language != "yaml":
            continue
        value = yaml.safe_load(text)
        whole = value if isinstance(value, dict) and "version" in value else {"version": 1}
        if isinstance(value, dict) and "version" not in value:
            whole |= value
        elif isinstance(value, list):
            key = "callers" if "name" in value[0] else "requirements"
            whole |= {key: value}
        parse(yaml.safe_dump(whole).replace("'off'", "off").encode(), code)


def test_the_documentation_is_made_from_the_texts():
    from docs import reasons

    assert reasons.page() == (ROOT / "docs" / "reasons.md").read_text(), "run `make docs`"


@pytest.mark.parametrize(
    ("code", "severity"),
    [
        ("source-identity-changed", "high"),
        ("source-identity-appeared", "medium"),
        ("source-identity-dropped", "medium"),
    ],
)
def test_what_only_a_chain_shows_is_a_reason_like_any_other(code, severity):
    """Its records have cases as every reason's; its chains have the stories of tests/ledger/stories.yaml."""
    assert (REASONS[code].verdict, REASONS[code].severity) == ("unexpected", severity)
    means = " ".join(explanations()[code].means.split())
    assert f"{severity.capitalize()}: " in means
    assert "keeps sessions" in means
    assert "`scan` without `--sessions` can't" in means


def test_the_texts_are_toml_of_four_parts_each():
    text = (ROOT / "shared/callerid/reasons.toml").read_text()
    assert all(set(part) == {"means", "log", "fix", "refuse"} for part in tomllib.loads(text).values())
