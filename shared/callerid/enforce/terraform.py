"""Pieces as Terraform: values for the resources that a team has already, and bindings, which are whole resources.

https://developer.hashicorp.com/terraform/language/expressions/strings
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from callerid.enforce.commands import safe
from callerid.enforce.piece import Piece, Plan

_RESOURCES = {
    "trust-policy": "assume_role_policy = jsonencode(local.{})  # in the role's aws_iam_role",
    "deny": "# add the statements of local.{} to the role's own",
    "permissions": "# add the statements of local.{} to the caller's own permissions",
    "service-control-policy": "content = jsonencode(local.{})  # in an aws_organizations_policy",
    "provider": "# what local.{} holds belongs into the google_iam_workload_identity_pool_provider",
}


def lines(plan: Plan) -> Iterator[str]:
    """Yield a configuration that ``terraform validate`` takes."""
    for warning in plan.warnings:
        yield f"# note: {safe(warning)}"
    names: set[str] = set()
    for piece in plan.pieces:
        yield ""
        yield f"# {piece.kind} of {safe(piece.target)}"
        if piece.callers:
            yield f"# lets in: {safe(', '.join(piece.callers))}"
        yield from (f"# note: {safe(warning)}" for warning in piece.warnings)
        yield from _bindings(piece, names) if piece.kind == "bindings" else _local(piece, names)


def _name(text: str, names: set[str]) -> str:
    """Return an identifier of its own."""
    stem = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")
    name, count = stem, 1
    while name in names:
        count += 1
        name = f"{stem}_{count}"
    names.add(name)
    return name


def _local(piece: Piece, names: set[str]) -> Iterator[str]:
    policy = piece.policy
    if piece.kind == "provider":
        policy = {"attribute_condition": policy["attributeCondition"]} | (
            {"attribute_mapping": policy["attributeMapping"]} if "attributeMapping" in policy else {}
        )
    name = _name(f"{piece.kind}_{piece.target.partition('::')[2] or piece.target}", names)
    yield f"# {_RESOURCES[piece.kind].format(name).removeprefix('# ')}"
    yield "locals {"
    yield f"  {name} = {_value(policy, 2)}"
    yield "}"


def _bindings(piece: Piece, names: set[str]) -> Iterator[str]:
    for binding in piece.policy["bindings"]:
        if "@" not in piece.target:
            yield f"# on the resource, as every member of ROLE: {json.dumps(binding['members'])}"
            continue
        name = _name(f"{piece.target.partition('@')[0]}_{binding['role'].rpartition('.')[2]}", names)
        yield f'resource "google_service_account_iam_binding" {json.dumps("callerid_" + name)} {{'
        yield f"  service_account_id = {_text('projects/-/serviceAccounts/' + piece.target)}"
        yield f"  role               = {_text(binding['role'])}"
        yield f"  members            = {_value(binding['members'], 2)}"
        when = binding.get("condition")
        if when:
            yield "  condition {"
            yield f"    title      = {_text(when['title'])}"
            yield f"    expression = {_text(when['expression'])}"
            yield "  }"
        yield "}"


def _value(value: Any, column: int) -> str:
    """Return a value, each part on a line of its own."""
    inner = " " * (column + 2)
    match value:
        case dict():
            parts = [f"{inner}{_text(key)} = {_value(held, column + 2)}" for key, held in value.items()]
            return "{\n" + "\n".join(parts) + f"\n{' ' * column}}}"
        case list():
            parts = [f"{inner}{_value(held, column + 2)}," for held in value]
            return "[\n" + "\n".join(parts) + f"\n{' ' * column}]"
        case _:
            return _text(str(value))


def _text(text: str) -> str:
    """Return a string in which nothing is a template."""
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
