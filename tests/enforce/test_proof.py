"""What is printed for a book lets in whom the judge identifies, and refuses whom it calls unexpected or anonymous."""

from datetime import date

from callerid.access import Cloud, Kind
from callerid.enforce import aws, gcp
from callerid.finding import rule
from callerid.judgement import Judgement, Verdict
from callerid.moment import utc
from callerid.names import arn, principal
from callerid.policy.identity import without_path
from tests.enforce.clouds import TRUSTED, bindings_allow, exchange_allows, iam_allows
from tests.test_cases import ALL, _book
from tests.test_refusal import judged

CASES = [
    (f"{name}: {case['case']}", case)
    for name, case in ALL
    if "record" in case
    and case.get("policy") != "none"
    and case["expect"].get("verdict") in ("identified", "unexpected", "anonymous")
]
EXCHANGES = (Kind.TOKEN_EXCHANGE, Kind.WORKFORCE_SIGN_IN)
USES = (Kind.IMPERSONATION, Kind.DELEGATED_USE, Kind.DIRECT_USE)


def day_of(case: dict) -> date:
    time = case["record"].get("eventTime") or case["record"].get("timestamp")
    found = utc(time if isinstance(time, str) else None)
    return date.fromisoformat(found[:10]) if found else date(2026, 11, 2)


def verdict_of_the_cloud(case: dict, judgement: Judgement) -> bool | None:
    """Whether the printed policies let an access in; None where none is about it."""
    access, book = judgement.access, _book(case.get("policy"))
    today = day_of(case)
    if access.cloud is Cloud.AWS and access.kind in TRUSTED and not access.untargeted:
        found = [
            piece
            for piece in aws.plan(book, today).pieces
            if piece.kind == "trust-policy" and without_path(piece.target) == without_path(access.target or "")
        ]
        return iam_allows(found[0].policy, access, case["record"]) if found else None
    pieces = gcp.plan(book, today).pieces if access.cloud is Cloud.GCP else []
    if access.kind in EXCHANGES:
        found = [piece for piece in pieces if piece.kind == "provider" and piece.target == access.provider]
        return exchange_allows(found[0].policy, found[0].target, access) if found else None
    if access.kind in USES:
        found = [piece for piece in pieces if piece.kind == "bindings" and piece.target == access.target]
        pool = principal.pool_of(access.provider)
        mappings = [
            piece.policy.get("attributeMapping", {})
            for piece in pieces
            if piece.kind == "provider" and principal.pool_of(piece.target) == pool
        ]
        return bindings_allow(found[0].policy, mappings, access, case["record"]) if found else None
    return None


INEXPRESSIBLE = {
    "audience-unexpected": "Google has no condition on the audience of a token that an account gives",
    "identity-type-unknown": "the record is odd; AWS itself knows who calls",
    "principal-missing": "the record leaves out who calls; the cloud knows",
    "subject-mismatch": "what AWS answers is no condition's matter",
    "session-name-contradicts": "two names are compared with each other, which IAM can't",
    "trust-drift": "the denial was for another permission of the caller's",
}
"""The rules under which the cloud lets in what callerid flags, and why."""
_MAPPING = "identified under a custom mapping, which the printed one would replace"
_LETTERS = "an address is the same in other letters, which the proof compares as they stand"
APART = {
    "mapped-principal-mismatch: Azure's two object ids differ lawfully": _MAPPING,
    "mapped-principal-mismatch: a custom mapping that shortens the subject": _MAPPING,
    "mapped-principal-mismatch: a mapping to the role's own ARN": _MAPPING,
    "mapped-principal-mismatch: a mapping to the role without its session": _MAPPING,
    "matrix-gcp: G1: Azure's object id in capitals": "Azure writes them small, and CEL compares letters",
    "matrix-gcp: G2: an account by its bare id, through the provider of its entry": _MAPPING,
    "seeds: an Azure token is exchanged": _MAPPING,
    "seeds: a pool principal whose subject is a bare account id makes a token": _MAPPING,
    "seeds: the account that the bare id impersonated creates a topic": _MAPPING,
    "matrix-aws: A24: a role of another partition": "no Principal may name it; a warning says so",
    "matrix-gcp: G10: the listed person, whose address the book writes in capitals": _LETTERS,
    "matrix-gcp: G10: a listed account, whose address the book writes in capitals": _LETTERS,
    "matrix-gcp: G13: an impersonated account impersonates the next, a stranger behind it": "the hop's own bindings",
    "principal-unlisted: a role under a listed path": "the session's ARN, which is all that is proven here, has no path",
    "source-identity-mismatch: he asks for his own and the session gets another's": "AWS refuses it by itself",
    "time-missing: a caller whose entry does not expire": "one account's token with another's id as its audience",
}
ALLOWED, REFUSED = 163, 169
"""Accesses of the cases that are proven to be let in and to be refused; fewer is a step back."""


def shows_who(access) -> bool:
    """Tell a record that names the caller as the cloud itself does, and one caller alone."""
    if access.cloud is Cloud.GCP:
        return bool(access.claims) and not access.origins and len(access.delegation) < 2
    return access.kind is not Kind.ASSUME_ROLE or arn.parse(access.principal or "") is not None


def weighed() -> list[tuple[str, Judgement, bool]]:
    found = []
    for name, case in CASES:
        judgement = judged(case)
        if judgement.verdict in (Verdict.IDENTIFIED, Verdict.UNEXPECTED, Verdict.ANONYMOUS):
            got = verdict_of_the_cloud(case, judgement)
            if got is not None and shows_who(judgement.access):
                found.append((name, judgement, got))
    return found


def test_the_printed_policies_agree_with_the_judge_on_every_case():
    counts = {True: 0, False: 0}
    for name, judgement, allowed in weighed():
        is_identified = judgement.verdict is Verdict.IDENTIFIED
        if name in APART or (rule(judgement) in INEXPRESSIBLE and (is_identified != allowed)):
            continue
        assert allowed is is_identified, f"{name}: {judgement.reasons}"
        counts[allowed] += 1
    assert counts[True] >= ALLOWED
    assert counts[False] >= REFUSED


def test_nothing_is_apart_that_agrees():
    disagrees = {
        name for name, judgement, allowed in weighed() if allowed is not (judgement.verdict is Verdict.IDENTIFIED)
    }
    assert set(APART) <= disagrees
