"""What reaches the queue: every call that the engine judges, and nothing that anybody could forge."""

import datetime as dt
import json

import pytest

from callerid import delivery
from callerid.aws.crossing import READERS
from callerid.policy.book import Book
from tests.aws_function.conftest import EVERYTHING, REGION, RULE, WATCHED, Stack, translated
from tests.aws_function.events import JUDGED, PASSED_BY, SERVICES_THEMSELVES, by, canary, created, event, in_session
from tests.conftest import verdicts

ALL_MANAGEMENT_EVENTS = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
FILES = "org/AWSLogs/111111111111"


def passes(stack: Stack, rule: str, sent: dict) -> bool:
    """Whether a rule takes an event, as moto's evaluator of patterns sees it."""
    models = pytest.importorskip("moto.events.models", reason="moto is missing")
    pattern = json.dumps(stack.resources[rule]["EventPattern"])
    return models.EventPattern.load(pattern).matches_event(sent)


@pytest.mark.parametrize("name", JUDGED)
def test_what_is_judged_reaches_the_queue(name, full):
    assert passes(full, "CrossingsRule", JUDGED[name])


@pytest.mark.parametrize("name", PASSED_BY)
def test_what_is_never_judged_stays_out(name, full):
    assert not passes(full, "CrossingsRule", PASSED_BY[name])


@pytest.mark.parametrize("call", READERS)
def test_every_call_that_the_engine_reads_reaches_the_queue(call, full):
    """A reader without its rule would wait for records that never come."""
    service = READERS[call][0].removesuffix(".amazonaws.com")
    assert passes(full, "CrossingsRule", event(service, call, **by("AssumedRole")))


@pytest.mark.parametrize("name", SERVICES_THEMSELVES)
def test_the_engine_would_not_judge_the_services_that_stay_out(name, book: Book):
    found = verdicts(delivery.document(json.dumps(SERVICES_THEMSELVES[name]).encode()), book)
    assert found == ["out-of-scope"]


@pytest.mark.parametrize(
    ("sent", "reaches"),
    [
        (in_session(WATCHED[0]), True),
        (in_session(WATCHED[1]), True),
        (in_session(f"{WATCHED[0]}-2"), False),
        (in_session(None), False),
        ({**in_session(WATCHED[0]), "source": "my.app"}, False),
    ],
)
def test_later_calls_of_the_watched_roles_alone_reach_the_queue(sent, reaches, full):
    assert passes(full, "WatchedRolesRule", sent) is reaches


def test_forty_watched_roles_fit_into_a_pattern():
    """EventBridge takes 4,096 characters."""
    roles = [f"arn:aws:iam::111111111111:role/a-role-with-a-rather-long-name-{number:02}" for number in range(40)]
    rules = Stack(translated(), {**EVERYTHING, "WatchedRoleArns": ",".join(roles)}).of(RULE).values()
    assert max(len(json.dumps(rule["EventPattern"], separators=(",", ":"))) for rule in rules) <= 4096


@pytest.mark.parametrize(
    ("sent", "reaches"),
    [
        (created(f"{FILES}/CloudTrail/us-east-1/2026/11/02/a.json.gz"), True),
        (created("org/AWSLogs/o-exampleorgid/111111111111/CloudTrail/us-east-1/2026/11/02/a.json.gz"), True),
        (created(f"{FILES}/CloudTrail-Digest/us-east-1/2026/11/02/a.json.gz"), False),
        (created(f"{FILES}/CloudTrail-Insight/us-east-1/2026/11/02/a.json.gz"), False),
        (created(f"{FILES}/Config/us-east-1/a.json.gz"), False),
        (created("AWSLogs/111111111111/CloudTrail/us-east-1/a.json.gz"), False),
        (created(f"{FILES}/CloudTrail/us-east-1/a.json.gz", bucket="another"), False),
        (created(f"{FILES}/CloudTrail/us-east-1/a.json.gz", source="my.app"), False),
    ],
)
@pytest.mark.parametrize("rule", ["LogFilesRule", "ForwardedLogFilesRule"])
def test_log_files_of_the_trail_alone_reach_the_queue(rule, sent, reaches, full):
    assert passes(full, rule, sent) is reaches


@pytest.mark.parametrize("name", JUDGED)
def test_the_central_bus_takes_what_members_forward(name, full):
    assert passes(full, "ForwardedRule", JUDGED[name])


