"""Google's providers and service accounts against the caller book, by putting tokens to conditions and bindings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from callerid.access import Access, Cloud, Kind, Scope
from callerid.drift import tokens
from callerid.drift.answer import NO, Answer, every, of, some, unknown
from callerid.drift.compare import Comparison, Drift, Sort, complaint, strict
from callerid.drift.pools import Provider, Token, Unevaluated, attribute, is_in_time, subject_of, takes
from callerid.enforce.piece import is_current, todo
from callerid.gcp import chain, claims
from callerid.names import principal
from callerid.policy.book import Book, is_provider
from callerid.policy.model import Caller
from callerid.refusal.allowed import Allowed, allowed
from callerid.refusal.gcp import member as member_of

ROLES = frozenset((
    "roles/iam.workloadIdentityUser", "roles/iam.serviceAccountTokenCreator",
    "roles/iam.serviceAccountOpenIdTokenCreator",
))  # fmt: skip
"""The roles that let somebody act as an account. Others, and custom ones, are not compared."""
_SET = re.compile(r"principalSet://iam\.googleapis\.com/(.+?)/(?:attribute\.([^/]+)/(.*)|(\*))", re.DOTALL)


class ServiceAccount(NamedTuple):
    """A service account and its own bindings."""

    email: str
    bindings: list[dict[str, Any]]


class Project(NamedTuple):
    """What IAM says of a project."""

    name: str
    providers: list[Provider]
    accounts: list[ServiceAccount]


class Against(NamedTuple):
    """What each provider and account is held against."""

    book: Book
    project: Project
    now: datetime

    @property
    def day(self) -> str:
        """Return the day on which entries expire."""
        return self.now.date().isoformat()


def compare(project: Project, book: Book, *, now: datetime) -> Comparison:
    """Return how a project's providers and service accounts and the book differ."""
    against = Against(strict(book, ()), project, now)
    made = Comparison([], compared=len(project.providers) + len(project.accounts))
    for provider in sorted(project.providers):
        made.found += _of_provider(provider, against)
    for account in sorted(project.accounts, key=lambda one: one.email):
        found = list(_of_account(account, against))
        is_named = against.book.about(_use(account.email, None)).guarded
        made.neither += not (found or is_named or _members(account))
        made.found += found
    made.found += _missing(against)
    return made


def _exchange(provider: Provider, token: Token | None) -> Access:
    mapped = subject_of(provider, token) if token else None
    name = f"principal://iam.googleapis.com/{provider.pool}/subject/{mapped}" if mapped is not None else None
    subject = token.subject if token else None
    found = (*claims.of_subject(subject), *claims.of(name))
    return Access(cloud=Cloud.GCP, kind=Kind.TOKEN_EXCHANGE, scope=Scope.ALWAYS, principal=name, subject=subject,
                  provider=provider.name, claims=tuple(dict.fromkeys(found)), untargeted=True,
                  unlisted="subject-unlisted")  # fmt: skip


def _use(email: str, origin: str | None) -> Access:
    found = principal.parse(origin or "")
    federated = chain.is_federated(origin)
    return Access(cloud=Cloud.GCP, kind=Kind.IMPERSONATION, scope=Scope.ALWAYS if federated else Scope.GUARDED,
                  principal=origin, subject=found.subject if found else principal.gke_of(origin),
                  provider=found.pool if found else None, target=email, claims=claims.of(origin),
                  unlisted="subject-unlisted" if federated else "principal-unlisted")  # fmt: skip


def _usable(found: Iterable[Allowed], against: Against) -> list[Allowed]:
    return [one for one in found if is_current(one.caller, against.now.date()) and not todo(one)]


def _by_caller(found: Iterable[Allowed]) -> dict[str, list[Allowed]]:
    several: dict[str, list[Allowed]] = {}
    for one in found:
        several.setdefault(one.caller.name, []).append(one)
    return several


def _of_provider(provider: Provider, against: Against) -> Iterator[Drift]:
    if provider.kind == "x509":
        yield Drift(Sort.UNSURE, "gcp", provider.name, "certificates are not compared")
        return
    mine = _usable(allowed(_exchange(provider, None), against.book), against)
    own = [token for one in mine for token in tokens.listed(one, provider)]
    sort = Sort.TOO_WIDE if mine else Sort.UNLISTED
    asked = [(takes(provider, token), token) for token in (*tokens.strangers(provider), *own)]
    yield from _first([(answer, _exchange(provider, token), token.subject) for answer, token in asked],
                      sort, provider.name, against)  # fmt: skip
    for several in _by_caller(mine).values():
        answers = [takes(provider, token) for one in several for token in tokens.listed(one, provider)]
        if answers or any(one.identity.oidc or one.identity.saml for one in several):
            yield from _dead(some(answers), provider.name, several[0].caller, "the provider refuses it")


def _first(asked: list[tuple[Answer, Access, str]], sort: Sort, target: str, against: Against) -> Iterator[Drift]:
    """Yield the first who is let in and not listed, else the first of whom that can't be told."""
    strange = [(answer, complaint(access, against.book, against.day), who) for answer, access, who in asked
               if answer.truth is not False]  # fmt: skip
    for answer, why, who in strange:
        if answer.truth and why is not None:
            yield Drift(sort, "gcp", target, why, who)
            return
    for answer, why, who in strange:
        if why is not None:
            yield Drift(Sort.UNSURE, "gcp", target, answer.hangs, who)
            return


