"""A summary in words, for whoever shows it: problems first, each a sentence; numbers as people write them.

What a log holds is handed to ``name``, which the one who shows it gives: a terminal, Markdown and Slack each have
their own way of making it safe.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from callerid.judgement import Verdict
from callerid.names.short import short
from callerid.reasons import REASONS
from callerid.summary.figures import Gone, Observed, Summary, Told, Totals

Name = Callable[[str], str]
SHOWN = 10
"""Entries of a list in the message itself; the rest is counted, or follows in the thread."""
_WORST_SHOWN = 3
_ORIGINS_SHOWN = 3
_SPARKS = "▁▂▃▄▅▆▇█"
COLUMNS = ("Cloud", "Identified", "Anonymous", "Unexpected", "Unattributable", "Share with a name", "Week before")
_CLOUDS = {"aws": "AWS", "gcp": "Google Cloud"}


def title(summary: Summary) -> str:
    """Return the headline."""
    zone = "" if summary.week.zone == "UTC" else f" ({summary.week.zone})"
    return f"Federated access, week {summary.week.label}{zone}"


def answer(summary: Summary) -> str:
    """Return the number that is asked for, in one sentence."""
    totals, before = summary.totals, summary.last_week
    if not totals.is_observed:
        return "The week was not observed: no log was heard in it, which says nothing of who came."
    share = totals.share()
    if share is None:
        return f"No access was judged. {_observed(summary.coverage)}"
    past = before.share() if before else None
    compared = f", {percent(past)} the week before" if past is not None else ""
    judged = totals.judged()
    accesses = "1 judged access" if judged == 1 else f"{judged:,} judged accesses"
    return f"{percent(share)} of {accesses} had an identifiable caller{compared}. {_observed(summary.coverage)}"


def percent(share: float | None) -> str:
    """Return a share for people: one decimal, never 100 or 0 where it is not wholly so; a dash for none."""
    if share is None:
        return "–"
    for digits in (1, 2, 3):
        rounded = round(share * 100, digits)
        if rounded not in (0.0, 100.0) or share in (0, 1):
            return f"{rounded:g} %"
    return "under 0.001 %" if share < 1 / 2 else "over 99.999 %"


def _observed(observed: Observed) -> str:
    if not observed.expected:
        return "How much was observed can't be said yet."
    return f"{percent(observed.share)} of the hours in which logs are usually heard were observed."


def problems(summary: Summary, name: Name) -> Iterator[str]:
    """Yield what somebody should do something about, one sentence each; nothing in a quiet week."""
    whole = summary.totals.whole
    for verdict in (Verdict.ANONYMOUS, Verdict.UNEXPECTED):
        if whole[verdict]:
            yield _findings(summary, verdict, whole[verdict])
    if summary.drifts:
        yield _drifts(summary)
    if summary.undelivered:
        yield f"{_many(summary.undelivered, 'alert')} not posted yet; what waits, waits in the ledger."
    if summary.totals.is_observed:
        yield from _silent(summary, name)
    if whole[Verdict.UNREADABLE]:
        yield f"{_many(whole[Verdict.UNREADABLE], 'record')} could not be read; the ledger's `aside` rows say where."
    if summary.would_break:
        yield _would_break(summary)
    for entries, sentence in ((summary.expiring, "about to expire"), (summary.stale, "not seen for 30 days")):
        if entries:
            yield f"{_entries(len(entries))} of the caller book {sentence}: {_listed(entries, name)}."


def _findings(summary: Summary, verdict: Verdict, count: int) -> str:
    told = [one for one in summary.findings if one.verdict == verdict]
    denied = sum(one.denied for one in told)
    findings = {one.key: one for one in told}
    is_open = sum(not one.settled for one in findings.values())
    refused = f", {denied:,} of them refused by the cloud" if denied else ""
    settled = "all settled" if told and not is_open else f"{is_open:,} not settled"
    known = sum(bool(one.began) for one in findings.values()) if verdict == Verdict.ANONYMOUS else 0
    began = f"; of {known:,} it is known whom the sessions began with" if known else ""
    return (
        f"{_many(count, f'{verdict} access', 'es')}{refused}, in {_many(len(findings), 'finding')}, {settled}{began}."
    )


def _drifts(summary: Summary) -> str:
    total: Counter[str] = Counter()
    for told in summary.drifts:
        total[told.reasons[0]] += told.count
    codes = ", ".join(f"`{code}` {count:,}" for code, count in sorted(total.items()))
    return f"{_many(total.total(), 'session')} with another source identity along the chain: {codes}."


def _silent(summary: Summary, name: Name) -> Iterator[str]:
    behind = [(log, one) for log, one in summary.observed.items() if one.share is not None and one.share < 1]
    behind.sort(key=lambda item: item[1].share or 0)
    if behind:
        worst = ", ".join(f"{name(log)} {percent(one.share)}" for log, one in behind[:_WORST_SHOWN])
        more = f" and {len(behind) - _WORST_SHOWN:,} more" if len(behind) > _WORST_SHOWN else ""
        yield f"Not wholly observed: {worst}{more}."


def _would_break(summary: Summary) -> str:
    total = sum(summary.would_break.values())
    codes = ", ".join(f"`{code}` {count:,}" for code, count in sorted(summary.would_break.items()))
    findings = "a finding" if total == 1 else "findings"
    return f"{_many(total, 'access', 'es')} would be {findings} if what is under `warn` were enforced: {codes}."


def also(summary: Summary) -> Iterator[str]:
    """Yield what is worth knowing beside the problems."""
    whole = summary.totals.whole
    if not any(True for _ in problems(summary, str)):
        yield "A quiet week: nothing anonymous, nothing unexpected, everything posted."
    if whole[Verdict.UNATTRIBUTABLE]:
        codes = ", ".join(
            f"`{code}` {count:,}" for code, count in sorted(summary.reasons.items()) if _is_withheld(code)
        )
        yield f"{_many(whole[Verdict.UNATTRIBUTABLE], 'access', 'es')} whose caller the cloud withholds: {codes}."
    if summary.callers:
        yield f"{_many(summary.callers, 'caller')} of the book seen."
    if whole[Verdict.OUT_OF_SCOPE]:
        yield f"{_many(whole[Verdict.OUT_OF_SCOPE], 'record')} out of scope."


def _is_withheld(code: str) -> bool:
    return code in REASONS and REASONS[code].verdict is Verdict.UNATTRIBUTABLE


def table(summary: Summary) -> list[tuple[str, ...]]:
    """Return the counts by cloud, the head first; both clouds' sum last where there are two."""
    clouds = [cloud for cloud in ("aws", "gcp") if summary.totals.judged(cloud)]
    rows = [_row(_CLOUDS[cloud], summary, cloud) for cloud in clouds]
    if len(clouds) > 1:
        rows.append(_row("Both", summary, None))
    return [COLUMNS, *rows]


