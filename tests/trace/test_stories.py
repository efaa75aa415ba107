"""Stories of several records, each with the chain that it must give, in whatever order the records come."""

import random
from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from callerid.trace import run
from callerid.trace.chain import back
from callerid.trace.index import LogIndex
from callerid.trace.query import parse
from tests.trace import made
from tests.trace.stored import sessions_of

CASES = [
    case for path in sorted(Path(__file__).parent.glob("cases/*.yaml")) for case in yaml.safe_load(path.read_text())
]
named = pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])


def printed(tmp_path, case, lines):
    """What the command prints of a story's lines."""
    path = tmp_path / "story.jsonl"
    path.write_text("".join(lines))
    wanted = run.query(case["trace"], since=None, until=None, policy=None)
    result = run.in_logs([str(path)], wanted, forward=case.get("forward", False))
    return "".join(f"{line}\n" for line in run.shown(result, "tree", 20))


@named
def test_a_story_gives_its_chain(tmp_path, case):
    """The whole tree is compared."""
    assert printed(tmp_path, case, made.lines(case["records"]).splitlines(keepends=True)) == case["expect"]


@named
def test_the_order_of_the_records_never_changes_the_chain(tmp_path, case):
    """Halves come late, and in any order."""
    lines = made.lines(case["records"]).splitlines(keepends=True)
    orders = [lines[::-1]]
    for seed in range(4):
        orders.append(lines[:])
        random.Random(seed).shuffle(orders[-1])
    for order in orders:
        assert printed(tmp_path, case, order) == case["expect"]


@named
def test_a_record_that_comes_twice_is_one_step(tmp_path, case):
    """Duplicates share the record's id."""
    if case.get("forward"):
        pytest.skip("logs count every copy of a call")
    lines = made.lines(case["records"]).splitlines(keepends=True)
    assert printed(tmp_path, case, lines + lines[::-1]) == case["expect"]


@named
def test_the_ledger_gives_the_same_chain_as_the_logs(tmp_path, case):
    """Each record of the story is traced through both."""
    lines = made.lines(case["records"]).splitlines(keepends=True)
    path = tmp_path / "story.jsonl"
    path.write_text("".join(lines))
    for record in made.records(case["records"]):
        query = parse(record.get("eventID") or record["insertId"])
        with LogIndex(query) as logs:
            logs.add(str(path))
            logs.finish()
            for link in logs.asked():
                stored = sessions_of(lines)
                assert plain(back(link, stored)) == plain(back(link, logs))


def plain(step):
    """A chain without the places of its records, which a ledger names otherwise."""
    link = msgspec.to_builtins(step.link)
    link["records"] = sorted({one[0] for one in link.get("records", ())})
    edges = [(edge.basis, edge.sign, edge.is_shared, plain(edge.step)) for edge in step.edges]
    return link, edges, step.more, step.drifts, step.is_cut


STORY = next(case for case in CASES if case["case"].startswith("from CI to AWS to Google and back"))


@settings(max_examples=40, deadline=None)
@given(st.permutations(made.lines([step for case in CASES[:12] for step in case["records"]]).splitlines(keepends=True)))
def test_records_of_many_stories_together_give_one_result_in_any_order(tmp_path_factory, lines):
    """The same ids occur in several stories, so there is ambiguity enough."""
    folder = tmp_path_factory.mktemp("story")
    assert printed(folder, {"trace": "c1"}, lines) == printed(folder, {"trace": "c1"}, sorted(lines))
