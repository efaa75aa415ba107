"""The deployment does what it says: who may do what, what is kept and encrypted, what rings."""

import importlib.util
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from callerid.ledger import dynamodb
from callerid.ledger.url import connect
from tests.aws_function.conftest import (
    EVERYTHING,
    NOTHING,
    PARAMETERS,
    REGION,
    RULE,
    WATCHED,
    Stack,
    translated,
    written,
)
from tests.conftest import ROOT

QUEUE, DEAD_LETTERS, TOPIC = "<Queue.Arn>", "<DeadLetters.Arn>", "<Alarms>"
FUNCTION, ALARM = "AWS::Lambda::Function", "AWS::CloudWatch::Alarm"


@pytest.mark.parametrize("name", ["template.yaml", "forward.yaml"])
def test_the_linter_has_nothing_to_say(name):
    """cfn-lint, which `sam validate --lint` runs too, finds no fault and no doubt."""
    api = pytest.importorskip("cfnlint.api", reason="cfn-lint is missing")
    assert [str(match) for match in api.lint_file(ROOT / name)] == []


# The queue


def test_what_a_rule_cannot_deliver_becomes_a_dead_letter(full):
    for rule in full.of(RULE).values():
        assert rule["Targets"] == [{"Id": "queue", "Arn": QUEUE, "DeadLetterConfig": {"Arn": DEAD_LETTERS}}]


@pytest.mark.parametrize("parameters", [EVERYTHING, NOTHING], ids=["everything", "nothing"])
@pytest.mark.parametrize("queue", ["Queue", "DeadLetters"])
def test_the_rules_and_nobody_else_may_send(queue, parameters):
    stack = Stack(translated(), parameters)
    (policy,) = [found for found in stack.of("AWS::SQS::QueuePolicy").values() if found["Queues"] == [f"<{queue}>"]]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert (statement["Action"], statement["Resource"]) == ("sqs:SendMessage", f"<{queue}.Arn>")
    assert set(statement["Condition"]["ArnEquals"]["aws:SourceArn"]) == {f"<{name}.Arn>" for name in stack.of(RULE)}


def test_a_failed_message_comes_back_for_an_hour_before_it_is_a_dead_letter(full):
    queue, dead = full.resources["Queue"], full.resources["DeadLetters"]
    mapping, judge = full.resources["JudgeBatch"], full.resources["Judge"]
    assert queue["VisibilityTimeout"] >= 6 * judge["Timeout"] + mapping["MaximumBatchingWindowInSeconds"]
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == DEAD_LETTERS
    assert (queue["RedrivePolicy"]["maxReceiveCount"] - 1) * queue["VisibilityTimeout"] >= 3600
    assert dead["MessageRetentionPeriod"] == 1209600 > queue["MessageRetentionPeriod"]
    assert queue["SqsManagedSseEnabled"] is dead["SqsManagedSseEnabled"] is True


def test_one_bad_message_does_not_bring_back_the_other_nine(full):
    mapping = full.resources["JudgeBatch"]
    assert mapping["EventSourceArn"] == QUEUE
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert (mapping["BatchSize"], mapping["ScalingConfig"]) == (10, {"MaximumConcurrency": 5})


# The functions


def test_the_functions_are_of_one_make(full):
    functions = full.of(FUNCTION)
    handlers = {name: function["Handler"].removeprefix("aws_function.app.") for name, function in functions.items()}
    assert handlers == {"Judge": "judge", "Tasks": "tasks", "CheckPolicy": "check_policy"}
    assert {(function["Runtime"], *function["Architectures"]) for function in functions.values()} == {
        ("python3.13", "arm64")
    }
    assert full.resources["Tasks"]["Timeout"] < 60, "done before the next minute's run"


