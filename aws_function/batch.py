"""One batch of the queue: log files one by one, events all together in few writes.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

import time
from functools import cached_property
from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from aws_function import inbox
from callerid import moment
from callerid.ledger.store import RefusedError, UnavailableError
from callerid.monitor import Delivery, Received
from callerid.policy.standing import NoPolicyError
from callerid.service import Service

FILE_SECONDS = 20.0
"""A log file that is not begun so long before the end goes back to the queue: a large one takes as long."""


class OutOfTimeError(Exception):
    """There is no time left to read a log file; it comes again."""


class Batch:
    """What one invocation was given, and what came of it. ``deadline`` is in seconds since 1970."""

    def __init__(self, service: Service, *, deadline: float) -> None:
        self._service = service
        self._deadline = deadline
        self._events: list[tuple[str, Delivery]] = []
        self._received = Received()
        self._errors: list[str] = []

    def process(self, event: dict[str, Any], context: LambdaContext) -> list[str]:
        """Judge and record every message; return the ids of those that are to come again."""
        processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
        with processor(event["Records"], handler=self._message, lambda_context=context):
            processor.process()
        failures = [item["itemIdentifier"] for item in processor.response()["batchItemFailures"]]
        return failures + self._record(self._events)

    def _message(self, record: SQSRecord) -> None:
        """Read one message. An event waits for the others, a log file is recorded at once."""
        name = f"sqs:{record.message_id}"
        try:
            files = inbox.log_files(record.body)
            if not files:
                self._events.append((record.message_id, Delivery(name, list(inbox.event(record.body)))))
            for file in files:
                name = f"s3://{file.bucket}/{file.key}"
                self._log_file(name, file)
        except Exception as error:
            self._errors.append(f"{name}: {type(error).__name__}: {error}")  # the processor keeps it to itself
            raise

    def _record(self, events: list[tuple[str, Delivery]]) -> list[str]:
        """Record events, all together, or each alone where one of them is to blame; return which are to come again."""
        if not events:
            return []
        try:
            self._received.add(self._service.receive([delivery for _, delivery in events]))
        except Exception as error:  # noqa: BLE001  # counted and reported; the messages come again
            if len(events) > 1 and _is_of_one(error):
                return [message for event in events for message in self._record([event])]
            name = events[0][1].name if len(events) == 1 else f"{len(events)} events"
            self._errors.append(f"{name}: {type(error).__name__}: {error}")
            return [message for message, _ in events]
        return []

    def _log_file(self, name: str, file: inbox.LogFile) -> None:
        """Read a log file as it comes in, each piece recorded before the next is read."""
        if time.time() > self._deadline - FILE_SECONDS:
            raise OutOfTimeError("not begun, there is no time left")
        body = self._s3.get_object(Bucket=file.bucket, Key=file.key)["Body"]
        for part in inbox.parts(body):
            self._received.add(self._service.receive([Delivery(name, part.items)], marker=part.marker))

    @cached_property
    def _s3(self) -> Any:
        from botocore.session import get_session  # noqa: PLC0415  # the second way in alone

        return get_session().create_client("s3")

    def report(self, log: Logger, metrics: Metrics, *, request: str) -> None:
        """Log one line for the batch, the JSON of each finding and why what comes again failed; never a raw record."""
        received = self._received
        lag = time.time() - moment.epoch(received.newest) if received.newest else None
        for finding in (*received.findings, *received.unreadable):
            log.info("finding", finding=msgspec.to_builtins(finding), request=request)
        for verdict, count in received.verdicts.items():
            with single_metric("Verdict", MetricUnit.Count, count) as metric:
                metric.add_dimension("verdict", verdict)
        metrics.add_metric("Records", MetricUnit.Count, received.records)
        metrics.add_metric("Findings", MetricUnit.Count, received.recorded.findings)
        metrics.add_metric("Unreadable", MetricUnit.Count, len(received.unreadable))
        if lag is not None:
            metrics.add_metric("LagSeconds", MetricUnit.Seconds, lag)
        if self._errors:
            log.error("failed", errors=self._errors, request=request)
        log.info(
            "batch",
            request=request,
            records=received.records,
            new=received.recorded.records,
            findings=received.recorded.findings,
            verdicts=dict(received.verdicts),
            passed_over=dict(received.passed_over),
            lag_seconds=lag,
        )


def _is_of_one(error: Exception) -> bool:
    """Tell what a single record brings about from a ledger or a policy that is away: then asking again is in vain."""
    return isinstance(error, RefusedError) or not isinstance(error, (UnavailableError, NoPolicyError))
