"""A workload identity provider asked whether it takes a token: its condition and mapping, in CEL.

CEL is evaluated by a published library, the extra ``drift``. Without it, and where a condition asks for a claim that
is not known or a function that the library has not, the answer is not known: nothing is guessed.

https://cloud.google.com/iam/docs/workload-identity-federation#conditions
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, NamedTuple

from callerid.drift.answer import NO, YES, Answer, of, unknown
from callerid.names import arn, principal

_HAS = re.compile(r"has\(\s*assertion\.(\w+)")


class Provider(NamedTuple):
    """A provider as IAM gives it."""

    name: str
    kind: str
    """``aws``, ``oidc``, ``saml`` or ``x509``."""
    issuer: str
    """The issuer without scheme; of AWS, the account."""
    mapping: dict[str, str]
    condition: str
    disabled: bool

    @property
    def pool(self) -> str:
        """Return the pool's name."""
        return principal.pool_of(self.name) or ""


class Token(NamedTuple):
    """What a provider sees of a caller."""

    subject: str
    """The raw subject, as the log would have it."""
    claims: dict[str, Any]


class Unevaluated(NamedTuple):
    """Why an expression has no value."""

    why: str


def takes(provider: Provider, token: Token) -> Answer:
    """Tell whether a provider takes a token."""
    if provider.disabled:
        return NO
    if provider.kind == "aws" and token.claims.get("account") != provider.issuer:
        return NO
    if not provider.condition:
        return YES
    asked = [name for name in _HAS.findall(provider.condition) if name not in token.claims]
    if asked:
        return unknown(f"the claim {asked[0]}")
    value = evaluate(provider.condition, _known(provider, token))
    return unknown(value.why) if isinstance(value, Unevaluated) else of(value is True)


def subject_of(provider: Provider, token: Token) -> str | None:
    """Return the mapped subject; None where the mapping can't be evaluated."""
    text = provider.mapping.get("google.subject", "assertion.arn" if provider.kind == "aws" else "assertion.sub")
    value = evaluate(text, {"assertion": token.claims})
    return value if isinstance(value, str) else None


def attribute(provider: Provider, token: Token, name: str) -> str | Unevaluated | None:
    """Return a mapped attribute; None where the provider maps none of the name."""
    if name == "aws_role" and provider.kind == "aws" and _is_default(provider.mapping.get("attribute.aws_role")):
        found = arn.parse(token.subject)
        is_session = found is not None and found.type == "assumed-role"
        return token.subject.rpartition("/")[0] if is_session else token.subject
    text = provider.mapping.get(f"attribute.{name}")
    return None if text is None else evaluate(text, {"assertion": token.claims, "google": {"subject": token.subject}})


def _is_default(text: str | None) -> bool:
    return text is None or "extract('assumed-role/{role_name}/')" in text


def _known(provider: Provider, token: Token) -> dict[str, Any]:
    names = [name.removeprefix("attribute.") for name in provider.mapping if name.startswith("attribute.")]
    named = {
        name: attribute(provider, token, name)
        for name in ["aws_role", *names]
        if f"attribute.{name}" in provider.condition
    }
    attributes = {name: value for name, value in named.items() if isinstance(value, str)}
    mapped = subject_of(provider, token)
    google = {"subject": mapped} if mapped is not None else {}
    return {"assertion": token.claims, "google": google, "attribute": attributes}


def evaluate(text: str, known: dict[str, Any]) -> Any:
    """Return an expression's value; :class:`Unevaluated` where it has none here."""
    try:
        import cel  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415  # an extra
    except ImportError:
        return Unevaluated("CEL, which pip install '.[drift]' in callerid's checkout brings")
    try:
        return cel.evaluate(text, known)
    except KeyError as error:
        return Unevaluated(f"the claim {error.args[0] if error.args else ''}")
    except (ValueError, TypeError, RuntimeError):
        return Unevaluated(f"the expression {text}")


def is_in_time(condition: object, now: datetime) -> Answer:
    """Tell whether a binding's condition holds now."""
    expression = condition.get("expression") if isinstance(condition, dict) else None
    if not isinstance(expression, str):
        return YES if condition is None else unknown("a binding's condition of a wrong shape")
    value = evaluate(expression, {"request": {"time": now}})
    return unknown(value.why) if isinstance(value, Unevaluated) else of(value is True)
