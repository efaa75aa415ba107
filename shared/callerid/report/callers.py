"""The table of callers: routes of one caller on one line, each with the targets that it reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct, field

from callerid.judgement import Verdict
from callerid.report import names
from callerid.report.figures import Flow, of_verdict

MOST = 20_000
"""Callers in the page; it stays usable, and whoever makes up subjects cannot make it grow without end."""
MOST_TARGETS = 200
"""Targets listed for one caller."""
VERDICTS = (Verdict.IDENTIFIED, Verdict.NAMED, Verdict.UNEXPECTED, Verdict.ANONYMOUS, Verdict.UNATTRIBUTABLE)
"""In the order of the counts of a row."""


class Reached(Struct, array_like=True):
    """What a caller reached, as the page's script reads it."""

    target: str
    place: str
    cloud: str
    through: str
    """The issuer, provider, pool or account that the caller came from."""
    counts: list[int]
    """By verdict, in the order of ``VERDICTS``."""
    denied: int
    sessions: int
    first: str
    last: str


class Caller(Struct, array_like=True):
    """One line of the table, as the page's script reads it."""

    name: str
    beside: str
    """Its owner by the caller book, or from where it came."""
    listed: bool
    counts: list[int] = field(default_factory=lambda: [0] * len(VERDICTS))
    denied: int = 0
    sessions: int = 0
    first: str = ""
    last: str = ""
    reached: list[Reached] = field(default_factory=list)
    more: int = 0
    """Targets that are not listed."""
    clouds: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Return how many accesses these are."""
        return sum(self.counts)

    @property
    def reaches(self) -> int:
        """Return how many targets and steps it reached, each once, by whatever way."""
        return len({(reached.target, reached.place) for reached in self.reached}) + self.more

    @property
    def findings(self) -> int:
        """Return how many of them are worth telling a person."""
        return self.counts[VERDICTS.index(Verdict.UNEXPECTED)] + self.counts[VERDICTS.index(Verdict.ANONYMOUS)]


def table(flows: Sequence[Flow]) -> list[Caller]:
    """Return the callers, those with findings first, then the most frequent."""
    found: dict[tuple[str, str, str], Caller] = {}
    for flow in flows:
        key = key_of(flow)
        row = found.get(key)
        if row is None:
            row = found[key] = _empty(flow)
        _add(row, flow)
    return sorted(found.values(), key=lambda row: (-row.findings, -row.total, row.name, row.beside))


def key_of(flow: Flow) -> tuple[str, str, str]:
    """Return what makes a caller one: its entry wherever it came from, else its name and where it came from."""
    route = flow.route
    return (route.caller, "", "") if route.caller else ("", route.who, route.origin)


def _empty(flow: Flow) -> Caller:
    route = flow.route
    if route.caller:
        return Caller(names.whole(route.caller), names.whole(route.owner), listed=True)
    name, origin = names.who(route.who), names.short(route.origin)
    return Caller(name.text, origin.text, listed=False)


def _add(row: Caller, flow: Flow) -> None:
    counts = by_verdict(flow.counts)
    row.counts = [before + more for before, more in zip(row.counts, counts, strict=True)]
    row.denied += flow.denied
    row.sessions += flow.sessions
    row.first = min(filter(None, (row.first, flow.first)), default="")
    row.last = max(filter(None, (row.last, flow.last)), default="")
    cloud = names.cloud(flow.route.cloud)
    if cloud not in row.clouds:
        row.clouds.append(cloud)
    if len(row.reached) >= MOST_TARGETS:
        row.more += 1
        return
    target = names.short(flow.route.target) if flow.route.target else names.Name(step(flow.kinds))
    row.reached.append(
        Reached(
            target.text,
            target.place,
            cloud,
            names.short(flow.route.origin).text,
            counts,
            flow.denied,
            flow.sessions,
            flow.first or "",
            flow.last or "",
        )
    )


def by_verdict(counts: Counter[str]) -> list[int]:
    """Return the accesses by verdict, in the order of ``VERDICTS``."""
    return [of_verdict(counts, verdict) for verdict in VERDICTS]


def step(kinds: Counter[str]) -> str:
    """Return what stands for the target of a kind that has none: which step it was."""
    return f"({' and '.join(kind.replace('-', ' ') for kind in _known(kinds)) or 'a call'})"


def _known(kinds: Counter[str]) -> Iterable[str]:
    return (kind for kind, number in sorted(kinds.items()) if kind and number > 0)
