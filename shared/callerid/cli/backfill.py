"""``callerid backfill``: objects that already lie in a bucket are put before the Cloud Function, like new ones."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import Protocol

import click

from callerid.cli.error import WrongInputError
from callerid.extras import needed
from callerid.names.printable import printable
from callerid.sources import google

_BUCKET = re.compile(r"gs://([^/]+)/?(.*)", re.DOTALL)
_TOPIC = re.compile(r"projects/[^/]+/topics/[^/]+")
_PUBLISHED_SECONDS = 60.0
"""How long a page of a thousand messages may take to be out, the client's own attempts included."""
_INTERRUPTED = 130


class Publish(Protocol):
    """How a message goes out: that of google-cloud-pubsub's publisher."""

    def __call__(self, topic: str, data: bytes, /, **attributes: str) -> Future[str]:
        """Return at once; the result is the message's id."""


@click.command()
@click.argument("bucket", metavar="gs://BUCKET/PREFIX")
@click.option("--topic", metavar="projects/P/topics/T", required=True, help="The topic that the function reads from.")
@click.option("--start", metavar="NAME", default="", help="The object to begin with, in the order of their names.")
@click.option("--dry-run", is_flag=True, help="Print the objects; publish nothing.")
def backfill(bucket: str, topic: str, start: str, *, dry_run: bool) -> None:
    """Have the Cloud Function judge the objects of a bucket, one message an object.

    What was judged before is not counted again, so that a part may be published twice. After an error or an
    interruption the name is told to go on with.

    Exit status: 0 all are published, 2 wrong usage, or not all.
    """
    named = _BUCKET.fullmatch(bucket)
    if not named:
        raise WrongInputError(f"{bucket}: expected gs://BUCKET/PREFIX")
    if not _TOPIC.fullmatch(topic):
        raise WrongInputError(f"{topic}: expected projects/PROJECT/topics/TOPIC")
    pages = google.objects(named[1], named[2], start=start)
    if dry_run:
        _list(pages, named[1])
        return
    _publish(pages, named[1], topic, start)


def _list(pages: Iterator[Sequence[str]], bucket: str) -> None:
    try:
        for names in pages:
            for name in names:
                click.echo(f"gs://{bucket}/{printable(name)}")
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    except Exception as error:
        raise WrongInputError(str(error)) from error


def _publish(pages: Iterator[Sequence[str]], bucket: str, topic: str, start: str) -> None:
    """Publish page after page. What stopped in the middle of one begins with it again."""
    count = 0
    try:
        publish = _publisher()
        for names in pages:
            start = names[0] if names else start
            _page(publish, names, bucket, topic)
            count += len(names)
            if names:
                start = names[-1]
                click.echo(f"{count:,} published, up to {printable(start)}", err=True)
    except KeyboardInterrupt:
        click.echo(f"callerid: {count:,} published; go on with {_go_on(start)}", err=True)
        sys.exit(_INTERRUPTED)
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    except Exception as error:  # whatever the clients of Google Cloud raise: it is told, with how to go on
        why = str(error) or type(error).__name__
        raise WrongInputError(f"{why}; {count:,} published; go on with {_go_on(start)}") from error
    click.echo(f"{count:,} objects of gs://{bucket} published to {topic}")


def _page(publish: Publish, names: Sequence[str], bucket: str, topic: str) -> None:
    """Publish one message for each object, as Cloud Storage does where a new one comes.

    https://cloud.google.com/storage/docs/pubsub-notifications#attributes
    """
    shape = {"eventType": "OBJECT_FINALIZE", "payloadFormat": "NONE", "bucketId": bucket}
    for sent in [publish(topic, b"", **shape, objectId=name) for name in names]:
        sent.result(_PUBLISHED_SECONDS)


def _publisher() -> Publish:
    from google.cloud import pubsub_v1  # type: ignore[attr-defined]

    publish: Publish = pubsub_v1.PublisherClient().publish
    return publish


def _missing(error: ModuleNotFoundError) -> WrongInputError:
    return WrongInputError(needed("gcp", error))


def _go_on(start: str) -> str:
    return f"--start {printable(start)!r}" if start else "the same command"