def test_each_function_is_told_what_it_needs_and_no_more(full):
    told = {name: set(function["Environment"]["Variables"]) for name, function in full.of(FUNCTION).items()}
    common = {
        "CALLERID_POLICY",
        "POWERTOOLS_SERVICE_NAME",
        "POWERTOOLS_METRICS_NAMESPACE",
        "LOG_LEVEL",
    }
    ledger = {"CALLERID_LEDGER"}
    sender = {"SLACK_SECRET", "CHANNEL", "SECOND_WAY", "TIMEZONE", "PORTAL", "RUNBOOKS"}
    assert told["CheckPolicy"] == common
    assert told["Judge"] == common | ledger | {"CALLERID_SESSIONS"}
    assert told["Tasks"] == common | ledger | {f"CALLERID_{name}" for name in sender}
    settings = full.resources["Tasks"]["Environment"]["Variables"]
    assert settings["CALLERID_LEDGER"] == "dynamodb://<Ledger>"
    assert settings["CALLERID_SLACK_SECRET"] == NOTHING["SlackSecretArn"]
    assert settings["CALLERID_SECOND_WAY"] == f"sns:{TOPIC}"
    assert settings["POWERTOOLS_METRICS_NAMESPACE"] == "callerid"


@pytest.mark.parametrize(
    ("given", "location"),
    [
        ({}, "package:policy.yaml"),
        (
            {"PolicyBucketName": "my-policies", "PolicyKey": "callerid/policy.yaml"},
            "s3://my-policies/callerid/policy.yaml",
        ),
        ({"PolicyParameterName": "/callerid/policy"}, "ssm:/callerid/policy"),
    ],
)
def test_the_functions_read_the_policy_that_the_deployment_checks(given, location):
    stack = Stack(translated(), {**NOTHING, **given})
    assert stack.resources["PolicyCheck"]["Policy"] == location
    for function in stack.of(FUNCTION).values():
        assert function["Environment"]["Variables"]["CALLERID_POLICY"] == location


def test_a_faulty_policy_stops_a_deployment_before_it_replaces_what_runs(full):
    check = full.resources["PolicyCheck"]
    (version,) = full.of("AWS::Lambda::Version")
    assert (check["ServiceToken"], check["Package"]) == ("<CheckPolicy.Arn>", f"<{version}>")
    assert check["ServiceTimeout"] > full.resources["CheckPolicy"]["Timeout"]
    for name in ("Judge", "Tasks"):
        assert translated()["Resources"][name]["DependsOn"] == "PolicyCheck"


def test_a_first_deployment_with_a_faulty_policy_leaves_nothing_behind():
    """A table that is kept and protected is not rolled back, so none is made before the policy is found good."""
    resources = translated()["Resources"]
    assert resources["Ledger"]["DependsOn"] == "PolicyCheck"
    assert resources["DeadLetters"]["DeletionPolicy"] == "RetainExceptOnCreate"


def test_tasks_are_called_every_minute_and_every_week(full):
    schedules = full.of("AWS::Scheduler::Schedule")
    deliver, summary = schedules["TasksDeliver"], schedules["TasksSummary"]
    assert (deliver["ScheduleExpression"], deliver["Target"]["Input"]) == ("rate(1 minute)", '{"task": "deliver"}')
    assert summary["ScheduleExpression"] == "cron(0 9 ? * MON *)"
    assert (summary["ScheduleExpressionTimezone"], summary["Target"]["Input"]) == ("UTC", '{"task": "summary"}')
    assert {found.get("State", "ENABLED") for found in schedules.values()} == {"ENABLED"}


NAMED = {
    "AWS::Events::EventBus": "Name",
    "AWS::IAM::Role": "RoleName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::Scheduler::Schedule": "Name",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
}
"""What has a name of its own, where it has one: it must be the only one of that name in its account and region."""


def test_two_stacks_in_one_region_share_no_name(full):
    """Also where SAM gives the name: a schedule's is that of the function and its event, unless left out."""
    names = [
        {(kind, found[key]) for kind, key in NAMED.items() for found in stack.of(kind).values() if key in found}
        for stack in (full, Stack(translated(), EVERYTHING, called="another"))
    ]
    assert names[0] & names[1] == set()


def test_each_function_logs_into_a_group_of_its_own_that_forgets(full):
    groups = full.of("AWS::Logs::LogGroup")
    assert {group["RetentionInDays"] for group in groups.values()} == {"90"}
    for name, function in full.of(FUNCTION).items():
        assert function["LoggingConfig"]["LogGroup"] == f"<{name}Log>"
        assert function["Role"] == f"<{name}Role.Arn>"


# Who may do what


