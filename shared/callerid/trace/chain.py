"""From a record back to whoever began its chain, and forward to what was done with what it issued.

Pure: the records come from an :class:`Index`. Nothing is guessed away: where several issues fit, each is a branch of
its own, and none of them is attested. The same records give the same chain in whatever order they came.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple, Protocol

from msgspec import Struct

from callerid import moment
from callerid.trace.link import Basis, Link, Mark, Origin, Sign, basis, fits, has_other_key, merged, seconds

Span = tuple[str | None, str | None]
"""The earliest and the latest time, in RFC 3339; None leaves it open."""

DEEPEST = 100
"""Steps of one chain: a role that takes itself on every hour makes four days of them."""
BRANCHES = 20
"""Candidates of one step that are followed; the others are counted."""
_LONGEST_S = 36 * 3600 + 12 * 3600
"""The longest session, and a token made at its end."""
_SLACK_S = 120
END_S = 253402300799.0
"""The last second of the year 9999, beyond which no time is written."""


class Index(Protocol):
    """Where links are found by their marks."""

    def issues(self, mark: Mark, span: Span, /) -> Iterable[Link]:
        """Return the calls of a time that issued what bears the mark."""

    def uses(self, mark: Mark, span: Span, /) -> Iterable[Link]:
        """Return the calls of a time, or sessions' calls together, that were made with what bears the mark."""


class Drift(NamedTuple):
    """A source identity that is not what it was one step before, as no single record shows."""

    code: str
    """``source-identity-appeared``, ``source-identity-changed`` or ``source-identity-dropped``."""
    issued: str | None
    shown: str | None
    record_id: str
    """The record that issued the session, beside the step's own."""


class Step(Struct, frozen=True):
    """One record of a chain with the steps before it, or, of a chain forward, behind it."""

    link: Link
    edges: tuple[Edge, ...] = ()
    more: int = 0
    """Further candidates that are not followed."""
    drifts: tuple[Drift, ...] = ()
    is_cut: bool = False
    """Whether the chain goes on beyond :data:`DEEPEST`, or in a circle."""


class Edge(NamedTuple):
    """How one step leads to another."""

    basis: Basis
    sign: Sign
    is_shared: bool
    """Whether it rests on a shared identifier, though several issues may fit."""
    step: Step


class Found(NamedTuple):
    """A call that may have issued what another was made with."""

    link: Link
    basis: Basis
    sign: Sign
    is_shared: bool


def behind(link: Link, index: Index) -> list[Found]:
    """Return the issues that a call can have been made with: of its strongest identifier that finds any."""
    span = _before(link)
    for sign, marks in groupby(link.uses, key=lambda mark: mark.sign):
        some = tuple(marks)
        issues = (issue for mark in some for issue in index.issues(mark, span) if fits(link, issue, mark))
        found = [issue for issue in whole(issues, index) if issue.access_id != link.access_id]
        if found:
            mark = some[0]
            is_shared = basis(link, mark, 1) is Basis.ATTESTED and not any(has_other_key(link, one) for one in found)
            count = len(found) if is_shared else 2
            return [Found(issue, basis(link, mark, count), sign, is_shared) for issue in found]
    return []


def _before(link: Link) -> Span:
    """Return when an issue behind a call can have been."""
    if link.began is not None:
        return _around(seconds(link.began), _SLACK_S, _SLACK_S)
    if link.time is None:
        return None, None
    first, last = seconds(link.time), seconds(link.last or link.time)
    return _at(first - _LONGEST_S - _SLACK_S), _at(last + _SLACK_S)


def _around(middle: float, before: float, after: float) -> Span:
    return _at(middle - before), _at(middle + after)


def _at(time_s: float) -> str:
    """Return a time that can be written, whatever a record says of its own."""
    return moment.at(min(max(0.0, time_s), END_S))


def whole(links: Iterable[Link], index: Index) -> list[Link]:
    """Return links with the other account's copy of each call, which may show what the one leaves out."""
    found = list(links)
    shared = {link.access_id for link in found if link.access_id not in {at.record_id for at in link.records}}
    others = (
        copy
        for access_id in sorted(shared)
        for copy in index.issues(Mark(Sign.EVENT, access_id), (None, None))
        if copy.access_id == access_id
    )
    return merged((*found, *others))


def back(link: Link, index: Index) -> Step:
    """Return the chain of a call back to its origins."""
    return _Back(index).step(link, 0)


