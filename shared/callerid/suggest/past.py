"""A ledger into sights, as far as it can be said exactly: it keeps who, from where and to what, and no more.

A count knows neither audience nor session, of a resource reached directly only what holds it, of a caller of the
policy in force only the name. Each of these is left out, and a note says so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta

import msgspec

from callerid.access import Access, Claim, Cloud, Form, Kind, Outcome, Scope
from callerid.gcp import claims as of_google
from callerid.judgement import Verdict
from callerid.ledger.rows import Count, Route
from callerid.ledger.rows import Seen as SeenRoute
from callerid.ledger.store import Store
from callerid.names import arn, principal
from callerid.policy.book import GOOGLE
from callerid.reasons import REASONS
from callerid.suggest.sight import Gathering, Seen

_ID = re.compile(r"([0-9]{12}):((?:AIDA|AROA)[A-Z0-9]+)")
_LATER = (Kind.SESSION_USE, Kind.IDENTITY_CENTER, Kind.KEY_USE)
_SCOPES = {Kind.ASSUME_ROLE: Scope.GUARDED, Kind.SWITCH_ROLE: Scope.GUARDED}
_INEXACT = {
    Kind.DIRECT_USE: "resources reached directly: the ledger keeps only what holds them",
    Kind.OUTBOUND_TOKEN: "tokens that left AWS: the ledger keeps no audiences",
    Kind.ROOT_SESSION: "root sessions: each is a matter of its own",
    Kind.FEDERATION_TOKEN: "federation tokens: no book lists them",
}
"""Kinds of which a route does not say what an entry must."""
_LONGEST_DAYS = 400


def read(store: Store) -> Seen:
    """Return what a ledger shows of callers whom the policy in force does not have.

    Raises:
        UnavailableError: where the store does not answer.
    """
    gathering, out, known, records = Gathering(None), Counter[str](), 0, 0
    for count in _counts(store):
        records += sum(count.counts.values())
        if count.route.caller:
            known += sum(count.counts.values())
            continue
        if not count.route.who and not count.route.origin:
            continue
        for access, number in _accesses(count, out):
            sight = gathering.of(access)
            if sight is not None:
                sight.see(count.first, count.last, number)
    return Seen(gathering.sights, records=records, sources="a ledger", is_whole=False, notes=tuple(_notes(out, known)))


def _notes(out: Counter[str], known: int) -> Iterator[str]:
    yield "A ledger keeps no session names, source identities or audiences: add what you require of them."
    if known:
        yield f"{known:,} accesses were by callers of the policy in force; --merge that policy to keep them."
    for what, number in sorted(out.items()):
        yield f"Left out, because it can't be said exactly, {number:,} times: {what}."


def _counts(store: Store) -> Iterator[Count]:
    """Yield the counts of all days on which a route was seen."""
    days: set[str] = set()
    for partition in SeenRoute.PARTITIONS:
        for _, row in store.list(partition):
            seen = msgspec.json.decode(row.data, type=SeenRoute)
            days.update(_days(seen.first, seen.last))
    for day in sorted(days):
        for shard in range(store.shards):
            for _, row in store.list(Count.partition(day, shard)):
                yield msgspec.json.decode(row.data, type=Count)


def _days(first: str, last: str) -> Iterator[str]:
    try:
        start, end = date.fromisoformat(first[:10]), date.fromisoformat(last[:10])
    except ValueError:
        yield "undated"
        return
    for number in range(min((end - start).days, _LONGEST_DAYS) + 1):
        yield (end - timedelta(days=number)).isoformat()


def _accesses(count: Count, out: Counter[str]) -> Iterator[tuple[Access, int]]:
    """Yield the accesses that a row stands for, and how many; what can't be said exactly goes ``out``."""
    verdicts = Counter[str]()
    for tag, number in count.counts.items():
        verdicts[tag.partition(" ")[0]] += number
    kinds = [(Kind(kind), number) for kind, number in sorted(count.kinds.items())]
    if verdicts[Verdict.ANONYMOUS] and kinds:
        yield _nobody(count, kinds[0][0]), verdicts[Verdict.ANONYMOUS]
    if not (verdicts[Verdict.UNEXPECTED] or verdicts[Verdict.NAMED]):
        return
    for kind, number in kinds:
        access = None if kind in _INEXACT else _access(count, kind)
        if access is not None:
            yield access, number
        elif kind not in _LATER:
            out[_INEXACT.get(kind, "names whose form alone does not say whose they are")] += number


