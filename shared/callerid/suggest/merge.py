"""Additions into the text of a policy that a person keeps: lines are added, and no character of theirs changes.

The text is not printed anew from what was read of it: where each part ends is asked of YAML's own parser, and what
is new is put there, as the part itself is written, in blocks or in braces. The result is read back and must be the
old policy with the additions, or it is not given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import yaml
from msgspec.structs import replace

from callerid.entry import plain
from callerid.policy.fault import PolicyError
from callerid.policy.load import parse
from callerid.policy.model import Document, Identity, Reach
from callerid.suggest import write
from callerid.suggest.addition import Draft
from callerid.suggest.sight import Seen


class CannotMergeError(Exception):
    """A file that is written in a way in which nothing can be added safely; the message says where."""


class Node(NamedTuple):
    """A part of a YAML text: where it begins and where its last sign ends, as offsets into the text."""

    start: int
    end: int
    kind: str
    """``map``, ``list``, ``text`` or ``alias``."""
    is_flow: bool = False
    """Whether it is written in braces or brackets."""
    items: tuple[tuple[str, Node], ...] = ()
    """Of a mapping by key; of a list under no name."""
    anchor: str | None = None
    value: str = ""
    """Of a text."""

    def get(self, key: str) -> Node | None:
        """Return what a mapping has under a key."""
        return next((held for name, held in self.items if name == key), None)


class _Insert(NamedTuple):
    at: int
    text: str


def merged(text: str, draft: Draft, seen: Seen) -> str:
    """Return a policy's text with a draft's additions.

    Raises:
        CannotMergeError: where they can't be added without changing what is there.
    """
    if "\r\n" in text and "\n" not in text.replace("\r\n", ""):  # what is added ends its lines as the file does
        return merged(text.replace("\r\n", "\n"), draft, seen).replace("\n", "\r\n")
    root = read(text)
    inserts = [*_callers(text, root, draft), *_requirements(text, root, draft)]
    comments = [line for line in write.left(draft, seen) if line not in text.splitlines()]
    made = _inserted(text, inserts)
    if any(not line.endswith(":") for line in comments):
        made = made.rstrip("\n") + "\n\n" + "\n".join(comments) + "\n"
    _prove(made, draft)
    return made


def read(text: str) -> Node:
    """Return the tree of a policy's text."""
    events = yaml.parse(text, Loader=yaml.SafeLoader)
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            return _node(next(events), events)
    raise CannotMergeError("it is empty")


def _node(event: Any, events: Iterator[Any]) -> Node:
    start, end = event.start_mark.index, event.end_mark.index
    if isinstance(event, yaml.AliasEvent):
        return Node(start, end, "alias")
    if isinstance(event, yaml.ScalarEvent):
        return Node(start, end, "text", anchor=event.anchor, value=event.value)
    kind = "map" if isinstance(event, yaml.MappingStartEvent) else "list"
    closing = yaml.MappingEndEvent if kind == "map" else yaml.SequenceEndEvent
    items: list[tuple[str, Node]] = []
    while not isinstance(inner := next(events), closing):
        held = _node(inner, events)
        if kind == "map":
            items.append((held.value, _node(next(events), events)))
        else:
            items.append(("", held))
    is_flow = bool(event.flow_style)
    end = _end(inner) if is_flow or not items else items[-1][1].end
    return Node(start, end, kind, is_flow, tuple(items), event.anchor)


def _end(event: Any) -> int:
    return int(event.end_mark.index)


def _callers(text: str, root: Node, draft: Draft) -> Iterator[_Insert]:
    """Yield what adds to the callers: first to those that are there, as a new one may come to the same place."""
    callers = root.get("callers")
    for one in draft.additions:
        if not one.is_new:
            place = _caller(callers, one.name)
            yield from _to_list(text, place, "identities", [(identity, None) for identity in one.identities])
            yield from _to_list(text, place, "may_reach", [(key, write.times(at)) for key, at in one.reaches.items()])
    new = [one for one in draft.additions if one.is_new]
    if new:
        blocks = [write.addition(one) for one in new]
        flows = [write.inline(plain(one.caller)) for one in new]
        yield _appended(text, root, "callers", blocks, flows)


def _caller(callers: Node | None, name: str) -> Node:
    for _, item in callers.items if callers else ():
        named = item.get("name")
        if named is not None and named.value == name:
            return item
    raise CannotMergeError(f"the entry {name!r} cannot be found; its name is written elsewhere")


