"""One policy of one cloud, with the callers that it lets in and what to know before it is put in force."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from callerid.names import github, glob
from callerid.policy.identity import subject_of
from callerid.policy.model import Caller, Identity, Oidc
from callerid.refusal.allowed import Allowed


class Piece(Struct):
    """What one target, provider or account needs. ``policy`` is JSON in the cloud's own form."""

    cloud: str
    kind: str
    """``trust-policy``, ``deny``, ``permissions``, ``service-control-policy``, ``provider`` or ``bindings``."""
    target: str
    account: str
    """The AWS account, or Google project as its names have it; empty where the name shows none."""
    policy: dict[str, Any]
    callers: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def is_about(self, only: str | None) -> bool:
        """Tell whether a piece is one of a target's or an account's that was asked for."""
        return only is None or only in (self.target, self.account)


class Plan(Struct):
    """All pieces, and what of the book no piece can say."""

    pieces: list[Piece] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def is_current(caller: Caller, today: date) -> bool:
    """Tell a caller whose entry has not expired."""
    return caller.expires is None or caller.expires >= today


def end_of(caller: Caller) -> str | None:
    """Return the first moment at which an entry no longer holds."""
    return f"{caller.expires + timedelta(days=1)}T00:00:00Z" if caller.expires else None


def is_workflow(identity: Identity) -> bool:
    """Tell an identity of GitHub's, whose subjects have two forms."""
    return identity.oidc is not None and github.is_issuer(github_issuer(identity.oidc))


def github_issuer(oidc: Oidc) -> str:
    """Return an issuer as it is compared."""
    return oidc.issuer.removeprefix("https://").rstrip("/")


def is_wide(identity: Identity) -> bool:
    """Tell a pattern of GitHub's, or one of a pool's that GitHub's come under: no pull request's workflow must."""
    subject = subject_of(identity) or ""
    begins = glob.literal_prefix(subject)[: len(_OF_GITHUB)]
    is_github = is_workflow(identity) or (identity.principal is not None and _OF_GITHUB.startswith(begins))
    return is_github and glob.is_glob(subject)


_OF_GITHUB = "repo:"


def spelled(one: Allowed) -> list[Allowed]:
    """Return a caller under each form that its subject can have; most have one.

    The book lists a workflow by its name, in which the cloud's strings must be told with and without ids.
    """
    oidc = one.identity.oidc
    found = github.parse(oidc.subject) if oidc is not None and is_workflow(one.identity) else None
    if oidc is None or found is None:
        return [one]
    owner, rest = found.name.removeprefix("repo:").split("/", 1)
    repository, colon, context = rest.partition(":")
    ids = [pinned or "*" for pinned in found.ids]
    with_ids = f"repo:{owner}@{ids[0]}/{repository}@{ids[1]}{colon}{context}"
    return [
        Allowed(one.caller, replace(one.identity, oidc=Oidc(oidc.issuer, subject)), one.reach)
        for subject in dict.fromkeys((found.name, with_ids))
    ]


def todo(one: Allowed) -> bool:
    """Tell an entry that is not filled in yet, which no cloud takes."""
    return "TODO" in repr(one.identity) or "TODO" in repr(one.reach)
