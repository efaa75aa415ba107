"""What AWS needs: a trust policy for each role, and what no trust policy can say.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from callerid.access import Access, Cloud, Kind
from callerid.aws.record import POD_IDENTITY
from callerid.enforce.piece import Piece, Plan, is_current, todo
from callerid.enforce.warn import is_foreign, of_role
from callerid.names import arn, glob
from callerid.policy.book import GOOGLE, Book
from callerid.policy.identity import without_path
from callerid.policy.model import Demand, Requirement
from callerid.refusal import trust
from callerid.refusal.allowed import Allowed, allowed, end_of, is_wide, names_of, one_or_many, spelled
from callerid.refusal.aws import persons, with_condition, without_pull_requests

Statement = dict[str, Any]
VERSION = "2012-10-17"
SOURCE, PRESENT, SESSION = "sts:SourceIdentity", "aws:SourceIdentity", "sts:RoleSessionName"
_SET = "sts:SetSourceIdentity"
GENERIC = ("botocore-session-*", "AWSCLI-Session*", "aws-go-sdk-*", "aws-sdk-*", "GitHubActions",
           "CognitoIdentityCredentials", "i-0*")  # fmt: skip
"""Names that tools make up, as far as IAM's two signs can say it."""
_ASSUME = ["sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity"]


def plan(book: Book, today: date) -> Plan:
    """Return the pieces of every role that the book names exactly, and of what it says beside roles."""
    made = Plan()
    for role in _roles(book):
        piece = _role(role, book, today)
        if piece is not None:
            made.pieces.append(piece)
    made.pieces += _root_sessions(book, today)
    made.pieces += _outbound(book, today)
    patterns = {reach.aws_role for caller in book.document.callers for reach in caller.may_reach if reach.aws_role}
    patterns |= {role for requirement in book.document.requirements for role in requirement.roles}
    for pattern in sorted(filter(glob.is_glob, filter(None, patterns))):
        made.warnings.append(
            f"{pattern}: a pattern has no trust policy; those of the roles that the book names are given"
        )
    return made


def _roles(book: Book) -> list[str]:
    """Return every role that the book names exactly, the spelling with a path where both occur."""
    listed = [reach.aws_role for caller in book.document.callers for reach in caller.may_reach if reach.aws_role]
    required = [role for requirement in book.document.requirements for role in requirement.roles]
    found: dict[str, str] = {}
    for role in (*listed, *required):
        if not glob.is_glob(role):
            key = without_path(role)
            found[key] = max(found.get(key, ""), role, key=len)
    return sorted(found.values())


def _role(role: str, book: Book, today: date) -> Piece | None:
    access = Access(cloud=Cloud.AWS, kind=Kind.ASSUME_ROLE, target=role)
    about = book.about(access)
    listed = allowed(access, book)
    usable = [one for one in listed if is_current(one.caller, today) and not todo(one) and not is_foreign(one, role)]
    account = arn.account_of(role) or ""
    demands = [requirement for requirement in about.requirements if requirement.roles]
    if not about.guarded:
        statements = list(_denials(demands))
        if not statements:
            return None
        return Piece("aws", "deny", role, account, _document(statements), [], of_role(role, [], demands, statements))
    statements = _compact(list(_statements(role, usable, demands)))
    if not statements:  # nobody is left: what admits nobody is a policy too
        statements = [{"Effect": "Deny", "Principal": "*", "Action": "sts:*"}]
    callers = list(dict.fromkeys(one.caller.name for one in usable))
    warnings = of_role(role, listed, demands, statements, today)
    return Piece("aws", "trust-policy", role, account, _document(statements), callers, warnings)


def _document(statements: list[Statement]) -> dict[str, Any]:
    return {"Version": VERSION, "Statement": statements}


def _statements(role: str, found: list[Allowed], demands: list[Requirement]) -> Iterator[Statement]:
    """Yield statements for callers on the same terms: one name, one end, patterns of workflows apart."""
    by_name = any(_equals(requirement) for requirement in demands)
    terms: dict[tuple[str, str | None, bool, bool], list[Allowed]] = {}
    for one in found:
        end = end_of(one.caller)
        is_chain = bool(one.identity.aws_role or one.identity.aws_account)
        key = (one.caller.name if by_name else "", end, is_wide(one.identity), is_chain)
        terms.setdefault(key, []).extend(spelled(one))
    for (_, end, wide, _), several in terms.items():
        for statement in trust.statements(several, role):
            for person in persons(_escaped(statement)):
                made = without_pull_requests(person) if wide else person
                yield from _demanded(_until(made, end), role, several, demands)


