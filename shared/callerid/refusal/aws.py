"""What AWS needs to refuse an access: mostly the role's trust policy, with the callers of the book in it.

No condition ends in ``IfExists``: such a condition holds where its key is absent, so it refuses nothing.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from callerid.access import Access, Kind
from callerid.aws.record import POD_IDENTITY
from callerid.judgement import Judgement
from callerid.names import arn, glob
from callerid.policy.book import GOOGLE, Book
from callerid.policy.model import Caller
from callerid.refusal import trust
from callerid.refusal.allowed import Allowed, Refusal, allowed, end_of, is_wide, names_of, one_or_many, spelled

_SET = "sts:SetSourceIdentity"
_KEYS = {"source-identity": "sts:SourceIdentity", "session-name": "sts:RoleSessionName"}
_TRUST = "The role's trust policy, as the caller book has it:"
_PART = "In the role's trust policy:"
_CHAINED = "In the role's trust policy (where the chained session has one already, aws:SourceIdentity):"
_SCP = "A service control policy (it does not bind the management account):"
_ACTIONS = {
    Kind.ROOT_SESSION: "sts:AssumeRoot",
    Kind.FEDERATION_TOKEN: "sts:GetFederationToken",
    Kind.OUTBOUND_TOKEN: "sts:GetWebIdentityToken",
}
"""Calls that no trust policy stands before."""


def refusal(judgement: Judgement, code: str, book: Book) -> Refusal | None:
    """Return what would have refused an access that is a finding for the reason ``code``; None where nothing does."""
    access = judgement.access
    caller = book.caller(judgement.caller.name) if judgement.caller else None
    if code in _FIXED:
        return _FIXED[code]
    if code in _BY_ITSELF or access.kind is Kind.IDENTITY_CENTER:
        return None
    if code in ("caller-expired", "time-missing"):
        return _until(caller, access, book)
    if access.kind is Kind.SESSION_USE:
        return _of_session(access, code, book)
    if code.startswith(("source-identity-", "session-name-")):
        return _of_name(access, code, caller, book)
    if access.kind in _ACTIONS:
        return _permission(access, code, caller, book)
    return _trust(access, code, book)


_BY_ITSELF = (
    "subject-mismatch", "source-identity-changed", "pod-token-off-node", "principal-missing", "identity-type-unknown",
)  # fmt: skip
"""What AWS refuses by itself, or what no line that the book could give is sure to."""


def _trust(access: Access, code: str, book: Book) -> Refusal | None:
    statements = _statements(allowed(access, book), access.target)
    is_transient = access.kind is Kind.SAML and any(claim.value != access.subject for claim in access.claims)
    if code == "subject-transient" or is_transient:
        statements = [person for one in statements for person in persons(one)]
    if code == "role-claim-missing":
        statements = [with_condition(one, "Bool", "sts:RoleAuthorizedByIdp", "true") for one in statements]
    if any(demand.source_identity for demand in book.about(access).requirements):
        statements = [_settable(one) for one in statements]
    return Refusal(_TRUST, _one_or_all(statements)) if statements else None


def _statements(found: list[Allowed], target: str | None) -> list[trust.Statement]:
    """Return the statements for callers in each form of their subjects; a wildcard covers no pull request."""
    wide = trust.statements([each for one in found if is_wide(one.identity) for each in spelled(one)], target)
    others = trust.statements([each for one in found if not is_wide(one.identity) for each in spelled(one)], target)
    return [*others, *map(without_pull_requests, wide)]


def _settable(statement: dict[str, Any]) -> dict[str, Any]:
    """Return a statement under which the source identity that the book asks for may be set; Google's have none."""
    actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
    if _SET in actions or statement["Principal"] in ({"Federated": GOOGLE}, {"Service": POD_IDENTITY}):
        return statement
    return {**statement, "Action": [*actions, _SET]}


_NO_SOURCE_IDENTITY = {"Null": {"aws:SourceIdentity": "true"}}
_FIXED = {
    "source-identity-appeared": Refusal(
        "In the second role's trust policy: a role session that has no source identity may not set one.",
        {
            "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:SetSourceIdentity",
            "Condition": {"ArnLike": {"aws:PrincipalArn": "arn:*:iam::*:role/*"}, **_NO_SOURCE_IDENTITY},
        },
    ),
    "source-identity-dropped": Refusal(
        "In the second role's own permissions: its sessions without a source identity may do nothing.",
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": _NO_SOURCE_IDENTITY},
    ),
    "federation-token-by-root": Refusal(
        _SCP,
        {
            "Effect": "Deny", "Action": "sts:GetFederationToken", "Resource": "*",
            "Condition": {"ArnLike": {"aws:PrincipalArn": "arn:*:iam::*:root"}},
        },
    ),
}  # fmt: skip
"""What refuses an access whoever the book lists."""


def _of_session(access: Access, code: str, book: Book) -> Refusal | None:
    """Return the names that sessions of a role may have: those of the callers who may reach it."""
    by_source = access.source_identity is not None and not code.startswith("session-name-")
    key = _KEYS["source-identity" if by_source or code.startswith("source-identity-") else "session-name"]
    names = [name for caller in book.callers_of(access) for name in names_of(caller)]
    if not names or code.endswith(("-mismatch", "-contradicts")):
        return None
    return Refusal(_PART, {"Condition": {"StringEquals": {key: one_or_many(names)}}})


