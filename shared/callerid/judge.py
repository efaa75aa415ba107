"""The judge: an access and the caller book in, a judgement out.

Fail closed: whatever a kind should carry and does not, whatever the book does not name, never ends in
*identified*. The judge reads no clock; the day that an entry's expiry is held against is the record's own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from callerid.access import Access, Claim, Cloud, Form, Kind, Outcome, Scope, by_others
from callerid.judgement import SEVERITIES, Judgement, Severity, Verdict
from callerid.names import github, glob
from callerid.policy import requirements as required
from callerid.policy.book import Book, Entry, is_provider, is_target
from callerid.policy.identity import ISSUERLESS, form_of, is_recycled, subject_of
from callerid.policy.model import Mode, Reach, Requirement
from callerid.reasons import REASONS

_ORDER = (Verdict.UNATTRIBUTABLE, Verdict.ANONYMOUS, Verdict.UNEXPECTED)
"""Which verdict speaks where several apply."""
_PLACES = {code: place for place, code in enumerate(REASONS)}
_CALLS = (*required.LATER_CALLS, Kind.DELEGATED_USE, Kind.KEY_USE)
"""Kinds whose denial is an ordinary lack of permission, and says nothing of who may cross."""


class Weighed(NamedTuple):
    """A reason, and whether it decides: under ``warn`` it is only known."""

    code: str
    decides: bool = True


def judge(access: Access, book: Book | None, day: str | None) -> Judgement:
    """Return the judgement of an access under a policy, or, without one, for an inventory.

    ``day`` is the record's UTC day; None, where the record shows no time, meets no expiry date.
    """
    if book is None:
        return _inventory(access)
    if access.scope is Scope.NEVER:
        return _out_of_scope(access)
    guarded, requirements = book.about(access)
    outside = _is_outside(access, book)
    if not _is_in_scope(access, requirements, named=guarded or outside):
        return _out_of_scope(access)
    must_be_listed = guarded or outside or access.scope is Scope.ALWAYS
    if access.kind in required.LATER_CALLS:
        caller, weighed = _later_call(access, book, requirements, day, guarded=guarded)
    else:
        caller, weighed = _caller(access, book, day, must_be_listed=must_be_listed, outside=outside)
    if access.findings:
        weighed += _findings(access, requirements, caller)
    if requirements:
        weighed += [Weighed(code, mode == "enforce") for code, mode in required.unmet(requirements, access, caller)]
    weighed += _contradictions(access, book)
    if caller and access.outcome is Outcome.DENIED and not any(map(_decides, weighed)) and _is_drift(access):
        weighed.append(Weighed("trust-drift"))
    return _judgement(access, weighed, Verdict.IDENTIFIED, caller)


def _out_of_scope(access: Access) -> Judgement:
    """Return the judgement of an access that is not judged, with what is worth knowing of it all the same."""
    if not access.findings:
        return Judgement(Verdict.OUT_OF_SCOPE, access)
    known = tuple(code for code in access.findings if REASONS[code].verdict is None)
    return Judgement(Verdict.OUT_OF_SCOPE, access, known, _severity(access, map(Weighed, known)))


def _inventory(access: Access) -> Judgement:
    """Judge without a policy: by what the record shows of itself."""
    if access.scope in (Scope.NEVER, Scope.REQUIRED):
        return _out_of_scope(access)
    return _judgement(access, [Weighed(code) for code in access.findings], Verdict.NAMED, None)


def _judgement(access: Access, weighed: list[Weighed], otherwise: Verdict, caller: Entry | None) -> Judgement:
    owner = caller.owner if caller else None
    if not weighed:
        return Judgement(otherwise, access, caller=owner)
    decided = {REASONS[reason.code].verdict for reason in weighed if _decides(reason)}
    return Judgement(
        verdict=next((verdict for verdict in _ORDER if verdict in decided), otherwise),
        access=access,
        reasons=tuple(sorted({reason.code for reason in weighed}, key=_PLACES.__getitem__)),
        severity=_severity(access, weighed),
        caller=owner,
    )


def _decides(reason: Weighed) -> bool:
    return reason.decides and REASONS[reason.code].verdict is not None


def _severity(access: Access, weighed: Iterable[Weighed]) -> Severity:
    """Return the gravest reason's severity. An attempt that the cloud denied is one step less grave."""
    ranks = [0]
    for reason in weighed:
        rank = REASONS[reason.code].severity.rank
        if not reason.decides:
            rank = min(rank, Severity.LOW.rank)
        elif access.outcome is Outcome.DENIED and rank > Severity.LOW.rank:
            rank -= 1
        ranks.append(rank)
    return SEVERITIES[max(ranks)]


