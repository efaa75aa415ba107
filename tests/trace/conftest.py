"""The ledgers that a trace is asked of, each on the real part and with nothing in it yet; and what the plays found."""

from collections import Counter

import pytest

from tests.ledger.conftest import aws, project, table

__all__ = ["aws", "project", "table"]


@pytest.fixture(params=["sqlite", "dynamodb", "firestore"])
def ledger(request, tmp_path):
    """The URL of a ledger of the test's own, in each store."""
    match request.param:
        case "sqlite":
            return f"sqlite:///{tmp_path}/ledger.db"
        case "dynamodb":
            return f"dynamodb://{request.getfixturevalue('table')}"
        case _:
            return f"firestore://{request.getfixturevalue('project')}"


_LINKS = pytest.StashKey[dict[str, Counter]]()


@pytest.fixture
def links(request):
    """Adds what was found of a play, by where it was traced, to what the summary says at the end."""
    found = request.config.stash.setdefault(_LINKS, {})
    return lambda place, counts: found.setdefault(place, Counter()).update(counts)


def pytest_terminal_summary(terminalreporter, config):
    """Say how many links were right and how many were found: a number that only a failure shows is never looked at."""
    found = config.stash.get(_LINKS, {})
    if found:
        terminalreporter.section("links of chains whose truth is known", sep="-")
    for place, counts in found.items():
        shares = "; ".join(
            f"{words} {counts[some]:,} of {counts[every]:,} ({100 * counts[some] / max(1, counts[every]):.1f} %)"
            for words, some, every in (
                ("attested: right", "attested and right", "attested"),
                ("of what can be proven attested", "proven", "provable"),
                ("correlated or inferred: right", "not attested and right", "not attested"),
                ("of all true links found", "true and found", "true"),
            )
        )
        terminalreporter.write_line(f"{place}, plays {counts['plays']}: {shares}")
