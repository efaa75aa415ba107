"""What the doctor says of AWS: each check well, broken, and not to be seen."""

import json

import pytest

from callerid.doctor.aws import examine
from callerid.doctor.check import Finding, State
from tests.doctor.installation import NOW, OTHER, REGION, STACK, always, denied, failing, figures

READS = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
ALLOWED = {
    "cloudformation:ListStackResources", "cloudtrail:DescribeTrails", "cloudtrail:GetTrailStatus",
    "cloudtrail:GetEventSelectors", "cloudtrail:LookupEvents", "cloudwatch:GetMetricStatistics",
    "ec2:DescribeRegions", "events:DescribeRule", "events:ListTargetsByRule", "events:ListRuleNamesByTarget",
    "events:TestEventPattern", "lambda:GetFunctionConfiguration", "lambda:ListEventSourceMappings",
    "sqs:GetQueueAttributes",
}  # fmt: skip
"""What docs/doctor.md grants."""


def looked(aws) -> list[Finding]:
    return examine(aws.aws, STACK, now=NOW)


def bad(aws) -> list[tuple[str, str, str]]:
    return [(one.what, str(one.state), one.found) for one in looked(aws) if one.state is not State.OK]


def rule(name: str, **changes: str):
    """An answer of ``DescribeRule`` for one rule, an ordinary one for the others."""

    def answer(given: dict) -> dict:
        shown = {"Name": given["Name"], "Arn": f"arn:aws:events:{REGION}:123456789012:rule/{given['Name']}"}
        shown |= {"State": READS, "EventPattern": json.dumps({"source": [{"prefix": ""}]})}
        return {**shown, **(changes if f"-{name}-" in given["Name"] else {})}

    return answer


def trail(**changes):
    return {"Name": "example-trail", "TrailARN": "arn:aws:cloudtrail:us-east-1:1:trail/example-trail",
            "HomeRegion": REGION, "IsMultiRegionTrail": True, **changes}  # fmt: skip


def test_a_healthy_installation_has_nothing_to_do(aws):
    assert bad(aws) == []
    assert [finding.what for finding in looked(aws)] == [
        "trail", f"stack {STACK}", "CrossingsRule", "WatchedRolesRule", "LogFilesRule", "CanaryRule", "ForwardedRule",
        "ForwardedLogFilesRule", "queue policy", "queue", "dead letters", "event source", "Judge", "Tasks",
        "other regions",
    ]  # fmt: skip


def test_it_asks_for_what_the_page_grants_and_for_nothing_else(aws):
    looked(aws)
    aws.answers["events:ListRuleNamesByTarget"] = always(RuleNames=[])
    looked(aws)
    assert aws.asked == ALLOWED


@pytest.mark.parametrize("permission", sorted(ALLOWED))
def test_a_missing_permission_is_unknown_and_named(aws, permission):
    if permission == "cloudtrail:LookupEvents":
        aws.answers["events:ListRuleNamesByTarget"] = always(RuleNames=[])
    aws.answers[permission] = denied
    said = [found for _, state, found in bad(aws) if state == "unknown"]
    assert f"no permission: {permission}" in said


@pytest.mark.parametrize("answer", [failing("InternalFailure"), always(), failing("ThrottlingException")])
@pytest.mark.parametrize("permission", sorted(ALLOWED - {"cloudtrail:LookupEvents"}))
def test_no_answer_and_an_odd_one_are_never_well(aws, permission, answer):
    aws.answers[permission] = answer
    assert bad(aws)


