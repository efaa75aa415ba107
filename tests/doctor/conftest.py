"""The installations that the doctor is shown."""

from collections.abc import Iterator

import pytest

from tests.doctor.google import GoogleServer
from tests.doctor.installation import Installation, install, served


@pytest.fixture(scope="session")
def _one() -> Iterator[Installation]:
    with served() as made:
        yield made


@pytest.fixture
def aws(_one) -> Iterator[Installation]:
    """A healthy installation; what a test bends is straight again afterwards."""
    install(_one)
    answers = dict(_one.answers)
    _one.asked.clear()
    yield _one
    _one.answers = answers


@pytest.fixture
def google() -> Iterator[GoogleServer]:
    """A healthy installation on Google Cloud."""
    with GoogleServer() as server:
        yield server
