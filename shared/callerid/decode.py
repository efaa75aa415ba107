"""JSON into the typed structs that the readers declare: fast where it fits, leniently where it doesn't.

:func:`decode` is strict and quick (msgspec, only the declared fields). What it refuses goes to
:func:`lenient`, which takes a field of a wrong type for an absent one and never raises, so one odd field
costs a record nothing but that field. Wherever both succeed they agree; a property test holds them to it.

:func:`elements` walks a document value by value with one element in memory, also one that ends early.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, NamedTuple, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Raw, Struct

S = TypeVar("S", bound=Struct)

_NULL = Raw(b"null")
JSON_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises on data that it cannot decode."""

DAMAGED = object()
"""What stands for a value that can't be read: JSON within JSON, nesting without end."""


class DamagedError(ValueError):
    """JSON that ends early or is no JSON; ``position`` is where in the document."""

    def __init__(self, position: str, expected: str) -> None:
        super().__init__(f"{position}: {expected}" if position else expected)
        self.position = position
        self.expected = expected


def decode(kind: type[S], data: Raw) -> S:
    """Return the struct that ``data`` holds; fields of a wrong type, and data of one, are absent."""
    if not data or data == _NULL:
        empty: S = _empty(kind)
        return empty
    try:
        decoded: S = _decoder(kind).decode(data)
    except JSON_ERRORS:
        return lenient(kind, parse(bytes(data)))
    return decoded


@lru_cache
def _decoder(kind: type[S]) -> msgspec.json.Decoder[S]:
    return msgspec.json.Decoder(kind)


@lru_cache
def _empty(kind: type[S]) -> S:
    return kind()


def parse(data: bytes) -> Any:
    """Return any JSON value, None where it is none. Numbers too large for a float are infinite."""
    try:
        return json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def is_object(data: Raw) -> bool:
    """Tell raw JSON that is an object."""
    return bytes(data)[:1] == b"{"


def raw(value: Any) -> Raw:
    """Return a value as JSON again."""
    try:
        return Raw(json.dumps(value, separators=(",", ":")).encode())
    except RecursionError:
        return _NULL


def lenient(kind: type[S], value: Any) -> S:
    """Return a struct of whatever fields of ``value`` have their declared type; never raises."""
    if not isinstance(value, dict):
        return kind()
    return kind(**{name: _field(as_, value[key]) for name, key, as_ in _fields(kind) if key in value})


@lru_cache
def _fields(kind: type[Struct]) -> tuple[tuple[str, str, Any], ...]:
    hints = get_type_hints(kind)
    return tuple((field.name, field.encode_name, hints[field.name]) for field in msgspec.structs.fields(kind))


def _field(as_: Any, value: Any) -> Any:
    """Return ``value`` where it fits the annotation ``as_``, else what stands for absent."""
    if get_origin(as_) in (Union, UnionType):
        (as_,) = (option for option in get_args(as_) if option is not NoneType)
        if value is None:
            return None
    if as_ is Raw:
        return raw(value)
    if as_ is str:
        return _text(value) if isinstance(value, str) else None
    if as_ is bool:
        return value if isinstance(value, bool) else None
    if get_origin(as_) is tuple:
        return _items(get_args(as_)[0], value)
    return lenient(as_, value) if isinstance(value, dict) else None


def _items(as_: Any, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        return ()
    found = (_field(as_, item) for item in value)
    return tuple(item for item in found if item is not None)


def _text(value: str) -> str:
    """Return a string that can be written as UTF-8: half a surrogate pair becomes a question mark."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def embedded(text: Any) -> Any:
    """Return the value that JSON text within a document holds, :data:`DAMAGED` where it holds none."""
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return DAMAGED


class Element(NamedTuple):
    """A value of a document with its position, as jq writes it (without the leading dot)."""

    position: str
    value: Any


_Walk: TypeAlias = Generator[Element, None, int]
_SCAN = json.JSONDecoder().raw_decode
_SPACE = " \t\r\n"


def elements(text: str, of: tuple[str, ...]) -> Iterator[Element]:
    """Yield the values of a document that holds one JSON value or several.

    A list is yielded item by item; so is the list under a top-level key named in ``of``, and then nothing
    else of that object. Every other value is yielded whole.

    Raises:
        DamagedError: where the text ends early or is no JSON, after all that came before was yielded.
    """
    at, number = _skip(text, 0), 0
    while at < len(text):
        prefix = f"value {number}" if number else ""
        if text[at] == "[":
            at = yield from _list(text, at, prefix)
        elif text[at] == "{":
            at = yield from _object(text, at, prefix, of)
        else:
            value, at = _value(text, at, prefix)
            yield Element(prefix, value)
        at, number = _skip(text, at), number + 1


def _list(text: str, at: int, prefix: str) -> _Walk:
    at, index = _skip(text, at + 1), 0
    if text[at : at + 1] == "]":
        return at + 1
    while True:
        position = f"{prefix}[{index}]"
        value, at = _value(text, at, position)
        yield Element(position, value)
        at, sign = _sign(text, at, f"{prefix}[{index + 1}]", "],")
        if sign == "]":
            return at
        at, index = _skip(text, at), index + 1


def _object(text: str, at: int, prefix: str, of: tuple[str, ...]) -> _Walk:
    found: dict[str, Any] = {}
    walked = False
    start, at = at, _skip(text, at + 1)
    if text[at : at + 1] == "}":
        yield Element(prefix, found)
        return at + 1
    while True:
        key, at = _value(text, at, prefix)
        if not isinstance(key, str):
            raise DamagedError(prefix, f"expected a key at character {start}")
        position = f"{prefix}.{key}" if prefix else key
        at, _ = _sign(text, at, position, ":")
        at = _skip(text, at)
        if key in of and text[at : at + 1] == "[":
            at, walked = (yield from _list(text, at, position)), True
        else:
            value, at = _value(text, at, position)
            found[key] = None if value is DAMAGED else value
        at, sign = _sign(text, at, prefix, "},")
        if sign == "}":
            break
        at = _skip(text, at)
    if not walked:
        yield Element(prefix, found)
    return at


def _value(text: str, at: int, position: str) -> tuple[Any, int]:
    try:
        return _SCAN(text, at)
    except json.JSONDecodeError as error:
        raise DamagedError(position, f"{error.msg.removesuffix(' at')} at character {error.pos}") from error
    except (ValueError, RecursionError):
        return DAMAGED, _end(text, at)  # nested or sized beyond what can be read; what follows is not


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{},]', re.DOTALL)
"""What brackets stand in, or else the brackets. A string that does not end goes to the end: nothing is sought twice."""


def _end(text: str, at: int) -> int:
    """Return where a value ends that can't be read, by its brackets alone."""
    depth = 0
    for token in _TOKEN.finditer(text, at):
        sign = token[0]
        if sign in "[{":
            depth += 1
        elif sign in "]}" or (sign == "," and depth == 0):
            depth -= sign != ","
            if depth <= 0:
                return token.start() if depth < 0 or sign == "," else token.end()
    return len(text)


def _sign(text: str, at: int, position: str, signs: str) -> tuple[int, str]:
    at = _skip(text, at)
    sign = text[at : at + 1]
    if not sign:
        raise DamagedError(position, f"the document ends early, at character {at}")
    if sign not in signs:
        raise DamagedError(position, f"expected {' or '.join(signs)} at character {at}")
    return at + 1, sign


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at