def statements(value: Any) -> Iterator[dict]:
    """Every statement of every policy under a value; a role's trust policy has no resource, and is none of them."""
    match value:
        case {"Effect": "Allow", "Resource": _}:
            yield value
        case dict():
            for item in value.values():
                yield from statements(item)
        case list():
            for item in value:
                yield from statements(item)


def texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def grants(stack: Stack, role: str) -> dict[str, set[str]]:
    """What a role may do, by action: its own policies and those that are attached."""
    found: dict[str, set[str]] = {}
    properties = stack.resources[role]
    attached = [stack.resources[name.strip("<>")] for name in properties.get("ManagedPolicyArns", ())]
    for statement in statements([properties.get("Policies", []), attached]):
        for action in texts(statement["Action"]):
            found.setdefault(action, set()).update(texts(statement["Resource"]))
    return found


LEDGER = {
    f"dynamodb:{''.join(word.title() for word in call.split('_'))}": {"<Ledger.Arn>"}
    for call in vars(dynamodb.Client)
    if not call.startswith("_") and call not in ("close", "transact_write_items")
}
"""The calls that the ledger makes. A transaction is allowed by the writes that it consists of."""
LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")
POLICY_OBJECT = "arn:aws:s3:::my-policies/callerid/policy.yaml"
LOG_FILES = "arn:aws:s3:::my-trail/org/AWSLogs/*"
KEYS = {"kms:Decrypt": {EVERYTHING["KmsKeyArns"]}}
MACHINE = f"arn:aws:states:{REGION}:123456789012"
RUNS = {f"{MACHINE}:execution:callerid-backfill{end}" for end in (":*", "/*")}


def on(resource: str, *actions: str) -> dict[str, set[str]]:
    """Actions on one resource."""
    return {action: {resource} for action in actions}


def test_the_whole_of_what_each_role_may_do(full):
    """Judge reads no secret, and Tasks reads no log."""
    assert {role: grants(full, role) for role in full.of("AWS::IAM::Role")} == {
        "JudgeRole": {
            **LEDGER,
            **KEYS,
            **on("<JudgeLog.Arn>", *LOGS),
            **on(QUEUE, "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
            "s3:GetObject": {LOG_FILES, POLICY_OBJECT},
        },
        "TasksRole": {
            **LEDGER,
            **on("<TasksLog.Arn>", *LOGS),
            "s3:GetObject": {POLICY_OBJECT},
            "secretsmanager:GetSecretValue": {NOTHING["SlackSecretArn"]},
            "sns:Publish": {TOPIC},
            "kms:GenerateDataKey": {"<AlarmsKey.Arn>"},
            "kms:Decrypt": {"<AlarmsKey.Arn>", EVERYTHING["KmsKeyArns"]},
        },
        "CheckPolicyRole": {**KEYS, **on("<CheckPolicyLog.Arn>", *LOGS), **on(POLICY_OBJECT, "s3:GetObject")},
        "TasksDeliverRole": {"lambda:InvokeFunction": {"<Tasks.Arn>"}},
        "TasksSummaryRole": {"lambda:InvokeFunction": {"<Tasks.Arn>"}},
        "BackfillRole": {
            "s3:ListBucket": {"arn:aws:s3:::my-trail"},
            "lambda:InvokeFunction": {"<Judge.Arn>"},
            "sqs:SendMessage": {QUEUE},
            "states:StartExecution": {f"{MACHINE}:stateMachine:callerid-backfill"},
            "states:DescribeExecution": RUNS,
            "states:StopExecution": RUNS,
        },
        "GoogleRole": LEDGER,
    }


def test_what_is_not_switched_on_is_not_granted(bare):
    judge, tasks = grants(bare, "JudgeRole"), grants(bare, "TasksRole")
    assert "BackfillRole" not in bare.resources
    assert "s3:GetObject" not in judge.keys() | tasks.keys()
    assert "kms:Decrypt" not in judge
    assert tasks["kms:Decrypt"] == {"<AlarmsKey.Arn>"}


def test_a_policy_in_a_parameter_is_read_from_that_parameter():
    stack = Stack(translated(), {**NOTHING, "PolicyParameterName": "/callerid/policy"})
    parameter = f"arn:aws:ssm:{REGION}:123456789012:parameter/callerid/policy"
    assert [grants(stack, f"{name}Role").get("ssm:GetParameter") for name in ("Judge", "Tasks", "CheckPolicy")] == [
        {parameter}
    ] * 3


def test_wildcards_stand_in_a_closed_list_of_resources(full):
    """No policy of AWS's own, whose resources are all there are; no action in full, but for a key's own account."""
    everything = list(full.resources.values())
    found = {text for statement in statements(everything) for text in texts(statement["Resource"])}
    assert {text for text in found if "*" in text} == {"*", LOG_FILES, *RUNS}
    (key,) = full.of("AWS::KMS::Key").values()
    elsewhere = list(statements([resource for resource in everything if resource is not key]))
    assert not any(statement["Resource"] == "*" for statement in elsewhere), "only a key's policy means itself by it"
    assert not any("*" in action for statement in elsewhere for action in texts(statement["Action"]))
    assert "iam::aws:policy" not in json.dumps(full.resources)


# One ledger for both clouds

FIRESTORE = (
    "firestore://my-gcp-project/callerid?provider=projects/123456789012/locations/global/workloadIdentityPools/callerid-aws"
    "/providers/callerid-aws&service_account=callerid-lambda@my-gcp-project.iam.gserviceaccount.com"
)


def test_the_role_of_the_function_on_google_cloud_trusts_that_account_for_that_audience_alone(full, bare):
    (statement,) = full.resources["GoogleRole"]["AssumeRolePolicyDocument"]["Statement"]
    account = EVERYTHING["GoogleServiceAccountId"]
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Federated": "accounts.google.com"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {
                "accounts.google.com:aud": account,
                "accounts.google.com:oaud": "callerid",
                "accounts.google.com:sub": account,
            }
        },
    }
    assert full.resources["GoogleRole"]["RoleName"] == "callerid-google"
    assert "GoogleRole" not in bare.resources
    assert "GoogleLedgerUrl" not in bare.outputs()


