"""What a history shows: every sort of access once, with how often and when, without what varies by the session."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct, field
from msgspec.structs import replace

from callerid.access import Access, Claim, Cloud, Form, Kind, Scope, by_originator
from callerid.names import arn, principal
from callerid.policy.book import Book
from callerid.policy.requirements import is_generic

_VALUES_KEPT = 64
"""Distinct names of one sort of session: more are no constant name, and no caller's."""


class Held(Struct):
    """The values that one field had: few are kept, so that a constant one can be told from many."""

    values: set[str] = field(default_factory=set)
    missing: int = 0
    is_more: bool = False

    def see(self, value: str | None) -> None:
        """Add a value; None and nothing are missing ones."""
        if not value:
            self.missing += 1
        elif value not in self.values:
            if len(self.values) < _VALUES_KEPT:
                self.values.add(value)
            else:
                self.is_more = True

    @property
    def is_whole(self) -> bool:
        """Tell whether every access had a value, and each is known."""
        return bool(self.values) and not self.missing and not self.is_more


class Sight(Struct):
    """Accesses that differ in nothing that a caller book could say."""

    access: Access
    count: int = 0
    first: str | None = None
    last: str | None = None
    sessions: Held = field(default_factory=Held)
    sources: Held = field(default_factory=Held)
    """Their source identities."""

    def see(self, first: str | None, last: str | None, count: int = 1) -> None:
        """Add accesses; a time that is None says nothing."""
        self.count += count
        if first is not None and (self.first is None or first < self.first):
            self.first = first
        if last is not None and (self.last is None or last > self.last):
            self.last = last

    @property
    def day(self) -> str | None:
        """Return the day on which it was last seen, by which an entry's expiry is weighed."""
        return self.last[:10] if self.last else None

    @property
    def parts(self) -> Iterator[Access]:
        """Yield the access by each of its originators alone; most have one."""
        return by_originator(self.access)


class Seen(Struct):
    """A whole history."""

    sights: list[Sight]
    same: set[tuple[str, str]] = field(default_factory=set)
    """E-mail address and unique id of Google service accounts, as one record showed both."""
    audiences: dict[str, Held] = field(default_factory=dict)
    """By a service account's address, the audiences for which ID tokens of it were asked."""
    records: int = 0
    unreadable: int = 0
    sources: str = ""
    """Where it is from, in words: ``9 files``, ``a ledger``."""
    is_whole: bool = True
    """Whether it shows all that a record shows; a ledger keeps neither sessions nor audiences."""
    notes: tuple[str, ...] = ()
    """What had to be left out, a sentence each."""


class Gathering:
    """Collects sights under a base policy, whose own demands decide what of a session must be kept."""

    def __init__(self, base: Book | None) -> None:
        self._base = base
        self._keeps_sessions = base is not None and any("assumed-role" in key.value for key, _ in base.keys)
        self._sights: dict[Access, Sight] = {}

    def of(self, access: Access) -> Sight | None:
        """Return the sight that an access belongs to; None for what no book is about."""
        if access.kind is None or access.scope is Scope.NEVER:
            return None
        stable = self._stable(access)
        sight = self._sights.get(stable)
        if sight is None:
            sight = self._sights[stable] = Sight(stable)
        return sight

    @property
    def sights(self) -> list[Sight]:
        """Return all, in an order that does not depend on that of the files."""
        return sorted(self._sights.values(), key=lambda sight: repr(sight.access))

    def _stable(self, access: Access) -> Access:
        """Return an access without what varies by the session, but for what a verdict depends on."""
        asked = self._base is not None and bool(self._base.about(access).requirements)
        both = access.source_identity and access.session_name and not is_generic(access.session_name)
        keeps = asked or both or "source-identity-appeared" in access.findings
        made = replace(
            access,
            session_name=access.session_name if keeps else None,
            source_identity=access.source_identity if keeps else None,
            user_name=access.user_name if asked else None,
            role_claimed=access.role_claimed if asked else None,
            error=access.error if access.kind is Kind.DIRECT_USE else None,
            delegation=(),
        )
        return made if self._keeps_sessions else _collapsed(made)


def _collapsed(access: Access) -> Access:
    """Return an access whose sessions of AWS roles have become their roles."""
    return replace(
        access,
        claims=_roles(access.claims),
        origins=tuple(origin._replace(claims=_roles(origin.claims)) for origin in access.origins),
        subject=_role_or_same(access.subject),
        principal=_principal(access),
    )


def _roles(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """Return claims that name a session by its role alone; what else repeats the session is left out."""
    found: dict[Claim, None] = {}
    for claim in claims:
        pooled = principal.parse(claim.value) if claim.form is Form.PRINCIPAL else None
        named = arn.parse(pooled.subject if pooled else claim.value)
        if named is None or named.type != "assumed-role":
            found[claim] = None
        elif claim.form is Form.AWS_ROLE:
            found[Claim(claim.form, arn.role_arn(claim.value) or claim.value)] = None
    return tuple(found)


def _role_or_same(name: str | None) -> str | None:
    return arn.role_arn(name) or name


def _principal(access: Access) -> str | None:
    found = principal.parse(access.principal or "")
    if access.cloud is Cloud.GCP and found is not None:
        return f"principal://iam.googleapis.com/{found.pool}/subject/{_role_or_same(found.subject)}"
    return _role_or_same(access.principal)