def _dead(answer: Answer, target: str, caller: Caller, why: str) -> Iterator[Drift]:
    if answer.truth is None:
        yield Drift(Sort.UNSURE, "gcp", target, answer.hangs, caller=caller.name)
    elif not answer.truth:
        yield Drift(Sort.DEAD, "gcp", target, why, caller=caller.name)


def _members(account: ServiceAccount) -> list[tuple[str, object]]:
    """Return the members that may act as an account, each with its binding's condition."""
    return [
        (str(member), one.get("condition"))
        for one in account.bindings
        if one.get("role") in ROLES
        for member in one.get("members", ())
    ]


def _of_account(account: ServiceAccount, against: Against) -> Iterator[Drift]:
    members = _members(account)
    mine = _usable(allowed(_use(account.email, None), against.book), against)
    sort = Sort.TOO_WIDE if mine else Sort.UNLISTED
    for member, condition in members:
        yield from _of_member(account.email, member, is_in_time(condition, against.now), sort, against)
    for several in _by_caller(mine).values():
        answer = some(_lets_in(one, members, against) for one in several)
        yield from _dead(answer, account.email, several[0].caller, "no binding names it")


def _of_member(email: str, member: str, in_time: Answer, sort: Sort, against: Against) -> Iterator[Drift]:
    if member in ("allUsers", "allAuthenticatedUsers"):
        yield Drift(sort, "gcp", email, "everybody may act as it", member)
    elif member.startswith(("group:", "domain:")):
        yield Drift(Sort.UNSURE, "gcp", email, "who is in it is not in the binding", member)
    elif member.startswith("principalSet:"):
        yield from _of_set(email, member, in_time, sort, against)
    elif member.startswith(("principal:", "serviceAccount:", "user:")):
        origin = member if member.startswith("principal:") else member.partition(":")[2]
        yield from _first([(in_time, _use(email, origin), member)], sort, email, against)


def _of_set(email: str, member: str, in_time: Answer, sort: Sort, against: Against) -> Iterator[Drift]:
    found = _SET.fullmatch(member)
    if found is None:
        yield Drift(Sort.UNSURE, "gcp", email, "who is in it is not in the binding", member)
        return
    asked = []
    for provider in against.project.providers:
        if provider.pool == found[1]:
            for token in _candidates(provider, found[3] or "", against):
                subject = subject_of(provider, token)
                origin = f"principal://iam.googleapis.com/{provider.pool}/subject/{subject}"
                answer = every((in_time, takes(provider, token), _is_in(found, provider, token)))
                asked.append((answer, _use(email, origin), f"{token.subject}, by {member}"))
    yield from _first(asked, sort, email, against)


def _candidates(provider: Provider, text: str, against: Against) -> Iterator[Token]:
    yield from tokens.strangers(provider, [text] if text else [])
    for one in _usable(allowed(_exchange(provider, None), against.book), against):
        yield from tokens.listed(one, provider)


def _is_in(found: re.Match[str], provider: Provider, token: Token) -> Answer:
    if found[4]:
        return of(truth=True)
    value = attribute(provider, token, found[2])
    return unknown(value.why) if isinstance(value, Unevaluated) else of(value == found[3])


def _lets_in(one: Allowed, members: list[tuple[str, object]], against: Against) -> Answer:
    """Tell whether any binding names an identity, by itself or by a set that its token is in."""
    return some(
        every((is_in_time(condition, against.now), _names(member, one, against))) for member, condition in members
    )


def _names(member: str, one: Allowed, against: Against) -> Answer:
    own = member_of(one)
    found = _SET.fullmatch(member)
    if found is None:
        origin = principal.parse(member)
        subjects = [
            subject_of(provider, token)
            for provider, token in _own(one, against)
            if origin is not None and provider.pool == origin.pool and takes(provider, token).truth is not False
        ]
        return of(member == own or (origin is not None and origin.subject in subjects))
    answers = [
        every((takes(provider, token), _is_in(found, provider, token)))
        for provider, token in _own(one, against)
        if provider.pool == found[1]
    ]
    return some(answers) if answers else NO


def _own(one: Allowed, against: Against) -> Iterator[tuple[Provider, Token]]:
    for provider in against.project.providers:
        if one.reach.provider and is_provider(one.reach.provider, provider.name):
            yield from ((provider, token) for token in tokens.listed(one, provider))


def _missing(against: Against) -> Iterator[Drift]:
    """Yield the accounts of the project, and the providers of its pools, that the book names and IAM has not."""
    emails = {one.email for one in against.project.accounts}
    names = {one.name for one in against.project.providers}
    places = {one.name.split("/workloadIdentityPools/")[0] for one in against.project.providers}
    for caller in against.book.document.callers:
        for reach in caller.may_reach if is_current(caller, against.now.date()) else ():
            email, provider = reach.service_account or "", reach.provider or ""
            if email.endswith(f"@{against.project.name}.iam.gserviceaccount.com") and email not in emails | {""}:
                emails.add(email)
                yield Drift(Sort.MISSING, "gcp", email, "the project has no such account", caller=caller.name)
            is_here = provider.split("/workloadIdentityPools/")[0] in places and "/providers/" in provider
            if is_here and provider not in names and "*" not in provider:
                names.add(provider)
                yield Drift(Sort.MISSING, "gcp", provider, "the project has no such provider", caller=caller.name)