class _Back:
    """One walk back. A record that several branches lead to is walked from once."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._steps: dict[str, Step] = {}
        self._path: set[str] = set()

    def step(self, link: Link, depth: int) -> Step:
        known = self._steps.get(link.access_id)
        if known is not None:
            return known
        if link.access_id in self._path or depth >= DEEPEST:
            return Step(link, is_cut=True)
        self._path.add(link.access_id)
        found = behind(link, self._index)
        edges = tuple(
            Edge(one.basis, one.sign, one.is_shared, self.step(one.link, depth + 1)) for one in found[:BRANCHES]
        )
        self._path.remove(link.access_id)
        made = Step(link, edges, len(found) - len(edges), tuple(_drifts(link, found)))
        self._steps[link.access_id] = made
        return made


def _drifts(link: Link, found: Sequence[Found]) -> Iterator[Drift]:
    """Yield where a session shows another source identity than it was issued with; only where it is certain."""
    if len(found) == 1 and found[0].basis is Basis.ATTESTED and found[0].sign in (Sign.KEY, Sign.ROLE_ID):
        one = drift(link, found[0].link)
        if one is not None:
            yield one


def drift(link: Link, issue: Link) -> Drift | None:
    """Compare the source identity of a session with what it was issued with.

    A call that a service passed on never shows one.
    """
    issued, shown = issue.after, link.before
    if issued == shown or (shown is None and link.is_forwarded):
        return None
    code = "appeared" if issued is None else "dropped" if shown is None else "changed"
    return Drift(f"source-identity-{code}", issued, shown, issue.record_id)


def forward(link: Link, index: Index) -> Step:
    """Return what was done with what a call issued: calls, and sessions that it led to in turn."""
    return _Forward(index).step(link, 0)


class _Forward:
    """One walk forward; as in the walk back, each record is walked from once."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._seen: set[str] = set()

    def step(self, link: Link, depth: int) -> Step:
        if not link.is_issue:
            return Step(link)
        if link.access_id in self._seen or depth >= DEEPEST:
            return Step(link, is_cut=True)
        self._seen.add(link.access_id)
        edges = [
            Edge(found.basis, found.sign, found.is_shared, self.step(use, depth + 1))
            for use in self._uses(link)
            for found in behind(use, self._index)
            if found.link.access_id == link.access_id
        ]
        return Step(link, tuple(edges))

    def _uses(self, link: Link) -> list[Link]:
        span = _after(link)
        found = (use for mark in link.makes for use in self._index.uses(mark, span))
        return [use for use in whole(found, self._index) if use.access_id != link.access_id]


def _after(link: Link) -> Span:
    if link.time is None:
        return None, None
    return _at(seconds(link.time) - _SLACK_S), _at(seconds(link.time) + _LONGEST_S)


def origins(step: Step) -> list[Origin]:
    """Return who a chain ends at, each with the basis of the whole way: that of its weakest link.

    Several issues of one identifier prove none of them; but where all of them end at the same origin, it is proven.
    """
    found: dict[tuple[str, str, str | None, bool], Origin] = {}
    for origin in _origins(step):
        key = (origin.name, origin.what, origin.issuer, origin.is_end)
        known = found.get(key)
        if known is None or _BASES.index(origin.basis) < _BASES.index(known.basis):
            found[key] = origin
    return sorted(found.values(), key=lambda origin: (_BASES.index(origin.basis), origin.what, origin.name))


_BASES = tuple(Basis)


def _origins(step: Step) -> Iterator[Origin]:
    if not step.edges:
        if step.link.origin is not None:
            yield step.link.origin
        return
    each = [origins(edge.step) for edge in step.edges]
    agree = step.more == 0 and all(len(found) == 1 and found == each[0] for found in each)
    for edge, found in zip(step.edges, each, strict=True):
        own = Basis.ATTESTED if agree and edge.is_shared else edge.basis
        for origin in found:
            weakest = max(own, origin.basis, key=_BASES.index)
            yield Origin(origin.name, origin.what, origin.issuer, origin.is_end, weakest)


def steps(step: Step) -> Iterator[Step]:
    """Yield every step of a chain, each once."""
    seen: set[str] = set()
    rest = [step]
    while rest:
        one = rest.pop()
        if one.link.access_id not in seen:
            seen.add(one.link.access_id)
            yield one
            rest += [edge.step for edge in one.edges]
