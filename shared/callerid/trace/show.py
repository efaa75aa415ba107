"""A chain as text, as JSON lines, as a graph for Graphviz.

What a caller chose can neither steer a terminal nor break out of a quoted name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, field

from callerid.access import Outcome
from callerid.names import arn, principal
from callerid.names.printable import inert, printable
from callerid.trace.chain import Drift, Edge, Step, origins
from callerid.trace.link import Link, Origin

LONGEST = 160
"""Characters of a name in a tree; the JSON has it whole."""
CALLS_SHOWN = 50
SERVICES_SHOWN = 3
_FRACTION = re.compile(r"\.\d+(?=Z$)", re.ASCII)
Calls = Mapping[str, Sequence[Link]]
"""Of sessions' calls together, by their id: each call."""


class Chain(Struct, frozen=True):
    """What one query found: a record with what is behind it and, where wanted, what followed."""

    back: Step
    forward: tuple[Step, ...] = ()


def tree(chain: Chain, calls: Calls) -> Iterator[str]:
    """Yield a chain line by line: the record asked for, below it where it comes from, then where it led."""
    yield _line(chain.back.link)
    yield from _Branches({}, is_back=True).below(chain.back, "")
    for origin in origins(chain.back):
        yield f"= {_ended(origin)}, {origin.basis}"
    for step in chain.forward:
        yield f"> with what {_call(step.link.call)} {_record(step.link)} issued:"
        yield from _Branches(calls, is_back=False, seen={chain.back.link.access_id}).below(step, "")


class _Branches(Struct):
    """One walk through a chain, as branches of a tree; a step that several lead to is told whole once."""

    calls: Calls
    is_back: bool
    seen: set[str] = field(default_factory=set)

    def below(self, step: Step, indent: str) -> Iterator[str]:
        for drift in step.drifts:
            yield f"{indent}! {_drift(drift)}"
        rows = list(self._rows(step))
        for number, (text, inner) in enumerate(rows):
            is_last = number == len(rows) - 1
            again = inner is not None and inner.link.access_id in self.seen and bool(inner.edges)
            yield f"{indent}{'└─' if is_last else '├─'} {text}{' (as above)' if again else ''}"
            if inner is not None and not again:
                self.seen.add(inner.link.access_id)
                yield from self.below(inner, indent + ("   " if is_last else "│  "))

    def _rows(self, step: Step) -> Iterator[tuple[str, Step | None]]:
        for edge in step.edges:
            yield f"{edge.basis} ({edge.sign}): {self._beside(step.link, edge.step.link)}", edge.step
        calls = self.calls.get(step.link.access_id, ())
        for call in calls[:CALLS_SHOWN]:
            yield self._beside(step.link, call), None
        if len(calls) > CALLS_SHOWN:
            yield f"… {len(calls) - CALLS_SHOWN:,} more calls", None
        if step.more:
            yield f"… {step.more:,} more that fit as well", None
        if step.is_cut:
            yield "… and so on", None

    def _beside(self, above: Link, link: Link) -> str:
        """Return a step's line without the name that the line above says: what was issued is what was used there."""
        if self.is_back:
            return _line(link, known_made=above.who)
        return _line(link, known_who=above.made or above.who)


def _line(link: Link, *, known_made: str | None = None, known_who: str | None = None) -> str:
    """Return who did what, when, for whom, and which record says so."""
    parts = [_second(link.time) or "at an unknown time", _call(link.call) or "a call"]
    if link.calls:
        total = sum(count for _, count in link.calls)
        services = ", ".join(f"{_short(name) or '-'} {count:,}" for name, count in most(link.calls, SERVICES_SHOWN))
        parts = [_second(link.time) or "at an unknown time", f"{total:,} call{'s'[: total > 1]} ({services})"]
        if link.last and link.last != link.time:
            parts[0] += f" to {_second(link.last)}"
    if link.made and link.made not in (link.who, known_made):
        parts.append(f"for {_short(link.made)}")
    if link.who and link.who != known_who:
        parts.append(f"by {_short(link.who)}")
    if link.outcome is Outcome.DENIED and not link.calls:
        parts.append("(denied)")
    return " ".join((*parts, _record(link)))


def most(calls: Iterable[tuple[str, int]], number: int) -> list[tuple[str, int]]:
    """Return the services that were called most, and the rest of them as one."""
    ordered = sorted(calls, key=lambda call: (-call[1], call[0]))
    rest = sum(count for _, count in ordered[number:])
    return ordered[:number] + ([("others", rest)] if rest else [])


def _record(link: Link) -> str:
    ids = dict.fromkeys(_short(at.record_id.rpartition("/")[2]) for at in link.records if at.record_id)
    return f"[{', '.join(ids)}]" if ids else "[no record id]"


def _second(time: str | None) -> str:
    """Return a moment without its fraction; a person asks for the second."""
    return _FRACTION.sub("", time) if time else ""


def _ended(origin: Origin) -> str:
    issuer = f" of {_whole(origin.issuer)}" if origin.issuer else ""
    end = "" if origin.is_end else "; who stands behind it is not in these records"
    return f"{origin.what} {_whole(origin.name)}{issuer}{end}"


def _drift(drift: Drift) -> str:
    was, now = _short(drift.issued or "none"), _short(drift.shown or "none")
    return f"{drift.code}: issued with {was}, shows {now}"


