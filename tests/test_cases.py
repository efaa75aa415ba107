"""Every case file: a record, the policy it is judged under, and the judgement it must get."""

import copy
import json
from functools import cache
from pathlib import Path

import msgspec
import pytest
import yaml

from callerid import delivery
from callerid.decode import Element
from callerid.engine import Engine, unreadable
from callerid.envelope import PassedOver, Unreadable
from callerid.judgement import Verdict, line
from callerid.policy.book import Book
from callerid.policy.load import parse
from callerid.reasons import REASONS

CASES = Path(__file__).parent / "cases"
KEYS = {"case", "role", "why", "origin", "like", "change", "record", "raw", "policy", "expect"}
ABSENT = "(absent)"


def _load() -> list[tuple[str, dict]]:
    found = []
    for path in sorted(CASES.rglob("*.yaml")):
        if path.name == "policy.yaml":
            continue
        cases = yaml.load(path.read_text(), Loader=yaml.SafeLoader)
        by_name = {case["case"]: case for case in cases}
        assert len(by_name) == len(cases), f"{path}: two cases have the same name"
        found += [(path.stem, _whole(case, by_name)) for case in cases]
    return found


def _whole(case: dict, by_name: dict) -> dict:
    unknown = set(case) - KEYS
    assert not unknown, f"{case['case']}: {unknown}"
    if "like" not in case:
        return case
    like = _whole(by_name[case["like"]], by_name)
    record = copy.deepcopy(like["record"])
    for path, value in case.get("change", {}).items():
        _set(record, path, value)
    return {**{key: like[key] for key in ("policy", "origin") if key in like}, **case, "record": record}


def _set(record: dict, path: str, value: object) -> None:
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for parent in parents:
        record = record[parent]
    if value == ABSENT:
        del record[last]
    else:
        record[last] = value


@cache
def _book(policy: str | None) -> Book:
    text = policy.encode() if policy else (CASES / "policy.yaml").read_bytes()
    return Book(parse(text, "policy"), "sha256:case")


def _judged(items: object, policy: str | None) -> dict:
    book = None if policy == "none" else _book(policy)
    (item,) = items
    if isinstance(item, PassedOver):
        return {"passed_over": item.what}
    if isinstance(item, Unreadable):
        judgement, occurrence = unreadable(item), item.occurrence("case")
    else:
        (judgement,), occurrence = Engine(book).judge(item), item.occurrence(0, "case")
    return json.loads(msgspec.json.encode(line(judgement, occurrence, book.digest if book else None)))


ALL = _load()


@pytest.mark.parametrize(("name", "case"), ALL, ids=[f"{name}: {case['case']}" for name, case in ALL])
def test_a_record_gets_the_judgement_that_its_case_says(name, case):
    data = json.dumps(case["record"]).encode() if "record" in case else case["raw"].encode()
    got = _judged(delivery.document(data), case.get("policy"))
    assert {key: got.get(key) for key in case["expect"]} == case["expect"]


OF_JSON = [(name, case) for name, case in ALL if "record" in case]
"""The cases that hold a record; the others are about bytes that are no JSON."""


@pytest.mark.parametrize(("name", "case"), OF_JSON, ids=[f"{name}: {case['case']}" for name, case in OF_JSON])
def test_a_record_gets_the_same_judgement_whichever_way_it_is_decoded(name, case):
    data = json.dumps(case["record"]).encode()
    alone = _judged(delivery.document(data), case.get("policy"))
    as_line = _judged(delivery.Lines().read(data + b"\n"), case.get("policy"))
    tolerant = _judged(delivery.leaves(Element("", json.loads(data))), case.get("policy"))
    for one in (as_line, tolerant) if "passed_over" not in alone else ():
        for key in ("source", "record_id", "access_id") if alone.get("verdict") == "unreadable" else ("source",):
            one[key] = alone.get(key)
    assert as_line == tolerant == alone


OF_RECORDS = [code for code, reason in REASONS.items() if reason.verdict is not Verdict.UNREADABLE]
"""The reasons about records; those about bytes have their tests beside the files and deliveries."""


@pytest.mark.parametrize("code", OF_RECORDS)
def test_every_reason_has_a_case_that_fires_a_silent_twin_and_a_hostile_one(code):
    roles = {case["role"] for name, case in ALL if name == code}
    assert roles >= {"fires", "silent", "hostile"}, f"tests/cases/{code}.yaml"
    for name, case in ALL:
        if name == code:
            fired = code in case["expect"].get("reasons", ())
            assert fired or case["role"] != "fires", case["case"]
            assert not fired or case["role"] != "silent", case["case"]
