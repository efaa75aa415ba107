"""What a draft consists of: additions to a book, what was seen of each, and what is left over."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from callerid.judgement import Judgement
from callerid.policy.model import Caller, Document, Identity, Reach, Requirement
from callerid.reasons import REASONS
from callerid.suggest.sight import Sight

OWNER = "TODO"
"""The owner of a suggested caller: a history does not know who answers for it."""


class Span(Struct):
    """How often something was seen, and when."""

    count: int = 0
    first: str | None = None
    last: str | None = None

    def see(self, sight: Sight) -> None:
        """Add what was seen."""
        self.count += sight.count
        self.first = min(filter(None, (self.first, sight.first)), default=None)
        self.last = max(filter(None, (self.last, sight.last)), default=None)


class Addition(Struct):
    """A new caller, or what an entry of the base lacks."""

    name: str
    is_new: bool
    identities: list[Identity] = field(default_factory=list)
    reaches: dict[Reach, Span] = field(default_factory=dict)
    span: Span = field(default_factory=Span)

    @property
    def caller(self) -> Caller:
        """Return it as the policy's model has it."""
        return Caller(self.name, OWNER, tuple(self.identities), may_reach=tuple(self.reaches))


class Left(NamedTuple):
    """A finding that stays one, and how often it was seen."""

    judgement: Judgement
    span: Span


class Draft(NamedTuple):
    """What to write."""

    document: Document
    """The whole book, as the loader is to read it back."""
    additions: list[Addition]
    requirements: list[Requirement]
    left: list[Left]
    withheld: int
    """Accesses whose caller the cloud withholds by design."""


def extended(caller: Caller, addition: Addition | None) -> Caller:
    """Return a caller of the base with what is added to it."""
    if addition is None:
        return caller
    reaches = tuple(reach for reach in addition.reaches if reach not in caller.may_reach)
    return replace(
        caller, identities=(*caller.identities, *addition.identities), may_reach=(*caller.may_reach, *reaches)
    )


def deciding(judgement: Judgement) -> tuple[str, ...]:
    """Return the codes that made a finding one."""
    return tuple(code for code in judgement.reasons if REASONS[code].verdict is judgement.verdict)
