"""Which entry of the caller book comes closest to a caller whom no entry has, and the one field that differs.

``acme/app`` beside ``acme/app-fork`` tells a person more than any other line of a message. Names are compared
part by part, without what every name of their kind has: the first part, an owner or a namespace, tells most.
Numbers and ids are equal or not; an id that is one digit off is nobody's neighbour.
"""

from __future__ import annotations

import difflib
import heapq
import re
from functools import lru_cache
from typing import NamedTuple

from callerid.access import Access, Claim, Form
from callerid.judgement import Judgement
from callerid.names import arn, principal
from callerid.policy.book import Book, Entry, is_target
from callerid.policy.identity import form_of
from callerid.policy.model import Identity, Oidc, PodIdentity, RolesAnywhere, Saml
from callerid.refusal.allowed import names_of

_CLOSE = 0.55
"""Of 1: the owner is right and the rest another's, or the name is right and the account another's."""
_SAME_PLACE, _SAME_TARGET = 0.2, 0.1
"""What the same issuer and the same target are worth between entries that are equally close."""
_LOOKED_AT = 50
"""Entries that are compared letter by letter: the best of those compared by their ends alone."""
_WEIGHTS = (4.0, 3.0, 2.0, 1.0)
_PARTS = re.compile(r"[:/\[\]@]+")
_IDS = {Form.UNIQUE_ID, Form.AWS_ACCOUNT, Form.AZURE_MANAGED_IDENTITY, Form.GOOGLE_SERVICE_ACCOUNT}
"""Forms whose values are ids, and no names to compare."""
_ADDRESS = re.compile(r"([^@:/\s]{1,80})@[^@:/\s]+")
_OF_AWS = {Form.AWS_ROLE, Form.IAM_USER}
"""Forms that say all of a subject that is an ARN."""
_SCAFFOLD = frozenset((
    "repo", "ref", "refs", "heads", "tags", "environment", "job_workflow_ref", "system", "serviceaccount", "ns", "sa",
    "project_path", "ref_type", "branch", "organization", "project", "workspace", "run_phase",
))  # fmt: skip
"""Words that subjects of one issuer have in common."""


class Difference(NamedTuple):
    """An entry's name, and the field in which it and the record differ."""

    caller: str
    field: str | None = None
    listed: str | None = None
    shown: str | None = None


class Name(NamedTuple):
    """A key or a claim in the parts that are compared."""

    form: Form
    place: str
    """Issuer, provider, pool or account."""
    text: str


def nearest(judgement: Judgement, book: Book) -> Difference | None:
    """Return the entry that comes closest to an access whose caller no entry has, None where none is close."""
    access = judgement.access
    special = _by_unique_id(access, book) or _by_target(access, book) or _by_session(access, book)
    if special is not None:
        return special
    claims = {claim.form: claim for claim in reversed(access.claims)}
    if _OF_AWS & claims.keys():
        claims.pop(Form.SUBJECT, None)
    shown = {
        form: _name(form, claim.value[:_LONGEST], claim.issuer) for form, claim in claims.items() if form not in _IDS
    }
    listed = ((_name(*key), entry) for key, entry in book.keys if key.form in shown)
    best = heapq.nlargest(_LOOKED_AT, listed, key=lambda found: _rough(found[0], shown[found[0].form]))
    scored = [(_score(name, shown[name.form], entry, access), name, entry) for name, entry in best]
    score, name, entry = max(scored, default=(0.0, None, None), key=lambda found: found[0])
    if not score or name is None or entry is None:
        return None
    return _difference(name, shown[name.form], entry, claims[name.form], access)


def _by_unique_id(access: Access, book: Book) -> Difference | None:
    """Return the entry that lacks an id alone: another account's copy of a call shows nothing else of a user."""
    shown = next((claim.value for claim in access.claims if claim.form is Form.UNIQUE_ID), None)
    if shown is None or access.claims[0].form is not Form.UNIQUE_ID:
        return None
    for caller in book.callers_of(access):
        for identity in caller.identities:
            name = identity.iam_user if shown.startswith("AIDA") else identity.aws_role
            if name is not None and arn.account_of(name) == access.origin_account:
                return Difference(caller.name, "unique_id", identity.unique_id, shown)
    return None


def _by_target(access: Access, book: Book) -> Difference | None:
    """Return the target's only service account, where another comes: ids are never alike."""
    shown = next((claim.value for claim in access.claims if claim.form is Form.GOOGLE_SERVICE_ACCOUNT), None)
    listed = [
        (caller.name, identity.google_service_account)
        for caller in (book.callers_of(access) if shown is not None else ())
        for identity in caller.identities
        if identity.google_service_account
    ]
    return Difference(listed[0][0], "subject", listed[0][1], shown) if len(listed) == 1 else None


def _by_session(access: Access, book: Book) -> Difference | None:
    """Return who is called most like the one whom a later call of a session names."""
    field, value = "source_identity", access.source_identity
    if not value:
        field, value = "session_name", access.session_name
    if access.claims or not value:
        return None
    callers = {name: caller for caller in book.callers_of(access) for name in names_of(caller)}
    close = difflib.get_close_matches(value[:_LONGEST], callers, n=1)
    return Difference(callers[close[0]].name, field, close[0], value) if close else None