def _until(statement: Statement, end: str | None) -> Statement:
    return with_condition(statement, "DateLessThan", "aws:CurrentTime", end) if end else statement


def _equals(requirement: Requirement) -> bool:
    demands = (requirement.source_identity, requirement.session_name)
    return any(demand is not None and demand.mode == "enforce" and demand.equals for demand in demands)


def _demanded(
    statement: Statement, role: str, several: list[Allowed], demands: list[Requirement]
) -> Iterator[Statement]:
    """Yield a statement with what is required of the session, and what it takes to meet it."""
    names = sorted({name for one in several for name in names_of(one.caller)})
    for requirement in demands:
        if requirement.session_name and requirement.session_name.mode == "enforce":
            statement = _of_session(statement, requirement.session_name, names)
        if requirement.role_claim and requirement.role_claim.mode == "enforce" and _is_web(statement):
            statement = with_condition(statement, "Bool", "sts:RoleAuthorizedByIdp", "true")
    enforced = [one.source_identity for one in demands if one.source_identity and one.source_identity.mode == "enforce"]
    if _is_pod(statement):
        yield statement
    elif enforced:
        yield from _of_source(statement, enforced, names)
    else:
        yield from _settable(statement, role, several)


def _of_session(statement: Statement, demand: Demand, names: list[str]) -> Statement:
    if demand.equals:
        return with_condition(statement, "StringEquals", SESSION, one_or_many(_literal(names)))
    return with_condition(statement, "StringNotLike", SESSION, list(GENERIC))


def _of_source(statement: Statement, demands: list[Demand], names: list[str]) -> Iterator[Statement]:
    """Yield what a source identity must be: while it is set, and, of a chained session, where it is set already."""
    operator, value = ("StringEquals", one_or_many(_literal(names)))
    if not any(demand.equals for demand in demands):
        operator, value = "StringLike", "*"
    setting = {**statement, "Action": _with_action(statement, _SET)}
    if SOURCE in setting.get("Condition", {}).get(operator, {}):
        yield setting  # a transient subject, who is named by it: more than that must not replace whom it names
        return
    yield with_condition(setting, operator, SOURCE, value)
    if _has_roles(statement):
        yield with_condition(setting, operator, PRESENT, value)


def _settable(statement: Statement, role: str, several: list[Allowed]) -> Iterator[Statement]:
    """Yield a statement where no source identity is required.

    One that a chain brings along must still pass. A role's session may set none but its own caller's name; anybody
    else may set what he likes, as no one asks for it.
    """
    if _is_google(statement) or _SET in statement["Action"]:
        yield statement
        return
    if not _has_roles(statement):
        yield {**statement, "Action": _with_action(statement, _SET)}
        return
    yield statement
    sets = {**statement, "Action": _SET}
    yield with_condition(sets, "Null", PRESENT, "false")
    if any(one.identity.aws_account for one in several):
        yield with_condition(sets, "StringEquals", "aws:PrincipalType", "User")
    for caller in {one.caller.name: one.caller for one in several}.values():
        for own in trust.statements([one for one in several if one.caller is caller], role):
            named = {
                **sets,
                "Principal": own["Principal"],
                "Condition": {**sets.get("Condition", {}), **own.get("Condition", {})},
            }
            yield with_condition(named, "StringEquals", SOURCE, one_or_many(_literal(names_of(caller))))


def _with_action(statement: Statement, action: str) -> list[str]:
    held = statement["Action"]
    return list(dict.fromkeys([*([held] if isinstance(held, str) else held), action]))


def _is_web(statement: Statement) -> bool:
    return "sts:AssumeRoleWithWebIdentity" in statement["Action"]


def _is_pod(statement: Statement) -> bool:
    return bool(statement["Principal"].get("Service") == POD_IDENTITY)


def _is_google(statement: Statement) -> bool:
    """Tell Google's tokens, which carry no source identity, so that none can be set."""
    return bool(statement["Principal"].get("Federated") == GOOGLE)


def _has_roles(statement: Statement) -> bool:
    """Tell a statement that role sessions come under: they can bring a source identity along."""
    listed = statement["Principal"].get("AWS", ())
    names = [listed] if isinstance(listed, str) else listed
    return any(":role/" in name or name.endswith(":root") for name in names)


def _compact(statements: list[Statement]) -> list[Statement]:
    """Return each statement once: callers on different terms can end in the same words."""
    return [json.loads(text) for text in dict.fromkeys(json.dumps(statement) for statement in statements)]


def _escaped(statement: Statement) -> Statement:
    """Return a statement in whose values no text of the book is a policy variable."""
    if "Condition" not in statement:
        return statement
    condition = {
        operator: {key: _literal(value) for key, value in keys.items()}
        for operator, keys in statement["Condition"].items()
    }
    return {**statement, "Condition": condition}


