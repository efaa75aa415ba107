"""What Google Cloud needs: each provider's mapping and condition, and the members of each service account.

https://cloud.google.com/iam/docs/workload-identity-federation#mapping
https://cloud.google.com/iam/docs/principal-identifiers
https://cloud.google.com/iam/quotas
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from typing import Any

from callerid.access import Access, Cloud, Kind
from callerid.enforce.piece import Piece, Plan, is_current, todo
from callerid.names import arn, github, glob, principal
from callerid.policy.book import Book
from callerid.policy.identity import form_of
from callerid.policy.model import Identity
from callerid.refusal.allowed import Allowed, allowed, end_of, is_workflow, spelled
from callerid.refusal.gcp import condition, member, role_of

SUBJECT_BYTES = 127
CONDITION_MOST, MAPPING_MOST = 4096, 2048
"""Characters of an attribute condition and of one mapping."""
_AWS_ROLE = (
    "assertion.arn.contains('assumed-role') ? assertion.arn.extract('{account_arn}assumed-role/') + 'assumed-role/'"
    " + assertion.arn.extract('assumed-role/{role_name}/') : assertion.arn"
)
"""Google's own default: the role of a session, without its name."""
_MAPPINGS = {
    "aws": {
        "google.subject": "assertion.arn",
        "attribute.aws_role": _AWS_ROLE,
        "attribute.account": "assertion.account",
    },
    "oidc": {"google.subject": "assertion.sub"},
    "azure": {"google.subject": "assertion.oid"},
    "saml": {"google.subject": "assertion.subject"},
}
_SORTS = {
    "aws_role": "aws", "iam_user": "aws", "aws_account": "aws", "oidc": "oidc", "azure_managed_identity": "azure",
    "saml": "saml",
}  # fmt: skip
"""Which sort of provider vouches for a form; a custom mapping's principal comes through any."""
_ATTRIBUTE = "attribute.caller"
_SUBJECT = "google.subject"
_PROJECT = re.compile(r"@([a-z0-9.:-]+)\.iam\.gserviceaccount\.com$")
_LONGEST_SESSION = 64


def plan(book: Book, today: date) -> Plan:
    """Return the pieces of every provider, service account and resource that the book names exactly."""
    made = Plan()
    reaches = [reach for caller in book.document.callers for reach in caller.may_reach if not reach.aws_role]
    of_google = [reach for reach in reaches if not (reach.resource or "").startswith("arn:")]
    for provider in sorted(
        {reach.provider for reach in of_google if reach.provider and principal.pool_of(reach.provider)}
    ):
        made.pieces += _provider(provider, book, today)
    for account in sorted({reach.service_account for reach in of_google if reach.service_account}):
        made.pieces += _bindings(account, "service_account", book, today)
    for resource in sorted({reach.resource for reach in of_google if reach.resource}):
        made.pieces += _bindings(resource, "resource", book, today)
    patterns = {reach.provider or "" for reach in of_google} | {reach.service_account or "" for reach in of_google}
    for pattern in sorted(filter(glob.is_glob, patterns | {reach.resource or "" for reach in of_google})):
        made.warnings.append(f"{pattern}: a pattern has no policy of its own; name what is meant")
    return made


def _provider(name: str, book: Book, today: date) -> Iterator[Piece]:
    pool = principal.pool_of(name)
    if pool is None or glob.is_glob(name) or "TODO" in name or "/providers/" not in name:
        return
    access = Access(cloud=Cloud.GCP, kind=Kind.TOKEN_EXCHANGE, provider=name, untargeted=True)
    listed = allowed(access, book)
    found = [one for one in listed if is_current(one.caller, today) and not todo(one)]
    terms = list(dict.fromkeys(filter(None, (condition(one) for one in found))))
    mapping = _mapping(found)
    policy: dict[str, Any] = {"attributeMapping": mapping} if mapping else {}
    policy["attributeCondition"] = " || ".join(terms) or "false"
    warnings = list(dict.fromkeys([*_of_provider(listed, found, policy, today), *_of_subjects(found)]))
    callers = list(dict.fromkeys(one.caller.name for one in found))
    yield Piece("gcp", "provider", name, _project_of(name), policy, callers, warnings)


def _mapping(found: list[Allowed]) -> dict[str, str]:
    """Return the mapping that the bindings below rely on; none where the callers' own is a custom one.

    A mapping knows the assertion alone: what other mappings make of it is known in a condition only.
    """
    sorts = {_SORTS[form] for one in found if (form := form_of(one.identity)) in _SORTS}
    if len(sorts) != 1:
        return {}
    mapping = dict(_MAPPINGS[sorts.pop()])
    named = {one.caller.name: one for one in found if _needs_name(one.identity) and _is_name(one.caller.name)}
    if named:
        parts = []
        for name in named:
            mine = [one for one in found if one.caller.name == name and _needs_name(one.identity)]
            own = [condition(one, mapping[_SUBJECT]) for one in mine]
            parts.append(f"{' || '.join(filter(None, own))} ? {json.dumps(name)} : ")
        mapping[_ATTRIBUTE] = "".join(parts) + '""'
    return mapping


def _needs_name(identity: Identity) -> bool:
    """Tell an identity that no member names: a pattern, a whole account, a workflow whose ids nobody pinned."""
    text = identity.oidc.subject if identity.oidc else identity.saml.subject if identity.saml else ""
    found = github.parse(text) if is_workflow(identity) else None
    return (
        any(glob.is_glob(value or "") for value in (text, identity.aws_role, identity.iam_user))
        or identity.aws_account is not None
        or (found is not None and None in found.ids)
    )


