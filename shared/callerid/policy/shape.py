"""YAML into the policy's structs, with every fault at its line and column.

Plain values are taken as the text that the file has: ``off`` is not false, ``012345678901`` keeps its zero.
All faults are collected, so that one look at the output mends the file.
"""

from __future__ import annotations

import difflib
import re
from datetime import date
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec
import yaml

from callerid.policy.fault import Fault


class Shape:
    """A reading of one document: what was found wrong, and where each struct stands."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._nodes: dict[int, tuple[Any, yaml.Node]] = {}

    def blame(self, value: Any, message: str, key: str | None = None) -> None:
        """Record a fault of a struct that was read, at ``key`` where it is given."""
        _, node = self._nodes[id(value)]
        if key is not None and isinstance(node, yaml.MappingNode):
            node = next((held for name, held in node.value if name.value == key), node)
        self._fault(node, message)

    def struct(self, kind: type[msgspec.Struct], node: yaml.Node, what: str) -> Any:
        """Return the struct that a mapping holds, None where it is none or lacks what it must have."""
        if not isinstance(node, yaml.MappingNode):
            self._fault(node, f"{what}: expected a mapping, got {_name(node)}")
            return None
        fields = _fields(kind)
        given: dict[str, Any] = {}
        for key, held in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else _name(key)
            if name not in fields:
                self._fault(key, f"{what}: unknown key {name!r}; {_expected(name, tuple(fields))}")
            elif name in given:
                self._fault(key, f"{what}: {name!r} is given twice")
            else:
                given[name] = self._value(fields[name].type, held, name)
        absent = [name for name, field in fields.items() if field.required and name not in given]
        if absent:
            self._fault(node, f"{what}: {' and '.join(map(repr, absent))} must be given")
        if absent or any(fields[name].required and value is None for name, value in given.items()):
            return None
        made = kind(**{name: value for name, value in given.items() if value is not None})
        self._nodes[id(made)] = (made, node)
        return made

    def _value(self, as_: Any, node: yaml.Node, name: str) -> Any:
        options = [option for option in get_args(as_) if option is not NoneType] if _is_union(as_) else [as_]
        (as_,) = options
        if isinstance(as_, type) and issubclass(as_, msgspec.Struct):
            return self.struct(as_, node, name)
        if get_origin(as_) is tuple:
            return self._list(get_args(as_)[0], node, name)
        text = self._text(node, name)
        if text is None or as_ is str:
            return text
        return self._date(node, text, name) if as_ is date else self._choice(get_args(as_), node, text, name)

    def _list(self, of: Any, node: yaml.Node, name: str) -> tuple[Any, ...] | None:
        if isinstance(node, yaml.SequenceNode):
            found = (self._value(of, item, name) for item in node.value)
            return tuple(item for item in found if item is not None)
        if of is str and name in _ONE_OR_MANY:
            text = self._text(node, name)
            return (text,) if text is not None else None
        self._fault(node, f"{name}: expected a list, got {_name(node)}")
        return None

    def _text(self, node: yaml.Node, name: str) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self._fault(node, f"{name}: expected text, got {_name(node)}")
            return None
        if not node.value.strip():
            self._fault(node, f"{name}: expected text, got nothing")
            return None
        if node.value != node.value.strip():  # a block (|) ends in a line's end, a copied value in a blank: no match
            self._fault(node, f"{name}: expected no blank or line's end around it, got {node.value!r}")
        return str(node.value).strip()

    def _date(self, node: yaml.Node, text: str, name: str) -> date | None:
        try:
            return date.fromisoformat(text if _DATE.fullmatch(text) else "")
        except ValueError:
            self._fault(node, f"{name}: expected a date such as 2027-03-31, got {text!r}")
            return None

    def _choice(self, choices: tuple[str, ...], node: yaml.Node, text: str, name: str) -> str | None:
        if text in choices:
            return text
        self._fault(node, f"{name}: {_expected(text, choices)}, got {text!r}")
        return None

    def _fault(self, node: yaml.Node, message: str) -> None:
        mark = node.start_mark
        self.faults.append(Fault(mark.line + 1, mark.column + 1, message))


_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ONE_OR_MANY = ("roles", "service_accounts", "owners", "accounts")
"""Keys that take one value as well as a list."""


class _Field(NamedTuple):
    type: Any
    required: bool


@lru_cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, _Field]:
    hints = get_type_hints(kind)
    return {field.name: _Field(hints[field.name], field.required) for field in msgspec.structs.fields(kind)}


def _is_union(as_: Any) -> bool:
    return get_origin(as_) in (Union, UnionType)


def _name(node: yaml.Node) -> str:
    match node:
        case yaml.MappingNode():
            return "a mapping"
        case yaml.SequenceNode():
            return "a list"
        case _:
            return repr(node.value) if node.value else "nothing"


def _expected(got: str, choices: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(got, choices, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"expected {' or '.join((', '.join(choices[:-1]), choices[-1]) if choices[1:] else choices)}"
