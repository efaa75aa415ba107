"""A suggested book as YAML: entries with what was seen of them, and as comments all that is not allowed.

What a record holds is text that a stranger may have chosen: as a value it is quoted unless it is plain, in a
comment it is quoted always, in ASCII, so that it neither ends a line nor steers a terminal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from callerid.access import Outcome
from callerid.entry import plain, quoted
from callerid.group import container, group_of
from callerid.judgement import Verdict
from callerid.policy.model import Caller, Identity, Reach, Requirement
from callerid.suggest.addition import Addition, Draft, Left, Span, deciding
from callerid.suggest.sight import Seen

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./@+=-]*(?::[A-Za-z0-9_./@+=:-]*[A-Za-z0-9_./@+=-])?", re.ASCII)
"""Text that is the same text in any YAML, also within braces."""
_WORDS = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))
_LEFT_SHOWN = 500
_LONGEST = 200
"""Characters of a name in a comment."""


def book(draft: Draft, seen: Seen) -> str:
    """Return a whole book."""
    accounts = draft.document.aws_accounts
    parts = [
        "\n".join(f"# {line}" for line in _head(seen)),
        "version: 1",
        *([f"{_ACCOUNTS}\naws_accounts: [{', '.join(map(scalar, accounts))}]"] if accounts else []),
        "callers:\n" + "\n".join(map(addition, draft.additions)) if draft.additions else "callers: []",
        *(["requirements:\n" + "\n".join(map(requirement, draft.requirements))] if draft.requirements else []),
        *(["\n".join(comments)] if (comments := list(left(draft, seen))) else []),
    ]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


_ACCOUNTS = "# The accounts whose logs these are. Whoever assumes a role from any other account must be in the book."


def _head(seen: Seen) -> Iterator[str]:
    spans = [(sight.first, sight.last) for sight in seen.sights]
    first = min((one for one, _ in spans if one), default=None)
    last = max((one for _, one in spans if one), default=None)
    yield f"Suggested by `callerid suggest` from {seen.sources}: {seen.records:,} records{_when(first, last)}."
    yield "What stands here was seen, which does not mean that it should be: read each entry, and take out what is not"
    yield "yours. Fill in what says TODO; then `callerid check --strict` has nothing left to say."
    yield from seen.notes


def _when(first: str | None, last: str | None) -> str:
    if first is None or last is None:
        return ""
    if first[:16] == last[:16]:
        return f", {_minute(first)} UTC"
    return f", {_minute(first)} to {_minute(last)} UTC"


def _minute(time: str) -> str:
    return time[:16].replace("T", " ")


def times(span: Span) -> str:
    """Return how often something was seen, and when."""
    count = "once" if span.count == 1 else f"{span.count:,} times"
    return f"{count}{_when(span.first, span.last)}"


def addition(one: Addition) -> str:
    """Return a new caller as an item of ``callers``, one step in."""
    lines = [f"  # seen {times(one.span)}", *_item(one.caller, {reach: times(at) for reach, at in one.reaches.items()})]
    return "\n".join(lines) + "\n"


def _item(caller: Caller, notes: dict[Reach, str]) -> Iterator[str]:
    yield f"  - name: {scalar(caller.name)}"
    yield f"    owner: {scalar(caller.owner)}"
    if caller.expires:
        yield f"    expires: {caller.expires}"
    yield "    identities:"
    for identity in caller.identities:
        yield from indented(struct(identity), 6)
    if caller.may_reach:
        yield "    may_reach:"
    for reach in caller.may_reach:
        yield from indented(struct(reach, notes.get(reach)), 6)


def indented(lines: Iterable[str], columns: int) -> Iterator[str]:
    """Yield the lines of an item of a list, the first behind its dash."""
    for number, line in enumerate(lines):
        yield f"{' ' * columns}{'  ' if number else '- '}{line}"


def struct(value: Identity | Reach, note: str | None = None) -> Iterator[str]:
    """Yield an identity's or a reach's lines; a note stands behind the first."""
    for number, (key, held) in enumerate(plain(value).items()):
        comment = f" # {note}" if note and not number else ""
        yield f"{key}: {inline(held)}{comment}"


def inline(value: Any) -> str:
    """Return a value on one line."""
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {inline(held)}" for key, held in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(inline, value)) + "]"
        case _:
            return scalar(str(value))


def scalar(text: str) -> str:
    """Return text as a scalar, quoted where it is not plain."""
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else quoted(text)


def requirement(one: Requirement) -> str:
    """Return a requirement as an item of ``requirements``, one step in."""
    return "\n".join(indented((f"{key}: {inline(value)}" for key, value in _held(one)), 2)) + "\n"


def _held(one: Requirement) -> Iterator[tuple[str, Any]]:
    for key, value in plain(one).items():
        yield key, value[0] if isinstance(value, list) and len(value) == 1 else value


def callers_of(callers: Iterable[Caller]) -> str:
    """Return a book of these callers alone, as the loader reads it."""
    items = [line for caller in callers for line in _item(caller, {})]
    return "version: 1\ncallers:" + ("\n" + "\n".join(items) if items else " []") + "\n"


def left(draft: Draft, seen: Seen) -> Iterator[str]:
    """Yield comments about what is not allowed, and what of the history says nothing about anybody."""
    for title, is_it in _CHAPTERS:
        several = [one for one in draft.left if is_it(one)]
        if several:
            yield f"# {title}"
            yield from _listed(several)
    if draft.withheld:
        yield f"# Of {draft.withheld:,} more accesses the cloud withholds the caller by design; no book can list them."
    if seen.unreadable:
        yield f"# {seen.unreadable:,} of the records could not be read; `callerid scan` names them."


def _is_refused(one: Left) -> bool:
    return one.judgement.verdict is Verdict.UNEXPECTED and one.judgement.access.outcome is Outcome.DENIED


_CHAPTERS = (
    ("Nobody is named here, so nobody can be allowed:", lambda one: one.judgement.verdict is Verdict.ANONYMOUS),
    ("The cloud itself refused these, so they are not allowed here either (--denied lists them):", _is_refused),
    (
        "These contradict themselves, break a requirement, or cannot be written exactly; somebody must look:",
        lambda one: one.judgement.verdict is Verdict.UNEXPECTED and not _is_refused(one),
    ),
)


def _listed(several: list[Left]) -> Iterator[str]:
    folded: dict[str, Span] = {}
    for one in several:
        span = folded.setdefault(_what(one), Span())
        span.count += one.span.count
        span.first = min(filter(None, (span.first, one.span.first)), default=None)
        span.last = max(filter(None, (span.last, one.span.last)), default=None)
    rows = sorted(folded.items(), key=lambda row: (-row[1].count, row[0]))
    for what, span in rows[:_LEFT_SHOWN]:
        yield f"#   {what}: {times(span)}"
    if len(rows) > _LEFT_SHOWN:
        yield f"#   and {len(rows) - _LEFT_SHOWN:,} more; `callerid scan` names each"


def _what(one: Left) -> str:
    group, access = group_of(one.judgement), one.judgement.access
    who = f"{_text(group.who)} " if group.who else ""
    reached = _text(container(access) or "") if access.target else f"({access.kind})"
    return f"{', '.join(deciding(one.judgement))}: {who}from {_text(group.origin)} to {reached}"


def _text(text: str) -> str:
    return json.dumps(text[:_LONGEST] + ("…" if len(text) > _LONGEST else ""))