def test_the_central_bus_takes_later_calls_and_nothing_forged(full):
    assert passes(full, "ForwardedRule", in_session(WATCHED[0]))
    assert not passes(full, "ForwardedRule", PASSED_BY["forged, of a source of its own"])


@pytest.mark.parametrize("rule", ["CrossingsRule", "WatchedRolesRule", "LogFilesRule"])
def test_members_forward_what_the_central_region_takes_itself(rule, full, forward):
    assert {**forward.resources[rule], "Targets": None} == {**full.resources[rule], "Targets": None}


def test_rules_for_read_only_calls_are_in_the_state_that_delivers_them(full, forward):
    states = {name: rule["State"] for name, rule in (full.of(RULE) | forward.of(RULE)).items()}
    assert states == {
        "CrossingsRule": ALL_MANAGEMENT_EVENTS,
        "WatchedRolesRule": ALL_MANAGEMENT_EVENTS,
        "ForwardedRule": ALL_MANAGEMENT_EVENTS,
        "LogFilesRule": "ENABLED",
        "ForwardedLogFilesRule": "ENABLED",
        "CanaryRule": "ENABLED",
    }


def test_ways_in_are_there_only_when_asked_for(bare):
    assert set(bare.of(RULE)) == {"CrossingsRule", "CanaryRule", "ForwardedRule"}
    assert bare.of("AWS::Events::EventBusPolicy") == {}


def test_only_the_organization_may_forward(full):
    (policy,) = full.of("AWS::Events::EventBusPolicy").values()
    assert policy["Statement"] == {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "events:PutEvents",
        "Resource": "<Bus.Arn>",
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-exampleorgid"}},
    }


def test_members_may_put_events_into_the_central_bus_alone(forward):
    bus = f"arn:aws:events:{REGION}:123456789012:event-bus/callerid"
    (role,) = forward.of("AWS::IAM::Role").values()
    (policy,) = role["Policies"]
    assert policy["PolicyDocument"]["Statement"] == [{"Effect": "Allow", "Action": "events:PutEvents", "Resource": bus}]
    for rule in forward.of(RULE).values():
        assert rule["Targets"] == [{"Id": "central", "Arn": bus, "RoleArn": "<ForwardRole.Arn>"}]


def test_the_canary_of_the_documentation_is_let_in_and_reported(full, book: Book):
    sent = canary()
    assert passes(full, "CanaryRule", sent)
    assert verdicts(delivery.document(json.dumps(sent).encode()), book) == ["unexpected"]
    age = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(sent["detail"]["eventTime"])
    assert abs(age.total_seconds()) < 60


@pytest.mark.parametrize(
    "forged",
    [
        {"eventName": "AssumeRoot"},
        {"recipientAccountId": "222222222222"},
        by("WebIdentityUser", identityProvider="canary.example.com", userName="boss"),
        by("WebIdentityUser", identityProvider="accounts.google.com", userName="callerid-canary"),
        by("IAMUser", identityProvider="canary.example.com", userName="callerid-canary"),
        {"requestParameters": {"roleArn": "arn:aws:iam::111111111111:role/deploy"}},
        {"eventID": "00000000-0000-4000-8000-000000000002"},
        {"sharedEventID": "00000000-0000-4000-8000-000000000002"},
    ],
)
def test_nothing_but_the_canary_can_be_forged(forged, full):
    sent = canary()
    sent["detail"] |= forged
    assert not any(passes(full, rule, sent) for rule in full.of(RULE))


HIDDEN = event("sts", "AssumeRoot", **by("IAMUser", arn="arn:aws:iam::111111111111:user/boss"))["detail"]


@pytest.mark.parametrize(
    "beside",
    [
        {"Records": [HIDDEN]},
        {"Events": [HIDDEN]},
        {"entries": [HIDDEN]},
        {"detail-type": "x", "detail": HIDDEN},
        {"CloudTrailEvent": json.dumps(HIDDEN)},
        {"message": {"data": "e30="}},
        {"protoPayload": {"serviceName": "sts.googleapis.com", "methodName": "x.ExchangeToken"}},
        {"digestStartTime": "x", "digestS3Bucket": "x"},
        {"insightDetails": {}},
    ],
)
def test_a_canary_carries_no_other_record(beside):
    sent = canary()
    sent["detail"] |= beside
    (item,) = delivery.document(json.dumps(sent).encode())
    assert [record.event_id for record in item.records] == [sent["detail"]["eventID"]]
