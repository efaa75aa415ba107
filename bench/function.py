"""Measures the Lambda under AWS's own runtime client: cold start, warm batches, memory, and what a record costs.

    PYTHONPATH=. python bench/function.py [--rounds 11] [--batches 200]

The artefact is what `sam build` makes, for the interpreter that runs this. Beside it run two handlers of
handlers/: one that does nothing, and one of the parts that such a function is usually made of, which does nothing
with them. DynamoDB is a stub that answers at once, and whose rows are kept over a round as the real one's are: a
cold start finds the policy and the callers that it knows. A report, never a test: it exits 0 whatever it measures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from generate import DATA, HERE
from tables import table

from tests.aws_function.runtime import Outcome, Runtime, runtime

ROOT = HERE.parent
ARTEFACT = DATA / "function"
BARE, PARTS, CALLS, OURS = (
    "a bare handler",
    "client, Logger, BatchProcessor",
    "the same, making our calls",
    "callerid's Judge",
)
_HANDLERS = {
    BARE: "handlers.bare.handler",
    PARTS: "handlers.parts.handler",
    CALLS: "handlers.parts.calling",
    OURS: "aws_function.app.judge",
}
_COLD, _WARM_MS = 1.2, 3.0
_RECORDS = 10
"""A batch, as template.yaml has it."""
_CALLERS = 50
_UNMEASURED = 10
"""Batches that are given first, until all connections are open."""
_KB = 1024
_POLICY = 'version: 1\naws_accounts: ["111111111111"]\ncallers:\n'
_ENTRY = """\
  - name: caller-{number}
    owner: owner@example.com
    identities:
      - google_service_account: "{subject}"
    may_reach:
      - aws_role: arn:aws:iam::111111111111:role/bench
"""


class Call(NamedTuple):
    """A request as the stub got it."""

    name: str
    request: dict[str, Any]

    @property
    def method(self) -> str:
        """Return what boto's client calls it."""
        return "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in self.name).lstrip("_")


class Table:
    """A DynamoDB table that answers at once and refuses nothing."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._rows: dict[tuple[str, str], Any] = {}

    def answer(self, call: Call) -> dict[str, Any]:
        """Return what DynamoDB would."""
        self.calls.append(call)
        match call.name:
            case "BatchGetItem":
                ((name, wanted),) = call.request["RequestItems"].items()
                found = [row for key in wanted["Keys"] if (row := self._rows.get(_key(key)))]
                return {"Responses": {name: found}, "UnprocessedKeys": {}}
            case "PutItem":
                self._rows[_key(call.request["Item"])] = call.request["Item"]
            case "TransactWriteItems":
                for write in call.request["TransactItems"]:
                    self._rows[_key(write["Put"]["Item"])] = write["Put"]["Item"]
        return {}


def _key(item: dict[str, Any]) -> tuple[str, str]:
    return item["p"]["S"], item["s"]["S"]


@contextmanager
def served(rows: Table) -> Iterator[str]:
    """Yield the address of a table."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:  # http.server's name
            data = self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps(rows.answer(Call(self.headers["X-Amz-Target"].partition(".")[2], json.loads(data))))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Cost(NamedTuple):
    """What an answer took. CPU time does not count waiting: for the stub, or for a core that others have."""

    wall_ms: float
    cpu_ms: float


class Bench:
    """The artefact, the stub's address, and records that were never seen before."""

    def __init__(self, url: str) -> None:
        self._environment = {
            "AWS_ENDPOINT_URL": url,
            "CALLERID_POLICY": "package:policy.yaml",
            "CALLERID_LEDGER": "dynamodb://ledger",
            "PYTHONPATH": os.pathsep.join((str(ARTEFACT), str(HERE))),
        }
        self._records = 0

    def start(self, name: str) -> Any:
        """Return a context in which a handler runs."""
        return runtime(_HANDLERS[name], ARTEFACT, DATA / "function.log", self._environment)

    def batch(self, calls: Sequence[Call] = (), *, size: int = _RECORDS, hour: str = "02T03") -> dict[str, Any]:
        """Return new records of known callers as Lambda gets them, and the calls to make beside them."""
        numbers = range(self._records, self._records + size)
        self._records += size
        messages = [_message(number, hour) for number in numbers]
        return {"Records": messages, "calls": [(call.method, call.request) for call in calls]}

    def cold(self, name: str) -> Cost:
        """Cost a handler, and end it after its first answer."""
        started = time.perf_counter()
        with self.start(name) as function:
            _ask(function, self.batch())
            return Cost((time.perf_counter() - started) * 1000, _cpu_ms(function))


