"""What a caller book needs so that a scan of the same history tells only of those whom no book can name.

The judge decides: whoever it finds unexpected, for a reason that an entry can take away, is listed, and the history
is judged anew, because an entry guards its target and so brings others into scope. What the cloud itself refused is
no reason to allow it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from callerid.access import Access, Cloud, Kind, Outcome, Scope
from callerid.entry import CURABLE, target_of
from callerid.judge import judge
from callerid.judgement import FINDINGS, Judgement, Verdict
from callerid.names import arn, glob, principal
from callerid.policy.book import Book
from callerid.policy.identity import ISSUERLESS, Key, user_names
from callerid.policy.model import Caller, Document, Identity, Reach, Requirement
from callerid.suggest.addition import Addition, Draft, Left, Span, extended
from callerid.suggest.identities import Identities
from callerid.suggest.loadable import loadable, writable
from callerid.suggest.names import Names
from callerid.suggest.reaches import give
from callerid.suggest.requirements import required
from callerid.suggest.sight import Seen, Sight
from callerid.suggest.workload import Workloads, is_plain

_ROUNDS = 8
"""An entry guards its target, whose other callers may guard theirs: more than three rounds were never needed."""
_CONTRADICTIONS = frozenset((
    "subject-mismatch", "mapped-principal-mismatch", "source-identity-changed", "source-identity-appeared",
    "source-identity-dropped", "session-name-contradicts", "federation-token-by-root", "caller-expired", "time-missing",
))  # fmt: skip
"""What no entry takes away: such an access is no evidence that its caller is expected."""
_BY_ITSELF = ("subject-recycled", "pull-request-subject")
_ROLELESS = (Kind.ROOT_SESSION, Kind.OUTBOUND_TOKEN, Kind.POD_IDENTITY)
"""What AWS gives by other ways than a role."""
_CHAINS = (Kind.ASSUME_ROLE, Kind.SWITCH_ROLE)


def draft(seen: Seen, base: Document | None, *, denied: bool = False) -> Draft:
    """Return what a history asks for beyond a base policy. ``denied`` lists those too whom the cloud only refused."""
    return _Drafting(seen, base, denied=denied).run()


class _Part(NamedTuple):
    access: Access
    sight: Sight
    reasons: tuple[str, ...] = ()


class _Home(NamedTuple):
    """Where an addition goes: to a caller of the base, or to a new one for a workload."""

    caller: str | None
    workload: Key | None


class _Drafting:
    def __init__(self, seen: Seen, base: Document | None, *, denied: bool) -> None:
        self._seen = seen
        self._is_new = base is None
        self._base = base or Document("1", aws_accounts=_accounts(seen.sights))
        self._book = Book(self._base, "")
        self._denied = denied
        self._workloads = Workloads(seen)
        self._identities = Identities(self._workloads, seen)
        self._avoided: set[str] = set()

    def run(self) -> Draft:
        """Add until the judge asks for no more, then drop what cannot be written."""
        wanted: dict[Access, _Part] = {}
        document, additions = self._base, list[Addition]()
        for _ in range(_ROUNDS):
            more = {part.access: part for part in self._asked(document) if part.access not in wanted}
            avoided = self._invented(document, additions) - self._avoided
            if not more and not avoided:
                break
            self._avoided |= avoided
            wanted.update(more)
            additions = self._additions(list(wanted.values()))
            document = self._document(additions)
        requirements = self._requirements(document, wanted.values())
        whole = replace(document, requirements=document.requirements + tuple(requirements))
        left, withheld = self._left(whole, document)
        return Draft(whole, additions, requirements, left, withheld)

    def _asked(self, document: Document) -> Iterator[_Part]:
        """Yield the accesses that the book must come to allow."""
        book = Book(document, "")
        for sight in self._seen.sights:
            if sight.access.outcome is Outcome.DENIED and not self._denied:
                continue
            for access in sight.parts:
                judgement = judge(access, book, sight.day)
                if self._is_wanted(access, sight, judgement) and self._workloads.of(access) is not None:
                    yield _Part(access, sight, judgement.reasons)

    def _is_wanted(self, access: Access, sight: Sight, judgement: Judgement) -> bool:
        if judgement.verdict is Verdict.OUT_OF_SCOPE:
            return self._is_new and is_plain(access) and _crosses(access, sight)
        reasons = frozenset(judgement.reasons)
        is_curable = judgement.verdict is Verdict.UNEXPECTED and not reasons.isdisjoint(CURABLE)
        return is_curable and reasons.isdisjoint(_CONTRADICTIONS)

    def _additions(self, wanted: list[_Part]) -> list[Addition]:
        via = self._providers()
        found: dict[_Home, Addition] = {}
        reaches: dict[_Home, dict[Reach, list[tuple[Access, Sight]]]] = {}
        for part in wanted:
            home = self._home(part)
            addition = found.setdefault(home, Addition(home.caller or "", home.caller is None))
            addition.span.see(part.sight)
            for identity in self._missing(part, home):
                if identity not in addition.identities:
                    addition.identities.append(identity)
            for reach in self._reaches(part.access, via):
                reaches.setdefault(home, {}).setdefault(reach, []).append((part.access, part.sight))
        for home, addition in found.items():
            give(addition, reaches.get(home, {}), self._audience_of(addition))
        self._name(found)
        made = [writable(addition) for addition in found.values()]
        kept = [addition for addition in made if addition.identities or addition.reaches]
        return loadable(sorted(kept, key=lambda one: (not one.is_new, one.name)), self._base)

    def _home(self, part: _Part) -> _Home:
        """Return whom an access belongs to: the caller whom the base finds, or who holds its identity already."""
        listed = self._book.find(part.access.claims, part.access)
        if listed:
            return _Home(listed[0].caller.name, None)
        workload = self._workloads.of(part.access)
        for identity in self._identities.of(workload) if workload else ():
            holder = self._book.holder(identity)
            if holder is not None:
                return _Home(holder.name, None)
        return _Home(None, workload)

    def _missing(self, part: _Part, home: _Home) -> list[Identity]:
        """Return the identities that the caller must get."""
        workload = self._workloads.of(part.access)
        if workload is None:
            return []
        found = self._identities.of(workload)
        if home.caller is None:
            return found
        is_listed = bool(self._book.find(part.access.claims, part.access))
        if is_listed and not any(code in _BY_ITSELF for code in part.reasons):
            return []
        own = self._book.caller(home.caller)
        return [identity for identity in found if own is None or identity not in own.identities]

    def _providers(self) -> dict[tuple[Key, str], list[str]]:
        """Return through which providers of a pool each workload came: an exchange alone shows the provider."""
        found: dict[tuple[Key, str], dict[str, None]] = {}
        for sight in self._seen.sights:
            access, pool = sight.access, principal.pool_of(sight.access.provider)
            if access.cloud is Cloud.GCP and access.untargeted and pool and access.outcome is Outcome.ALLOWED:
                workload = self._workloads.of(access)
                if workload is not None and "/providers/" in (access.provider or ""):
                    found.setdefault((workload, pool), {})[access.provider or ""] = None
        return {key: sorted(providers) for key, providers in found.items()}

    def _reaches(self, access: Access, via: dict[tuple[Key, str], list[str]]) -> Iterator[Reach]:
        """Yield what was reached, and through what, as exactly as the history shows it."""
        if access.cloud is Cloud.AWS and not arn.role_of(access.target) and access.kind not in _ROLELESS:
            return
        target = target_of(access)
        pool = principal.pool_of(access.provider)
        if access.unlisted == "pod-token-off-node" or (access.untargeted and access.cloud is Cloud.GCP):
            yield Reach(**target, provider=access.provider)
        elif access.cloud is Cloud.AWS or pool is None:
            yield Reach(**target)
        else:
            workload, names = self._workloads.of(access), self._workloads.names(access)
            known = via.get((workload, pool)) if workload else None
            is_issuerless = any(key.form in ISSUERLESS for key in names)
            unknown = f"{pool}/providers/TODO" if is_issuerless else None
            for provider in known or (unknown,):
                yield Reach(**target, provider=provider)

    def _audience_of(self, addition: Addition) -> str | None:
        """Return the one audience for which Google's ID tokens of a caller were asked; AWS's log does not show it."""
        emails = {identity.email.lower() for identity in addition.identities if identity.email}
        held = [self._seen.audiences[email] for email in emails if email in self._seen.audiences]
        values = {value for one in held for value in one.values}
        return values.pop() if len(values) == 1 and not any(one.is_more for one in held) else None

    def _name(self, found: dict[_Home, Addition]) -> None:
        homes = {home.workload: one for home, one in found.items() if home.workload and one.identities}
        pairs = [
            (workload, sight)
            for sight in self._seen.sights
            for access in sight.parts
            if (workload := self._workloads.of(access)) in homes and workload is not None
        ]
        users: dict[str, set[Key]] = {}
        for workload, addition in homes.items():
            for name in (name for identity in addition.identities for name in user_names(identity)):
                users.setdefault(name, set()).add(workload)
        taken = {name for caller in self._base.callers for name in _names(caller)} | self._avoided
        names = Names(pairs, taken, users)
        for workload in sorted(homes):
            homes[workload].name = names.name(workload, homes[workload].identities)

    def _document(self, additions: list[Addition]) -> Document:
        old = {addition.name: addition for addition in additions if not addition.is_new}
        callers = [extended(caller, old.get(caller.name)) for caller in self._base.callers]
        new = [addition.caller for addition in additions if addition.is_new]
        return replace(self._base, callers=(*callers, *new))

    def _invented(self, document: Document, additions: list[Addition]) -> set[str]:
        """Return the names of our own making that make a session contradict itself: they were somebody's already."""
        made = {addition.name for addition in additions if addition.is_new}
        book = Book(document, "")
        found: set[str] = set()
        for sight in self._seen.sights:
            own = made & {sight.access.session_name or "", sight.access.source_identity or ""}
            if own and "session-name-contradicts" in judge(sight.access, book, sight.day).reasons:
                found |= own
        return found

    def _requirements(self, document: Document, wanted: Iterable[_Part]) -> list[Requirement]:
        if not self._seen.is_whole:
            return []
        targets = sorted({
            part.access.target for part in wanted if part.access.cloud is Cloud.AWS and part.access.target
        })  # fmt: skip
        open_ = [target for target in targets if arn.role_of(target) and not glob.is_glob(target)]
        return required(open_, self._seen.sights, document)

    def _left(self, whole: Document, unasked: Document) -> tuple[list[Left], int]:
        """Return the findings that remain; their reasons without what the suggested requirements only warn about."""
        book, without, withheld = Book(whole, ""), Book(unasked, ""), 0
        left: list[Left] = []
        for sight in self._seen.sights:
            judgement = judge(sight.access, book, sight.day)
            if judgement.verdict in FINDINGS:
                plainer = judge(sight.access, without, sight.day)
                left.append(Left(plainer if plainer.verdict is judgement.verdict else judgement, Span()))
                left[-1].span.see(sight)
            withheld += sight.count * (judgement.verdict is Verdict.UNATTRIBUTABLE)
        return left, withheld


def _accounts(sights: Iterable[Sight]) -> tuple[str, ...] | None:
    """Return the accounts whose logs show their own roles being assumed: these are ours."""
    found = {
        access.account
        for access in (sight.access for sight in sights)
        if access.cloud is Cloud.AWS and access.account and access.scope is not Scope.REQUIRED
        if arn.account_of(access.target) == access.account
    }
    return tuple(sorted(found)) or None


def _crosses(access: Access, sight: Sight) -> bool:
    """Tell a chain of roles worth listing although no policy names it: from account to account, or with a name."""
    account = arn.account_of(access.target)
    if access.kind not in _CHAINS or access.cloud is not Cloud.AWS or account is None:
        return False
    return access.origin_account not in (None, account) or bool(sight.sources.values)


def _names(caller: Caller) -> set[str]:
    return {caller.name, *(name for identity in caller.identities for name in user_names(identity))}
