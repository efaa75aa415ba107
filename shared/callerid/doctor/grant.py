"""Whether a queue's policy lets a rule send: as much of IAM's policies as such a policy can sensibly have.

What is not understood is neither yes nor no: :class:`Grant` has a third answer.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sqs-permissions
"""

from __future__ import annotations

from enum import Enum
from fnmatch import fnmatchcase
from typing import Any

_SERVICE = "events.amazonaws.com"
_SEND = "sqs:sendmessage"


class Grant(Enum):
    """An answer."""

    YES = "lets it send"
    NO = "does not let it send"
    UNCLEAR = "has a condition that is not understood"


def may_send(policy: Any, rule_arn: str) -> Grant:
    """Tell whether a policy, parsed from its JSON, lets EventBridge send for a rule.

    What denies goes before what allows. A policy of an unknown shape lets nobody.
    """
    statements = _listed(policy.get("Statement")) if isinstance(policy, dict) else []
    answers: dict[str, list[Grant]] = {"Allow": [], "Deny": []}
    for statement in statements:
        if isinstance(statement, dict) and _concerns(statement):
            answers.setdefault(str(statement.get("Effect")), []).append(_conditions(statement, rule_arn))
    if Grant.YES in answers["Deny"]:
        return Grant.NO
    if Grant.UNCLEAR in answers["Deny"]:
        return Grant.UNCLEAR
    return next((grant for grant in (Grant.YES, Grant.UNCLEAR) if grant in answers["Allow"]), Grant.NO)


def _concerns(statement: dict[str, Any]) -> bool:
    """Tell whether a statement is about EventBridge that sends.

    ``Resource`` is not looked at: in a queue's policy it can only be the queue. What is left out by ``NotPrincipal``
    or ``NotAction`` concerns everybody for a denial and nobody for a grant.
    """
    negated = {"NotPrincipal", "NotAction"} & statement.keys()
    if negated:
        return statement.get("Effect") == "Deny"
    principal = statement.get("Principal")
    services = _listed(principal.get("Service")) if isinstance(principal, dict) else []
    everybody = principal == "*" or (isinstance(principal, dict) and "*" in _listed(principal.get("AWS")))
    actions = [str(action).lower() for action in _listed(statement.get("Action"))]
    return (everybody or _SERVICE in services) and any(fnmatchcase(_SEND, action) for action in actions)


def _conditions(statement: dict[str, Any], rule_arn: str) -> Grant:
    """Tell whether a statement applies when a rule sends."""
    if {"NotPrincipal", "NotAction"} & statement.keys():
        return Grant.UNCLEAR
    conditions = statement.get("Condition", {})
    if not isinstance(conditions, dict):
        return Grant.UNCLEAR
    facts = {"aws:sourcearn": rule_arn, "aws:sourceaccount": rule_arn.split(":")[4], "aws:securetransport": "true"}
    unclear = False
    for operator, keys in conditions.items():
        for key, values in (keys if isinstance(keys, dict) else {"": keys}).items():
            held = _holds(operator, facts.get(str(key).lower()), [str(value) for value in _listed(values)])
            if held is False:
                return Grant.NO  # one that fails is enough, whatever the others mean
            unclear = unclear or held is None
    return Grant.UNCLEAR if unclear else Grant.YES


def _holds(operator: str, fact: str | None, values: list[str]) -> bool | None:
    """Tell whether one condition holds; None where it is not understood."""
    if fact is None:
        return None
    match operator.removesuffix("IfExists"):
        case "StringEquals" | "Bool":
            return fact.lower() in map(str.lower, values) if operator.startswith("Bool") else fact in values
        case "ArnEquals" | "ArnLike" | "StringLike":
            return any(fnmatchcase(fact, _glob(value)) for value in values)
        case _:
            return None


def _glob(pattern: str) -> str:
    """Return a pattern in which a bracket is a bracket, as IAM has it."""
    return pattern.replace("[", "[[]")


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
