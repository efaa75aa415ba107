"""What the index of sessions adds to a judgement: whom a session began with, and a source identity that is another.

A record shows one step. That a session without a source identity was a known caller's, or that its source identity
is not the one that it was issued with, takes the record that issued it, which :func:`sessions.keys` has read already:
to ask costs nothing, and to tell of a drift the one question for its alert.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from callerid.access import Kind, Occurrence, Outcome
from callerid.judgement import Judgement, Verdict
from callerid.ledger import sessions
from callerid.ledger.fold import Events
from callerid.ledger.part import Unit
from callerid.ledger.piece import Piece, sessions_at_once
from callerid.ledger.sessions import Issued
from callerid.ledger.traced import Traced
from callerid.ledger.work import Work
from callerid.reasons import REASONS
from callerid.trace.chain import Drift, drift
from callerid.trace.held import Held
from callerid.trace.link import Basis, Link, merged


class Finding(NamedTuple):
    """Sessions of one unit whose source identity is another, all in the same way."""

    judgement: Judgement
    events: Events


def began_with(work: Work, held: Held, records: Iterable[Occurrence]) -> list[Traced]:
    """Return whom the sessions of records began with, for each of which that is certain."""
    links = held.issues | held.singles
    return _certain(work, (links[one.record_id] for one in records if one.record_id in links))


def _certain(work: Work, links: Iterable[Link]) -> list[Traced]:
    found = (sessions.traced_of(work, link) for link in links)
    return [one for one in found if one is not None and one.basis is Basis.ATTESTED]


def drifted(work: Work, piece: Piece, fresh: Sequence[Occurrence], *, now: float) -> list[Finding]:
    """Return the drifts of a piece's sessions that nobody was told of, and note that they are told with this write.

    ``fresh`` is as for :func:`sessions.keep_calls`. Of more sessions than a write has room for the others are told when
    they next make a call.
    """
    unit, held = piece.unit, piece.held
    issues = held.of(fresh, is_last=False).issues if piece.singles else held.issues
    links = [*issues.values(), *sessions.new_calls(held, fresh)]
    found: dict[str, list[tuple[Link, Drift]]] = {}
    left = sessions_at_once(work.most_writes)
    for link in sorted(links, key=lambda link: (link.time or "", link.record_id)):
        issued = sessions.made_with(work, link)
        one = _drift(link, issued)
        is_told = one is not None and (one.code in unit.judgement.reasons or one.code in issued[0].told)
        if one is not None and not is_told and left:
            left -= 1
            sessions.note_told(work, link, one.code, now)
            found.setdefault(one.code, []).append((link, one))
    return [_finding(work, unit, pairs) for pairs in found.values()]


def _drift(link: Link, issued: Sequence[Issued]) -> Drift | None:
    """Compare a session's source identity with what it was issued with, where both records say so for certain.

    What the answer to a chained call leaves out AWS carries on all the same; and where an abridged record shows
    nothing of its session, nothing vanished.
    """
    if not issued:
        return None
    (issue,) = merged(one.link for one in issued)
    found = drift(link, issue)
    is_carried_on = issue.after is None and link.before == issue.before
    is_abridged = link.before is None and link.began is None
    return None if is_carried_on or is_abridged else found


def _finding(work: Work, unit: Unit, pairs: Sequence[tuple[Link, Drift]]) -> Finding:
    """Return the finding of a drift: about the session, which was issued whatever the cloud answered to this call.

    The verdict of the call itself stands beside it, were it *out of scope*: nobody needs to require a source identity
    of a role for it to be wrong that one is another than before.
    """
    first, one = pairs[0]
    reason, access = REASONS[one.code], unit.judgement.access
    (issue, *_) = sessions.made_with(work, first)
    access = replace(
        access,
        kind=access.kind or Kind.SESSION_USE,
        target=access.target or issue.link.made,
        outcome=Outcome.ALLOWED,
        error=None,
    )
    judgement = Judgement(Verdict.UNEXPECTED, access, (reason.code,), reason.severity, unit.judgement.caller)
    began = _certain(work, (link for link, _ in pairs))
    return Finding(judgement, Events([_occurrence(link, unit) for link, _ in pairs], began, one))


def _occurrence(link: Link, unit: Unit) -> Occurrence:
    """Return what is of a link's own record, or of the first of its calls."""
    access_id = link.access_id if link.is_issue else link.record_id
    source = link.records[0].source if link.records else ""
    return Occurrence(link.time, link.record_id, access_id, unit.region or None, source)
