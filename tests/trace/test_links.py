"""What is read of a record, whatever the record holds, and what never is."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callerid import delivery
from callerid.access import Outcome
from callerid.envelope import Batch
from callerid.trace.link import Basis, Link, Mark, Sign, basis, fits, merged
from callerid.trace.read import reader_of
from tests.conftest import entry, record
from tests.trace import made

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=12,
)
SECRETS = ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "IQoJb3JpZ2luX2VjEXAMPLETOKEN//////////")


def links(value):
    """The links of whatever a JSON value holds."""
    return [
        reader_of(item).link(item.records[index], item.occurrence(index, "f").source)
        for item in delivery.document(json.dumps(value).encode())
        if isinstance(item, Batch)
        for index in range(len(item.records))
    ]


def paths(value, path=()):
    """The path of every value within a record."""
    yield path
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from paths(inner, (*path, name))


def changed(value, path, new):
    """A copy of a record with another value at a path."""
    copy = json.loads(json.dumps(value))
    if not path:
        return new
    inner = copy
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = new
    return copy


SAMPLES = [
    record(), entry(), *made.records([
        {"assume": {"id": "a", "at": "03:00:00", "by": "one/s", "role": "two", "session": "s", "both": "b", "makes": "ASIAEXAMPLEEXAMPLE001"}},
        {"switch": {"id": "s", "at": "03:00:00", "frm": "arn:aws:iam::111111111111:user/x", "role": "r", "session": "x"}},
        {"outbound": {"id": "o", "at": "03:00:00", "by": "one/s", "token": "t"}},
        {"token": {"id": "t", "at": "03:00:00", "by": "worker", "account": "a@p.iam.gserviceaccount.com", "lifetime": "900s"}},
        {"google": {"id": "g", "at": "03:00:00", "by": "a@p.iam.gserviceaccount.com", "behind": ["worker"]}},
    ]),
]  # fmt: skip


@given(st.sampled_from([(sample, path) for sample in SAMPLES for path in paths(sample)]), values)
def test_any_value_anywhere_in_a_record_raises_nothing(place, value):
    sample, path = place
    for link in links(changed(sample, path, value)):
        assert msgspec.json.decode(msgspec.json.encode(link), type=Link) == link
        assert isinstance(link.makes, tuple)
        merged((link, link))


@given(values)
def test_any_json_raises_nothing(value):
    links(value)


@given(st.sampled_from(SAMPLES), st.sampled_from(SECRETS))
def test_no_secret_ever_leaves_the_record(sample, secret):
    """Not even where it stands in the place of an access key's id."""
    for place in ("responseElements", "requestParameters", "additionalEventData"):
        if isinstance(sample.get(place), dict):
            held = {"accessKeyId": secret, "secretAccessKey": secret, "sessionToken": secret}
            sample = changed(sample, (place, "credentials"), held)
    if "userIdentity" in sample:
        sample = changed(sample, ("userIdentity", "accessKeyId"), secret)
    for link in links(sample):
        assert secret.encode() not in msgspec.json.encode(link)


def one(steps):
    """The link of a story of one record."""
    (found,) = [link for value in made.records([steps]) for link in links(value)]
    return found


ISSUE = {"id": "a", "at": "03:00:00", "by": "user/x", "role": "r", "session": "s", "makes": "ASIAEXAMPLEEXAMPLE001"}
CALL = {"id": "c", "at": "03:30:00", "by": "r/s", "key": "ASIAEXAMPLEEXAMPLE001", "began": "03:00:00"}


