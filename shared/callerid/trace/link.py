"""What of a record links it to others: what it was made with, what it issued, and for how long that holds.

A record's :class:`Link` names credentials by *marks*. One record leads to another where a mark of what the one was
made with is a mark of what the other issued, and the times fit. How good such a link is, is its *basis*. Of the
secrets in a record none is ever read; an access key's id names the key and opens nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from callerid import moment
from callerid.access import Cloud, Kind, Outcome, Word


class Basis(Word):
    """Why two records are taken to be of one chain."""

    ATTESTED = "attested"
    """They share an identifier that only one issue fits."""
    CORRELATED = "correlated"
    """The same name within the time in which the session could live, or an identifier that several fit."""
    INFERRED = "inferred"
    """A name only."""


class Sign(Word):
    """The sorts of marks, each with the words in which a person reads it."""

    KEY = "access key"
    TOKEN = "token id"  # noqa: S105  # the name of a sort
    ROLE_ID = "assumed role id"
    ON_BEHALF = "delegation"
    PRINCIPAL = "mapped principal"
    SESSION = "session ARN"
    OUTBOUND = "outbound token's subject"
    ACCOUNT = "service account"
    UNIQUE_ID = "service account's id"
    ROLE = "role"
    EVENT = "shared event"
    RECORD = "record"
    NAME = "name"


class Mark(NamedTuple):
    """One identifier of credentials, of a record, or of who stands behind them."""

    sign: Sign
    value: str


class Source(NamedTuple):
    """Where a record stands: its id, and file and position."""

    record_id: str
    source: str


class Origin(Struct, frozen=True, omit_defaults=True):
    """Who a chain ends at, as its last record names it."""

    name: str
    what: str
    """In words: ``OpenID Connect subject``, ``IAM user``, ``service account key``, …"""
    issuer: str | None = None
    is_end: bool = True
    """False where a session began with another one and no record at hand shows which."""
    basis: Basis = Basis.ATTESTED


class Link(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What of one record, of both copies of one call, or of a session's calls together links it to others."""

    cloud: Cloud
    kind: Kind | None = None
    call: str
    """The call's name, as the cloud writes it."""
    service: str = ""
    time: str | None = None
    """RFC 3339 in UTC; of several calls the first one's."""
    last: str | None = None
    """Of several calls the last one's time."""
    access_id: str
    records: tuple[Source, ...] = ()
    account: str | None = None
    outcome: Outcome = Outcome.ALLOWED
    who: str | None = None
    """Who made the call, by the best name that the record has."""
    made: str | None = None
    """What the call issued credentials for: a session's ARN, a service account, a principal."""
    makes: tuple[Mark, ...] = ()
    uses: tuple[Mark, ...] = ()
    """The strongest first. The first that finds an issue answers."""
    names: tuple[str, ...] = ()
    """Other names by which a person may ask: subject, session name, role, service account."""
    began: str | None = None
    """When the session began that the call was made with, as the record itself says."""
    expiration: str | None = None
    """Until when what was issued holds, as the record says it."""
    lasts_s: int = 0
    """For how long at most, where the record does not say."""
    before: str | None = None
    """The source identity of the session that the call was made with."""
    after: str | None = None
    """The source identity of the session that the call made."""
    is_forwarded: bool = False
    """Whether a service passed the call on, which leaves out the source identity."""
    origin: Origin | None = None
    """Who this chain ends at, should nothing more be found."""
    reach_s: int = 0
    """For how much longer than it holds an issue may stand behind this call: through a token made with it."""
    calls: tuple[tuple[str, int], ...] = ()
    """Of several calls: how many to which service."""

    @property
    def record_id(self) -> str:
        """Return the id of the first of its records, empty where none is kept."""
        return self.records[0].record_id if self.records else ""

    @property
    def is_issue(self) -> bool:
        """Tell a call that issued credentials."""
        return bool(self.makes)


_SKEW_S = 60
"""By how much the clocks of two services may differ, and a call's time from that of the session it began."""
_SAME_S = 5
"""The same for a session that is told by its name: two of one name may begin in one minute."""
_OF_ONE_NAME = frozenset((Sign.ON_BEHALF, Sign.PRINCIPAL))
"""Marks that several tokens bear, with Google's own time on both sides: what was issued a minute later is another."""
_BASES = {
    Sign.KEY: Basis.ATTESTED,
    Sign.TOKEN: Basis.ATTESTED,
    Sign.ON_BEHALF: Basis.ATTESTED,
    Sign.PRINCIPAL: Basis.ATTESTED,
    Sign.ROLE: Basis.INFERRED,
}


@lru_cache(maxsize=8192)
def seconds(time: str) -> float:
    """Return a moment in RFC 3339 as seconds since 1970."""
    return moment.epoch(time)


@lru_cache(maxsize=8192)
def _until(text: str | None) -> float | None:
    """Read ``Nov 2, 2026, 4:04:05 AM``, as CloudTrail prints what STS answers, or RFC 3339."""
    found = _EXPIRATION.fullmatch(text or "")
    if found is None:
        told = moment.utc(text)
        return seconds(told) if told else None
    month, day, year, hour, minute, second, half = found.groups()
    of_day = int(hour) % 12 + 12 * (half == "PM")
    try:
        told_at = datetime(int(year), _MONTHS[month], int(day), of_day, int(minute), int(second), tzinfo=UTC)
    except (KeyError, ValueError):
        return None
    return told_at.timestamp()


