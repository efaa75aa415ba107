"""Which findings fold into one message, and what of a finding decides that: its rule, who, from where, to what.

The key leaves out whatever differs from run to run (session names, addresses, times, branches), so a storm of
one finding is one message; and keeps whether the cloud allowed it, so the first success after a hundred denials
is news. What goes into the key is length-prefixed: no name that a caller chooses can imitate another's key.
"""

from __future__ import annotations

import hashlib

from callerid.access import Access, Outcome
from callerid.group import container, origin, who
from callerid.judgement import Judgement, Verdict
from callerid.reasons import REASONS

_VERSION = "1"
"""Of the key's parts: a change here makes every open finding new once."""
_KEY_DIGITS = 20


def key(judgement: Judgement, outcome: Outcome | None = None) -> str:
    """Return the key of a finding; with ``outcome`` that of the same finding with another answer of the cloud."""
    access = judgement.access
    parts = (
        _VERSION,
        access.cloud or "",
        access.kind or "",
        access.account or "",
        rule(judgement),
        *caller_class(judgement),
        container(access) or "",
        outcome or access.outcome,
    )
    digest = hashlib.sha256(b"".join(b"%d:%s" % (len(part.encode()), part.encode()) for part in parts))
    return digest.hexdigest()[:_KEY_DIGITS]


def rule(judgement: Judgement) -> str:
    """Return the code of the reason that a finding is told under: of those that decide the verdict the gravest."""
    deciding = [REASONS[code] for code in judgement.reasons if REASONS[code].verdict is judgement.verdict]
    gravest = max(deciding, key=lambda reason: reason.severity.rank, default=None)
    return gravest.code if gravest else next(iter(judgement.reasons), "")


def caller_class(judgement: Judgement) -> tuple[str, str]:
    """Return who a finding is about and from where, without what varies from run to run.

    Nobody is one class: the addresses and sessions of the nameless are not names. Of a workflow's subject the
    branch or tag is left out, which anybody who can push chooses.
    """
    access = judgement.access
    if judgement.verdict is Verdict.ANONYMOUS:
        return "", origin(access)
    return judgement.caller.name if judgement.caller else _without_ref(who(access)), origin(access)


def _without_ref(subject: str) -> str:
    """Cut a CI subject behind ``:ref``: ``repo:o/r:ref:refs/heads/x`` and GitLab's ``…:ref:main`` alike."""
    before, found, _ = subject.partition(":ref:")
    return before + found


def detail(access: Access) -> int:
    """Return how much a record shows of its caller: of two copies of one call the fuller one speaks."""
    shown = (access.subject, access.session_name, access.source_identity, access.provider, access.audience)
    names_itself = access.principal is not None and access.principal.startswith(("arn:", "principal:"))
    return sum(field is not None for field in shown) + 4 * names_itself
