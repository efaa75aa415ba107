"""The two clouds' rules as tests need them: IAM by AWS's published logic, CEL by a published library.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import re
from datetime import datetime

import cel

from callerid.access import Access, Kind
from callerid.gcp.claims import email_of
from callerid.moment import utc
from callerid.names import arn, principal
from tests.test_refusal import context, is_principal

_CALLS = {
    Kind.ASSUME_ROLE: "sts:AssumeRole",
    Kind.POD_IDENTITY: "sts:AssumeRole",
    Kind.ROLES_ANYWHERE: "sts:AssumeRole",
    Kind.WEB_IDENTITY: "sts:AssumeRoleWithWebIdentity",
    Kind.SAML: "sts:AssumeRoleWithSAML",
}
TRUSTED = tuple(_CALLS)


def iam_allows(policy: dict, access: Access, record: dict) -> bool:
    """Tell whether a trust policy lets a call through: each of its actions allowed, and none denied."""
    known = _known(access, record)
    about = [one for one in policy["Statement"] if one["Principal"] == "*" or is_principal(one["Principal"], access)]
    met = [one for one in about if _holds(one.get("Condition", {}), known)]
    actions = _actions(access, record, known)
    if any(one["Effect"] == "Deny" and any(_is_named(action, one) for action in actions) for one in met):
        return False
    allows = [one for one in met if one["Effect"] == "Allow"]
    return all(any(_is_named(action, one) for one in allows) for action in actions)


def _is_named(action: str, statement: dict) -> bool:
    named = statement["Action"]
    return action in named or "sts:*" in named if isinstance(named, list) else named in (action, "sts:*")


def _actions(access: Access, record: dict, known: dict) -> set[str]:
    found = {_CALLS[access.kind]}
    if "sts:SourceIdentity" in known or "aws:SourceIdentity" in known:
        found.add("sts:SetSourceIdentity")
    if access.kind in (Kind.POD_IDENTITY, Kind.ROLES_ANYWHERE):
        found.add("sts:TagSession")
    return found


def _known(access: Access, record: dict) -> dict[str, str]:
    response = record.get("responseElements")
    plain = {
        "eventTime": _part(record, "eventTime"),
        "responseElements": response if isinstance(response, dict) else {},
    }
    known = context(access, plain)
    known.pop("sts:SourceIdentity", None)
    upstream = _part(record, "userIdentity", "sessionContext", "sourceIdentity")
    asked = _part(record, "requestParameters", "sourceIdentity")
    asserted = _part(record, "responseElements", "sourceIdentity")
    if upstream:
        known["aws:SourceIdentity"] = upstream
    named = asked or (None if upstream else asserted) or (access.source_identity if not upstream else None)
    if named:
        known["sts:SourceIdentity"] = named
    kind = _part(record, "userIdentity", "type")
    return {**known, "aws:PrincipalType": {"IAMUser": "User"}.get(kind or "", kind or "")}


def _part(value: object, *path: str) -> str | None:
    """What a record has at a place, if it has text there."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None


def _holds(condition: dict, known: dict[str, str]) -> bool:
    """Every key of every operator. The audience of Google's tokens is in no log: it is taken as the listed one."""
    return all(
        key.endswith(":oaud") or _compare(operator, known.get(key), [values] if isinstance(values, str) else values)
        for operator, keys in condition.items()
        for key, values in keys.items()
    )


def _compare(operator: str, shown: str | None, wanted: list[str]) -> bool:
    if operator.endswith("IfExists"):
        return shown is None or _compare(operator.removesuffix("IfExists"), shown, wanted)
    match operator:
        case "Null":
            return (shown is None) == (wanted == ["true"])
        case "StringEquals" | "ArnEquals" | "Bool":
            return shown in map(_literal, wanted)
        case "StringLike" | "ArnLike":
            return shown is not None and any(_like(value, shown) for value in wanted)
        case "StringNotLike" | "ArnNotLike":
            return shown is None or not any(_like(value, shown) for value in wanted)
        case "StringNotEquals":
            return shown not in map(_literal, wanted)
        case "DateLessThan":
            return shown is not None and datetime.fromisoformat(shown) < datetime.fromisoformat(wanted[0])
        case _:
            raise AssertionError(operator)