@lru_cache(maxsize=16384)
def _name(form: Form, value: str, issuer: str) -> Name:
    match form:
        case Form.AWS_ROLE | Form.IAM_USER:
            found = arn.parse(value)
            return Name(form, found.account, found.name) if found else Name(form, issuer, value)
        case Form.PRINCIPAL:
            of_pool = principal.parse(value)
            return Name(form, of_pool.pool, of_pool.subject) if of_pool else Name(form, issuer, value)
        case Form.EMAIL:
            local, _, domain = value.lower().rpartition("@")
            return Name(form, domain, local)
        case Form.POD_IDENTITY:
            return Name(form, issuer.rpartition("/")[2], value)
        case _:
            return Name(form, issuer, value)


@lru_cache(maxsize=16384)
def _parts(text: str) -> tuple[str, ...]:
    """Return what tells a name apart; the domain of an address does not, which all of a house share."""
    address = _ADDRESS.fullmatch(text)
    if address:
        return (address[1],)
    parts = tuple(part for part in _PARTS.split(text[:_LONGEST]) if part and part not in _SCAFFOLD)
    return parts[: len(_WEIGHTS)] or (text[:_LONGEST] or "-",)


_LONGEST = 300
"""Characters of a name that are compared: what follows no longer tells whose it is."""


def _rough(listed: Name, shown: Name) -> float:
    """Return how close two names are by their ends alone: quick, for thousands of entries."""
    one, other = _parts(listed.text)[0], _parts(shown.text)[0]
    if one[0] != other[0] and one[-1] != other[-1]:
        return 0.0
    return _likeness(_parts(listed.text), _parts(shown.text), by_ends=True) + _SAME_PLACE * (
        listed.place == shown.place
    )


def _likeness(one: tuple[str, ...], other: tuple[str, ...], *, by_ends: bool) -> float:
    total = found = 0.0
    for number in range(max(len(one), len(other))):
        total += _WEIGHTS[number]
        if number < min(len(one), len(other)):
            found += _WEIGHTS[number] * _alike(one[number], other[number], by_ends=by_ends)
    return found / total


@lru_cache(maxsize=8192)
def _alike(one: str, other: str, *, by_ends: bool) -> float:
    if one == other:
        return 1.0
    if _ID.fullmatch(one) or _ID.fullmatch(other):
        return 0.0
    if not by_ends:
        return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio()
    ends = _shared(one, other) + _shared(one[::-1], other[::-1])
    return min(1.0, 2 * ends / (len(one) + len(other)))


def _shared(one: str, other: str) -> int:
    """Return the length of what two texts begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (left, right) in pairs if left != right), min(len(one), len(other)))


_ID = re.compile(r"[0-9]+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|A(?:IDA|ROA)[A-Z0-9]+")


def _score(listed: Name, shown: Name, entry: Entry, access: Access) -> float:
    """Return how close an entry is, 0 where it is not."""
    likeness = _likeness(_parts(listed.text), _parts(shown.text), by_ends=False)
    same_place, same_text = listed.place == shown.place, listed.text == shown.text
    same_target = any(is_target(reach, access) for reach in entry.caller.may_reach)
    is_close = likeness >= _CLOSE and (same_place or same_text or listed.form is Form.EMAIL)
    return likeness + _SAME_PLACE * same_place + _SAME_TARGET * same_target if is_close else 0.0


def _difference(listed: Name, shown: Name, entry: Entry, claim: Claim, access: Access) -> Difference:
    name = entry.caller.name
    if listed == shown:
        provider = next((reach.provider for reach in entry.caller.may_reach if reach.provider), None)
        return Difference(name, "provider", provider, access.provider)
    if listed.text == shown.text and listed.form in _PLACES:
        return Difference(name, _PLACES[listed.form], listed.place, shown.place)
    value = arn.role_arn(claim.value) if claim.form is Form.AWS_ROLE else None
    return Difference(name, _FIELDS.get(claim.form, "subject"), written(entry.identity), value or claim.value)


_PLACES = {
    Form.OIDC: "issuer", Form.SAML: "provider", Form.ROLES_ANYWHERE: "provider", Form.POD_IDENTITY: "provider",
    Form.PRINCIPAL: "provider",
}  # fmt: skip
"""What the place of a name is called."""
_FIELDS = dict.fromkeys((Form.AWS_ROLE, Form.IAM_USER, Form.EMAIL, Form.PRINCIPAL, Form.GKE), "principal")


def written(identity: Identity) -> str:
    """Return an identity as the policy has it: its subject, where it has one."""
    match form_of(identity), identity:
        case _, Identity(oidc=Oidc(subject=subject)) | Identity(saml=Saml(subject=subject)):
            return subject
        case _, Identity(roles_anywhere=RolesAnywhere(common_name=name)):
            return name
        case _, Identity(pod_identity=PodIdentity(namespace=namespace, service_account=account)):
            return f"{namespace}/{account}"
        case form, _:
            return identity.email or str(getattr(identity, form))
