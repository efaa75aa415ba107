"""What must hold of any JSON whatever: nothing escapes, nothing is lost, nobody without a name is identified."""

import json
import string

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callerid import delivery
from callerid.access import Cloud, Kind, Outcome
from callerid.aws import envelope as aws_envelope
from callerid.aws import read as aws_read
from callerid.aws.record import Record, UserIdentity
from callerid.decode import Element, elements, lenient
from callerid.engine import Engine, unreadable
from callerid.envelope import Batch, PassedOver, Unreadable
from callerid.gcp import envelope as gcp_envelope
from callerid.gcp import read as gcp_read
from callerid.gcp.record import Authentication, Entry
from callerid.judgement import SEVERITIES, Verdict, line
from callerid.names import glob
from callerid.policy.index import Index
from callerid.reasons import REASONS
from tests.conftest import entry, record
from tests.test_cases import ALL, _book

SECRETS = ("ASIAEXAMPLESECRET001", "EXAMPLE-SECRET-TOKEN")
RECORDS = [case["record"] for _, case in ALL if "record" in case]

text = st.text(max_size=12) | st.sampled_from(
    ["", "\ud800", "\u202eevil", "Records", "arn:aws:iam::111111111111:role/x", "principal://x", "null", "1e999"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
keys = text | st.sampled_from(
    sorted({"Records", "Events", "entries", "detail", "detail-type", "message", "data", "protoPayload", "logName",
            "userIdentity", "eventName", "eventSource", "CloudTrailEvent", "authenticationInfo", "insightDetails"})
)  # fmt: skip
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5))


def paths(value, prefix=()):
    yield prefix
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*prefix, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths(inner, (*prefix, index))


@st.composite
def mutated(draw):
    """A record of a case with one place replaced by anything, or taken out."""
    value = json.loads(json.dumps(draw(st.sampled_from(RECORDS))))
    *parents, last = draw(st.sampled_from([path for path in paths(value) if path] or [("x",)]))
    place = value
    for key in parents:
        place = place[key]
    if draw(st.booleans()):
        place[last] = draw(values)
    elif isinstance(place, dict):
        del place[last]
    return value


def judge_all(items):
    """Judge items; return their JSON lines, and how many were passed over."""
    engine, lines, passed = Engine(_book(None)), [], 0
    for item in items:
        match item:
            case Batch():
                judgements = engine.judge(item)
                assert len(judgements) == len(item.records)
                lines += [line(judged, item.occurrence(at, "f"), "p") for at, judged in enumerate(judgements)]
            case Unreadable():
                lines.append(line(unreadable(item), item.occurrence("f"), "p"))
            case PassedOver():
                passed += 1
    return lines, passed


def check(lines):
    for one in lines:
        msgspec.json.encode(one)
        assert one.verdict in set(Verdict) - {Verdict.NAMED}
        assert set(one.reasons) <= REASONS.keys()
        assert one.severity in SEVERITIES
        assert one.record_id
        if one.verdict != Verdict.UNREADABLE:
            assert one.cloud in set(Cloud)
            assert one.outcome in set(Outcome)
        if one.verdict == Verdict.IDENTIFIED:
            assert one.subject or one.principal
            assert one.subject or one.kind not in (Kind.WEB_IDENTITY, Kind.SAML, Kind.ROLES_ANYWHERE, Kind.POD_IDENTITY)
            assert one.severity in SEVERITIES[:2]


@given(values)
def test_any_json_ends_in_judgements_and_no_exception(value):
    data = json.dumps(value).encode()
    check(judge_all(delivery.document(data))[0])
    check(judge_all(delivery.Lines().read(data + b"\n"))[0])


@given(st.binary(max_size=200) | st.text(alphabet=string.printable, max_size=200).map(str.encode))
def test_any_bytes_end_in_judgements_and_no_exception(data):
    check(judge_all(delivery.document(data))[0])
    check(judge_all(delivery.Lines().read(data))[0])


@given(st.lists(mutated(), max_size=4))
def test_every_record_ends_in_one_judgement_however_it_is_delivered(records):
    alone = [judge_all(delivery.leaves(Element("", one))) for one in records]
    together = judge_all(delivery.document(json.dumps({"Records": records}).encode()))
    in_lines = judge_all(delivery.Lines().read(b"".join(json.dumps(one).encode() + b"\n" for one in records)))
    check(together[0])
    wanted = [one.verdict for lines, _ in alone for one in lines]
    assert [one.verdict for one in together[0]] == wanted
    assert [one.verdict for one in in_lines[0]] == wanted
    assert together[1] == in_lines[1] == sum(passed for _, passed in alone)