def _row(label: str, summary: Summary, cloud: str | None) -> tuple[str, ...]:
    totals, before = summary.totals, summary.last_week
    counts = totals.verdicts[cloud] if cloud else totals.whole
    identified = counts[Verdict.IDENTIFIED] + counts[Verdict.NAMED]
    others = [counts[verdict] for verdict in (Verdict.ANONYMOUS, Verdict.UNEXPECTED, Verdict.UNATTRIBUTABLE)]
    past = before.share(cloud) if before else None
    return (label, *(f"{number:,}" for number in (identified, *others)), percent(totals.share(cloud)), percent(past))


def findings(summary: Summary, name: Name) -> list[str]:
    """Return every finding in a line: who, from where, to what, how often, why, settled or not."""
    return [_finding(told, name, _often(told)) for told in summary.findings]


def drifts(summary: Summary, name: Name) -> list[str]:
    """Return the sessions whose source identity is another along the chain, in lines of the same sort."""
    return [_finding(told, name, _many(told.count, "session")) for told in summary.drifts]


def _often(told: Told) -> str:
    return "once" if told.count == 1 else f"{told.count:,} times"


def _finding(told: Told, name: Name, often: str) -> str:
    route = told.route
    who = name(str(short(route.who))) if route.who else "(nobody named)"
    origin = f" from {name(str(short(route.origin)))}" if route.origin else ""
    target = f" → {name(str(short(route.target)))}" if route.target else ""
    denied = "" if not told.denied else ", denied" if told.denied == told.count else f", {told.denied:,} denied"
    state = {True: ", settled", False: "", None: ""}[told.settled]
    codes = ", ".join(f"`{code}`" for code in told.reasons)
    kind = f", {told.kind}" if told.kind else ""
    return f"{told.verdict}: {who}{origin}{target}{kind}, {often}{denied}{_began(told, name)}{state} ({codes})"


def _began(told: Told, name: Name) -> str:
    """Return whom the sessions began with. There may be others beside those that are named."""
    if not told.began:
        return ""
    names = ", ".join(name(str(short(one))) for one in told.began[:_ORIGINS_SHOWN])
    more = " and more" if len(told.began) > _ORIGINS_SHOWN else ""
    return f",{' some' * told.began_partly} began with {names}{more}"


def new(summary: Summary, name: Name) -> list[str]:
    """Return every caller that was seen for the first time, where the ledger is old enough to tell."""
    if not summary.has_history:
        return []
    lines = []
    for seen in summary.new:
        route = seen.route
        who = name(route.caller or str(short(route.who))) if route.caller or route.who else "(nobody named)"
        lines.append(f"{who} → {name(str(short(route.target))) if route.target else '–'}, first {seen.first[:16]}Z")
    return lines


def lists(summary: Summary, name: Name) -> Iterator[tuple[str, list[str]]]:
    """Yield each list that there is, under its title."""
    for title, lines in (
        ("Findings", findings(summary, name)),
        ("Another source identity along the chain", drifts(summary, name)),
        ("Seen for the first time", new(summary, name)),
    ):
        if lines:
            yield title, lines


def trend(weeks: Sequence[Totals]) -> str:
    """Return anonymous and unexpected accesses over the weeks as a line of bars; · for a week not observed."""
    numbers = [week.whole[Verdict.ANONYMOUS] + week.whole[Verdict.UNEXPECTED] for week in weeks]
    most = max(numbers, default=0)
    bars = [
        "·" if not week.is_observed else _SPARKS[round(number / most * (len(_SPARKS) - 1))] if most else _SPARKS[0]
        for week, number in zip(weeks, numbers, strict=True)
    ]
    return f"{''.join(bars)} anonymous and unexpected, {weeks[0].label} to {weeks[-1].label}, at most {most:,} a week"


def _many(count: int, what: str, plural: str = "s") -> str:
    return f"{count:,} {what}{'' if count == 1 else plural}"


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count:,} entries"


def _listed(entries: Sequence[Gone], name: Name) -> str:
    names = ", ".join(f"{name(gone.name)}{f' ({gone.expires})' if gone.expires else ''}" for gone in entries[:SHOWN])
    return names + (f" and {len(entries) - SHOWN:,} more" if len(entries) > SHOWN else "")
