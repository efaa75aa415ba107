"""The real parts that tests run against: AWS as moto serves it, and the emulators of Firestore and Pub/Sub.

Each is on a port of its own.
"""

import os
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, Thread
from time import monotonic, sleep
from typing import Any, NoReturn

import pytest

_FIRESTORE = "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar"
_FIRESTORE_MAIN = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
_PUBSUB = "platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar"
_SECONDS_TO_START = 60
"""It takes two; a busy machine may take longer."""


def needs(part: str, reason: str) -> NoReturn:
    """Skip the test for want of a part; fail it where the part was promised.

    It is promised on a machine for continuous integration (``CI`` is set) and where ``CALLERID_REQUIRE`` lists its
    name, among others after commas.
    """
    if os.environ.get("CI") or part in os.environ.get("CALLERID_REQUIRE", "").split(","):
        pytest.fail(f"needs {part}: {reason}", pytrace=False)
    pytest.skip(f"needs {part}: {reason}")


@contextmanager
def moto() -> Iterator[str]:
    """Yield the address of moto's AWS, for ``AWS_ENDPOINT_URL``.

    It answers one request at a time: its tables are not locked, while those of DynamoDB change as a whole.
    """
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log(self, *_: object) -> None:
            """Say nothing."""

    aws = DomainDispatcherApplication(create_backend_app)
    turn = Lock()

    def one_at_a_time(environ: Any, start_response: Any) -> Any:
        with turn:
            return aws(environ, start_response)

    server = make_server("127.0.0.1", 0, one_at_a_time, threaded=True, request_handler=Quiet)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def firestore() -> Iterator[str]:
    """Yield the address of Firestore's emulator, for ``FIRESTORE_EMULATOR_HOST``; each project is a database apart."""
    command = ["java", "-cp", _jar("firestore", _FIRESTORE), _FIRESTORE_MAIN, "start"]
    with _emulator([*command, "--database-mode=firestore-native"]) as address:
        yield address


@contextmanager
def pubsub() -> Iterator[str]:
    """Yield the address of Pub/Sub's emulator, for ``PUBSUB_EMULATOR_HOST``."""
    with _emulator(["java", "-jar", _jar("pubsub", _PUBSUB)]) as address:
        yield address


@contextmanager
def _emulator(command: list[str]) -> Iterator[str]:
    address = f"127.0.0.1:{free_port()}"
    host, port = address.split(":")
    process = subprocess.Popen(
        [*command, f"--host={host}", f"--port={port}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait(process, f"http://{address}/")
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def free_port() -> int:
    """A port where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _jar(part: str, pattern: str) -> str:
    """Return the path of an emulator, which only the installation of gcloud brings."""
    gcloud = shutil.which("gcloud")
    if not gcloud or not shutil.which("java"):
        needs(part, "java and gcloud are not both installed")
    found = sorted(Path(gcloud).resolve().parent.parent.glob(pattern))
    if not found:
        needs(part, f"gcloud is installed without the emulator (gcloud components install {pattern.split('/')[1]})")
    return str(found[-1])


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    started = monotonic()
    while True:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except OSError:
            assert process.poll() is None, "the emulator ended"
            assert monotonic() - started < _SECONDS_TO_START, "the emulator does not answer"
            sleep(0.1)  # nothing tells when it is ready
        else:
            return