def test_the_function_on_google_cloud_is_given_a_ledger_that_it_understands(full):
    url = full.outputs()["GoogleLedgerUrl"]
    assert url == f"dynamodb://<Ledger>?region={REGION}&role=<GoogleRole.Arn>&audience=callerid"
    connect(url.replace("<GoogleRole.Arn>", "arn:aws:iam::111111111111:role/callerid-google")).close()


def test_a_ledger_on_google_cloud_takes_the_place_of_the_table():
    """The roles get names, for the provider to name them, and may no longer use the table, which stays."""
    stack = Stack(translated(), {**NOTHING, "FirestoreLedger": FIRESTORE})
    for name in ("Judge", "Tasks"):
        assert stack.resources[name]["Environment"]["Variables"]["CALLERID_LEDGER"] == FIRESTORE
        assert stack.resources[f"{name}Role"]["RoleName"] == f"callerid-{name.lower()}"
        assert not LEDGER.keys() & grants(stack, f"{name}Role").keys()
    assert "Ledger" in stack.resources
    assert "LedgerUrl" not in stack.outputs()
    connect(FIRESTORE).close()


def test_roles_have_no_names_where_nobody_must_name_them(bare):
    assert [role for role, found in bare.of("AWS::IAM::Role").items() if "RoleName" in found] == []


def test_two_ledgers_are_refused():
    (rule,) = translated()["Rules"]["OneLedger"]["Assertions"]
    assert rule["Assert"] == {"Fn::Equals": [{"Ref": "GoogleServiceAccountId"}, ""]}


def test_keys_decrypt_only_what_the_three_services_hand_over(full):
    (statement,) = statements(full.resources["DecryptGrants"])
    services = [f"{service}.*.amazonaws.com" for service in ("s3", "ssm", "secretsmanager")]
    assert statement["Condition"] == {"StringLike": {"kms:ViaService": services}}


# What is kept


def test_the_ledger_is_kept_encrypted_and_forgets_only_what_it_may(full):
    assert full.resources["Ledger"] | {"TableName": "ledger"} == {
        **dynamodb.table_definition("ledger"),
        **dynamodb.time_to_live("ledger"),
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "SSESpecification": {"SSEEnabled": True},
        "DeletionProtectionEnabled": True,
    }


