"""The Lambda's handlers: what the queue holds is judged and recorded, what is due is sent.

A message is acknowledged once everything in it is in the ledger. What can't be read goes aside there and is
acknowledged too. What failed around the engine comes again, in the end to the dead-letter queue.

Modules that one handler alone needs are imported by it: a cold start pays for nothing else.
"""
# ruff: noqa: E402  # the garbage collector is off first

from __future__ import annotations

import gc

gc.disable()  # what is imported is never let go again, and looking for it takes a tenth of a cold start

import logging
import os
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from callerid.alerts.clock import Clock
from callerid.policy.remote import fetcher
from callerid.service import Service, Settings

PACKAGE = Path(__file__).parent
SPARE_SECONDS = 12.0
"""Before the end of its time a sender stops: the longest that one message can be under way."""
log = Logger()
metrics = Metrics()
for library in ("botocore", "urllib3"):  # at DEBUG, the level of all loggers, they quote the secret that was fetched
    logging.getLogger(library).setLevel(logging.INFO)


@lru_cache(maxsize=1)
def service() -> Service:
    """Return the one service of this process."""
    settings = Settings.of(os.environ)
    return Service(settings, fetcher(settings.policy, PACKAGE), _slack, Clock(time.time, time.sleep))


def _slack() -> Any:
    from aws_lambda_powertools.utilities import parameters  # noqa: PLC0415

    from callerid.alerts.sender import sender  # noqa: PLC0415

    secret = parameters.get_secret(os.environ["CALLERID_SLACK_SECRET"], max_age=300)
    return sender(str(secret), api=os.environ.get("CALLERID_SLACK_API"))


@metrics.log_metrics(raise_on_empty_metrics=False)
def judge(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Judge a batch of messages; answer which of them are to come again."""
    from aws_function.batch import Batch  # noqa: PLC0415

    batch = Batch(service(), deadline=time.time() + context.get_remaining_time_in_millis() / 1000)
    failures = batch.process(event, context)
    batch.report(log, metrics, request=context.aws_request_id)
    return {"batchItemFailures": [{"itemIdentifier": message} for message in failures]}


@metrics.log_metrics(raise_on_empty_metrics=False)
def tasks(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Do what is scheduled: ``deliver`` what is due and watch over the monitor, or post the weekly ``summary``."""
    from aws_function import scheduled  # noqa: PLC0415

    budget = context.get_remaining_time_in_millis() / 1000 - SPARE_SECONDS
    return scheduled.run(service(), str(event.get("task")), budget, log, metrics)


def check_policy(event: dict[str, Any], context: LambdaContext) -> None:
    """Answer CloudFormation whether a policy is good."""
    from aws_function.custom_resource import answer  # noqa: PLC0415

    answer(event, PACKAGE, context.log_stream_name)


def _prepare(handler: str) -> None:
    """Load what a handler needs before its first event: a start has a whole core, as is seen and documented nowhere."""
    if handler == "judge":
        import aws_function.batch  # noqa: PLC0415
    elif handler == "tasks":
        import aws_function.scheduled  # noqa: F401, PLC0415
    if handler in ("judge", "tasks"):
        service()


_prepare(os.environ.get("_HANDLER", "").rpartition(".")[2])
gc.freeze()
gc.enable()
