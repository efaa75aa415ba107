"""One policy of one cloud, with the callers that it lets in and what to know before it is put in force."""

from __future__ import annotations

from datetime import date
from typing import Any

from msgspec import Struct, field

from callerid.policy.model import Caller
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


def todo(one: Allowed) -> bool:
    """Tell an entry that is not filled in yet, which no cloud takes."""
    return "TODO" in repr(one.identity) or "TODO" in repr(one.reach)
