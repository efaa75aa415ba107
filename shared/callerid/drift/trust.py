"""A role's trust policy, asked whether it lets a request in.

All of a request's actions must be allowed and none denied. What the caller's own permissions, permission boundaries
and the organisation's policies say is not in a trust policy: whoever it lets in is taken to have the permission.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from callerid.drift.answer import NO, YES, Answer, every, of, some, unknown
from callerid.drift.condition import Known, holds, keys_of, values_of
from callerid.names import glob
from callerid.policy.identity import without_path

_ROOT = re.compile(r"(?:arn:aws[a-z-]*:iam::)?(\d{12})(?::root)?", re.ASCII)


class Request(NamedTuple):
    """One call that a trust policy is asked about."""

    form: str
    """Under what ``Principal`` names the caller: ``AWS``, ``Federated`` or ``Service``."""
    names: tuple[str, ...]
    """Each name by which it does: an ARN, a session's, a unique id; a provider; a service."""
    account: str | None
    """The account whose ``root`` stands for the caller as well."""
    actions: tuple[str, ...]
    known: Known


class Trust:
    """A trust policy as IAM holds it."""

    def __init__(self, policy: object) -> None:
        self.fault: str | None = None
        """Why the policy can't be understood; None where it can."""
        self.statements: list[dict[str, Any]] = []
        self._has_variables = False
        try:
            whole = json.loads(policy) if isinstance(policy, str) else policy
        except ValueError:
            whole = None
        if not isinstance(whole, dict):
            self.fault = "the trust policy is no JSON object"
            return
        self._has_variables = whole.get("Version") == "2012-10-17"
        statements = _listed(whole.get("Statement", []))
        self.statements = [one for one in statements if isinstance(one, dict)]
        if len(self.statements) < len(statements) or any(map(_is_odd, self.statements)):
            self.fault = "a statement of a wrong shape"

    def admits(self, request: Request) -> Answer:
        """Tell whether a request is let in."""
        if self.fault is not None:
            return unknown(self.fault)
        met = [(one, self._meets(one, request)) for one in self.statements]
        return every(_allows(met, action) for action in request.actions)

    def _meets(self, statement: dict[str, Any], request: Request) -> Answer:
        about = _is_about(statement, request)
        if about.truth is False:
            return NO
        return every((about, holds(statement.get("Condition"), request.known, has_variables=self._has_variables)))

    def principals(self) -> Iterator[tuple[str, str]]:
        """Yield whom statements that allow name, each once: form and name; everybody is ``*`` under ``*``."""
        found = []
        for statement in self.statements:
            if statement.get("Effect") == "Allow":
                found += list(_named(statement["Principal"])) if "Principal" in statement else [("*", "*")]
        yield from dict.fromkeys(found)

    def values(self, key: str) -> list[str]:
        """Return the values that any condition compares a key with."""
        found = (values_of(one.get("Condition"), key) for one in self.statements)
        return list(dict.fromkeys(value for values in found for value in values))

    def keys(self) -> set[str]:
        """Return the keys that any condition asks for."""
        return {key for one in self.statements for key in keys_of(one.get("Condition"))}


def _is_odd(statement: dict[str, Any]) -> bool:
    has_who = "Principal" in statement or "NotPrincipal" in statement
    has_what = "Action" in statement or "NotAction" in statement
    return statement.get("Effect") not in ("Allow", "Deny") or not has_who or not has_what


def _allows(met: list[tuple[dict[str, Any], Answer]], action: str) -> Answer:
    about = [(one["Effect"], answer) for one, answer in met if _covers(one, action)]
    allowed = some(answer for effect, answer in about if effect == "Allow")
    return every((allowed, some(answer for effect, answer in about if effect == "Deny").negated))


def _covers(statement: dict[str, Any], action: str) -> bool:
    """Tell whether a statement is about an action; action names have no case."""
    listed = _listed(statement.get("Action", statement.get("NotAction")))
    is_named = any(glob.matches(str(one).lower(), action.lower()) for one in listed)
    return is_named if "Action" in statement else not is_named


def _is_about(statement: dict[str, Any], request: Request) -> Answer:
    if "Principal" in statement:
        return some(_names(form, name, request) for form, name in _named(statement["Principal"]))
    return some(_names(form, name, request) for form, name in _named(statement["NotPrincipal"])).negated


def _named(principal: object) -> Iterator[tuple[str, str]]:
    if isinstance(principal, dict):
        for form, names in principal.items():
            yield from ((str(form), str(name)) for name in _listed(names))
    else:
        yield ("*", str(principal))


def _names(form: str, name: str, request: Request) -> Answer:
    """Tell whether a name in ``Principal`` stands for who asks."""
    if form == "*":
        return of(name == "*")
    if form != request.form:
        is_open = form == "AWS" and name == "*"
        return unknown(f'whether {{"AWS": "*"}} stands for {request.form.lower()} principals') if is_open else NO
    if name == "*":
        return YES
    if glob.is_glob(name):
        return unknown(f"a Principal with a pattern in it, {name}")
    root = _ROOT.fullmatch(name) if form == "AWS" else None
    if root is not None:
        return of(root[1] == request.account)
    return of(without_path(name) in map(without_path, request.names))


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]
