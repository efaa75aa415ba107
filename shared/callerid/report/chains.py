"""Traced chains as the page tells them: what was asked for, step by step back to who began it, and what followed.

A chain is a tree that may be a hundred steps deep; the page has it as a list, so that it fits a phone and paper. A step
that alone leads to the one above stands below it, only branches are set in, and each names the step that it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct, field

from callerid.access import Outcome
from callerid.names import principal
from callerid.report import names
from callerid.trace import show
from callerid.trace.chain import Drift, Edge, origins, steps
from callerid.trace.chain import Step as Found
from callerid.trace.link import Link, Origin
from callerid.trace.run import Result

CHAINS = 20
"""Chains of one query, as ``callerid trace`` shows by itself."""
STEPS = 500
"""Steps of one query, of all its chains together, there and back: some 300 KB of the page."""
CALLS = 500
"""Single calls of one query; of one session no more than ``callerid trace`` shows."""
_DEEPEST = 6
"""Branches within branches that are still set in further; a phone has no room for more."""
_SERVICES = 10


class Record(NamedTuple):
    """A record that proves a step, and where it stands."""

    id: str
    place: str


class Call(NamedTuple):
    """One call of a session."""

    time: str
    name: str
    service: str
    account: str
    is_denied: bool
    record: Record


class Step(NamedTuple):
    """One line of the list."""

    number: int
    """From 1 within its chain, on through what followed."""
    of: int | None
    """The step that it led to or, of what followed, that it came of; None of what was asked for."""
    depth: int
    basis: str
    """``attested``, ``correlated``, ``inferred``, or empty of what was asked for."""
    sign: str
    time: str
    last: str
    """Of calls together the last one's time, where it is another."""
    call: str
    who: names.Name
    made: names.Name
    """What was issued, where that is somebody else."""
    place: str
    """Cloud and account."""
    is_denied: bool
    records: list[Record]
    drifts: list[str]
    total: int
    """Of a session's calls together, how many, 0 of any other step."""
    services: list[tuple[str, int]]
    calls: list[Call]
    more_calls: int
    """Single calls that are known and not shown."""
    again: int | None
    """The step that shows what is behind this one, where one has been there already."""
    more: int
    """Further candidates that fit as well."""
    is_cut: bool


class End(NamedTuple):
    """Who a chain ends at."""

    what: str
    name: names.Name
    issuer: str
    is_end: bool
    basis: str


class Followed(NamedTuple):
    """What was done with what one call issued."""

    call: str
    record: str
    steps: list[Step]
    more: int


class Chain(NamedTuple):
    """One chain: back to who began it, and on."""

    ends: list[End]
    back: list[Step]
    more: int
    """Steps back that are not shown."""
    followed: list[Followed]


class Trace(NamedTuple):
    """What one query found."""

    query: str
    chains: list[Chain]
    more: int
    """Chains that are not shown."""


def traces(results: Iterable[Result]) -> list[Trace]:
    """Return what each query found, so much of it as a page can hold; how much is left out is counted."""
    return [_trace(result) for result in results]


def _trace(result: Result) -> Trace:
    left = _Left()
    shown = [_chain(chain, result.calls, left) for chain in result.chains[:CHAINS]]
    return Trace(names.whole(result.named), shown, len(result.chains) - len(shown) + result.more)


def _chain(chain: show.Chain, calls: show.Calls, left: _Left) -> Chain:
    walk = _Walk(left, {})
    back, more = walk.down(chain.back)
    return Chain([_end(origin) for origin in origins(chain.back)], back, more, list(_followed(chain, calls, walk)))


def _followed(chain: show.Chain, calls: show.Calls, back: _Walk) -> Iterator[Followed]:
    number = back.number
    for root in chain.forward:
        walk = _Walk(back.left, calls, number, {root.link.access_id: back.seen.get(root.link.access_id, 0)})
        shown, more = walk.below(root)
        number = walk.number
        yield Followed(_call(root.link), _record_id(root.link), shown, more)


class _Left(Struct):
    """How much more of one query the page can hold."""

    steps: int = STEPS
    calls: int = CALLS


