"""Figures into one page of HTML that needs nothing else: no network, no other file, no colour.

What came from a log is escaped by Jinja wherever it stands, and in the data for the script by :func:`_data`. A
content security policy in the page allows its own style and script, by their digests, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple

import msgspec
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from callerid import __version__
from callerid.judgement import JUDGED, Verdict
from callerid.report import callers, chains, charts, names, told
from callerid.report.figures import HOURS, Figures, Heard, Share, of_verdict, share
from callerid.report.picture import picture
from callerid.trace.run import Result
from callerid.trace.show import CALLS_SHOWN

_ROWS_WITHOUT_SCRIPT = 50
"""Lines of the table that stand in the page itself, for who reads it without its script."""
_TARGETS, _SOURCES, _ASIDES, _UNSEEN = 40, 60, 20, 100
"""Lines of the small tables before the rest is only counted."""
_OPEN = 12
"""Findings of a reason that stand open; the rest is one click away."""


class Origin(NamedTuple):
    """What a report was made from, and when."""

    source: str
    """The ledger, or the logs."""
    made: str
    """RFC 3339."""
    policy: str | None = None
    """The policy's digest, where it is known."""
    passed_over: str = ""
    broken_off: tuple[str, ...] = ()
    """What could not be read to its end, and why."""


class _Row(NamedTuple):
    """One line of a small table: a name, its share, and a strip over time."""

    name: names.Name
    cloud: str
    share: Share
    strip: Markup


class _Source(NamedTuple):
    """One log, and when it was heard."""

    cloud: str
    account: str
    region: str
    hours: int
    strip: Markup


def page(found: Figures, origin: Origin, traced: Sequence[Result] = ()) -> str:
    """Return the whole page. ``traced`` is what was found of each name that is to be traced."""
    style, script = _asset("page.css"), _asset("page.js")
    rows, totals, one = callers.table(found.flows), _totals(found), share(found.counts())
    template = _environment().get_template("page.html")
    return template.render(
        style=Markup(style),  # noqa: S704  # our own file
        script=Markup(script),  # noqa: S704
        policy=f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; img-src data:;"
        " base-uri 'none'; form-action 'none'",
        version=__version__,
        origin=origin,
        period=f"{found.days[0]} to {found.days[-1]}",
        days=found.days,
        share=one,
        totals=totals,
        clouds=[_cloud(found, cloud) for cloud in found.clouds],
        charts=charts,
        parts=charts.parts(totals.identified, totals.unexpected, one.judged),
        found=found,
        picture=picture(found.flows),
        targets=_targets(found),
        more_targets=max(0, len(found.targets) - _TARGETS),
        sources=_sources(found),
        more_sources=max(0, len(found.heard) - _SOURCES),
        heard=sum(heard.total for heard in found.heard),
        heard_of=HOURS * len(found.days) * len(found.heard),
        open=_OPEN,
        groups=told.groups(found.findings, found.times),
        more_findings=max(0, len(found.findings) - told.MOST),
        rows=rows[:_ROWS_WITHOUT_SCRIPT],
        number_of_callers=len(rows),
        data=_data(rows[: callers.MOST]),
        more_callers=max(0, len(rows) - callers.MOST),
        undated=of_verdict(found.undated, *JUDGED),
        unreadable=of_verdict(found.undated + found.counts(), Verdict.UNREADABLE),
        asides=found.asides[:_ASIDES],
        unseen=found.unseen[:_UNSEEN],
        more_unseen=max(0, len(found.unseen) - _UNSEEN),
        traces=chains.places(chains.traces(traced)),
        limits=(chains.CHAINS, chains.STEPS, chains.CALLS, CALLS_SHOWN),
    )


def _environment() -> Environment:
    """Return what reads the templates: all that is put into them is escaped."""
    environment = Environment(
        loader=FunctionLoader(_asset), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["percent"] = lambda one: charts.percent(*one)
    environment.filters["number"] = "{:,}".format
    environment.filters["minute"] = minute
    environment.filters["second"] = second
    environment.filters["text"] = names.whole
    environment.filters["code"] = _code
    return environment


def minute(time: str | None) -> str:
    """Return a moment to the minute, in UTC."""
    return time[:16].replace("T", " ") if time else "–"


def second(time: str | None) -> str:
    """Return a moment to the second, in UTC: the steps of a chain may be one apart."""
    return time[:19].replace("T", " ") if time else "at an unknown time"


def _code(text: str) -> Markup:
    """Return a paragraph with what stands between backticks as code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else part for index, part in enumerate(parts)
    )


def _asset(name: str) -> str:
    return files("callerid.report").joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """Return what a content security policy knows an inline style or script by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _data(rows: Sequence[callers.Caller]) -> Markup:
    """Return the rows as JSON that no browser takes for the end of its element, or for a comment."""
    text = msgspec.json.encode(rows).decode()
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704  # escaped just above


class _Totals(NamedTuple):
    """The accesses of the period by what they ended in."""

    identified: int
    unexpected: int
    anonymous: int
    unattributable: int
    out_of_scope: int
    denied: int


def _totals(found: Figures) -> _Totals:
    counts = found.counts()
    judged = {tag: number for tag, number in counts.items() if tag.partition(" ")[0] in JUDGED}
    return _Totals(
        of_verdict(counts, Verdict.IDENTIFIED, Verdict.NAMED),
        of_verdict(counts, Verdict.UNEXPECTED),
        of_verdict(counts, Verdict.ANONYMOUS),
        of_verdict(counts, Verdict.UNATTRIBUTABLE),
        of_verdict(counts, Verdict.OUT_OF_SCOPE),
        sum(number for tag, number in judged.items() if tag.endswith(" denied")),
    )


class _Cloud(NamedTuple):
    """One cloud in the period."""

    word: str
    name: str
    is_heard: bool
    share: Share
    silent: int
    """Days on which nothing of it was heard."""


def _cloud(found: Figures, cloud: str) -> _Cloud:
    silent = sum(not found.is_heard(cloud, [day]) for day in found.days)
    is_heard = found.is_heard(cloud, found.days)
    return _Cloud(cloud, names.cloud(cloud), is_heard, share(found.counts(cloud)), silent)


def _targets(found: Figures) -> list[_Row]:
    """Return the targets with the most accesses without a name first, then the most frequent."""
    sums = {key: sum(by_day.values(), Share()) for key, by_day in found.targets.items()}
    order = sorted(sums, key=lambda key: (sums[key].named - sums[key].judged, -sums[key].judged, key))
    return [
        _Row(
            names.short(target),
            names.cloud(cloud),
            sums[cloud, target],
            charts.share_strip(found, cloud, found.targets[cloud, target]),
        )
        for cloud, target in order[:_TARGETS]
    ]


def _sources(found: Figures) -> list[_Source]:
    """Return the logs, those that were heard least first."""

    def source(heard: Heard) -> _Source:
        return _Source(
            names.cloud(heard.cloud),
            names.whole(heard.account) or "no account shown",
            names.whole(heard.region) or "–",
            heard.total,
            charts.hours_strip(found, heard),
        )

    return [source(heard) for heard in sorted(found.heard, key=lambda heard: heard.total)[:_SOURCES]]