def test_a_stack_that_is_not_there_is_one_line(aws):
    found = [one for one in examine(aws.aws, "other", now=NOW) if one.state is not State.OK]
    assert [(one.what, one.state, one.to_do) for one in found] == [
        ("stack other", State.BROKEN, "Deploy it, or give --stack its name.")
    ]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"DescribeTrails": {"trailList": []}}, ("trail", "broken", "there is none")),
        ({"DescribeTrails": {"trailList": [trail(IsMultiRegionTrail=False)]}}, ("trail", "warning", "eu-west-2 alone")),
        ({"DescribeTrails": {"trailList": [trail(IsMultiRegionTrail=False, HomeRegion="eu-west-1")]}},
         ("trail", "broken", "eu-west-1 alone")),
        ({"GetTrailStatus": {"IsLogging": False}}, ("trail example-trail", "broken", "switched off")),
        ({"GetTrailStatus": {"IsLogging": True, "LatestDeliveryError": "AccessDenied"}},
         ("trail example-trail", "warning", "AccessDenied")),
        ({"GetEventSelectors": {"EventSelectors": [{"ReadWriteType": "WriteOnly"}]}},
         ("trail example-trail", "broken", "does not log AssumeRole,")),
        ({"GetEventSelectors": {"EventSelectors": [{"ReadWriteType": "ReadOnly"}]}},
         ("trail example-trail", "warning", "does not log GetFederationToken")),
        ({"GetEventSelectors": {}}, ("trail example-trail", "broken", "does not log AssumeRole,")),
    ],
)  # fmt: skip
def test_a_trail_must_log_everywhere_read_and_write(aws, answers, expected):
    whole = {"GetTrailStatus": {"IsLogging": True}, "GetEventSelectors": {"EventSelectors": [{}]}}
    aws.answers |= {f"cloudtrail:{name}": always(**answer) for name, answer in (whole | answers).items()}
    what, state, said = expected
    assert any(found[:2] == (what, state) and said in found[2] for found in bad(aws))


def test_one_whole_trail_is_enough_whatever_the_others_lack(aws):
    other = trail(Name="old", TrailARN="old")
    aws.answers["cloudtrail:DescribeTrails"] = always(trailList=[other, trail()])
    aws.answers["cloudtrail:GetTrailStatus"] = lambda given: {"IsLogging": given["Name"] != "old"}
    aws.answers["cloudtrail:GetEventSelectors"] = always(EventSelectors=[{"ReadWriteType": "All"}])
    assert bad(aws) == []


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("CrossingsRule", {"State": "DISABLED"}, ("broken", "is DISABLED")),
        ("CrossingsRule", {"State": "ENABLED"}, ("broken", "read events such as AssumeRole may not come")),
        ("ForwardedRule", {"State": "ENABLED"}, ("broken", "read events such as AssumeRole may not come")),
        ("CanaryRule", {"State": "DISABLED"}, ("warning", "no canary passes")),
        ("LogFilesRule", {"State": "DISABLED"}, ("broken", "is DISABLED")),
        ("CrossingsRule", {"EventPattern": '{"source": ["aws.sts"]}'}, ("broken", "does not match SwitchRole")),
        ("CanaryRule", {"EventPattern": '{"source": ["other"]}'}, ("broken", "does not match canary")),
        ("CrossingsRule", {"EventPattern": ""}, ("broken", "it has no pattern")),
    ],
)
def test_a_rule_must_be_on_in_its_way_and_match(aws, name, changes, expected):
    aws.answers["events:DescribeRule"] = rule(name, **changes)
    aws.answers[f"events:DescribeRule {OTHER}"] = rule("")
    found = [(state, said) for what, state, said in bad(aws) if what == name]
    assert len(found) == 1
    assert (found[0][0], expected[1] in found[0][1]) == (expected[0], True)


def test_a_rule_that_is_gone_or_sends_elsewhere_is_broken(aws):
    aws.answers["events:ListTargetsByRule"] = always(Targets=[{"Id": "x", "Arn": "arn:aws:sqs:us-east-1:1:other"}])
    assert [said for what, _, said in bad(aws) if what == "CrossingsRule"] == ["does not send to the queue"]
    aws.answers["events:DescribeRule"] = failing("ResourceNotFoundException")
    assert ("CrossingsRule", "broken", "not there (events:DescribeRule)") in bad(aws)


def attributes(**changes: str):
    """Answers for both queues."""
    arn = f"arn:aws:sqs:{REGION}:123456789012"

    def answer(given: dict) -> dict:
        queue = {"QueueArn": f"{arn}:{given['QueueUrl'].rpartition('/')[2]}"}
        return {"Attributes": {**queue, **(changes if "DeadLetters" in given["QueueUrl"] else {})}}

    return answer


def test_dead_letters_are_broken_also_those_that_somebody_looks_at(aws):
    for name in ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"):
        aws.answers["sqs:GetQueueAttributes"] = attributes(**{name: "3"})
        assert ("dead letters", "broken", "about 3 were not judged") in bad(aws)


def test_a_queue_without_a_policy_lets_no_rule_send(aws):
    aws.answers["sqs:GetQueueAttributes"] = attributes()
    said = {what: found for what, _, found in bad(aws)}
    assert said["queue policy"].startswith("does not let CrossingsRule, WatchedRolesRule, LogFilesRule, CanaryRule,")
    assert said["queue"].startswith("it puts nothing aside")


