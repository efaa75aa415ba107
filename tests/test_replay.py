"""A replay tells which accesses two policies judge differently, and nothing else."""

import json

import pytest

from callerid.judgement import Verdict
from callerid.policy.book import Book
from callerid.policy.load import parse
from callerid.replay import replay
from tests.conftest import POLICY, json_lines, record
from tests.suggest.test_suggest import RECORDS, judged

OLD = POLICY.read_text()
NEW = OLD.replace("100000000000000000001", "100000000000000000003")


def replayed(tmp_path, records, new=NEW):
    path = tmp_path / "log.jsonl"
    path.write_bytes(json_lines(*records))
    return replay([str(path)], Book(parse(OLD.encode(), "old"), "a"), Book(parse(new.encode(), "new"), "b"))


def test_the_same_policy_changes_nothing(tmp_path):
    found = replayed(tmp_path, [one for _, one in RECORDS], new=OLD)
    assert (found.rows, found.records > 700) == ({}, True)


def test_the_counts_are_those_of_judging_twice(tmp_path):
    records = [one for _, one in RECORDS]
    found = replayed(tmp_path, records)
    pairs = zip(judged(records, OLD), judged(records, NEW), strict=True)
    assert sum(row.count for _, row in found.verdicts) == sum(old.verdict != new.verdict for old, new in pairs)
    assert found.verdicts


def test_an_access_that_becomes_a_finding_stands_first(tmp_path):
    third = json.loads(json.dumps(record(3)).replace("100000000000000000001", "100000000000000000003"))
    found = replayed(tmp_path, [third, third, third, record(1), record(2)])
    (worse, first), (better, second) = found.verdicts
    assert (worse.old.verdict, worse.new.verdict, first.count) == (Verdict.IDENTIFIED, Verdict.UNEXPECTED, 2)
    assert (better.old.verdict, better.new.verdict, second.count) == (Verdict.UNEXPECTED, Verdict.IDENTIFIED, 3)
    assert (worse.old.caller, worse.new.caller, worse.new.reasons) == ("nightly-export", "", ("subject-unlisted",))
    assert worse.who == "100000000000000000001"


def test_another_owner_is_no_change_and_another_name_is_a_detail(tmp_path):
    assert replayed(tmp_path, [record()], new=OLD.replace("data-platform@", "others@")).rows == {}
    found = replayed(tmp_path, [record()], new=OLD.replace("name: nightly-export", "name: export"))
    assert (found.verdicts, len(found.details)) == ([], 1)


@pytest.mark.parametrize("field", ["target", "outcome", "origin"])
def test_what_stays_the_same_is_shown(field, tmp_path):
    ((change, _),) = replayed(tmp_path, [record()]).verdicts
    shown = {
        "target": "arn:aws:iam::111111111111:role/crosscloud-test",
        "outcome": "allowed",
        "origin": "accounts.google.com",
    }
    assert getattr(change, field) == shown[field]