@pytest.mark.parametrize(
    ("expiration", "at", "holds"),
    [
        ("Nov 2, 2026, 4:00:00 AM", "03:59:00", True),
        ("Nov 2, 2026, 4:00:00 AM", "04:05:00", False),
        ("Nov 2, 2026, 12:30:00 AM", "04:05:00", False),
        ("Nov 2, 2026, 12:30:00 PM", "12:20:00", True),
        ("2026-11-02T04:00:00Z", "04:05:00", False),
        ("Foo 32, 2026, 4:00:00 AM", "14:55:00", True),
        (None, "14:55:00", True),
        (None, "15:05:00", False),
    ],
)
def test_a_session_holds_until_its_answer_says_or_for_as_long_as_one_can(expiration, at, holds):
    issue = one({"assume": {**ISSUE, "expires": expiration, "makes": None}})
    exchange = one({"exchange": {"id": "g", "at": at, "subject": "arn:aws:sts::111111111111:assumed-role/r/s"}})
    assert fits(exchange, issue, exchange.uses[0]) is holds


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, True),
        ({"began": "03:00:30"}, True),
        ({"began": "03:02:00"}, False),
        ({"began": None}, True),
        ({"began": None, "at": "23:30:00"}, False),
        ({"at": None, "began": None}, True),
        ({"at": None}, True),
    ],
)
def test_a_key_is_of_one_session(changes, holds):
    issue = one({"assume": {**ISSUE, "expires": "Nov 2, 2026, 4:00:00 AM"}})
    call = one({"call": {**CALL, **changes}})
    assert fits(call, issue, call.uses[0]) is holds


def test_what_several_fit_is_attested_of_none():
    call = one({"call": CALL})
    assert [basis(call, call.uses[0], count) for count in (1, 2)] == [Basis.ATTESTED, Basis.CORRELATED]


@pytest.mark.parametrize(
    ("changes", "signs"),
    [
        ({}, [Sign.ROLE_ID]),
        ({"began": "03:00:06"}, []),
        ({"began": None}, []),
        ({"by": "222222222222:r/s"}, []),
    ],
)
def test_two_keys_are_two_sessions_unless_role_name_and_beginning_agree(changes, signs):
    """A console makes its calls with keys of its own."""
    call = one({"call": {**CALL, "key": "ASIAEXAMPLEEXAMPLE009", **changes}})
    issue = one({"assume": ISSUE})
    assert [mark.sign for mark in call.uses if fits(call, issue, mark)] == signs


def test_the_copies_of_one_call_add_what_the_other_leaves_out():
    """The caller's copy names the user, the other's copy stands in the target's account."""
    copies = [link for value in made.records([{"assume": {**ISSUE, "both": "b"}}]) for link in links(value)]
    (whole,) = merged(copies)
    assert [at.record_id for at in whole.records] == ["a", "b"]
    assert whole.who == "arn:aws:iam::111111111111:user/x"
    assert merged(copies[::-1]) == [whole]


def test_a_masked_key_is_no_key():
    link = one({"call": {**CALL, "key": "ASIA****"}})
    assert [mark.sign for mark in link.uses] == [Sign.ROLE_ID, Sign.SESSION]


def test_a_refused_role_issues_nothing():
    link = one({"assume": {**ISSUE, "error": "AccessDenied"}})
    assert (link.makes, link.outcome) == ((), Outcome.DENIED)


def test_a_refused_exchange_issues_nothing():
    link = one({"exchange": {"id": "g", "at": "03:00:00", "subject": "worker", "code": 7}})
    assert link.makes == ()


def test_a_token_names_everybody_who_stands_behind_it():
    link = one({"token": {"id": "t", "at": "03:00:00", "by": "a@p.iam.gserviceaccount.com", "behind": ["worker"], "account": "b@p.iam.gserviceaccount.com"}})  # fmt: skip
    assert {mark.value for mark in link.makes if mark.sign is Sign.ON_BEHALF} == {
        "b@p.iam.gserviceaccount.com a@p.iam.gserviceaccount.com",
        f"b@p.iam.gserviceaccount.com {made.principal('worker')}",
    }


def test_marks_are_compared_by_sort_and_value():
    assert Mark(Sign.KEY, "x") != Mark(Sign.NAME, "x")