@pytest.mark.parametrize(
    ("mappings", "state"),
    [
        ([], "broken"),
        ([{"State": "Disabled", "StateTransitionReason": "User action"}], "broken"),
        ([{"State": "Enabling"}], "warning"),
        ([{}], "broken"),
    ],
)
def test_the_event_source_must_be_enabled(aws, mappings, state):
    aws.answers["lambda:ListEventSourceMappings"] = always(EventSourceMappings=mappings)
    assert [(what, found) for what, found, _ in bad(aws)] == [("event source", state)]


@pytest.mark.parametrize(
    ("answer", "judge", "tasks"),
    [
        (figures(Invocations=0, Errors=0), "warning", "broken"),
        (figures(Invocations=10, Errors=10), "broken", "broken"),
        (figures(Invocations=10, Errors=1), "warning", "warning"),
        (always(Datapoints=[]), "warning", "broken"),
    ],
)
def test_calls_that_failed_and_calls_that_did_not_come_are_said(aws, answer, judge, tasks):
    aws.answers["cloudwatch:GetMetricStatistics"] = answer
    assert [(what, state) for what, state, _ in bad(aws)] == [("Judge", judge), ("Tasks", tasks)]


def test_a_function_that_cannot_run_is_broken(aws):
    shown = {"State": "Failed", "StateReason": "The KMS key is disabled", "LastUpdateStatus": "Failed"}
    aws.answers["lambda:GetFunctionConfiguration"] = always(**shown, Environment={"Variables": {"X": "secret"}})
    found = [said for what, _, said in bad(aws) if what == "Judge"]
    assert found == ["is failed: The KMS key is disabled", "its last update failed"]


def seen(**caller: str) -> dict:
    return {"Events": [{"CloudTrailEvent": json.dumps({"userIdentity": caller})}]}


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ({"Events": []}, "warning"),
        (seen(type="AWSService", invokedBy="ecs.amazonaws.com"), "warning"),
        (seen(type="AWSService", invokedBy="pods.eks.amazonaws.com"), "broken"),
        (seen(type="AssumedRole"), "broken"),
        ({"Events": [{"CloudTrailEvent": "{"}]}, "broken"),
    ],
)
def test_a_region_without_a_rule_is_broken_where_it_is_used(aws, events, state):
    aws.answers["events:ListRuleNamesByTarget"] = always(RuleNames=[])
    aws.answers["cloudtrail:LookupEvents"] = always(**events)
    ((_, found, said),) = bad(aws)
    assert found == state
    assert OTHER in said or "has no rule that forwards" in said


@pytest.mark.parametrize("permission", ["DescribeTrails", "GetTrailStatus", "GetEventSelectors"])
def test_a_region_that_forwards_is_not_broken_because_a_trail_could_not_be_seen(aws, permission):
    aws.answers[f"cloudtrail:{permission}"] = denied
    states = {what: state for what, state, _ in bad(aws)}
    assert states[f"region {OTHER}"] == "unknown"
    assert set(states.values()) == {"unknown"}


def test_a_region_that_forwards_is_broken_where_no_trail_can_log_for_it(aws):
    aws.answers["cloudtrail:GetTrailStatus"] = always(IsLogging=False)
    assert (f"region {OTHER}", "broken", "has a rule, and no trail that logs for it") in bad(aws)


def test_what_a_service_control_policy_forbids_no_grant_brings_back(aws):
    message = "User: arn:… is not authorized to perform: … with an explicit deny in a service control policy"
    aws.answers[f"events:ListRuleNamesByTarget {OTHER}"] = lambda _: {
        "Error": {"Code": "AccessDeniedException", "Message": message}
    }
    (finding,) = (one for one in looked(aws) if one.state is not State.OK)
    assert (finding.what, finding.state) == (f"region {OTHER}", "unknown")
    assert finding.found == "a service control policy forbids events:ListRuleNamesByTarget"
    assert "Grant" not in finding.to_do


def test_a_rule_that_forwards_without_read_events_does_not_count(aws):
    forwards = {"Arn": "x", "State": "ENABLED", "EventPattern": json.dumps({"source": [{"prefix": "aws."}]})}
    aws.answers[f"events:DescribeRule {OTHER}"] = always(**forwards)
    aws.answers["cloudtrail:LookupEvents"] = always(**seen(type="AssumedRole"))
    ((what, state, said),) = bad(aws)
    assert (what, state) == (f"region {OTHER}", "broken")
    assert said.startswith("has a rule that is ENABLED in place of")
