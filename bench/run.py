"""Measures callerid beside the other ways to read the same logs, and says which targets hold.

    python bench/run.py [--rounds 3] [--cloudtrail-mb 1000] [--audit-mb 300]

A report, never a test: it exits 0 whatever it measures. Ours is the real command, as a user starts it; the
other ways are those of peers.py, which need ``pip install -r bench/requirements.txt``. Differences below a
tenth are noise: the same program against itself reads 0.89 to 1.06.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import function_gcp
import policy
from generate import DATA, HERE, Manifest, Part, add_sizes, describe, generate
from measure import Command, Cost, FailedError, interleaved, median, run
from tables import table

OURS, FLOOR, PARSE, DUCKDB, LOOP = (
    "callerid scan",
    "its unpacking and decoding alone",
    "gzip + orjson, nothing judged",
    "DuckDB, one statement",
    "gzip + json + loop",
)
_PEERS = {FLOOR: "floor", PARSE: "parse", DUCKDB: "duckdb", LOOP: "loop"}
_TARGETS = {"cloudtrail": 0.40, "audit": 0.60}
_JOBS, _ENTRIES = 1.6, 1.15
_MEMORY_BASE, _MEMORY_FACTOR = 150e6, 3
_STARTS = 11
_COMPARED = ("web-identity", "session-use", "token-exchange")
OUT, CACHE = DATA / "out", DATA / "cache"
SMALL_POLICY, LARGE_POLICY = DATA / "policy-10.yaml", DATA / "policy-5000.yaml"
ONE_RECORD = OUT / "one-record.jsonl"
_ONE_RECORD = '{"eventSource":"sts.amazonaws.com","eventName":"AssumeRole","userIdentity":{"type":"AWSService"}}\n'
_FIRST_JUDGEMENT = """
from callerid import delivery
from callerid.engine import Engine
record = b'{"Records":[{"eventSource":"sts.amazonaws.com","eventName":"AssumeRoleWithWebIdentity"}]}'
batch, = delivery.document(record)
judgement, = Engine(None).judge(batch)
assert judgement.verdict == "anonymous", judgement.verdict
"""


class Check(NamedTuple):
    """One line of the last table: what is promised, what was measured, whether it holds."""

    target: str
    measured: str
    holds: bool | None

    def row(self) -> tuple[str, str, str]:
        """Return the line's cells."""
        return self.target, self.measured, {True: "yes", False: "NO", None: "?"}[self.holds]


class Bench:
    """The corpus, the policies and the environment that every command runs in."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.rounds: int = options.rounds
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            "PYTHONPATH": os.pathsep.join(filter(None, (str(options.source), os.environ.get("PYTHONPATH")))),
            "CALLERID_CACHE": str(CACHE),
        }
        self.parts = (Part("cloudtrail", options.cloudtrail_mb), Part("audit", options.audit_mb))
        self.manifests: dict[str, Manifest] = {}

    def prepare(self) -> None:
        """Make the corpus and the policies, and fill the caches: of files, of bytecode, of read policies."""
        for folder in (DATA, OUT):
            folder.mkdir(exist_ok=True)
        for part in self.parts:
            self.manifests[part.cloud] = generate(part)
            print(describe(part, self.manifests[part.cloud]))
            for path in part.folder.rglob("*.gz"):
                path.read_bytes()
        policy.write(SMALL_POLICY, policy.SMALL)
        policy.write(LARGE_POLICY, policy.LARGE)
        ONE_RECORD.write_text(_ONE_RECORD)
        try:
            run(self.scan_one(SMALL_POLICY))
        except FailedError as error:
            print(f"callerid can't be measured: {error}")

    def scan(self, name: str, book: Path, parts: Sequence[Part], jobs: int = 1, *, is_pinned: bool = True) -> Command:
        """Return the command that a user would type."""
        folders = [str(part.folder) for part in parts]
        options = ["--policy", str(book), "--format", "json", "--fail-on", "never", "--jobs", str(jobs)]
        arguments = [sys.executable, "-m", "callerid", "scan", *options, *folders]
        return Command(name, arguments, self.output(name, parts), self.environment, is_pinned)

    def scan_one(self, book: Path) -> Command:
        """Return the command that scans a single record."""
        command = self.scan("one record", book, [])
        return command._replace(arguments=[*command.arguments, str(ONE_RECORD)])

    def peer(self, name: str, part: Part) -> Command:
        """Return the command of another way."""
        arguments = [sys.executable, str(HERE / "peers.py"), _PEERS[name], part.cloud, str(part.folder)]
        return Command(name, arguments, self.output(name, [part]), self.environment)

    def output(self, name: str, parts: Sequence[Part]) -> Path:
        """Return where a command's output goes."""
        words = "-".join((*(part.cloud for part in parts), *name.replace(",", "").replace("+", "").split()))
        return OUT / f"{words}.json"


