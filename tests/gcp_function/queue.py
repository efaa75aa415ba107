"""The topic, its push subscription and its dead letters, as terraform/queue.tf makes them, on Pub/Sub's emulator."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic, sleep

from google.api_core.exceptions import DeadlineExceeded
from google.cloud import pubsub_v1
from google.protobuf.duration_pb2 import Duration

ATTEMPTS = 5
"""As terraform has it, and the fewest that Pub/Sub takes."""
_SECONDS_TO_ARRIVE = 60
"""It takes one; a busy machine may take longer."""


class Queue:
    """What is between a log sink and the function."""

    def __init__(self, project: str) -> None:
        self._publisher, self._subscriber = pubsub_v1.PublisherClient(), pubsub_v1.SubscriberClient()
        self.topic = self._topic(f"projects/{project}/topics/callerid")
        self.dead_letters = self._topic(f"projects/{project}/topics/callerid-dead-letter")
        self.second_way = self._topic(f"projects/{project}/topics/callerid-second-way")
        self._subscription = f"projects/{project}/subscriptions/callerid"
        self._dead = self._pulled(self.dead_letters)
        self._second = self._pulled(self.second_way)

    def _topic(self, name: str) -> str:
        self._publisher.create_topic(name=name)
        return name

    def _pulled(self, topic: str) -> str:
        name = topic.replace("/topics/", "/subscriptions/")
        self._subscriber.create_subscription(name=name, topic=topic)
        return name

    def push_to(self, url: str) -> None:
        """Push to the function; what it refuses five times goes aside."""
        request = {
            "name": self._subscription,
            "topic": self.topic,
            "push_config": {"push_endpoint": url},
            "retry_policy": {"minimum_backoff": Duration(nanos=100_000_000), "maximum_backoff": Duration(seconds=1)},
            "dead_letter_policy": {"dead_letter_topic": self.dead_letters, "max_delivery_attempts": ATTEMPTS},
        }
        self._subscriber.create_subscription(request)

    def bring_back_to(self, url: str) -> None:
        """Push the dead letters to the function, as docs/gcp.md says it."""
        request = {"subscription": self._dead, "push_config": {"push_endpoint": url}}
        self._subscriber.modify_push_config(request)

    def publish(self, *values: object, **attributes: str) -> None:
        """Publish each value as a log sink does."""
        for value in values:
            self._publisher.publish(self.topic, json.dumps(value).encode(), **attributes).result(_SECONDS_TO_ARRIVE)

    def dead(self) -> list:
        """The dead letters, once there are some; they stay."""
        return self._arrived(self._dead)

    def told(self) -> list:
        """What was said by the second way, once there is something."""
        return self._arrived(self._second)

    def _arrived(self, subscription: str) -> list:
        found: list = []
        until(lambda: found.extend(self._pull(subscription)) or bool(found), wanted=True)
        back = {"subscription": subscription, "ack_ids": [one.ack_id for one in found], "ack_deadline_seconds": 0}
        self._subscriber.modify_ack_deadline(back)
        return [one.message for one in found]

    def _pull(self, subscription: str) -> list:
        try:
            request = {"subscription": subscription, "max_messages": 100}
            return list(self._subscriber.pull(request, timeout=_SECONDS_TO_ARRIVE, retry=None).received_messages)
        except DeadlineExceeded:
            return []

    def close(self) -> None:
        """Close both clients."""
        self._subscriber.close()
        self._publisher.transport.close()


def until(look: Callable[[], object], wanted: object) -> object:
    """Look again and again until what is wanted is there; return what was there in the end."""
    started = monotonic()
    while (found := look()) != wanted and monotonic() - started < _SECONDS_TO_ARRIVE:
        sleep(0.1)  # nothing tells when a push has arrived
    return found


@contextmanager
def losing(forward: Callable[[bytes], int], *, times: int) -> Iterator[tuple[str, list[int]]]:
    """Yield an address that hands on to the function and loses its first answers, and the answers."""
    answers: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answers.append(forward(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(502 if len(answers) <= times else answers[-1])
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", answers
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
