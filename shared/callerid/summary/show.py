"""A summary for a terminal, a ticket, a spreadsheet or a program."""

from __future__ import annotations

import csv as csv_module
import io
import re
from typing import Any

import msgspec

from callerid.judgement import JUDGED, Verdict
from callerid.names.printable import printable
from callerid.summary import words
from callerid.summary.figures import Summary
from callerid.summary.layout import aligned

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+!|~@&-])")


def text(summary: Summary) -> str:
    """Return it for a terminal, safe to print."""
    parts = [words.title(summary), words.answer(summary), ""]
    parts += [f"- {line.replace('`', '')}" for line in (*words.problems(summary, printable), *words.also(summary))]
    rows = words.table(summary)
    if len(rows) > 1:
        parts += ["", aligned(rows)]
    for title, lines in words.lists(summary, printable):
        parts += ["", title, *(f"- {line.replace('`', '')}" for line in lines)]
    return "\n".join([*parts, "", words.trend(summary.weeks)])


def markdown(summary: Summary) -> str:
    """Return it for a ticket or a pull request."""
    parts = [f"## {words.title(summary)}", "", f"**{words.answer(summary)}**", ""]
    parts += [f"- {line}" for line in (*words.problems(summary, _escaped), *words.also(summary))]
    head, *rows = words.table(summary)
    if rows:
        parts += ["", _row(head), "| --- |" + " ---: |" * (len(head) - 1), *map(_row, rows)]
    for title, lines in words.lists(summary, _escaped):
        parts += ["", f"### {title}", "", *(f"- {line}" for line in lines)]
    return "\n".join([*parts, "", words.trend(summary.weeks)])


def csv(summary: Summary) -> str:
    """Return the trend, a week and cloud a row; what was not observed is empty and not zero."""
    out = io.StringIO()
    writer = csv_module.writer(out, lineterminator="\n")
    writer.writerow(["week", "cloud", "observed", *(str(verdict) for verdict in Verdict), "judged", "share_named"])
    for week in summary.weeks:
        for cloud in ("aws", "gcp"):
            counts = week.verdicts.get(cloud)
            numbers = [counts[verdict] if counts else "" for verdict in Verdict]
            share = week.share(cloud)
            judged = week.judged(cloud) if counts else ""
            writer.writerow(
                [week.label, cloud, week.is_observed, *numbers, judged, "" if share is None else round(share, 6)]
            )
    return out.getvalue()


def plain(summary: Summary) -> dict[str, Any]:
    """Return every figure as JSON has it."""
    observed = summary.coverage
    value: dict[str, Any] = msgspec.to_builtins(summary, str_keys=True)
    value["week"] = {
        "label": summary.week.label,
        "start": summary.week.start.isoformat(),
        "end": summary.week.end.isoformat(),
        "timezone": summary.week.zone,
    }
    value["judged"] = summary.totals.judged()
    value["share_named"] = summary.totals.share()
    value["observed_share"] = observed.share
    value["verdicts"] = {verdict: summary.totals.whole[verdict] for verdict in (*JUDGED, Verdict.OUT_OF_SCOPE)}
    value["verdicts"][Verdict.UNREADABLE] = summary.totals.whole[Verdict.UNREADABLE]
    return value


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(name: str) -> str:
    """Return a name that Markdown shows as it is, and that mentions nobody."""
    return _MARKDOWN.sub(r"\\\1", printable(name)).replace("@", "@\u200b")