def _nobody(count: Count, kind: Kind) -> Access:
    """Return what a row shows of accesses that named nobody: from where, to what, and the reasons."""
    codes = sorted(code for code in count.reasons if REASONS[code].verdict is Verdict.ANONYMOUS)
    return Access(
        cloud=Cloud(count.route.cloud),
        kind=kind,
        account=count.route.account,
        origin_account=count.route.origin or None,
        target=count.route.target or None,
        scope=Scope.ALWAYS,
        findings=tuple(codes),
    )


def _access(count: Count, kind: Kind) -> Access | None:
    """Return the access that a route stands for; None where it does not say enough."""
    route = count.route
    denied = all(tag.endswith(f" {Outcome.DENIED}") for tag in count.counts)
    claims = () if kind in _LATER else _claims(route, kind)
    if not claims:
        return None
    is_exchange = kind in (Kind.TOKEN_EXCHANGE, Kind.WORKFORCE_SIGN_IN)
    pooled = principal.pool_of(route.origin) is not None
    return Access(
        cloud=Cloud(route.cloud),
        kind=kind,
        account=route.account,
        principal=None if is_exchange else route.who,
        subject=route.who,
        provider=route.origin if route.cloud == Cloud.AWS or pooled else None,
        origin_account=route.origin if route.origin.isdigit() else None,
        target=route.target or None,
        outcome=Outcome.DENIED if denied else Outcome.ALLOWED,
        scope=Scope.ALWAYS if pooled or (route.cloud == Cloud.AWS and kind not in _SCOPES) else Scope.GUARDED,
        claims=claims,
        untargeted=is_exchange,
        unlisted="subject-unlisted",
    )


def _claims(route: Route, kind: Kind) -> tuple[Claim, ...]:
    """Return the names that who and from where amount to; none where they leave it open."""
    if not route.who:
        return ()
    if route.cloud == Cloud.GCP:
        return _at_google(route, kind)
    match kind:
        case Kind.WEB_IDENTITY:
            oidc = Claim(Form.OIDC, route.who, route.origin)
            return (Claim(Form.GOOGLE_SERVICE_ACCOUNT, route.who), oidc) if route.origin == GOOGLE else (oidc,)
        case Kind.SAML:
            return (Claim(Form.SAML, route.who, route.origin),)
        case Kind.ROLES_ANYWHERE:
            return (Claim(Form.ROLES_ANYWHERE, route.who, route.origin),) if ":trust-anchor/" in route.origin else ()
        case Kind.POD_IDENTITY:
            return (Claim(Form.POD_IDENTITY, route.who, route.origin),) if "/" in route.who else ()
        case _:
            return _of_aws(route.who)


def _of_aws(who: str) -> tuple[Claim, ...]:
    found, by_id = arn.parse(who), _ID.fullmatch(who)
    if by_id:
        return (Claim(Form.UNIQUE_ID, by_id[2]), Claim(Form.AWS_ACCOUNT, by_id[1]))
    if found is None or found.type not in ("role", "user"):
        return ()
    form = Form.AWS_ROLE if found.type == "role" else Form.IAM_USER
    return (Claim(form, who), Claim(Form.AWS_ACCOUNT, found.account))


def _at_google(route: Route, kind: Kind) -> tuple[Claim, ...]:
    """Return a subject's claims: at the exchange as it is, afterwards within its pool."""
    pool = principal.pool_of(route.origin)
    if pool is None:
        return of_google.of(route.who)
    if kind is Kind.TOKEN_EXCHANGE:
        return of_google.of_subject(route.who)
    return of_google.of(f"principal://iam.googleapis.com/{pool}/subject/{route.who}")
