"""The judgement of an access, and its JSON, which every face of the product prints and stores."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from callerid.access import Access, Kind, Occurrence, Word

SCHEMA = 1


class Verdict(Word):
    """What a record ends in: exactly one of these. NAMED belongs to the inventory, where there is no policy."""

    UNREADABLE = "unreadable"
    OUT_OF_SCOPE = "out-of-scope"
    UNATTRIBUTABLE = "unattributable"
    ANONYMOUS = "anonymous"
    UNEXPECTED = "unexpected"
    IDENTIFIED = "identified"
    NAMED = "named"


FINDINGS = frozenset((Verdict.ANONYMOUS, Verdict.UNEXPECTED))
"""The verdicts worth telling a person: nobody named, or somebody unexpected."""
JUDGED = (Verdict.IDENTIFIED, Verdict.ANONYMOUS, Verdict.UNEXPECTED, Verdict.UNATTRIBUTABLE, Verdict.NAMED)
"""What the share with a name is a share of: every access that was judged, attempts too."""
WITH_A_NAME = (Verdict.IDENTIFIED, Verdict.UNEXPECTED, Verdict.NAMED)
"""Those that say who it was; that nobody expected the caller does not take the name away."""


class Severity(Word):
    """How urgent a reason is, in words."""

    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Return 0 for informational up to 4 for critical."""
        return _RANKS[self]


SEVERITIES = tuple(Severity)
"""Every severity, the least first."""
_RANKS = {severity: rank for rank, severity in enumerate(SEVERITIES)}


class Owner(NamedTuple):
    """The caller that a judgement names: the entry's name and who answers for it."""

    name: str
    owner: str


class Judgement(Struct, frozen=True, eq=False):
    """Verdict, reasons and caller of an access; shared by all the records that it holds for."""

    verdict: Verdict
    access: Access
    reasons: tuple[str, ...] = ()
    severity: Severity = Severity.INFORMATIONAL
    caller: Owner | None = None
    detail: str | None = None
    """For an unreadable record: what was expected where."""


class Line(Struct, frozen=True):
    """One judgement of one record, as JSON: the fields, in their order. Absent is null."""

    schema: int
    policy: str | None
    verdict: str
    reasons: tuple[str, ...]
    severity: str
    cloud: str | None
    kind: Kind | None
    time: str | None
    record_id: str
    access_id: str
    account: str | None
    region: str | None
    caller: dict[str, str] | None
    principal: str | None
    subject: str | None
    provider: str | None
    audience: str | None
    target: str | None
    session_name: str | None
    source_identity: str | None
    delegation: tuple[str, ...]
    outcome: str | None
    error: str | None
    source: str


def line(judgement: Judgement, occurrence: Occurrence, policy: str | None) -> Line:
    """Return the JSON fields of a judgement; ``policy`` is the policy's digest, None for an inventory."""
    access = judgement.access
    return Line(
        schema=SCHEMA,
        policy=policy,
        verdict=judgement.verdict,
        reasons=judgement.reasons,
        severity=judgement.severity,
        cloud=access.cloud,
        kind=access.kind,
        time=occurrence.time,
        record_id=occurrence.record_id,
        access_id=occurrence.access_id,
        account=access.account,
        region=occurrence.region,
        caller=judgement.caller._asdict() if judgement.caller else None,
        principal=access.principal,
        subject=access.subject,
        provider=access.provider,
        audience=access.audience,
        target=access.target,
        session_name=access.session_name,
        source_identity=access.source_identity,
        delegation=access.delegation,
        outcome=None if judgement.verdict is Verdict.UNREADABLE else access.outcome,
        error=access.error if judgement.detail is None else judgement.detail,
        source=occurrence.source,
    )
