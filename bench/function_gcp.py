"""Measures the Cloud Function's cold start: from starting functions-framework to its first answer.

    python bench/function_gcp.py [--rounds 11]

Beside it stand two functions: one that does nothing, and one that imports Firestore's client and does nothing with
it. Ours judges an exchange, records it in Firestore's emulator and answers; the policy and the ledger are there, as
they are at every cold start but the first. The clock runs, and so counts the emulator's own work and whatever else
the machine does: measure on a quiet one. A report, never a test: it exits 0 whatever it measures.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from generate import HERE
from tables import table

ROOT = HERE.parent
BARE, IMPORTING, OURS = "a bare function", "one that imports google-cloud-firestore", "callerid's function"
_LIMIT = 1.3
_SECONDS_TO_ANSWER = 60
_NOTHING = "import functions_framework\n@functions_framework.http\ndef handle(request): return 'nothing'\n"
_IMPORTS = f"import google.cloud.firestore\n{_NOTHING}"
_POOL = "projects/123456789012/locations/global/workloadIdentityPools/crosscloud-test"
_SUBJECT = "arn:aws:sts::111111111111:assumed-role/crosscloud-test-aws-1/batch"
_numbers = itertools.count()


class Function(NamedTuple):
    """Something that functions-framework serves."""

    folder: Path
    environment: dict[str, str]


class StartError(Exception):
    """A function that does not answer; the message is the end of what it said."""


def functions(base: Path, emulator: str) -> dict[str, Function]:
    """Return the three, each in a folder of its own."""
    environment = {"PATH": os.environ["PATH"]}
    found = {name: Function(base / str(number), environment) for number, name in enumerate((BARE, IMPORTING, OURS))}
    for name, text in ((BARE, _NOTHING), (IMPORTING, _IMPORTS)):
        found[name].folder.mkdir(parents=True)
        (found[name].folder / "main.py").write_text(text)
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "gcp_function", found[OURS].folder, ignore=without)
    shutil.copytree(ROOT / "shared" / "callerid", found[OURS].folder / "callerid", ignore=without)
    shutil.copy(ROOT / "examples" / "policy.yaml", found[OURS].folder / "policy.yaml")
    ours = {
        **environment,
        "FIRESTORE_EMULATOR_HOST": emulator,
        "CALLERID_POLICY": "package:policy.yaml",
        "CALLERID_LEDGER": "firestore://bench/(default)",
    }
    return {**found, OURS: found[OURS]._replace(environment=ours)}


def _push() -> bytes:
    """Return an entry that was never seen before, as Pub/Sub pushes it."""
    entry = {
        "insertId": f"bench{next(_numbers)}-{time.time_ns()}",
        "logName": "projects/my-gcp-project/logs/cloudaudit.googleapis.com%2Fdata_access",
        "protoPayload": {
            "authenticationInfo": {"principalSubject": _SUBJECT},
            "metadata": {"mapped_principal": f"principal://iam.googleapis.com/{_POOL}/subject/{_SUBJECT}"},
            "methodName": "google.identity.sts.v1.SecurityTokenService.ExchangeToken",
            "resourceName": f"{_POOL}/providers/crosscloud-test-aws",
            "serviceName": "sts.googleapis.com",
        },
        "timestamp": "2026-11-02T03:04:05.123456789Z",
    }
    data = base64.b64encode(json.dumps(entry).encode()).decode()
    return json.dumps({"message": {"data": data, "messageId": "1"}, "subscription": "s"}).encode()


def start(function: Function, port: int) -> float:
    """Start a function, have it answer once, end it, and return the seconds to its answer.

    Raises:
        StartError: where it does not answer.
    """
    command = [sys.executable, "-m", "functions_framework", "--target", "handle", "--port", str(port)]
    body, log = _push(), function.folder / "server.log"
    with log.open("wb") as out:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1"],
            cwd=function.folder,
            env=function.environment,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        while not _answers(port, body):
            if process.poll() is not None or time.perf_counter() - begun > _SECONDS_TO_ANSWER:
                raise StartError(" / ".join(log.read_text(errors="replace").strip().splitlines()[-3:]))
            time.sleep(0.005)  # a hundredth of what is measured
        return time.perf_counter() - begun
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(port: int, body: bytes) -> bool:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/", body, {"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS_TO_ANSWER) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        raise StartError(f"HTTP {error.code}") from error
    except OSError:
        return False


def measure(rounds: int) -> dict[str, float]:
    """Return the medians of so many rounds; before them, one that compiles and fills the ledger."""
    sys.path.append(str(ROOT))
    from tests import parts  # noqa: PLC0415  # the emulator, which not every machine has

    seconds: dict[str, list[float]] = {}
    with ExitStack() as stack:
        base = Path(stack.enter_context(TemporaryDirectory()))
        found = functions(base, stack.enter_context(parts.firestore()))
        for _ in range(rounds + 1):
            for name, function in found.items():
                seconds.setdefault(name, []).append(start(function, parts.free_port()))
    return {name: statistics.median(taken[1:]) for name, taken in seconds.items()}


def report(rounds: int) -> tuple[str, str, bool | None]:
    """Print the table; return what was promised, what was measured, and whether it holds."""
    target = f"Cloud Function: start to first answer against importing Firestore alone ≤ {_LIMIT}"
    print("\nCloud Function: functions-framework from start to first answer, medians of", rounds, "interleaved rounds")
    try:
        medians = measure(rounds)
    except BaseException as error:  # pytest's own signal for a missing part is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        print(f"  left out: {type(error).__name__}: {error}")
        return target, "not measured", None
    print(table(("", "ms"), [(name, f"{seconds * 1000:.0f}") for name, seconds in medians.items()]))
    ratio = medians[OURS] / medians[IMPORTING]
    return target, f"{ratio:.2f}", ratio <= _LIMIT


def main() -> None:
    """Measure and say whether the target holds."""
    parser = argparse.ArgumentParser(description="Measure the Cloud Function's cold start.")
    parser.add_argument("--rounds", type=int, default=11, help="how often each function is started")
    rounds: int = parser.parse_args().rounds
    print(f"CPython {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores")
    print(table(("target", "measured", "holds"), [tuple(map(str, report(rounds)))]))


if __name__ == "__main__":
    main()