def _literal(value: str) -> str:
    return value.replace("${$}", "$")


def _like(pattern: str, shown: str) -> bool:
    parts = {"*": ".*", "?": "."}
    text = "".join(parts.get(sign) or re.escape(sign) for sign in _literal(pattern))
    return re.fullmatch(text, shown, re.DOTALL) is not None


def token(access: Access) -> dict:
    """What a provider knows of a token: the raw subject as the claims of each sort of provider, and its mapping."""
    mapped = principal.parse(access.principal or "")
    subject = access.subject or (mapped.subject if mapped else "")
    found = arn.parse(subject)
    return {
        "assertion": {
            "arn": subject,
            "account": found.account if found else "",
            "sub": subject,
            "subject": subject,
            "oid": subject,
        },
        "google": {"subject": mapped.subject if mapped else subject},
    }


def exchange_allows(policy: dict, provider: str, access: Access) -> bool:
    """Evaluate a provider's condition; and its mapping, which makes the principal that the exchange must show."""
    known, mapped = token(access), principal.parse(access.principal or "")
    mapping = policy.get("attributeMapping")
    if mapping:
        known["google"]["subject"] = cel.evaluate(mapping["google.subject"], known)
        if mapped and (mapped.subject != known["google"]["subject"] or mapped.pool != principal.pool_of(provider)):
            return False
    return cel.evaluate(policy["attributeCondition"], known) is True


def bindings_allow(policy: dict, providers: list[dict], access: Access, record: dict) -> bool:
    """Tell whether a binding names the caller, by any of the names that the providers' mappings give it."""
    names = {access.principal, *(f"{form}:{access.principal}" for form in ("user", "serviceAccount"))}
    found = next(
        (pooled for name in (access.principal, *access.delegation) if (pooled := principal.parse(name or ""))), None
    )
    names |= {name for name in access.delegation if principal.is_principal(name)}
    gke = principal.gke_of(access.principal) or next(filter(None, map(principal.gke_of, access.delegation)), None)
    names.add(f"serviceAccount:{gke}")
    if found is not None:
        names |= _sets(found, providers)
    hops = [email_of(name) for name in access.delegation]
    names |= {f"{form}:{name}" for form in ("serviceAccount", "user") for name in hops}
    time = utc(_part(record, "timestamp"))
    return any(_binds(one, names, time) for one in policy["bindings"])


def _sets(found: principal.PoolPrincipal, providers: list[dict]) -> set[str]:
    """The names of sets of a principal, under the mappings of its pool's providers, which know the assertion alone."""
    place = f"principalSet://iam.googleapis.com/{found.pool}"
    role = arn.parse(found.subject)
    names = set()
    if role and role.type == "assumed-role":
        names.add(f"{place}/attribute.aws_role/arn:aws:sts::{role.account}:assumed-role/{role.name}")
    known = {"assertion": {"arn": found.subject, "account": role.account if role else "", "sub": found.subject}}
    for mapping in providers:
        if "attribute.caller" in mapping:
            names.add(f"{place}/attribute.caller/{cel.evaluate(mapping['attribute.caller'], known)}")
    return names


def _binds(binding: dict, names: set[str], time: str | None) -> bool:
    if names.isdisjoint(binding["members"]):
        return False
    if "condition" not in binding:
        return True
    (end,) = re.findall(r'timestamp\("(.*)"\)', binding["condition"]["expression"])
    return time is not None and datetime.fromisoformat(time) < datetime.fromisoformat(end)


__all__ = ["TRUSTED", "bindings_allow", "exchange_allows", "iam_allows", "token"]
