"""The roles of an AWS account against the caller book, by putting callers and strangers to each trust policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

from callerid.access import Access, Cloud, Kind
from callerid.drift.answer import unknown
from callerid.drift.compare import Comparison, Drift, Sort, complaint, strict
from callerid.drift.listed import listed
from callerid.drift.strangers import strangers
from callerid.drift.trust import Trust
from callerid.drift.visitors import Visit, Visitor, is_too_much, visits
from callerid.enforce.piece import is_current, todo
from callerid.enforce.warn import is_foreign
from callerid.names import arn, glob
from callerid.policy.book import GOOGLE, Book
from callerid.policy.identity import without_path
from callerid.policy.model import Caller
from callerid.refusal.allowed import Allowed, allowed

_KEPT = (":role/aws-reserved/", ":role/aws-service-role/")
"""Paths of roles whose trust policy AWS keeps itself."""


class Role(NamedTuple):
    """A role and its trust policy as IAM gives it."""

    arn: str
    policy: Any


class Account(NamedTuple):
    """What IAM says of an account."""

    number: str
    roles: list[Role]
    providers: dict[str, tuple[str, ...]]
    """Its OIDC providers with the audiences that each takes, and its SAML providers with none."""


class Against(NamedTuple):
    """What every role is held against."""

    book: Book
    account: Account
    now: datetime
    given: Mapping[str, str]

    @property
    def day(self) -> str:
        """Return the day on which entries expire."""
        return self.now.date().isoformat()


def compare(account: Account, book: Book, *, now: datetime, given: Mapping[str, str], pattern: str = "*") -> Comparison:
    """Return how an account's roles and the book differ. ``given``: condition keys that hold of the book's callers.

    ``pattern`` says which roles, by name or ARN, as in the policy file.
    """
    against = Against(strict(book, (account.number,)), account, now, given)
    made = Comparison([])
    for role in sorted(role for role in account.roles if is_meant(role.arn, pattern)):
        if any(path in role.arn for path in _KEPT):
            made.passed_over += 1
            continue
        found, has_visitors = _of_role(role, against)
        made.compared += 1
        made.neither += not (found or has_visitors or _is_named(role.arn, against.book))
        made.found += found
    made.found += _missing(against, pattern)
    if pattern == "*":
        made.found += _unused(against)
    return made


def is_meant(role: str, pattern: str) -> bool:
    """Tell a role that a pattern names, by its ARN or by its name."""
    return glob.matches(pattern, role) or glob.matches(pattern, role.rpartition("/")[2])


def _target(role: str) -> Access:
    return Access(cloud=Cloud.AWS, kind=Kind.ASSUME_ROLE, target=role)


def _is_named(role: str, book: Book) -> bool:
    about = book.about(_target(role))
    return about.guarded or bool(about.requirements)


def _of_role(role: Role, against: Against) -> tuple[list[Drift], bool]:
    """Return a role's differences, and whether anybody could come at all."""
    trust = Trust(role.policy)
    if trust.fault is not None:
        return [Drift(Sort.UNSURE, "aws", role.arn, trust.fault)], True
    callers = _callers(role.arn, against)
    own = [visitor for one in chain(*callers.values()) for visitor in listed(one, role.arn, trust, *_place(against))]
    others = [*strangers(role.arn, trust, *_place(against))]
    wide = list(_wide(role.arn, trust, [*others, *own], against))
    dead = [one for caller in callers for one in _dead(role.arn, trust, callers[caller], against)]
    return [*wide, *dead], bool(others)


def _place(against: Against) -> tuple[dict[str, tuple[str, ...]], datetime]:
    return against.account.providers, against.now


def _callers(role: str, against: Against) -> dict[str, list[Allowed]]:
    """Return who may reach a role, by caller: entries that hold today, and could come to AWS."""
    found: dict[str, list[Allowed]] = {}
    for one in allowed(_target(role), against.book):
        if is_current(one.caller, against.now.date()) and not todo(one) and not is_foreign(one, role):
            found.setdefault(one.caller.name, []).append(one)
    return found


