"""Whether a queue's policy lets a rule send: a table of policies, odd ones among them."""

import pytest

from callerid.doctor.grant import Grant, may_send

RULE = "arn:aws:events:us-east-1:111111111111:rule/callerid-CrossingsRule-X"
EVENTS = {"Service": "events.amazonaws.com"}


def statement(effect: str = "Allow", **changes: object) -> dict:
    whole = {"Effect": effect, "Principal": EVENTS, "Action": "sqs:SendMessage", "Resource": "*", **changes}
    return {name: value for name, value in whole.items() if value is not None}


def when(operator: str, key: str, *values: str) -> dict:
    return {"Condition": {operator: {key: list(values)}}}


INSECURE = statement("Deny", Principal="*", Action="sqs:*", **when("Bool", "aws:SecureTransport", "false"))


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([statement()], Grant.YES),
        (statement(), Grant.YES),
        ([statement(Principal="*")], Grant.YES),
        ([statement(Principal={"AWS": ["*"]})], Grant.YES),
        ([statement(Principal={"Service": ["sns.amazonaws.com", "events.amazonaws.com"]})], Grant.YES),
        ([statement(Principal={"Service": "sns.amazonaws.com"})], Grant.NO),
        ([statement(Action=["SQS:Send*"])], Grant.YES),
        ([statement(Action="*")], Grant.YES),
        ([statement(Action="sqs:ReceiveMessage")], Grant.NO),
        ([statement(**when("ArnEquals", "aws:SourceArn", "arn:other", RULE))], Grant.YES),
        ([statement(**when("ArnLike", "AWS:SourceArn", RULE[:-1] + "*"))], Grant.YES),
        ([statement(**when("ArnEquals", "aws:SourceArn", RULE + "Y"))], Grant.NO),
        ([statement(**when("StringLike", "aws:SourceArn", "arn:aws:events:*:rule/[abc]*"))], Grant.NO),
        ([statement(**when("StringEquals", "aws:SourceAccount", "111111111111"))], Grant.YES),
        ([statement(**when("StringEquals", "aws:SourceAccount", "222222222222"))], Grant.NO),
        ([statement(**when("StringEqualsIfExists", "aws:SourceAccount", "111111111111"))], Grant.YES),
        ([statement(**when("StringEquals", "aws:PrincipalOrgID", "o-x"))], Grant.UNCLEAR),
        ([statement(**when("StringNotEquals", "aws:SourceArn", RULE))], Grant.UNCLEAR),
        ([statement(Condition="odd")], Grant.UNCLEAR),
        ([statement(Condition={"ArnEquals": "odd"})], Grant.UNCLEAR),
        ([statement(**when("StringEquals", "aws:PrincipalOrgID", "o-x")), statement()], Grant.YES),
        ([statement(), INSECURE], Grant.YES),
        ([statement(), statement("Deny")], Grant.NO),
        ([statement(), statement("Deny", **when("ArnEquals", "aws:SourceArn", RULE))], Grant.NO),
        ([statement(), statement("Deny", **when("StringNotEquals", "aws:PrincipalOrgID", "o-x"))], Grant.UNCLEAR),
        ([statement(), statement("Deny", Principal=None, NotPrincipal=EVENTS)], Grant.UNCLEAR),
        ([statement(Principal=None, NotPrincipal={"AWS": "x"})], Grant.NO),
        ([statement(Action=None, NotAction="sqs:DeleteQueue")], Grant.NO),
        ([statement("allow")], Grant.NO),
        ([], Grant.NO),
        (["odd", None, 1], Grant.NO),
    ],
)
def test_what_is_not_understood_is_neither_yes_nor_no(statements, expected):
    assert may_send({"Version": "2012-10-17", "Statement": statements}, RULE) is expected


@pytest.mark.parametrize("policy", [None, [], "text", {}, {"Statement": None}])
def test_no_policy_lets_nobody_send(policy):
    assert may_send(policy, RULE) is Grant.NO
