"""The conditions of an IAM policy, three-valued: a key that is not known makes neither yes nor no.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from callerid.drift.answer import NO, YES, Answer, every, of, some, unknown

Known = Mapping[str, tuple[str, ...] | None]
"""What a request shows: keys in small letters; None where one is surely absent. A key that is not in it is unknown."""

_POSITIVE = {
    "stringnotequals": "stringequals", "stringnotequalsignorecase": "stringequalsignorecase",
    "stringnotlike": "stringlike", "arnnotequals": "arnlike", "arnnotlike": "arnlike", "arnequals": "arnlike",
    "numericnotequals": "numericequals", "datenotequals": "dateequals", "notipaddress": "ipaddress",
}  # fmt: skip
"""What an operator negates, or is another name for."""
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_ARN_COLONS = 5
"""Between the six parts of an ARN, each of which is matched by itself; the last may hold more of them."""


def holds(condition: object, known: Known, *, has_variables: bool = True) -> Answer:
    """Tell whether every key of every operator holds. ``has_variables``: false of the policy version of 2008."""
    if not isinstance(condition, dict) or not all(isinstance(keys, dict) for keys in condition.values()):
        return YES if condition is None else unknown("a Condition of a wrong shape")
    return every(
        _holds(str(operator).lower(), str(key).lower(), [_text(one) for one in _listed(values)], known, has_variables)
        for operator, keys in condition.items()
        for key, values in keys.items()
    )


def values_of(condition: object, name: str) -> list[str]:
    """Return all values that a condition compares a key with, whatever the operator."""
    if not isinstance(condition, dict):
        return []
    return [
        _text(one)
        for operator, keys in condition.items()
        if isinstance(keys, dict) and str(operator).lower() != "null"
        for key, values in keys.items()
        if str(key).lower() == name
        for one in _listed(values)
    ]


def keys_of(condition: object) -> set[str]:
    """Return the keys that a condition and the variables in its values name, in small letters."""
    if not isinstance(condition, dict):
        return set()
    pairs = [pair for keys in condition.values() if isinstance(keys, dict) for pair in keys.items()]
    named = {str(key).lower() for key, _ in pairs}
    texts = [_text(one) for _, values in pairs for one in _listed(values)]
    return named | {found.partition(",")[0].strip().lower() for text in texts for found in _VARIABLE.findall(text)}


def _listed(values: object) -> list[object]:
    return values if isinstance(values, list) else [values]


def _text(value: object) -> str:
    """Return a value as IAM compares it: it takes true and 5 as it takes "true" and "5"."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _holds(operator: str, key: str, wanted: list[str], known: Known, has_variables: bool) -> Answer:  # noqa: FBT001
    prefix, _, rest = operator.rpartition(":")
    base = rest.removesuffix("ifexists")
    if base not in _COMPARE and base not in _POSITIVE and base != "null":
        return unknown(f"the operator {operator}")
    if key not in known:
        return unknown(key)
    shown = known[key]
    if base == "null":
        return of((shown is None) == (wanted == ["true"]))
    negated = base in _POSITIVE and "not" in base
    if shown is None:
        return of(rest.endswith("ifexists") or prefix == "forallvalues" or (negated and not prefix))
    if not prefix and len(shown) > 1:
        return unknown(f"{key}, which has several values")
    compare = _COMPARE[_POSITIVE.get(base, base)]
    each = [some(compare(value, one, known if has_variables else None) for one in wanted) for value in shown]
    each = [one.negated for one in each] if negated else each
    return some(each) if prefix == "foranyvalue" else every(each)


