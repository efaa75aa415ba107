"""GitHub Actions' OIDC subjects, in the form before and after immutable ids.

``repo:OWNER/REPO:REST`` became ``repo:OWNER@OWNER_ID/REPO@REPO_ID:REST`` for new, renamed and transferred
repositories in 2026. Both name one identity; only the ids tell a recycled name from the real one.

https://docs.github.com/en/actions/reference/security/oidc
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

ISSUER = "token.actions.githubusercontent.com"

_SUBJECT = re.compile(r"repo:([^/@:]+)(?:@([^/@:]+))?/([^/@:]+)(?:@([^/@:]+))?(?::(.*))?", re.DOTALL)


class Subject(NamedTuple):
    """A subject without its ids, and the ids where it has them."""

    name: str
    """``repo:OWNER/REPO:REST``, the form that both spellings share."""
    ids: tuple[str | None, str | None]
    """The ids of owner and repository, each None where the subject does not show it."""


def parse(text: str) -> Subject | None:
    """Return the parts of a workflow's subject, or None where it has another (customised) form.

    >>> parse("repo:acme@11/app@22:ref:refs/heads/main")
    Subject(name='repo:acme/app:ref:refs/heads/main', ids=('11', '22'))
    """
    found = _SUBJECT.fullmatch(text)
    if found is None:
        return None
    owner, owner_id, repository, repository_id, rest = found.groups()
    end = "" if rest is None else f":{rest}"
    return Subject(f"repo:{owner}/{repository}{end}", (owner_id, repository_id))


def is_issuer(issuer: str) -> bool:
    """Tell GitHub's issuer, that of GitHub.com or of an enterprise with data residency."""
    return issuer == ISSUER or issuer.startswith(f"{ISSUER}/") or issuer.endswith(".ghe.com")


def is_pull_request(text: str) -> bool:
    """Tell a workflow that anybody who can open a pull request can start.

    The context says so; a repository can add claims behind it, and an environment may have any name.
    """
    found = parse(text)
    parts = found.name.split(":") if found else []
    return any(part == "pull_request" and before != "environment" for before, part in pairwise(parts))