@pytest.mark.parametrize("name", ["Ledger", "DeadLetters"])
def test_what_cannot_be_made_again_outlives_the_stack(name):
    resource = translated()["Resources"][name]
    assert resource["DeletionPolicy"] in ("Retain", "RetainExceptOnCreate")
    assert resource["UpdateReplacePolicy"] == "Retain"


# When callerid is what is broken


LAMBDA, SQS, OURS = "AWS/Lambda", "AWS/SQS", "callerid"
ALARMS = {
    "JudgeErrors": (LAMBDA, "Errors", "<Judge>", "Sum", "> 0 in 300 s", "notBreaching"),
    "TasksErrors": (LAMBDA, "Errors", "<Tasks>", "Sum", "> 0 in 300 s", "notBreaching"),
    "JudgeThrottles": (LAMBDA, "Throttles", "<Judge>", "Sum", "> 0 in 300 s", "notBreaching"),
    "TasksThrottles": (LAMBDA, "Throttles", "<Tasks>", "Sum", "> 0 in 300 s", "notBreaching"),
    "LedgerThrottles": ("AWS/DynamoDB", "WriteThrottleEvents", "<Ledger>", "Sum", "> 0 in 300 s", "notBreaching"),
    "QueueAge": (SQS, "ApproximateAgeOfOldestMessage", "<Queue.QueueName>", "Maximum", "> 900 in 300 s", "notBreaching"),
    "DeadLetterDepth": (
        SQS, "ApproximateNumberOfMessagesVisible", "<DeadLetters.QueueName>", "Maximum", "> 0 in 300 s", "notBreaching",
    ),
    "TaskFailures": (OURS, "TaskFailures", "callerid", "Sum", "> 0 in 300 s", "notBreaching"),
    "PolicyInvalid": (OURS, "PolicyInvalid", "callerid", "Maximum", "> 0 in 300 s", "notBreaching"),
    "OldestPendingAlert": (OURS, "OldestPendingSeconds", "callerid", "Maximum", "> 600 in 300 s", "breaching"),
    "Silence": (OURS, "Records", "callerid", "Sum", "< 1 in 86400 s", "breaching"),
}  # fmt: skip


def test_every_alarm_measures_what_it_says(full):
    signs = {"GreaterThanThreshold": ">", "LessThanThreshold": "<"}
    assert {
        name: (
            alarm["Namespace"],
            alarm["MetricName"],
            alarm["Dimensions"][0]["Value"],
            alarm["Statistic"],
            f"{signs[alarm['ComparisonOperator']]} {alarm['Threshold']} in {alarm['Period']} s",
            alarm["TreatMissingData"],
        )
        for name, alarm in full.of(ALARM).items()
    } == ALARMS


def test_the_age_of_the_queue_is_heard_before_sqs_leaves_out_what_failed(full):
    """A message that was received three times no longer counts as the oldest; what failed but once is no alarm."""
    queue, judge, threshold = full.resources["Queue"], full.resources["Judge"], full.resources["QueueAge"]["Threshold"]
    timeout, window = queue["VisibilityTimeout"], full.resources["JudgeBatch"]["MaximumBatchingWindowInSeconds"]
    assert timeout + window + judge["Timeout"] < threshold
    assert threshold + full.resources["QueueAge"]["Period"] < 2 * timeout


def test_every_alarm_is_heard_and_says_when_it_is_over(full):
    for alarm in full.of(ALARM).values():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [TOPIC]
        assert len(alarm["AlarmDescription"]) <= 1024