def _message(number: int, hour: str) -> dict[str, Any]:
    caller = _subject(number)
    record = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "WebIdentityUser",
            "principalId": f"accounts.google.com:{caller}:{caller}",
            "userName": caller,
            "identityProvider": "accounts.google.com",
        },
        "eventTime": f"2026-11-{hour}:04:05Z",
        "eventSource": "sts.amazonaws.com",
        "eventName": "AssumeRoleWithWebIdentity",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "192.0.2.1",
        "userAgent": "aws-sdk-go-v2/1.36.3",
        "requestParameters": {"roleArn": "arn:aws:iam::111111111111:role/bench", "roleSessionName": "nightly-export"},
        "responseElements": {
            "subjectFromWebIdentityToken": caller, "provider": "accounts.google.com", "audience": caller,
        },
        "eventID": f"00000000-0000-4000-8000-{number:012d}",
        "eventType": "AwsApiCall",
        "readOnly": True,
        "managementEvent": True,
        "recipientAccountId": "111111111111",
    }  # fmt: skip
    event = {
        "version": "0", "id": record["eventID"], "detail-type": "AWS API Call via CloudTrail", "source": "aws.sts",
        "account": "111111111111", "time": record["eventTime"], "region": "us-east-1", "resources": [],
        "detail": record,
    }  # fmt: skip
    return {
        "messageId": str(number), "receiptHandle": "handle", "attributes": {}, "messageAttributes": {},
        "body": json.dumps(event), "md5OfBody": "", "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:111111111111:callerid", "awsRegion": "us-east-1",
    }  # fmt: skip


def _subject(number: int) -> str:
    return f"1{number * 7 % _CALLERS:020d}"


def _ask(function: Runtime, event: dict[str, Any]) -> None:
    outcome = function.invoke(event)
    if outcome != Outcome(answer={"batchItemFailures": []}):
        raise SystemExit(f"the handler failed: {outcome} {function.log()}")


def _cpu_ms(function: Runtime) -> float:
    """Return the CPU time of all threads of a process: https://docs.kernel.org/scheduler/sched-stats.html."""
    tasks = Path(f"/proc/{function.process.pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e6


def _peak_bytes(function: Runtime) -> int:
    lines = Path(f"/proc/{function.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * _KB for line in lines if line.startswith("VmHWM"))


def build() -> None:
    """Build the artefact as `sam build` does, for this machine and this interpreter, with a policy of all callers."""
    shutil.rmtree(ARTEFACT, ignore_errors=True)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    settings = [f"ARTIFACTS_DIR={ARTEFACT}", f"MACHINE={platform.machine()}", f"RUNTIME={version}"]
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    command = ["make", "-s", "build-Judge", f"PYTHON={sys.executable}", *settings]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "PATH": path}, check=True)
    entries = "".join(_ENTRY.format(number=number, subject=_subject(number)) for number in range(_CALLERS))
    (ARTEFACT / "aws_function" / "policy.yaml").write_text(_POLICY + entries)


def cold(bench: Bench, rounds: int) -> float:
    """Print how long each handler takes to its first answer; return ours against the usual parts, in CPU time."""
    names = (BARE, PARTS, OURS)
    starts: dict[str, list[Cost]] = {name: [] for name in names}
    for name in names:
        bench.cold(name)  # what is read from the disk is then in its cache
    for _ in range(rounds):
        for name in names:
            starts[name].append(bench.cold(name))
    medians = _medians(starts)
    base = medians[PARTS]
    rows = [
        (
            name,
            *(f"{value:.0f}" for value in cost),
            f"{cost.wall_ms / base.wall_ms:.2f}",
            f"{cost.cpu_ms / base.cpu_ms:.2f}",
        )
        for name, cost in medians.items()
    ]
    print(
        f"\ncold: from starting a process to its answer to {_RECORDS} records, medians of {rounds} interleaved rounds"
    )
    print(table(("", "wall ms", "CPU ms", "wall, ratio", "CPU, ratio"), rows))
    return medians[OURS].cpu_ms / base.cpu_ms