def _is_outside(access: Access, book: Book) -> bool:
    """Tell an AssumeRole from an account that is not ours; one that does not show its account is not either."""
    is_chain = access.kind is Kind.ASSUME_ROLE and access.cloud is Cloud.AWS
    return is_chain and book.accounts is not None and access.origin_account not in book.accounts


def _is_in_scope(access: Access, requirements: list[Requirement], *, named: bool) -> bool:
    if access.scope is Scope.ALWAYS or access.scope is Scope.NAMED:
        return True
    if access.scope is Scope.GUARDED:
        return named or bool(requirements)
    if not requirements:
        return False
    if access.cloud is Cloud.AWS:
        return any(required.said(requirements, access))
    return required.origin_mode(requirements) != "off"


def _caller(
    access: Access, book: Book, day: str | None, *, must_be_listed: bool, outside: bool
) -> tuple[Entry | None, list[Weighed]]:
    """Return who the book says the caller is, and what speaks against it."""
    weighed = []
    caller, misfit = _best(access, book, access.claims, day)
    if caller is None and must_be_listed and not _is_unnamed(access):
        weighed.append(Weighed("account-unlisted" if outside else access.unlisted))
    elif caller is not None and misfit is not None and must_be_listed:
        weighed.append(Weighed(misfit))
    is_withheld = any(REASONS[code].verdict is Verdict.UNATTRIBUTABLE for code in access.findings)
    if must_be_listed and not is_withheld and _is_of_nowhere(access, book, caller, misfit):
        weighed.append(Weighed("provider-unlisted"))
    for part in by_others(access) if must_be_listed else ():
        other, strays = _best(part, book, part.claims, day)
        if other is None or strays is not None:
            weighed.append(Weighed(strays or access.unlisted))
        if _is_of_nowhere(part, book, other, strays):
            weighed.append(Weighed("provider-unlisted"))
    if caller is not None and misfit is None and _is_wide(caller):
        weighed.append(Weighed("entry-wide"))
    return caller, weighed


def _is_of_nowhere(access: Access, book: Book, caller: Entry | None, misfit: str | None) -> bool:
    """Tell a stranger from a provider through which nobody of the book comes."""
    is_strange = access.unlisted == "subject-unlisted" and (caller is None or misfit == "provider-unexpected")
    return is_strange and not book.knows_provider(access)


def _is_unnamed(access: Access) -> bool:
    """Tell an access whose own record already says that it names nobody."""
    return any(REASONS[code].verdict in _ORDER[:2] for code in access.findings)


def _best(access: Access, book: Book, claims: tuple[Claim, ...], day: str | None) -> tuple[Entry | None, str | None]:
    """Return the entry that fits an access, else the first that names its caller with why it does not fit."""
    key = (claims, day, access.kind, access.provider, access.audiences, access.target, access.untargeted)
    best = book.weighed.get(key)
    if best is None:
        entries = book.find(claims, access)
        misfits = [_misfit(entry, access, claims, day) for entry in entries]
        index = misfits.index(None) if None in misfits else 0
        best = (entries[index], misfits[index]) if entries else (None, None)
        book.weighed.keep(key, best)
    return best


def _misfit(entry: Entry, access: Access, claims: Iterable[Claim], day: str | None) -> str | None:
    """Return the code of what stands between an entry and an access, None where the entry allows it."""
    return _expiry(entry, day) or _github(entry, claims) or _reach(entry, access)


def _expiry(entry: Entry, day: str | None) -> str | None:
    if entry.caller.expires is None:
        return None
    if day is None:
        return "time-missing"
    return "caller-expired" if day > entry.caller.expires.isoformat() else None


def _github(entry: Entry, claims: Iterable[Claim]) -> str | None:
    """Hold a workflow to pinned ids, and to being listed by name where a pull request can start it."""
    listed = subject_of(entry.identity)
    if listed is None:
        return None
    shown = (github.parse(claim.value) for claim in claims if claim.form in (Form.OIDC, Form.SUBJECT))
    for subject in filter(None, shown):
        if is_recycled(entry.identity, subject):
            return "subject-recycled"
        if github.is_pull_request(subject.name) and not github.is_pull_request(listed):
            return "pull-request-subject"
    return None


def _is_wide(entry: Entry) -> bool:
    """Tell an entry for GitHub that every branch, tag, environment and pull request of a repository comes under."""
    subject = subject_of(entry.identity) or ""
    return subject.startswith("repo:") and glob.is_glob(subject) and glob.literal_prefix(subject).count(":") < 3


