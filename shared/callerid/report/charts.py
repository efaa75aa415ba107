"""Charts over time, and the small strips of a table. What was not observed is drawn as such, never as nought.

pygal draws; its colours, script and comments go, so that the page's own style sheet decides for light, dark and
print. Nothing here tells things apart by colour alone: each part has a pattern too, and every column a title.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import pygal
from markupsafe import Markup

from callerid.judgement import Verdict
from callerid.report.figures import HOURS, Figures, Heard, Share, of_verdict, share
from callerid.summary import words

# pygal hooks into every later import to find map plugins, in a way that Python 3.11 warns of and 3.12 ignores.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]

DAYS_AS_COLUMNS = 45
"""More days than this are drawn by the week."""
_SVG = "{http://www.w3.org/2000/svg}"
_WHOLE, _HALF = (920, 190), (450, 150)
"""Width and height of a chart, and of one beside another."""
_STRIP, _THIN, _WIDE = 200, 5, 26
"""Width of a strip, if its columns become neither too thin nor too wide."""
_KEPT = ("class", "d", "x", "y", "width", "height", "transform")


class Column(NamedTuple):
    """A day or a week of a chart."""

    label: str
    title: str
    days: Sequence[str]


def columns(days: Sequence[str]) -> list[Column]:
    """Return the days of a period as they are drawn: each, or by the ISO week."""
    if len(days) <= DAYS_AS_COLUMNS:
        return [Column(_short(day), day, [day]) for day in days]
    weeks: dict[str, list[str]] = {}
    for day in days:
        year, week, _ = date.fromisoformat(day).isocalendar()
        weeks.setdefault(f"{year}-W{week:02}", []).append(day)
    return [Column(week[5:], f"{week}, {held[0]} to {held[-1]}", held) for week, held in weeks.items()]


def _short(day: str) -> str:
    """Return ``2 Nov`` of ``2026-11-02``."""
    one = date.fromisoformat(day)
    return f"{one.day} {one:%b}"


def share_over_time(found: Figures, cloud: str | None = None) -> Markup:
    """Return the share with a name, a column a day or week; of one cloud, or of both."""
    size = _HALF if cloud else _WHOLE
    chart = _chart("share", found.days, size, numbers=True, range=(0, 100), y_labels=[0, 50, 100])
    chart.value_formatter = _percent
    named, unnamed, unheard = [], [], []
    for column in columns(found.days):
        one = share(found.counts(cloud, column.days))
        heard = found.is_heard(cloud, column.days)
        filled = 100 * one.named / one.judged if one.judged else None
        label = f"{column.title}: {_said(one)}"
        named.append(_value(filled, label))
        unnamed.append(_value(None if filled is None else 100 - filled, label))
        unheard.append(_value(None if heard else 100, f"{column.title}: not observed"))
    for title, values in (("a name", named), ("no name", unnamed), ("not observed", unheard)):
        chart.add(title, values)
    return _drawn(chart, size)


def accesses_over_time(found: Figures) -> Markup:
    """Return the number of judged accesses, a column a day or week, by what they ended in."""
    chart = _chart("accesses", found.days, _WHOLE, numbers=False, min_scale=2, max_scale=5)
    chart.value_formatter = _number
    groups = (
        ("identified", (Verdict.IDENTIFIED, Verdict.NAMED)),
        ("unexpected", (Verdict.UNEXPECTED,)),
        ("anonymous", (Verdict.ANONYMOUS,)),
        ("unattributable", (Verdict.UNATTRIBUTABLE,)),
    )
    counted = [(column, found.counts(None, column.days)) for column in columns(found.days)]
    for title, verdicts in groups:
        numbers = [(column, of_verdict(counts, *verdicts)) for column, counts in counted]
        chart.add(title, [_value(number, f"{column.title}: {number:,} {title}") for column, number in numbers])
    return _drawn(chart, _WHOLE)


def share_strip(found: Figures, cloud: str, by_day: dict[str, Share]) -> Markup:
    """Return a target's share over time, small enough for a table."""

    def part(column: Column) -> tuple[float | None, str]:
        one = sum((by_day.get(day, Share()) for day in column.days), Share())
        if one.judged:
            return one.named / one.judged, _said(one)
        return (0, "no access") if found.is_heard(cloud, column.days) else (None, "not observed")

    return _strip(found.days, part, is_share=True)


def hours_strip(found: Figures, heard: Heard) -> Markup:
    """Return in how many hours a log was heard over time, small enough for a table."""

    def part(column: Column) -> tuple[float | None, str]:
        hours = sum(heard.hours.get(day, 0).bit_count() for day in column.days)
        of = HOURS * len(column.days)
        return (hours / of, f"records in {hours} of {of} hours") if hours else (None, "nothing heard")

    return _strip(found.days, part, is_share=False)


def bar(one: Share) -> Markup:
    """Return a share as a bar."""
    return _bar([("named", one.named), ("rest", one.judged - one.named)])


def parts(identified: int, unexpected: int, judged: int) -> Markup:
    """Return a share as a bar that tells who was expected from who was not."""
    return _bar([("named", identified), ("unexpected", unexpected), ("rest", judged - identified - unexpected)])


def _bar(numbers: Sequence[tuple[str, int]]) -> Markup:
    whole, before, rects = sum(number for _, number in numbers), 0, []
    for kind, number in numbers:
        if number > 0:
            at, wide = (f"{100 * part / whole:.2f}%" for part in (before, number))
            rects.append(Markup('<rect class="{}" x="{}" width="{}" height="100%"/>').format(kind, at, wide))
        before += number
    return Markup('<svg class="bar" aria-hidden="true">{}</svg>').format(Markup("").join(rects))