def _of_name(access: Access, code: str, caller: Caller | None, book: Book) -> Refusal | None:
    """Return what holds a session to its caller's own name, or to having one at all."""
    own = one_or_many(names_of(caller)) if caller else _own_name(access)
    operator = "StringEquals"
    if not code.endswith("-contradicts") and not _asks_for_caller(access, code, book):
        own, operator = "*" if code.endswith("-missing") else None, "StringLike"
    if own is None:
        return None
    statements = _statements([one for one in allowed(access, book) if one.caller is caller], access.target)
    for key in _KEYS.values() if code.endswith("-contradicts") else (_KEYS[code.rpartition("-")[0]],):
        statements = [with_condition(one, operator, key, own) for one in statements or [_of_account(access)]]
    is_chained = code.startswith("source-identity-") and arn.role_of(access.principal) is not None
    return Refusal(_CHAINED if is_chained else _PART, _one_or_all([_setting(one) for one in statements]))


def _own_name(access: Access) -> str | None:
    """Return the variable for a user's own name; a session of a role has none that AWS vouches for."""
    found = arn.parse(access.principal or "")
    return "${aws:username}" if found and found.type == "user" else None


def _asks_for_caller(access: Access, code: str, book: Book) -> bool:
    """Tell a demand for the caller's name from one for any name, and from a pattern, which IAM can't say."""
    field = code.rpartition("-")[0].replace("-", "_")
    demands = [getattr(requirement, field) for requirement in book.about(access).requirements]
    return any(demand is not None and demand.equals for demand in demands)


def _of_account(access: Access) -> dict[str, Any]:
    """Return the statement that lets in everybody of the caller's account, to be narrowed."""
    found = arn.parse(access.principal or "")
    if found is None:
        return {}
    principal = {"AWS": f"arn:{found.partition}:iam::{found.account}:root"}
    return {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}


def _setting(statement: dict[str, Any]) -> dict[str, Any]:
    """Allow setting a source identity too, without which nobody who must set one gets in."""
    sets = any(_KEYS["source-identity"] in keys for keys in statement["Condition"].values())
    if not sets or not isinstance(statement.get("Action"), str):
        return statement
    return {**statement, "Action": [statement["Action"], _SET]}


def _until(caller: Caller | None, access: Access, book: Book) -> Refusal | None:
    """Return the first moment that is too late, as a condition."""
    end = end_of(caller) if caller is not None else None
    if end is None:
        return None
    statements = _statements([one for one in allowed(access, book) if one.caller is caller], access.target)
    late = [with_condition(one, "DateLessThan", "aws:CurrentTime", end) for one in statements]
    return Refusal(_PART, _one_or_all(late) or {"Condition": {"DateLessThan": {"aws:CurrentTime": end}}})


def _permission(access: Access, code: str, caller: Caller | None, book: Book) -> Refusal | None:
    """Return who may make a call that no trust policy stands before, and for which audiences."""
    action = _ACTIONS[access.kind] if access.kind else ""
    if code == "audience-unexpected" and caller is not None:
        key, audiences = "sts:IdentityTokenAudience", [one.audience for one in caller.may_reach if one.audience]
        only = {"ForAllValues:StringEquals": {key: one_or_many(audiences)}, "Null": {key: "false"}}
        statement = {"Effect": "Allow", "Action": action, "Resource": "*", "Condition": only}
        return Refusal("In the caller's own permissions:", statement) if audiences else None
    found = arn.parse(access.target or "")
    is_exact = found is not None and not glob.is_glob(access.target or "")
    partition = found.partition if found else "aws"
    who = [name for one in allowed(access, book) for name in trust.arns(one.identity, partition)]
    if not who or not (is_exact or access.kind is Kind.OUTBOUND_TOKEN):
        return None
    others = {"ArnNotLike": {"aws:PrincipalArn": one_or_many(trust.within(who))}}
    resource = access.target if is_exact else "*"
    return Refusal(_SCP, {"Effect": "Deny", "Action": action, "Resource": resource, "Condition": others})


def _one_or_all(statements: list[dict[str, Any]]) -> object:
    return statements[0] if len(statements) == 1 else statements


def with_condition(statement: dict[str, Any], operator: str, key: str, value: str | list[str]) -> dict[str, Any]:
    """Return a statement with one condition more, which must hold beside the others."""
    conditions = statement.get("Condition", {})
    return {**statement, "Condition": {**conditions, operator: {**conditions.get(operator, {}), key: value}}}


def without_pull_requests(statement: trust.Statement) -> trust.Statement:
    """Return a statement of a workflow's wildcard under which none comes that a pull request starts."""
    issuer = str(statement["Principal"].get("Federated", "")).rpartition("oidc-provider/")[2]
    return with_condition(statement, "StringNotLike", f"{issuer}:sub", "repo:*:pull_request*")


def persons(statement: trust.Statement) -> Iterator[trust.Statement]:
    """Yield a statement; of SAML one for lasting subjects, and one for transient ones, whom a source identity names."""
    if "sts:AssumeRoleWithSAML" not in statement["Action"]:
        yield statement
        return
    yield with_condition(statement, "StringNotEquals", "SAML:sub_type", "transient")
    condition = {operator: dict(keys) for operator, keys in statement["Condition"].items()}
    for operator in list(condition):
        if "SAML:sub" in condition[operator]:
            condition[operator][_KEYS["source-identity"]] = condition[operator].pop("SAML:sub")
    transient = with_condition({**statement, "Condition": condition}, "StringEquals", "SAML:sub_type", "transient")
    yield {**transient, "Action": [statement["Action"], _SET]}