def _is_name(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9._=@+-]{1,100}", name) is not None


def _bindings(target: str, form: str, book: Book, today: date) -> Iterator[Piece]:
    if glob.is_glob(target) or "TODO" in target:
        return
    kind = Kind.DIRECT_USE if form == "resource" else Kind.IMPERSONATION
    listed = allowed(Access(cloud=Cloud.GCP, kind=kind, target=target), book)
    found = [one for one in listed if is_current(one.caller, today) and not todo(one)]
    members: dict[tuple[str, str | None], set[str]] = {}
    warnings = [_ONLY, *_of_bindings(listed, found, today)]
    for one in found:
        role = "ROLE" if form == "resource" else role_of(one.identity)
        for name in _members(one):
            members.setdefault((role, end_of(one.caller)), set()).add(name)
    bindings = [_binding(role, end, sorted(names)) for (role, end), names in sorted(members.items(), key=repr)]
    if form == "resource":
        warnings.append("ROLE stands for whatever role is meant: the book does not know what may be done there.")
    project = _PROJECT.search(target)
    callers = list(dict.fromkeys(one.caller.name for one in found))
    yield Piece("gcp", "bindings", target, project[1] if project else "", {"bindings": bindings}, callers, warnings)


_ONLY = "These are all who may stand in these roles; whoever else does, here or inherited from above, must go."


def _binding(role: str, end: str | None, names: list[str]) -> dict[str, Any]:
    binding: dict[str, Any] = {"role": role, "members": names}
    if end is not None:
        expression = f'request.time < timestamp("{end}")'
        binding["condition"] = {"title": f"until {end[:10]}", "expression": expression}
    return binding


def _members(one: Allowed) -> Iterator[str]:
    """Yield how IAM names a caller: exactly, else by the attribute that the provider's mapping gives it."""
    pool = principal.pool_of(one.reach.provider)
    if _needs_name(one.identity):
        if pool and _is_name(one.caller.name):
            yield f"principalSet://iam.googleapis.com/{pool}/{_ATTRIBUTE}/{one.caller.name}"
        return
    for each in spelled(one):
        name = member(each)
        if name and not glob.is_glob(name):
            yield name


def _of_provider(listed: list[Allowed], found: list[Allowed], policy: dict[str, Any], today: date) -> Iterator[str]:
    yield from _of_left_out(listed, today)
    if any(end_of(one.caller) for one in found):
        yield "A condition knows no time: entries that expire end in the bindings, and here when this is run anew."
    text = policy["attributeCondition"]
    if text == "false":
        yield "Nobody may come through this provider, so nobody is let in."
    if len(text) > CONDITION_MOST:
        yield f"The condition has {len(text):,} characters; Google takes {CONDITION_MOST:,}. Split the provider."
    mapping = policy.get("attributeMapping")
    if mapping is None:
        yield "The callers' subjects come from a mapping of your own, which must stay; the condition relies on it."
    elif len(mapping.get(_ATTRIBUTE, "")) > MAPPING_MOST:
        yield f"{_ATTRIBUTE} has {len(mapping[_ATTRIBUTE]):,} characters; Google takes {MAPPING_MOST:,}. Pin ids."
    sorts = {_SORTS[form] for one in found if (form := form_of(one.identity)) in _SORTS}
    if len(sorts) > 1:
        yield f"Callers of several sorts ({', '.join(sorted(sorts))}) can't come through one provider."


def _of_left_out(listed: list[Allowed], today: date) -> Iterator[str]:
    for one in listed:
        if not is_current(one.caller, today):
            yield f"{one.caller.name} expired on {one.caller.expires} and is left out."
        elif todo(one):
            yield f"{one.caller.name} says TODO and is left out."


def _of_subjects(found: list[Allowed]) -> Iterator[str]:
    """Yield whose subject is longer than Google takes, or can become so."""
    for one in found:
        name, identity = one.caller.name, one.identity
        role = arn.parse(identity.aws_role or "")
        if role is not None and not glob.is_glob(identity.aws_role or ""):
            begins = len(f"arn:{role.partition}:sts::{role.account}:assumed-role/{role.name}/")
            room = SUBJECT_BYTES - begins
            if room < _LONGEST_SESSION:
                yield f"{name}: a session name of more than {room} signs makes a subject of over {SUBJECT_BYTES} bytes."
        text = identity.oidc.subject if identity.oidc else identity.saml.subject if identity.saml else ""
        if len((identity.iam_user or text).encode()) > SUBJECT_BYTES:
            yield f"{name}: its subject exceeds the {SUBJECT_BYTES} bytes that google.subject takes."
        if identity.principal and glob.is_glob(identity.principal):
            yield f"{name}: a pattern over a custom mapping; the condition holds it, no binding can."


def _of_bindings(listed: list[Allowed], found: list[Allowed], today: date) -> Iterator[str]:
    yield from dict.fromkeys(_of_left_out(listed, today))
    for one in found:
        name, identity = one.caller.name, one.identity
        if identity.google_service_account and not identity.email:
            yield f"{name}: IAM names a service account by its address; give the `email` beside the unique id."
        elif _needs_name(identity) and (not principal.pool_of(one.reach.provider) or not _is_name(name)):
            yield f"{name}: no member names it; give its provider, and a name of letters, digits and dashes."
        elif _needs_name(identity):
            yield f"{name} is let in by {_ATTRIBUTE}, which the provider's mapping must hold first."
        elif not list(_members(one)):
            yield f"{name}: no member of IAM's names a {form_of(identity)} here."


def _project_of(provider: str) -> str:
    return provider.split("/")[1] if provider.startswith("projects/") else ""
