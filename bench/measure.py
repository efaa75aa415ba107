"""Runs a command in a process of its own and says what it cost.

CPU time and peak memory are the kernel's (``wait4``): of the command and of the processes that it waited for.
A command that is *pinned* has one core to itself; one that is not may use them all.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

CORE = max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
_ERROR_LINES = 3


class Command(NamedTuple):
    """Something to measure: its name in the tables, its arguments, and where its output goes."""

    name: str
    arguments: Sequence[str]
    output: Path
    environment: Mapping[str, str]
    is_pinned: bool = True


class Cost(NamedTuple):
    """What one run took: seconds of CPU and of the clock, and peak memory in bytes."""

    cpu_s: float
    wall_s: float
    peak_bytes: int


class FailedError(Exception):
    """A command that ended with another status than 0; the message is the end of what it said."""


def run(command: Command) -> Cost:
    """Run a command once.

    Raises:
        FailedError: where it fails; what it wrote is kept beside its output.
    """
    errors = command.output.with_suffix(".stderr")
    with command.output.open("wb") as out, errors.open("wb") as err:
        start = time.perf_counter()
        process = subprocess.Popen(  # the bench's own commands
            command.arguments,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=dict(command.environment),
            preexec_fn=_pin if command.is_pinned else None,  # noqa: PLW1509  # the bench has one thread
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        said = errors.read_text(errors="replace").strip().splitlines()[-_ERROR_LINES:]
        raise FailedError(f"{command.name} ended with {process.returncode}: {' / '.join(said)}")
    return Cost(usage.ru_utime + usage.ru_stime, wall_s, usage.ru_maxrss * 1024)


def _pin() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {CORE})


def interleaved(commands: Sequence[Command], rounds: int, say: Callable[[str], None]) -> dict[str, list[Cost]]:
    """Run all commands one after the other, so many rounds: what slows the machine down slows them alike.

    A command that fails is left out from then on, and the reason is said.
    """
    costs: dict[str, list[Cost]] = {command.name: [] for command in commands}
    failed: set[str] = set()
    for _ in range(rounds):
        for command in commands:
            if command.name in failed:
                continue
            try:
                costs[command.name].append(run(command))
            except FailedError as error:
                failed.add(command.name)
                say(f"  left out: {error}")
    return {name: costs[name] for name in costs if name not in failed}


def median(costs: Sequence[Cost]) -> Cost:
    """Return the medians of several runs; of the memory, the worst."""
    return Cost(
        statistics.median(cost.cpu_s for cost in costs),
        statistics.median(cost.wall_s for cost in costs),
        max(cost.peak_bytes for cost in costs),
    )
