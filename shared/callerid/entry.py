"""What to paste into the policy where an unexpected access is expected after all.

Nothing is shown that was not proven: the text is read back by the policy's own loader, and the access is judged
anew with what it says. Where that does not cure the finding, there is no entry. A name that a caller chose can
so neither break the YAML nor slip in another value.

No value of a record becomes a pattern: ``*`` and ``?`` can't be escaped, so a value that has one gives no entry.
What the record does not show is a ``TODO``, of a form that the loader takes and that matches nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import yaml
from msgspec.structs import replace

from callerid.access import Access, Cloud, Form, Kind
from callerid.judge import judge
from callerid.judgement import Judgement
from callerid.names import arn, glob, principal
from callerid.policy.book import Book
from callerid.policy.fault import PolicyError
from callerid.policy.identity import form_of, keys
from callerid.policy.load import parse
from callerid.policy.model import Caller, Identity, Reach
from callerid.shown import identities_of

CURABLE = frozenset((
    "subject-unlisted", "principal-unlisted", "principal-id-unlisted", "account-unlisted", "root-session-unlisted",
    "provider-unlisted", "provider-unexpected", "target-unexpected", "audience-unexpected", "pod-token-off-node",
    "subject-recycled", "pull-request-subject",
))  # fmt: skip
"""The reasons that an entry can take away. An expired one needs its owner, a contradiction somebody who looks."""
ANY_DAY = "0001-01-01"
"""A day on which no entry has expired."""
TODO_ACCOUNT = "TODO@TODO.iam.gserviceaccount.com"
"""Stands for a target that no record shows: somebody exchanged a token, and did nothing with it that is logged."""
_OWNER = "TODO@example.com"
_LONGEST = 2000
"""Characters of an entry. Cut it would be another entry, so a longer one is not shown."""
_NAME_LENGTH = 40
_BY_ITSELF = ("pull-request-subject", "subject-recycled")
"""Reasons of a caller who is listed, for which the identity itself must be."""


def entry(parts: list[Judgement], code: str, book: Book) -> str | None:
    """Return items for ``callers``: a new caller's, or what an entry of the book lacks, under its name.

    ``parts`` are judgements of one caller each, all of them unexpected for the reason ``code``.
    """
    if code not in CURABLE or not parts:
        return None
    items: list[Caller] = []
    for part in parts:
        item = _item(part, code, book, {item.name for item in items})
        if item is None:
            return None
        items.append(item)
    guards = any(_would_guard(part, book) for part in parts)
    text = "".join(f"# {line}\n" for line in _comments(items, guards=guards)) + _yaml([plain(item) for item in items])
    return text if len(text) <= _LONGEST else None


def _would_guard(part: Judgement, book: Book) -> bool:
    """Tell a target that no entry has, so that those who came there unasked would have to be listed too."""
    access = part.access
    is_shared = arn.role_of(access.target) if access.cloud is Cloud.AWS else access.kind is not Kind.DIRECT_USE
    return access.target is not None and bool(is_shared) and not book.about(access).guarded


def _comments(items: list[Caller], *, guards: bool) -> Iterator[str]:
    """Yield what to know beside the entry, in words of our own alone."""
    known = [not item.owner for item in items]
    if all(known):
        yield "Expected after all: add this to the entry of that name."
    elif any(known):
        yield "Expected after all: an item of callers; what has no owner here goes to the entry of its name."
    else:
        yield "Expected after all: an item of callers. Fill in what says TODO."
    if guards:
        yield "The first entry for this target: whoever else comes there is a finding from then on."
    if any(identity.google_service_account for item in items for identity in item.identities if identity.email):
        yield "In place of the zeros: gcloud iam service-accounts describe EMAIL --format='value(uniqueId)'"


def _item(part: Judgement, code: str, book: Book, taken: set[str]) -> Caller | None:
    """Return the first addition that cures a judgement. One without an owner belongs to a caller of the book."""
    for base, item in _additions(part, code, book, taken):
        if not has_pattern(item) and _cures(_merged(base, item), part, book):
            return item
    return None


def _additions(part: Judgement, code: str, book: Book, taken: set[str]) -> Iterator[tuple[Caller | None, Caller]]:
    """Yield what could be added, and to which caller; the narrowest first."""
    listed = book.caller(part.caller.name) if part.caller else None
    if listed is not None and code not in _BY_ITSELF:
        for reaches in _reaches(part.access, code, listed):
            yield listed, Caller(listed.name, "", (), may_reach=reaches)
        return
    for identity in identities_of(part.access, book):
        holder = book.holder(identity)
        for reaches in _reaches(part.access, code, holder):
            if holder is None:
                name = name_of(identity, lambda one: one in taken or bool(book.named(one)))
                yield None, Caller(name, _OWNER, (identity,), may_reach=reaches)
            elif code == "subject-recycled":
                yield holder, Caller(holder.name, "", (identity,))
            else:
                yield holder, Caller(holder.name, "", (), may_reach=reaches)


def _reaches(access: Access, code: str, caller: Caller | None) -> Iterator[tuple[Reach, ...]]:
    """Yield what was reached, with as much of how as the record shows and the book compares; for each audience."""
    target, audiences = target_of(access), _audiences(access, code)
    for provider in _providers(access, code, caller):
        yield tuple(Reach(**target, provider=provider, audience=audience) for audience in audiences)


def target_of(access: Access) -> dict[str, str]:
    """Return what was reached as a reach names it; TODO where the record does not show it."""
    target = access.target
    if access.cloud is Cloud.GCP:
        if target is None:
            return {"service_account": TODO_ACCOUNT}
        return {"resource" if access.kind is Kind.DIRECT_USE else "service_account": target}
    if target is None:
        cluster = f"arn:aws:eks:TODO:{access.account}:cluster/{access.provider}"
        return {"resource": cluster if access.kind is Kind.POD_IDENTITY else "TODO"}
    return {"aws_role" if arn.role_of(target) else "resource": target}


def _providers(access: Access, code: str, caller: Caller | None) -> Iterator[str | None]:
    """Yield the providers that a reach could name: the one that shows, else what is known of the pool that shows.

    None leaves the provider open, so it is no answer to one that is wrong or missing.
    """
    shown = access.provider
    must_show = code in ("provider-unexpected", "pod-token-off-node")
    if access.cloud is Cloud.AWS or access.untargeted:
        wanted = shown if must_show or access.cloud is Cloud.GCP else None
        yield from () if must_show and wanted is None else (wanted,)
        return
    if not must_show:
        yield None
    own = [reach.provider for reach in caller.may_reach if reach.provider] if caller else []
    pool = principal.pool_of(shown)
    if pool is not None:
        yield from (name for name in own if principal.pool_of(name) == pool and not glob.is_glob(name))
        yield f"{pool}/providers/TODO"


def _audiences(access: Access, code: str) -> tuple[str | None, ...]:
    """Return the audiences where entries name them. Google's of a token for AWS is the caller's id again.

    None leaves the audience open, so it is no answer to one that is wrong or missing.
    """
    if code == "audience-unexpected":
        return access.audiences or ()
    is_googles = any(claim.form is Form.GOOGLE_SERVICE_ACCOUNT for claim in access.claims)
    of_a_token = access.kind is Kind.OUTBOUND_TOKEN or (access.kind is Kind.WEB_IDENTITY and not is_googles)
    return (access.audiences or (None,)) if of_a_token else (None,)


def name_of(identity: Identity, is_taken: Callable[[str], bool]) -> str:
    """Return a name for the caller of an identity that nobody has yet."""
    stem = "-".join(filter(None, _NOT_IN_NAMES.split(_words(identity))))[:_NAME_LENGTH].strip("-.") or "caller"
    name, count = stem, 1
    while is_taken(name):
        count += 1
        name = f"{stem}-{count}"
    return name


def _words(identity: Identity) -> str:
    """Return what of an identity is worth a name."""
    if identity.email:
        return identity.email.partition("@")[0]
    text = next(keys(identity)).value
    match form_of(identity):
        case "google_service_account" | "azure_managed_identity" | "aws_account" as form:
            return f"{form.partition('_')[0]}-{text}"
        case "principal":
            found = principal.parse(text)
            return found.subject if found else text
        case "gke":
            return text.partition("[")[2]
    role_or_user = arn.parse(text)
    return role_or_user.name if role_or_user else _SCAFFOLD.sub("", text)


_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_SCAFFOLD = re.compile(r"^(repo|system:serviceaccount|project_path):|:ref:refs/heads|@[^@]*$")
"""What every subject of an issuer has in common."""


def _merged(base: Caller | None, item: Caller) -> Caller:
    if base is None:
        return item
    return replace(base, identities=base.identities + item.identities, may_reach=base.may_reach + item.may_reach)


def has_pattern(value: msgspec.Struct) -> bool:
    """Tell a part of a policy in which some value would be a pattern: ``*`` and ``?`` can't be escaped."""
    return any(map(glob.is_glob, _texts(plain(value))))