def _requirements(text: str, root: Node, draft: Draft) -> Iterator[_Insert]:
    if draft.requirements:
        blocks = [write.requirement(one) for one in draft.requirements]
        flows = [write.inline(plain(one)) for one in draft.requirements]
        yield _appended(text, root, "requirements", blocks, flows)


def _appended(text: str, root: Node, key: str, blocks: list[str], flows: list[str]) -> _Insert:
    """Return what adds items to a list at the top of the file, which may not be there yet."""
    held = root.get(key)
    if held is None or (held.kind == "text" and not held.value):
        if root.is_flow or held is not None:
            raise CannotMergeError(f"{key} has no list that could be added to")
        return _Insert(_line_end(text, root.end), f"\n\n{key}:\n" + "\n".join(blocks).rstrip("\n"))
    gap = "" if root.is_flow else "\n"
    return _into(text, held, key, [block.rstrip("\n") for block in blocks], flows, gap=gap)


def _to_list(text: str, place: Node, key: str, values: list[tuple[Identity | Reach, str | None]]) -> Iterator[_Insert]:
    """Yield what adds to a list of a caller, one step below its keys where it is new."""
    held = place.get(key)
    values = [(value, note) for value, note in values if value]
    if not values:
        return
    flows = [write.inline(plain(value)) for value, _ in values]
    blocks = ["\n".join(write.indented(write.struct(value, note), 2)) for value, note in values]
    if held is not None:
        yield _into(text, held, key, blocks, flows, gap="")
        return
    if place.is_flow:
        yield _Insert(place.end - 1, f", {key}: [{', '.join(flows)}]")
        return
    column = _column(text, place.start)
    lines = [f"{' ' * column}{key}:", *(_moved(block, column) for block in blocks)]
    yield _Insert(_line_end(text, place.end), "\n" + "\n".join(lines))


def _into(text: str, held: Node, key: str, blocks: list[str], flows: list[str], *, gap: str) -> _Insert:
    """Return what adds items to a list that is there, in its own style."""
    if held.kind != "list" or held.anchor is not None:
        raise CannotMergeError(f"{key} is written with an anchor or an alias, so what is added would be added twice")
    if held.is_flow:
        comma = "," if held.items else ""
        lines = f",{gap}  ".join(flows) if gap else ", ".join(flows)
        return _Insert(held.end - 1, f"{comma}{gap}  {lines}{gap}" if gap else f"{comma and ', '}{lines}")
    first = held.items[0][1].start
    dash = text.rindex("-", 0, first)
    column = _column(text, dash)
    moved = [_moved(block, column - 2) for block in blocks]
    return _Insert(_line_end(text, held.end), f"\n{gap}" + f"\n{gap}".join(moved))


def _moved(block: str, columns: int) -> str:
    """Return lines that are one step in, further in or out."""
    if columns >= 0:
        return "\n".join(" " * columns + line if line else line for line in block.split("\n"))
    return re.sub(rf"^ {{1,{-columns}}}", "", block, flags=re.MULTILINE)


def _column(text: str, at: int) -> int:
    return at - (text.rfind("\n", 0, at) + 1)


def _line_end(text: str, at: int) -> int:
    """Return where the line ends in which a part's last sign stands; its comment stays with it."""
    if text[at - 1 : at] == "\n":
        return at - 1
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _inserted(text: str, inserts: Iterable[_Insert]) -> str:
    """Return a text with all that is to be inserted; what goes to one place stays in its order."""
    places: dict[int, str] = {}
    for insert in inserts:
        places[insert.at] = places.get(insert.at, "") + insert.text
    for at, added in sorted(places.items(), reverse=True):
        text = text[:at] + added + text[at:]
    return text


def _prove(made: str, draft: Draft) -> None:
    """Read the result back: it must be what was drafted, no less and no more."""
    try:
        document = parse(made.encode(), "the merged policy")
    except PolicyError as error:
        raise CannotMergeError(f"nothing could be added safely: {error}") from error
    if _comparable(document) != _comparable(draft.document):
        raise CannotMergeError("nothing could be added safely; write its lists as blocks, an item a line")


def _comparable(document: Document) -> Document:
    return replace(document, callers=tuple(sorted(document.callers, key=lambda caller: caller.name)))
