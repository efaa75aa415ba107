"""What of a draft a policy can hold: a record can say what no policy may, and no other value stands for it."""

from __future__ import annotations

from callerid.access import Form
from callerid.entry import has_pattern
from callerid.policy.fault import PolicyError
from callerid.policy.identity import Key, keys
from callerid.policy.load import parse
from callerid.policy.model import Caller, Document, Identity, Reach
from callerid.suggest.addition import Addition, extended
from callerid.suggest.write import callers_of


def writable(addition: Addition) -> Addition:
    """Return an addition without what would become a pattern: ``*`` and ``?`` can't be escaped."""
    identities = [one for one in addition.identities if not has_pattern(one)]
    reaches = {reach: span for reach, span in addition.reaches.items() if not has_pattern(reach)}
    if addition.is_new and not (identities and reaches):
        identities, reaches = [], {}
    return Addition(addition.name, addition.is_new, identities, reaches, addition.span)


def loadable(additions: list[Addition], base: Document) -> list[Addition]:
    """Return the additions that the loader takes: a record can hold what no policy may."""

    def is_good(several: list[Addition]) -> bool:
        new = [addition.caller for addition in several if addition.is_new]
        old = {addition.name: addition for addition in several if not addition.is_new}
        longer = [extended(caller, old[caller.name]) for caller in base.callers if caller.name in old]
        try:
            read = parse(callers_of([*new, *longer]).encode(), "suggested")
        except (PolicyError, UnicodeEncodeError):
            return False
        return read.callers == (*new, *longer)

    if is_good(additions):
        return additions
    apart = _apart([one if is_good([one]) else _trimmed(one) for one in additions])
    kept = [one for one in apart if is_good([one])]
    return kept if is_good(kept) else []


def _trimmed(addition: Addition) -> Addition:
    """Return an addition without the identities and targets that no policy may hold."""
    identities = [one for one in addition.identities if _is_loadable(Caller("x", "x", (one,), may_reach=(_SOME_ROLE,)))]
    own = Identity(google_user="somebody@example.com")
    good = {reach for reach in addition.reaches if _is_loadable(Caller("x", "x", (own,), may_reach=(reach,)))}
    reaches = {reach: span for reach, span in addition.reaches.items() if reach in good}
    return Addition(addition.name, addition.is_new, identities, reaches, addition.span)


_SOME_ROLE = Reach(aws_role="arn:aws:iam::111111111111:role/some")


def _is_loadable(caller: Caller) -> bool:
    try:
        return parse(callers_of([caller]).encode(), "suggested").callers == (caller,)
    except (PolicyError, UnicodeEncodeError):
        return False


def _apart(additions: list[Addition]) -> list[Addition]:
    """Return the additions no two of which have an identity in common, as the policy compares them."""
    owners: dict[Key, str] = {}
    found = []
    for one in additions:
        own = [key for identity in one.identities for key in keys(identity) if key.form is not Form.SUBJECT]
        if one.is_new and not (one.identities and one.reaches):
            continue
        if all(owners.setdefault(key, one.name) == one.name for key in own):
            found.append(one)
    return found