def _literal(value: Any) -> Any:
    if isinstance(value, list):
        return [_literal(one) for one in value]
    return value.replace("${", "${$}{")


def _denials(demands: Iterable[Requirement]) -> Iterator[Statement]:
    """Yield what refuses sessions of a role that the book requires something of and lists nobody for."""
    for requirement in demands:
        source, session = requirement.source_identity, requirement.session_name
        if source and source.mode == "enforce":
            absent = {"Null": {SOURCE: "true", PRESENT: "true"}, **_NO_SERVICE}
            yield {"Effect": "Deny", "Principal": "*", "Action": _ASSUME, "Condition": absent}
        if session and session.mode == "enforce":
            generic = {"StringLike": {SESSION: list(GENERIC)}, **_NO_SERVICE}
            yield {"Effect": "Deny", "Principal": "*", "Action": _ASSUME, "Condition": generic}
        if requirement.role_claim and requirement.role_claim.mode == "enforce":
            unclaimed = {"BoolIfExists": {"sts:RoleAuthorizedByIdp": "false"}}  # of a denial: absent is refused too
            action = "sts:AssumeRoleWithWebIdentity"
            yield {"Effect": "Deny", "Principal": "*", "Action": action, "Condition": unclaimed}


_NO_SERVICE = {"BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}
"""Of a denial: a session that AWS gives to an instance or a function is not asked, and could not answer."""


def _root_sessions(book: Book, today: date) -> Iterator[Piece]:
    """Yield a service control policy for each account whose root sessions the book lists."""
    targets = sorted({
        reach.resource
        for caller in book.document.callers
        for reach in caller.may_reach
        if reach.resource and (root := arn.parse(reach.resource)) and root.type == "root"
    })  # fmt: skip
    for target in targets:
        access = Access(cloud=Cloud.AWS, kind=Kind.ROOT_SESSION, target=target)
        found = [one for one in allowed(access, book) if is_current(one.caller, today)]
        warnings = ["It does not bind the management account; attach it where root sessions are asked for."]
        account = arn.account_of(target) or ""
        statements = list(_no_root(target, found))
        yield Piece("aws", "service-control-policy", target, account, _document(statements), _named(found), warnings)


def _no_root(target: str, found: list[Allowed]) -> Iterator[Statement]:
    """Yield what denies root sessions of an account to all who are not listed, and to each when its entry ends."""
    root = arn.parse(target)
    partition = root.partition if root else "aws"
    ends: dict[str | None, list[str]] = {}
    for one in found:
        ends.setdefault(end_of(one.caller), []).extend(trust.within(trust.arns(one.identity, partition)))
    denial = {"Effect": "Deny", "Action": "sts:AssumeRoot", "Resource": target}
    everybody = [name for names in ends.values() for name in names]
    yield with_condition(denial, "ArnNotLike", "aws:PrincipalArn", one_or_many(everybody or ["none"]))
    for end, names in sorted((end, names) for end, names in ends.items() if end and names):
        late = with_condition(denial, "ArnLike", "aws:PrincipalArn", one_or_many(names))
        longer = [name for other, held in ends.items() if other is None or other > end for name in held]
        late = with_condition(late, "ArnNotLike", "aws:PrincipalArn", one_or_many(longer)) if longer else late
        yield with_condition(late, "DateGreaterThanEquals", "aws:CurrentTime", end)


def _outbound(book: Book, today: date) -> Iterator[Piece]:
    """Yield the permission of each role or user that may take tokens out of AWS, for its audiences alone."""
    for caller in book.document.callers:
        audiences = sorted({
            reach.audience
            for reach in caller.may_reach
            if reach.audience and not reach.aws_role and (reach.service_account or reach.resource)
        })  # fmt: skip
        names = [name for identity in caller.identities for name in (identity.aws_role, identity.iam_user) if name]
        if not audiences or not is_current(caller, today):
            continue
        key = "sts:IdentityTokenAudience"
        only = {"ForAllValues:StringEquals": {key: one_or_many(audiences)}, "Null": {key: "false"}}
        statement = {"Effect": "Allow", "Action": "sts:GetWebIdentityToken", "Resource": "*", "Condition": only}
        statement = _until(statement, end_of(caller))
        warning = "ForAllValues holds of a request without audiences; the Null beside it refuses that one. Keep both."
        for name in names:
            account = arn.account_of(name) or ""
            yield Piece("aws", "permissions", name, account, _document([statement]), [caller.name], [warning])


def _named(found: list[Allowed]) -> list[str]:
    return list(dict.fromkeys(one.caller.name for one in found))