class _Walk(Struct):
    """One walk through a chain, which numbers its steps; what several lead to is told whole once."""

    left: _Left
    calls: show.Calls
    number: int = 0
    seen: dict[str, int] = field(default_factory=dict)

    def down(self, found: Found) -> tuple[list[Step], int]:
        """Return a step with all behind it, and how many of them are left out."""
        shown = list(self._step(found, None, None, 0))
        return shown, self._left_out(found)

    def below(self, found: Found) -> tuple[list[Step], int]:
        """Return the same without the step itself, which stands elsewhere."""
        shown = list(self._edges(found, 0))
        return shown, self._left_out(found)

    def _left_out(self, found: Found) -> int:
        return sum(step.link.access_id not in self.seen for step in steps(found))

    def _step(self, found: Found, edge: Edge | None, of: int | None, depth: int) -> Iterator[Step]:
        if self.left.steps <= 0:
            return
        self.left.steps -= 1
        self.number += 1
        again = self.seen.get(found.link.access_id) if found.edges else None
        self.seen.setdefault(found.link.access_id, self.number)
        yield self._told(found, edge, of, depth, again)
        if again is None:
            yield from self._edges(found, depth)

    def _edges(self, found: Found, depth: int) -> Iterator[Step]:
        of, inner = self.seen.get(found.link.access_id) or None, min(_DEEPEST, depth + (len(found.edges) > 1))
        for edge in found.edges:
            yield from self._step(edge.step, edge, of, inner)

    def _told(self, found: Found, edge: Edge | None, of: int | None, depth: int, again: int | None) -> Step:
        link, calls = found.link, self._calls(found.link)
        made = link.made if link.made != link.who else None
        return Step(
            number=self.number,
            of=of,
            depth=depth,
            basis=edge.basis.value if edge else "",
            sign=edge.sign.value if edge else "",
            time=link.time or "",
            last=(link.last or "") if link.last != link.time else "",
            call=_call(link),
            who=_name(link.who or names.NOBODY),
            made=_name(made or ""),
            place=f"{names.cloud(link.cloud)} {names.whole(link.account)}".strip(),
            is_denied=link.outcome is Outcome.DENIED and not link.calls,
            records=list(_records(link)),
            drifts=[_drift(drift) for drift in found.drifts],
            total=sum(number for _, number in link.calls),
            services=_services(link),
            calls=calls,
            more_calls=len(self.calls.get(link.access_id, ())) - len(calls),
            again=again,
            more=found.more,
            is_cut=found.is_cut,
        )

    def _calls(self, link: Link) -> list[Call]:
        shown = self.calls.get(link.access_id, ())[: min(show.CALLS_SHOWN, self.left.calls)]
        self.left.calls -= len(shown)
        return [_single(call) for call in shown]


def _single(link: Link) -> Call:
    record = next(_records(link), Record("", ""))
    account = names.whole(link.account)
    is_denied = link.outcome is Outcome.DENIED
    return Call(link.time or "", _call(link), names.whole(link.service), account, is_denied, record)


def _end(origin: Origin) -> End:
    return End(origin.what, _name(origin.name), names.whole(origin.issuer), origin.is_end, origin.basis.value)


def _records(link: Link) -> Iterator[Record]:
    for at in link.records:
        yield Record(names.whole(at.record_id.rpartition("/")[2]), names.whole(at.source))


def _record_id(link: Link) -> str:
    return names.whole(link.record_id.rpartition("/")[2])


def _drift(drift: Drift) -> str:
    was, now = names.whole(drift.issued) or "none", names.whole(drift.shown) or "none"
    return f"{drift.code.replace('-', ' ')}: issued with {was}, shows {now}"


def _services(link: Link) -> list[tuple[str, int]]:
    return [(names.whole(service) or "–", number) for service, number in show.most(link.calls, _SERVICES)]


def _call(link: Link) -> str:
    return names.whole(show.without_package(link.call)) or "a call"


def _name(text: str) -> names.Name:
    """Return a whole name; of a pool's identity its subject, and the pool beside it."""
    found = principal.parse(text)
    return (
        names.Name(names.whole(found.subject), f"pool {names.whole(found.pool)}")
        if found
        else names.Name(names.whole(text))
    )


def places(shown: Sequence[Trace]) -> list[tuple[str, Trace]]:
    """Return each with the anchor that it stands at."""
    return [(f"trace-{number}", trace) for number, trace in enumerate(shown, 1)]