def _parts(text: str, known: Known | None) -> Iterator[tuple[str, bool] | None]:
    """Yield the literal pieces and the signs of a pattern; None for a variable that is not known."""
    at = 0
    for found in _VARIABLE.finditer(text) if known is not None else ():
        yield from _signs(text[at : found.start()])
        at = found.end()
        name, comma, default = found[1].partition(",")
        if name in ("*", "?", "$"):
            yield name, False
            continue
        values = (known or {}).get(name.strip().lower(), ()) if name.strip().lower() in (known or {}) else ()
        if values and len(values) == 1:
            yield values[0], False
        elif values is None and comma:
            yield default.strip().strip("'"), False
        else:
            yield None
    yield from _signs(text[at:])


def _signs(text: str) -> Iterator[tuple[str, bool]]:
    for piece in re.split(r"([*?])", text):
        if piece:
            yield piece, piece in ("*", "?")


def _plain(text: str, known: Known | None) -> str | None:
    parts = list(_parts(text, known))
    return None if None in parts else "".join(part[0] for part in parts if part)


def _equals(shown: str, wanted: str, known: Known | None) -> Answer:
    text = _plain(wanted, known)
    return unknown(f"the variable in {wanted}") if text is None else of(shown == text)


def _equals_ignoring_case(shown: str, wanted: str, known: Known | None) -> Answer:
    return _equals(shown.lower(), (_plain(wanted, known) or wanted).lower(), known)


def _like(shown: str, wanted: str, known: Known | None) -> Answer:
    return _matches(shown, wanted, known, {"*": ".*", "?": "."}, {"*": ".*", "?": "."})


def _arn(shown: str, wanted: str, known: Known | None) -> Answer:
    """Compare ARNs, part by part: a sign stands for no colon but in the last."""
    if wanted == "*":
        return YES
    return _matches(shown, wanted, known, {"*": "[^:]*", "?": "[^:]"}, {"*": ".*", "?": "."})


def _matches(shown: str, wanted: str, known: Known | None, early: dict[str, str], late: dict[str, str]) -> Answer:
    pattern, colons = "", 0
    for part in _parts(wanted, known):
        if part is None:
            return unknown(f"the variable in {wanted}")
        text, is_sign = part
        pattern += (late if colons >= _ARN_COLONS else early)[text] if is_sign else re.escape(text)
        colons += text.count(":")
    return of(re.fullmatch(pattern, shown, re.DOTALL))


def _bool(shown: str, wanted: str, _: Known | None) -> Answer:
    return of(shown.lower() == wanted.lower())


def _network(shown: str, wanted: str, _: Known | None) -> Answer:
    try:
        own, listed = ipaddress.ip_network(shown, strict=False), ipaddress.ip_network(wanted, strict=False)
        return of(own.subnet_of(listed))  # type: ignore[arg-type]  # of two versions it raises TypeError
    except ValueError:
        return unknown(f"the address {wanted}")
    except TypeError:
        return NO


def _moment(text: str) -> float:
    if re.fullmatch(r"[0-9.]+", text):
        return float(text)
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _ordered(read: Callable[[str], float], fits: Callable[[float, float], bool]) -> Callable[..., Answer]:
    def compare(shown: str, wanted: str, _: Known | None) -> Answer:
        try:
            return of(fits(read(shown), read(wanted)))
        except ValueError:
            return unknown(f"the value {wanted}")

    return compare


_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "equals": lambda shown, wanted: shown == wanted,
    "lessthan": lambda shown, wanted: shown < wanted,
    "lessthanequals": lambda shown, wanted: shown <= wanted,
    "greaterthan": lambda shown, wanted: shown > wanted,
    "greaterthanequals": lambda shown, wanted: shown >= wanted,
}
_COMPARE: dict[str, Callable[[str, str, Known | None], Answer]] = {
    "stringequals": _equals,
    "stringequalsignorecase": _equals_ignoring_case,
    "stringlike": _like,
    "arnlike": _arn,
    "bool": _bool,
    "binaryequals": _equals,
    "ipaddress": _network,
    **{f"numeric{name}": _ordered(float, fits) for name, fits in _ORDERS.items()},
    **{f"date{name}": _ordered(_moment, fits) for name, fits in _ORDERS.items()},
}