def side_by_side(bench: Bench, part: Part) -> list[Check]:
    """Measure ours and the other ways on one cloud's logs."""
    print(
        f"\n{part.cloud}: one core, medians of {bench.rounds} interleaved rounds, the policy of {policy.SMALL} entries"
    )
    ours = bench.scan(OURS, SMALL_POLICY, [part])
    costs = interleaved([ours, *(bench.peer(name, part) for name in _PEERS)], bench.rounds, print)
    medians = {name: median(found) for name, found in costs.items()}
    manifest = bench.manifests[part.cloud]
    head = ("", "CPU s", "wall s", "records/s", "peak MB", "against parsing")
    print(table(head, [_row(name, cost, manifest, medians.get(PARSE)) for name, cost in medians.items()]))
    target = f"{part.cloud}: CPU time against parsing alone ≤ {_TARGETS[part.cloud]:.2f}"
    bound = _MEMORY_BASE + _MEMORY_FACTOR * manifest.largest
    memory = f"{part.cloud}: peak memory ≤ 150 MB + 3 × {manifest.largest / 1e6:.1f} MB = {bound / 1e6:.0f} MB"
    if OURS not in medians:
        return [Check(target, "not measured", None), Check(memory, "not measured", None)]
    peak = medians[OURS].peak_bytes
    checks = [Check(target, "no parser to compare with", None), Check(memory, f"{peak / 1e6:.0f} MB", peak <= bound)]
    if PARSE in medians:
        ratio = medians[OURS].cpu_s / medians[PARSE].cpu_s
        checks[0] = Check(target, f"{ratio:.2f}", ratio <= _TARGETS[part.cloud])
    return checks


def _row(name: str, cost: Cost, manifest: Manifest, floor: Cost | None) -> tuple[str, ...]:
    ratio = f"{cost.cpu_s / floor.cpu_s:.2f}" if floor else "-"
    speed = f"{manifest.records / cost.cpu_s:,.0f}"
    return name, f"{cost.cpu_s:.2f}", f"{cost.wall_s:.2f}", speed, f"{cost.peak_bytes / 1e6:.0f}", ratio


def jobs(bench: Bench) -> list[Check]:
    """Measure how much sooner two processes are done, by the clock."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"\nprocesses: CloudTrail by the clock, not pinned, {cores} cores")
    one, two = (
        bench.scan(f"--jobs {count}", SMALL_POLICY, bench.parts[:1], count, is_pinned=False) for count in (1, 2)
    )
    medians = _medians(bench, [one, two])
    target = f"cloudtrail: --jobs 2 against --jobs 1, by the clock ≥ {_JOBS}"
    if one.name not in medians or two.name not in medians:
        return [Check(target, "not measured", None)]
    speedup = medians[one.name].wall_s / medians[two.name].wall_s
    return [Check(target, f"{speedup:.2f}", speedup >= _JOBS)]


def entries(bench: Bench) -> list[Check]:
    """Measure judging under a large policy against a small one, and apart from it the first reading of each."""
    print("\npolicies: both clouds' logs, one core, each policy read before")
    books = {f"{count:,} entries": path for count, path in ((policy.SMALL, SMALL_POLICY), (policy.LARGE, LARGE_POLICY))}
    commands = [bench.scan(name, path, bench.parts) for name, path in books.items()]
    medians = _medians(bench, commands)
    target = f"both: judging under {policy.LARGE:,} entries against {policy.SMALL} ≤ {_ENTRIES}"
    if len(medians) < len(commands):
        return [Check(target, "not measured", None)]
    _first_readings(bench, books)
    small, large = (medians[command.name].cpu_s for command in commands)
    same = _totals(commands[0])["verdicts"] == _totals(commands[1])["verdicts"]
    print(f"verdicts under both policies: {'the same' if same else 'DIFFERENT'}")
    return [Check(target, f"{large / small:.2f}", large / small <= _ENTRIES and same)]


def _first_readings(bench: Bench, books: dict[str, Path]) -> None:
    """Print what a policy costs when it is read for the first time, and afterwards: a scan of a single record."""
    rows = []
    for name, path in books.items():
        command = bench.scan_one(path)
        shutil.rmtree(CACHE, ignore_errors=True)
        first, again = run(command), median([run(command) for _ in range(3)])
        rows.append(
            (name, *(f"{seconds * 1000:.0f}" for seconds in (first.cpu_s, again.cpu_s, first.cpu_s - again.cpu_s)))
        )
    print(table(("scan of one record, CPU ms", "first time", "afterwards", "reading the policy"), rows))


def starts(bench: Bench) -> None:
    """Print how long a fresh interpreter takes to judge its first record, beside what it can't do without."""
    programs = {
        "bare interpreter": "pass",
        "with zlib, re, msgspec": "import zlib, re, msgspec",
        "callerid.engine and a first judgement": _FIRST_JUDGEMENT,
    }
    print("\nstart: a fresh interpreter, one core, medians of", _STARTS)
    commands = [
        Command(name, [sys.executable, "-c", text], OUT / "start.out", bench.environment)
        for name, text in programs.items()
    ]
    costs = interleaved(commands, _STARTS, print)
    rows = [
        (name, *(f"{seconds * 1000:.0f}" for seconds in (median(found).cpu_s, median(found).wall_s)))
        for name, found in costs.items()
    ]
    print(table(("", "CPU ms", "wall ms"), rows))