def _cures(caller: Caller, part: Judgement, book: Book) -> bool:
    """Tell whether the loader reads a caller back as it is, and the judge then knows the access to be its."""
    try:
        document = parse(_yaml({"version": "1", "callers": [plain(caller)]}).encode(), "entry")
    except PolicyError:
        return False
    if document.callers != (caller,):
        return False
    whole = book.document
    alone = replace(document, aws_accounts=whole.aws_accounts, requirements=whole.requirements)
    judged = judge(part.access, Book(alone, ""), ANY_DAY)
    return judged.caller is not None and CURABLE.isdisjoint(judged.reasons)


def plain(value: msgspec.Struct) -> dict[str, Any]:
    """Return a struct as a policy writes it: without what is absent."""
    found: dict[str, Any] = _given(msgspec.to_builtins(value))
    return found


def _given(value: Any) -> Any:
    match value:
        case dict():
            return {key: _given(item) for key, item in value.items() if item}
        case list() | tuple():
            return [_given(item) for item in value]
        case _:
            return _Quoted(value)


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts of a plain value."""
    if isinstance(value, str):
        yield value
        return
    for item in value.values() if isinstance(value, dict) else value:
        yield from _texts(item)


class _Quoted(str):
    """Text that is always written in double quotes, in ASCII: whatever a record holds stays one scalar."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Lists stand one step in, as in the example policy; nothing is written as a reference."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        """Indent lists too."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  # PyYAML's own signature
        """Write out what occurs twice."""
        return True


_Dumper.add_representer(
    _Quoted, lambda dumper, data: dumper.represent_scalar("tag:yaml.org,2002:str", str(data), style='"')
)


def quoted(text: str) -> str:
    """Return text as one scalar of YAML in double quotes and in ASCII, whatever it holds."""
    return _yaml(_Quoted(text)).rstrip("\n")


def _yaml(value: Any) -> str:
    """Return YAML, without the sign that would end a block of code in a message."""
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=float("inf"))
    return text.replace("`", r"\x60")
