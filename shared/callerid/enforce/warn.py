"""What to know before a policy is put in force: what it cannot say, and what it breaks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

from callerid.enforce.piece import is_current, todo
from callerid.names import arn, github, glob
from callerid.policy.identity import form_of
from callerid.policy.model import Demand, Requirement
from callerid.refusal.allowed import Allowed, is_wide, is_workflow

TRUST_DEFAULT, TRUST_MOST = 2048, 4096
"""Characters of a trust policy without blanks: AWS's default, and what it grants on request."""
_NOT_AT_AWS = ("google_user", "azure_managed_identity", "principal", "gke")
"""Forms under which nobody shows up at AWS."""


def of_role(
    role: str, listed: list[Allowed], demands: list[Requirement], statements: list[Any], today: date | None = None
) -> list[str]:
    """Return what to know of a role's trust policy."""
    found = [*_of_the_role(role, statements), *_of_demands(listed, demands), *_of_callers(role, listed, today)]
    return list(dict.fromkeys(found))


def _of_the_role(role: str, statements: list[Any]) -> Iterator[str]:
    if ":role/aws-reserved/" in role or ":role/aws-service-role/" in role:
        yield "AWS keeps this role's trust policy itself; nobody can change it."
    size = len(json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":")))
    if size > TRUST_MOST:
        yield f"{size:,} characters are more than AWS takes ({TRUST_MOST:,} at most); split the role."
    elif size > TRUST_DEFAULT:
        yield f"{size:,} characters need a higher quota for trust policies than AWS's default of {TRUST_DEFAULT:,}."


def _of_demands(listed: list[Allowed], demands: list[Requirement]) -> Iterator[str]:
    for requirement in demands:
        for what, demand in (
            ("source_identity", requirement.source_identity),
            ("session_name", requirement.session_name),
        ):
            if demand is not None and demand.mode != "off":
                yield from _of_demand(what, demand, listed)
    forms = {form_of(one.identity) for one in listed}
    if any(one.source_identity and one.source_identity.mode == "enforce" for one in demands):
        yield "The console can't switch into this role any more: it sets no source identity."
        if forms & {"aws_role", "aws_account"}:
            yield "A chain keeps its source identity; each role before this one must allow sts:SetSourceIdentity too."
        if forms & {"iam_user", "aws_role", "aws_account"}:
            yield "Callers of another account need sts:SetSourceIdentity in their own permissions as well."
        if "google_service_account" in forms:
            yield "Google's tokens carry no source identity: these callers will be refused. Require the session name."
        if forms & {"oidc", "saml"}:
            yield "The identity provider must assert the source identity (https://aws.amazon.com/source_identity)."


def _of_demand(what: str, demand: Demand, listed: list[Allowed]) -> Iterator[str]:
    if demand.mode == "warn":
        yield f"{what} is only in warn, so these lines do not ask for it; with enforce they do."
        return
    if demand.matches:
        yield f"{what}: IAM has no regular expressions; that it matches {json.dumps(demand.matches)} is callerid's."
    if demand.equals and not listed:
        yield f"{what}: the book lists nobody here, so IAM can hold it to no caller's name."
    if what == "session_name" and not demand.equals:
        yield "session_name: of the names that tools make up, those of digits alone can't be said in IAM."


def _of_callers(role: str, listed: list[Allowed], today: date | None) -> Iterator[str]:
    for one in listed:
        name, identity = one.caller.name, one.identity
        if today is not None and not is_current(one.caller, today):
            yield f"{name} expired on {one.caller.expires} and is left out."
        elif todo(one):
            yield f"{name} says TODO and is left out: AWS takes no policy that names nobody."
        elif is_foreign(one, role):
            yield f"{name} is of another partition, which no Principal may name; list its token as oidc."
        else:
            yield from _of_caller(one)
        if identity.oidc and not one.reach.audience:
            yield f"{name}: no audience is listed, so a token that was made for anybody lets it in."
        if identity.google_service_account and not one.reach.oaud:
            yield f"{name}: no oaud is listed, so a token that was made for any audience lets it in."


def is_foreign(one: Allowed, role: str) -> bool:
    """Tell an AWS identity of another partition than the role's."""
    found, own = arn.parse(one.identity.aws_role or one.identity.iam_user or ""), arn.parse(role)
    return found is not None and own is not None and found.partition != own.partition


def _of_caller(one: Allowed) -> Iterator[str]:
    name, identity = one.caller.name, one.identity
    form = form_of(identity)
    if form in _NOT_AT_AWS:
        yield f"{name}: {form} does not show up at AWS, so no line lets it in; list what arrives there."
    if form == "aws_account":
        yield f"{name}: everybody whom account {identity.aws_account} permits comes in."
    if form in ("aws_role", "iam_user"):
        value = identity.aws_role or identity.iam_user or ""
        if glob.is_glob(value):
            yield f"{name}: Principal takes no pattern; the whole account stands there, narrowed by aws:PrincipalArn."
        if form == "aws_role" and (found := arn.parse(value)) and found.type == "role":
            yield f"{name}: a session that comes through a role lasts an hour at most."
    if is_workflow(identity) and is_wide(identity):
        yield f"{name}: whatever follows :pull_request is refused under the pattern, an environment of that name too."
    elif is_workflow(identity) and identity.oidc and not any(_ids(identity.oidc.subject)):
        yield (
            f"{name}: without pinned ids (repo:OWNER@ID/REPO@ID:…) a recycled name comes in, and so does a repository"
            " of the same owner that makes its subject end like this one."
        )


def _ids(subject: str) -> tuple[str | None, ...]:
    found = github.parse(subject)
    return found.ids if found else ("custom",)
