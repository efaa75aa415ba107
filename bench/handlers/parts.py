"""A handler of the usual parts that does nothing: a DynamoDB client, a Powertools Logger, a BatchProcessor."""

from __future__ import annotations

from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.typing import LambdaContext

log = Logger()
dynamodb = boto3.client("dynamodb")


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Acknowledge everything."""
    processor = BatchProcessor(event_type=EventType.SQS)
    with processor(event["Records"], handler=lambda record: None, lambda_context=context):
        processor.process()
    log.info("batch")
    return dict(processor.response())


def calling(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Do the same, and make the calls that the event has beside its messages: what the client and the way cost."""
    for name, request in event["calls"]:
        getattr(dynamodb, name)(**request)
    return handler(event, context)