def warm(bench: Bench, rows: Table, batches: int) -> float:
    """Print what a further batch takes; return the CPU time of ours without what its calls take, in milliseconds."""
    with ExitStack() as stack:
        functions = {name: stack.enter_context(bench.start(name)) for name in _HANDLERS}
        spent: dict[str, list[Cost]] = {name: [] for name in _HANDLERS}
        calls: list[Call] = []
        for number in range(-_UNMEASURED, batches):
            for name in (BARE, PARTS, OURS, CALLS):
                event = bench.batch(calls if name == CALLS else ())
                rows.calls.clear()
                cost = _measured(functions[name], event)
                if number >= 0:
                    spent[name].append(cost)
                if name == OURS:
                    calls = list(rows.calls)
        peaks = {name: _peak_bytes(function) for name, function in functions.items()}
    medians = _medians(spent)
    found = [
        (name, f"{cost.wall_ms:.2f}", f"{cost.cpu_ms:.2f}", f"{peaks[name] / 1e6:.0f}")
        for name, cost in medians.items()
    ]
    asked = ", ".join(call.name for call in calls)
    print(f"\nwarm: {_RECORDS} records a batch, medians of {batches}, one after the other; our calls: {asked}")
    print(table(("", "wall ms", "CPU ms", "peak MB"), found))
    ours, wall_ms, cpu_ms = medians[OURS], *(medians[CALLS][at] - medians[PARTS][at] for at in range(2))
    print(f"the calls alone, client and stub: {wall_ms:.2f} ms, of which CPU {cpu_ms:.2f} ms")
    print(f"callerid beside its calls: {ours.wall_ms - wall_ms:.2f} ms, of which CPU {ours.cpu_ms - cpu_ms:.2f} ms")
    return ours.cpu_ms - cpu_ms


def _measured(function: Runtime, event: dict[str, Any]) -> Cost:
    cpu_ms, started = _cpu_ms(function), time.perf_counter()
    _ask(function, event)
    return Cost((time.perf_counter() - started) * 1000, _cpu_ms(function) - cpu_ms)


def _medians(costs: dict[str, list[Cost]]) -> dict[str, Cost]:
    return {
        name: Cost(*(statistics.median(values) for values in zip(*found, strict=True))) for name, found in costs.items()
    }


def units(bench: Bench, rows: Table) -> None:
    """Print what DynamoDB charges for a record, over a day: a caller's row grows with each hour that it is seen in."""
    found = []
    with bench.start(OURS) as function:
        for day, size in enumerate((1, 8, _RECORDS), 3):
            written = read = records = 0
            for hour in range(24):
                for _ in range(60):  # so that every caller comes in every hour, on most of the eight shards
                    rows.calls.clear()
                    _ask(function, bench.batch(size=size, hour=f"{day:02}T{hour:02}"))
                    records += size
                    written += sum(_write_units(call) for call in rows.calls)
                    read += sum(_read_units(call) for call in rows.calls)
            found.append((f"{size} a batch", f"{written / records:.2f}", f"{read / records:.2f}"))
    print(f"\nDynamoDB's request units for a record, {_CALLERS} callers over 24 hours")
    print(table(("", "written", "read"), found))


def _write_units(call: Call) -> int:
    """Return a write's units: one for each KB of an item, twice that in a transaction."""
    match call.name:
        case "TransactWriteItems":
            return sum(2 * _units(write["Put"]["Item"]) for write in call.request["TransactItems"])
        case "PutItem":
            return _units(call.request["Item"])
    return 0


def _units(item: dict[str, Any]) -> int:
    size = sum(len(name) + len(next(iter(value.values()))) for name, value in item.items())
    return -(-size // _KB)


def _read_units(call: Call) -> int:
    """Return a consistent read's units: one for each key, as no row here is over 4 KB."""
    return sum(len(wanted["Keys"]) for wanted in call.request.get("RequestItems", {}).values())


def main() -> None:
    """Measure everything and end with the targets."""
    parser = argparse.ArgumentParser(description="Measure the Lambda under AWS's own runtime client.")
    parser.add_argument("--rounds", type=int, default=11, help="how often each handler is started")
    parser.add_argument("--batches", type=int, default=200, help="how many batches each handler gets")
    options = parser.parse_args()
    DATA.mkdir(exist_ok=True)
    build()
    rows = Table()
    with served(rows) as url:
        bench = Bench(url)
        ratio = cold(bench, options.rounds)
        own_ms = warm(bench, rows, options.batches)
        units(bench, rows)
    holds = {True: "yes", False: "NO"}
    targets = [
        (f"CPU time of a cold start against the parts alone ≤ {_COLD}", f"{ratio:.2f}", holds[ratio <= _COLD]),
        (
            f"CPU time of a warm batch beside its calls ≤ {_WARM_MS:.0f} ms",
            f"{own_ms:.2f} ms",
            holds[own_ms <= _WARM_MS],
        ),
    ]
    print()
    print(table(("target", "measured", "holds"), targets))


if __name__ == "__main__":
    main()