_EXPIRATION = re.compile(r"(\w{3}) (\d\d?), (\d{4}),? (\d\d?):(\d\d):(\d\d)[ \u202f]?(AM|PM)")
_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}


def fits(link: Link, issue: Link, mark: Mark) -> bool:
    """Tell whether a call can have been made with what an issue of the same mark issued.

    Ids of access keys are used again, years apart: when the session began tells them apart. Where one id stands for
    all keys or roles, as in logs that were made safe to share, the session's ARN must not be another's. Calls that
    show another key than was issued are another session's, unless role, name and beginning agree: see
    :func:`has_other_key`.
    """
    if mark.sign in (Sign.KEY, Sign.ROLE_ID) and _is_other_session(link, issue):
        return False
    if has_other_key(link, issue) and (mark.sign is not Sign.ROLE_ID or link.began is None):
        return False
    if issue.time is None or (link.began is None and link.time is None):
        return mark.sign in (Sign.KEY, Sign.TOKEN)
    issued = seconds(issue.time)
    if link.began is not None:
        return abs(seconds(link.began) - issued) <= (_SKEW_S if mark.sign is Sign.KEY else _SAME_S)
    ends = (_until(issue.expiration) or issued + issue.lasts_s) + link.reach_s
    first = link.time or link.last or ""
    early_s = _SAME_S if mark.sign in _OF_ONE_NAME else _SKEW_S
    return issued - early_s <= seconds(link.last or first) and seconds(first) <= ends + _SKEW_S


def has_other_key(link: Link, issue: Link) -> bool:
    """Tell a call that shows another key than the one that was issued.

    So do those of a console session, which the console makes with keys of its own, and nothing proves which it was.
    """
    return _differ(link, issue, Sign.KEY)


def basis(link: Link, mark: Mark, candidates: int) -> Basis:
    """Return how good a link by a mark is; what several issues fit, or no time confirms, proves none of them."""
    own = _BASES.get(mark.sign, Basis.CORRELATED)
    if mark.sign is Sign.ROLE_ID and link.began is not None:
        own = Basis.ATTESTED
    is_timed = link.began is not None or link.time is not None
    return Basis.CORRELATED if own is Basis.ATTESTED and (candidates > 1 or not is_timed) else own


def _of(marks: Iterable[Mark], sign: Sign) -> set[str]:
    return {mark.value for mark in marks if mark.sign is sign}


def _is_other_session(link: Link, issue: Link) -> bool:
    """Tell a session from another by its ARN, or, where one of them shows none, by role id and name."""
    sign = Sign.SESSION if _of(link.uses, Sign.SESSION) and _of(issue.makes, Sign.SESSION) else Sign.ROLE_ID
    return _differ(link, issue, sign)


def _differ(link: Link, issue: Link, sign: Sign) -> bool:
    """Tell whether both show a mark of a sort, and not the same one."""
    used, made = _of(link.uses, sign), _of(issue.makes, sign)
    return bool(used and made) and used.isdisjoint(made)


def merged(links: Iterable[Link]) -> list[Link]:
    """Return links with the copies of one call made one, in the order of time."""
    found: dict[str, list[Link]] = {}
    for link in dict.fromkeys(links):  # one link may be found by several of its marks
        found.setdefault(link.access_id, []).append(link)
    return sorted(map(_merge, found.values()), key=lambda link: (link.time or "", link.access_id))


def _merge(copies: Sequence[Link]) -> Link:
    """Return one link of several copies: the fullest speaks, the others add what it leaves out."""
    if len(copies) == 1:
        return copies[0]
    best, *others = sorted(copies, key=_rank)
    every = (best, *others)
    if best.calls:
        return together(every)
    return replace(
        best,
        time=min((link.time for link in every if link.time), default=None),
        records=tuple(sorted({record for link in every for record in link.records})),
        makes=_in_order(mark for link in every for mark in link.makes),
        uses=_in_order(mark for link in every for mark in link.uses),
        names=tuple(sorted({name for link in every for name in link.names})),
        began=_first(link.began for link in every),
        expiration=_first(link.expiration for link in every),
        before=_first(link.before for link in every),
        after=_first(link.after for link in every),
    )


def together(parts: Sequence[Link]) -> Link:
    """Return the parts of one session's calls as one; none of them may be there twice."""
    if len(parts) == 1:
        return parts[0]
    calls: dict[str, int] = {}
    for part in parts:
        for service, count in part.calls:
            calls[service] = calls.get(service, 0) + count
    first = min(parts, key=lambda part: (part.time or "~", part.records))
    return replace(
        first,
        last=max((part.last for part in parts if part.last), default=None),
        calls=tuple(sorted(calls.items())),
    )


def _rank(link: Link) -> tuple[int, str, str]:
    """Return a sorting key: who shows the key of its caller's session, or a name that is an ARN, comes first."""
    shown = sum(mark.sign in (Sign.KEY, Sign.SESSION) for mark in link.uses)
    named = bool(link.who and link.who.startswith("arn:"))
    return -2 * shown - named - bool(link.makes), link.time or "", link.record_id


def _in_order(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    return tuple(sorted(set(marks), key=lambda mark: (_ORDER[mark.sign], mark.value)))


_ORDER = {sign: place for place, sign in enumerate(Sign)}


def _first(values: Iterable[str | None]) -> str | None:
    return next((value for value in values if value), None)
