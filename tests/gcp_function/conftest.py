"""The real parts around the Cloud Function."""

import pytest

from tests import parts
from tests.alerts.slack_server import SlackServer
from tests.gcp_function.queue import Queue
from tests.gcp_function.stage import Stage


@pytest.fixture
def slack():
    """A Slack of the test's own."""
    with SlackServer() as server:
        yield server


@pytest.fixture
def stage(emulator, slack, tmp_path, monkeypatch):
    """The function, not started yet."""
    stage = Stage(emulator, slack, tmp_path, monkeypatch)
    yield stage
    stage.stop()


@pytest.fixture(scope="session")
def pubsub():
    """The address of Pub/Sub's emulator."""
    with parts.pubsub() as address:
        yield address


@pytest.fixture
def queue(pubsub, stage, monkeypatch):
    """The topic and its subscriptions, in a project of the test's own."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub)
    stage.environment["PUBSUB_EMULATOR_HOST"] = pubsub
    queue = Queue(stage.project)
    yield queue
    queue.close()