def _reach(entry: Entry, access: Access) -> str | None:
    """Compare what a caller may reach with what it reached: target, then provider, then audience."""
    reaches = list(entry.caller.may_reach)
    if access.unlisted == "pod-token-off-node":
        listed = any(reach.provider and reach.provider.rpartition("/")[2] == access.provider for reach in reaches)
        return None if listed else access.unlisted
    if not access.untargeted:
        reaches = [reach for reach in reaches if is_target(reach, access)]
        if not reaches:
            return "root-session-unlisted" if access.kind is Kind.ROOT_SESSION else "target-unexpected"
    if access.cloud is Cloud.GCP and access.untargeted:
        reaches = [reach for reach in reaches if reach.aws_role is None]
    if access.cloud is Cloud.GCP and form_of(entry.identity) in ISSUERLESS:
        reaches = [reach for reach in reaches if reach.provider is not None]
    if access.kind not in _PROVIDERLESS:
        reaches = [reach for reach in reaches if reach.provider is None or is_provider(reach.provider, access.provider)]
        if not reaches:
            return "provider-unexpected"
    return None if access.audiences is None or _is_audience(reaches, access) else "audience-unexpected"


_PROVIDERLESS = (Kind.ASSUME_ROLE, Kind.SWITCH_ROLE, Kind.ROOT_SESSION, Kind.FEDERATION_TOKEN, Kind.OUTBOUND_TOKEN)


def _is_audience(reaches: Iterable[Reach], access: Access) -> bool:
    """Compare audiences. A token that leaves AWS must be listed for each of its own; others where one is given."""
    listed, shown = {reach.audience for reach in reaches}, frozenset(access.audiences or ())
    if access.kind is Kind.OUTBOUND_TOKEN:
        return bool(shown) and shown <= listed
    return None in listed or (len(shown) == 1 and shown <= listed)


def _later_call(
    access: Access, book: Book, requirements: list[Requirement], day: str | None, *, guarded: bool
) -> tuple[Entry | None, list[Weighed]]:
    """Return whom a session's call names by itself, and what speaks against that caller being here.

    Each field speaks for itself and under its own mode: that one is only warned about excuses no other.
    """
    caller, weighed = None, []
    for field, value, demand in required.said(requirements, access) if not access.request_withheld else ():
        entries = [entry for entry in book.named(value) if demand.equals or not _expiry(entry, day)]
        misfits = [_expiry(entry, day) or (_strays(entry, access) if guarded else None) for entry in entries]
        index = misfits.index(None) if None in misfits else 0
        caller = caller or (entries[index] if entries else None)
        if demand.equals is None or not value:
            continue
        misfit = misfits[index] if entries else None
        if not entries and guarded and (field == "source-identity" or not required.is_generic(value)):
            misfit = f"{field}-unlisted"
        if misfit:
            weighed.append(Weighed(misfit, demand.mode == "enforce"))
    return caller, weighed


def _strays(entry: Entry, access: Access) -> str | None:
    listed = any(is_target(reach, access) for reach in entry.caller.may_reach)
    return None if listed else "target-unexpected"


def _findings(access: Access, requirements: list[Requirement], caller: Entry | None) -> list[Weighed]:
    """Return what the record gives by itself; a missing origin decides as strictly as the policy asks for it."""
    mode: Mode = required.origin_mode(requirements) if access.scope is Scope.REQUIRED else "enforce"
    names = caller.names if caller is not None else (access.user_name,)
    vouched = access.source_identity in names
    return [
        Weighed(code, mode == "enforce" or code not in _OF_ORIGIN)
        for code in access.findings
        if not (vouched and code == "source-identity-appeared")
    ]


_OF_ORIGIN = ("origin-missing", "origin-not-logged", "service-account-key")


def _contradictions(access: Access, book: Book) -> list[Weighed]:
    """Return where the record names two callers."""
    if access.session_name is None or access.source_identity is None:
        return []
    by_name = {entry.caller.name for entry in book.named(access.session_name)}
    by_source = {entry.caller.name for entry in book.named(access.source_identity)}
    contradicts = by_name and by_source and by_name.isdisjoint(by_source)
    return [Weighed("session-name-contradicts")] if contradicts else []


def _is_drift(access: Access) -> bool:
    """Tell a denial that book and cloud disagree about, from an ordinary lack of permission."""
    return access.kind not in _CALLS and (access.kind is not Kind.DIRECT_USE or access.error == "PERMISSION_DENIED")
