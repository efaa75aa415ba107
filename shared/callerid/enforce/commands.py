"""Pieces as commands of both clouds' own tools, to be read before they are run."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

from callerid.enforce.piece import Piece, Plan
from callerid.names import arn

_DELIMITERS = ";|~#%"
"""Signs between the parts of gcloud's lists, where a comma stands within one: ``gcloud topic escaping``."""


def lines(plan: Plan) -> Iterator[str]:
    """Yield the commands, each piece's under its target and its warnings."""
    for warning in plan.warnings:
        yield f"# note: {safe(warning)}"
    for piece in plan.pieces:
        yield ""
        yield f"# {piece.kind} of {safe(piece.target)}"
        if piece.callers:
            yield f"# lets in: {safe(', '.join(piece.callers))}"
        for warning in piece.warnings:
            yield f"# note: {safe(warning)}"
        yield from _commands(piece)


def safe(text: str) -> str:
    """Return text that stays within its comment."""
    return json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"') if text.isprintable() else ascii(text)[1:-1]


def _commands(piece: Piece) -> Iterator[str]:
    match piece.kind:
        case "trust-policy":
            name = arn.parse(piece.target)
            document = shlex.quote(json.dumps(piece.policy))
            role = shlex.quote(name.name if name else piece.target)
            yield f"# in account {safe(piece.account)}, in place of all that the role trusts now; keep that to go back:"
            yield f"#   aws iam get-role --role-name {safe(role)} --query Role.AssumeRolePolicyDocument --output json"
            yield f"aws iam update-assume-role-policy --role-name {role} --policy-document {document}"
        case "deny" | "permissions":
            where = "to the role's trust policy" if piece.kind == "deny" else "to the caller's own permissions"
            yield f"# add {where}:"
            yield from (f"#   {line}" for line in json.dumps(piece.policy["Statement"], indent=2).splitlines())
        case "service-control-policy":
            document = shlex.quote(json.dumps(piece.policy))
            name_of = shlex.quote(f"callerid-root-sessions-{piece.account}")
            yield (
                f"aws organizations create-policy --type SERVICE_CONTROL_POLICY --name {name_of}"
                f" --description 'by callerid enforce' --content {document}"
            )
        case "provider":
            yield _provider(piece)
        case _:
            yield from _bindings(piece)


def _provider(piece: Piece) -> str:
    _, project, _, _, _, pool, _, name = piece.target.split("/") if piece.account else ("",) * 8
    mapping = piece.policy.get("attributeMapping")
    sort = _sort(mapping)
    if not piece.account:  # a workforce pool's provider, which an organisation has
        return f"# attribute condition: {shlex.quote(piece.policy['attributeCondition'])}"
    parts = [
        f"gcloud iam workload-identity-pools providers update-{sort} {shlex.quote(name)}",
        f"--project={shlex.quote(project)} --location=global --workload-identity-pool={shlex.quote(pool)}",
        f"--attribute-condition={shlex.quote(piece.policy['attributeCondition'])}",
    ]
    if mapping:
        parts.append(f"--attribute-mapping={shlex.quote(_list(mapping))}")
    return " \\\n  ".join(parts)


def _sort(mapping: dict[str, str] | None) -> str:
    """Return the sort of provider that a mapping is for; without one, the commonest."""
    subject = (mapping or {}).get("google.subject", "")
    return {"assertion.arn": "aws", "assertion.subject": "saml"}.get(subject, "oidc")


def _list(values: dict[str, str]) -> str:
    text = "".join(values.values())
    if "," not in text:
        return ",".join(f"{key}={value}" for key, value in values.items())
    sign = next(sign for sign in _DELIMITERS if sign not in text)
    return f"^{sign}^" + sign.join(f"{key}={value}" for key, value in values.items())


def _bindings(piece: Piece) -> Iterator[str]:
    is_resource = "@" not in piece.target
    for binding in piece.policy["bindings"]:
        for member in binding["members"]:
            if is_resource:
                yield f"# on the resource: role ROLE for {safe(member)}"
                continue
            yield (
                f"gcloud iam service-accounts add-iam-policy-binding {shlex.quote(piece.target)}"
                f" --role={binding['role']} --member={shlex.quote(member)} --condition={_when(binding)}"
            )
    if not is_resource:
        yield f"gcloud iam service-accounts get-iam-policy {shlex.quote(piece.target)}  # who else is there"


def _when(binding: dict[str, Any]) -> str:
    when = binding.get("condition")
    return shlex.quote(_list(when)) if when else "None"