def percent(named: int, judged: int) -> str:
    """Return a share as the weekly summary says it too: 100 % is all, and 0 % is none."""
    return words.percent(named / judged if judged else None)


def _said(one: Share) -> str:
    if not one.judged:
        return "no access was judged"
    return f"{percent(one.named, one.judged)}, {one.named:,} of {one.judged:,} had a name"


def _number(value: float) -> str:
    return f"{value:,.0f}"


def _percent(value: float) -> str:
    return f"{int(value)} %"  # never rounded up: 100 % is all


def _value(value: float | None, label: str) -> dict[str, Any]:
    """Return a column's part. pygal would write ``0`` into one without a value, which is not nought."""
    return {"value": value, "label": label} | ({"formatter": lambda _: ""} if value is None else {})


def _chart(name: str, days: Sequence[str], size: tuple[int, int], *, numbers: bool, **options: Any) -> Any:
    """Return an empty chart of stacked columns that has a label wherever there is room for one."""
    labels = [column.label for column in columns(days)]
    room = size[0] // 56
    chart = pygal.StackedBar(
        classes=(name,), width=size[0], height=size[1], show_legend=False, js=(), margin=6, spacing=4,
        truncate_label=-1, show_minor_x_labels=False, print_values=numbers and len(labels) <= room, no_data_text="",
        print_zeroes=False, **options,
    )  # fmt: skip
    every = max(1, -(-len(labels) // room))
    chart.x_labels = labels
    chart.x_labels_major = labels[::every]
    return chart


def _drawn(chart: Any, size: tuple[int, int]) -> Markup:
    """Return a chart as SVG for the page: drawn by pygal, without its style, script, comments and identifiers."""
    root = ET.fromstring(chart.render(is_unicode=True))  # noqa: S314  # pygal's own, just made
    for unwanted in (f"{_SVG}defs", f"{_SVG}title"):
        for child in root.findall(unwanted):
            root.remove(child)
    for parent in list(root.iter()):
        _clean(parent)
    root.attrib = {
        "class": f"chart {root.get('class', '')}",
        "viewBox": f"0 0 {size[0]} {size[1]}",
        "aria-hidden": "true",
    }
    return Markup(ET.tostring(root, encoding="unicode").replace("ns0:", "").replace(":ns0=", "="))  # noqa: S704


def _clean(parent: ET.Element) -> None:
    """Turn a column's label into its title, which a browser shows, and leave out what nobody sees."""
    label = next((child.text for child in parent.findall(f"{_SVG}desc") if child.get("class") == "label"), None)
    for child in list(parent):
        if _is_unseen(child, parent):
            parent.remove(child)
    if label is not None:
        title = ET.Element(f"{_SVG}title")
        title.text = label
        parent.insert(0, title)
    words = [word for word in _words(parent) if word not in ("reactive", "tooltip-trigger")]
    kept = {name: _rounded(value) for name, value in parent.attrib.items() if name in _KEPT}
    parent.attrib = {**kept, "class": " ".join(words)} if words else {k: v for k, v in kept.items() if k != "class"}


def _is_unseen(child: ET.Element, parent: ET.Element) -> bool:
    """Tell what only pygal's script reads, a part of no height, and numbers of others than the first part."""
    words = _words(child)
    if child.tag in (f"{_SVG}desc", f"{_SVG}title") or "tooltip-overlay" in words:
        return True
    if "text-overlay" in _words(parent):
        return "serie-0" not in words
    if "bar" in words:
        return all(float(rect.get("height", 0)) == 0 for rect in child.iter(f"{_SVG}rect"))
    return "value" in words and not child.text


def _words(element: ET.Element) -> list[str]:
    return element.get("class", "").split()


def _rounded(value: str) -> str:
    try:
        return f"{float(value):.1f}"
    except ValueError:
        return value


_Part = Callable[[Column], tuple[float | None, str]]


def _strip(days: Sequence[str], part: _Part, *, is_share: bool) -> Markup:
    """Return a row of small columns. None is drawn as not observed; of a share the rest is drawn too."""
    drawn = columns(days)
    wide = max(_THIN, min(_WIDE, _STRIP // max(1, len(drawn))))
    rects = []
    for index, column in enumerate(drawn):
        filled, said = part(column)
        is_whole = is_share and said != "no access"
        rects.append(_small(wide * index, wide - 1, filled, f"{column.title}: {said}", is_share=is_whole))
    width = wide * len(drawn)
    return Markup('<svg class="strip" viewBox="0 0 {} 20" width="{}" height="20">{}</svg>').format(
        width, width, Markup("").join(rects)
    )


def _small(x: int, width: int, filled: float | None, said: str, *, is_share: bool) -> Markup:
    if filled is None:
        inner = _rect("unheard", x, 0, width, 20)
    else:
        top = round(20 - 20 * filled, 1)
        rest = _rect("rest", x, 0, width, top) if is_share else Markup("")
        inner = rest + _rect("named", x, min(top, 19), width, max(20 - top, 1))
    return Markup("<g><title>{}</title>{}</g>").format(said, inner)


def _rect(kind: str, x: float, y: float, width: float, height: float) -> Markup:
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(kind, x, y, width, height)
