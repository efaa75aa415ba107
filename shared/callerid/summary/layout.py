"""A summary as a message: the numbers in a table, eight weeks as a chart, long lists in the thread.

Three rungs, each for a Slack that refuses the one before: table and chart; the table as text and a line of bars;
text alone. A picture would need the right to upload files, which nothing else here does.

https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from callerid.alerts.blocks import Block, Message, context, header, section, size
from callerid.alerts.blocks import table as table_block
from callerid.alerts.text import Untrusted
from callerid.judgement import Verdict
from callerid.summary import words
from callerid.summary.figures import Summary

LARGEST = 12_000
"""Bytes of the blocks."""
_SECTION = 2_800
"""Characters of one paragraph; Slack takes 3,000."""
_PARAGRAPH = _SECTION - 150
"""Of these for the lines of a list, beside its title and what it says of the rest."""
_NAME = 60
_MOST_PAGES = 10
"""Of one list in the thread: a message a second, and a scheduled run has less than a minute."""


def message(summary: Summary, *, rung: int = 0, revision: int = 1, repeat: bool = False) -> Message:
    """Return a summary as a message; ``revision`` counts the times that it was made for this week."""
    text = f"{words.title(summary)}: {words.answer(summary)}{' (Possible repeat.)' if repeat else ''}"
    match rung:
        case 0:
            return Message(text, tuple(_fitting(summary, revision, repeat=repeat)))
        case 1:
            return Message(text, tuple(_simple(summary, revision, repeat=repeat)))
        case _:
            lines = [*words.problems(summary, code), *words.also(summary)]
            return Message("\n".join((text, *lines)))


def code(name: str) -> str:
    """Return a name from a log as a code span."""
    return Untrusted(name).code(_NAME)


def lists(summary: Summary, *, repeat: int | None = None) -> Iterator[Message]:
    """Yield what is too long for the message, for its thread: every finding, every new caller.

    ``repeat`` is the page, from 0, that may be there already.
    """
    place = 0
    for title, lines in words.lists(summary, code):
        if len(_fit(lines, words.SHOWN)) < len(lines):
            pages = list(_pages(lines))
            for number, page in enumerate(pages[:_MOST_PAGES], 1):
                head = f"{title}, page {number} of {len(pages)}{' (Possible repeat.)' if place == repeat else ''}"
                left = len(pages) > _MOST_PAGES == number
                rest = (
                    (section(f"`callerid summary --week {summary.week.label}` has the other pages."),) if left else ()
                )
                yield Message(head, (section(f"*{head}*"), section(page), *rest))
                place += 1


def _pages(lines: Sequence[str]) -> Iterator[str]:
    page: list[str] = []
    for number, line in enumerate(lines, 1):
        numbered = f"{number:,}. {line}"
        if page and sum(map(len, page)) + len(page) + len(numbered) > _SECTION:
            yield "\n".join(page)
            page = []
        page.append(numbered)
    if page:
        yield "\n".join(page)


def _fitting(summary: Summary, revision: int, *, repeat: bool) -> list[Block]:
    """Return the blocks with as many lines of the lists as there is room for."""
    for shown in (words.SHOWN, words.SHOWN // 2, 0):
        blocks = list(_full(summary, revision, shown, repeat=repeat))
        if size(blocks) <= LARGEST:
            break
    return blocks


def _full(summary: Summary, revision: int, shown: int, *, repeat: bool) -> Iterator[Block]:
    yield header(words.title(summary))
    yield from _lines(summary)
    rows = words.table(summary)
    if len(rows) > 1:
        yield table_block(rows, right=range(1, len(rows[0])))
    if any(week.is_observed for week in summary.weeks[:-1]):
        yield _chart(summary)
    yield from _lists(summary, shown)
    yield context(_small_print(summary, revision, repeat=repeat))


def _simple(summary: Summary, revision: int, *, repeat: bool) -> Iterator[Block]:
    yield section(f"*{words.title(summary)}*")
    yield from _lines(summary)
    rows = words.table(summary)
    if len(rows) > 1:
        yield section(f"```{aligned(rows)}```")
    yield section(words.trend(summary.weeks))
    yield from _lists(summary, words.SHOWN // 2)
    yield context(_small_print(summary, revision, repeat=repeat))


def _lines(summary: Summary) -> Iterator[Block]:
    yield section(f"*{words.answer(summary)}*")
    bullets = "\n".join(f"• {line}" for line in (*words.problems(summary, code), *words.also(summary)))
    if bullets:
        yield section(bullets[:_SECTION])


def _lists(summary: Summary, shown: int) -> Iterator[Block]:
    for title, lines in words.lists(summary, code):
        fit = _fit(lines, shown)
        left = len(lines) - len(fit)
        # A webhook has no thread, and a message that Slack takes only shorter may leave out what no page has.
        more = [f"and {left:,} more, in the thread or by `callerid summary --week {summary.week.label}`"]
        yield section("\n".join((f"*{title}*", *(f"• {line}" for line in fit), *(more if left else []))))


def _fit(lines: Sequence[str], shown: int) -> list[str]:
    """Return the first lines that there is room for in one paragraph, so many at most."""
    fit: list[str] = []
    for line in lines[:shown]:
        if sum(map(len, fit)) + len(line) + 3 * len(fit) > _PARAGRAPH:
            break
        fit.append(line)
    return fit


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return a table as text, its columns under each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _chart(summary: Summary) -> Block:
    """Return the trend as a chart. A week that was not observed has no point: it is left out whole."""
    weeks = [week for week in summary.weeks if week.is_observed]
    labels = [week.label.partition("-")[2] for week in weeks]
    series: list[dict[str, Any]] = [
        {
            "name": str(verdict).capitalize(),
            "data": [{"label": label, "value": week.whole[verdict]} for label, week in zip(labels, weeks, strict=True)],
        }
        for verdict in (Verdict.ANONYMOUS, Verdict.UNEXPECTED)
    ]
    axes = {"categories": labels, "x_label": "Week", "y_label": "Accesses"}
    chart = {"type": "line", "series": series, "axis_config": axes}
    return {"type": "data_visualization", "title": "Anonymous and unexpected", "chart": chart}


def _small_print(summary: Summary, revision: int, *, repeat: bool) -> str:
    week = summary.week
    span = f"{week.start:%Y-%m-%d %H:%M} to {week.end:%Y-%m-%d %H:%M} UTC"
    made = f"revision {revision}" if revision > 1 else ""
    return " · ".join(
        filter(None, (span, f"{len(summary.observed):,} logs", made, "possible repeat" if repeat else ""))
    )
