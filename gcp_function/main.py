"""The Cloud Function: what the log sink sends is judged and recorded, what is due is sent.

``POST /`` takes a push of Pub/Sub, plain or as a CloudEvent; ``POST /tasks/deliver`` and ``/tasks/summary`` take
the scheduler's calls. A message is acknowledged once everything in it is in the ledger. What can't be read goes
aside there and is acknowledged too; a failure that a retry can help answers 500, and Pub/Sub sends it again.

https://cloud.google.com/pubsub/docs/push
"""

from __future__ import annotations

import gc
import logging
import os
import time
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import functions_framework
import inbox

from callerid.alerts.clock import Clock
from callerid.policy.remote import fetcher
from callerid.service import Service, Settings

PACKAGE = Path(__file__).parent
BUDGET_SECONDS = 40.0
"""Of a task, within the minute until the next one."""
Answer = tuple[Any, int]
gc.disable()  # until all parts are made: what imports leave stays, and looking through it is a sixth of their time
_making = Lock()
"""Held while a part is made: two first requests at once would import Google's clients against each other."""


def service() -> Service:
    """Return the one service of this process, made when the first request comes."""
    with _making:
        return _service()


@lru_cache(maxsize=1)
def _service() -> Service:
    settings = Settings.of(os.environ)
    return Service(settings, fetcher(settings.policy, PACKAGE), _slack, Clock(time.time, time.sleep))


def _slack() -> Any:
    from callerid.alerts.sender import sender  # noqa: PLC0415  # judging needs no Slack

    return sender(os.environ["CALLERID_SLACK_TOKEN"], api=os.environ.get("CALLERID_SLACK_API"))


def log() -> logging.Logger:
    """Return a logger whose lines Cloud Logging reads as JSON."""
    with _making:
        return _log()


@lru_cache(maxsize=1)
def _log() -> logging.Logger:
    os.environ.setdefault("GOOGLE_CLOUD_DISABLE_GRPC", "true")  # half of the import, and lines only go to the output
    from google.cloud.logging_v2.handlers import StructuredLogHandler  # noqa: PLC0415

    logger = logging.getLogger("callerid")
    logger.setLevel(os.environ.get("LOG_LEVEL", "INFO"))
    logger.addHandler(StructuredLogHandler())
    logger.propagate = False
    gc.freeze()  # whatever is done ends in a line, so that the other parts are there by now
    gc.enable()
    return logger


@functions_framework.http
def handle(request: Any) -> Answer:
    """Answer one request."""
    if request.method != "POST":
        return {"error": "POST alone"}, 405
    match request.path.rstrip("/"):
        case "/tasks/deliver":
            return _task("deliver", _deliver)
        case "/tasks/summary":
            return _task("summary", lambda: {"week": service().summary()})
        case path if path.startswith("/tasks"):
            return {"error": f"no such task: {path}"}, 404
        case _:
            return _push(request.get_data())


def _push(body: bytes) -> Answer:
    try:
        answer = inbox.take(service(), body)
    except Exception as error:  # noqa: BLE001  # whatever failed around the engine: it is counted, and comes again
        log().exception("push failed", extra={"json_fields": {"event": "push_failed", "error": type(error).__name__}})
        return {"error": "not recorded; deliver again"}, 500
    inbox.report(log(), answer)
    return {"records": answer.records, "new": answer.recorded.records}, 200


def _task(name: str, task: Any) -> Answer:
    try:
        answer = task()
    except Exception as error:  # noqa: BLE001  # told in the log, which an alert policy reads
        log().exception("task failed", extra={"json_fields": {"event": "task_failed", "error": type(error).__name__}})
        return {"error": f"{name} failed"}, 500
    log().info("task", extra={"json_fields": {"event": "task", "task": name, **answer}})
    return answer, 200


def _deliver() -> dict[str, Any]:
    try:
        done = service().deliver(budget_seconds=BUDGET_SECONDS)
    finally:
        trouble = service().watch()  # also where Slack or its secret is what is broken
    if service().policy_trouble:
        log().error("policy invalid", extra={"json_fields": {"event": "policy_invalid"}})
    pending = {"pending_alerts": done.waiting, "oldest_pending_seconds": done.oldest_seconds}
    return {"posted": done.posted, "edited": done.edited, **pending, "trouble": trouble}