def _medians(bench: Bench, commands: Sequence[Command]) -> dict[str, Cost]:
    """Run commands once without measuring, then measure them, print them and return the medians."""
    for command in commands:
        try:
            run(command)
        except FailedError as error:
            print(f"  left out: {error}")
            return {}
    medians = {name: median(found) for name, found in interleaved(commands, bench.rounds, print).items()}
    rows = [
        (name, f"{cost.cpu_s:.2f}", f"{cost.wall_s:.2f}", f"{cost.peak_bytes / 1e6:.0f}")
        for name, cost in medians.items()
    ]
    print(table(("", "CPU s", "wall s", "peak MB"), rows))
    return medians


def agreement(bench: Bench) -> None:
    """Print what each way counted. Ours lists its findings alone, so only those of the same kinds compare."""
    print("\ncounts: the kinds that the other ways decide too")
    for part in bench.parts:
        peers = {name: _loaded(bench.output(name, [part])) for name in _PEERS}
        ours = _findings(_loaded(bench.output(OURS, [part])))
        kinds = sorted({kind for found in (*peers.values(), ours) if found for kind in found if kind != "records"})
        rows = [
            (kind, *(_count(found, kind) for found in (ours, peers[DUCKDB], peers[LOOP])))
            for kind in ("records", *kinds)
        ]
        print(table((part.cloud, OURS, "DuckDB", "loop"), rows))
        print(f"agree: {'yes' if _agree(ours, peers[DUCKDB], peers[LOOP]) else 'NO'}\n")


def _count(found: dict[str, int] | None, kind: str) -> str:
    return f"{found[kind]:,}" if found and kind in found else "-"


def _agree(ours: dict[str, int] | None, *peers: dict[str, int] | None) -> bool:
    """Tell whether all that were measured counted the same; a kind that ours does not list can't differ."""
    counted = [found for found in peers if found]
    alike = all(found == counted[0] for found in counted)
    if not ours or not counted:
        return alike
    findings = {
        kind: count for kind, count in counted[0].items() if kind.endswith(("anonymous", "unexpected", "records"))
    }
    return alike and ours == findings


def _findings(totals: dict[str, Any] | None) -> dict[str, int] | None:
    if totals is None:
        return None
    counts = Counter(f"{finding['kind']} {finding['verdict']}" for finding in totals["findings"])
    return {
        "records": totals["records"],
        **{kind: count for kind, count in counts.items() if kind.startswith(_COMPARED)},
    }


def _totals(command: Command) -> dict[str, Any]:
    return _loaded(command.output) or {"verdicts": None}


def _loaded(path: Path) -> dict[str, Any] | None:
    """Return a command's output, None where it failed."""
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return found


def main() -> None:
    """Measure everything and end with the targets."""
    parser = argparse.ArgumentParser(description="Measure callerid beside the other ways to read the same logs.")
    parser.add_argument("--rounds", type=int, default=3, help="how often each command is measured")
    parser.add_argument(
        "--source", type=Path, default=HERE.parent / "shared", help="the folder of the callerid to measure"
    )
    add_sizes(parser)
    bench = Bench(parser.parse_args())
    print(f"CPython {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores")
    shutil.rmtree(OUT, ignore_errors=True)
    bench.prepare()
    checks = [check for part in bench.parts for check in side_by_side(bench, part)]
    checks += jobs(bench) + entries(bench)
    starts(bench)
    checks.append(Check(*function_gcp.report(_STARTS)))
    agreement(bench)
    print(table(("target", "measured", "holds"), [check.row() for check in checks]))


if __name__ == "__main__":
    main()