def _call(name: str) -> str:
    return _short(without_package(name))


def without_package(call: str) -> str:
    """Return a call's name without the package that Google writes before it."""
    return ".".join(call.split(".")[-2:]) if call.startswith("google.") else call


def _short(text: str) -> str:
    """Return a name as a step says it: ``deploy/run-7 (111111111111)`` for the ARN of a role's session, say."""
    found = principal.parse(text)
    name, places = _named(found.subject if found else text)
    if found:
        places.append(f"pool {found.pool.rpartition('/')[2]}")
    return _cut(f"{name} ({', '.join(places)})" if places else name)


def _named(text: str) -> tuple[str, list[str]]:
    """Return a principal without what every ARN has, and its account."""
    found = arn.parse(text)
    if found is None or found.type == "root":
        return text, []
    own = f"{found.name}/{found.session}" if found.session else f"{found.type}/{found.name}"
    return own, [found.account]


def _whole(text: str) -> str:
    """Return a name by which it can be asked for; of a pool's identity its subject and the pool's id."""
    found = principal.parse(text)
    return _cut(f"{found.subject} (pool {found.pool.rpartition('/')[2]})" if found else text)


def _cut(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


def rows(chain: Chain, number: int, calls: Calls) -> Iterator[bytes]:
    """Yield a chain as JSON lines: a step a line, with the step that it stands under."""
    yield from _Rows(number, "back", {}).of(chain.back)
    for step in chain.forward:
        yield from _Rows(number, "forward", calls).of(step)


class _Rows(Struct):
    """One walk through a chain; a step that several lead to is told whole once."""

    number: int
    direction: str
    calls: Calls
    seen: set[str] = field(default_factory=set)

    def of(self, step: Step, under: str | None = None, edge: Edge | None = None) -> Iterator[bytes]:
        link = step.link
        told = msgspec.json.encode(
            {
                "chain": self.number,
                "direction": self.direction,
                "id": link.access_id,
                "under": under,
                "basis": edge.basis if edge else None,
                "by": edge.sign if edge else None,
                **_shown(link),
                "more": step.more,
                "drifts": [drift._asdict() for drift in step.drifts],
                "origins": [_told(origin) for origin in origins(step)] if self.direction == "back" else [],
            }
        )
        yield inert(told)
        if link.access_id in self.seen:
            return
        self.seen.add(link.access_id)
        for inner in step.edges:
            yield from self.of(inner.step, link.access_id, inner)
        for call in self.calls.get(link.access_id, ()):
            beside = {"chain": self.number, "direction": "call", "id": call.access_id, "under": link.access_id}
            yield inert(msgspec.json.encode({**beside, **_shown(call)}))


def _told(origin: Origin) -> dict[str, Any]:
    return {name: getattr(origin, name) for name in origin.__struct_fields__}


def _shown(link: Link) -> dict[str, Any]:
    return {
        "cloud": link.cloud,
        "kind": link.kind,
        "call": link.call,
        "service": link.service,
        "time": link.time,
        "last": link.last,
        "who": link.who,
        "made": link.made,
        "outcome": link.outcome,
        "account": link.account,
        "source_identity": link.after or link.before,
        "records": [at._asdict() for at in link.records],
        "calls": dict(link.calls),
    }


def dot(chains: Iterable[Chain]) -> Iterator[str]:
    """Yield chains as one graph, whose arrows point from who began to what was done."""
    yield "digraph trace {"
    yield "  rankdir=LR; node [shape=box, fontname=monospace];"
    nodes: dict[str, str] = {}
    arrows: dict[str, None] = {}
    for chain in chains:
        _draw(chain.back, nodes, arrows, is_back=True)
        for step in chain.forward:
            _draw(step, nodes, arrows, is_back=False)
    yield from (f"  {_quoted(name)} [label={_quoted(label)}];" for name, label in nodes.items())
    yield from arrows
    yield "}"


def _draw(step: Step, nodes: dict[str, str], arrows: dict[str, None], *, is_back: bool) -> None:
    link = step.link
    if link.access_id in nodes and not step.edges:
        return
    nodes[link.access_id] = f"{_call(link.call)}\n{_short(link.who or '')}\n{link.time or ''}"
    for edge in step.edges:
        ends = (edge.step.link.access_id, link.access_id) if is_back else (link.access_id, edge.step.link.access_id)
        style = {"attested": "solid", "correlated": "dashed"}.get(edge.basis, "dotted")
        arrow = f"  {_quoted(ends[0])} -> {_quoted(ends[1])} [label={_quoted(edge.sign)}, style={style}];"
        if arrow not in arrows:
            arrows[arrow] = None
            _draw(edge.step, nodes, arrows, is_back=is_back)
    if is_back and not step.edges and link.origin:
        name = f"origin {link.origin.what} {link.origin.name}"
        nodes[name] = f"{link.origin.what}\n{_short(link.origin.name)}"
        arrows[f"  {_quoted(name)} -> {_quoted(link.access_id)};"] = None


def _quoted(text: str) -> str:
    """Return a string as Graphviz reads it; a newline of ours is a line break, none of a log's is left."""
    lines = (printable(line).replace("\\", "\\\\").replace('"', '\\"') for line in text.split("\n"))
    return '"' + r"\n".join(lines) + '"'
