"""What a check finds, and how one that cannot know says so: what was not seen is never called well."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum

from msgspec import Struct


class State(StrEnum):
    """How it is with one thing that was checked."""

    OK = "ok"
    WARNING = "warning"
    """It works, and there is something that it does not see."""
    BROKEN = "broken"
    UNKNOWN = "unknown"
    """It could not be looked at: a permission is missing, or nobody answered."""


class Finding(Struct, frozen=True):
    """One line of the report."""

    what: str
    state: State
    found: str
    to_do: str = ""
    """Empty where nothing is to be done."""


class UnknownError(Exception):
    """A question without an answer: what happened, and what would get one."""

    def __init__(self, found: str, to_do: str) -> None:
        super().__init__(found)
        self.to_do = to_do


class AbsentError(Exception):
    """What was asked about is not there; the message says what."""


Check = Callable[[], Iterable[Finding]]


def ok(what: str, found: str) -> Finding:
    """Return that something is as it must be."""
    return Finding(what, State.OK, found)


def warning(what: str, found: str, to_do: str) -> Finding:
    """Return that something is not seen, or will not be for long."""
    return Finding(what, State.WARNING, found, to_do)


def broken(what: str, found: str, to_do: str) -> Finding:
    """Return that something must be mended."""
    return Finding(what, State.BROKEN, found, to_do)


def unknown(what: str, found: str, to_do: str) -> Finding:
    """Return that something could not be looked at."""
    return Finding(what, State.UNKNOWN, found, to_do)


def forbidden(permission: str) -> UnknownError:
    """Return that a permission is missing, by its name."""
    return UnknownError(f"no permission: {permission}", f"Grant {permission}, or ask somebody who has it.")


def run(what: str, check: Check, *, absent: str = "Deploy it again.") -> list[Finding]:
    """Return what a check found; ``absent`` is what to do where the thing itself is not there.

    What was found before a question failed stays. A check that finds nothing is no good news either.
    """
    found: list[Finding] = []
    try:
        for finding in check():
            found.append(finding)  # noqa: PERF402  # what came before the error is kept
    except UnknownError as error:
        found.append(unknown(what, str(error), error.to_do))
    except AbsentError as error:
        found.append(broken(what, str(error), absent))
    return found or [unknown(what, "nothing was looked at", "Report this: a check must say what it found.")]
