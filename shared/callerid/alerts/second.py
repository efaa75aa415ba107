"""The second way out: where somebody hears that the first one, Slack, or the source itself is broken.

It must not share a fate with what it reports on: a topic that mails or pages, or standard error on a laptop.
"""

from __future__ import annotations

import re
import sys
from typing import Protocol

from callerid.extras import needed

FORMS = "sns:TOPIC_ARN, pubsub:projects/PROJECT/topics/TOPIC or stderr"
_SNS = re.compile(r"sns:(arn:aws[a-z-]*:sns:([a-z0-9-]+):[0-9]{12}:[A-Za-z0-9_-]+)")
_PUBSUB = re.compile(r"pubsub:(projects/[^/]+/topics/[^/]+)")
_SUBJECT_CHARACTERS = 100
"""The longest subject that SNS takes."""


class SecondWay(Protocol):
    """One way to tell a person something that is not in a log."""

    def tell(self, subject: str, text: str, /) -> None:
        """Tell it. Whatever goes wrong is raised, and it is told again later."""


class SecondWayError(Exception):
    """A setting that names no second way; the message says what was expected."""


def second_way(setting: str) -> SecondWay:
    """Return the way that a setting names.

    Raises:
        SecondWayError: for any other setting, or where the cloud's client is not installed.
    """
    if setting == "stderr":
        return StandardError()
    sns, pubsub = _SNS.fullmatch(setting), _PUBSUB.fullmatch(setting)
    try:
        if sns:
            return SnsTopic(sns[1], sns[2])
        if pubsub:
            return PubsubTopic(pubsub[1])
    except ModuleNotFoundError as error:
        extra = "aws" if sns else "gcp"
        raise SecondWayError(f"{setting}: {needed(extra, error)}") from error
    raise SecondWayError(f"{setting!r}: expected {FORMS}")


class StandardError:
    """A laptop's way: the person is there."""

    def tell(self, subject: str, text: str, /) -> None:
        """Print it."""
        sys.stderr.write(f"callerid: {subject}\n{text}\n")


class SnsTopic:
    """An SNS topic, which mails, pages or calls whoever subscribed to it.

    https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """

    def __init__(self, arn: str, region: str) -> None:
        import boto3  # noqa: PLC0415  # only where it is used

        self._arn = arn
        self._client = boto3.client("sns", region_name=region)

    def tell(self, subject: str, text: str, /) -> None:
        """Publish it. A subject is ASCII and short; what it leaves out stands in the text."""
        plain = subject.encode("ascii", "replace").decode()
        self._client.publish(TopicArn=self._arn, Subject=plain[:_SUBJECT_CHARACTERS], Message=f"{subject}\n\n{text}")


class PubsubTopic:
    """A Pub/Sub topic, which a notification channel or an own subscriber turns into a page.

    https://cloud.google.com/pubsub/docs/publisher
    """

    _TIMEOUT_SECONDS = 10.0

    def __init__(self, topic: str) -> None:
        from google.cloud import pubsub_v1  # type: ignore[attr-defined]  # noqa: PLC0415

        self._topic = topic
        self._client = pubsub_v1.PublisherClient()

    def tell(self, subject: str, text: str, /) -> None:
        """Publish it, and wait until it is out: a function may be frozen right after it answered."""
        self._client.publish(self._topic, text.encode(), subject=subject).result(timeout=self._TIMEOUT_SECONDS)
