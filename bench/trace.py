"""Measures what tracing costs: the index of logs beside a scan of them, and answers from a kept one and the ledger.

    python bench/trace.py [--rounds 3] [--cloudtrail-mb 1000] [--audit-mb 300]

A report, never a test. The wanted ratio is that of the index's CPU time to the scan's: 1.3. The corpus is that of
run.py. A ledger is built from one day of CloudTrail, and asked for a few records that stand in it.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
from pathlib import Path

import policy
import tenant
from generate import DATA, Part, generate
from measure import Command, Cost, FailedError, interleaved, median, run
from tables import table

SCAN, INDEX, FOUND = "callerid scan", "callerid trace, nothing found", "callerid trace, many chains found"
KEPT, OLD = "callerid trace, an index that is kept", "the one of the round before deleted"
ASKED = {"cloudtrail": tenant.EXPORT_ROLE, "audit": tenant.ORIGIN_ACCOUNT}
"""What is read only when somebody asks for it counts here."""
ASKED_OF_KEPT = {"cloudtrail": ("AKIAEXAMPLEEXAMPL001", "user12@example.com"), "audit": ("user12@example.com",)}
"""A key and a user, beside the role or account of many chains."""
WANTED = 1.3
ANSWER_S = 1.0
_ASKED = 5
_TRACE = """
import sys
from callerid.cli.trace import trace
try:
    trace(sys.argv[1:])
except SystemExit as end:
    sys.exit(end.code if end.code != 1 else 0)  # 1 says that nothing was found
"""
OUT = DATA / "out"
BOOK = DATA / "policy-10.yaml"


def environment(source: Path) -> dict[str, str]:
    """Return the environment of every command."""
    return {**os.environ, "PYTHONPATH": str(source), "CALLERID_CACHE": str(DATA / "cache")}


def scan(folder: Path, env: dict[str, str], *more: str) -> Command:
    """Return a scan of a folder, on one core."""
    options = ["--policy", str(BOOK), "--format", "json", "--fail-on", "never", "--jobs", "1", *more]
    return Command(SCAN, [sys.executable, "-m", "callerid", "scan", *options, str(folder)], OUT / "trace.scan", env)


def trace(env: dict[str, str], *arguments: str, name: str = INDEX) -> Command:
    """Return a trace; it need not find anything."""
    return Command(name, [sys.executable, "-c", _TRACE, *arguments], OUT / "trace.out", env)


def index(part: Part, rounds: int, env: dict[str, str]) -> None:
    """Print what the index of a cloud's logs costs beside a scan of them."""
    folder, kept = str(part.folder), DATA / "trace.idx"
    commands = [
        scan(part.folder, env),
        trace(env, "nobody", folder),
        trace(env, ASKED[part.cloud], folder, name=FOUND),
        _delete(kept, env),
        trace(env, "nobody", folder, "--index", str(kept), name=KEPT),
    ]
    costs = {name: median(found) for name, found in interleaved(commands, rounds, print).items() if name != OLD}
    print(table((part.cloud, "CPU s", "wall s", "peak MB"), [_row(name, cost) for name, cost in costs.items()]))
    for name in (INDEX, KEPT):
        ratio = costs[name].cpu_s / costs[SCAN].cpu_s
        print(f"{name}, against scan: {ratio:.2f}, wanted {WANTED}: {'yes' if ratio <= WANTED else 'NO'}")
    for query in ("nobody", *ASKED_OF_KEPT[part.cloud], ASKED[part.cloud]):
        answer(env, query, "--index", str(kept))
        answer(env, query, "--index", str(kept), "--forward")
    print()


def _delete(path: Path, env: dict[str, str]) -> Command:
    return Command(
        OLD, [sys.executable, "-c", f"from pathlib import Path; Path({str(path)!r}).unlink(True)"], OUT / "x", env
    )


def answer(env: dict[str, str], query: str, *place: str) -> None:
    """Print how long one answer takes."""
    cost = run(trace(env, query, *place))
    found = "yes" if cost.wall_s < ANSWER_S else "NO"
    print(f"  {query} {' '.join(place[2:])}: {cost.wall_s:.2f} s, wanted below {ANSWER_S:.0f}: {found}")


def _row(name: str, cost: Cost) -> tuple[str, ...]:
    return name, f"{cost.cpu_s:.2f}", f"{cost.wall_s:.2f}", f"{cost.peak_bytes / 1e6:.0f}"


def answers(part: Part, env: dict[str, str]) -> None:
    """Print how long answers from a ledger of one day take."""
    ledger = DATA / "trace.db"
    for path in DATA.glob("trace.db*"):
        path.unlink()
    folder = min((path for path in part.folder.rglob("*") if path.is_dir() and path.name.isdigit()), key=_depth)
    cost = run(scan(folder, env, "--ledger", f"sqlite:///{ledger}", "--sessions"))
    plain = run(scan(folder, env))
    print(f"ledger of {folder.name}: {cost.cpu_s:.1f} s of CPU, without a ledger {plain.cpu_s:.1f} s")
    with sqlite3.connect(ledger) as database:
        query = (
            "SELECT json_extract(data, '$.issued[0].link.records[0][0]') FROM ledger WHERE partition LIKE 'session %'"
        )
        asked = [row[0] for row in database.execute(f"{query} AND data LIKE '%assume-role%' LIMIT {_ASKED}")]
    for record_id in filter(None, asked):
        answer(env, record_id, "--ledger", f"sqlite:///{ledger}", "--forward")
    if not asked:
        print("  no sessions in the ledger")


def _depth(path: Path) -> tuple[int, str]:
    """Return a sorting key: the deepest folders, which hold a day, come first."""
    return -len(path.parts), str(path)


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cloudtrail-mb", type=int, default=1000)
    parser.add_argument("--audit-mb", type=int, default=300)
    parser.add_argument("--source", type=Path, default=Path(__file__).parent.parent / "shared")
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    policy.write(BOOK, policy.SMALL)
    parts = (Part("cloudtrail", options.cloudtrail_mb), Part("audit", options.audit_mb))
    try:
        for part in parts:
            generate(part)
            index(part, options.rounds, environment(options.source))
        answers(parts[0], environment(options.source))
    except FailedError as error:
        print(f"can't be measured: {error}")


if __name__ == "__main__":
    main()
