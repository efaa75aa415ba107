"""What is wrong with a policy, and where."""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """One thing wrong in a policy file; line and column count from 1."""

    line: int
    column: int
    message: str


class PolicyError(Exception):
    """A policy that can't be used; ``faults`` says all that is wrong with it."""

    def __init__(self, name: str, faults: list[Fault]) -> None:
        self.faults = sorted(faults)
        super().__init__("\n".join(f"{name}:{fault.line}:{fault.column}: {fault.message}" for fault in self.faults))
