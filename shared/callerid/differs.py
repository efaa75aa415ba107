"""In what an access differs from the entry of its own caller."""

from __future__ import annotations

import difflib

from callerid.access import Access
from callerid.judgement import Judgement
from callerid.names import github
from callerid.nearest import Difference, written
from callerid.policy.book import Book, is_target
from callerid.policy.model import Caller, Reach
from callerid.refusal.allowed import names_of


def differs(judgement: Judgement, code: str, caller: Caller, book: Book) -> Difference:
    """Return the field that the reason ``code`` is about, with what the book and what the record has there."""
    access = judgement.access
    match code:
        case "target-unexpected" | "root-session-unlisted":
            targets = [reach.aws_role or reach.service_account or reach.resource or "" for reach in caller.may_reach]
            return Difference(caller.name, "target", _closest(access.target, targets), access.target)
        case "provider-unexpected" | "provider-unlisted" | "pod-token-off-node":
            providers = [reach.provider for reach in _reaches(caller, access) if reach.provider]
            return Difference(caller.name, "provider", _closest(access.provider, providers), access.provider)
        case "audience-unexpected":
            audiences = [reach.audience for reach in _reaches(caller, access) if reach.audience]
            return Difference(caller.name, "audience", _closest(access.audience, audiences), access.audience)
        case "caller-expired" | "time-missing":
            return Difference(caller.name, "expires", caller.expires.isoformat() if caller.expires else None)
        case "subject-recycled":
            return _ids(access, caller, book)
        case "pull-request-subject" | "mapped-principal-mismatch":
            return _identity(access, code, caller, book)
    if code.startswith(("source-identity-", "session-name-")):
        return _named(access, code, caller, book)
    return Difference(caller.name)


def _reaches(caller: Caller, access: Access) -> list[Reach]:
    """Return how a caller may reach the access's target; any target where it has none or the book has none such."""
    return [reach for reach in caller.may_reach if is_target(reach, access)] or list(caller.may_reach)


def _closest(shown: str | None, listed: list[str]) -> str | None:
    return next(iter(difflib.get_close_matches(shown or "", listed, n=1, cutoff=0.0)), None)


def _ids(access: Access, caller: Caller, book: Book) -> Difference:
    """Return owner and repository with the ids of each; the rest of both subjects is the same."""
    listed = next((entry.identity.oidc for entry in book.find(access.claims, access) if entry.caller is caller), None)
    shown = (claim.value for claim in access.claims if github.parse(claim.value))
    return Difference(caller.name, "ids", _repository(listed.subject if listed else ""), _repository(next(shown, "")))


def _repository(subject: str) -> str | None:
    return subject.removeprefix("repo:").partition(":")[0] or None


def _identity(access: Access, code: str, caller: Caller, book: Book) -> Difference:
    entries = (entry for entry in book.find(access.claims, access) if entry.caller is caller)
    listed = next((written(entry.identity) for entry in entries), None)
    if code == "mapped-principal-mismatch":
        return Difference(caller.name, "principal", listed, access.principal)
    return Difference(caller.name, "subject", listed, access.subject)


def _named(access: Access, code: str, caller: Caller, book: Book) -> Difference:
    """Return the names that a session of this caller may bear, or the pattern that it must match."""
    field = code.rpartition("-")[0].replace("-", "_")
    demands = [getattr(requirement, field) for requirement in book.about(access).requirements]
    patterns = [demand.matches for demand in demands if demand is not None and demand.matches and not demand.equals]
    listed = patterns[0] if patterns else " or ".join(names_of(caller))
    return Difference(caller.name, field, listed, getattr(access, field))
