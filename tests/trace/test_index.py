"""What is kept of logs, that nothing which is asked for is passed over, and how calls are counted."""

import json
import random
import re
from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callerid import delivery
from callerid.envelope import Batch
from callerid.trace.index import LogIndex
from callerid.trace.link import Mark, Sign, Source
from callerid.trace.query import parse, together
from callerid.trace.read import Calls, Kept, issuer_of, link_of, reader_of, texts_of
from callerid.trace.shelf import AWS, GOOGLE, OF_AWS, USED_BY, WHOLE
from callerid.trace.words import last_word
from tests.trace import made
from tests.trace.test_links import SAMPLES, SECRETS, changed, paths, values
from tests.trace.test_stories import CASES

RECORDS = [*SAMPLES, *(one for case in CASES for one in made.records(case["records"]))]


def batches(value):
    """The records that a JSON value holds, with their reader."""
    for item in delivery.document(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")):
        if isinstance(item, Batch):
            yield reader_of(item), item.records


def issues(value):
    """The calls of a record that issued credentials: what is kept of each, and its link."""
    for reader, records in batches(value):
        for index in reader.issues(records):
            yield reader.issue(records[index], "f"), reader.link(records[index], "f")


def callers(value):
    """What is kept of the calls of whoever made one, and their link."""
    for reader, records in batches(value):
        for caller, _, _ in reader.calls(records):
            kept = Calls(reader.CLOUD, bytes(caller), None, None, None, Source("id", "f"), {"s3": 1})
            yield kept, link_of(kept)


def index_of(text, query):
    """The index of a log."""
    index = LogIndex(query)
    for item in delivery.Lines().read(text.encode()):
        index.take(item, "f")
    index.finish()
    return index


def asked(text, query):
    """The links of a log that a query names."""
    with index_of(text, query) as index:
        return index.asked()


changes = st.sampled_from([(sample, path) for sample in RECORDS for path in paths(sample)])


@given(changes, values)
def test_what_is_kept_of_a_call_gives_the_same_link_as_its_record(place, value):
    """Whatever the record holds."""
    for kept, link in issues(changed(*place, value)):
        assert link_of(msgspec.msgpack.decode(msgspec.msgpack.encode(kept), type=Kept)) == link


@given(changes, values | st.sampled_from(["arn:aws:sts::1", 'a"b', "a\\b", "a/b:c", "ä", "x[y/z]"]))
def test_whatever_a_link_is_asked_for_by_stands_in_what_is_kept(place, value):
    """Otherwise a record could be passed over unread that somebody asks for."""
    record = changed(*place, value)
    for kept, link in (*issues(record), *callers(record)):
        names = {link.who, link.made, *link.names, *(() if link.calls else (at.record_id for at in link.records))}
        names |= {mark.value for mark in (*link.makes, *link.uses)} | ({link.access_id} if link.makes else set())
        held, data = words_in(texts_of([kept])), msgspec.msgpack.encode([kept])
        for word in map(last_word, filter(None, names)):
            assert not word or (word in held and (word in data or b"\\" in kept.caller))


@given(changes, values)
def test_marks_that_are_taken_for_a_records_own_texts_are(place, value):
    """Every word of them is looked up, and in what is kept the whole of them."""
    record = changed(*place, value)
    for kept, link in (*issues(record), *callers(record)):
        held, data = words_in(texts_of([kept])), msgspec.msgpack.encode([kept])
        for mark in (*link.makes, *link.uses):
            if mark.sign in WHOLE:
                assert words_in(mark.value.encode()) <= held
                assert mark.value.encode() in data or b"\\" in kept.caller


@given(changes, values)
def test_marks_are_looked_for_only_among_what_can_bear_them(place, value):
    """Which cloud issues a mark, and whose issues alone are made with it."""
    record = changed(*place, value)
    for kept, link in (*issues(record), *callers(record)):
        own = issuer_of(kept)
        assert all((AWS if mark.sign in OF_AWS else GOOGLE) == own for mark in link.makes)
        assert all(USED_BY.get(mark.sign, own) == own for mark in link.uses)


def words_in(data):
    """The words of some text, as a file's alphabet tells them from blanks."""
    return {word for piece in re.split(rb"[^0-9A-Za-z_.@+=~\x80-\xff-]", data) if (word := piece)}


@pytest.mark.parametrize("name", ["nightly", "role/nightly", "nightly/", "a:b[c/nightly]", "x nightly"])
def test_the_last_word_of_a_name_is_what_is_looked_for(name):
    assert last_word(name) == b"nightly"


def test_a_name_without_a_word_passes_nothing_over():
    """What stands in every part is looked for among all of them."""
    steps = [CALL, {"call": {**CALL["call"], "id": "c2", "by": "role//", "key": "ASIAEXAMPLEEXAMPLE002"}}]
    assert [link.names[-1] for link in asked(made.lines(steps), parse("/"))] == ["/"]


CALL = {"call": {"id": "c1", "at": "03:01:00", "by": "role/nightly", "key": "ASIAEXAMPLEEXAMPLE001", "began": "03:00:00"}}  # fmt: skip


def test_an_escape_hides_nobody():
    """JSON may write any letter as its number."""
    text = made.lines([CALL]).replace("nightly", "\\u006eightly")
    assert [link.who for link in asked(text, parse("nightly"))] == [f"arn:aws:sts::{made.ACCOUNT}:assumed-role/role/nightly"]  # fmt: skip


def test_of_many_names_each_is_found():
    wanted = together([parse(f"name-{number}") for number in range(40)] + [parse("nightly")])
    assert len(asked(made.lines([CALL]), wanted)) == 1


@given(st.sampled_from(RECORDS), st.sampled_from(SECRETS))
def test_no_secret_is_kept(sample, secret):
    for place in ("responseElements", "requestParameters", "additionalEventData"):
        if isinstance(sample.get(place), dict):
            held = {"secretAccessKey": secret, "sessionToken": secret}
            sample = changed(sample, (place, "credentials"), held)
            sample = changed(sample, (place, "tokenCode"), secret)
    for kept, _ in issues(sample):
        assert secret.encode() not in msgspec.msgpack.encode(kept)


calls = st.tuples(st.sampled_from(("r/one", "r/two", "user/x")), st.sampled_from(("s3", "ec2")), st.integers(0, 240))


@given(st.lists(calls, min_size=1, max_size=30), st.booleans())
def test_calls_are_counted_by_session_or_hour_in_whatever_order_they_come(some, is_in_order):
    """Against a plain count: how many to which service, the first and its id, the last."""
    some.sort(key=lambda one: one[2]) if is_in_order else None
    steps = [
        {"call": {"id": f"c{999 - place}", "at": f"{3 + minute // 60:02}:{minute % 60:02}:00", "by": by, "service": service,
                  "began": "02:00:00" if by == "r/one" else None}}
        for place, (by, service, minute) in enumerate(some)
    ]  # fmt: skip
    counted = Counter()
    for one in steps:
        call = one["call"]
        counted[call["by"], call["began"] or call["at"][:2], call["service"]] += 1
    query = together([parse(f"arn:aws:sts::{made.ACCOUNT}:assumed-role/{by}") for by in ("r/one", "r/two")] + [parse("x")])  # fmt: skip
    found = asked(made.lines(steps), query)
    by_group = Counter()
    for link in found:
        of_group = [
            one["call"] for one in steps
            if link.who.endswith(one["call"]["by"]) and (link.began or one["call"]["at"][:2] == link.time[11:13])
        ]  # fmt: skip
        first = min(of_group, key=lambda call: (call["at"], call["id"]))
        assert (link.time[11:19], link.records[0].record_id) == (first["at"], first["id"])
        assert link.last[11:19] == max(call["at"] for call in of_group)
        for service, count in link.calls:
            by_group[of_group[0]["by"], of_group[0]["began"] or first["at"][:2], service] += count
    assert by_group == counted


def test_a_time_that_is_asked_for_later_is_found_as_well():
    """Marks are noted of the time that is asked for alone; hundreds of other records lie between."""
    numbers = list(range(1000))
    random.Random(1).shuffle(numbers)
    steps = [
        {"assume": {"id": f"a{number}", "at": f"2026-{1 + number // 100:02}-02T03:00:00Z", "by": "user/x", "role": "r",
                    "session": "s", "makes": f"ASIAEXAMPLEEXAM{number:05}"}}
        for number in sorted(numbers, key=lambda number: number // 100)
    ]  # fmt: skip
    with index_of(made.lines(steps), parse("nobody")) as index:
        for number in numbers[:20]:
            month, mark = 1 + number // 100, Mark(Sign.KEY, f"ASIAEXAMPLEEXAM{number:05}")
            span = f"2026-{month:02}-01T00:00:00Z", f"2026-{month:02}-03T00:00:00Z"
            assert [link.record_id for link in index.issues(mark, span)] == [f"a{number}"]
            assert list(index.issues(mark, ("2027-01-01T00:00:00Z", None))) == []
        role = Mark(Sign.ROLE, f"arn:aws:iam::{made.ACCOUNT}:role/r")
        assert len(list(index.issues(role, (None, None)))) == len(numbers)
        assert len(list(index.issues(role, ("2026-03-01T00:00:00Z", "2026-03-03T00:00:00Z")))) == 100