def test_own_metrics_are_told_apart_by_stack(full):
    service = full.resources["Judge"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
    own = [alarm for alarm in full.of(ALARM).values() if alarm["Namespace"] == "callerid"]
    assert {json.dumps(alarm["Dimensions"]) for alarm in own} == {json.dumps([{"Name": "service", "Value": service}])}


def test_alarms_can_be_published_to_the_encrypted_topic(full, bare):
    """CloudWatch may use the topic and its key, for alarms of this account."""
    this_account = {"StringEquals": {"aws:SourceAccount": "123456789012"}}
    watch = {"Service": "cloudwatch.amazonaws.com"}
    assert full.resources["Alarms"]["KmsMasterKeyId"] == "<AlarmsKey>"
    topic = full.resources["AlarmsPolicy"]["PolicyDocument"]["Statement"]
    assert topic == [
        {"Effect": "Allow", "Principal": watch, "Action": "sns:Publish", "Resource": TOPIC, "Condition": this_account}
    ]
    key = full.resources["AlarmsKey"]
    used = [statement for statement in key["KeyPolicy"]["Statement"] if statement["Principal"] == watch]
    assert [(statement["Action"], statement["Condition"]) for statement in used] == [
        (["kms:Decrypt", "kms:GenerateDataKey*"], this_account)
    ]
    assert key["EnableKeyRotation"] is True
    assert full.resources["AlarmsEmail"] == {"TopicArn": TOPIC, "Protocol": "email", "Endpoint": "ops@example.com"}
    assert "AlarmsEmail" not in bare.resources


@pytest.mark.parametrize("level", PARAMETERS["template.yaml LogLevel"]["AllowedValues"])
def test_no_level_of_the_log_keeps_the_metrics_back(level):
    """A metric is a line without a level: it counts as INFO, and a higher level would have Lambda drop it."""
    stack = Stack(translated(), {**NOTHING, "LogLevel": level})
    assert {function["LoggingConfig"]["ApplicationLogLevel"] for function in stack.of(FUNCTION).values()} <= {
        "DEBUG",
        "INFO",
    }


# Parameters


GOOD = {
    "SlackSecretArn": [NOTHING["SlackSecretArn"], "arn:aws-cn:secretsmanager:cn-north-1:111111111111:secret:a-bcdefg"],
    "SlackChannel": ["", "C0123456789", "#alerts"],
    "AlarmEmail": ["", "ops@example.com"],
    "PolicyBucketName": ["", "my-policies"],
    "PolicyKey": ["policy.yaml", "callerid/policy.yaml"],
    "PolicyParameterName": ["", "/callerid/policy"],
    "PolicyVersion": ["1", "2026-11-02"],
    "TrailBucketName": ["", "my-trail"],
    "TrailPrefix": ["", "org/", "a/b/"],
    "KmsKeyArns": ["", EVERYTHING["KmsKeyArns"]],
    "WatchedRoleArns": ["", *WATCHED],
    "OrganizationId": ["", "o-exampleorgid"],
    "Timezone": ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+1"],
    "SummarySchedule": ["cron(0 9 ? * MON *)"],
    "AccessPortal": ["", "my-portal", "d-1234567890"],
    "RunbooksUrl": ["", "https://example.com/runbooks"],
    "CentralBusArn": ["arn:aws:events:us-east-1:111111111111:event-bus/callerid"],
    "GoogleServiceAccountId": ["", "100000000000000000020"],
    "GoogleAudience": ["callerid", "https://example.com/callerid"],
    "FirestoreLedger": ["", FIRESTORE, FIRESTORE.replace("/callerid?", "/(default)?")],
}
BAD = {
    "SlackSecretArn": [
        "xoxb-1",
        "callerid/slack",
        "arn:aws:secretsmanager:us-east-1:111111111111:secret:callerid/slack",
    ],
    "SlackChannel": ["alerts", "c0123456789", "#two words"],
    "AlarmEmail": ["ops", "ops@example"],
    "PolicyBucketName": ["s3://my-policies", "My_Policies", "a/*"],
    "PolicyKey": ["", "*", "a b"],
    "PolicyParameterName": ["callerid/policy", "/*", "/callerid/"],
    "PolicyVersion": ["", "a b"],
    "TrailBucketName": ["my-trail/", "*"],
    "TrailPrefix": ["org", "*/", "/"],
    "KmsKeyArns": ["alias/aws/s3", "arn:aws:kms:us-east-1:111111111111:alias/mine", "*"],
    "WatchedRoleArns": ["admin_role", "arn:aws:iam::111111111111:role/*", "arn:aws:sts::111111111111:assumed-role/a/b"],
    "OrganizationId": ["exampleorgid", "*"],
    "Timezone": ["", "UTC; rm", "Europe/"],
    "SummarySchedule": ["rate(1 week)", "0 9 * * 1"],
    "AccessPortal": ["my-portal.awsapps.com", "https://x"],
    "RunbooksUrl": ["http://example.com", "https://example.com/?a"],
    "CentralBusArn": ["callerid", "arn:aws:events:us-east-1:111111111111:rule/callerid"],
    "GoogleServiceAccountId": ["callerid-function@my-gcp-project.iam.gserviceaccount.com", "*", "1"],
    "GoogleAudience": ["", "*", "a b", "a&role=b"],
    "FirestoreLedger": [
        "firestore://my-gcp-project/callerid",
        "dynamodb://table",
        f"{FIRESTORE}&key=x",
        FIRESTORE.replace("gserviceaccount.com", "example.com"),
    ],
}


@pytest.mark.parametrize("place", PARAMETERS)
def test_a_parameter_says_what_it_is_and_refuses_what_it_is_not(place):
    name, parameter = place.split()[1], PARAMETERS[place]
    assert parameter["Description"]
    if "AllowedValues" in parameter:
        assert parameter["Default"] in parameter["AllowedValues"]
        return
    assert parameter["ConstraintDescription"]
    pattern = re.compile(parameter["AllowedPattern"])
    assert all(pattern.search(value) for value in [*GOOD[name], parameter.get("Default", GOOD[name][0])])
    assert not any(pattern.search(value) for value in BAD[name])


def test_two_places_of_a_policy_are_refused():
    """The same goes for a backfill without a bucket: CloudFormation holds the parameters to both rules."""
    rules = translated()["Rules"]
    (one,) = rules["OnePolicy"]["Assertions"]
    assert one["Assert"] == {"Fn::Equals": [{"Ref": "PolicyParameterName"}, ""]}
    assert rules["BackfillReadsTheTrail"]["RuleCondition"] == {"Fn::Equals": [{"Ref": "Backfill"}, "yes"]}


def test_a_backfill_asks_judge_as_the_queue_does(full):
    """One message of a batch, whose body is the event that S3 would have sent."""
    states = full.resources["BackfillMachine"]["Definition"]["States"]["Objects"]["ItemProcessor"]["States"]
    assert states["Judge"]["Parameters"]["Payload"] == {
        "Records": [{"messageId.$": "$.key", "eventSource": "aws:sqs", "body.$": "$.body"}]
    }
    assert states["Judge"]["TimeoutSeconds"] > full.resources["Judge"]["Timeout"]


# The package


def pins(path: Path) -> dict[str, str]:
    """The exact versions that a file of requirements names."""
    lines = [line.partition("#")[0].strip() for line in path.read_text().splitlines()]
    return {name.lower().replace("_", "-"): version for name, version in (line.split("==") for line in lines if line)}


def test_the_package_carries_what_the_functions_import_and_no_command_line():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[\[<>=]", name)[0].lower() for name in project["dependencies"]} - {"click", "deflate", "rich"}
    assert wanted | {"aws-lambda-powertools", "slack-sdk"} <= pins(ROOT / "aws_function/requirements.txt").keys()


def test_what_is_deployed_is_what_was_tested():
    """The same versions, where both files name a package."""
    always, more = (pins(ROOT / f"aws_function/requirements{which}.txt") for which in ("", "-firestore"))
    deployed, tested = always | more, pins(ROOT / "constraints.txt")
    assert not always.keys() & more.keys()
    assert {name: version for name, version in deployed.items() if tested.get(name, version) != version} == {}


def test_every_function_can_be_built():
    """SAM asks the Makefile for each function by its name."""
    functions = [
        name
        for name, found in written("template.yaml")["Resources"].items()
        if found["Type"] == "AWS::Serverless::Function"
    ]
    (targets,) = re.findall(r"^(build-[^:]+):$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(targets.split()) == {f"build-{name}" for name in functions}
    assert all(
        written("template.yaml")["Resources"][name]["Metadata"] == {"BuildMethod": "makefile"} for name in functions
    )


def test_the_handlers_are_there(full):
    assert importlib.util.find_spec("aws_function.app"), "aws_function/app.py"
    source = (ROOT / "aws_function" / "app.py").read_text()
    for function in full.of(FUNCTION).values():
        assert f"\ndef {function['Handler'].rpartition('.')[2]}(" in source