@given(mutated())
def test_the_fast_path_and_the_tolerant_one_agree(value):
    data = json.dumps(value).encode()
    for envelope, reader in ((aws_envelope, aws_read), (gcp_envelope, gcp_read)):
        fast, tolerant = envelope.record(data), envelope.from_value(value)
        if fast is not None:
            assert tolerant is not None
            assert reader.read(fast) == reader.read(tolerant)
            assert reader.occurrence(fast, "f") == reader.occurrence(tolerant, "f")
            assert reader.call_keys((fast,)) is not None


def plain(part):
    """A decoded part as comparable values; raw JSON by what it holds."""
    if isinstance(part, msgspec.Raw):
        return json.loads(bytes(part)) if bytes(part) else None
    if isinstance(part, msgspec.Struct):
        return {name: plain(getattr(part, name)) for name in part.__struct_fields__}
    return part


@given(st.sampled_from([Record, Entry, UserIdentity, Authentication]), mutated() | values)
def test_lenient_decoding_agrees_with_the_strict_one_wherever_that_succeeds(kind, value):
    try:
        strict = msgspec.json.decode(json.dumps(value).encode(), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return
    assert plain(lenient(kind, value)) == plain(strict)


@given(st.sampled_from([record(), entry()]), st.sampled_from(["", None, [], {}, 7, False]))
def test_an_access_without_a_subject_is_never_identified(value, nothing):
    value = json.loads(json.dumps(value))
    if "userIdentity" in value:
        value["userIdentity"]["userName"] = nothing
    else:
        value["protoPayload"]["authenticationInfo"]["principalSubject"] = nothing
        value["protoPayload"]["metadata"]["mapped_principal"] = nothing
    (one,), _ = judge_all(delivery.document(json.dumps(value).encode()))
    assert one.verdict == Verdict.ANONYMOUS


@given(mutated(), st.sampled_from(SECRETS))
def test_no_credential_ever_leaves(value, secret):
    for place in ("responseElements", "requestParameters", "additionalEventData"):
        if isinstance(value.get(place), dict):
            value[place]["credentials"] = {"accessKeyId": secret, "sessionToken": secret, "secretAccessKey": secret}
    lines, _ = judge_all(delivery.document(json.dumps(value).encode()))
    assert all(secret.encode() not in msgspec.json.encode(one) for one in lines)


@given(values)
def test_a_document_is_walked_to_the_values_that_it_holds(value):
    data = json.dumps(value)
    got = [element.value for element in elements(data, ())]
    assert got == (value if isinstance(value, list) else [value])


patterns = st.text(alphabet="ab:/*?", max_size=6)


@given(st.lists(patterns, max_size=8), st.text(alphabet="ab:/", max_size=6))
def test_the_index_finds_what_comparing_one_by_one_finds(listed, value):
    index: Index[str] = Index()
    for pattern in listed:
        index.add("q", pattern, pattern)
    assert sorted(index.find("q", value)) == sorted(pattern for pattern in listed if glob.matches(pattern, value))
    assert index.find("other", value) == []


LOG = "projects/whose/logs/cloudaudit.googleapis.com%2Fdata_access"
BARE = [value for value in RECORDS if "eventName" in value or isinstance(value.get("protoPayload"), dict)]


@pytest.mark.parametrize("value", BARE, ids=map(str, range(len(BARE))))
def test_of_whatever_sort_a_call_is_the_answer_and_the_log_s_owner_show(value):
    if "eventName" in value:
        denied = {**value, "errorCode": "AccessDenied", "recipientAccountId": "999999999999"}
        wanted = (Outcome.DENIED, "AccessDenied", "999999999999")
    else:
        denied = {**value, "logName": LOG, "protoPayload": {**value["protoPayload"], "status": {"code": 5}}}
        wanted = (Outcome.DENIED, "NOT_FOUND", "whose")
    (one,), _ = judge_all(delivery.document(json.dumps(denied).encode()))
    assert one.verdict == Verdict.UNREADABLE or (one.outcome, one.error, one.account) == wanted
