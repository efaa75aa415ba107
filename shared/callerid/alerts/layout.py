"""The blocks of one alert, from the headline down to the small print. Each fact stands once.

What is open has steps and something to paste; what is settled, or explained by the other account's copy of the
call, keeps its facts alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from callerid import moment
from callerid.access import Cloud
from callerid.alerts import describe
from callerid.alerts.blocks import Block, buttons, context, fields, header, section, snippets
from callerid.alerts.links import Link
from callerid.alerts.steps import steps
from callerid.alerts.text import Untrusted
from callerid.judgement import Severity
from callerid.ledger.alert import Alert, Tally
from callerid.ledger.traced import Traced
from callerid.reasons import REASONS
from callerid.trace.chain import Drift

LONGEST_SNIPPET = 2_200
"""Bytes of an entry or a statement to paste; a longer one is left out whole, for half of one is wrong."""

_EXPECTED = "If it is expected:"
_GROUP = re.compile(r"S[A-Z0-9]{6,20}")
_SHORT_NAME = 60
_DIFFERENCES = {"session_name": "session name", "source_identity": "source identity", "expires": "last day"}


def full(alert: Alert, tally: Tally, pasted: Sequence[tuple[str, str]], places: Sequence[Link]) -> Iterator[Block]:
    """Yield every block; ``pasted`` are titles and texts to copy, ``places`` where to look."""
    is_open = describe.is_open(alert, tally)
    yield header(describe.title(alert, tally))
    yield section("\n".join(_why(alert, tally)))
    yield fields([f"*{label}*\n{value}" for label, value in _facts(alert, tally)])
    if is_open:
        yield section(f"*Do next*{mention(alert)}\n{_numbered(steps(alert, has_entry=_EXPECTED in dict(pasted)))}")
    if is_open and pasted:
        yield snippets(pasted)
    if places:
        yield buttons(places)
    yield context(small_print(alert, tally))


def simple(alert: Alert, tally: Tally) -> Iterator[Block]:
    """Yield the same in paragraphs alone, without what Slack may have found wrong."""
    yield section(f"{describe.sentence(alert, tally)}{mention(alert)}")
    yield section("\n".join(_why(alert, tally)))
    facts = ((label, value.replace("\n", ", ")) for label, value in _facts(alert, tally))
    yield section("\n".join(f"*{label}:* {value}" for label, value in facts))
    if describe.is_open(alert, tally):
        yield section(f"*Do next*\n{_numbered(steps(alert, has_entry=False))}")
    yield context(small_print(alert, tally))


def pasted(alert: Alert) -> list[tuple[str, str]]:
    """Return what there is to paste: an entry where it is expected, and what refuses it where nothing did."""
    advice = alert.advice
    found = [(_EXPECTED, Untrusted(advice.entry).raw(LONGEST_SNIPPET))]
    if not describe.is_denied(alert):
        found.append(("What would have refused it:", Untrusted(advice.refuse).raw(LONGEST_SNIPPET)))
    return [(title, text) for title, text in found if text is not None]


def mention(alert: Alert) -> str:
    """Return the ping that the policy names, for what is grave and new: never twice for one message."""
    is_first = alert.ts is None and alert.shown == 0 and alert.settled is None
    is_grave = describe.severity_of(alert).rank >= Severity.HIGH.rank
    return f" <!subteam^{alert.mention}>" if is_first and is_grave and _GROUP.fullmatch(alert.mention) else ""


def why_in_line(alert: Alert) -> str:
    """Return every reason in one sentence."""
    codes = dict.fromkeys((alert.rule, *alert.line.reasons))
    return f"Why: {'; '.join(REASONS[code].why for code in codes if code in REASONS) or 'a reason not known here'}."


def chain_in_line(alert: Alert, tally: Tally) -> str:
    """Return the same of the session as the blocks say, in sentences; nothing where nothing is known of it."""
    return "".join(f" {label}: {text}." for label, text in _chain(alert, tally))


def small_print(alert: Alert, tally: Tally) -> str:
    """Return what the numbers are made of, and what names the message and its first record."""
    parts = [
        received(tally),
        f"alert {Untrusted(alert.key).code(40)}",
        f"first record {Untrusted(alert.line.record_id).code(200)}",
    ]
    if alert.before:
        parts.append(f"window {alert.window:,}, {alert.before:,} events in earlier ones")
    if tally.withdrawn:
        parts.append(f"{tally.withdrawn:,} of these were named by the other account's copy of the call")
    if alert.doubtful:
        parts.append(f"possible repeat of attempt {alert.doubtful}")
    return " · ".join((*parts, *settled(alert)))


def settled(alert: Alert) -> Iterator[str]:
    """Yield who settled an alert, when, and what they said of it."""
    if alert.settled is not None:
        note = f": {Untrusted(alert.settled.note).code()}" if alert.settled.note else ""
        when = describe.date(moment.at(alert.settled.at))
        yield f"settled by {Untrusted(alert.settled.by).code(80)}, {when}{note}"


def received(tally: Tally) -> str:
    """Return the sum that must always add up."""
    count = max(tally.count, 1)
    return f"{count:,} received = 1 posted + {count - 1:,} folded"


def _numbered(sentences: Sequence[str]) -> str:
    return "\n".join(f"{number}. {sentence}" for number, sentence in enumerate(sentences, 1))


def _why(alert: Alert, tally: Tally) -> Iterator[str]:
    """Yield what is wrong, the gravest reason first, and the entry of the caller book that comes closest."""
    if describe.is_explained(tally):
        yield "*Explained:* the other account's copy of each call names a caller of the book. Nothing is to be done."
    others = [code for code in alert.line.reasons if code != alert.rule]
    for label, code in (("Why", alert.rule), *(("Also", code) for code in others)):
        why = REASONS[code].why if code in REASONS else "a reason that this version does not know"
        yield f"*{label}:* {why} ({Untrusted(code).code(40)})"
    yield from (f"*{label}:* {text}" for label, text in _chain(alert, tally))
    if alert.advice.nearest and describe.is_open(alert, tally):
        yield _nearest(alert)


def _chain(alert: Alert, tally: Tally) -> Iterator[tuple[str, str]]:
    """Yield label and text of what no record of the finding says by itself: of what issued its session."""
    if alert.drift is not None:
        yield "Issued", _issued(alert.drift)
    part = f"; known of {tally.traced:,} of {tally.count:,} events" if describe.is_part(tally) else ""
    if len(alert.began) > 1:
        yield "Began with several", f"{describe.origins(alert)}{part}"
    elif alert.began:
        (one,) = alert.began
        first = "first by" if tally.traced > 1 else "by"
        record = Untrusted(one.record_id).code(_SHORT_NAME)
        yield "Began with", f"{_whom(one)}, {one.basis}, {first} record {record}{part}"


def _issued(drift: Drift) -> str:
    issued, shown = Untrusted(drift.issued), Untrusted(drift.shown)
    before = f"with the source identity {issued.code(80)}" if issued else "without a source identity"
    now = shown.code(80) if shown else "none"
    return f"{before}, by record {Untrusted(drift.record_id).code(_SHORT_NAME)}; the session now shows {now}"


def _whom(traced: Traced) -> str:
    origin = traced.origin
    who = f"{origin.what} {Untrusted(origin.name).code()}"
    if origin.issuer:
        who += f" of {Untrusted(origin.issuer).code(80)}"
    return f"{Untrusted(traced.caller).code(80)} ({who})" if traced.caller else who


def _nearest(alert: Alert) -> str:
    """Return the entry that comes closest, with both texts in one column: there the eye finds what differs."""
    advice = alert.advice
    entry = f"*Nearest entry:* {Untrusted(advice.nearest).code(80)}"
    if not advice.field:
        return entry
    name = _DIFFERENCES.get(advice.field, advice.field if advice.field.isalpha() else "field")
    listed, shown = Untrusted(advice.listed), Untrusted(advice.shown)
    if advice.shown is None:
        return f"{entry}, whose {name} is {listed.code()}" if listed else entry
    look_alike = "" if listed.is_ascii and shown.is_ascii else " (not all of it ASCII: look closely)"
    return f"{entry}, but for its {name}:\n{listed.code()} is listed\n{shown.code()} is what came{look_alike}"


def _facts(alert: Alert, tally: Tally) -> Iterator[tuple[str, str]]:
    """Yield label and value of the facts, at most ten."""
    line = alert.line
    yield "Caller", _caller(alert)
    reached = describe.target(line)
    if reached is not None:
        yield "To what", reached.code() if reached.account == line.account else _where(reached)
    same = alert.origin == line.account
    yield "From where", "the same account" if same else _where(describe.named(alert.origin))
    yield "AWS account" if line.cloud == Cloud.AWS else "Project", _account(alert, tally)
    yield "Result", _result(alert)
    yield "When", f"{describe.times(tally.count)}, {describe.span(tally.first or line.time, tally.last)}"
    sessions = tally.sessions or ((line.session_name,) if line.session_name else ())
    if sessions:
        yield f"Session name{'s' * (len(sessions) > 1)}", describe.some(sessions, ", ")
    if line.source_identity:
        yield "Source identity", Untrusted(line.source_identity).code()
    if line.delegation:
        yield "Through", describe.some(line.delegation, " → ")
    if line.audience and reached is None:
        yield "Audience", Untrusted(line.audience).code()


def _caller(alert: Alert) -> str:
    caller = alert.line.caller
    if caller is not None:
        return f"{Untrusted(caller.get('name')).code(80)}\nowner {Untrusted(caller.get('owner')).code(80)}"
    found = describe.caller(alert)
    return _where(found) if found.name else describe.NOBODY


def _where(name: describe.Name) -> str:
    return f"{name.code()}\nAWS `{name.account}`" if name.account else name.code()


def _account(alert: Alert, tally: Tally) -> str:
    regions = tally.regions or ((alert.line.region,) if alert.line.region else ())
    account = Untrusted(alert.line.account).code(80)
    return f"{account}, {describe.some(regions, ', ')}" if regions else account


def _result(alert: Alert) -> str:
    if describe.is_denied(alert):
        return f"denied ({Untrusted(alert.line.error).code(_SHORT_NAME)})" if alert.line.error else "denied"
    return f"allowed{describe.after_denials(alert)}"