def _wide(role: str, trust: Trust, visitors: Iterable[Visitor], against: Against) -> Iterator[Drift]:
    """Yield for each principal of the policy the first whom it lets in and the book does not."""
    sort = Sort.TOO_WIDE if _is_named(role, against.book) else Sort.UNLISTED
    found: dict[str, Drift] = {}
    doubts: dict[str, Drift] = {}
    for visitor in visitors:
        if visitor.via in found:
            continue
        if is_too_much(visitor, trust):
            doubts[visitor.via] = Drift(
                Sort.UNSURE, "aws", role, "it compares more at once than is tried", visitor.told
            )
        for visit in visits(visitor, trust, {}):
            answer = trust.admits(visit.request)
            why = None if answer.truth is False else _complaint(visit, against)
            if why is None:
                continue
            if answer.truth:
                found[visitor.via] = Drift(sort, "aws", role, why, visit.told)
                break
            doubts.setdefault(visitor.via, Drift(Sort.UNSURE, "aws", role, answer.hangs, visit.told))
    yield from found.values()
    yield from (doubt for via, doubt in doubts.items() if via not in found)


def _complaint(visit: Visit, against: Against) -> str | None:
    """Return why the book does not admit a visit; Google's own audience it compares where every entry lists one."""
    why = complaint(visit.access, against.book, against.day)
    oaud = visit.chosen.get(f"{GOOGLE}:oaud")
    if why is not None or oaud is None or visit.access.provider != GOOGLE:
        return why
    mine = [
        one.reach.oaud
        for one in allowed(visit.access, against.book)
        if one.identity.google_service_account == visit.access.subject
    ]
    return None if not mine or None in mine or oaud in mine else "the token was made for another oaud than is listed"


def _dead(role: str, trust: Trust, several: list[Allowed], against: Against) -> Iterator[Drift]:
    """Yield a caller none of whose identities gets in."""
    caller: Caller = several[0].caller
    doubts: set[str] = set()
    tried = admitted = False
    for one in several:
        for visitor in listed(one, role, trust, *_place(against)):
            tried = True
            doubts |= {"more keys at once than are tried"} if is_too_much(visitor, trust) else set()
            for visit in visits(visitor, trust, against.given):
                if _complaint(visit, against) is not None:
                    continue
                admitted, answer = True, trust.admits(visit.request)
                if answer.truth:
                    return
                doubts |= answer.doubts
    if doubts:
        yield Drift(Sort.UNSURE, "aws", role, unknown(*doubts).hangs, caller=caller.name)
        return
    if tried and not admitted:
        return  # the book's own requirements can't be met, so neither lets it in
    why = "the trust policy refuses it" if tried else "no provider of the account vouches for it"
    yield Drift(Sort.DEAD, "aws", role, why, caller=caller.name)


def _missing(against: Against, pattern: str) -> Iterator[Drift]:
    """Yield the roles of the account that the book names and IAM has not."""
    held = {without_path(role.arn) for role in against.account.roles} | {role.arn for role in against.account.roles}
    named: dict[str, str] = {}
    for caller in against.book.document.callers:
        for reach in caller.may_reach:
            if reach.aws_role and is_current(caller, against.now.date()) and "TODO" not in reach.aws_role:
                named.setdefault(without_path(reach.aws_role), caller.name)
    for requirement in against.book.document.requirements:
        for role in requirement.roles:
            named.setdefault(without_path(role), "")
    for role, caller_name in sorted(named.items()):
        is_here = arn.account_of(role) == against.account.number or f"::{against.account.number}:" in role
        is_held = any(glob.matches(role, one) for one in held)
        if is_here and not is_held and is_meant(role, pattern):
            yield Drift(Sort.MISSING, "aws", role, "the account has no such role", caller=caller_name or None)


def _unused(against: Against) -> Iterator[Drift]:
    """Yield the providers that no trust policy and no caller names."""
    trusted = {name for role in against.account.roles for _, name in Trust(role.policy).principals()}
    issuers = {
        arn.issuer_of(identity.oidc.issuer)
        for caller in against.book.document.callers
        for identity in caller.identities
        if identity.oidc
    }
    listed_names = {
        identity.saml.provider
        for caller in against.book.document.callers
        for identity in caller.identities
        if identity.saml
    }
    listed_names |= {
        reach.provider for caller in against.book.document.callers for reach in caller.may_reach if reach.provider
    }
    for provider in sorted(against.account.providers):
        if provider not in trusted | listed_names and arn.issuer_of(provider) not in issuers:
            yield Drift(Sort.UNUSED, "aws", provider, "no role trusts it and no caller comes through it")
